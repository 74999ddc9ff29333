//! Records and keys that others made: RFC 8448's, OpenSSL's, and those of another implementation where no peer was at
//! hand. Each file of `vectors/` says how it was made.
#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test may fail")]

use proptest::prelude::*;
use rtcscope::{
    crypto::{
        keylog::{KeyLog, Secrets},
        tls::{Datagrams12, Datagrams13, Failure, Negotiated, Opened, Side, Stream13, StreamRecord, Unusable},
    },
    wire::dtls::{self, Record},
};

const OPENSSL: &str = include_str!("vectors/dtls12_openssl.txt");
const CONNECTION_IDS: &str = include_str!("vectors/dtls12_connection_id.txt");
const DTLS_1_3: &str = include_str!("vectors/dtls13.txt");
const TLS_1_3: &str = include_str!("vectors/tls13.txt");

fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> = digits.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// The cases of a file, each in lines of words.
fn cases(text: &'static str) -> Vec<Vec<Vec<&'static str>>> {
    let mut cases: Vec<Vec<Vec<_>>> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if line.starts_with("case") {
            cases.push(Vec::new());
        }
        cases.last_mut().unwrap().push(line.split(' ').collect());
    }
    cases
}

fn side(word: &str) -> Side {
    if word == "client" { Side::Client } else { Side::Server }
}

fn only_record(bytes: &[u8]) -> Record<'_> {
    dtls::records(bytes, bytes.len()).next().unwrap().unwrap()
}

/// An opener for a case of DTLS 1.2 and before.
fn datagrams12(case: &[Vec<&str>], version: u16, suite: &str, mode: &str) -> Datagrams12 {
    let value = |name: &str| hex(case.iter().find(|line| line[0] == name).unwrap()[1]);
    let negotiated = Negotiated {
        version,
        cipher_suite: u16::from_str_radix(suite, 16).unwrap(),
        client_random: &value("client-random").try_into().unwrap(),
        server_random: &value("server-random").try_into().unwrap(),
        encrypt_then_mac: mode == "encrypt-then-mac",
    };
    Datagrams12::new(&negotiated, &value("master")).unwrap()
}

#[test]
fn records_of_openssl() {
    let all = cases(OPENSSL);
    assert_eq!(all.len(), 16);
    let mut buffer = Vec::new();
    for case in all {
        let [_, name, version, suite, mode] = case[0][..] else { panic!("{:?}", case[0]) };
        let opener = datagrams12(&case, u16::from_str_radix(version, 16).unwrap(), suite, mode);
        let mut lines = Vec::new();
        for line in case.iter().filter(|line| matches!(line[0], "client" | "server")) {
            let bytes = hex(line[1]);
            let record = only_record(&bytes);
            let opened = opener.open(side(line[0]), &record, &mut buffer);
            let opened = opened.unwrap_or_else(|failure| panic!("{name} {mode}: {failure:?}"));
            match opened.content_type {
                // Finished: its header, and 12 bytes (RFC 5246 section 7.4.9).
                22 => assert_eq!((opened.plaintext.len(), opened.plaintext[0]), (24, 20), "{name}"),
                23 => lines.push(String::from_utf8(opened.plaintext.to_vec()).unwrap()),
                // close_notify, or that of a client that ends.
                other => assert_eq!((other, opened.plaintext.len()), (21, 2), "{name}"),
            }
        }
        lines.sort();
        assert_eq!(lines, ["hello from the client\n", "hello from the server\n"], "{name}");
    }
}

#[test]
fn connection_ids_of_dtls_1_2() {
    let all = cases(CONNECTION_IDS);
    assert_eq!(all.len(), 4);
    let mut buffer = Vec::new();
    for case in all {
        let opener = datagrams12(&case, 0xfefd, case[0][1], case[0][2]).with_connection_ids([4, 0]);
        let line = case.last().unwrap();
        let mut bytes = hex(line[5]);
        let record = only_record(&bytes);
        let opened = opener.open(Side::Client, &record, &mut buffer).unwrap();
        assert_eq!((opened.content_type, opened.sequence, opened.behind), (23, 77, 0));
        assert_eq!(opened.plaintext, hex(line[4]));
        // Another record behind it, and an id that is not the peer's.
        bytes.extend([20, 0xfe, 0xfd]);
        let opened = opener.open(Side::Client, &only_record(&bytes), &mut buffer).unwrap();
        assert_eq!((opened.behind, opened.plaintext), (3, &hex(line[4])[..]));
        bytes[12] ^= 1;
        assert_eq!(opener.open(Side::Client, &only_record(&bytes), &mut buffer), Err(Failure::TagMismatch));
        assert!(buffer.is_empty());
    }
}

