//! The check against a server in a script: each loss, forgery and error.

mod world;

use self::world::{Forgery, ONE_WAY, Script, World, address, config};
use super::*;
use crate::{
    probe::{
        Event, Failure, Plan,
        turn::{
            Flow,
            credentials::{Algorithm, Credentials},
        },
    },
    wire::stun::{Message, Value, kind, method},
};

fn outcome(script: Script) -> Outcome {
    World::new(script).run(config(Transport::Udp))
}

fn passed(outcome: &Outcome) -> Vec<CheckStep> {
    outcome.steps.iter().filter(|step| step.problem.is_none()).map(|step| step.step).collect()
}

fn code(outcome: &Outcome) -> Option<(CheckStep, u16)> {
    match outcome.failure()? {
        (step, Problem::Refused { code, .. }) => Some((step, *code)),
        _ => None,
    }
}

#[test]
fn a_good_server_passes_every_step() {
    for transport in [Transport::Udp, Transport::Tcp, Transport::Tls] {
        let mut world = World::new(Script::default());
        let outcome = world.run(config(transport));
        assert_eq!(passed(&outcome), CheckStep::ALL, "{transport:?}");
        assert_eq!(outcome.peer, Some(Peer::Allocation));
        assert_eq!((outcome.relayed[0], outcome.mapped), (World::relayed(NEAR), Some(address("192.0.2.9:4000"))));
        assert_eq!(outcome.lifetime, Some(Duration::from_secs(600)));
        assert_eq!(outcome.facts.round_trip, Some(2 * ONE_WAY));
        assert_eq!(outcome.facts.software.as_deref(), Some("a script"));
        assert!(outcome.facts.trusted);
        for flow in outcome.indications.iter().flatten() {
            assert_eq!((flow.sent, flow.received, flow.latency()), (20, 20, Some(2 * ONE_WAY)));
        }
        // 800 kbit/s of 1,000 bytes each for a second.
        for flow in outcome.channel.iter().flatten() {
            assert_eq!((flow.sent, flow.received, flow.latency_max), (100, 100, Some(2 * ONE_WAY)));
        }
        // Both allocations were given back.
        assert_eq!(world.sent.iter().filter(|(.., bytes)| is_release(bytes)).count(), 2);
    }
}

fn is_release(bytes: &[u8]) -> bool {
    let lifetime = Message::parse(bytes).ok().filter(|message| message.method() == method::REFRESH);
    let lifetime = lifetime.and_then(|message| message.attribute(kind::LIFETIME)?.value().ok());
    lifetime == Some(Value::Number(0))
}

#[test]
fn sha256_and_userhash_where_the_server_has_them() {
    let outcome = outcome(Script { modern: true, ..Script::default() });
    assert_eq!(passed(&outcome), CheckStep::ALL);
    let challenge = outcome.facts.challenge.unwrap();
    assert_eq!((challenge.algorithm(), challenge.userhash), (Algorithm::Sha256, true));
}

#[test]
fn each_message_may_be_lost_once() {
    for lost in 0..12 {
        let outcome = outcome(Script { lost: vec![lost], ..Script::default() });
        assert_eq!(passed(&outcome), CheckStep::ALL, "request {lost} lost");
    }
}

#[test]
fn each_answer_may_come_twice() {
    let outcome = outcome(Script { doubled: true, ..Script::default() });
    assert_eq!(passed(&outcome), CheckStep::ALL);
}

#[test]
fn forged_answers_change_nothing() {
    for forgery in [Forgery::OtherId, Forgery::OtherSource, Forgery::BadIntegrity, Forgery::Malformed] {
        let outcome = outcome(Script { forgery: Some(forgery), ..Script::default() });
        assert_eq!(passed(&outcome), CheckStep::ALL, "{forgery:?}");
        assert_eq!(outcome.facts.forged > 0, forgery == Forgery::BadIntegrity, "{forgery:?}");
        assert_eq!(outcome.facts.rejected > 0, matches!(forgery, Forgery::OtherSource | Forgery::Malformed));
    }
}

#[test]
fn answers_must_prove_the_password() {
    for script in
        [Script { password: Some("other"), ..Script::default() }, Script { unsigned: true, ..Script::default() }]
    {
        let outcome = outcome(script);
        assert_eq!(outcome.failure(), Some((CheckStep::Allocate, &Problem::Silent)));
        assert!(outcome.facts.forged > 0 && outcome.answered);
        assert_eq!(outcome.relayed, []);
    }
}

