//! DTLS in captures put together by hand, and what ClientHellos and certificates of the lab hold, by tshark and OpenSSL.
#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used, reason = "a test may fail")]

mod common;
mod craft;
mod dialogue;

use common::{Run, analyze, frames, list};
use dialogue::{Answer, Dialogue, Peer, dtls, name};
use serde_json::Value;

const A: Peer = Peer { ufrag: "AAAA", address: ([10, 0, 0, 1], 5000), controlling: true, tie_breaker: 0x1111_2222 };
const B: Peer = Peer { ufrag: "BBBB", address: ([10, 9, 0, 9], 6000), controlling: false, tie_breaker: 0x3333_4444 };

/// The random by which a ServerHello is a HelloRetryRequest: SHA-256 of that word (RFC 8446 section 4.1.3).
const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11,
    0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

const X25519: u16 = 29;
const SECP256R1: u16 = 23;

fn only(run: &Run) -> &Value {
    let sessions: Vec<&Value> = run.sessions().collect();
    assert_eq!(sessions.len(), 1, "{} calls", sessions.len());
    sessions[0]
}

fn near(value: &Value, expected: f64) {
    let value = value.as_f64().unwrap_or(f64::NAN);
    assert!((value - expected).abs() < 1e-6, "{value}, not {expected}");
}

fn extension(kind: u16, value: &[u8]) -> Vec<u8> {
    [kind.to_be_bytes().as_slice(), &(value.len() as u16).to_be_bytes(), value].concat()
}

fn with_extensions(mut body: Vec<u8>, extensions: &[Vec<u8>]) -> Vec<u8> {
    let extensions = extensions.concat();
    body.extend((extensions.len() as u16).to_be_bytes());
    body.extend(extensions);
    body
}

/// A DTLS 1.3 ClientHello (RFC 9147 section 5.3) with one key share, and perhaps the server's cookie.
fn client_hello_1_3(share: u16, cookie: bool) -> Vec<u8> {
    let mut body = vec![0xfe, 0xfd];
    body.extend([7; 32]);
    body.extend([0, 0, 0, 2, 0x13, 0x01, 1, 0]);
    let key = [0x44; 32];
    let share = [&36_u16.to_be_bytes(), share.to_be_bytes().as_slice(), &32_u16.to_be_bytes(), &key].concat();
    let mut extensions = vec![
        extension(43, &[2, 0xfe, 0xfc]),
        extension(10, &[0, 4, 0, 29, 0, 23]),
        extension(51, &share),
        extension(14, &[0, 2, 0, 1, 0]),
    ];
    if cookie {
        extensions.push(extension(44, &[0, 4, 1, 2, 3, 4]));
    }
    with_extensions(body, &extensions)
}

/// A DTLS 1.3 ServerHello, or with the random of one a HelloRetryRequest, which names a group alone.
fn server_hello_1_3(random: [u8; 32]) -> Vec<u8> {
    let mut body = vec![0xfe, 0xfd];
    body.extend(random);
    body.extend([0, 0x13, 0x01, 0]);
    let mut share = SECP256R1.to_be_bytes().to_vec();
    let mut extensions = vec![extension(43, &[0xfe, 0xfc])];
    if random == RETRY {
        extensions.push(extension(44, &[0, 4, 1, 2, 3, 4]));
    } else {
        share.extend(32_u16.to_be_bytes());
        share.extend([0x45; 32]);
    }
    extensions.push(extension(51, &share));
    with_extensions(body, &extensions)
}

/// A DTLS 1.3 record with a sequence number of 16 bits and a length (RFC 9147 section 4).
fn ciphertext(epoch: u8, sequence_number: u16, length: u16) -> Vec<u8> {
    let mut record = vec![0x2c | (epoch & 3)];
    record.extend(sequence_number.to_be_bytes());
    record.extend(length.to_be_bytes());
    record.resize(record.len() + usize::from(length), 0x99);
    record
}