/// A line of the vectors of DTLS 1.3, opened.
fn expected<'b>(line: &[&str], plaintext: &'b [u8]) -> Opened<'b> {
    let number = |word: &str| word.parse::<u64>().unwrap();
    Opened {
        content_type: number(line[3]) as u8,
        epoch: number(line[1]),
        sequence: number(line[2]),
        plaintext,
        behind: 0,
    }
}

/// The secrets of a case, and its suite.
fn secrets13(case: &[Vec<&str>]) -> (u16, Secrets) {
    let mut log = KeyLog::default();
    for line in case.iter().filter(|line| line[0] == "log") {
        log.take(line[1..].join(" ").as_bytes());
    }
    let random: [u8; 32] = hex(case[1][2]).try_into().unwrap();
    (u16::from_str_radix(case[0][1], 16).unwrap(), log.secrets(&random).unwrap().clone())
}

fn datagrams13(case: &[Vec<&str>]) -> Datagrams13 {
    let (suite, secrets) = secrets13(case);
    Datagrams13::new(suite, &secrets).unwrap().with_connection_ids([3, 0])
}

#[test]
fn tls_1_3() {
    let all = cases(TLS_1_3);
    assert_eq!(all.len(), 5);
    let mut buffer = Vec::new();
    for case in all {
        let (suite, secrets) = secrets13(&case);
        let mut opener = Stream13::new(suite, &secrets).unwrap();
        for line in case.iter().filter(|line| matches!(line[0], "client" | "server")) {
            let (plaintext, content) = (hex(line[4]), hex(line[5]));
            let record = StreamRecord { content_type: 23, version: 0x0303, content: &content };
            let opened = opener.open(side(line[0]), &record, &mut buffer);
            assert_eq!(opened, Ok(expected(line, &plaintext)), "{} {line:?}", case[0][1]);
        }
    }
}

/// What OpenSSL's s_client exports (`-keymatexport EXTRACTOR-dtls_srtp -keymatexportlen 60`), and the line of its key log.
#[test]
fn keying_material_of_openssl() {
    for (suite, random, secret, exported) in [
        (
            0x1301,
            "555388f0025cadc6c277c524cf5a2443b004a4101bb48efcaf54edea22912359",
            "618c70a379834ffad8b1312c47d3cd5d6fad85a70f527e506b756a8b1ab86437",
            "BB2EE1079508D5274A3FA81764D60BE101E215F502562E4F4BFDC4B1A88E871A33C486A10D92FEDA689B8E0B16AB8425B2CDA3298CC7\
             030EDFB219A2",
        ),
        (
            0x1302,
            "7a8d22eb6e4176af743ef9c01255a19525f6dafd8644ef9cd7fb04b045b4a706",
            "3ca3b88dfa9a3327f5ab116cb169c69c1c620edf22a0a0857e49805969de09d3534b59fee9bf3ebb07cc1361f51cc1fb",
            "7F8CE5B814DBDA9A4C1B5AEB45B280FF7D4E91FAA2C2E6CC3C0E83483D00C63FF95B4B5909DC8F2729AA3B62C2A589D58D3AF82DA529\
             63FF7CBB19FE",
        ),
    ] {
        let mut log = KeyLog::default();
        log.take(format!("EXPORTER_SECRET {random} {secret}").as_bytes());
        let random: [u8; 32] = hex(random).try_into().unwrap();
        let opener = Stream13::new(suite, log.secrets(&random).unwrap()).unwrap();
        let mut output = [0; 60];
        opener.export("EXTRACTOR-dtls_srtp", &[], &mut output).unwrap();
        assert_eq!(output[..], hex(exported));
    }
}

#[test]
fn dtls_1_3() {
    let all = cases(DTLS_1_3);
    assert_eq!(all.len(), 5);
    let mut buffer = Vec::new();
    for case in all {
        let mut opener = datagrams13(&case);
        for line in case.iter().filter(|line| matches!(line[0], "client" | "server")) {
            let (plaintext, bytes) = (hex(line[4]), hex(line[5]));
            let opened = opener.open(side(line[0]), &only_record(&bytes), &mut buffer);
            assert_eq!(opened, Ok(expected(line, &plaintext)), "{} {line:?}", case[0][1]);
        }
        let export = case.iter().find(|line| line[0] == "export").unwrap();
        let mut output = [0; 60];
        opener.export("EXTRACTOR-dtls_srtp", &[], &mut output).unwrap();
        assert_eq!(output[..], hex(export[1]));
    }
}

