//! Captures made to use up memory or time: what grows is bounded, and what does not fit is said.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod analysis;
mod common;
mod craft;
mod dialogue;

use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    analysis::{everything, json, report, report_of, survives},
    craft::{Address, Container, Random, SCTP, TCP, UDP, Writer, fragment, host, ice_check, ipv4, rtp, stun, tcp, udp},
    dialogue::{dtls, name},
};

const MILLISECOND: i64 = 1_000_000;

/// More flows than are followed at a time.
const FLOWS: u32 = 100_000;

/// Bytes that the process may take beside the file.
const MEMORY: u64 = 400 << 20;

/// However slow the build.
const PATIENCE: Duration = Duration::from_secs(60);

const SERVER: Address = ([192, 0, 2, 1], 5004);

fn client(number: u32) -> Address {
    (host(number >> 10), 1024 + (number & 1023) as u16)
}

#[test]
fn flows_of_one_packet() {
    let json = bounded(|writer| {
        for number in 0..FLOWS {
            writer.packet(number.into(), &udp(client(number), SERVER, &[b'x'; 40]));
        }
    });
    assert_eq!(rules(&json), ["CAP008", "CAP010"]);
    assert_eq!(json["captures"][0]["packets"], FLOWS);
}

#[test]
fn a_hundred_thousand_transactions() {
    let json = bounded(|writer| {
        let answer = stun(0x101, &[(0x20, vec![0, 1, 0x21 ^ 0x11, 0x12 ^ 0x22, 0x21, 0x12, 0xa4, 0x42])]);
        for number in 0..FLOWS {
            for (from, to, mut message, delay) in
                [(client(1), SERVER, ice_check(), 0), (SERVER, client(1), answer.clone(), MILLISECOND)]
            {
                message[16..20].copy_from_slice(&number.to_be_bytes());
                let time = i64::from(number) * 50 * MILLISECOND + delay;
                writer.packet(time, &udp(from, to, &message));
            }
        }
    });
    let connecting = &json["sessions"][0]["connecting"];
    assert_eq!(connecting["stun"]["byType"]["Binding request"], FLOWS);
    let pair = &connecting["candidatePairs"][0];
    let both = |[sent, received]: [&str; 2]| pair[sent].as_u64().unwrap() + pair[received].as_u64().unwrap();
    assert_eq!(both(["requestsSent", "requestsReceived"]), u64::from(FLOWS), "{pair}");
    assert_eq!(both(["responsesSent", "responsesReceived"]), u64::from(FLOWS), "{pair}");
    assert_eq!(pair["requestsUnanswered"], 0);
}

