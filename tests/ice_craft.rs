//! ICE in captures put together by hand: what is expected follows from how each was put together.
#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used, reason = "a test may fail")]

mod common;
mod craft;
mod dialogue;

use std::collections::{BTreeMap, BTreeSet};

use common::{Run, frames, json_lines, list, unsigned};
use craft::Address;
use dialogue::{
    Answer, BINDING, Connection, Dialogue, Peer, SUCCESS, TRIP, USE_CANDIDATE, check, host_name, message, name,
};
use serde_json::Value;

const A: Peer = Peer { ufrag: "AAAA", address: ([10, 0, 0, 1], 5000), controlling: true, tie_breaker: 0x1111_2222 };
const B: Peer = Peer { ufrag: "BBBB", address: ([10, 9, 0, 9], 6000), controlling: false, tie_breaker: 0x3333_4444 };
const STUN_SERVER: Address = ([198, 51, 100, 1], 3478);

fn nominate() -> [dialogue::Attribute; 1] {
    [(USE_CANDIDATE, Vec::new())]
}

fn only(run: &Run) -> &Value {
    let sessions: Vec<_> = run.sessions().collect();
    assert_eq!(sessions.len(), 1, "{} calls", sessions.len());
    sessions[0]
}

fn pairs(session: &Value) -> &[Value] {
    list(&session["connecting"]["candidatePairs"])
}

/// The pair between two addresses, whichever is called the local one.
fn pair(session: &Value, ends: [Address; 2]) -> &Value {
    let mut ends = ends.map(name);
    ends.sort();
    let found = pairs(session).iter().find(|pair| {
        let mut own = [end(&pair["local"]), end(&pair["remote"])];
        own.sort();
        own == ends
    });
    found.unwrap_or_else(|| panic!("no pair of {ends:?}: {}", session["connecting"]["candidatePairs"]))
}

fn end(candidate: &Value) -> String {
    format!("{}:{}", candidate["address"].as_str().unwrap(), candidate["port"])
}

/// `local` or `remote`, whichever an address is in a pair.
fn side(pair: &Value, address: Address) -> &'static str {
    if end(&pair["local"]) == name(address) { "local" } else { "remote" }
}

fn near(value: &Value, expected: f64) {
    let value = value.as_f64().unwrap_or(f64::NAN);
    assert!((value - expected).abs() < 1e-6, "{value}, not {expected}");
}

fn streams(session: &Value) -> BTreeMap<u64, &Value> {
    let streams = list(&session["communicating"]["rtpStreams"]);
    let found: BTreeMap<u64, &Value> = streams.iter().map(|stream| (unsigned(&stream["ssrc"]), stream)).collect();
    assert_eq!(found.len(), streams.len(), "an SSRC is listed twice");
    found
}

/// The user fragments of each generation of a pair, those of `address` first.
fn generations(pair: &Value, address: Address) -> Vec<[&str; 2]> {
    let keys =
        if side(pair, address) == "local" { ["localUfrag", "remoteUfrag"] } else { ["remoteUfrag", "localUfrag"] };
    list(&pair["generations"]).iter().map(|generation| keys.map(|key| generation[key].as_str().unwrap())).collect()
}

#[test]
fn a_call_from_check_to_media() {
    let mut dialogue = Dialogue::default();
    dialogue.call(0.0, 4.0, &A, &B, 0xa1);
    let run = dialogue.run();
    let call = only(&run);
    let connecting = &call["connecting"];
    assert_eq!((run.status, &call["verdict"], &connecting["status"]), (0, &"pass".into(), &"ok".into()));
    assert_eq!((&connecting["iceRestarts"], &connecting["pathSwitches"]), (&0.into(), &0.into()));
    assert_eq!(
        (&connecting["roleConflicts"], &connecting["iceLite"], &connecting["badFingerprints"]),
        (&0.into(), &Value::Null, &0.into())
    );
    let pair = pair(call, [A.address, B.address]);
    assert_eq!(side(pair, A.address), "local", "A sent the first check");
    let counts = ["requestsSent", "responsesReceived", "requestsReceived", "responsesSent"].map(|key| &pair[key]);
    assert_eq!(counts, [2, 2, 1, 1]);
    assert_eq!((&pair["nominated"], &pair["nominationKind"]), (&true.into(), &"regular".into()));
    assert_eq!((&pair["iceRoleLocal"], &pair["priority"]), (&"controlling".into(), &1_845_501_695.into()));
    near(&connecting["iceDuration"], 0.1 + TRIP);
    near(&pair["roundTripTime"], TRIP);
    near(&pair["nominatedTime"], 0.1);
    // The nomination is the fifth of all packets.
    assert_eq!(pair["nominatedPacket"], 5);
    assert_eq!(call["securing"]["status"], "ok");
    near(&call["securing"]["handshakeDuration"], 3.0 * TRIP);
    assert_eq!(call["securing"]["clientRole"], name(B.address));
    assert_eq!(streams(call).keys().copied().collect::<Vec<_>>(), [0xa1, 0xa2]);
}

