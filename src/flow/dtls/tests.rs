use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::time::{NANOS_PER_MILLI, PacketId, Timestamp};

const CLIENT: usize = 0;
const SERVER: usize = 1;

/// Feeds datagrams, one each ten milliseconds.
#[derive(Default)]
struct Wire {
    dtls: Dtls,
    packet: u64,
    records: u16,
}

impl Wire {
    fn send(&mut self, direction: usize, records: &[Vec<u8>]) -> &mut Self {
        let mut records = records.to_vec();
        for record in &mut records {
            self.records = self.records.wrapping_add(1);
            // The low bits of the record number, which is never used twice.
            let place = if record[0] < 0x20 { 9..11 } else { 1..3 };
            record[place].copy_from_slice(&self.records.to_be_bytes());
        }
        self.send_as_is(direction, &records.concat())
    }

    fn send_as_is(&mut self, direction: usize, bytes: &[u8]) -> &mut Self {
        self.packet += 1;
        let time = Timestamp(i64::try_from(self.packet).unwrap() * 10 * NANOS_PER_MILLI);
        let id = PacketId::new(0, self.packet);
        let datagram = Datagram { time, id, bytes, length: bytes.len(), direction, holes: 0 };
        assert_eq!(self.dtls.push(&datagram), None);
        self
    }

    /// A handshake of DTLS 1.2 to its end.
    fn handshake(&mut self, random: u8) -> &mut Self {
        self.send(CLIENT, &[clear(1, 0, &client_hello(random))]);
        self.send(SERVER, &[clear(2, 0, &server_hello(0xc02b)), clear(14, 1, &[])]);
        self.send(CLIENT, &[clear(16, 1, &[0; 33]), change_cipher_spec(), record(22, 1, &[0; 40])]);
        self.send(SERVER, &[change_cipher_spec(), record(22, 1, &[0; 40])])
    }

    fn finish(&mut self) -> Vec<Record> {
        std::mem::take(&mut self.dtls).finish(true).associations
    }

    fn only(&mut self) -> Record {
        let mut records = self.finish();
        assert_eq!(records.len(), 1);
        records.remove(0)
    }
}

fn record(content_type: u8, epoch: u16, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![content_type, 0xfe, 0xfd];
    bytes.extend(epoch.to_be_bytes());
    bytes.extend([0; 6]);
    bytes.extend(u16::try_from(content.len()).unwrap().to_be_bytes());
    bytes.extend(content);
    bytes
}

fn fragment(kind: u8, sequence: u16, length: usize, offset: usize, body: &[u8]) -> Vec<u8> {
    let number = |number: usize| u32::try_from(number).unwrap().to_be_bytes()[1..].to_vec();
    let mut bytes = vec![kind];
    bytes.extend(number(length));
    bytes.extend(sequence.to_be_bytes());
    bytes.extend(number(offset));
    bytes.extend(number(body.len()));
    bytes.extend(body);
    record(22, 0, &bytes)
}

fn clear(kind: u8, sequence: u16, body: &[u8]) -> Vec<u8> {
    fragment(kind, sequence, body.len(), 0, body)
}

fn change_cipher_spec() -> Vec<u8> {
    record(20, 0, &[1])
}

/// A record of DTLS 1.3 with 16-bit sequence number and length.
fn unified(epoch: u8, length: u8) -> Vec<u8> {
    let mut bytes = vec![0x2c | epoch, 0, 0, 0, length];
    bytes.extend(vec![0; usize::from(length)]);
    bytes
}

fn client_hello(random: u8) -> Vec<u8> {
    let mut body = vec![0xfe, 0xfd];
    body.extend([random; 32]);
    body.extend([0, 0, 0, 2, 0xc0, 0x2b, 1, 0]);
    body
}

fn server_hello(cipher_suite: u16) -> Vec<u8> {
    let mut body = vec![0xfe, 0xfd];
    body.extend([0x55; 32]);
    body.push(0);
    body.extend(cipher_suite.to_be_bytes());
    body.push(0);
    body
}

#[test]
fn a_handshake_of_1_2() {
    let record = Wire::default().handshake(7).only();
    assert_eq!((record.client, record.is_finished(), record.retransmissions()), (Some(0), true, 0));
    // The fourth datagram holds the last Finished.
    assert_eq!(record.finish.map(|finish| finish.packet.number()), Some(4));
    assert_eq!((record.messages.len(), record.flights.len(), record.stop()), (4, 4, None));
    assert_eq!(record.offer.unwrap().random, [7; 32]);
}

