use proptest::prelude::*;

use super::*;
use crate::{flow::key::Transport, time::NANOS_PER_SECOND, wire::Endpoint};

fn key() -> FlowKey {
    FlowKey::new(Endpoint::v4([10, 0, 0, 1], 9), Endpoint::v4([10, 0, 0, 2], 9), Transport::Tcp).0
}

fn segment(connections: &mut Connections, sequence: u32, payload: &[u8]) -> Vec<Vec<u8>> {
    let header = TcpHeader { sequence, acknowledgment: 0, flags: TcpHeader::ACK, window: 0 };
    let mark = (Timestamp(0), PacketId::new(0, 1));
    let segment = Segment { mark, direction: 0, header, payload, length: payload.len() };
    connections.push(key(), &segment).datagrams.into_iter().map(|message| message.bytes).collect()
}

fn rtp(sequence: u8) -> Vec<u8> {
    let mut frame = vec![0, 16, 0x80, 0, 0, sequence, 0, 0, 0, sequence, 1, 2, 3, 4];
    frame.extend([sequence; 4]);
    frame
}

/// ChannelData of 37 bytes of RTP, and the padding of TCP.
fn channel_data(sequence: u8) -> Vec<u8> {
    let mut frame = vec![0x40, 1, 0, 37, 0x80, 0, 0, sequence, 0, 0, 0, sequence, 1, 2, 3, 4];
    frame.extend([sequence; 25]);
    frame.extend([0; 3]);
    frame
}

const STUN: [u8; 20] = [0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];

/// A connection whose first bytes, from either side, were a STUN message; time is the packet's number in milliseconds.
struct Wire {
    connections: Connections,
    packets: u32,
    messages: Vec<Message>,
}

impl Wire {
    fn ice() -> Self {
        Self::of(&[&[0, 20], &STUN[..]].concat())
    }

    fn turn() -> Self {
        Self::of(&STUN)
    }

    /// The next bytes of direction 0 have the sequence number 0.
    fn of(first: &[u8]) -> Self {
        let mut wire = Self { connections: Connections::default(), packets: 0, messages: Vec::new() };
        wire.sent(0_u32.wrapping_sub(first.len() as u32), first, first.len());
        assert_eq!(wire.messages.len(), 1);
        wire.messages.clear();
        wire
    }

    fn sent(&mut self, sequence: u32, bytes: &[u8], captured: usize) {
        self.packet(0, TcpHeader { sequence, acknowledgment: 0, flags: 0, window: 0 }, bytes, captured);
    }

    fn acknowledged(&mut self, number: u32) {
        self.packet(1, TcpHeader { sequence: 0, acknowledgment: number, flags: TcpHeader::ACK, window: 0 }, &[], 0);
    }

    fn packet(&mut self, direction: usize, header: TcpHeader, bytes: &[u8], captured: usize) {
        self.packets += 1;
        let mark = (Timestamp(i64::from(self.packets) * 1_000_000), PacketId::new(0, self.packets.into()));
        let payload = &bytes[..captured.min(bytes.len())];
        let segment = Segment { mark, direction, header, payload, length: bytes.len() };
        self.messages.extend(self.connections.push(key(), &segment).datagrams);
    }

    /// The RTP sequence number, captured bytes, bytes on the wire and packet of each datagram.
    fn found(&self) -> Vec<(u8, usize, usize, u64)> {
        let number = |bytes: &[u8]| bytes.iter().position(|byte| *byte == 0x80).map_or(0, |at| bytes[at + 3]);
        let messages = self.messages.iter();
        messages
            .map(|message| (number(&message.bytes), message.bytes.len(), message.length, message.mark.1.number()))
            .collect()
    }
}

#[test]
fn rtp_behind_lengths_in_any_segments() {
    let stream: Vec<u8> = (0..20).flat_map(rtp).collect();
    for size in [1, 3, 7, 18, 100, 360] {
        let mut connections = Connections::default();
        let found: Vec<_> = stream
            .chunks(size)
            .enumerate()
            .flat_map(|(index, chunk)| segment(&mut connections, (index * size) as u32, chunk))
            .collect();
        assert_eq!(found.len(), 20, "segments of {size}");
        assert!(found.iter().enumerate().all(|(index, packet)| packet[3] == index as u8));
    }
}

#[test]
fn retransmitted_and_reordered_segments() {
    let stream: Vec<u8> = (0..20).flat_map(rtp).collect();
    let mut connections = Connections::default();
    let mut found = Vec::new();
    // A segment twice, two swapped, one that overlaps the one before.
    for (from, to) in [(0, 50), (0, 50), (100, 150), (50, 100), (140, 200), (200, 360)] {
        found.extend(segment(&mut connections, (u32::MAX - 120).wrapping_add(from), &stream[from as usize..to]));
    }
    assert_eq!(found.len(), 20);
}

/// ChannelData of `length` bytes that start as RTP does, padded to four.
fn channel_data_of(number: u8, length: u8) -> Vec<u8> {
    let mut frame = vec![0x40, number, 0, length, 0x80];
    frame.resize(4 + usize::from(length).next_multiple_of(4), 7);
    frame
}

