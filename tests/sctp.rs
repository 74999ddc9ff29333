//! SCTP against the lab's message counts and tshark's chunk counts.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::{collections::BTreeMap, path::PathBuf};

use rtcscope::{
    flow::sctp::{Association, SctpRecord, State},
    time::{PacketId, Timestamp},
    wire::sctp::{Checksum, Packet, looks_like_sctp_over_udp},
};
use serde_json::Value;

fn capture(path: &str) -> Option<PathBuf> {
    common::frames::captures().map(|captures| captures.join(path))
}

fn is_sctp(datagram: &common::frames::Datagram) -> bool {
    datagram.protocol == common::frames::SCTP || looks_like_sctp_over_udp(&datagram.payload)
}

/// All SCTP of a capture as one association; direction 0 is the one of the first packet.
fn association(path: PathBuf) -> SctpRecord {
    let datagrams: Vec<_> = common::frames::datagrams(&path).into_iter().filter(is_sctp).collect();
    let mut association = Association::new();
    for datagram in &datagrams {
        let direction = u8::from(datagram.source.ip() != datagrams[0].source.ip());
        let (bytes, time) = (&datagram.payload, Timestamp(datagram.nanos));
        association.packet(bytes, bytes.len(), direction, time, PacketId::new(0, datagram.number)).unwrap();
    }
    association.finish()
}

/// Messages by stream and payload protocol, as the truth files write them.
fn messages(record: &SctpRecord, direction: usize) -> BTreeMap<String, u64> {
    let streams = record.directions[direction].streams.iter();
    streams.map(|used| (format!("{}/{}", used.stream, used.payload_protocol), used.messages)).collect()
}

fn truth(path: &str, pointer: &str) -> BTreeMap<String, u64> {
    let truth: Value = serde_json::from_str(&common::frames::text(&capture(path).unwrap())).unwrap();
    let counts = truth.pointer(pointer).unwrap().as_object().unwrap();
    counts.iter().map(|(name, count)| (name.clone(), count.as_u64().unwrap())).collect()
}

#[test]
fn lossy_association_over_ip() {
    let Some(path) = capture("labb/sctp-ip-lossy/capture.pcapng") else { return };
    let record = association(path);
    let [a, b] = &record.directions;
    // truth.json: what A's peer handed out and in; B's count is of what it sent, 11 of which were lost before the tap.
    assert_eq!((a.packets, b.packets), (969, 945));
    assert_eq!(messages(&record, 0), truth("labb/sctp-ip-lossy/truth.json", "/A/messages/out/by_stream_ppid"));
    assert_eq!(messages(&record, 1), truth("labb/sctp-ip-lossy/truth.json", "/B/messages/out/by_stream_ppid"));
    assert_eq!((a.user_bytes, b.user_bytes), (388_049, 344_049));
    // tshark 4.0.17, fields sctp.chunk_type, sctp.data_tsn_raw, sctp.sack_number_of_gap_blocks and so on.
    assert_eq!(a.chunks, [(0, 515), (1, 1), (3, 451), (7, 1), (10, 1)]);
    assert_eq!(b.chunks, [(0, 451), (2, 1), (3, 490), (8, 2), (11, 1)]);
    assert_eq!((a.retransmitted_chunks, b.retransmitted_chunks), (24, 4));
    assert_eq!((a.gap_blocks, b.gap_blocks), (34, 88));
    assert_eq!((a.duplicate_tsns, b.duplicate_tsns), (4, 3));
    assert_eq!((a.checksum_faults, b.checksum_faults), (0, 0));
    // truth.json again: all messages were whole at the tap.
    assert_eq!((a.messages, b.messages), (232, 188));
    assert_eq!((a.unfinished, b.unfinished, record.channels.len()), (0, 0, 0));
    assert_eq!((record.associations, record.restarts, record.aborts), (1, 0, 0));
    assert_eq!((record.state, record.shutdown.map(|(by, _)| by)), (State::ShuttingDown, Some(0)));
    // The path delays each way by 20 ms, the tap is at A.
    let trips = a.data_round_trips;
    assert!(trips.count > 100 && trips.min > 40_000_000 && trips.min < 45_000_000, "{trips:?}");
    let handshake = record.init_ack.unwrap().time.since(record.init.unwrap().1.time);
    assert!((40_000_000..50_000_000).contains(&handshake), "{handshake}");
}