#[test]
fn wrong_credentials_are_told_from_none() {
    let with = |credentials| World::new(Script::default()).run(Config { credentials, ..config(Transport::Udp) });
    let none = with(None);
    assert_eq!(none.failure(), Some((CheckStep::Authenticate, &Problem::NoCredentials)));
    assert_eq!(code(&with(Some(Credentials::new("alice".into(), "x".into())))), Some((CheckStep::Authenticate, 401)));
}

#[test]
fn an_open_server_is_noticed() {
    let outcome = outcome(Script { open: true, ..Script::default() });
    assert!(outcome.failure().is_none() && outcome.facts.challenge.is_none());
    assert!(outcome.step(CheckStep::Authenticate).is_none());
    assert!(outcome.step(CheckStep::Release).is_some());
}

#[test]
fn a_stale_nonce_is_renewed_once() {
    for number in [method::ALLOCATE, method::CREATE_PERMISSION, method::CHANNEL_BIND, method::REFRESH] {
        let stale = |times: u32| (0..times).map(|at| (number, at, 438)).collect();
        let once = outcome(Script { errors: stale(1), ..Script::default() });
        assert_eq!(passed(&once), CheckStep::ALL, "{number}");
        assert_eq!(once.facts.renewals, 1);
    }
    let looping =
        outcome(Script { errors: vec![(method::ALLOCATE, 0, 438), (method::ALLOCATE, 1, 438)], ..Script::default() });
    assert_eq!(looping.failure(), Some((CheckStep::Authenticate, &Problem::NonceLoop)));
}

#[test]
fn each_error_fails_its_step() {
    for refused in [400, 403, 420, 437, 440, 441, 442, 486, 500, 508] {
        let script = Script { errors: vec![(method::ALLOCATE, 0, refused)], ..Script::default() };
        let outcome = outcome(script);
        assert_eq!(code(&outcome), Some((CheckStep::Allocate, refused)));
        assert!(outcome.step(CheckStep::Authenticate).is_some(), "{refused}: the credentials were right");
    }
    for (number, step) in [(method::CHANNEL_BIND, CheckStep::Channel), (method::REFRESH, CheckStep::Refresh)] {
        let mut world = World::new(Script { errors: vec![(number, 0, 437)], ..Script::default() });
        let outcome = world.run(config(Transport::Udp));
        assert_eq!(code(&outcome), Some((step, 437)));
        assert!(world.sent.iter().any(|(.., bytes)| is_release(bytes)), "what was lent is given back");
    }
}

#[test]
fn errors_before_credentials() {
    for refused in [400, 442, 500] {
        let outcome = outcome(Script { always: Some((method::ALLOCATE, refused)), ..Script::default() });
        assert_eq!(code(&outcome), Some((CheckStep::Allocate, refused)));
        assert!(outcome.step(CheckStep::Authenticate).is_none());
    }
    let elsewhere = outcome(Script { always: Some((method::ALLOCATE, 300)), ..Script::default() });
    assert_eq!(elsewhere.alternate(), Some(address("192.0.2.77:3478")));
}

#[test]
fn without_a_second_allocation_a_socket_is_the_peer() {
    let quota = outcome(Script { errors: vec![(method::ALLOCATE, 1, 486)], ..Script::default() });
    assert_eq!(passed(&quota), CheckStep::ALL);
    assert_eq!(quota.peer, Some(Peer::Socket(Fallback::NoSecondAllocation(Some(486)))));
    assert!(quota.channel.unwrap().iter().all(|flow| flow.received == flow.sent && flow.sent == 100));
    let forbidden = outcome(Script { forbidden: vec!["192.0.2.1"], ..Script::default() });
    assert_eq!(forbidden.failure(), None);
    assert_eq!(forbidden.peer, Some(Peer::Socket(Fallback::Forbidden("192.0.2.1".parse().unwrap()))));
    let both = outcome(Script { forbidden: vec!["192.0.2.1", "192.0.2.9"], ..Script::default() });
    assert_eq!(code(&both), Some((CheckStep::Permission, 403)));
}