#[test]
fn associations_follow_each_other() {
    let mut wire = Wire::default();
    wire.handshake(1).handshake(2);
    // The first hello of the first, late: no third association.
    wire.send(CLIENT, &[clear(1, 0, &client_hello(1))]);
    let records = wire.finish();
    assert_eq!(records.len(), 2);
    assert_eq!((records[0].retransmissions(), records[1].retransmissions()), (1, 0));
}

#[test]
fn a_cookie_round_is_one_association() {
    let mut wire = Wire::default();
    let mut with_cookie = client_hello(1);
    with_cookie[35] = 2;
    with_cookie.splice(36..36, [9, 9]);
    wire.send(CLIENT, &[clear(1, 0, &client_hello(1))]);
    wire.send(SERVER, &[clear(3, 0, &[0xfe, 0xff, 2, 9, 9])]);
    wire.send(CLIENT, &[clear(1, 1, &with_cookie)]);
    let record = wire.only();
    assert_eq!((record.cookie_rounds, record.messages.len(), record.flights.len()), (1, 3, 3));
    assert!(record.offer.as_ref().unwrap().cookie);
    let stop = record.stop().unwrap();
    assert_eq!((stop.message, stop.sender, stop.never_answered), (Some(1), 0, false));
    // A client that starts over with another random and no cookie is another.
    let mut wire = Wire::default();
    wire.send(CLIENT, &[clear(1, 0, &client_hello(1))]).send(CLIENT, &[clear(1, 0, &client_hello(2))]);
    assert_eq!(wire.finish().len(), 2);
}

#[test]
fn nobody_answers() {
    let mut wire = Wire::default();
    for _ in 0..7 {
        wire.send(CLIENT, &[clear(1, 0, &client_hello(1))]);
    }
    let stop = wire.only().stop().unwrap();
    assert_eq!((stop.message, stop.sender, stop.times, stop.never_answered), (Some(1), 0, 7, true));
}

#[test]
fn a_record_that_the_network_delivers_twice() {
    let mut wire = Wire::default();
    let hello = clear(1, 0, &client_hello(1));
    wire.send_as_is(CLIENT, &hello).send_as_is(CLIENT, &hello);
    let record = wire.only();
    assert_eq!((record.retransmissions(), record.messages[0].fragments, record.datagrams), (0, 1, 2));
}

#[test]
fn both_ends_are_active() {
    let mut wire = Wire::default();
    wire.send(CLIENT, &[clear(1, 0, &client_hello(1))]).send(SERVER, &[clear(1, 0, &client_hello(2))]);
    let record = wire.only();
    assert!(record.both_active && !record.is_finished());
    // One gives in: who sends ServerHello was no client.
    wire.send(SERVER, &[clear(1, 0, &client_hello(2))]).send(CLIENT, &[clear(1, 0, &client_hello(1))]);
    wire.send(SERVER, &[clear(2, 0, &server_hello(0xc02b))]);
    assert_eq!(wire.only().client, Some(0));
}

#[test]
fn a_hole_in_the_server_flight() {
    let mut wire = Wire::default();
    wire.send(CLIENT, &[clear(1, 0, &client_hello(1))]);
    wire.send(SERVER, &[clear(2, 0, &server_hello(0xc02b)), fragment(11, 1, 600, 0, &[1; 268])]);
    wire.send(SERVER, &[fragment(11, 1, 600, 536, &[1; 64]), clear(14, 2, &[])]);
    let stop = wire.only().stop().unwrap();
    assert_eq!((stop.message, stop.missing), (Some(14), Some((11, 268, 536))));
}

#[test]
fn a_handshake_of_1_3() {
    let mut wire = Wire::default();
    wire.send(CLIENT, &[clear(1, 0, &client_hello(1))]);
    wire.send(SERVER, &[clear(2, 0, &server_hello(0x1301)), unified(2, 200)]);
    // The server has its keys of epoch 3 already, and acknowledges with them; the client acknowledges too.
    wire.send(SERVER, &[unified(3, 51)]).send(CLIENT, &[unified(2, 35)]);
    wire.send(CLIENT, &[unified(2, 200)]).send(SERVER, &[unified(3, 35)]);
    let record = wire.only();
    assert_eq!(record.finish.map(|finish| finish.packet.number()), Some(5));
    assert_eq!((record.version(), record.flights.len()), (Some(0xfefc), 3));
    // Without an answer it is not over: the client repeats itself.
    wire.send(CLIENT, &[clear(1, 0, &client_hello(1))]);
    wire.send(SERVER, &[clear(2, 0, &server_hello(0x1301)), unified(2, 200)]);
    wire.send(CLIENT, &[unified(2, 200)]);
    wire.packet += 100;
    wire.send(CLIENT, &[unified(2, 200)]);
    let record = wire.only();
    assert_eq!((record.encrypted_retransmissions(), record.retransmissions()), (1, 0));
    let stop = record.stop().unwrap();
    assert_eq!((stop.message, stop.sender), (None, 0));
}

