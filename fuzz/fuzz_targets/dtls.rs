//! Any bytes as a DTLS datagram: everything reachable read, followed as a flow's association, then shown.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rtcscope::{
    flow::{datagram::Datagram, dtls::Dtls},
    report::packet::{Protocol, line, tree},
    time::{PacketId, Timestamp},
    wire::dtls::{
        certificate::{certificates, key_exchange_group},
        handshake::{ClientHello, ServerHello},
        looks_like_dtls, records,
    },
};

fuzz_target!(|data: &[u8]| {
    client(data);
    server(data);
    associations(data);
    let _ = (certificates(data).count(), key_exchange_group(data));
    for wire_length in [data.len(), data.len() + 100] {
        let _ = looks_like_dtls(data, wire_length);
        for record in records(data, wire_length).flatten() {
            assert!(record.offset + record.header_length + record.content.len() <= data.len());
            let _ = record.alert();
            for handshake in record.handshakes().flatten() {
                let _ = (handshake.client_hello(), handshake.server_hello());
            }
        }
        drop((line(Protocol::Dtls, data, wire_length), tree(Protocol::Dtls, data, 42, wire_length)));
    }
});

/// The bytes as one datagram, and cut into several: the first byte of each part says who sends it and how long it is.
fn associations(data: &[u8]) {
    let mut dtls = Dtls::default();
    let mut push = |number: u64, direction: u8, bytes: &[u8]| {
        let (time, id) = (Timestamp(number.cast_signed()), PacketId::new(0, number));
        let datagram =
            Datagram { time, id, bytes, length: bytes.len(), direction: usize::from(direction & 1), holes: 0 };
        let _ = dtls.push(&datagram);
        dtls.suspect(&datagram);
    };
    push(0, 0, data);
    let (mut rest, mut number) = (data, 1);
    while let Some((&head, tail)) = rest.split_first() {
        let (bytes, behind) = tail.split_at(usize::from(head >> 1).min(tail.len()));
        push(number, head, bytes);
        (rest, number) = (behind, number + 1);
    }
    for record in dtls.finish(true).associations {
        assert!(record.messages.len() <= 48 && record.certificates.len() <= 16);
        let _ = (record.stop(), record.start(), record.fatal_alert());
    }
}

fn client(body: &[u8]) {
    let Ok(hello) = ClientHello::parse(body) else { return };
    let _ = (hello.best_version(), hello.cookie(), hello.server_name());
    let _ = (hello.cipher_suites().count(), hello.srtp_profiles().count(), hello.groups().count());
    let _ = (hello.key_shares().count(), hello.extensions().count());
    let _ = (hello.signature_algorithms().count(), hello.application_protocols().count(), hello.connection_id());
}

fn server(body: &[u8]) {
    let Ok(hello) = ServerHello::parse(body) else { return };
    let _ = (hello.selected_version(), hello.srtp_profile(), hello.key_share_group(), hello.is_retry_request());
}
