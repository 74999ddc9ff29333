//! Any bytes as a DTLS datagram: everything reachable read, then shown.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rtcscope::{
    report::packet::{Protocol, line, tree},
    wire::dtls::{
        handshake::{ClientHello, ServerHello},
        looks_like_dtls, records,
    },
};

fuzz_target!(|data: &[u8]| {
    client(data);
    server(data);
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

fn client(body: &[u8]) {
    let Ok(hello) = ClientHello::parse(body) else { return };
    let _ = (hello.best_version(), hello.cookie(), hello.server_name());
    drop((hello.cipher_suites().count(), hello.srtp_profiles().count(), hello.groups().count()));
    drop((hello.key_shares().count(), hello.extensions().count()));
}

fn server(body: &[u8]) {
    let Ok(hello) = ServerHello::parse(body) else { return };
    let _ = (hello.selected_version(), hello.srtp_profile(), hello.key_share_group(), hello.is_retry_request());
}
