//! Any bytes as records of connections whose keys are known: none of them opens, and nothing fails in another way. The
//! first byte is the suite, the second how long connection ids are.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rtcscope::{
    crypto::{
        keylog::KeyLog,
        tls::{Datagrams12, Datagrams13, Negotiated, Side, Stream12, Stream13, StreamRecord},
    },
    wire::dtls::records,
};

/// One suite of each kind of protection.
const SUITES: [u16; 10] = [0x0001, 0x002f, 0x003d, 0x009d, 0xc02b, 0xc0ac, 0xc0ae, 0xc0af, 0xcca9, 0xc028];

fuzz_target!(|data: &[u8]| {
    let [choice, id_length, bytes @ ..] = data else { return };
    let number = usize::from(*choice);
    let (id, mut buffer) = (usize::from(*id_length), Vec::new());
    let mut negotiated = Negotiated {
        version: 0xfefd,
        cipher_suite: SUITES[number % SUITES.len()],
        client_random: &[1; 32],
        server_random: &[2; 32],
        encrypt_then_mac: number >= 128,
    };
    let old = Datagrams12::new(&negotiated, &[3; 48]).expect("a suite that is known").with_connection_ids([id, id]);
    negotiated.version = 0x0303;
    let mut old_stream = Stream12::new(&negotiated, &[3; 48]).expect("a suite that is known");
    let suite = 0x1301 + *choice as u16 % 5;
    let log = log(if suite == 0x1302 { 48 } else { 32 });
    let secrets = log.secrets(&[1; 32]).expect("the secrets of the log");
    let mut new = Datagrams13::new(suite, secrets).expect("secrets that fit").with_connection_ids([id, id]);
    let mut new_stream = Stream13::new(suite, secrets).expect("secrets that fit");
    for side in [Side::Client, Side::Server] {
        for record in records(bytes, bytes.len() + id).flatten() {
            assert!(old.open(side, &record, &mut buffer).is_err());
            assert!(new.open(side, &record, &mut buffer).is_err());
        }
        let record = StreamRecord { content_type: id_length % 32, version: 0x0303, content: bytes };
        assert!(old_stream.open(side, &record, &mut buffer).is_err());
        assert!(new_stream.open(side, &record, &mut buffer).is_err());
    }
});

/// All labels for one random.
fn log(length: usize) -> KeyLog {
    let mut log = KeyLog::default();
    for label in [
        "CLIENT_EARLY_TRAFFIC_SECRET",
        "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
        "SERVER_HANDSHAKE_TRAFFIC_SECRET",
        "CLIENT_TRAFFIC_SECRET_0",
        "SERVER_TRAFFIC_SECRET_0",
    ] {
        log.take(format!("{label} {} {}", "01".repeat(32), "04".repeat(length)).as_bytes());
    }
    log
}