#[test]
fn a_restart_on_the_same_ports() {
    let mut dialogue = Dialogue::default();
    dialogue.call(0.0, 4.0, &A, &B, 0xa1);
    let (a, b) = (Peer { ufrag: "CCCC", ..A }, Peer { ufrag: "DDDD", ..B });
    dialogue.connect(4.0, &a, &b);
    dialogue.media(4.0, 8.0, A.address, B.address, 0xa1);
    dialogue.media(4.0, 8.0, B.address, A.address, 0xa2);
    let run = dialogue.run();
    let call = only(&run);
    assert_eq!((&call["connecting"]["iceRestarts"], &call["connecting"]["pathSwitches"]), (&1.into(), &0.into()));
    assert_eq!(pairs(call).len(), 1);
    let pair = &pairs(call)[0];
    assert_eq!(generations(pair, A.address), [["AAAA", "BBBB"], ["CCCC", "DDDD"]]);
    near(&pair["generations"][1]["firstTime"], 4.0);
    let streams = streams(call);
    assert_eq!(streams.len(), 2);
    // 0.4 to 8.0 s at 50 a second.
    assert!(streams.values().all(|stream| stream["packetsReceived"] == 380 && stream["packetsLost"] == 0));
}

#[test]
fn a_restart_on_new_ports() {
    let mut dialogue = Dialogue::default();
    dialogue.call(0.0, 6.0, &A, &B, 0xa1);
    let a = Peer { ufrag: "CCCC", address: (A.address.0, 5002), ..A };
    let b = Peer { ufrag: "DDDD", address: (B.address.0, 6002), ..B };
    dialogue.connect(5.8, &a, &b);
    dialogue.media(6.0, 8.0, a.address, b.address, 0xa1);
    dialogue.media(6.0, 8.0, b.address, a.address, 0xa2);
    let run = dialogue.run();
    let call = only(&run);
    assert_eq!(call["connecting"]["iceRestarts"], 1);
    assert_eq!(pairs(call).len(), 2);
    // The pair in use at the end, though the first carried three times as much.
    assert_eq!(pair(call, [a.address, b.address])["selected"], true);
    assert_eq!(pair(call, [A.address, B.address])["selected"], false);
    // The restart is no part of how long the call took to connect.
    near(&call["connecting"]["iceDuration"], 0.1 + TRIP);
    assert_eq!(call["securing"]["status"], "ok");
    let streams = streams(call);
    assert_eq!(streams.len(), 2);
    assert!(streams.values().all(|stream| stream["packetsReceived"] == 380 && stream["packetsLost"] == 0));
}

/// A second address of A, to which the call moves.
#[test]
fn a_path_switch() {
    let other = Peer { address: ([10, 8, 0, 1], 5002), ..A };
    let mut dialogue = Dialogue::default();
    dialogue.call(0.0, 8.0, &A, &B, 0xa1);
    dialogue.connect(7.8, &other, &B);
    dialogue.media(8.0, 12.0, other.address, B.address, 0xa1);
    dialogue.media(8.0, 12.0, B.address, other.address, 0xa2);
    let run = dialogue.run();
    let call = only(&run);
    assert_eq!((&call["connecting"]["pathSwitches"], &call["connecting"]["iceRestarts"]), (&1.into(), &0.into()));
    assert_eq!(pairs(call).len(), 2);
    // The pair in use at the end, though the other carried twice as much.
    assert_eq!(pair(call, [other.address, B.address])["selected"], true);
    let streams = streams(call);
    assert_eq!(streams.len(), 2);
    for stream in streams.values() {
        assert_eq!(["packetsReceived", "packetsLost", "restarts"].map(|key| &stream[key]), [580, 0, 0]);
    }
    assert_eq!(run.report["verdict"], "pass");
}

