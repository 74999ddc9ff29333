//! Bugs that other readers of these protocols had, each as a capture that would have set it off: the program ends in time
//! and without a panic, counts what is malformed, and still reads the neighbours.
//!
//! Not here, as those protocols are not read yet: SDP (GHSA-7m6p-hc66-rg3q, sngrep #328), WebSocket (CVE-2023-36192) and
//! HEP (sngrep #509, #532).
#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used, reason = "a test may fail")]

mod common;
mod craft;
mod dialogue;

use common::{Run, list, unsigned};
use craft::{Address, Container, SCTP, UDP, Writer, fragment, rtp, udp_datagram};
use dialogue::{Dialogue, Peer, dtls, name};
use serde_json::Value;

const A: Peer = Peer { ufrag: "AAAA", address: ([10, 0, 0, 1], 5000), controlling: true, tie_breaker: 0x1111_2222 };
const B: Peer = Peer { ufrag: "BBBB", address: ([10, 9, 0, 9], 6000), controlling: false, tie_breaker: 0x3333_4444 };

/// 100 RTP packets each way in the clear, between which a test puts its own at 1 s.
fn media() -> Dialogue {
    let mut dialogue = Dialogue::default();
    dialogue.connect(0.0, &A, &B);
    dialogue.media(0.2, 2.2, A.address, B.address, 0xa1);
    dialogue.media(0.2, 2.2, B.address, A.address, 0xa2);
    dialogue
}

/// The media is all there, and nothing was taken for lost.
fn neighbours_are_read(run: &Run) {
    assert!(run.stderr.is_empty(), "{}", run.stderr);
    for ssrc in [0xa1, 0xa2] {
        let stream = run.streams().into_iter().find(|stream| stream["ssrc"] == ssrc).expect("a stream");
        let counts = ["packetsReceived", "packetsLost", "packetsDuplicated", "restarts"].map(|key| &stream[key]);
        assert_eq!(counts, [100, 0, 0, 0], "{ssrc:#x}");
    }
    assert_eq!(run.sessions().count(), 1);
    assert_eq!(run.sessions().next().unwrap()["connecting"]["status"], "ok");
}

/// How much is malformed in a layer, of all kinds.
fn malformed(run: &Run, layer: &str) -> u64 {
    let entries = list(&run.report["captures"][0]["malformed"]).iter();
    entries.filter(|entry| entry["layer"] == layer).map(|entry| unsigned(&entry["count"])).sum()
}

/// RTCP: a header with a length in words, whatever follows.
fn rtcp(head: u8, kind: u8, words: u16, rest: &[u8]) -> Vec<u8> {
    [&[head, kind], words.to_be_bytes().as_slice(), rest].concat()
}

/// An empty receiver report of A's source.
fn receiver_report() -> Vec<u8> {
    rtcp(0x80, 201, 1, &0xa1_u32.to_be_bytes())
}

/// A BYE of A's source, which stands behind what is malformed.
fn goodbye() -> Vec<u8> {
    rtcp(0x81, 203, 1, &0xa1_u32.to_be_bytes())
}

fn rtcp_types(run: &Run) -> std::collections::BTreeMap<String, u64> {
    run.counts("/communicating/rtcp/byType")
}

/// Wireshark, December 2012 (GHSA-cprv-qq49-f798): an APP packet of length 0 was read for ever.
#[test]
fn rtcp_app_of_length_zero() {
    let mut dialogue = media();
    let app = rtcp(0x80, 204, 0, &[]);
    for packet in [
        [receiver_report(), app.clone()].concat(),
        [receiver_report(), app.repeat(300)].concat(),
        [receiver_report(), app, goodbye()].concat(),
    ] {
        dialogue.datagram(1.0, A.address, B.address, &packet);
    }
    let run = dialogue.run();
    neighbours_are_read(&run);
    let types = rtcp_types(&run);
    // A header is all that each APP is.
    assert_eq!(["RR", "APP", "BYE"].map(|kind| types.get(kind).copied()), [Some(3), Some(302), Some(1)], "{types:?}");
}