/// A server's whole flight of DTLS 1.3, and the client's answer of `length` bytes.
fn answered_with(length: u8) -> Wire {
    let mut wire = Wire::default();
    wire.send(CLIENT, &[clear(1, 0, &client_hello(1))]);
    wire.send(SERVER, &[clear(2, 0, &server_hello(0x1301)), unified(2, 200)]);
    wire.send(CLIENT, &[unified(2, length)]);
    wire
}

#[test]
fn the_answers_are_lost_behind_the_tap() {
    let mut wire = Wire::default();
    wire.send(CLIENT, &[clear(1, 0, &client_hello(1))]);
    wire.send(SERVER, &[clear(2, 0, &server_hello(0x1301))]).send(SERVER, &[unified(2, 200)]);
    wire.send(SERVER, &[unified(3, 40)]);
    for _ in 0..3 {
        wire.packet += 200;
        wire.send(CLIENT, &[clear(1, 0, &client_hello(1))]);
        wire.send(SERVER, &[clear(2, 0, &server_hello(0x1301))]).send(SERVER, &[unified(2, 200)]);
    }
    let record = wire.only();
    let stop = record.stop().unwrap();
    assert_eq!((stop.sender, stop.times, stop.answers_lost, stop.never_answered), (1, 4, true, false));
    // What the server sent in epoch 3 was an ACK: neither that nor its flight is data.
    assert_eq!(record.directions.map(|side| side.application_data), [0, 0]);
    assert!(!answered_with(35).only().stop().unwrap().answers_lost);
}

#[test]
fn a_client_of_1_3_refuses() {
    // RFC 8446 section 5.2: two bytes of alert, one of content type, 16 of tag.
    let record = answered_with(19).only();
    assert_eq!(record.directions.map(|side| side.encrypted_alerts), [1, 0]);
    let stop = record.stop().unwrap();
    assert_eq!((stop.sender, stop.times), (1, 1));
    assert_eq!(stop.encrypted_alert.map(|(sender, at)| (sender, at.packet.number())), Some((0, 3)));
    // An ACK of one record is longer, and the client's own flight shows that it went on.
    assert_eq!(answered_with(35).only().stop().unwrap().encrypted_alert, None);
    let record = answered_with(19).send(CLIENT, &[unified(2, 200)]).only();
    assert!(record.is_finished() && record.directions.iter().all(|side| side.encrypted_alerts == 0));
    let record = answered_with(19).send(SERVER, &[unified(3, 40)]).only();
    assert_eq!(record.stop().unwrap().encrypted_alert, None);
}

#[test]
fn the_server_s_finished_is_lost_behind_the_tap() {
    let mut wire = Wire::default();
    wire.handshake(1);
    wire.packet += 300;
    wire.send(CLIENT, &[clear(16, 1, &[0; 33]), change_cipher_spec(), record(22, 1, &[0; 40])]);
    wire.send(SERVER, &[change_cipher_spec(), record(22, 1, &[0; 40])]);
    let record = wire.only();
    assert_eq!(record.finish.map(|finish| finish.packet.number()), Some(306));
    assert_eq!((record.retransmissions(), record.encrypted_retransmissions()), (1, 2));
}

#[test]
fn the_client_s_flight_is_lost_before_the_tap() {
    let mut wire = Wire::default();
    wire.send(CLIENT, &[clear(1, 0, &client_hello(1))]);
    wire.send(SERVER, &[clear(2, 0, &server_hello(0x1301)), unified(2, 200)]);
    // The server's ACK of nothing, the client's first data, then its flight again.
    wire.send(SERVER, &[unified(3, 35)]).send(CLIENT, &[unified(3, 61)]);
    wire.send(CLIENT, &[unified(2, 250)]).send(SERVER, &[unified(3, 51)]);
    let record = wire.only();
    assert_eq!(record.finish.map(|finish| finish.packet.number()), Some(5));
    assert!(!record.is_finish_unseen);
}