/// RFC 8445 section 8.1.1 lets the controlling agent go back: one stream each way, and nothing is lost.
#[test]
fn a_path_left_and_taken_again() {
    let other = Peer { address: ([10, 8, 0, 1], 5002), ..A };
    for (what, back) in [("twice", vec![8.0, 12.0]), ("four times", vec![4.0, 6.0, 9.0, 12.0])] {
        let mut dialogue = Dialogue::default();
        dialogue.connect(0.0, &A, &B);
        dialogue.handshake(0.2, B.address, A.address, 7);
        let mut from = 0.4;
        for (order, until) in back.iter().copied().chain([16.0]).enumerate() {
            let end = if order % 2 == 0 { &A } else { &other };
            dialogue.media(from, until, end.address, B.address, 0xa1);
            dialogue.media(from, until, B.address, end.address, 0xa2);
            if order % 2 == 0 {
                dialogue.check(until - 0.2, [&other, &B], &nominate(), Answer::Success);
            } else {
                dialogue.check(until - 0.2, [&A, &B], &nominate(), Answer::Success);
            }
            from = until;
        }
        let run = dialogue.run();
        let call = only(&run);
        let connecting = &call["connecting"];
        assert_eq!(
            (&connecting["pathSwitches"], &connecting["iceRestarts"]),
            (&back.len().into(), &0.into()),
            "{what}"
        );
        assert_eq!(pair(call, [A.address, B.address])["selected"], true, "{what}");
        let selections = list(&connecting["selections"]);
        assert_eq!(selections.len(), back.len() + 1, "{what}");
        for (selection, began) in selections.iter().zip([&[0.4], &*back].concat()) {
            near(&selection["time"], began + 0.001);
        }
        let at = |index: usize| ["local", "remote"].map(|side| end(&selections[index][side]));
        assert!(at(0).contains(&name(A.address)) && at(1).contains(&name(other.address)), "{what}");
        assert!(at(back.len()).contains(&name(A.address)), "{what}");
        let streams = streams(call);
        assert_eq!(streams.len(), 2, "{what}");
        for stream in streams.values() {
            let counts = ["packetsReceived", "packetsExpected", "packetsLost", "restarts", "longestLossBurst"];
            assert_eq!(counts.map(|key| &stream[key]), [780, 780, 0, 0, 0], "{what}");
            assert_eq!(stream["outages"]["count"], 0, "{what}");
            near(&stream["maxGap"], 0.02);
            assert_eq!(list(&stream["previousPaths"]).len(), 1, "{what}");
        }
        assert_eq!(run.report["verdict"], "pass", "{what}: {}", run.report["findings"]);
    }
}

/// What is lost on either path, and at the change, stays lost.
#[test]
fn loss_beside_a_path_taken_again() {
    let other = Peer { address: ([10, 8, 0, 1], 5002), ..A };
    let mut dialogue = Dialogue::default();
    dialogue.call(0.0, 4.0, &A, &B, 0xa1);
    dialogue.connect(3.8, &other, &B);
    // 20 packets of one stream are lost on A, 30 at the change and 10 on the other path.
    dialogue.media(4.4, 8.0, A.address, B.address, 0xa1);
    dialogue.media(4.0, 8.0, B.address, A.address, 0xa2);
    dialogue.media(8.6, 10.0, other.address, B.address, 0xa1);
    dialogue.media(10.2, 12.0, other.address, B.address, 0xa1);
    dialogue.media(8.0, 12.0, B.address, other.address, 0xa2);
    dialogue.media(12.0, 16.0, A.address, B.address, 0xa1);
    dialogue.media(12.0, 16.0, B.address, A.address, 0xa2);
    let run = dialogue.run();
    let call = only(&run);
    assert_eq!(call["connecting"]["pathSwitches"], 2);
    let streams = streams(call);
    let counts = |ssrc: u64| {
        let keys = ["packetsExpected", "packetsLost", "burstLossCount", "longestLossBurst"];
        keys.map(|key| unsigned(&streams[&ssrc][key]))
    };
    assert_eq!((counts(0xa1), counts(0xa2)), ([780, 60, 3, 30], [780, 0, 0, 0]));
    near(&streams[&0xa1]["maxGap"], 0.62);
    // Only the two longer silences are so much longer than what is usual.
    assert_eq!(streams[&0xa1]["outages"]["longest"], streams[&0xa1]["maxGap"]);
}

/// More than half of all sequence numbers went over the other path: no new start.
#[test]
fn a_path_taken_again_after_many_packets() {
    let other = Peer { address: ([10, 8, 0, 1], 5002), ..A };
    let mut dialogue = Dialogue::default();
    dialogue.call(0.0, 20.0, &A, &B, 0xa1);
    dialogue.connect(19.8, &other, &B);
    dialogue.media(20.0, 820.0, other.address, B.address, 0xa1);
    dialogue.media(20.0, 820.0, B.address, other.address, 0xa2);
    dialogue.media(820.0, 830.0, A.address, B.address, 0xa1);
    dialogue.media(820.0, 830.0, B.address, A.address, 0xa2);
    let run = dialogue.run();
    let call = only(&run);
    assert_eq!(call["connecting"]["pathSwitches"], 2);
    let streams = streams(call);
    assert_eq!(streams.len(), 2);
    for stream in streams.values() {
        // 0.4 to 830 s at 50 a second.
        let counts = ["packetsExpected", "packetsLost", "restarts", "longestLossBurst"];
        assert_eq!(counts.map(|key| &stream[key]), [41_480, 0, 0, 0]);
    }
}