#[test]
fn a_turn_connection_in_its_middle() {
    let stun = [&[1, 1, 0, 0], &STUN[4..]].concat();
    let mut stream = [channel_data_of(3, 30), channel_data_of(3, 33), stun].concat();
    stream.extend((0..17).flat_map(|_| channel_data_of(3, 50)));
    for size in [1, 7, 34, 100, stream.len()] {
        let mut connections = Connections::default();
        let found: Vec<_> = stream
            .chunks(size)
            .enumerate()
            .flat_map(|(index, chunk)| segment(&mut connections, (index * size) as u32, chunk))
            .collect();
        assert_eq!(found.len(), 20, "segments of {size}");
        // Without the padding, and of its own length.
        assert_eq!((found[0].len(), found[1].len(), found[2].len()), (34, 37, 20));
    }
}

#[test]
fn what_begins_as_channel_data_is_none() {
    // Text that starts with @, another channel each time, data that is no media, a row that is too short.
    let text = b"@@@@ a dump of something @@@@ and so on".repeat(20);
    let channels = (0..20).flat_map(|number| channel_data_of(number, 40)).collect();
    let mut other = channel_data_of(3, 40);
    other[4] = 0x45;
    let short = [channel_data_of(3, 40), channel_data_of(3, 40), vec![0x17; 200]].concat();
    for stream in [text, channels, other.repeat(20), short] {
        let mut connections = Connections::default();
        assert!(segment(&mut connections, 1, &stream).is_empty());
    }
}

#[test]
fn tls_is_left_alone() {
    let mut connections = Connections::default();
    let header = TcpHeader { sequence: 1, acknowledgment: 0, flags: TcpHeader::ACK, window: 0 };
    let mark = (Timestamp(0), PacketId::new(0, 1));
    let segment = Segment { mark, direction: 0, header, payload: &[22, 3, 1, 2, 0, 1, 0], length: 7 };
    let findings = connections.push(key(), &segment);
    assert_eq!((findings.label, findings.datagrams.len()), (Some("tls"), 0));
}

/// Each frame fills a segment, of which the snap length left the RTP header.
#[test]
fn a_cut_frame_is_a_cut_datagram() {
    let (mut ice, mut turn) = (Wire::ice(), Wire::turn());
    for number in 0..4 {
        ice.sent(u32::from(number) * 18, &rtp(number), 15);
        turn.sent(u32::from(number) * 44, &channel_data(number), 20);
    }
    assert_eq!(ice.found(), [(0, 13, 16, 2), (1, 13, 16, 3), (2, 13, 16, 4), (3, 13, 16, 5)]);
    assert_eq!(turn.found(), [(0, 20, 41, 2), (1, 20, 41, 3), (2, 20, 41, 4), (3, 20, 41, 5)]);
    for wire in [ice, turn] {
        assert!(wire.messages.iter().all(|message| message.holes == 0));
        assert_eq!(wire.connections.uncaptured(), Uncaptured::default());
    }
}

/// A frame that goes on in the next segment, where its end and the next frame are captured.
#[test]
fn the_length_of_a_cut_frame_leads_to_the_next_one() {
    let stream: Vec<u8> = (0..3).flat_map(channel_data).collect();
    let mut wire = Wire::turn();
    // Frame 0 and 20 bytes of frame 1, of which four are cut; then the rest of frame 1 and all of frame 2.
    wire.sent(0, &stream[..64], 60);
    wire.sent(64, &stream[64..], 68);
    assert_eq!(wire.found(), [(0, 41, 41, 2), (1, 16, 41, 3), (2, 41, 41, 3)]);
    assert_eq!(wire.messages[2].holes, 0);
}

/// Several frames in a segment: of all but the first the start is cut. The next segment that evidently starts a frame
/// goes on, and what is missing in between is known to be.
#[test]
fn cut_starts_of_frames_are_no_loss() {
    let mut wire = Wire::ice();
    for number in 0..4 {
        let three: Vec<u8> = (number * 3..number * 3 + 3).flat_map(rtp).collect();
        wire.sent(u32::from(number) * 54, &three, 20);
    }
    assert_eq!(wire.found(), [(0, 16, 16, 2), (3, 16, 16, 3), (6, 16, 16, 4), (9, 16, 16, 5)]);
    assert!(wire.messages.is_sorted_by(|one, next| one.holes < next.holes));
    assert_eq!(wire.connections.uncaptured().cuts, 4);
    // Nothing speaks for a frame in the middle of one.
    let mut wire = Wire::ice();
    wire.sent(0, &[rtp(0), rtp(1)].concat(), 20);
    wire.sent(36, &[7; 20], 20);
    wire.sent(56, &rtp(2), 18);
    assert_eq!(wire.found(), [(0, 16, 16, 2), (2, 16, 16, 4)]);
}