/// CVE-2012-6056 (Wireshark): a SACK whose count of duplicate TSNs does not fit its chunk.
#[test]
fn sctp_sack_with_too_many_duplicates() {
    let mut dialogue = Dialogue::default();
    let packet = |tag: u32, chunks: &[u8]| {
        let mut packet = [5000_u16.to_be_bytes(), 5001_u16.to_be_bytes()].concat();
        packet.extend(tag.to_be_bytes());
        packet.extend([0; 4]);
        packet.extend(chunks);
        packet
    };
    let data = |tsn: u32| {
        let mut chunk = vec![0, 3, 0, 20];
        chunk.extend(tsn.to_be_bytes());
        chunk.extend([0, 1, 0, 0, 0, 0, 0, 51, b'd', b'a', b't', b'a']);
        chunk
    };
    for tsn in 1..=10 {
        let seconds = f64::from(tsn) * 0.1;
        dialogue.ip(seconds, SCTP, A.address.0, B.address.0, &packet(7, &data(tsn)));
        // 0 gaps and 65,535 duplicates, or 65,535 of both, in a chunk of 16 bytes; a DATA chunk follows.
        let gaps: u16 = if tsn % 2 == 0 { 0 } else { 0xffff };
        let mut sack = vec![3, 0, 0, 16];
        sack.extend(tsn.to_be_bytes());
        sack.extend([0, 1, 0, 0]);
        sack.extend(gaps.to_be_bytes());
        sack.extend([0xff, 0xff]);
        sack.extend(data(100 + tsn));
        let back = [5001_u16.to_be_bytes(), 5000_u16.to_be_bytes()].concat();
        let mut reply = packet(8, &sack);
        reply[..4].copy_from_slice(&back);
        dialogue.ip(seconds + 0.01, SCTP, B.address.0, A.address.0, &reply);
    }
    let run = dialogue.run();
    assert!(run.stderr.is_empty(), "{}", run.stderr);
    let association = &run.sessions().next().expect("a call")["communicating"]["sctp"];
    assert_eq!((&association["chunks"]["DATA"], &association["chunks"]["SACK"]), (&20.into(), &10.into()));
    // Its 16 bytes have room for neither.
    let counts = ["gapBlocks", "duplicateTsns", "retransmittedChunks"].map(|key| &association[key]);
    assert_eq!(counts, [0, 0, 0]);
    assert_eq!(association["userBytes"], 20 * 4);
}

/// CVE-2018-11355 (Wireshark): transport-wide feedback whose run lengths pass its own status count, and one that says
/// more than it has.
#[test]
fn transport_feedback_with_too_many_statuses() {
    let feedback = |count: u16, chunks: &[u8]| {
        let mut body = 0xa1_u32.to_be_bytes().to_vec();
        body.extend(0xa2_u32.to_be_bytes());
        body.extend([0, 1]);
        body.extend(count.to_be_bytes());
        body.extend([0, 0, 1, 0]);
        body.extend(chunks);
        body.resize(body.len().next_multiple_of(4), 0);
        rtcp(0x8f, 205, (body.len() / 4) as u16, &body)
    };
    let mut dialogue = media();
    // 8191 times "received, small delta" for 5 packets; 65,535 statuses in one chunk of one; no chunk at all.
    for packet in [feedback(5, &[0x3f, 0xff]), feedback(0xffff, &[0x20, 1]), feedback(0xffff, &[])] {
        dialogue.datagram(1.0, A.address, B.address, &[receiver_report(), packet, goodbye()].concat());
    }
    let run = dialogue.run();
    neighbours_are_read(&run);
    let types = rtcp_types(&run);
    assert_eq!((types.get("RR"), types.get("BYE")), (Some(&3), Some(&3)), "{types:?}");
    let bandwidth = list(&run.sessions().next().unwrap()["communicating"]["rtcp"]["bandwidth"]);
    assert_eq!(bandwidth.len(), 1);
    // 5 as the first counts, and the one that the second holds.
    assert_eq!((&bandwidth[0]["messages"], &bandwidth[0]["packetsReported"]), (&3.into(), &6.into()));
}

