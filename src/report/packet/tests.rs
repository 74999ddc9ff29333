use proptest::prelude::*;

use super::*;

/// A STUN message of `attributes`, each type and value; padding is added.
fn message(kind: u16, attributes: &[(u16, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (kind, value) in attributes {
        body.extend(kind.to_be_bytes());
        body.extend((value.len() as u16).to_be_bytes());
        body.extend(*value);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    let mut bytes = kind.to_be_bytes().to_vec();
    bytes.extend((body.len() as u16).to_be_bytes());
    bytes.extend(wire::stun::MAGIC_COOKIE.to_be_bytes());
    bytes.extend([0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae]);
    bytes.extend(body);
    bytes
}

/// RTP of payload type 111 with a marker, an extension of ids 1 and 2, four bytes of payload.
const RTP: [u8; 28] = [
    0x90, 0xef, 0x4c, 0x42, 0x00, 0x01, 0xe2, 0x40, 0x8a, 0x2b, 0x7d, 0x32, 0xbe, 0xde, 0x00, 0x02, 0x10, 0xff, 0x22,
    0x01, 0x02, 0x03, 0x00, 0x00, 0x78, 0x01, 0x02, 0x03,
];

fn said(protocol: Protocol, bytes: &[u8]) -> String {
    let line = line(protocol, bytes, bytes.len());
    format!("{} {}", line.protocol, line.summary)
}

fn find<'a>(nodes: &'a [Node], start: &str) -> Option<&'a Node> {
    nodes.iter().find_map(|node| if node.label.starts_with(start) { Some(node) } else { find(&node.children, start) })
}

#[test]
fn stun_lines() {
    let check = message(
        1,
        &[
            (0x0006, b"abcd:efgh"),
            (0x0024, &[0x6e, 0, 1, 0xff]),
            (0x802a, &[9; 8]),
            (0x0025, b""),
            (0xc057, &[0, 1, 0, 10]),
        ],
    );
    let expected = "STUN Binding request user=abcd:efgh prio=1845494271 controlling use-candidate";
    assert_eq!(said(Protocol::Stun, &check), expected);
    let error = message(0x0113, &[(0x0009, b"\0\0\x04\x01Unauthorized"), (0x0014, b"example.org"), (0x0015, b"x")]);
    assert_eq!(said(Protocol::Stun, &error), "STUN Allocate error 401 \"Unauthorized\" realm=example.org");
    assert_eq!(said(Protocol::Stun, &message(0x0200, &[])), "STUN GOOG-PING request");
    let mut lie = message(1, &[(0x0006, b"abcd")]);
    lie[23] = 200;
    assert!(said(Protocol::Stun, &lie).ends_with("[malformed STUN: a length that does not fit, at byte 20]"));
}

#[test]
fn datagrams_inside_are_opened() {
    let inner = message(1, &[(0x0025, b"")]);
    let indication = message(0x0016, &[(0x0012, &[0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43]), (0x0013, &inner)]);
    let expected = "STUN Send indication peer=192.0.2.1:32853 data=[STUN Binding request use-candidate]";
    assert_eq!(said(Protocol::Stun, &indication), expected);
    let nodes = tree(Protocol::Stun, &indication, 42, indication.len());
    let flag = find(&nodes, "USE-CANDIDATE").unwrap();
    // Frame 42, header 20, XOR-PEER-ADDRESS 12, DATA's header 4, inner header 20.
    assert_eq!((flag.offset, flag.length), (42 + 20 + 12 + 4 + 20, 4));

    let mut channel = vec![0x40, 0x01, 0, 28];
    channel.extend(RTP);
    assert!(said(Protocol::ChannelData, &channel).starts_with("ChannelData 0x4001 [RTP PT 111 seq 19522 "));
    let nodes = tree(Protocol::ChannelData, &channel, 0, channel.len());
    assert_eq!(find(&nodes, "sequence number: 19522").unwrap().offset, 6);
    let relayed = relayed_line(Protocol::ChannelData, Protocol::Srtp, &channel, channel.len());
    assert!(relayed.summary.starts_with("0x4001 [SRTP PT 111 "));
}

#[test]
fn padding_of_a_guess_is_not_read() {
    let mut padded = RTP.to_vec();
    padded[0] |= 0x20;
    assert!(said(Protocol::Rtp, &padded).ends_with(" 4 bytes, 3 of padding"));
    assert!(said(Protocol::Srtp, &padded).ends_with(" 4 bytes, padded"));
    let channel = [&[0x40, 0, 0, 28][..], &padded].concat();
    assert!(said(Protocol::ChannelData, &channel).ends_with(" 4 bytes, padded]"));
    let known = relayed_line(Protocol::ChannelData, Protocol::Rtp, &channel, channel.len());
    assert!(known.summary.ends_with(" 4 bytes, 3 of padding]"));
}

#[test]
fn rtp_line_and_tree() {
    let expected = "RTP PT 111 seq 19522 ts 123456 ssrc 0x8a2b7d32 marker ext 1,2 4 bytes";
    assert_eq!(said(Protocol::Rtp, &RTP), expected);
    let nodes = tree(Protocol::Rtp, &RTP, 100, RTP.len());
    let place = |start| find(&nodes, start).map(|node| (node.offset, node.length));
    assert_eq!(place("id 1: ff"), Some((116, 2)));
    assert_eq!(place("id 2: 010203"), Some((118, 4)));
    assert_eq!(place("payload: 4 bytes"), Some((124, 4)));
    // Snapped behind the fixed header: what is there is said.
    let cut = line(Protocol::Rtp, &RTP[..14], 28);
    assert_eq!(cut.summary, "PT 111 seq 19522 ts 123456 ssrc 0x8a2b7d32 marker [cut by the capture at byte 14]");
    assert_eq!(find(&tree(Protocol::Rtp, &RTP[..14], 0, 28), "14 bytes not captured").unwrap().offset, 14);
}

#[test]
fn dtls_lines() {
    // The first and the second fragment of a ClientHello of 1413 bytes; its version is in the first only.
    let fragment = |offset: u32, length: u16, head: &[u8]| {
        let mut bytes = vec![22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 1];
        bytes.extend((length + 12).to_be_bytes());
        bytes.extend([1, 0, 0x05, 0x85, 0, 0]);
        bytes.extend(&offset.to_be_bytes()[1..]);
        bytes.extend([0]);
        bytes.extend(length.to_be_bytes());
        bytes.extend(head);
        bytes.resize(25 + usize::from(length), 0);
        bytes
    };
    let first = fragment(0, 1175, &[0xfe, 0xfd]);
    assert_eq!(said(Protocol::Dtls, &first), "DTLS 1.2 Client Hello (fragment 0..1175 of 1413)");
    let second = fragment(1175, 238, &[]);
    assert_eq!(said(Protocol::Dtls, &second), "DTLS Client Hello (fragment 1175..1413 of 1413)");
    // tshark: Alert (Level: Fatal, Description: Unknown CA).
    let alert = [0x15, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 2, 0, 2, 2, 0x30];
    assert_eq!(said(Protocol::Dtls, &alert), "DTLS 1.2 Alert fatal: unknown_ca");
    let unified = [&[0x2f, 0x12, 0x34, 0, 20][..], &[0; 20]].concat();
    assert_eq!(said(Protocol::Dtls, &unified), "DTLS 1.3 encrypted record (epoch 3, 20 bytes)");
    let nodes = tree(Protocol::Dtls, &first, 10, first.len());
    assert_eq!(find(&nodes, "fragment length: 1175").unwrap().offset, 10 + 13 + 9);
}

/// A datagram of a GStreamer call: SR, SDES and a NACK. Values and places by tshark.
const RTCP: &str = "80c800068ec92838eead27900769014b63bafde70000001f000018eb81ca00098ec92838011a75736572323231363131\
    343340686f73742d39363465353630650000000081cd00038ec92838e6f42ff409f20000";

/// The INIT of an association over UDP.
const INIT: &str = "138813880000000057b5d4bc0100001e066acd2b00100000ffffffff059277ffc000000480080006c0820000";

/// The first SRTCP datagram of a Chromium call.
const SRTCP: &str = "8fcd0005357e5828a92e13959af72ea4086f0b057c12b1ce80000002d8f26b3e0b390fab5d59";

fn hex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|at| u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).unwrap()).collect()
}