#[test]
fn a_hello_retry_request() {
    let mut dialogue = Dialogue::default();
    dialogue.connect(0.0, &A, &B);
    let to_server = [
        (0.2, dtls::message(1, 0, &client_hello_1_3(X25519, false))),
        (0.24, dtls::message(1, 1, &client_hello_1_3(SECP256R1, true))),
        (0.28, ciphertext(2, 0, 90)),
    ];
    let to_client = [
        (0.22, dtls::message(2, 0, &server_hello_1_3(RETRY))),
        (0.26, [dtls::message(2, 1, &server_hello_1_3([8; 32])), ciphertext(2, 0, 500)].concat()),
    ];
    for (seconds, datagram) in &to_server {
        dialogue.datagram(*seconds, B.address, A.address, datagram);
    }
    for (seconds, datagram) in &to_client {
        dialogue.datagram(*seconds, A.address, B.address, datagram);
    }
    dialogue.media(0.4, 4.0, A.address, B.address, 0xa1);
    dialogue.media(0.4, 4.0, B.address, A.address, 0xa2);
    let run = dialogue.run();
    let securing = &only(&run)["securing"];
    assert_eq!((&securing["status"], &securing["dtlsVersion"]), (&"ok".into(), &"1.3".into()));
    assert_eq!((&securing["cookieRounds"], &securing["retransmissions"]), (&1.into(), &0.into()));
    assert_eq!((&securing["dtlsCipher"], &securing["group"]), (&"TLS_AES_128_GCM_SHA256".into(), &"secp256r1".into()));
    assert_eq!(securing["clientRole"], name(B.address));
    let messages: Vec<(&str, f64)> = list(&securing["handshakeMessages"])
        .iter()
        .map(|message| (message["type"].as_str().unwrap(), message["time"].as_f64().unwrap()))
        .collect();
    let expected =
        [("Client Hello", 0.2), ("Hello Retry Request", 0.22), ("Client Hello", 0.24), ("Server Hello", 0.26)];
    assert_eq!(messages, expected);
    assert_eq!(securing["offered"]["versions"][0], "1.3");
    near(&securing["startTime"], 0.2);
}

/// Nothing of the server comes: the client asks four times, as RFC 6347 section 4.2.4.1 has it, while ICE goes on.
#[test]
fn a_server_that_is_silent() {
    let build = || {
        let mut dialogue = Dialogue::default();
        dialogue.connect(0.0, &A, &B);
        let hello = dtls::message(1, 0, &dtls::client_hello(7));
        for (time, seconds) in (0..).zip([0.2, 1.2, 3.2, 7.2]) {
            dialogue.datagram(seconds, B.address, A.address, &dtls::again(&hello, time));
        }
        for second in 1..15 {
            dialogue.check(f64::from(second), [&A, &B], &[], Answer::Success);
        }
        dialogue
    };
    let run = build().run();
    let call = only(&run);
    assert_eq!((run.status, &run.report["verdict"]), (1, &"fail".into()));
    assert_eq!((&call["connecting"]["status"], &call["securing"]["status"]), (&"ok".into(), &"failed".into()));
    let stop = &call["securing"]["stoppedAt"];
    assert_eq!((&stop["message"], &stop["sender"]), (&"Client Hello".into(), &name(B.address).into()));
    assert_eq!((&stop["silent"], &stop["neverAnswered"]), (&name(A.address).into(), &true.into()));
    assert_eq!((&stop["times"], &stop["answersLost"]), (&4.into(), &false.into()));
    near(&stop["lastTime"], 7.2);
    let hello = &call["securing"]["handshakeMessages"][0];
    assert_eq!(hello["retransmissions"], 3);
    let times: Vec<f64> = list(&hello["retransmissionTimes"]).iter().map(|time| time.as_f64().unwrap()).collect();
    assert_eq!(times, [1.2, 3.2, 7.2]);
    assert_eq!(call["securing"]["handshakeDuration"], Value::Null);
    let text = build().text().split_whitespace().collect::<Vec<_>>().join(" ");
    let said = "DTLS stopped at Client Hello: 10.0.0.1:5000 never answered, sent 4 times";
    assert!(text.contains(said), "{text}");
}