#[test]
fn what_cannot_be_opened_says_why() {
    let all = cases(DTLS_1_3);
    let case = &all[0];
    let mut opener = datagrams13(case);
    let mut buffer = Vec::new();
    let clear = hex("16fefd0000000000000001000100");
    assert_eq!(opener.open(Side::Client, &only_record(&clear), &mut buffer), Err(Failure::Clear));
    let old = hex("17fefd0001000000000001000100");
    assert_eq!(opener.open(Side::Client, &only_record(&old), &mut buffer), Err(Failure::NoSecret));
    let short = hex("2f000000050102030405");
    assert_eq!(opener.open(Side::Server, &only_record(&short), &mut buffer), Err(Failure::TooShort));
    let line = case.iter().find(|line| line[0] == "server" && line[1] == "3").unwrap();
    let bytes = hex(line[5]);
    let cut = dtls::records(&bytes[..bytes.len() - 1], bytes.len()).next().unwrap().unwrap();
    assert_eq!(opener.open(Side::Server, &cut, &mut buffer), Err(Failure::Cut));
    assert_eq!(opener.open(Side::Client, &only_record(&bytes), &mut buffer), Err(Failure::TagMismatch));
    let all = cases(OPENSSL);
    let before = datagrams12(&all[0], 0xfefd, all[0][0][3], "plain");
    for (record, failure) in [
        ("16fefd0000000000000001000100", Failure::Clear),
        // Behind a renegotiation, and of DTLS 1.3.
        ("17fefd0002000000000001000100", Failure::NoSecret),
        ("2f000000050102030405", Failure::NoSecret),
        ("17fefd000100000000000100080000000000000000", Failure::TooShort),
        ("19fefd000100000000000101000800000000", Failure::TooShort),
    ] {
        assert_eq!(before.open(Side::Client, &only_record(&hex(record)), &mut buffer), Err(failure), "{record}");
    }
    // Only the master secret of another version is known.
    let mut log = KeyLog::default();
    log.take(format!("CLIENT_RANDOM {} {}", "ab".repeat(32), "cd".repeat(48)).as_bytes());
    let secrets = log.secrets(&[0xab; 32]).unwrap();
    let mut bare = Datagrams13::new(0x1301, secrets).unwrap();
    assert_eq!(bare.open(Side::Server, &only_record(&bytes), &mut buffer), Err(Failure::NoSecret));
    assert_eq!(bare.export("EXTRACTOR-dtls_srtp", &[], &mut [0; 60]), Err(Failure::NoSecret));
}

/// A peer's failing records, however many, do not keep the good ones from opening, nor the keys that come later.
#[test]
fn garbage_and_late_keys() {
    let all = cases(DTLS_1_3);
    let case = &all[0];
    let mut opener = Datagrams13::new(0x1301, &Secrets::default()).unwrap();
    let mut buffer = Vec::new();
    let line = case.iter().find(|line| line[0] == "server" && line[1] == "3").unwrap();
    let (plaintext, bytes) = (hex(line[4]), hex(line[5]));
    assert_eq!(opener.open(Side::Server, &only_record(&bytes), &mut buffer), Err(Failure::NoSecret));
    opener.learn(&secrets13(case).1).unwrap();
    let mut garbage = bytes.clone();
    *garbage.last_mut().unwrap() ^= 1;
    for _ in 0..500 {
        assert_eq!(opener.open(Side::Server, &only_record(&garbage), &mut buffer), Err(Failure::TagMismatch));
        assert!(buffer.is_empty());
    }
    assert_eq!(opener.open(Side::Server, &only_record(&bytes), &mut buffer), Ok(expected(line, &plaintext)));
}