/// The old pair carried far more, and nothing for less than a second.
#[test]
fn a_switch_just_before_the_end() {
    let other = Peer { address: ([10, 8, 0, 1], 5002), ..A };
    let mut dialogue = Dialogue::default();
    dialogue.call(0.0, 8.0, &A, &B, 0xa1);
    dialogue.connect(7.8, &other, &B);
    dialogue.media(8.0, 8.6, other.address, B.address, 0xa1);
    dialogue.media(8.0, 8.6, B.address, other.address, 0xa2);
    dialogue.check(8.5, [&A, &B], &[], Answer::Success);
    let run = dialogue.run();
    let call = only(&run);
    assert_eq!(pair(call, [other.address, B.address])["selected"], true);
    assert_eq!(pair(call, [A.address, B.address])["selected"], false);
    assert_eq!(call["connecting"]["pathSwitches"], 1);
    // A pair that is only kept alive is none that is used.
    let mut dialogue = Dialogue::default();
    dialogue.call(0.0, 8.0, &A, &B, 0xa1);
    dialogue.connect(5.0, &other, &B);
    dialogue.check(7.9, [&other, &B], &[], Answer::Success);
    let run = dialogue.run();
    assert_eq!(pair(only(&run), [A.address, B.address])["selected"], true);
    assert_eq!(only(&run)["connecting"]["pathSwitches"], 0);
}

#[test]
fn a_lite_agent_never_asks() {
    let mut dialogue = Dialogue::default();
    dialogue.check(0.0, [&A, &B], &[], Answer::Success);
    for second in 1..6 {
        dialogue.check(f64::from(second), [&A, &B], &nominate(), Answer::Success);
    }
    dialogue.handshake(1.2, B.address, A.address, 7);
    dialogue.media(1.4, 6.0, A.address, B.address, 0xa1);
    dialogue.media(1.4, 6.0, B.address, A.address, 0xa2);
    let run = dialogue.run();
    let call = only(&run);
    let pair = &pairs(call)[0];
    assert_eq!(call["connecting"]["iceLite"], side(pair, B.address));
    assert_eq!(
        call["connecting"]["iceRole"],
        if side(pair, A.address) == "local" { "controlling" } else { "controlled" }
    );
}

/// RFC 8445 section 7.3.1.1: both claim to control; the one with the lesser tie-breaker is told 487 and gives in.
#[test]
fn a_role_conflict() {
    let (a, b) = (A, Peer { controlling: true, ..B });
    let mut dialogue = Dialogue::default();
    dialogue.check(0.0, [&a, &b], &[], Answer::Error(487));
    let a = Peer { controlling: false, ..a };
    dialogue.check(0.1, [&a, &b], &[], Answer::Success);
    dialogue.check(0.2, [&b, &a], &[], Answer::Success);
    dialogue.check(0.3, [&b, &a], &nominate(), Answer::Success);
    dialogue.media(0.4, 4.0, a.address, b.address, 0xa1);
    dialogue.media(0.4, 4.0, b.address, a.address, 0xa2);
    let run = dialogue.run();
    let call = only(&run);
    // One refusal, and perhaps the change that followed it.
    assert!((1..=2).contains(&unsigned(&call["connecting"]["roleConflicts"])));
    let pair = &pairs(call)[0];
    let changes = if side(pair, A.address) == "local" { [1, 0] } else { [0, 1] };
    assert_eq!(["roleChanges", "roleChangesRemote"].map(|key| unsigned(&pair[key])), changes);
    assert_eq!(call["connecting"]["roleChanges"], 1);
    let errors = list(&pair["errors"]);
    assert_eq!(errors.len(), 1);
    assert_eq!((&errors[0]["code"], &errors[0]["name"]), (&487.into(), &"Role Conflict".into()));
    assert_eq!((&errors[0]["count"], &errors[0]["firstPacket"]), (&1.into(), &2.into()));
    let role = if side(pair, A.address) == "local" { "controlled" } else { "controlling" };
    assert_eq!((&pair["iceRoleLocal"], &pair["state"]), (&role.into(), &"succeeded".into()));
    assert_eq!(call["connecting"]["status"], "ok");
}

#[test]
fn a_gap_in_consent() {
    let mut dialogue = Dialogue::default();
    dialogue.call(0.0, 25.0, &A, &B, 0xa1);
    for check in 1..10 {
        let seconds = f64::from(check) * 2.5;
        // Nothing comes back from 5.0 to 15.0 s.
        let answer = if (5.0..15.0).contains(&seconds) { Answer::Nothing } else { Answer::Success };
        dialogue.check(seconds, [&A, &B], &[], answer);
    }
    let run = dialogue.run();
    let pair = &pairs(only(&run))[0];
    // The answers at 2.52 and at 15.02 s.
    near(&pair["longestConsentGap"], 12.5);
    assert_eq!((&pair["consentExpired"], &pair["requestsUnanswered"]), (&Value::Null, &4.into()));
    // Two of the call's beginning and nine, of which the first came before any answer.
    assert_eq!((&pair["requestsSent"], &pair["consentRequestsSent"]), (&11.into(), &10.into()));
}