#[test]
fn rtcp_line_and_tree() {
    let bytes = hex(RTCP);
    let expected = "RTCP SR+SDES+Generic NACK ssrc 0x8ec92838 packets 31 octets 6379, \
                    cname \"user22161143@host-964e560e\", for 0xe6f42ff4: 2546";
    assert_eq!(said(Protocol::Rtcp, &bytes), expected);
    let nodes = tree(Protocol::Rtcp, &bytes, 42, bytes.len());
    let place = |start| find(&nodes, start).map(|node| (node.offset - 42, node.length));
    assert_eq!(place("NTP timestamp: 2026-11-22T08:34:24.0289459"), Some((8, 8)));
    assert_eq!(place("RTP timestamp: 1673199079"), Some((16, 4)));
    assert_eq!(place("CNAME: \"user22161143@host-964e560e\""), Some((36, 28)));
    assert_eq!(place("media SSRC: 0xe6f42ff4"), Some((76, 4)));
    assert_eq!(place("missing: 2546"), Some((80, 4)));
}

#[test]
fn srtcp_is_not_read() {
    let bytes = hex(SRTCP);
    // Whatever the flow said: no sub-format, no media SSRC, which would be read out of ciphertext.
    assert_eq!(said(Protocol::Srtcp, &bytes), "SRTCP RTPFB ssrc 0x357e5828 (encrypted, index 2)");
    assert_eq!(said(Protocol::Rtcp, &bytes), "RTCP RTPFB ssrc 0x357e5828 (encrypted, index 2)");
    assert_eq!(said(Protocol::Srtcp, &hex(RTCP)), "SRTCP SR ssrc 0x8ec92838 (encrypted)");
    let channel = [&[0x40, 0, 0, 38][..], &bytes].concat();
    assert_eq!(
        said(Protocol::ChannelData, &channel),
        "ChannelData 0x4000 [SRTCP RTPFB ssrc 0x357e5828 (encrypted, index 2)]"
    );
}