#[test]
fn the_finished_was_cut_off() {
    let mut wire = Wire::default();
    wire.send(CLIENT, &[clear(1, 0, &client_hello(1))]);
    wire.send(SERVER, &[clear(2, 0, &server_hello(0xc02b))]);
    wire.send(CLIENT, &[record(23, 1, &[0; 90])]).send(SERVER, &[record(23, 1, &[0; 60])]);
    let record = wire.only();
    assert!(record.is_finished() && record.is_finish_unseen);
    assert!(!Wire::default().handshake(1).only().is_finish_unseen);
}

#[test]
fn a_capture_that_starts_late() {
    let mut wire = Wire::default();
    wire.send(CLIENT, &[record(23, 1, &[0; 90])]).send(SERVER, &[record(23, 1, &[0; 60]), record(21, 1, &[0; 26])]);
    let record = wire.only();
    assert!(record.is_in_use() && !record.is_started() && record.stop().is_none());
    assert_eq!(record.directions.map(|side| (side.application_data, side.application_bytes)), [(1, 90), (1, 60)]);
    assert_eq!(record.directions.map(|side| side.encrypted_alerts), [0, 1]);
}

#[test]
fn fragments_without_bytes_end() {
    let mut wire = Wire::default();
    for _ in 0..1000 {
        wire.send(CLIENT, &[fragment(1, 0, 100, 0, &[]), fragment(1, 0, 100, 100, &[])]);
    }
    let record = wire.only();
    assert_eq!((record.messages.len(), record.messages[0].retransmissions), (1, 0));
    assert_eq!(record.messages[0].missing, [(0, 100)]);
}

#[test]
fn many_handshakes_stay_bounded_and_fast() {
    let started = Instant::now();
    let mut wire = Wire::default();
    for number in 0..10_000_u32 {
        let mut hello = client_hello(0);
        hello[2..6].copy_from_slice(&number.to_be_bytes());
        wire.send(CLIENT, &[clear(1, 0, &hello)]);
        wire.send(SERVER, &[clear(2, 0, &server_hello(0xc02b)), fragment(11, 1, 60_000, 0, &[0; 1000])]);
    }
    // As many messages as there are numbers, each torn.
    for sequence in 0..u16::MAX {
        wire.send(SERVER, &[fragment(12, sequence, 60_000, 50_000, &[0; 10])]);
    }
    let summary = std::mem::take(&mut wire.dtls).finish(true);
    assert_eq!((summary.associations.len(), summary.replaced), (ASSOCIATIONS, 10_000 - ASSOCIATIONS as u64));
    let last = summary.associations.last().unwrap();
    assert_eq!(last.offer.as_ref().unwrap().random[..4], 9_999_u32.to_be_bytes());
    assert!(last.messages.len() < 100 && last.messages_refused > 60_000);
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

proptest! {
    #[test]
    fn any_bytes(datagrams in prop::collection::vec((0..2_usize, prop::collection::vec(any::<u8>(), 0..200)), 0..20)) {
        let mut dtls = Dtls::default();
        for (number, (direction, bytes)) in (1..).zip(&datagrams) {
            for length in [bytes.len(), bytes.len() + 50] {
                let (time, id) = (Timestamp(number), PacketId::new(0, u64::try_from(number).unwrap()));
                let datagram = Datagram { time, id, bytes, length, direction: *direction, holes: 0 };
                let _ = dtls.push(&datagram);
                dtls.suspect(&datagram);
            }
        }
        for record in dtls.finish(true).associations {
            let _ = (record.stop(), record.start(), record.fatal_alert());
        }
    }

    #[test]
    fn any_fragments(
        fragments in prop::collection::vec(
            (0..2_usize, 0..21_u8, 0..4_u16, 0..300_usize, 0..300_usize, prop::collection::vec(any::<u8>(), 0..60)),
            0..60,
        ),
    ) {
        let mut wire = Wire::default();
        for (direction, kind, sequence, length, offset, body) in fragments {
            let length = length.max(offset + body.len());
            wire.send(direction, &[fragment(kind, sequence, length, offset, &body)]);
        }
        for record in wire.finish() {
            prop_assert!(record.messages.len() <= 48);
            let _ = (record.stop(), record.start(), record.fatal_alert());
        }
    }
}