#[test]
fn consent_expires() {
    let mut dialogue = Dialogue::default();
    dialogue.call(0.0, 10.0, &A, &B, 0xa1);
    dialogue.check(9.0, [&A, &B], &[], Answer::Success);
    for check in 4..20 {
        dialogue.check(f64::from(check) * 2.5, [&A, &B], &[], Answer::Nothing);
    }
    dialogue.media(10.0, 50.0, A.address, B.address, 0xa1);
    let run = dialogue.run();
    let call = only(&run);
    // RFC 7675 section 5.1: 30 s after the last answer.
    near(&pairs(call)[0]["consentExpired"], 9.0 + TRIP + 30.0);
    assert_ne!(run.report["verdict"], "pass", "{}", run.report["findings"]);
}

/// RFC 7675 section 5.1: an agent that pauses its checks has not been refused consent.
#[test]
fn a_pause_of_checks_is_no_loss_of_consent() {
    let mut dialogue = Dialogue::default();
    dialogue.call(0.0, 50.0, &A, &B, 0xa1);
    dialogue.check(45.0, [&A, &B], &[], Answer::Success);
    let run = dialogue.run();
    assert_eq!(pairs(only(&run))[0]["consentExpired"], Value::Null);
    assert_eq!(run.report["verdict"], "pass");
}

#[test]
fn a_wrong_fingerprint() {
    let mut dialogue = Dialogue::default();
    let id = dialogue.transaction();
    let mut request = check(id, [&A, &B], &[]);
    *request.last_mut().unwrap() ^= 1;
    dialogue.connect(0.0, &A, &B);
    // The seventh packet, after the three checks and their answers.
    dialogue.datagram(0.15, A.address, B.address, &request);
    dialogue.media(0.4, 2.0, A.address, B.address, 0xa1);
    let run = dialogue.run();
    let connecting = &only(&run)["connecting"];
    assert_eq!((&connecting["badFingerprints"], &connecting["badFingerprintPacket"]), (&1.into(), &7.into()));
}

#[test]
fn answers_that_come_late() {
    let mut dialogue = Dialogue::default();
    dialogue.call(0.0, 10.0, &A, &B, 0xa1);
    for (seconds, trip) in [(2.0, 0.7), (4.0, 0.499), (6.0, 1.5)] {
        dialogue.check(seconds, [&A, &B], &[], Answer::After(trip));
    }
    let run = dialogue.run();
    let pair = &pairs(only(&run))[0];
    assert_eq!((&pair["responsesLate"], &pair["requestsUnanswered"]), (&2.into(), &0.into()));
    near(&pair["roundTripTimeMax"], 1.5);
    near(&pair["roundTripTimeMean"], (0.7 + 0.499 + 1.5 + 2.0 * TRIP) / 5.0);
}

#[test]
fn requests_sent_again() {
    let mut dialogue = Dialogue::default();
    dialogue.call(0.0, 10.0, &A, &B, 0xa1);
    // RFC 8489 section 6.2.1: after 500 ms, and after 1 s more.
    let (answered, silent) = (dialogue.transaction(), dialogue.transaction());
    for wait in [0.0, 0.5, 1.5] {
        dialogue.datagram(2.0 + wait, A.address, B.address, &check(answered, [&A, &B], &[]));
        dialogue.datagram(5.0 + wait, A.address, B.address, &check(silent, [&A, &B], &[]));
    }
    dialogue.datagram(3.6, B.address, A.address, &message(0x101, answered, &[dialogue::mapped(A.address)]));
    let run = dialogue.run();
    let pair = &pairs(only(&run))[0];
    let counts = ["requestsSent", "responsesReceived", "retransmissionsSent", "requestsUnanswered"];
    assert_eq!(counts.map(|key| &pair[key]), [4, 3, 4, 1]);
    // Of a request that was sent again nobody knows which copy was answered.
    near(&pair["roundTripTimeMax"], TRIP);
}

#[test]
fn a_path_on_which_nothing_is_answered() {
    let mut dialogue = Dialogue::default();
    let id = dialogue.transaction();
    for wait in [0.0, 0.5, 1.5, 3.5] {
        dialogue.datagram(wait, A.address, B.address, &check(id, [&A, &B], &[]));
    }
    // The capture goes on.
    dialogue.datagram(30.0, ([10, 0, 0, 1], 9), ([10, 0, 0, 2], 9), b"else");
    let run = dialogue.run();
    let call = only(&run);
    assert_eq!((run.status, &call["connecting"]["status"]), (1, &"failed".into()));
    let pair = &pairs(call)[0];
    assert_eq!((&pair["state"], &pair["requestsUnanswered"]), (&"failed".into(), &1.into()));
    assert_eq!((&pair["requestsSent"], &pair["retransmissionsSent"]), (&1.into(), &3.into()));
}