/// The server's flight passes the tap, and the client repeats its hello: it is the way behind the tap that loses.
#[test]
fn answers_that_are_lost_behind_the_tap() {
    let mut dialogue = Dialogue::default();
    dialogue.connect(0.0, &A, &B);
    let [hello, answer, ..] = dtls::flights(7);
    for (time, seconds) in (0..).zip([0.2, 1.2, 3.2, 7.2]) {
        dialogue.datagram(seconds, B.address, A.address, &dtls::again(&hello, time));
        dialogue.datagram(seconds + 0.01, A.address, B.address, &dtls::again(&answer, time));
    }
    for second in 1..15 {
        dialogue.check(f64::from(second), [&A, &B], &[], Answer::Success);
    }
    let run = dialogue.run();
    let securing = &only(&run)["securing"];
    assert_eq!(securing["status"], "failed");
    let stop = &securing["stoppedAt"];
    assert_eq!((&stop["silent"], &stop["neverAnswered"]), (&name(B.address).into(), &false.into()));
    assert_eq!(stop["answersLost"], true);
    // Three times again: the hello, and both messages of the answer.
    assert_eq!(securing["retransmissions"], 9);
}

/// `tshark -n -r FILE -Y 'dtls.handshake.type==1' -T fields -e dtls.handshake.extensions_supported_group
/// -e dtls.handshake.extensions_key_share_group -e dtls.handshake.sig_hash_alg -e dtls.handshake.ciphersuite
/// -e dtls.use_srtp.protection_profile -e dtls.handshake.extensions.supported_version`, in IANA's words.
#[test]
fn what_a_browser_offers() {
    let Some(captures) = frames::captures() else { return };
    let run = analyze(&captures.join("lab/chromium-av-clean/capture.pcapng"));
    let offered = &only(&run)["securing"]["offered"];
    // 0x11ec, 0x001d, 0x0017, 0x0018
    assert_eq!(offered["groups"], *json(&["X25519MLKEM768", "x25519", "secp256r1", "secp384r1"]));
    // 4588, 29
    assert_eq!(offered["keyShares"], *json(&["X25519MLKEM768", "x25519"]));
    // 0xfefc, 0xfefd
    assert_eq!(offered["versions"], *json(&["1.3", "1.2"]));
    // 0x0001, 0x0008, 0x0007
    let profiles = ["SRTP_AES128_CM_HMAC_SHA1_80", "SRTP_AEAD_AES_256_GCM", "SRTP_AEAD_AES_128_GCM"];
    assert_eq!(offered["srtpProfiles"], *json(&profiles));
    // 0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601, 0x0201
    let schemes = [
        "ecdsa_secp256r1_sha256",
        "rsa_pss_rsae_sha256",
        "rsa_pkcs1_sha256",
        "ecdsa_secp384r1_sha384",
        "rsa_pss_rsae_sha384",
        "rsa_pkcs1_sha384",
        "rsa_pss_rsae_sha512",
        "rsa_pkcs1_sha512",
        "rsa_pkcs1_sha1",
    ];
    assert_eq!(offered["signatureAlgorithms"], *json(&schemes));
    // 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xcca9, 0xcca8, 0xc009, 0xc013, 0xc00a, 0xc014, 0x009c, 0x002f, 0x0035
    let ciphers = [
        "TLS_AES_128_GCM_SHA256",
        "TLS_AES_256_GCM_SHA384",
        "TLS_CHACHA20_POLY1305_SHA256",
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
        "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
        "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
        "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
        "TLS_RSA_WITH_AES_128_GCM_SHA256",
        "TLS_RSA_WITH_AES_128_CBC_SHA",
        "TLS_RSA_WITH_AES_256_CBC_SHA",
    ];
    assert_eq!(offered["ciphers"], *json(&ciphers));
}