#[test]
fn what_cannot_be_used_says_why() {
    let random = [0; 32];
    let new = |version, cipher_suite, master: &[u8]| {
        let negotiated = Negotiated {
            version,
            cipher_suite,
            client_random: &random,
            server_random: &random,
            encrypt_then_mac: false,
        };
        Datagrams12::new(&negotiated, master).err()
    };
    assert_eq!(new(0xfefd, 0xc02b, &[0; 48]), None);
    assert_eq!(new(0xfefd, 0x000a, &[0; 48]), Some(Unusable::Suite(0x000a)));
    assert_eq!(new(0xfefd, 0x1301, &[0; 48]), Some(Unusable::Suite(0x1301)));
    // AEAD suites are of version 1.2 (RFC 5288 section 4).
    assert_eq!(new(0xfeff, 0xc02b, &[0; 48]), Some(Unusable::Suite(0xc02b)));
    assert_eq!(new(0x0301, 0x002f, &[0; 48]), Some(Unusable::Version(0x0301)));
    assert_eq!(new(0xfefd, 0xc02b, &[0; 32]), Some(Unusable::SecretLength(32)));
    let mut log = KeyLog::default();
    log.take(format!("SERVER_TRAFFIC_SECRET_0 {} {}", "ab".repeat(32), "cd".repeat(48)).as_bytes());
    let secrets = log.secrets(&[0xab; 32]).unwrap();
    assert_eq!(Datagrams13::new(0x1301, secrets).err(), Some(Unusable::SecretLength(48)));
    assert_eq!(Datagrams13::new(0xc02b, secrets).err(), Some(Unusable::Suite(0xc02b)));
    assert!(Datagrams13::new(0x1302, secrets).is_ok());
    assert_eq!(Stream13::new(0x1303, secrets).err(), Some(Unusable::SecretLength(48)));
}

/// RFC 8448 section 3: the secrets, and the records that are sealed with them.
const RFC_8448_LOG: &str = "\
CLIENT_HANDSHAKE_TRAFFIC_SECRET cb34ecb1e78163ba1c38c6dacb196a6dffa21a8d9912ec18a2ef6283024dece7 \
b3eddb126e067f35a780b3abf45e2d8f3b1a950738f52e9600746a0e27a55a21
SERVER_HANDSHAKE_TRAFFIC_SECRET cb34ecb1e78163ba1c38c6dacb196a6dffa21a8d9912ec18a2ef6283024dece7 \
b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38
CLIENT_TRAFFIC_SECRET_0 cb34ecb1e78163ba1c38c6dacb196a6dffa21a8d9912ec18a2ef6283024dece7 \
9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5
SERVER_TRAFFIC_SECRET_0 cb34ecb1e78163ba1c38c6dacb196a6dffa21a8d9912ec18a2ef6283024dece7 \
a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643
";
const CLIENT_FINISHED: &str =
    "75ec4dc238cce60b298044a71e219c56cc77b0517fe9b93c7a4bfc44d87f38f80338ac98fc46deb384bd1caeacab6867d726c40546";
const CLIENT_DATA: &str = "a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5b46b395bd54a9a20441e2b62974e1f5a\
    6292a2977014bd1e3deae63aeebb21694915e4";
const CLIENT_ALERT: &str = "c9872760655666b74d7ff1153efd6db6d0b0e3";
const SERVER_TICKET: &str = "3a6b8f90414a97d6959c3487680de5134a2b240e6cffac116e95d41d6af8f6b580dcf3d11d63c758db289a015940252f\
    55713e061dc13e078891a38efbcf5753ad8ef170ad3c7353d16d9da773b9ca7f2b9fa1b6c0d4a3d03f75e09c30ba1e62972ac46f75f7b981be63\
    439b2999ce13064615139891d5e4c5b406f16e3fc181a77ca475840025db2f0a77f81b5ab05b94c01346755f69232c86519d86cbeeac87aac347\
    d143f9605d64f650db4d023e70e952ca49fe5137121c74bc2697687e248746d6df353005f3bce18696129c8153556b3b6c6779b37bf15985684f";
const SERVER_DATA: &str = "2e937e11ef4ac740e538ad36005fc4a46932fc3225d05f82aa1b36e30efaf97d90e6dffc602dcb501a59a8fcc49c4bf2\
    e5f0a21c0047c2abf332540dd032e167c2955d";
const SERVER_ALERT: &str = "b58fd67166ebf599d24720cfbe7efa7a8864a9";

fn rfc_8448() -> Stream13 {
    let mut log = KeyLog::default();
    log.take(RFC_8448_LOG.as_bytes());
    let random = hex("cb34ecb1e78163ba1c38c6dacb196a6dffa21a8d9912ec18a2ef6283024dece7").try_into().unwrap();
    Stream13::new(0x1301, log.secrets(&random).unwrap()).unwrap()
}

/// Type, epoch, sequence number and bytes of a record's content.
fn open(opener: &mut Stream13, side: Side, content: &str) -> Result<(u8, u64, u64, usize), Failure> {
    let (content, mut buffer) = (hex(content), Vec::new());
    let record = StreamRecord { content_type: 23, version: 0x0303, content: &content };
    let opened = opener.open(side, &record, &mut buffer)?;
    if opened.plaintext.len() == 50 {
        assert!(opened.plaintext.iter().copied().eq(0..50));
    }
    Ok((opened.content_type, opened.epoch, opened.sequence, opened.plaintext.len()))
}