#[test]
fn sctp_line_and_tree() {
    let bytes = hex(INIT);
    assert_eq!(said(Protocol::Sctp, &bytes), "SCTP 5000 > 5000 INIT tag 0x066acd2b streams 65535/65535");
    let nodes = tree(Protocol::Sctp, &bytes, 0, bytes.len());
    let place = |start| find(&nodes, start).map(|node| (node.offset, node.length));
    assert_eq!(place("checksum: 0x57b5d4bc (right)"), Some((8, 4)));
    assert_eq!(place("initial TSN: 93485055"), Some((28, 4)));
    assert_eq!(place("Forward TSN supported"), Some((32, 4)));
    assert_eq!(place("Supported Extensions: c082"), Some((36, 6)));
}

/// STUN in DATA in STUN, as deep as a datagram can hold it.
#[test]
fn dcep_line_and_tree() {
    // Laid out by hand: DATA (RFC 9260 section 3.3.1) with DATA_CHANNEL_OPEN (RFC 8832 section 5.1) in it.
    let open = *b"\x03\x81\x01\x00\x00\x00\x00\x05\x00\x04\x00\x02chatv1\x00\x00";
    let head = [0x1388_1388_u32, 1, 0, 0x0003_0022, 7, 0x0001_0000, 50];
    let bytes: Vec<u8> = head.iter().flat_map(|word| word.to_be_bytes()).chain(open).collect();
    assert_eq!(
        said(Protocol::Sctp, &bytes),
        "SCTP 5000 > 5000 DATA tsn 7 stream 1 ppid 50 (WebRTC DCEP) 18 bytes DATA_CHANNEL_OPEN \"chat\""
    );
    let nodes = tree(Protocol::Sctp, &bytes, 0, bytes.len());
    let place = |start| find(&nodes, start).map(|node| (node.offset, node.length));
    assert_eq!(place("channel type: 0x81 (in any order, 5 retransmissions)"), Some((29, 1)));
    assert_eq!((place("priority: 256"), place("reliability parameter: 5")), (Some((30, 2)), Some((32, 4))));
    assert_eq!((place("label: \"chat\""), place("protocol: \"v1\"")), (Some((40, 4)), Some((44, 2))));
}

#[test]
fn nesting_is_bounded() {
    let mut bytes = message(0x0016, &[]);
    while bytes.len() < 60_000 {
        bytes = message(0x0016, &[(0x0013, &bytes)]);
    }
    let line = said(Protocol::Stun, &bytes);
    assert_eq!(line.matches("Send indication").count(), usize::from(MAX_DEPTH));
    let mut nodes = tree(Protocol::Stun, &bytes, 0, bytes.len());
    let mut depth = 0;
    while let Some(node) = nodes.pop() {
        nodes = node.children;
        depth += 1;
    }
    assert_eq!(depth, 2 * usize::from(MAX_DEPTH));
}