/// The same of OpenSSL, with which `dtls.handshake.server_named_curve` and the first `dtls.handshake.sig_hash_alg` of
/// its ServerKeyExchange are 0x001d and 0x0403.
#[test]
fn what_openssl_offers() {
    let Some(captures) = frames::captures() else { return };
    let run = analyze(&captures.join("labb/aiortc-sha1-clean/capture.pcapng"));
    let securing = &only(&run)["securing"];
    let offered = &securing["offered"];
    // 0x001d, 0x0017, 0x001e, 0x0018, 0x0019
    assert_eq!(offered["groups"], *json(&["x25519", "secp256r1", "x448", "secp384r1", "secp521r1"]));
    // 0x0403, 0x0503, 0x0603, 0x0807 to 0x080b, 0x0804 to 0x0806, 0x0401, 0x0501, 0x0601; six more are of TLS 1.2 alone.
    let schemes = [
        "ecdsa_secp256r1_sha256",
        "ecdsa_secp384r1_sha384",
        "ecdsa_secp521r1_sha512",
        "ed25519",
        "ed448",
        "rsa_pss_pss_sha256",
        "rsa_pss_pss_sha384",
        "rsa_pss_pss_sha512",
        "rsa_pss_rsae_sha256",
        "rsa_pss_rsae_sha384",
        "rsa_pss_rsae_sha512",
        "rsa_pkcs1_sha256",
        "rsa_pkcs1_sha384",
        "rsa_pkcs1_sha512",
    ];
    let found = list(&offered["signatureAlgorithms"]);
    assert_eq!((found.len(), &found[..schemes.len()]), (20, list(&json(&schemes))));
    // 0xc02b, 0xcca9, 0xc009, 0xc00a
    let ciphers = [
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
        "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    ];
    assert_eq!(offered["ciphers"], *json(&ciphers));
    assert_eq!(offered["srtpProfiles"], *json(&["SRTP_AES128_CM_HMAC_SHA1_80"]));
    assert_eq!(
        (&securing["group"], &securing["signatureAlgorithm"]),
        (&"x25519".into(), &"ecdsa_secp256r1_sha256".into())
    );
}

fn json(words: &[&str]) -> Box<Value> {
    Box::new(words.iter().copied().map(Value::from).collect())
}

/// `tshark -n -r FILE -Y dtls.handshake.certificate -T fields -e frame.number -e dtls.handshake.certificate`, each
/// through `xxd -r -p | openssl x509 -inform der -noout -subject -issuer -startdate -enddate -fingerprint -sha256`.
#[test]
fn certificates_by_openssl() {
    let Some(captures) = frames::captures() else { return };
    let run = analyze(&captures.join("labb/aiortc-sha1-clean/capture.pcapng"));
    let certificates = list(&only(&run)["securing"]["certificates"]);
    let expected = [
        (
            23,
            "10.21.0.2:38165",
            "4e53bd44b0b72033a9f16bb38225443f",
            "2F:40:FA:21:92:F5:EC:02:7F:4F:DE:BC:0E:0F:31:94:4A:AE:CF:39:25:EE:10:F9:59:BC:8D:01:07:26:66:26",
        ),
        (
            24,
            "10.22.0.2:54591",
            "9fe02dd038ac4916a4892c6f3cb05492",
            "32:35:C0:EA:BA:A9:16:23:FD:A7:EE:36:DA:04:C0:EB:7E:37:F1:15:3D:62:4F:9A:1E:0A:89:DE:39:9A:D1:51",
        ),
    ];
    assert_eq!(certificates.len(), expected.len());
    for (certificate, (packet, sender, common_name, fingerprint)) in certificates.iter().zip(expected) {
        assert_eq!((&certificate["packet"], &certificate["sender"]), (&packet.into(), &sender.into()));
        assert_eq!((&certificate["subject"], &certificate["issuer"]), (&common_name.into(), &common_name.into()));
        assert_eq!((&certificate["fingerprint"], &certificate["selfSigned"]), (&fingerprint.into(), &true.into()));
        // notBefore=Nov 21 08:09:19 2026 GMT, notAfter=Dec 22 08:09:19 2026 GMT; RFC 3339 knows several ways to write it.
        for (key, time) in [("notBeforeAt", "2026-11-21T08:09:19"), ("notAfterAt", "2026-12-22T08:09:19")] {
            let found = certificate[key].as_str().unwrap();
            assert!(found.starts_with(time) && found.ends_with('Z'), "{key}: {found}");
        }
        // id-ecPublicKey, prime256v1.
        assert_eq!((&certificate["keyType"], &certificate["keyBits"]), (&"EC".into(), &256.into()));
    }
}

/// Two transports of one agent, as without BUNDLE: each with a handshake of its own.
#[test]
fn transports_without_bundle() {
    let video = |peer: Peer, ufrag| Peer { ufrag, address: (peer.address.0, peer.address.1 + 2), ..peer };
    let (a, b) = (video(A, "CCCC"), video(B, "DDDD"));
    for answered in [true, false] {
        let mut dialogue = Dialogue::default();
        dialogue.call(0.0, 9.0, &A, &B, 0xa1);
        dialogue.connect(0.05, &a, &b);
        if answered {
            dialogue.handshake(0.3, a.address, b.address, 0xb1);
            dialogue.media(0.6, 9.0, a.address, b.address, 0xb1);
        } else {
            for (time, wait) in [0.0, 1.0, 3.0, 7.0].into_iter().enumerate() {
                let hello = dtls::again(&dtls::message(1, 0, &dtls::client_hello(0xb1)), time as u8);
                dialogue.datagram(0.3 + wait, a.address, b.address, &hello);
            }
        }
        let capture = dialogue.bytes();
        let run = dialogue::run(&capture);
        let securing = &only(&run)["securing"];
        assert_eq!(securing["status"], if answered { "ok" } else { "failed" });
        let all = list(&securing["dtlsAssociations"]);
        assert_eq!((all.len(), &securing["associations"]), (2, &2.into()));
        let ends =
            |one: &Value| list(&one["ends"]).iter().map(|end| end.as_str().unwrap().to_owned()).collect::<Vec<_>>();
        assert_eq!(ends(&all[0]), [A, B].map(|peer| name(peer.address)));
        assert_eq!(ends(&all[1]), [a, b].map(|peer| name(peer.address)));
        assert_eq!((&all[0]["status"], &all[0]["clientRole"]), (&"ok".into(), &name(B.address).into()));
        assert_eq!(all[1]["clientRole"], name(a.address));
        assert_eq!((&all[0]["dtlsVersion"], &all[0]["hasMedia"]), (&"1.2".into(), &true.into()));
        assert_eq!(all[0]["srtpProfile"], "SRTP_AES128_CM_HMAC_SHA1_80");
        near(&all[0]["startTime"], 0.2);
        near(&all[0]["handshakeDuration"], 0.06);
        let failures = list(&run.report["findings"]).iter().filter(|finding| finding["rule"] == "SEC001").count();
        if answered {
            near(&all[1]["handshakeDuration"], 0.06);
            assert_eq!((&all[1]["status"], failures, run.status), (&"ok".into(), 0, 0));
        } else {
            assert_eq!((&all[1]["status"], &all[1]["retransmissions"]), (&"failed".into(), &3.into()));
            assert_eq!(securing["stoppedAt"]["times"], 4, "the step tells of the one that failed");
            assert_eq!((failures, run.status), (1, 1));
        }
    }
}

/// ICE takes another pair in the middle of a handshake.
#[test]
fn a_handshake_over_two_pairs() {
    let other = Peer { address: ([10, 0, 0, 2], 5002), ..A };
    // Also where the other address of A sorts behind B's.
    let beyond = Peer { address: ([172, 16, 0, 2], 5002), ..A };
    for other in [other, beyond] {
        for first_half in 1..4 {
            let mut dialogue = Dialogue::default();
            dialogue.connect(0.0, &A, &B);
            dialogue.connect(0.05, &other, &B);
            for (flight, datagram) in dtls::flights(9).iter().enumerate() {
                let end = if flight < first_half { A.address } else { other.address };
                let (from, to) = if flight % 2 == 0 { (B.address, end) } else { (end, B.address) };
                dialogue.datagram(0.3 + 0.02 * flight as f64, from, to, datagram);
            }
            dialogue.media(0.5, 9.0, other.address, B.address, 0xa1);
            let run = dialogue.run();
            let securing = &only(&run)["securing"];
            let what = format!("{first_half} of 4 flights first");
            assert_eq!((&securing["status"], &securing["associations"]), (&"ok".into(), &1.into()), "{what}");
            near(&securing["startTime"], 0.3);
            near(&securing["handshakeDuration"], 0.06);
            assert_eq!((&securing["stoppedAt"], &securing["retransmissions"]), (&Value::Null, &0.into()), "{what}");
            let messages: Vec<&str> =
                list(&securing["handshakeMessages"]).iter().map(|message| message["type"].as_str().unwrap()).collect();
            assert_eq!(
                messages,
                ["Client Hello", "Server Hello", "Server Hello Done", "Client Key Exchange"],
                "{what}"
            );
            let senders: Vec<&str> = list(&securing["handshakeMessages"])
                .iter()
                .map(|message| message["sender"].as_str().unwrap())
                .collect();
            assert_eq!((senders[0], senders[3]), (&*name(B.address), &*name(B.address)), "{what}");
            assert_eq!(list(&securing["dtlsAssociations"])[0]["paths"], 2, "{what}");
            assert_eq!(run.report["verdict"], "pass", "{what}: {}", run.report["findings"]);
        }
    }
}