/// sngrep #533, after CVE-2024-35434: the loop over the blocks of an extended report trusted their lengths.
#[test]
fn extended_report_blocks_that_pass_their_end() {
    // A block of 65,535 words in a packet that has two; one cut inside its header; and one of no words, which must not stand
    // still.
    let blocks: [&[u8]; 3] =
        [&[4, 0, 0xff, 0xff, 1, 2, 3, 4], &[4, 0, 0, 9, 0, 0, 0, 0], &[0xff, 0, 0, 0, 0xff, 0, 0, 0]];
    let mut dialogue = media();
    for block in blocks {
        let body = [&0xa1_u32.to_be_bytes(), block].concat();
        let packet = rtcp(0x80, 207, (body.len() / 4) as u16, &body);
        dialogue.datagram(1.0, A.address, B.address, &[receiver_report(), packet, goodbye()].concat());
    }
    let run = dialogue.run();
    neighbours_are_read(&run);
    let types = rtcp_types(&run);
    assert_eq!((types.get("RR"), types.get("BYE")), (Some(&3), Some(&3)), "{types:?}");
}

/// CVE-2023-31982 and sngrep #446: fragments whose places contradict each other, or lie behind the end of any packet.
#[test]
fn ip_fragments_that_contradict_each_other() {
    let more = 0x2000;
    let mut dialogue = media();
    let from_to = |place: u16, identification: u16, payload: &[u8]| {
        fragment(UDP, A.address.0, B.address.0, identification, place, payload)
    };
    let mut at = 1.0;
    let mut add = |packet: Vec<u8>| {
        at += 0.0001;
        dialogue.packet(at, packet);
    };
    let whole = udp_datagram(A.address.1, B.address.1, &rtp(0xa3, 1, 1, 100));
    // The last piece ends at 65,535 + 8 bytes.
    add(from_to(more, 40_001, &whole[..64]));
    add(from_to(0x1fff, 40_001, &[0; 24]));
    // Two last pieces at other places.
    add(from_to(more, 40_002, &whole[..64]));
    add(from_to(16, 40_002, &[1; 16]));
    add(from_to(8, 40_002, &[2; 8]));
    // Overlapping pieces with other contents.
    add(from_to(more, 40_003, &whole[..64]));
    add(from_to(more | 4, 40_003, &[0xee; 64]));
    add(from_to(8, 40_003, &whole[64..]));
    // A middle piece whose length is not a multiple of eight, and one of no bytes.
    add(from_to(more, 40_004, &whole[..63]));
    add(from_to(more | 8, 40_005, &[]));
    add(from_to(8, 40_005, &[]));
    // A total length shorter than the header that claims it.
    let mut short = from_to(more, 40_006, &[0; 32]);
    short[2..4].copy_from_slice(&8_u16.to_be_bytes());
    add(short);
    let run = dialogue.run();
    neighbours_are_read(&run);
    assert!(malformed(&run, "fragment") + malformed(&run, "ip") >= 3, "{}", run.report["captures"][0]["malformed"]);
}

/// CVE-2023-31981 (sngrep #430, `packet_set_payload`): a packet larger than the buffer that others copy it to.
#[test]
fn a_packet_of_the_greatest_length() {
    let mut dialogue = media();
    let payload = rtp(0xa3, 1, 1, 65_507 - 12);
    dialogue.datagram(1.0, A.address, B.address, &payload);
    // A UDP length of 65,535 in a packet of 20 bytes; one of 0; one of 7.
    for length in [0xffff_u16, 0, 7] {
        let mut datagram = udp_datagram(A.address.1, B.address.1, &rtp(0xa4, 1, 1, 8));
        datagram[4..6].copy_from_slice(&length.to_be_bytes());
        dialogue.ip(1.1, UDP, A.address.0, B.address.0, &datagram);
    }
    let run = dialogue.run();
    neighbours_are_read(&run);
    assert!((1..=3).contains(&malformed(&run, "udp")), "{}", run.report["captures"][0]["malformed"]);
}