/// A frame of which less than the RTP header is captured tells nothing: what follows is behind a hole.
#[test]
fn a_frame_without_its_rtp_header() {
    let mut wire = Wire::ice();
    wire.sent(0, &rtp(0), 10);
    wire.sent(18, &rtp(1), 18);
    let holes: Vec<_> = wire.messages.iter().map(|message| (message.bytes.len(), message.holes)).collect();
    assert_eq!(holes, [(8, 0), (16, 1)]);
    assert_eq!(wire.connections.uncaptured().cuts, 1);
}

/// The other side has what the capture has not: nothing waits any longer, and each frame has its own time.
#[test]
fn an_acknowledged_hole_is_passed_at_once() {
    let mut wire = Wire::turn();
    wire.sent(0, &channel_data(0), 44);
    wire.sent(88, &channel_data(2), 44);
    wire.sent(132, &channel_data(3), 44);
    assert_eq!(wire.found().len(), 1);
    wire.acknowledged(176);
    assert_eq!(wire.found(), [(0, 41, 41, 2), (2, 41, 41, 3), (3, 41, 41, 4)]);
    assert!(wire.messages.iter().all(|message| message.direction == 0));
    // The acknowledgment may be there first.
    wire.acknowledged(300);
    wire.sent(220, &channel_data(5), 44);
    assert_eq!(wire.found().last(), Some(&(5, 41, 41, 7)));
    assert_eq!(wire.messages.iter().map(|message| message.holes).collect::<Vec<_>>(), [0, 1, 1, 2]);
    let first_hole = Some(PacketId::new(0, 3));
    assert_eq!(wire.connections.uncaptured(), Uncaptured { holes: 2, bytes: 88, first_hole, ..Default::default() });
}

/// A hole inside a frame: its length tells where the next one starts, so nothing else is missing.
#[test]
fn a_hole_inside_a_frame() {
    let stream: Vec<u8> = (0..3).flat_map(channel_data).collect();
    let mut wire = Wire::turn();
    wire.sent(0, &stream[..70], 70);
    wire.sent(80, &stream[80..], 52);
    wire.acknowledged(132);
    assert_eq!(wire.found(), [(0, 41, 41, 2), (1, 26, 41, 3), (2, 41, 41, 3)]);
    assert!(wire.messages.iter().all(|message| message.holes == 0));
    assert_eq!(wire.connections.uncaptured().bytes, 10);
}

/// Where only one direction is captured, no acknowledgment tells: a second does.
#[test]
fn a_hole_without_acknowledgments() {
    let mut wire = Wire::ice();
    for number in (0..=2 * NANOS_PER_SECOND / 1_000_000 / 20).filter(|number| *number != 5) {
        wire.packets = number as u32 * 20;
        wire.sent(number as u32 * 18, &rtp(number as u8), 18);
    }
    let found = wire.found();
    assert_eq!(found.len(), 100);
    assert!(found.iter().all(|(number, .., packet)| *packet == u64::from(*number) * 20 + 1));
    assert_eq!(wire.connections.uncaptured().holes, 1);
}

/// A segment that was lost and came again held back all behind it: nothing is missing.
#[test]
fn a_lost_segment_that_comes_again() {
    let mut wire = Wire::ice();
    wire.sent(0, &rtp(0), 18);
    wire.sent(36, &rtp(2), 18);
    wire.acknowledged(18);
    wire.sent(54, &rtp(3), 18);
    wire.sent(18, &rtp(1), 18);
    wire.acknowledged(72);
    assert_eq!(wire.found(), [(0, 16, 16, 2), (1, 16, 16, 6), (2, 16, 16, 6), (3, 16, 16, 6)]);
    assert_eq!(wire.connections.uncaptured(), Uncaptured::default());
}

/// The same addresses again, and the SYN is not captured.
#[test]
fn numbers_of_another_connection() {
    let mut wire = Wire::ice();
    wire.sent(0, &rtp(0), 18);
    wire.sent(0x7000_0000, &rtp(9), 18);
    wire.sent(0x7000_0012, &rtp(10), 18);
    assert_eq!(wire.found(), [(0, 16, 16, 2), (9, 16, 16, 3), (10, 16, 16, 4)]);
    assert_eq!(wire.connections.uncaptured(), Uncaptured::default());
}

proptest! {
    /// Whatever comes, in whatever order and however cut: datagrams are as long as they say, and memory is bounded.
    #[test]
    fn any_segments(packets in prop::collection::vec(
        (0_u32..3000, 0_usize..200, 0_usize..220, 0_usize..2, any::<u16>(), prop::num::u8::ANY), 0..200)) {
        let stream: Vec<u8> = (0..=255).flat_map(channel_data).collect();
        let mut wire = Wire::turn();
        for (sequence, length, captured, direction, acknowledgment, flags) in packets {
            let header = TcpHeader { sequence, acknowledgment: acknowledgment.into(), flags, window: 0 };
            let start = sequence as usize;
            wire.packet(direction, header, &stream[start..start + length], captured);
        }
        for message in &wire.messages {
            prop_assert!(message.bytes.len() <= message.length);
        }
        let held: usize = wire.connections.table.slots().iter().map(|slot| slot.connection.held_bytes()).sum();
        prop_assert_eq!(held, wire.connections.held_bytes);
    }
}
