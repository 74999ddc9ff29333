use proptest::prelude::*;

use super::*;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] << 4 | pair[1]).unwrap()).collect()
}

/// INIT of a Chromium data channel association, as the other end logged it.
const INIT: &str = "1388138800000000f886a1c10100001e551ef59600500000ffffffff022c00a0c00000048008000682c00000";

fn contents(bytes: &[u8]) -> Vec<Result<Content<'_>, Malformed>> {
    Packet::parse(bytes).unwrap().chunks().map(|chunk| chunk.content()).collect()
}

#[test]
fn init_and_its_parameters() {
    let bytes = hex(INIT);
    let packet = Packet::parse(&bytes).unwrap();
    assert_eq!((packet.source_port, packet.destination_port, packet.verification_tag), (5000, 5000, 0));
    assert_eq!(packet.verify_checksum(), Checksum::Correct);
    let chunk = packet.chunks().next().unwrap();
    assert_eq!((chunk.name(), chunk.offset, chunk.length, chunk.fault), ("INIT", 12, 30, None));
    let Ok(Content::Init(init)) = chunk.content() else { panic!("{chunk:?}") };
    assert_eq!((init.initiate_tag, init.receiver_window), (0x551e_f596, 5_242_880));
    assert_eq!((init.outbound_streams, init.inbound_streams, init.initial_tsn), (65_535, 65_535, 0x022c_00a0));
    let parameters: Vec<_> = init.parameters.collect();
    assert_eq!(parameters[0].name(), "Forward TSN supported");
    assert!(matches!(parameters[1].content(), ParameterContent::SupportedExtensions([130, 192])));
    assert_eq!(parameters.len(), 2);
}

#[test]
fn checksums() {
    let mut bytes = hex(INIT);
    assert_eq!(Packet::parse_snapped(&bytes, 48).unwrap().verify_checksum(), Checksum::Unknown);
    bytes[20] ^= 1;
    assert_eq!(Packet::parse(&bytes).unwrap().verify_checksum(), Checksum::Wrong);
    bytes[8..12].fill(0);
    assert_eq!(Packet::parse(&bytes).unwrap().verify_checksum(), Checksum::Zero);
    // Offload leaves an INIT recognisable, and nothing else.
    assert!(looks_like_sctp_over_udp(&bytes));
    bytes[4] = 1;
    assert!(!looks_like_sctp_over_udp(&bytes));
}

#[test]
fn data_of_a_data_channel() {
    let bytes = hex("138813881154f47d61da2be900030020b1b3fef1000100000000003203000000000000000004000063686174");
    let Ok(Content::Data(data)) = contents(&bytes)[0].clone() else { panic!("no DATA") };
    assert_eq!((data.begin, data.end, data.unordered, data.immediate), (true, true, false, false));
    assert_eq!((data.tsn, data.stream, data.sequence, data.payload_protocol), (0xb1b3_fef1, 1, 0, Some(50)));
    assert_eq!((data.payload.len(), data.payload_length), (16, 16));
    assert_eq!(payload_protocol_name(50), "WebRTC DCEP");
}

#[test]
fn interleaved_data_names_its_protocol_only_at_the_beginning() {
    let head = "13881388 00000001 00000000";
    let bytes = hex(&format!("{head} 40020015 00000007 00030000 00000009 00000035 aa000000"));
    let Ok(Content::InterleavedData(data)) = contents(&bytes)[0].clone() else { panic!("no I-DATA") };
    assert_eq!((data.tsn, data.stream, data.sequence, data.payload), (7, 3, 9, &[0xaa][..]));
    assert_eq!((data.payload_protocol, data.fragment, data.begin), (Some(53), None, true));
    let bytes = hex(&format!("{head} 40010015 00000008 00030000 00000009 00000001 aa000000"));
    let Ok(Content::InterleavedData(data)) = contents(&bytes)[0].clone() else { panic!("no I-DATA") };
    assert_eq!((data.payload_protocol, data.fragment, data.end), (None, Some(1), true));
}