#[test]
fn nominations_of_two_kinds() {
    // Regular (RFC 8445 section 8.1.1): a pair that worked is asked once more. Aggressive (RFC 5245 section 8.1.1.2):
    // each check nominates.
    for (kind, more) in [("regular", Vec::new()), ("aggressive", nominate().to_vec())] {
        let mut dialogue = Dialogue::default();
        let other = Peer { address: (A.address.0, 5002), ..A };
        for (order, a) in [&A, &other].into_iter().enumerate() {
            dialogue.check(0.01 * order as f64, [a, &B], &more, Answer::Success);
            dialogue.check(0.03 + 0.01 * order as f64, [&B, a], &[], Answer::Success);
        }
        dialogue.check(0.1, [&A, &B], &nominate(), Answer::Success);
        dialogue.media(0.4, 4.0, A.address, B.address, 0xa1);
        dialogue.media(0.4, 4.0, B.address, A.address, 0xa2);
        let run = dialogue.run();
        let call = only(&run);
        let selected = pair(call, [A.address, B.address]);
        assert_eq!((&selected["selected"], &selected["nominationKind"]), (&true.into(), &kind.into()));
        assert_eq!(pair(call, [other.address, B.address])["nominated"], kind == "aggressive");
    }
}

#[test]
fn a_peer_reflexive_address() {
    let outside = ([203, 0, 113, 7], 40_000);
    let mut dialogue = Dialogue::default();
    dialogue.check(0.0, [&A, &B], &[], Answer::SeenAs(outside));
    dialogue.check(0.03, [&B, &A], &[], Answer::Success);
    dialogue.check(0.1, [&A, &B], &nominate(), Answer::SeenAs(outside));
    dialogue.media(0.4, 4.0, A.address, B.address, 0xa1);
    let run = dialogue.run();
    let call = only(&run);
    let pair = &pairs(call)[0];
    assert_eq!(side(pair, A.address), "local");
    assert_eq!((&pair["reflexiveAddress"], &pair["reflexivePort"]), (&"203.0.113.7".into(), &40_000.into()));
    let mut candidates = list(&call["connecting"]["candidates"]).iter();
    let reflexive = candidates.find(|candidate| end(candidate) == name(outside)).expect("a candidate");
    assert_eq!((&reflexive["type"], &reflexive["agent"]), (&"prflx".into(), &"local".into()));
}

/// The candidates that A's browser has at the end of the call, by its own getStats().
#[test]
fn candidates_are_those_of_get_stats() {
    let Some(captures) = frames::captures() else { return };
    for scenario in ["chromium-nat", "chromium-turn-udp"] {
        let folder = captures.join("lab").join(scenario);
        let run = common::analyze(&folder.join("capture.pcapng"));
        let call = only(&run);
        let ours: BTreeSet<(&str, String)> = list(&call["connecting"]["candidates"])
            .iter()
            .map(|candidate| (candidate["type"].as_str().unwrap(), end(candidate)))
            .collect();
        let last = json_lines(&folder.join("peerA.stats.jsonl")).into_iter().next_back().unwrap();
        let mut found = 0;
        for candidate in list(&last["stats"]).iter().filter(|value| value["type"] == "local-candidate") {
            // Those of TCP are never used: nobody listens.
            if candidate["protocol"] == "udp" {
                let theirs = (candidate["candidateType"].as_str().unwrap(), end(candidate));
                assert!(ours.contains(&theirs), "{scenario}: {theirs:?}, ours {ours:?}");
                found += 1;
            }
        }
        // A host, a server-reflexive and a peer-reflexive one behind the NAT; the relayed one.
        assert_eq!(found, if scenario == "chromium-nat" { 3 } else { 1 }, "{scenario}");
    }
}

/// A client of a server that takes all calls on one port, as mediasoup, Pion and Janus do.
fn clients() -> [(Peer, Peer); 3] {
    let server = ([198, 51, 100, 9], 40_000);
    [(["C1aa", "S1aa"], 1, 0x1111_0001_u64), (["C2bb", "S2bb"], 2, 0x2222_0002), (["C3cc", "S3cc"], 3, 0x3333_0003)]
        .map(|([client, own], last, tie_breaker)| {
            (
                Peer { ufrag: client, address: ([10, 0, 0, last], 5000), controlling: true, tie_breaker },
                Peer { ufrag: own, address: server, controlling: false, tie_breaker: tie_breaker << 32 },
            )
        })
}