/// sngrep #481 (`rtp_check_packet`): header fields that reach behind the packet.
#[test]
fn rtp_headers_longer_than_their_packets() {
    let mut dialogue = media();
    let mut csrcs = rtp(0xa1, 5000, 1, 8);
    csrcs[0] = 0x8f;
    let mut extension = rtp(0xa1, 5001, 1, 4);
    extension[0] = 0x90;
    extension[12..16].copy_from_slice(&[0xbe, 0xde, 0xff, 0xff]);
    let mut no_extension = rtp(0xa1, 5002, 1, 0);
    no_extension[0] = 0x90;
    for packet in [csrcs, extension, no_extension] {
        dialogue.datagram(1.0, A.address, B.address, &packet);
    }
    // And everything shorter than a header.
    for length in 1..12 {
        dialogue.datagram(1.1, A.address, B.address, &rtp(0xa1, 60, 1, 0)[..length]);
    }
    let run = dialogue.run();
    neighbours_are_read(&run);
    assert_eq!(run.streams().len(), 2);
}

/// GHSA-f26w-gh5m-qq77 (pion/interceptor): a padding count that is larger than the payload, or zero.
#[test]
fn rtp_padding_larger_than_the_packet() {
    let mut dialogue = Dialogue::default();
    dialogue.connect(0.0, &A, &B);
    dialogue.media(0.2, 1.0, A.address, B.address, 0xa1);
    dialogue.media(1.1, 2.2, A.address, B.address, 0xa1);
    dialogue.media(0.2, 2.2, B.address, A.address, 0xa2);
    // Five packets of the stream in its gap: they did arrive, whatever their padding says.
    for (number, (payload, count)) in (50..).zip([(20, 255), (20, 21), (20, 0), (1, 2), (0, 0)]) {
        let mut packet = rtp(0xa1, number, 160 * u32::from(number), payload);
        packet[0] |= 0x20;
        if payload > 0 {
            *packet.last_mut().unwrap() = count;
        }
        dialogue.datagram(f64::from(number) / 50.0 + 0.001, A.address, B.address, &packet);
    }
    let run = dialogue.run();
    neighbours_are_read(&run);
    let stream = run.streams().into_iter().find(|stream| stream["ssrc"] == 0xa1).unwrap();
    // No byte more than there is.
    let bytes = unsigned(&stream["bytesReceived"]) + unsigned(&stream["headerBytesReceived"]);
    assert_eq!(bytes, 95 * 92 + 5 * 12 + 61);
}

/// ICE, then a handshake in which `odd` stands before the client's first flight.
fn secured(odd: &[Vec<u8>]) -> Run {
    let mut dialogue = Dialogue::default();
    dialogue.connect(0.0, &A, &B);
    for (order, datagram) in odd.iter().enumerate() {
        dialogue.datagram(0.15 + 0.0001 * order as f64, B.address, A.address, datagram);
    }
    dialogue.handshake(0.2, B.address, A.address, 7);
    dialogue.media(0.4, 2.4, A.address, B.address, 0xa1);
    dialogue.media(0.4, 2.4, B.address, A.address, 0xa2);
    let run = dialogue.run();
    neighbours_are_read(&run);
    run
}

fn securing(run: &Run) -> &Value {
    &run.sessions().next().unwrap()["securing"]
}