/// Every node lies in what was captured, and inside its parent unless it is a note of no bytes.
fn check(nodes: &[Node], start: usize, end: usize) {
    for node in nodes {
        assert!(node.offset >= start && node.offset + node.length <= end, "{} in {start}..{end}", node.label);
        check(&node.children, node.offset, node.offset + node.length);
    }
}

fn walk(bytes: &[u8], wire_length: usize) {
    for protocol in Protocol::ALL {
        let _ = line(protocol, bytes, wire_length);
        check(&tree(protocol, bytes, 42, wire_length), 42, 42 + bytes.len());
        for inner in Protocol::ALL {
            let _ = relayed_line(protocol, inner, bytes, wire_length);
        }
    }
}

#[test]
fn every_prefix() {
    let stun = message(0x0016, &[(0x0012, &[0, 1, 1, 2, 3, 4, 5, 6]), (0x0013, &RTP), (0x8028, &[1, 2, 3, 4])]);
    let packets = [&stun[..], &RTP, &hex(RTCP), &hex(SRTCP), &hex(INIT)];
    for bytes in packets {
        for length in 0..=bytes.len() {
            walk(&bytes[..length], bytes.len());
            walk(&bytes[..length], length);
        }
    }
}

proptest! {
    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..150), wire_length in 0_usize..300) {
        walk(&bytes, wire_length);
    }

    #[test]
    fn any_start(start in prop::sample::select(vec![0_u8, 16, 22, 0x2e, 0x3f, 0x40, 0x80, 0x81, 0x90, 0xb0, 0xc0]),
                 second in prop_oneof![200_u8..208, any::<u8>()],
                 rest in proptest::collection::vec(prop_oneof![Just(0), 0_u8..12, any::<u8>()], 0..100)) {
        let bytes = [&[start, second][..], &rest].concat();
        walk(&bytes, bytes.len());
    }

    /// One RTCP packet of any content behind a header that is right, so that it is read to the end.
    #[test]
    fn any_rtcp(packet_type in 200_u8..208, count in 0_u8..32,
                words in proptest::collection::vec(prop_oneof![Just(0), 0_u32..20, any::<u32>()], 0..30)) {
        let mut bytes = vec![0x80 | count, packet_type];
        bytes.extend((words.len() as u16).to_be_bytes());
        words.iter().for_each(|word| bytes.extend(word.to_be_bytes()));
        walk(&bytes, bytes.len());
    }

    /// One SCTP chunk of any content.
    #[test]
    fn any_chunk(kind in prop_oneof![0_u8..16, prop::sample::select(vec![64_u8, 128, 130, 192, 193, 194])],
                 flags in any::<u8>(), lie in 0_u16..9,
                 value in proptest::collection::vec(prop_oneof![Just(0), 0_u8..14, any::<u8>()], 0..90)) {
        let mut bytes = vec![0; 12];
        bytes.extend([kind, flags]);
        bytes.extend((value.len() as u16 + lie).to_be_bytes());
        bytes.extend(&value);
        walk(&bytes, bytes.len());
    }
}

/// A DTLS 1.2 record of one whole handshake message.
fn handshake(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u32).to_be_bytes();
    let record = (body.len() as u16 + 12).to_be_bytes();
    let head =
        [&[22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 1][..], &record, &[kind], &length[1..], &[0, 0, 0, 0, 0]].concat();
    [&head[..], &length[1..], body].concat()
}

#[test]
fn bodies_of_the_handshake_are_named() {
    let tree = |bytes: &[u8]| nodes(Protocol::Dtls, View::new(bytes, bytes.len(), 0));
    // RFC 6347 section 4.2.1.
    let verify = tree(&handshake(3, b"\xfe\xff\x04\xca\xfe\xba\xbe"));
    assert!(find(&verify, "cookie: cafebabe").is_some(), "{verify:?}");
    // RFC 8422 section 5.4: named curve x25519 (29), a key of two bytes here, ecdsa_secp256r1_sha256 (0x0403).
    let exchange = tree(&handshake(12, b"\x03\x00\x1d\x02\xaa\xbb\x04\x03\x00\x01\xcc"));
    assert!(find(&exchange, "group: x25519").is_some(), "{exchange:?}");
    assert!(find(&exchange, "signature: ecdsa_secp256r1_sha256").is_some(), "{exchange:?}");
    for length in 0..7 {
        tree(&handshake(3, &b"\xfe\xff\x04\xca\xfe\xba\xbe"[..length]));
        tree(&handshake(12, &b"\x03\x00\x1d\x02\xaa\xbb\x04\x03"[..length]));
    }
}