fn each_is_a_call(run: &Run, hosts: &[[u8; 4]]) {
    let mut expected: Vec<String> = hosts.iter().copied().map(host_name).collect();
    let mut found = Vec::new();
    for session in run.sessions() {
        let clients: BTreeSet<&str> = list(&session["endpoints"])
            .iter()
            .map(|endpoint| endpoint["address"].as_str().unwrap())
            .filter(|address| address.starts_with("10."))
            .collect();
        assert_eq!(clients.len(), 1, "{clients:?} in one call");
        found.extend(clients.into_iter().map(str::to_owned));
    }
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
}

#[test]
fn clients_of_one_port_one_after_the_other() {
    let mut dialogue = Dialogue::default();
    for (order, (client, server)) in clients().iter().enumerate() {
        let start = 5.0 * order as f64;
        dialogue.call(start, start + 4.5, client, server, 0x100 * (order as u32 + 1));
    }
    each_is_a_call(&dialogue.run(), &clients().map(|(client, _)| client.address.0));
    // And calls of one host, one after the other on other ports.
    let mut dialogue = Dialogue::default();
    for (order, (client, server)) in clients().iter().enumerate() {
        let start = 5.0 * order as f64;
        let client = Peer { address: ([10, 0, 0, 1], 5000 + order as u16), ..*client };
        dialogue.call(start, start + 4.5, &client, server, 0x100 * (order as u32 + 1));
    }
    each_is_a_call(&dialogue.run(), &[[10, 0, 0, 1]; 3]);
}

#[test]
fn clients_of_one_port_at_once() {
    let mut dialogue = Dialogue::default();
    for (order, (client, server)) in clients().iter().enumerate() {
        let start = 0.3 * order as f64;
        dialogue.call(start, 5.0, client, server, 0x100 * (order as u32 + 1));
    }
    each_is_a_call(&dialogue.run(), &clients().map(|(client, _)| client.address.0));
}

#[test]
fn data_only_clients_of_one_port() {
    let mut dialogue = Dialogue::default();
    for (order, (client, server)) in clients().iter().enumerate() {
        let start = 0.3 * order as f64;
        dialogue.connect(start, client, server);
        dialogue.handshake(start + 0.2, client.address, server.address, order as u32 + 1);
        for number in 0..40 {
            let data = dialogue::dtls::record(23, 1, number + 1, &[0x33; 80]);
            let seconds = start + 0.4 + 0.1 * f64::from(number);
            dialogue.datagram(seconds, client.address, server.address, &data);
            dialogue.datagram(seconds + TRIP, server.address, client.address, &data);
        }
    }
    let run = dialogue.run();
    each_is_a_call(&run, &clients().map(|(client, _)| client.address.0));
    for session in run.sessions() {
        let data = list(&session["securing"]["applicationData"]);
        assert!(data.len() == 2 && data.iter().all(|sent| sent["packets"] == 40), "{data:?}");
    }
}

/// Two calls of one pair of hosts that ask one STUN server first.
#[test]
fn calls_with_a_common_stun_server() {
    for (what, second) in [("at once", 0.5), ("one after the other", 6.0)] {
        let mut dialogue = Dialogue::default();
        for (order, start) in [0.0, second].into_iter().enumerate() {
            let port = order as u16;
            let (ufrags, tie_breaker) = ([["AAAA", "BBBB"], ["CCCC", "DDDD"]][order], 0x77 << (8 * order));
            let a = Peer { ufrag: ufrags[0], address: (A.address.0, 5000 + port), tie_breaker, ..A };
            let b = Peer { ufrag: ufrags[1], address: (B.address.0, 6000 + port), tie_breaker: tie_breaker + 1, ..B };
            for end in [&a, &b] {
                dialogue.question(start, end.address, STUN_SERVER, ([203, 0, 113, end.address.0[3]], end.address.1));
            }
            dialogue.call(start + 0.1, start + 5.0, &a, &b, 0x100 * (order as u32 + 1));
        }
        let run = dialogue.run();
        let found: Vec<Vec<u64>> = run.sessions().map(|session| streams(session).keys().copied().collect()).collect();
        assert_eq!(found, [[0x100, 0x101], [0x200, 0x201]], "{what}");
        for session in run.sessions() {
            let connecting = &session["connecting"];
            assert_eq!((&connecting["pathSwitches"], &connecting["iceRestarts"]), (&0.into(), &0.into()), "{what}");
            assert_eq!(pairs(session).len(), 1, "{what}");
            let mapped: BTreeSet<&str> = list(&connecting["mappedAddresses"])
                .iter()
                .map(|mapped| mapped["mappedAddress"].as_str().unwrap())
                .collect();
            assert_eq!(mapped, BTreeSet::from(["203.0.113.1", "203.0.113.9"]), "{what}");
        }
    }
}