/// GHSA-cm8f-h6j3-p25c (pion/dtls; a stack overflow in webrtc-rs): fragments of no bytes of a message that is not empty.
#[test]
fn dtls_fragments_of_no_bytes() {
    let empty = dtls::piece(1, 0, 54, 0, &[]);
    let behind = dtls::piece(1, 0, 54, 54, &[]);
    let run = secured(&[empty.clone(), behind, empty.repeat(100)]);
    let securing = securing(&run);
    assert_eq!((&securing["status"], &securing["dtlsVersion"]), (&"ok".into(), &"1.2".into()));
    assert_eq!(securing["clientRole"], name(B.address));
}

/// CVE-2014-0195 (OpenSSL): fragments of one message that name other lengths of it, or reach behind its end.
#[test]
fn dtls_fragments_larger_than_their_message() {
    let body = dtls::client_hello(7);
    let length = body.len() as u32;
    let run = secured(&[
        // A message of 2 bytes, of which the next fragment holds 2 to 1002.
        dtls::piece(1, 0, 2, 0, &[0xfe, 0xfd]),
        dtls::piece(1, 0, 2, 2, &[0x41; 1000]),
        // The same message, now of 16,777,215 bytes.
        dtls::piece(1, 0, 0x00ff_ffff, 0x00ff_fff0, &[0x41; 15]),
        dtls::piece(1, 0, 0x00ff_ffff, 0x00ff_fff0, &[0x41; 16]),
        // A fragment longer than its record.
        {
            let mut lying = dtls::piece(1, 0, length, 0, &body);
            lying[13 + 9..13 + 12].copy_from_slice(&[0, 0xff, 0xff]);
            lying
        },
    ]);
    assert_eq!((&securing(&run)["status"], &securing(&run)["dtlsVersion"]), (&"ok".into(), &"1.2".into()));
    assert_eq!(securing(&run)["clientRole"], name(B.address));
}

/// CVE-2026-26014 (GHSA-9f3f-wv7r-qc8r, pion/dtls): its explicit nonces were random where others count. Nothing is to be
/// parsed there, and such records are data as any.
#[test]
fn dtls_records_with_random_nonces() {
    let mut random = craft::Random(26_014);
    let mut dialogue = Dialogue::default();
    dialogue.connect(0.0, &A, &B);
    dialogue.handshake(0.2, B.address, A.address, 7);
    for number in 0..50 {
        let record = dtls::record(23, 1, number + 1, &random.bytes(64));
        dialogue.datagram(0.5 + 0.1 * f64::from(number), B.address, A.address, &record);
    }
    let run = dialogue.run();
    assert_eq!(malformed(&run, "dtls"), 0);
    let data = list(&securing(&run)["applicationData"]);
    assert_eq!(data.len(), 1);
    assert_eq!((&data[0]["packets"], &data[0]["sender"]), (&50.into(), &name(B.address).into()));
}

/// `stun-attribute-length-ffff` of nDPI and Zeek: an attribute that claims 65,535 bytes; and a message that does.
#[test]
fn stun_attributes_longer_than_their_message() {
    let mut dialogue = media();
    for number in 0..3 {
        let id = dialogue.transaction();
        let mut check = dialogue::check(id, [&A, &B], &[(0x8022, b"software".to_vec())]);
        match number {
            // The first attribute, the fourth, the whole message.
            0 => check[22..24].copy_from_slice(&[0xff, 0xff]),
            1 => {
                let place = check.windows(4).position(|bytes| bytes == [0x80, 0x22, 0, 8]).unwrap();
                check[place + 2..place + 4].copy_from_slice(&[0xff, 0xff]);
            }
            _ => check[2..4].copy_from_slice(&[0xff, 0xfc]),
        }
        dialogue.datagram(1.0, A.address, B.address, &check);
    }
    let run = dialogue.run();
    neighbours_are_read(&run);
    assert!(malformed(&run, "stun") >= 2, "{}", run.report["captures"][0]["malformed"]);
    // The three checks of the beginning were answered.
    let pair = &run.sessions().next().unwrap()["connecting"]["candidatePairs"][0];
    assert_eq!((&pair["responsesReceived"], &pair["responsesSent"]), (&2.into(), &1.into()));
}

