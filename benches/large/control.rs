//! What surrounds the media of a call: connectivity checks, the DTLS handshake and SRTCP.

use super::random::Random;

/// A STUN message type of RFC 8489 section 5.
pub const BINDING_REQUEST: u16 = 0x0001;
/// The answer to it.
pub const BINDING_RESPONSE: u16 = 0x0101;

/// A connectivity check of RFC 8445 or its answer, with a right fingerprint.
pub fn binding(kind: u16, transaction: [u8; 12], random: &mut Random) -> Vec<u8> {
    const HEADER: usize = 20;
    let mut message = Vec::with_capacity(128);
    message.extend_from_slice(&kind.to_be_bytes());
    message.extend_from_slice(&[0, 0, 0x21, 0x12, 0xa4, 0x42]);
    message.extend_from_slice(&transaction);
    let mut attribute = |kind: u16, value: &[u8]| {
        message.extend_from_slice(&kind.to_be_bytes());
        message.extend_from_slice(&(value.len() as u16).to_be_bytes());
        message.extend_from_slice(value);
        message.resize(message.len().next_multiple_of(4), 0);
    };
    if kind == BINDING_REQUEST {
        attribute(0x0006, b"9uB6:EsAw");
        attribute(0xc057, &[0, 0, 0, 10]);
        attribute(0x802a, &random.next().to_be_bytes());
        attribute(0x0024, &[0x6e, 0x7f, 0x1e, 0xff]);
    } else {
        attribute(0x0020, &[0, 1, 0xe1, 0x2b, 0x5e, 0x12, 0xa4, 0x43]);
    }
    attribute(0x0008, &random.bytes(20));
    const FINGERPRINT: usize = 8;
    let length = message.len() - HEADER + FINGERPRINT;
    message[2..4].copy_from_slice(&(length as u16).to_be_bytes());
    let mut crc = flate2::Crc::new();
    crc.update(&message);
    message.extend_from_slice(&[0x80, 0x28, 0, 4]);
    message.extend_from_slice(&(crc.sum() ^ 0x5354_554e).to_be_bytes());
    message
}

/// The datagrams of a DTLS 1.2 handshake in turn, the client's first. Bodies that no look-alike needs are noise.
pub fn handshake(random: &mut Random) -> [Vec<u8>; 4] {
    let mut client_hello = vec![0xfe, 0xfd];
    client_hello.extend(random.bytes(32));
    // No session, no cookie, one cipher suite, no compression, and use_srtp (RFC 5764) as the only extension.
    client_hello.extend_from_slice(&[0, 0, 0, 2, 0xc0, 0x2b, 1, 0, 0, 9, 0, 14, 0, 5, 0, 2, 0, 1, 0]);
    let mut server_hello = vec![0xfe, 0xfd];
    server_hello.extend(random.bytes(32));
    server_hello.extend_from_slice(&[0, 0xc0, 0x2b, 0, 0, 9, 0, 14, 0, 5, 0, 2, 0, 1, 0]);
    let noise = |kind: u8, length: usize, random: &mut Random| (kind, random.bytes(length));
    let server =
        [(2, server_hello), noise(11, 310, random), noise(12, 144, random), noise(13, 24, random), (14, Vec::new())];
    let client = [noise(11, 310, random), noise(16, 66, random), noise(15, 76, random)];
    let finish = |flight: &mut Vec<u8>, sequence: u8, random: &mut Random| {
        flight.extend(record(20, 0, sequence, &[1]));
        flight.extend(record(22, 1, 0, &random.bytes(48)));
    };
    let mut client_flight = flight(1, &client);
    finish(&mut client_flight, 9, random);
    let mut server_finish = Vec::new();
    finish(&mut server_finish, 9, random);
    [flight(0, &[(1, client_hello)]), flight(0, &server), client_flight, server_finish]
}

/// A record of encrypted application data: what data channels send.
pub fn application_data(sequence: u8, random: &mut Random) -> Vec<u8> {
    record(23, 1, sequence, &random.bytes(72))
}

fn flight(first: u8, messages: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut datagram = Vec::new();
    for (sequence, (kind, body)) in (first..).zip(messages) {
        let [_, l0, l1, l2] = (body.len() as u32).to_be_bytes();
        let mut fragment = vec![*kind, l0, l1, l2, 0, sequence, 0, 0, 0, l0, l1, l2];
        fragment.extend_from_slice(body);
        datagram.extend(record(22, 0, sequence, &fragment));
    }
    datagram
}

/// A DTLS 1.2 record (RFC 6347 section 4.1).
fn record(content_type: u8, epoch: u8, sequence: u8, fragment: &[u8]) -> Vec<u8> {
    let [l0, l1] = (fragment.len() as u16).to_be_bytes();
    let mut record = vec![content_type, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, sequence, l0, l1];
    record.extend_from_slice(fragment);
    record
}

/// An SRTCP packet (RFC 3711 section 3.4): a clear header, noise, the index with the E bit, and a tag of ten bytes.
/// `first` is the first byte, `words` the length that the first RTCP packet states.
pub fn srtcp(first: u8, packet_type: u8, words: u16, ssrc: u32, index: u32, random: &mut Random) -> Vec<u8> {
    const TAG: usize = 10;
    let mut packet = vec![first, packet_type];
    packet.extend_from_slice(&words.to_be_bytes());
    packet.extend_from_slice(&ssrc.to_be_bytes());
    packet.extend(random.bytes(usize::from(words) * 4 - 4));
    packet.extend_from_slice(&(0x8000_0000 | index).to_be_bytes());
    packet.extend(random.bytes(TAG));
    packet
}
