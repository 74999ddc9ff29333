use std::net::SocketAddr;

use proptest::prelude::*;

use super::*;
use crate::wire::stun::{Class, Value, codec, vectors::REQUEST};

const CLIENT: &str = "203.0.113.7:40000";

fn addresses(alternate: bool) -> Addresses {
    Addresses {
        primary: "192.0.2.1:3478".parse().unwrap(),
        alternate: alternate.then(|| "192.0.2.2:3479".parse().unwrap()),
    }
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// A request with these attributes, padded as it must be.
fn request(attributes: &[(u16, &[u8])]) -> Vec<u8> {
    message(0x0001, MAGIC_COOKIE_BYTES, attributes)
}

const MAGIC_COOKIE_BYTES: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

fn message(kind: u16, cookie: [u8; 4], attributes: &[(u16, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (kind, value) in attributes {
        body.extend(kind.to_be_bytes());
        body.extend((value.len() as u16).to_be_bytes());
        body.extend(*value);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    [&kind.to_be_bytes()[..], &(body.len() as u16).to_be_bytes(), &cookie, &[9; 12], &body].concat()
}

fn received(bytes: &[u8]) -> Received<'_> {
    Received {
        bytes,
        source: address(CLIENT),
        transport: Transport::Udp,
        addresses: addresses(true),
        place: Place::PRIMARY,
    }
}

fn answer(received: &Received<'_>) -> Option<Answer> {
    Server::new(Config::default()).answer(Duration::ZERO, received)
}

/// The address in an attribute, if it is there.
fn said(answer: &Answer, kind: u16) -> Option<SocketAddr> {
    let message = Message::parse(&answer.bytes).or_else(|_| Message::parse_classic(&answer.bytes)).unwrap();
    match message.attribute(kind)?.value().unwrap() {
        Value::Address(endpoint) => Some(SocketAddr::new(endpoint.ip(), endpoint.port())),
        other => panic!("{other:?}"),
    }
}

/// The code of an error response, and the types that it names.
fn error(answer: &Answer) -> (u16, Vec<u16>) {
    let message = Message::parse(&answer.bytes).or_else(|_| Message::parse_classic(&answer.bytes)).unwrap();
    assert_eq!(message.class(), Class::Error);
    let Value::Error { code, .. } = message.attribute(kind::ERROR_CODE).unwrap().value().unwrap() else { panic!() };
    let named = message.attribute(kind::UNKNOWN_ATTRIBUTES).map(|attribute| attribute.value().unwrap());
    let named = named.map_or(Vec::new(), |value| match value {
        Value::Unknown(kinds) => kinds.collect(),
        _ => panic!(),
    });
    (code, named)
}

#[test]
fn a_plain_request_learns_all_addresses() {
    let bytes = request(&[]);
    let answer = answer(&received(&bytes)).unwrap();
    assert_eq!((answer.place, answer.destination), (Place::PRIMARY, address(CLIENT)));
    for (kind, expected) in [
        (kind::XOR_MAPPED_ADDRESS, CLIENT),
        (kind::MAPPED_ADDRESS, CLIENT),
        (kind::RESPONSE_ORIGIN, "192.0.2.1:3478"),
        (kind::OTHER_ADDRESS, "192.0.2.2:3479"),
    ] {
        assert_eq!(said(&answer, kind), Some(address(expected)));
    }
    let message = Message::parse(&answer.bytes).unwrap();
    assert_eq!((message.class(), message.length(), message.fault()), (Class::Success, 68, None));
    assert_eq!(answer.bytes[4..20], bytes[4..20]);
    // An independent reader takes it too.
    assert_eq!(codec::decode(&answer.bytes).unwrap().attributes().count(), 4);
}

#[test]
fn ipv6_is_masked_with_the_transaction_id() {
    let bytes = request(&[]);
    let addresses = Addresses { primary: address("[2001:db8::1]:3478"), alternate: None };
    let source = address("[2001:db8:9::7]:40000");
    let answer = answer(&Received { source, addresses, ..received(&bytes) }).unwrap();
    assert_eq!(said(&answer, kind::XOR_MAPPED_ADDRESS), Some(source));
    assert_eq!(said(&answer, kind::MAPPED_ADDRESS), Some(source));
    assert_eq!(said(&answer, kind::OTHER_ADDRESS), None);
    let theirs = codec::decode(&answer.bytes).unwrap();
    let mapped = theirs.get_attribute::<stun_codec::rfc5389::attributes::XorMappedAddress>().unwrap();
    assert_eq!(mapped.address(), source);
}

/// RFC 5780 section 6.1, table 1, wherever the request arrives.
#[test]
fn responses_come_from_where_they_are_asked_for() {
    for place in Place::ALL {
        for (flags, address, port) in [(0, false, false), (4, true, false), (2, false, true), (6, true, true)] {
            let bytes = request(&[(kind::CHANGE_REQUEST, &[0, 0, 0, flags])]);
            let received = Received { place, ..received(&bytes) };
            let answer = answer(&received).unwrap();
            assert_eq!(answer.place, place.changed(address, port));
            let at = |place| addresses(true).at(place);
            assert_eq!(said(&answer, kind::RESPONSE_ORIGIN), at(answer.place));
            assert_eq!(said(&answer, kind::OTHER_ADDRESS), at(place.changed(true, true)));
        }
    }
}

#[test]
fn what_cannot_be_changed_is_said() {
    let bytes = request(&[(kind::CHANGE_REQUEST, &[0, 0, 0, 2])]);
    let alone = Received { addresses: addresses(false), ..received(&bytes) };
    assert_eq!(error(&answer(&alone).unwrap()), (420, vec![kind::CHANGE_REQUEST]));
    let stream = Received { transport: Transport::Tcp, ..received(&bytes) };
    assert_eq!(error(&answer(&stream).unwrap()), (420, vec![kind::CHANGE_REQUEST]));
    let port = request(&[(kind::RESPONSE_PORT, &[0x30, 0x39, 0, 0])]);
    let stream = Received { transport: Transport::Tcp, ..received(&port) };
    assert_eq!(error(&answer(&stream).unwrap()), (420, vec![kind::RESPONSE_PORT]));
}

#[test]
fn a_response_goes_to_the_port_that_is_asked_for() {
    let bytes = request(&[(kind::RESPONSE_PORT, &[0x30, 0x39, 0, 0])]);
    let answer = answer(&received(&bytes)).unwrap();
    assert_eq!(answer.destination, address("203.0.113.7:12345"));
    assert_eq!(said(&answer, kind::XOR_MAPPED_ADDRESS), Some(address(CLIENT)));
}

#[test]
fn a_padded_response_is_no_longer_than_its_request() {
    for length in [0, 1, 7, 44, 45, 48, 100, 1_500, 9_001, 65_000] {
        for fingerprint in [false, true] {
            let mut bytes = request(&[(kind::PADDING, &vec![0; length])]);
            if fingerprint {
                sign(&mut bytes);
            }
            let answer = answer(&received(&bytes)).unwrap();
            let message = Message::parse(&answer.bytes).unwrap();
            let padding = message.attribute(kind::PADDING);
            assert!(padding.is_none() || answer.bytes.len() <= bytes.len(), "{length}");
            assert_eq!(padding.is_some(), length >= 45, "{length} {fingerprint}");
            assert!(length < 45 || bytes.len() - answer.bytes.len() < 4, "{length}");
            assert_eq!((message.fault(), message.trailing()), (None, 0));
            assert_eq!(message.fingerprint(), fingerprint.then_some(true));
        }
    }
}

/// Adds FINGERPRINT.
fn sign(bytes: &mut Vec<u8>) {
    let length = (bytes.len() - 20 + 8) as u16;
    bytes[2..4].copy_from_slice(&length.to_be_bytes());
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    bytes.extend([0x80, 0x28, 0, 4]);
    bytes.extend((crc.sum() ^ 0x5354_554e).to_be_bytes());
}

#[test]
fn padding_goes_to_no_other_port() {
    let bytes = request(&[(kind::RESPONSE_PORT, &[0x30, 0x39, 0, 0]), (kind::PADDING, &[0; 100])]);
    assert_eq!(error(&answer(&received(&bytes)).unwrap()), (400, vec![]));
}

#[test]
fn broken_attributes_are_a_bad_request() {
    for (kind, value) in
        [(kind::CHANGE_REQUEST, &[0, 6][..]), (kind::RESPONSE_PORT, &[0]), (kind::RESPONSE_PORT, &[0, 0, 0, 0])]
    {
        let bytes = request(&[(kind, value)]);
        assert_eq!(error(&answer(&received(&bytes)).unwrap()).0, 400);
    }
}

#[test]
fn unknown_attributes_are_named_once_each() {
    let bytes = request(&[(0x7fff, b""), (0xffff, b"ignored"), (0x0024, &[0; 4]), (0x7fff, b""), (0x0006, b"a:b")]);
    assert_eq!(error(&answer(&received(&bytes)).unwrap()), (420, vec![0x7fff, 0x0024]));
    let many: Vec<(u16, &[u8])> = (0x4000..0x4400).map(|kind| (kind, &b""[..])).collect();
    let bytes = request(&many);
    let answer = answer(&received(&bytes)).unwrap();
    assert_eq!(error(&answer).1.len(), 32);
    assert!(answer.bytes.len() < 200);
}

#[test]
fn a_fingerprint_is_answered_with_one() {
    let mut bytes = request(&[]);
    sign(&mut bytes);
    let good = answer(&received(&bytes)).unwrap();
    assert_eq!(Message::parse(&good.bytes).unwrap().fingerprint(), Some(true));
    *bytes.last_mut().unwrap() ^= 1;
    assert_eq!(answer(&received(&bytes)), None);
}

#[test]
fn software_is_told_only_on_demand() {
    let bytes = request(&[]);
    let mut server = Server::new(Config { software: Some("a server".to_owned()), rate_limit: None });
    let answer = server.answer(Duration::ZERO, &received(&bytes)).unwrap();
    let message = Message::parse(&answer.bytes).unwrap();
    assert_eq!(message.attribute(kind::SOFTWARE).unwrap().value().unwrap(), Value::Text("a server"));
}

#[test]
fn classic_clients_get_classic_responses() {
    // What the client of 2004 sends: always CHANGE-REQUEST.
    for alternate in [true, false] {
        let bytes = message(0x0001, [1, 2, 3, 4], &[(kind::CHANGE_REQUEST, &[0; 4])]);
        let received = Received { addresses: addresses(alternate), ..received(&bytes) };
        let answer = answer(&received).unwrap();
        assert_eq!(answer.bytes[4..20], bytes[4..20]);
        assert_eq!(said(&answer, kind::MAPPED_ADDRESS), Some(address(CLIENT)));
        assert_eq!(said(&answer, kind::SOURCE_ADDRESS), Some(address("192.0.2.1:3478")));
        assert_eq!(said(&answer, kind::CHANGED_ADDRESS), alternate.then(|| address("192.0.2.2:3479")));
        let message = Message::parse_classic(&answer.bytes).unwrap();
        assert!(message.attributes().all(|attribute| attribute.kind < 0x0020));
    }
    let bytes = message(0x0001, [1, 2, 3, 4], &[(kind::CHANGE_REQUEST, &[0, 0, 0, 6])]);
    assert_eq!(answer(&received(&bytes)).unwrap().place, Place { other_address: true, other_port: true });
    // RESPONSE-ADDRESS would have us send to anybody.
    let bytes = message(0x0001, [1, 2, 3, 4], &[(kind::RESPONSE_ADDRESS, &[0, 1, 0, 9, 192, 0, 2, 9])]);
    assert_eq!(error(&answer(&received(&bytes)).unwrap()), (420, vec![kind::RESPONSE_ADDRESS; 2]));
}

#[test]
fn nothing_else_is_answered() {
    let good = request(&[(kind::PADDING, &[0; 8])]);
    for cut in 0..good.len() {
        assert_eq!(answer(&received(&good[..cut])), None, "cut at {cut}");
    }
    assert_eq!(answer(&received(&[&good[..], &[0]].concat())), None, "something behind it");
    for kind in [0x0011, 0x0101, 0x0111, 0x0003, 0x0002, 0x8001, 0xc001] {
        assert_eq!(answer(&received(&message(kind, MAGIC_COOKIE_BYTES, &[]))), None, "{kind:#x}");
    }
    let mut torn = request(&[(kind::PADDING, &[0; 8])]);
    torn[23] = 200;
    assert_eq!(answer(&received(&torn)), None, "an attribute's length lies");
    for source in ["0.0.0.0:9", "255.255.255.255:9", "224.0.0.1:9", "[ff02::1]:9", "203.0.113.7:0"] {
        assert_eq!(answer(&Received { source: address(source), ..received(&good) }), None, "{source}");
    }
}

#[test]
fn a_source_gets_only_so_many() {
    let bytes = request(&[]);
    let mut server = Server::new(Config { software: None, rate_limit: NonZeroU32::new(5) });
    let answers = (0..20).filter(|_| server.answer(Duration::from_secs(1), &received(&bytes)).is_some()).count();
    assert_eq!(answers, 5);
}

/// RFC 5769 section 2.1: the request of a connectivity check. Its PRIORITY is none of a STUN server's business.
#[test]
fn rfc_5769_request() {
    let answer = answer(&received(REQUEST)).unwrap();
    assert_eq!(error(&answer), (420, vec![kind::PRIORITY]));
    assert_eq!(Message::parse(&answer.bytes).unwrap().fingerprint(), Some(true));
}

proptest! {
    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200), classic in any::<bool>(), tcp in any::<bool>()) {
        let mut bytes = bytes;
        // Most of them become requests.
        if bytes.len() >= 20 {
            let length = (bytes.len() - 20) as u16;
            bytes[..2].copy_from_slice(&[0, 1]);
            bytes[2..4].copy_from_slice(&length.to_be_bytes());
            if !classic {
                bytes[4..8].copy_from_slice(&MAGIC_COOKIE_BYTES);
            }
        }
        let transport = if tcp { Transport::Tcp } else { Transport::Udp };
        if let Some(answer) = answer(&Received { transport, ..received(&bytes) }) {
            let message = Message::parse(&answer.bytes).or_else(|_| Message::parse_classic(&answer.bytes)).unwrap();
            prop_assert_eq!((message.fault(), message.trailing()), (None, 0));
            prop_assert!(addresses(true).at(answer.place).is_some());
        }
    }
}