#[test]
fn rfc_8448_in_order() {
    let mut opener = rfc_8448();
    assert_eq!(open(&mut opener, Side::Client, CLIENT_FINISHED), Ok((22, 2, 0, 36)));
    assert_eq!(open(&mut opener, Side::Client, CLIENT_DATA), Ok((23, 3, 0, 50)));
    assert_eq!(open(&mut opener, Side::Client, CLIENT_ALERT), Ok((21, 3, 1, 2)));
    assert_eq!(open(&mut opener, Side::Server, SERVER_TICKET), Ok((22, 3, 0, 205)));
    assert_eq!(open(&mut opener, Side::Server, SERVER_DATA), Ok((23, 3, 1, 50)));
    assert_eq!(open(&mut opener, Side::Server, SERVER_ALERT), Ok((21, 3, 2, 2)));
    // What was opened once does not come again in a stream.
    assert_eq!(open(&mut opener, Side::Server, SERVER_DATA), Err(Failure::TagMismatch));
    let clear = StreamRecord { content_type: 22, version: 0x0303, content: &[2, 0, 0, 0] };
    assert_eq!(opener.open(Side::Server, &clear, &mut Vec::new()), Err(Failure::Clear));
}

#[test]
fn rfc_8448_with_gaps() {
    let mut opener = rfc_8448();
    assert_eq!(open(&mut opener, Side::Client, CLIENT_ALERT), Ok((21, 3, 1, 2)));
    assert_eq!(open(&mut opener, Side::Server, SERVER_DATA), Ok((23, 3, 1, 50)));
    assert_eq!(open(&mut opener, Side::Server, SERVER_ALERT), Ok((21, 3, 2, 2)));
    let mut opener = rfc_8448();
    assert_eq!(open(&mut opener, Side::Server, SERVER_TICKET), Ok((22, 3, 0, 205)));
    opener.skip(Side::Server, 1);
    assert_eq!(open(&mut opener, Side::Server, SERVER_ALERT), Ok((21, 3, 2, 2)));
}

proptest! {
    /// A record with any bit changed does not open, wherever the bit is.
    #[test]
    fn tampered_records_never_open(case in 0_usize..5, line in 0_usize..19, at in any::<prop::sample::Index>(), bit in 0..8) {
        let all = cases(DTLS_1_3);
        let lines: Vec<_> = all[case].iter().filter(|line| matches!(line[0], "client" | "server")).collect();
        let mut opener = datagrams13(&all[case]);
        let mut bytes = hex(lines[line][5]);
        let at = at.index(bytes.len());
        bytes[at] ^= 1_u8 << bit;
        let mut buffer = Vec::new();
        for record in dtls::records(&bytes, bytes.len()).flatten() {
            prop_assert!(opener.open(side(lines[line][0]), &record, &mut buffer).is_err());
        }
    }

    #[test]
    fn tampered_records_of_dtls_1_2_never_open(case in 0_usize..16, line in 0_usize..4, at in any::<prop::sample::Index>(), bit in 0..8) {
        let all = cases(OPENSSL);
        let case = &all[case];
        let opener = datagrams12(case, u16::from_str_radix(case[0][2], 16).unwrap(), case[0][3], case[0][4]);
        let lines: Vec<_> = case.iter().filter(|line| matches!(line[0], "client" | "server")).collect();
        let mut bytes = hex(lines[line][1]);
        let at = at.index(bytes.len());
        bytes[at] ^= 1_u8 << bit;
        let mut buffer = Vec::new();
        for record in dtls::records(&bytes, bytes.len()).flatten() {
            prop_assert!(opener.open(side(lines[line][0]), &record, &mut buffer).is_err());
        }
    }

    #[test]
    fn any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..300), wire in 0_usize..400, ids in 0_usize..30) {
        let all = cases(DTLS_1_3);
        let mut new = datagrams13(&all[0]).with_connection_ids([ids, ids]);
        let all = cases(OPENSSL);
        let mut buffer = Vec::new();
        for case in &all {
            let old = datagrams12(case, u16::from_str_radix(case[0][2], 16).unwrap(), case[0][3], case[0][4])
                .with_connection_ids([ids, ids]);
            for record in dtls::records(&bytes, wire).flatten() {
                prop_assert!(old.open(Side::Client, &record, &mut buffer).is_err());
            }
        }
        for record in dtls::records(&bytes, wire).flatten() {
            prop_assert!(new.open(Side::Server, &record, &mut buffer).is_err());
        }
    }
}