/// GHSA-hxj9-xwr8-w8pq (Asterisk), GHSA-39gv-hq72-j6m6 (FreeSWITCH): a ClientHello from an address that ICE never
/// validated, just before the peer's own, made them take the attacker for the peer. The call is the peer's.
#[test]
fn a_client_hello_from_an_address_without_ice() {
    let attacker: Address = ([10, 66, 6, 6], 6666);
    let mut dialogue = Dialogue::default();
    dialogue.connect(0.0, &A, &B);
    dialogue.datagram(0.19, attacker, A.address, &dtls::message(1, 0, &dtls::client_hello(0xbad)));
    dialogue.handshake(0.2, B.address, A.address, 7);
    dialogue.media(0.4, 2.4, A.address, B.address, 0xa1);
    dialogue.media(0.4, 2.4, B.address, A.address, 0xa2);
    let run = dialogue.run();
    let calls: Vec<&Value> = run.sessions().filter(|session| session["connecting"]["status"] == "ok").collect();
    assert_eq!(calls.len(), 1);
    let securing = &calls[0]["securing"];
    assert_eq!((&securing["status"], &securing["clientRole"]), (&"ok".into(), &name(B.address).into()));
    // The random of B's hello, not the attacker's.
    assert!(securing["clientRandom"].as_str().unwrap().starts_with("00000007"), "{}", securing["clientRandom"]);
    assert_eq!(list(&calls[0]["connecting"]["candidatePairs"]).len(), 1);
}

/// GHSA-jh42-prph-gp36 (FreeSWITCH): a flood of SRTP from an address that is no part of the call. The call's streams are
/// what they are, and the flood is no loss of theirs.
#[test]
fn a_flood_from_an_address_without_ice() {
    let attacker: Address = ([10, 66, 6, 6], 6666);
    let mut random = craft::Random(42);
    let mut dialogue = media();
    for number in 0..2000 {
        let mut packet = rtp(0xbad, random.number() as u16, 1, 40);
        packet[12..].copy_from_slice(&random.bytes(40));
        dialogue.datagram(0.5 + 0.0005 * f64::from(number), attacker, A.address, &packet);
    }
    let run = dialogue.run();
    for ssrc in [0xa1, 0xa2] {
        let stream = run.streams().into_iter().find(|stream| stream["ssrc"] == ssrc).expect("a stream");
        assert_eq!(["packetsReceived", "packetsLost"].map(|key| &stream[key]), [100, 0]);
    }
}

/// Lengths that are all at their greatest in containers: a pcap record and a pcapng block of 4 GB each, between packets.
#[test]
fn containers_that_claim_four_gigabytes() {
    for container in [Container::Pcap, Container::Pcapng] {
        let mut writer = Writer::new(container, false, craft::RAW);
        for number in 0..10_u16 {
            let packet = craft::udp(A.address, B.address, &rtp(0xa1, number, 160 * u32::from(number), 80));
            writer.packet(i64::from(number) * 20_000_000, &packet);
        }
        let claim: &[u8] = match container {
            Container::Pcap => &[9, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            Container::Pcapng => &[6, 0, 0, 0, 0xfc, 0xff, 0xff, 0xff, 0, 0, 0, 0],
        };
        writer.bytes.extend(claim);
        let run = dialogue::run(&writer.bytes);
        let said = malformed(&run, "container") == 1 || run.report["captures"][0]["truncated"] == true;
        assert!(said, "{container:?}: {}", run.report["captures"]);
        assert_eq!(run.report["findings"][0]["rule"], "CAP001", "{container:?}");
        assert_eq!(run.report["captures"][0]["packets"], 10, "{container:?}");
        assert_eq!(run.streams()[0]["packetsReceived"], 10, "{container:?}");
    }
}