/// Without a server: the second call begins when the first has ended, on other ports.
#[test]
fn calls_one_after_the_other() {
    let mut dialogue = Dialogue::default();
    dialogue.call(0.0, 5.0, &A, &B, 0x100);
    let a = Peer { ufrag: "CCCC", address: (A.address.0, 5002), tie_breaker: 5, ..A };
    let b = Peer { ufrag: "DDDD", address: (B.address.0, 6002), tie_breaker: 6, ..B };
    dialogue.call(5.7, 10.0, &a, &b, 0x200);
    let run = dialogue.run();
    let found: Vec<Vec<u64>> = run.sessions().map(|session| streams(session).keys().copied().collect()).collect();
    assert_eq!(found, [[0x100, 0x101], [0x200, 0x201]]);
    assert!(run.sessions().all(|session| session["connecting"]["iceRestarts"] == 0));
}

/// The ports of a call are used again by the next, with new agents and a new handshake.
#[test]
fn a_second_call_on_the_same_ports() {
    let (a, b) = (Peer { ufrag: "CCCC", tie_breaker: 5, ..A }, Peer { ufrag: "DDDD", tie_breaker: 6, ..B });
    let mut dialogue = Dialogue::default();
    dialogue.call(0.0, 5.0, &A, &B, 0x100);
    dialogue.call(9.0, 14.0, &a, &b, 0x200);
    let run = dialogue.run();
    let found: Vec<Vec<u64>> = run.sessions().map(|session| streams(session).keys().copied().collect()).collect();
    assert_eq!(found, [[0x100, 0x101], [0x200, 0x201]]);
    for (session, (start, ufrags)) in run.sessions().zip([(0.0, ["AAAA", "BBBB"]), (9.0, ["CCCC", "DDDD"])]) {
        let connecting = &session["connecting"];
        assert_eq!((&connecting["iceRestarts"], &connecting["pathSwitches"]), (&0.into(), &0.into()));
        assert_eq!(generations(&pairs(session)[0], A.address), [ufrags]);
        near(&session["startTime"], start);
        near(&connecting["iceDuration"], 0.1 + TRIP);
        assert_eq!((&session["securing"]["status"], &session["securing"]["associations"]), (&"ok".into(), &1.into()));
        near(&session["securing"]["startTime"], start + 0.2);
    }
    assert_eq!(run.report["verdict"], "pass", "{}", run.report["findings"]);
}

/// The media was silent for seconds when ICE started anew: without a new handshake it is the same call.
#[test]
fn a_restart_after_a_silence_is_the_same_call() {
    let (a, b) = (Peer { ufrag: "CCCC", ..A }, Peer { ufrag: "DDDD", ..B });
    for goes_on in [true, false] {
        let mut dialogue = Dialogue::default();
        dialogue.call(0.0, 5.0, &A, &B, 0x100);
        dialogue.connect(9.0, &a, &b);
        if goes_on {
            dialogue.media(9.2, 14.0, A.address, B.address, 0x100);
            dialogue.media(9.2, 14.0, B.address, A.address, 0x101);
        }
        let run = dialogue.run();
        let call = only(&run);
        assert_eq!(streams(call).keys().copied().collect::<Vec<_>>(), [0x100, 0x101]);
        assert_eq!((&call["connecting"]["iceRestarts"], &call["securing"]["associations"]), (&1.into(), &1.into()));
        let pair = &pairs(call)[0];
        assert_eq!(generations(pair, A.address), [["AAAA", "BBBB"], ["CCCC", "DDDD"]]);
        assert_eq!((&pair["requestsSent"], &pair["requestsReceived"]), (&4.into(), &2.into()));
    }
}

/// RFC 6544 section 4.5: the active end opens the connection. Messages are framed as RFC 4571 has it.
#[test]
fn types_of_tcp_candidates() {
    let framed = |message: &[u8]| [&(message.len() as u16).to_be_bytes(), message].concat();
    let mut dialogue = Dialogue::default();
    let mut connection = Connection::open(&mut dialogue, 0.0, A.address, B.address);
    for (order, nominates) in [&[][..], &nominate()].into_iter().enumerate() {
        let (id, seconds) = (dialogue.transaction(), 0.1 + order as f64);
        connection.client_sends(&mut dialogue, seconds, &framed(&check(id, [&A, &B], nominates)));
        let answer = message(BINDING | SUCCESS, id, &[dialogue::mapped(A.address)]);
        connection.server_sends(&mut dialogue, seconds + TRIP, &framed(&answer));
    }
    let run = dialogue.run();
    let pair = &pairs(only(&run))[0];
    assert_eq!(pair["transport"], "tcp");
    let other = if side(pair, A.address) == "local" { "tcpTypeRemote" } else { "tcpTypeLocal" };
    let own = if other == "tcpTypeRemote" { "tcpTypeLocal" } else { "tcpTypeRemote" };
    assert_eq!((&pair[own], &pair[other]), (&"active".into(), &"passive".into()));
}