#[test]
fn lossy_association_over_udp() {
    let Some(path) = capture("labb/sctp-udp-lossy/capture.pcapng") else { return };
    let record = association(path);
    // B's INIT came first, and nobody was listening yet; A's opened the association.
    let [b, a] = &record.directions;
    assert_eq!((a.packets, b.packets), (737, 707));
    assert_eq!(a.chunks, [(0, 727), (1, 1), (3, 3), (6, 1), (10, 1), (130, 2), (192, 2)]);
    assert_eq!(b.chunks, [(0, 3), (1, 1), (2, 1), (3, 698), (11, 1), (130, 3)]);
    assert_eq!((a.retransmitted_chunks, b.retransmitted_chunks), (29, 0));
    assert_eq!((a.gap_blocks, b.gap_blocks, b.duplicate_tsns), (0, 116, 5));
    assert_eq!(
        messages(&record, 0),
        BTreeMap::from([("0/50", 1), ("2/50", 1), ("4/50", 1)].map(|(k, v)| (k.into(), v)))
    );
    assert_eq!(messages(&record, 1), truth("labb/sctp-udp-lossy/truth.json", "/B/messages/in/by_stream_ppid"));
    assert_eq!((record.associations, record.aborts, record.state), (1, 1, State::Aborted));
    assert_eq!((record.first_aborts[0].direction, record.reached), (1, State::Aborted));
    assert_eq!(a.forward_tsns, 2);
    // peerA.messages.jsonl: messages and bytes by stream; config.json and the sender's code: the channels' names. Frames
    // are tshark's: DCEP in 9 to 11, RE-CONFIG of stream 0 in 1429, answered in 1438 and asked back in 1443, 1446.
    let channels: Vec<_> =
        record.channels.iter().map(|channel| (channel.stream, channel.carried[1].messages)).collect();
    assert_eq!(channels, [(0, 119), (2, 119), (4, 117)]);
    assert_eq!(record.channels.iter().map(|channel| channel.carried[1].bytes).sum::<u64>(), 510_950);
    assert!(record.channels.iter().all(|channel| channel.carried[0].messages == 0 && channel.acknowledged.is_some()));
    let [chat, ..] = &record.channels[..] else { panic!("no channel") };
    assert_eq!(chat.closing.map(|(by, step)| (by, step.packet.number())), Some((1, 1429)));
    assert_eq!(chat.closed().map(|step| step.packet.number()), Some(1446));
    let opening = chat.opening.as_ref().unwrap();
    assert_eq!((opening.label.as_str(), opening.protocol.as_str(), opening.at.packet.number()), ("chat", "lab", 9));
    assert_eq!(opening.direction, 1);
}

#[test]
fn public_captures_have_the_chunks_that_tshark_counts() {
    let known: [(&str, &[(u8, u64)]); 3] = [
        ("arkime__sctp-www.pcap", &[(0, 35), (1, 5), (2, 2), (3, 32), (7, 2), (8, 2), (10, 2), (11, 2), (14, 2)]),
        (
            "tcpdump__forces2.pcap",
            &[(0, 17), (1, 6), (2, 6), (3, 17), (4, 4), (5, 4), (7, 3), (8, 3), (10, 6), (11, 6), (14, 3)],
        ),
        (
            "wireshark__netperfmeter.pcapng.gz",
            &[(0, 629), (1, 3), (2, 3), (3, 430), (7, 4), (8, 3), (10, 3), (11, 3), (14, 3)],
        ),
    ];
    for (name, expected) in known {
        let Some(path) = capture(&format!("public/captures/{name}")) else { return };
        let mut flows = BTreeMap::<_, Association>::new();
        for datagram in
            common::frames::datagrams(&path).into_iter().filter(|datagram| datagram.protocol == common::frames::SCTP)
        {
            let ends = [datagram.source, datagram.destination];
            let direction = u8::from(ends[0] > ends[1]);
            let key = (ends[0].min(ends[1]), ends[0].max(ends[1]));
            let (bytes, time) = (&datagram.payload, Timestamp(datagram.nanos));
            let flow = flows.entry(key).or_default();
            flow.packet(bytes, bytes.len(), direction, time, PacketId::new(0, datagram.number)).unwrap();
        }
        let mut chunks = BTreeMap::new();
        for direction in flows.into_values().flat_map(|flow| flow.finish().directions) {
            for (kind, count) in direction.chunks {
                *chunks.entry(kind).or_insert(0) += count;
            }
        }
        assert_eq!(chunks.into_iter().collect::<Vec<_>>(), expected, "{name}");
    }
}

#[test]
fn every_packet_a_peer_logged_inside_dtls_checks_out() {
    let Some(captures) = common::frames::captures() else { return };
    let mut packets = 0;
    for folder in ["aiortc-cbc", "aiortc-chacha", "chromium-aiortc", "dtls-late-answer"] {
        let log = common::frames::text(&captures.join("labb").join(folder).join("peerB.sctp.jsonl.gz"));
        for line in log.lines() {
            let logged: Value = serde_json::from_str(line).unwrap();
            let bytes = common::hex(logged["hex"].as_str().unwrap());
            let packet = Packet::parse_snapped(&bytes, logged["len"].as_u64().unwrap() as usize).unwrap();
            let whole = packet.verify_checksum() != Checksum::Unknown;
            assert!(!whole || packet.verify_checksum() == Checksum::Correct, "{folder}: {line}");
            assert!(packet.chunks().all(|chunk| !whole || chunk.content().is_ok() && chunk.fault.is_none()), "{line}");
            assert!(!whole || looks_like_sctp_over_udp(&bytes), "{line}");
            packets += 1;
        }
    }
    assert!(packets > 3000, "{packets}");
}

#[test]
fn nothing_else_looks_like_sctp() {
    let Some(captures) = common::frames::captures() else { return };
    for folder in ["chromium-aiortc", "aiortc-gcm128", "gst-pcmu-impaired", "sip-many", "turn-errors"] {
        for datagram in common::frames::datagrams(&captures.join("labb").join(folder).join("capture.pcapng")) {
            assert!(!looks_like_sctp_over_udp(&datagram.payload), "{folder} packet {}", datagram.number);
        }
    }
}