#[test]
fn ten_thousand_handshakes() {
    const HANDSHAKES: u32 = 10_000;
    let json = bounded(|writer| {
        for number in 0..HANDSHAKES {
            let time = i64::from(number) * MILLISECOND;
            writer.packet(time, &udp(client(number), SERVER, &client_hello(number)));
        }
    });
    assert_eq!(json["captures"][0]["packets"], HANDSHAKES);
    let sessions = json["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), HANDSHAKES as usize);
    // Of the last two seconds nobody can tell whether an answer came.
    let expected = |session: &Value| if session["startTime"].as_f64() <= Some(7.999) { "failed" } else { "not-seen" };
    let wrong = sessions.iter().find(|session| session["securing"]["status"] != expected(session));
    assert!(wrong.is_none(), "{}", wrong.unwrap());
}

/// All of them from the first flight to the last, of which each is told.
#[test]
fn ten_thousand_whole_handshakes() {
    const HANDSHAKES: u32 = 10_000;
    let json = bounded(|writer| {
        // A client begins each millisecond, and twenty are at work at a time.
        for tick in 0..HANDSHAKES + 60 {
            for flight in 0..4_u32 {
                let Some(number) = tick.checked_sub(20 * flight).filter(|number| *number < HANDSHAKES) else {
                    continue;
                };
                let (from, to) = if flight % 2 == 0 { (client(number), SERVER) } else { (SERVER, client(number)) };
                let datagram = &dtls::flights(number)[flight as usize];
                writer.packet(i64::from(tick) * MILLISECOND + i64::from(flight), &udp(from, to, datagram));
            }
        }
    });
    assert_eq!(json["captures"][0]["packets"], 4 * HANDSHAKES);
    let sessions = json["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), HANDSHAKES as usize);
    for (session, number) in sessions.iter().zip(0..) {
        let securing = &session["securing"];
        let said = ["status", "dtlsVersion", "dtlsCipher", "srtpProfile", "clientRole"].map(|key| &securing[key]);
        let client = name(client(number));
        let cipher = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256";
        assert_eq!(said, ["ok", "1.2", cipher, "SRTP_AES128_CM_HMAC_SHA1_80", &client], "handshake {number}");
        let took = securing["handshakeDuration"].as_f64().unwrap();
        assert!((took - 0.06).abs() < 1e-6, "handshake {number} took {took}");
        assert_eq!((&securing["retransmissions"], &securing["associations"]), (&0.into(), &1.into()));
    }
}

/// A DTLS 1.2 ClientHello in one record (RFC 6347 section 4.2.2) that offers SRTP (RFC 5764 section 4.1.1), and whose
/// random begins with `number`.
fn client_hello(number: u32) -> Vec<u8> {
    let mut body = vec![0xfe, 0xfd];
    body.extend(number.to_be_bytes());
    body.extend([7; 28]);
    body.extend([0, 0, 0, 2, 0xc0, 0x2b, 1, 0]);
    body.extend([0, 9, 0, 14, 0, 5, 0, 2, 0, 1, 0]);
    let length = body.len() as u8;
    let mut record = vec![22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, length + 12];
    record.extend([1, 0, 0, length, 0, 0, 0, 0, 0, 0, 0, length]);
    record.extend(body);
    record
}

#[test]
fn old_flows_make_room_for_new_ones() {
    let json = bounded(|writer| {
        for number in 0..FLOWS {
            writer.packet(i64::from(number) * MILLISECOND, &udp(client(number), SERVER, &[b'x'; 40]));
        }
        for number in 0..50 {
            let time = i64::from(FLOWS) * MILLISECOND + i64::from(number) * 20 * MILLISECOND;
            writer.packet(time, &udp(client(FLOWS), SERVER, &rtp(7, number, 160 * u32::from(number), 160)));
        }
    });
    let streams = &json["sessions"][0]["communicating"]["rtpStreams"];
    assert_eq!(streams[0]["packetsReceived"], 50);
}

#[test]
fn a_call_for_each_flow() {
    let json = bounded(|writer| {
        for number in 0..FLOWS {
            writer.packet(i64::from(number) * MILLISECOND, &udp(client(number), SERVER, &ice_check()));
        }
    });
    assert!(json["sessions"].as_array().unwrap().len() <= 20_000);
    assert!(rules(&json).contains(&"CAP011".to_owned()) || rules(&json).contains(&"CAP008".to_owned()));
}

#[test]
fn streams_without_end() {
    let json = bounded(|writer| {
        for ssrc in 0..20_000 {
            for number in 0..4 {
                let time = i64::from(ssrc) * MILLISECOND + i64::from(number) * 1000;
                writer.packet(time, &udp(client(ssrc % 16), SERVER, &rtp(ssrc, number, 160 * u32::from(number), 20)));
            }
        }
    });
    assert!(rules(&json).contains(&"CAP008".to_owned()));
}

#[test]
fn associations_without_end() {
    bounded(|writer| {
        for number in 0..60_000_u32 {
            let mut packet = ((number & 0x3ff) as u16 + 1000).to_be_bytes().to_vec();
            packet.extend([0x13, 0x88, 0, 0, 0, 1, 0, 0, 0, 0, 0, 3, 0, 17]);
            packet.extend(number.to_be_bytes());
            packet.extend([0, 1, 0, 0, 0, 0, 0, 50, b'z', 0, 0, 0]);
            writer.packet(number.into(), &ipv4(SCTP, host(number >> 10), SERVER.0, &packet));
        }
    });
}

#[test]
fn media_of_a_thousand_senders_at_one_address() {
    let json = bounded(|writer| {
        for round in 0..5 {
            for number in 0..20_000 {
                let time = i64::from(round) * 20 * MILLISECOND + i64::from(number);
                writer.packet(time, &udp(SERVER, client(number), &rtp(7, round, 160 * u32::from(round), 20)));
            }
        }
    });
    assert_eq!(json["sessions"].as_array().unwrap().len(), 1);
}

#[test]
fn report_blocks_of_anyone_about_anyone() {
    let mut random = Random(17);
    bounded(|writer| {
        for number in 0..20_000_u32 {
            let mut packet = vec![0x9f, 201, 0, 187];
            packet.extend(number.to_be_bytes());
            packet.extend(random.bytes(31 * 24));
            let from = client(number % 500);
            writer.packet(i64::from(number) * MILLISECOND, &udp(from, SERVER, &ice_check()));
            writer.packet(i64::from(number) * MILLISECOND, &udp(from, SERVER, &packet));
        }
    });
}

#[test]
fn lists_as_long_as_can_be() {
    let mut random = Random(19);
    bounded(|writer| {
        let from = client(1);
        writer.packet(0, &udp(from, SERVER, &ice_check()));
        let nack = [vec![0x81, 205, 0x3e, 0x82, 0, 0, 0, 1, 0, 0, 0, 2], vec![0xff; 64_000]].concat();
        // A status count of 65,535, in run-length chunks that say "not received".
        let mut twcc = vec![0x8f, 205, 0, 8, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0xff, 0xff, 0, 0, 0, 1];
        twcc.extend([0x1f, 0xff].repeat(8));
        let attributes = stun(1, &vec![(0x8022, Vec::new()); 16_000]);
        let noise = [vec![0x80, 201, 0x3e, 0x7f], random.bytes(64_000)].concat();
        for number in 0..200 {
            for payload in [&nack, &twcc, &attributes, &noise] {
                writer.packet(number * MILLISECOND, &udp(from, SERVER, payload));
            }
        }
    });
}

#[test]
fn fragments_that_are_never_whole() {
    let json = bounded(|writer| {
        for number in 0..100_000_u32 {
            let packet = fragment(UDP, host(number >> 16), SERVER.0, number as u16, 0x2000, &[b'y'; 64]);
            writer.packet(i64::from(number) * 1000, &packet);
            let far =
                fragment(UDP, host(1), SERVER.0, (number >> 6) as u16, 0x2000 | ((number as u16 & 63) * 100), &[0; 8]);
            writer.packet(i64::from(number) * 1000, &far);
        }
    });
    assert!(rules(&json).contains(&"CAP007".to_owned()));
}

#[test]
fn connections_full_of_holes() {
    let mut random = Random(23);
    bounded(|writer| {
        for number in 0..60_000_u32 {
            let time = i64::from(number) * 1000;
            writer.packet(time, &tcp(client(1), SERVER, number.wrapping_mul(3000), &[0; 100]));
            writer.packet(time, &tcp(client(2), SERVER, random.number() as u32, &[0; 10]));
            writer.packet(time, &tcp(client(number), SERVER, 5 + (number % 7) * 100, &[0, 20, 0, 1, 0, 0, 0x21, 0x12]));
        }
    });
}

#[test]
fn tunnels_in_tunnels() {
    bounded(|writer| {
        for number in 0..2000 {
            let media = rtp(1, number, 160 * u32::from(number), 20);
            let mut packet = udp(client(1), SERVER, &media);
            for level in 0..60 {
                // IP in IP.
                packet = ipv4(4, host(level), SERVER.0, &packet);
            }
            writer.packet(i64::from(number) * 20 * MILLISECOND, &packet);
        }
        // Send indications in Send indications.
        let mut message = rtp(2, 1, 160, 20);
        for _ in 0..100 {
            message = stun(0x16, &[(0x12, vec![0, 1, 0x21, 0x12, 0x2b, 0x12, 0xa4, 0x43]), (0x13, message)]);
        }
        writer.packet(0, &udp(client(3), SERVER, &message));
    });
}

/// A packet at every end of time that a container can express, between packets of streams.
#[test]
fn time_without_order() {
    let mut random = Random(29);
    for container in [Container::Pcap, Container::Pcapng] {
        for round in 0..8 {
            let mut writer = Writer::new(container, false, craft::RAW);
            let mut time = 1_700_000_000_000_000_000_i64;
            for number in 0..400_u16 {
                time = time.wrapping_add(20 * MILLISECOND);
                let leap = match random.below(12) {
                    0 => random.number() as i64,
                    1 => i64::MAX - random.below(1 << 40) as i64,
                    2 => random.below(1000) as i64,
                    3 => -(random.below(1 << 62) as i64),
                    _ => time,
                };
                let timestamp = if random.below(9) == 0 { random.number() as u32 } else { 160 * u32::from(number) };
                writer.packet(leap, &udp(client(1), SERVER, &rtp(1, number, timestamp, 160)));
                writer.packet(leap, &udp(SERVER, client(1), &rtp(2, random.number() as u16, timestamp, 160)));
                if random.below(20) == 0 {
                    writer.packet(leap, &udp(client(1), SERVER, &ice_check()));
                    writer.packet(leap, &ipv4(TCP, host(1), SERVER.0, &[0; 40]));
                }
            }
            survives(writer.bytes, || format!("{container:?} with times without order, round {round}"));
        }
    }
}

#[test]
fn numbers_without_order() {
    let mut random = Random(31);
    let mut writer = Writer::raw();
    for number in 0..40_000_u32 {
        let sequence_number = if number < 10 { number as u16 } else { random.number() as u16 };
        let packet = udp(client(1), SERVER, &rtp(7, sequence_number, number * 160, 20));
        writer.packet(i64::from(number) * 20 * MILLISECOND, &packet);
    }
    let json = json(&report(writer.bytes).unwrap());
    let stream = &json["sessions"][0]["communicating"]["rtpStreams"][0];
    let number = |name: &str| stream[name].as_u64().unwrap();
    assert_eq!(number("packetsReceived"), 40_000);
    assert!(number("packetsLost") <= number("packetsExpected"), "{stream}");
}

#[test]
fn fifty_participants_in_the_middle_of_a_call() {
    let mut writer = Writer::raw();
    writer.packet(0, &udp(client(1), SERVER, &ice_check()));
    for round in 0..20_u16 {
        for ssrc in 1..=50 {
            let time = i64::from(round) * 20 * MILLISECOND + i64::from(ssrc);
            writer.packet(time, &udp(SERVER, client(1), &rtp(ssrc, round, 160 * u32::from(round), 160)));
        }
    }
    let json = json(&report(writer.bytes).unwrap());
    let streams = json["sessions"][0]["communicating"]["rtpStreams"].as_array().unwrap();
    assert_eq!(streams.len(), 50);
    assert!(streams.iter().all(|stream| stream["packetsReceived"] == 20));
}

#[test]
fn caps_bite_the_same_with_any_number_of_threads() {
    let mut writer = Writer::raw();
    for number in 0..FLOWS {
        let payload = if number % 3 == 0 { ice_check() } else { rtp(number, 1, 1, 20) };
        writer.packet(i64::from(number) * MILLISECOND / 10, &udp(client(number), SERVER, &payload));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flood.pcap");
    fs::write(&path, &writer.bytes).unwrap();
    let alone = everything(&report_of(std::slice::from_ref(&path), 1));
    let together = everything(&report_of(std::slice::from_ref(&path), 3));
    assert!(alone == together);
}

fn rules(json: &Value) -> Vec<String> {
    let findings = json["findings"].as_array().unwrap().iter();
    findings.map(|finding| finding["rule"].as_str().unwrap().to_owned()).collect()
}

/// Descriptions are kept as text, and read of one call at a time.
#[test]
fn eight_thousand_sip_calls() {
    const CALLS: u32 = 8000;
    // Descriptions as they are read would take 80 MiB more.
    const MOST: u64 = 240 << 20;
    const CALLED: u32 = 1 << 20;
    let sip = |line: &str, number: u32, media: Address| {
        let [a, b, c, d] = media.0;
        let (address, port) = (format!("{a}.{b}.{c}.{d}"), media.1);
        let sdp = format!(
            "v=0\r\no=- 1 1 IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0 101\r\n\
             a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n"
        );
        format!(
            "{line}\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK{number}\r\nFrom: <sip:a@192.0.2.9>;tag=f{number}\r\n\
             To: <sip:b@192.0.2.1>\r\nCall-ID: {number}@192.0.2.9\r\nCSeq: 1 INVITE\r\n\
             Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
            sdp.len()
        )
    };
    let json = bounded_by(MOST, |writer| {
        for number in 0..CALLS {
            let (caller, called) = (([192, 0, 2, 9], 5060), (SERVER.0, 5060));
            let time = i64::from(number) * 200 * MILLISECOND;
            let invite = sip("INVITE sip:b@192.0.2.1 SIP/2.0", number, client(number));
            writer.packet(time, &udp(caller, called, invite.as_bytes()));
            let ok = sip("SIP/2.0 200 OK", number, client(CALLED + number));
            writer.packet(time + MILLISECOND, &udp(called, caller, ok.as_bytes()));
            for packet in 0..6 {
                let media = rtp(70_000 + number, packet, 160 * u32::from(packet), 160);
                let time = time + (2 + 20 * i64::from(packet)) * MILLISECOND;
                writer.packet(time, &udp(client(number), client(CALLED + number), &media));
            }
        }
    });
    let sessions = json["sessions"].as_array().unwrap();
    let joined = sessions.iter().filter(|session| {
        session["signalling"]["status"] == "ok"
            && session["communicating"]["rtpStreams"][0]["clockRateInferred"] == false
    });
    assert_eq!((sessions.len(), joined.count()), (CALLS as usize, CALLS as usize));
}

/// Runs the command on a capture, and gives its report.
///
/// # Panics
/// If it fails, takes too long or takes too much memory.
fn bounded(fill: impl FnOnce(&mut Writer)) -> Value {
    bounded_by(MEMORY, fill)
}

/// The report of a capture, made with at most `most` bytes of memory.
fn bounded_by(most: u64, fill: impl FnOnce(&mut Writer)) -> Value {
    let mut writer = Writer::raw();
    fill(&mut writer);
    let folder = tempfile::tempdir().unwrap();
    let (capture, report): (PathBuf, PathBuf) = (folder.path().join("capture"), folder.path().join("report"));
    fs::write(&capture, &writer.bytes).unwrap();
    let start = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_rtcscope"))
        .args(["analyze", "--threads", "2", "--format", "json"])
        .arg(&capture)
        .stdout(File::create(&report).unwrap())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let mut highest = 0;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        highest = highest.max(memory(child.id()));
        if start.elapsed() > PATIENCE {
            child.kill().unwrap();
        }
        thread::sleep(Duration::from_millis(5));
    };
    assert!(start.elapsed() < PATIENCE, "it took {:?}", start.elapsed());
    assert!(matches!(status.code(), Some(0 | 1)), "{status}");
    assert!(highest < most, "it took {} MiB", highest >> 20);
    serde_json::from_slice(&fs::read(&report).unwrap()).unwrap()
}

/// Bytes of a process's own memory, without mapped files; 0 where that cannot be asked.
fn memory(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes.unwrap_or_default() * 1024
}