#[test]
fn acknowledgements_and_their_counts() {
    let bytes = hex("0f1c1388 2a876cb0 2585c19f 03000018 9bee0e73 00100000 00010001 00020004 9bee0e70");
    let Ok(Content::Sack(sack)) = contents(&bytes)[0].clone() else { panic!("no SACK") };
    assert_eq!((sack.cumulative_tsn, sack.receiver_window, sack.counts_cut), (0x9bee_0e73, 1_048_576, false));
    assert_eq!(sack.gap_blocks.collect::<Vec<_>>(), [GapBlock { start: 2, end: 4 }]);
    assert_eq!(sack.duplicate_tsns.collect::<Vec<_>>(), [0x9bee_0e70]);
    // CVE-2012-6056: 65,535 duplicates promised.
    let bytes = hex("0f1c1388 2a876cb0 2585c19f 03000018 9bee0e73 00100000 0001ffff 00020004 9bee0e70");
    let Ok(Content::Sack(sack)) = contents(&bytes)[0].clone() else { panic!("no SACK") };
    assert_eq!((sack.duplicate_tsns.count(), sack.counts_cut), (1, true));
}

#[test]
fn an_abort_says_why() {
    let bytes = hex("13881388 00000001 00000000 06010014 0001000800050000 000c0008 62796521");
    let Ok(Content::Abort { tag_reflected, causes }) = contents(&bytes)[0].clone() else { panic!("no ABORT") };
    let causes: Vec<_> = causes.collect();
    assert!(tag_reflected);
    assert_eq!((causes[0].name(), causes[0].text()), ("Invalid Stream Identifier", None));
    assert_eq!((causes[1].name(), causes[1].text()), ("User-Initiated Abort", Some(&b"bye!"[..])));
}

#[test]
fn a_stream_reset() {
    let bytes = hex("13881388 00000001 00000000 82000016 000d0012 00000005 00000004 00000063 0004 0000");
    let Ok(Content::Reconfiguration(mut parameters)) = contents(&bytes)[0].clone() else { panic!("no RE-CONFIG") };
    let parameter = parameters.next().unwrap();
    let ParameterContent::OutgoingReset { request, response, last_tsn, streams } = parameter.content() else {
        panic!("{parameter:?}")
    };
    assert_eq!((request, response, last_tsn, streams.collect::<Vec<_>>()), (5, 4, 99, vec![4]));
    assert!(parameters.next().is_none());
}

#[test]
fn lengths_that_cannot_be_end_the_list() {
    let head = "13881388 00000001 00000000";
    for length in ["0000", "0003", "00ff"] {
        let bytes = hex(&format!("{head} 0500{length} 00000000"));
        let chunks: Vec<_> = Packet::parse(&bytes).unwrap().chunks().collect();
        assert_eq!(chunks.len(), 1);
        assert_eq!(chunks[0].fault, Some(Malformed::new(Layer::Sctp, Kind::BadLength, 14)));
    }
    let bytes = hex(&format!("{head} 0003ff00 00000009 00020003 00000035 aabb"));
    let packet = Packet::parse_snapped(&bytes, 1280).unwrap();
    let chunk = packet.chunks().next().unwrap();
    assert_eq!(chunk.fault.unwrap().kind, Kind::Snapped);
    let Ok(Content::Data(data)) = chunk.content() else { panic!("{chunk:?}") };
    assert_eq!((data.tsn, data.payload, data.payload_length), (9, &[0xaa, 0xbb][..], 0xff00 - 16));
}

#[test]
fn other_protocols_do_not_look_like_sctp() {
    assert!(looks_like_sctp_over_udp(&hex(INIT)));
    assert!(!looks_like_sctp_over_udp(&[]));
    assert!(!looks_like_sctp_over_udp(&[0; 64]));
    assert!(!looks_like_sctp_over_udp(&hex("80c9000111223344 80000007 a1b2c3d4e5f60718293a")));
}

proptest! {
    #[test]
    fn any_bytes_can_be_walked(bytes in proptest::collection::vec(any::<u8>(), 0..200), kind in any::<u8>()) {
        let mut bytes = bytes;
        if let Some(first) = bytes.get_mut(12) {
            *first = kind;
        }
        let Ok(packet) = Packet::parse(&bytes) else { return Ok(()) };
        let _ = packet.verify_checksum();
        for chunk in packet.chunks() {
            prop_assert!(chunk.offset < bytes.len());
            match chunk.content() {
                Ok(Content::Init(init) | Content::InitAck(init)) => drop(init.parameters.map(|p| p.content()).count()),
                Ok(Content::Sack(sack)) => drop((sack.gap_blocks.count(), sack.duplicate_tsns.count())),
                Ok(Content::Abort { causes, .. } | Content::Error(causes)) => drop(causes.map(|c| c.name()).count()),
                Ok(Content::Reconfiguration(parameters)) => drop(parameters.map(|p| p.content()).count()),
                Ok(Content::ForwardTsn { streams, .. }) => drop(streams.count()),
                _ => {}
            }
        }
        let _ = looks_like_sctp_over_udp(&bytes);
    }
}
