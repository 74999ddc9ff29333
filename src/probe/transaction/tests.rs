use super::*;

const SERVER: &str = "192.0.2.1:3478";
const OTHER: &str = "192.0.2.2:3479";
const SOCKET: SocketId = SocketId(1);

fn at(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// A header of this type with the id `1`.
fn message(kind: u16) -> Vec<u8> {
    let mut bytes = kind.to_be_bytes().to_vec();
    bytes.extend([0, 0, 0x21, 0x12, 0xa4, 0x42]);
    bytes.extend([1; 12]);
    bytes
}

fn request(schedule: Schedule) -> Request {
    Request {
        socket: SOCKET,
        to: SERVER.parse().unwrap(),
        answer_from: SERVER.parse().unwrap(),
        bytes: message(0x0001),
        schedule,
    }
}

/// When each transmission is sent and when silence is believed, in milliseconds.
fn times(schedule: Schedule) -> Vec<u128> {
    let mut transactions = Transactions::default();
    transactions.start(Duration::ZERO, 'a', request(schedule));
    let mut times = Vec::new();
    let mut now = Duration::ZERO;
    loop {
        match transactions.poll(now) {
            Ok(Step::Send { .. }) => times.push(now.as_millis()),
            Ok(step) => panic!("{step:?}"),
            Err(Some(due)) => now = due,
            Err(None) => break,
        }
    }
    assert!(transactions.exchange('a').unwrap().silent);
    times.push(now.as_millis());
    times
}

/// The times of RFC 8489 section 6.2.1: "the client will have sent the request at times 0 ms, 500 ms, 1500 ms, 3500 ms,
/// 7500 ms, 15500 ms, and 31500 ms. If the client has not received a response after 39500 ms" it has timed out.
#[test]
fn the_patient_schedule_is_that_of_the_rfc() {
    assert_eq!(times(Schedule::PATIENT), [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500, 39_500]);
    assert_eq!(Schedule::PATIENT.total(), at(39_500));
}

#[test]
fn silence_takes_at_least_six_transmissions() {
    for schedule in [Schedule::UNKNOWN, Schedule::measured(at(1), 6), Schedule::measured(at(300), 6)] {
        let times = times(schedule);
        assert!(times.len() > 6, "{times:?}");
        assert_eq!(at(u64::try_from(*times.last().unwrap()).unwrap()), schedule.total());
    }
    assert!(Schedule::measured(at(1), 6).total() < at(1_000));
    // Each transmission has the time of more than two round trips to be answered in.
    let slow = times(Schedule::measured(at(300), 6));
    assert!(slow.windows(2).all(|pair| pair[1] - pair[0] > 600), "{slow:?}");
}

#[test]
fn an_answer_ends_a_transaction_and_is_told_from_what_is_none() {
    let from: SocketAddr = SERVER.parse().unwrap();
    let mut transactions = Transactions::default();
    transactions.start(Duration::ZERO, 'a', request(Schedule::UNKNOWN));
    assert_eq!(transactions.receive(at(0), SOCKET, from, &message(0x0101)), Matched::Rejected('a'), "not sent yet");
    assert!(matches!(transactions.poll(at(0)), Ok(Step::Send { .. })));
    let mut other_id = message(0x0101);
    other_id[19] = 2;
    assert_eq!(transactions.receive(at(5), SOCKET, from, &other_id), Matched::Unknown);
    assert_eq!(transactions.receive(at(5), SOCKET, from, b"short"), Matched::Unknown);
    let elsewhere = OTHER.parse().unwrap();
    assert_eq!(transactions.receive(at(5), SOCKET, elsewhere, &message(0x0101)), Matched::Rejected('a'));
    assert_eq!(transactions.receive(at(5), SocketId(2), from, &message(0x0101)), Matched::Rejected('a'));
    assert_eq!(transactions.receive(at(5), SOCKET, from, &message(0x0103)), Matched::Rejected('a'), "Allocate");
    assert_eq!(transactions.receive(at(5), SOCKET, from, &message(0x0001)), Matched::Rejected('a'), "a request");
    assert_eq!(transactions.receive(at(20), SOCKET, from, &message(0x0111)), Matched::Answer('a'));
    assert_eq!(transactions.receive(at(21), SOCKET, from, &message(0x0101)), Matched::Repeated('a'));
    assert_eq!(transactions.poll(at(10_000)), Err(None));
    let exchange = transactions.exchange('a').unwrap();
    assert_eq!((exchange.round_trip(), exchange.rejected, exchange.duplicates), (Some(at(20)), 5, 1));
    assert_eq!(exchange.rejected_from, Some(from));
    assert_eq!((exchange.lost(), exchange.is_over(), exchange.silent), (0, true, false));
}

#[test]
fn a_round_trip_is_known_only_of_what_was_sent_once() {
    let from = SERVER.parse().unwrap();
    let mut transactions = Transactions::default();
    transactions.start(Duration::ZERO, 'a', request(Schedule::UNKNOWN));
    for now in [0, 200] {
        assert!(matches!(transactions.poll(at(now)), Ok(Step::Send { .. })));
    }
    assert_eq!(transactions.receive(at(210), SOCKET, from, &message(0x0101)), Matched::Answer('a'));
    let exchange = transactions.exchange('a').unwrap();
    assert_eq!((exchange.round_trip(), exchange.lost()), (None, 1));
}

#[test]
fn where_packets_are_lost_silence_takes_longer_to_believe() {
    let from = SERVER.parse().unwrap();
    let mut transactions = Transactions::default();
    transactions.start(Duration::ZERO, 'a', request(Schedule::measured(at(1), 2)));
    transactions.insist(3);
    let mut now = Duration::ZERO;
    let mut sent = 0;
    loop {
        match transactions.poll(now) {
            Ok(_) => sent += 1,
            Err(Some(due)) => now = due,
            Err(None) => break,
        }
    }
    assert_eq!(sent, 3);
    assert_eq!(transactions.receive(now, SOCKET, from, &message(0x0101)), Matched::Late('a'));
    assert!(transactions.are_over());
}

#[test]
fn ids_differ() {
    let (mut ids, mut same) = (Ids::seeded(1), Ids::seeded(1));
    let first = ids.next_id();
    assert_eq!(first, same.next_id());
    assert_ne!(first, ids.next_id());
    assert_ne!(Ids::random().next_id(), Ids::random().next_id());
}
