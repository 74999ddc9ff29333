use super::*;
use crate::{flow::key::Transport, time::NANOS_PER_MILLI, wire::Kind};

/// A message of one USERNAME and further attributes.
fn message(kind: u16, id: u128, attributes: &[(u16, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (kind, value) in attributes {
        body.extend(kind.to_be_bytes());
        body.extend((value.len() as u16).to_be_bytes());
        body.extend(*value);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    let mut bytes = kind.to_be_bytes().to_vec();
    bytes.extend((body.len() as u16).to_be_bytes());
    bytes.extend((0x2112_a442_u128 << 96 | id).to_be_bytes());
    bytes.extend(body);
    bytes
}

fn key() -> FlowKey {
    FlowKey::new(Endpoint::v4([10, 0, 0, 1], 1000), Endpoint::v4([10, 0, 0, 2], 2000), Transport::Udp).0
}

fn push(ice: &mut Ice, millis: i64, direction: usize, bytes: &[u8]) {
    let id = PacketId::new(0, u64::try_from(millis).unwrap() + 1);
    let time = Timestamp(millis * NANOS_PER_MILLI);
    let datagram = Datagram { time, id, bytes, length: bytes.len(), direction, holes: 0 };
    let message = Message::parse(bytes).unwrap();
    ice.push(&key(), &datagram, &message, &Said::of(&message), &Budget::default());
}

fn end(millis: i64) -> Timestamp {
    Timestamp(millis * NANOS_PER_MILLI)
}

const USER: (u16, &[u8]) = (0x0006, b"high:low");
const USE_CANDIDATE: (u16, &[u8]) = (0x0025, b"");
// 10.0.0.1:1000 under the mask of RFC 8489 section 14.2.
const MAPPED: (u16, &[u8]) = (0x0020, b"\x00\x01\x22\xfa\x2b\x12\xa4\x43");

#[test]
fn a_renomination_counts_over_all_paths() {
    // Each path of an agent is a flow: the second is nominated with the agent's counter at 2.
    let nominated = |counters: &[u8]| {
        let mut ice = Ice::default();
        for (index, counter) in (1..).zip(counters) {
            push(&mut ice, index, 0, &message(1, index as u128, &[USER, (0xc001, &[0, 0, 0, *counter])]));
        }
        let [checks, _] = ice.finish(end(1000), end(1000)).0.checks;
        (checks.nomination, checks.is_renominated())
    };
    assert_eq!(nominated(&[1, 1]), (Some(1), false));
    assert_eq!(nominated(&[2]), (Some(2), true));
    assert_eq!(nominated(&[1, 3]), (Some(3), true));
    assert_eq!(nominated(&[]), (None, false));
}

#[test]
fn a_regular_nomination() {
    let mut ice = Ice::default();
    push(&mut ice, 0, 0, &message(1, 1, &[USER]));
    push(&mut ice, 500, 0, &message(1, 1, &[USER]));
    push(&mut ice, 520, 1, &message(0x101, 1, &[MAPPED]));
    push(&mut ice, 600, 0, &message(1, 2, &[USER, USE_CANDIDATE]));
    push(&mut ice, 640, 1, &message(0x101, 2, &[MAPPED]));
    push(&mut ice, 900, 0, &message(1, 3, &[USER]));
    let (record, turn) = ice.finish(end(1000), end(1000));
    assert!(turn.is_none());
    let checks = &record.checks[0];
    let requests = &checks.requests;
    assert_eq!((requests.sent, requests.retransmitted, requests.succeeded, requests.late), (3, 1, 2, 1));
    assert_eq!((requests.unanswered, requests.pending), (0, 1));
    // Of the first, sent twice, the round trip is not known.
    assert_eq!((requests.round_trip.count, requests.round_trip.last), (1, 40 * NANOS_PER_MILLI));
    assert_eq!((checks.checks_before_nomination, checks.consent_requests), (1, 2));
    assert_eq!(checks.reflexive, None, "the mapped address is the one in the capture");
    assert_eq!(record.lite(), None, "two answers do not tell");
    assert_eq!((&*record.generations[0].low, &*record.generations[0].high), ("low", "high"));
}

#[test]
fn a_restart_is_a_new_generation() {
    let mut ice = Ice::default();
    push(&mut ice, 0, 0, &message(1, 1, &[USER]));
    push(&mut ice, 1, 1, &message(1, 2, &[(6, b"low:high")]));
    push(&mut ice, 2, 0, &message(1, 3, &[(6, b"new:other")]));
    for id in 0..100 {
        push(&mut ice, 3, 0, &message(1, 9 + id, &[(6, format!("n{id}:other").as_bytes())]));
    }
    let (record, _) = ice.finish(end(1000), end(1000));
    assert_eq!(record.generations.len(), GENERATIONS);
    assert_eq!(record.generations[1].first.1.number(), 3);
}

#[test]
fn a_value_of_the_wrong_form_is_a_fault() {
    let fault = |bytes: &[u8]| Said::of(&Message::parse(bytes).unwrap()).fault.map(|fault| fault.kind);
    assert_eq!(fault(&message(0x101, 1, &[MAPPED])), None);
    // There is no address family 3.
    assert_eq!(fault(&message(0x101, 1, &[(0x0020, &[0, 3, 1, 2, 3, 4, 5, 6])])), Some(Kind::BadValue));
}

#[test]
fn who_only_answers_is_lite() {
    let mut ice = Ice::default();
    for (number, at) in [(1, 0), (2, 500), (3, 1000), (4, 1500)] {
        push(&mut ice, at, 0, &message(1, number, &[USER]));
        push(&mut ice, at + 20, 1, &message(0x101, number, &[MAPPED]));
    }
    assert_eq!(ice.clone().finish(end(2000), end(2000)).0.lite(), Some(1));
    // Until it asks.
    push(&mut ice, 1900, 1, &message(1, 9, &[USER]));
    assert_eq!(ice.finish(end(2000), end(2000)).0.lite(), None);
}

/// RFC 7675 section 5.1 asks every five seconds; an agent that does not may pause, and is answered.
#[test]
fn a_pause_is_no_lost_consent() {
    let mut ice = Ice::default();
    push(&mut ice, 100, 0, &message(1, 1, &[USER]));
    push(&mut ice, 120, 1, &message(0x101, 1, &[MAPPED]));
    push(&mut ice, 45_000, 0, &message(1, 2, &[USER]));
    push(&mut ice, 45_020, 1, &message(0x101, 2, &[MAPPED]));
    let (record, _) = ice.finish(end(46_000), end(46_000));
    assert_eq!(
        (record.checks[0].consent_expired, record.checks[0].longest_consent_gap),
        (None, 44_900 * NANOS_PER_MILLI)
    );
}

#[test]
fn consent_is_lost_after_thirty_seconds() {
    let mut ice = Ice::default();
    push(&mut ice, 0, 0, &message(1, 1, &[USER]));
    push(&mut ice, 10, 1, &message(0x101, 1, &[MAPPED]));
    for (id, second) in (2..).zip([5, 10, 15, 20, 25]) {
        push(&mut ice, second * 1000, 0, &message(1, id, &[USER]));
    }
    assert_eq!(ice.clone().finish(end(30_000), end(30_000)).0.checks[0].consent_expired, None);
    let (record, _) = ice.finish(end(31_000), end(31_000));
    assert_eq!(record.checks[0].consent_expired, Some(end(30_010)));
    assert_eq!(record.checks[0].longest_consent_gap, 24_990 * NANOS_PER_MILLI);
}

#[test]
fn a_challenge_is_no_refusal() {
    let mut ice = Ice::default();
    let error: (u16, &[u8]) = (0x0009, b"\x00\x00\x04\x01");
    let nonce: (u16, &[u8]) = (0x0015, b"nonce");
    push(&mut ice, 0, 0, &message(3, 1, &[]));
    push(&mut ice, 1, 1, &message(0x113, 1, &[error, nonce]));
    push(&mut ice, 2, 0, &message(3, 2, &[USER, nonce]));
    push(&mut ice, 3, 1, &message(0x113, 2, &[error, nonce]));
    let turn = ice.finish(end(1000), end(1000)).1.unwrap();
    assert_eq!((turn.challenges(), turn.refusals(), turn.nonces, turn.unanswered()), (1, 1, 1, 0));
    assert!(!turn.is_allocated());
}

#[test]
fn a_hundred_thousand_transactions_stay_bounded() {
    let started = std::time::Instant::now();
    let mut ice = Ice::default();
    for id in 0..100_000 {
        push(&mut ice, 1, 0, &message(1, id, &[(6, format!("{id}:low").as_bytes())]));
        push(&mut ice, 1, 1, &message(0x113, id, &[(6, format!("{id}:low").as_bytes())]));
    }
    let (record, _) = ice.finish(end(60_000), end(60_000));
    assert_eq!((record.checks[0].requests.sent, record.checks[0].requests.unanswered), (100_000, 4096));
    assert_eq!(record.checks[0].requests.pending, 100_000 - 4096, "their time had not come");
    assert_eq!((record.generations.len(), record.stray_ids.len()), (GENERATIONS, STRAYS));
    assert!(started.elapsed().as_secs() < 10, "took {:?}", started.elapsed());
}

#[test]
fn a_flow_may_end_with_a_question_that_nobody_answers() {
    let mut ice = Ice::default();
    push(&mut ice, 0, 0, &message(1, 1, &[USER]));
    let checks = |(record, _): (Record, _)| record.checks[0].requests.clone();
    let (cut, whole) = (checks(ice.clone().finish(end(0), end(0))), checks(ice.finish(end(0), end(12_000))));
    assert_eq!((cut.pending, cut.unanswered), (1, 0), "the capture ends here");
    assert_eq!((whole.pending, whole.unanswered), (0, 1), "it goes on for 12 s");
}

#[test]
fn an_error_code_that_the_capture_cut_off() {
    let answer = message(0x113, 7, &[(0x8022, b"server"), (0x0009, b"\x00\x00\x04\x01")]);
    for (captured, code, is_cut) in [(answer.len(), 401, false), (24, 0, true)] {
        let mut ice = Ice::default();
        push(&mut ice, 0, 0, &message(3, 7, &[]));
        let bytes = &answer[..captured];
        let (time, id) = (end(10), PacketId::new(0, 2));
        let datagram = Datagram { time, id, bytes, length: answer.len(), direction: 1, holes: 0 };
        let message = Message::parse_captured(bytes, answer.len()).unwrap();
        ice.push(&key(), &datagram, &message, &Said::of(&message), &Budget::default());
        let turn = ice.finish(end(1000), end(1000)).1.unwrap();
        let [failure] = turn.errors.keys().copied().collect::<Vec<_>>()[..] else { panic!("one error") };
        assert_eq!((failure.code, failure.is_cut), (code, is_cut));
    }
}