#[test]
fn what_is_not_relayed_is_said() {
    for channel in [false, true] {
        let mute = [!channel, channel];
        let outcome = outcome(Script { mute, ..Script::default() });
        let route = Route { channel, back: false };
        assert_eq!(outcome.failure(), Some((CheckStep::Relay, &Problem::NothingArrived(route))));
        assert!(outcome.step(CheckStep::Release).is_some());
    }
    let lossy = outcome(Script { drops: Some(10), ..Script::default() });
    assert_eq!(lossy.failure(), None);
    assert_eq!(lossy.channel.unwrap().iter().map(Flow::lost).sum::<u32>(), 20);
}

#[test]
fn long_runs_refresh_what_they_hold() {
    let mut world = World::new(Script { lifetime: Some(60), ..Script::default() });
    let outcome = world.run(Config { duration: Duration::from_secs(500), bitrate: 8_000, ..config(Transport::Udp) });
    assert_eq!(outcome.failure(), None);
    let refreshes = world.sent.iter().filter(|(.., bytes)| {
        Message::parse(bytes).is_ok_and(|message| message.method() == method::REFRESH) && !is_release(bytes)
    });
    assert!(refreshes.count() >= 2 * 15, "every 30 s, at both ends");
    assert_eq!(world.channels, 2 + 2 * 2, "bound again every 240 s");
    // An allocation that expires all the same.
    let gone = World::new(Script { lifetime: Some(60), errors: vec![(method::REFRESH, 2, 437)], ..Script::default() })
        .run(Config { duration: Duration::from_secs(500), bitrate: 8_000, ..config(Transport::Udp) });
    assert_eq!(code(&gone), Some((CheckStep::Refresh, 437)));
}

#[test]
fn silence_is_believed_and_tcp_tried() {
    let mut world = World::new(Script { dead: true, ..Script::default() });
    let outcome = world.run(config(Transport::Udp));
    assert!(world.now < Duration::from_secs(5), "{:?}", world.now);
    assert_eq!(outcome.failure(), Some((CheckStep::Connect, &Problem::Silent)));
    assert_eq!((outcome.answered, outcome.tcp_works), (false, Some(false)));
}

#[test]
fn a_server_that_dies_ends_every_step() {
    // The nth request and all after it are lost.
    for from in 0..11 {
        let mut world = World::new(Script { lost: (from..1_000).collect(), ..Script::default() });
        let outcome = world.run(config(Transport::Udp));
        assert!(outcome.failure().is_some(), "silent from request {from} on");
        assert!(world.now < Duration::from_secs(15), "silent from request {from} on: {:?}", world.now);
    }
}

#[test]
fn icmp_errors_are_believed_when_repeated() {
    let mut check = TurnCheck::new(config(Transport::Udp), Ids::seeded(1));
    let mut world = World::new(Script { dead: true, ..Script::default() });
    world.run_until(&mut check, Duration::from_millis(50));
    for _ in 0..2 {
        assert_eq!(check.outcome().failure(), None);
        check.handle(world.now, Event::Unreachable { socket: NEAR, failure: Failure::Refused });
    }
    assert_eq!(check.outcome().failure(), Some((CheckStep::Connect, &Problem::Socket(Failure::Refused))));
}

#[test]
fn an_interrupted_check_gives_back() {
    let mut check = TurnCheck::new(config(Transport::Udp), Ids::seeded(1));
    let mut world = World::new(Script::default());
    world.run_until(&mut check, Duration::from_secs(1));
    assert_eq!(check.step(), Some(CheckStep::Relay));
    assert!(check.interrupt(world.now));
    world.run_until(&mut check, Duration::from_secs(5));
    let outcome = check.outcome();
    assert!(outcome.interrupted && outcome.failure().is_none() && outcome.channel.is_some());
    assert_eq!(world.sent.iter().filter(|(.., bytes)| is_release(bytes)).count(), 2);
    let mut early = TurnCheck::new(config(Transport::Udp), Ids::seeded(1));
    assert!(!early.interrupt(Duration::ZERO), "nothing was lent");
}

#[test]
fn a_stream_that_ends_ends_the_check() {
    let mut check = TurnCheck::new(config(Transport::Tcp), Ids::seeded(1));
    let mut world = World::new(Script::default());
    world.run_until(&mut check, Duration::from_secs(1));
    check.handle(world.now, Event::Failed { socket: NEAR, failure: Failure::Closed });
    assert_eq!(check.step(), None);
    assert_eq!(check.outcome().failure(), Some((CheckStep::Relay, &Problem::Socket(Failure::Closed))));
}
