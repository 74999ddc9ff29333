//! The signalling in captures: what was sent is what is found. Truth is the SDP and the events that the peers of the lab
//! wrote down, and the counts of tshark for captures of others.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test may fail")]

mod analysis;
mod craft;

use std::{
    collections::BTreeMap,
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use flate2::read::GzDecoder;
use rtcscope::{
    capture::{Capture, Options},
    engine::{self, Config},
    flow::signalling::{Candidate, Content, Description, Signalling},
    sdp::DescriptionKind,
};
use serde_json::Value;

use crate::analysis::captures;

fn signalling(path: &Path, threads: usize) -> Signalling {
    let mut capture = Capture::open(&[path.to_owned()], &Options::default()).unwrap();
    engine::analyze(&mut capture, Config::new(threads), |_| {}).unwrap().signalling
}

fn descriptions(signalling: &Signalling) -> Vec<&Description> {
    let contents = signalling.signals.iter().map(|signal| &signal.content);
    contents
        .filter_map(|content| if let Content::Description(description) = content { Some(description) } else { None })
        .collect()
}

fn candidates(signalling: &Signalling) -> Vec<&Candidate> {
    let contents = signalling.signals.iter().map(|signal| &signal.content);
    contents
        .filter_map(|content| if let Content::Candidate(candidate) = content { Some(candidate) } else { None })
        .collect()
}

/// Line ends as RFC 8866 has them, none at the end.
fn normalised(sdp: &str) -> String {
    sdp.lines().collect::<Vec<_>>().join("\n").trim_end().to_owned()
}

/// A file, or its gzipped form; nothing where there is neither.
fn text(path: &Path) -> Option<String> {
    if let Ok(text) = fs::read_to_string(path) {
        return Some(text);
    }
    let mut packed = path.as_os_str().to_owned();
    packed.push(".gz");
    let mut text = String::new();
    GzDecoder::new(fs::File::open(packed).ok()?).read_to_string(&mut text).unwrap();
    Some(text)
}

/// The scenarios of the lab that have a capture.
fn scenarios() -> Vec<PathBuf> {
    let Some(folder) = captures() else { return Vec::new() };
    let entries = ["lab", "labb"].map(|part| fs::read_dir(folder.join(part)).unwrap());
    let mut paths: Vec<_> = entries.into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.join("capture.pcapng").is_file());
    paths.sort();
    paths
}

#[test]
fn descriptions_of_the_lab() {
    let mut wrong = Vec::new();
    let mut compared = 0;
    for scenario in scenarios() {
        let name = scenario.file_name().unwrap().to_string_lossy().into_owned();
        let found = signalling(&scenario.join("capture.pcapng"), 1);
        let found: Vec<_> =
            descriptions(&found).into_iter().map(|found| (found.kind, normalised(&found.sdp))).collect();
        for (file, kind) in [("offer.sdp", DescriptionKind::Offer), ("answer.sdp", DescriptionKind::Answer)] {
            let Some(sent) = text(&scenario.join(file)).map(|sdp| normalised(&sdp)) else { continue };
            compared += 1;
            if !found.contains(&(Some(kind), sent)) {
                wrong.push(format!("{name}/{file}: not among {} descriptions", found.len()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(compared > 50 || captures().is_none(), "only {compared} descriptions were compared");
}

/// What a browser of the lab says that it gathered was sent, as it was.
#[test]
fn candidates_of_the_lab() {
    let mut wrong = Vec::new();
    let mut compared = 0;
    for scenario in scenarios() {
        let name = scenario.file_name().unwrap().to_string_lossy().into_owned();
        let signalling = signalling(&scenario.join("capture.pcapng"), 1);
        let found: Vec<_> = candidates(&signalling)
            .into_iter()
            .map(|one| {
                (one.candidate.clone(), one.sdp_mid.clone(), one.sdp_m_line_index, one.username_fragment.clone())
            })
            .collect();
        let Some(events) = text(&scenario.join("peerA.events.jsonl")) else { continue };
        for event in events.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
            let candidate = &event["data"];
            let Some(line) = candidate["candidate"].as_str().filter(|line| !line.is_empty()) else { continue };
            // Of chromium-ipv6 the IPv4 candidates were left out of the signalling.
            let is_left_out = name == "chromium-ipv6" && !line.contains("::") && line.contains(" 10.1.0.2 ");
            if event["event"] != "localcandidate" || is_left_out {
                continue;
            }
            compared += 1;
            let text = |name: &str| candidate[name].as_str().map(str::to_owned);
            let index = candidate["sdpMLineIndex"].as_u64().map(|index| index as u32);
            let sent = (line.to_owned(), text("sdpMid"), index, text("usernameFragment"));
            if !found.contains(&sent) {
                wrong.push(format!("{name}: {sent:?} is not among {}", found.len()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(compared > 100 || captures().is_none(), "only {compared} candidates were compared");
}

/// Counts by kind of signal: `INVITE`, `200`, `HTTP GET` and so on.
fn counted(signalling: &Signalling) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for signal in &signalling.signals {
        let name = match &signal.content {
            Content::SipRequest(request) => request.method.clone(),
            Content::SipResponse(response) => response.status.to_string(),
            Content::RtspRequest(request) => format!("rtsp {}", request.method),
            Content::RtspResponse(response) => format!("rtsp {}", response.status),
            Content::HttpRequest(request) => format!("http {}", request.method),
            Content::HttpResponse(response) => format!("http {}", response.status),
            Content::Description(_) => "sdp".to_owned(),
            Content::Candidate(_) => "candidate".to_owned(),
            Content::EndOfCandidates(_) => "end".to_owned(),
            Content::WebSocketOpened(_) => "websocket".to_owned(),
            Content::WebSocketClosed(_) => "closed".to_owned(),
            Content::Tls(_) => "tls".to_owned(),
        };
        *counts.entry(name).or_insert(0) += 1;
    }
    counts
}

/// SIP and RTSP of others: requests by method and responses by status, as tshark 4.0.17 counts them (`sip.Method`,
/// `sip.Status-Code`, `rtsp.method`, `rtsp.status`) where it is not wrong: without what ICMP errors cite and without
/// retransmitted segments; of `ipfixprobe__rtsp` it leaves out one response that came out of order. The last number is
/// that of descriptions.
#[test]
fn messages_of_others() {
    const WIRESHARK: &str =
        "100 7,183 1,200 3,401 14,403 3,407 3,408 2,480 1,ACK 7,CANCEL 11,INVITE 11,REGISTER 18,sdp 12";
    let expected = [
        ("PcapPlusPlus__Packet++Test__PacketExamples__sip_reqs.pcap", "ACK 1,BYE 1,CANCEL 1,INVITE 1,sdp 1"),
        ("ipfixprobe__sip.pcap", "200 1,401 15,INVITE 9,REGISTER 15"),
        ("nDPI__sip.pcap", WIRESHARK),
        ("suricata-verify__sip-method__sip.pcap", WIRESHARK),
        ("zeek__sip__wireshark.pcap", WIRESHARK),
        ("suricata-verify__sip-body-large__sip-body-large.pcap", "100 1,INVITE 1,sdp 1"),
        ("suricata-verify__sip-compact-form__sip_compact_form.pcap", "INVITE 1,sdp 1"),
        ("suricata-verify__sip-header-multi-value__sip_header_multi_val.pcap", "INVITE 1,sdp 1"),
        ("suricata-verify__sip-options-method__input.pcap", "200 1,OPTIONS 1"),
        ("suricata-verify__sip-pattern-matching__sip.pcap", "401 1,REGISTER 1"),
        ("suricata-verify__sip-tcp-pattern-matching__sip.pcap", "401 1,REGISTER 1"),
        ("zeek__sip__invalid-content-length.pcap", "200 1,INVITE 1"),
        ("ipfixprobe__rtsp.pcap", "rtsp 500 2,rtsp DESCRIBE 2"),
        (
            "nDPI__rtsp.pcap",
            "rtsp 200 30,rtsp DESCRIBE 6,rtsp GET_PARAMETER 5,rtsp OPTIONS 6,rtsp PLAY 6,rtsp SETUP 12,sdp 6",
        ),
        ("arkime__websocket.pcap", "websocket 1"),
        ("suricata-verify__websocket-compressed__example_websocket.pcap", "websocket 1"),
        ("zeek__websocket__reply-ping-coalesced.pcap", "closed 2,websocket 1"),
        ("zeek__websocket__reply-ping-separate.pcap", "closed 2,websocket 1"),
        ("zeek__websocket__wstunnel-http.pcap", "closed 2,websocket 1"),
        ("zeek__websocket__wstunnel-ssh.pcap", "closed 4,websocket 2"),
        // HTTP without signalling, media and text on the ports of others: nothing.
        ("nDPI__http_on_sip_port.pcap", ""),
        ("mercury__http_rawip.pcap", ""),
        ("suricata-verify__http-ipv6__input.pcap", ""),
        ("arkime__80211http.pcap", ""),
        ("sipp__dtmf_2833_1.pcap", ""),
    ];
    let Some(folder) = captures() else { return };
    let mut wrong = Vec::new();
    for (name, expected) in expected {
        let path = folder.join("public/captures").join(name);
        let found: Vec<_> =
            counted(&signalling(&path, 1)).into_iter().map(|(name, count)| format!("{name} {count}")).collect();
        if found.join(",") != expected {
            wrong.push(format!("{name}: {}, not {expected}", found.join(",")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The signalling of the lab: counts by tshark as above, of HTTP those that carry signalling.
#[test]
fn messages_of_the_lab() {
    let expected = [
        ("labb/sip-pcmu", "180 1,200 2,ACK 1,BYE 1,INVITE 1,sdp 2"),
        ("labb/sip-sdes-srtp", "180 1,200 2,ACK 1,BYE 1,INVITE 1,sdp 2"),
        ("labb/sip-hold-dtmf", "180 1,200 4,ACK 3,BYE 1,INVITE 3,sdp 6"),
        ("labb/sip-many", "180 20,200 40,ACK 20,BYE 20,INVITE 20,sdp 40"),
        ("labb/sip-fail", "100 5,180 1,200 1,404 1,486 1,487 1,488 1,603 1,ACK 5,CANCEL 1,INVITE 10,sdp 10"),
        ("labb/sip-tls", "tls 1"),
        ("labb/aiortc-gcm128", "http 200 1,http 201 1,http DELETE 1,http POST 1,sdp 2"),
        ("labb/janus-echotest-http", "candidate 3,end 1,http 200 6,http POST 5,sdp 2"),
        ("lab/derived-dsb", "candidate 12,closed 2,end 6,sdp 2,websocket 1"),
        // What was signalled before the capture is not in it.
        ("lab/derived-midcall", ""),
    ];
    let Some(folder) = captures() else { return };
    for (name, expected) in expected {
        let path = folder.join(name).join("capture.pcapng");
        let one = signalling(&path, 1);
        let found: Vec<_> = counted(&one).into_iter().map(|(name, count)| format!("{name} {count}")).collect();
        assert_eq!(found.join(","), expected, "{name}");
        assert!(signalling(&path, 4) == one, "{name}: other signalling with four threads");
    }
}

/// Where tshark sees the two messages end that hold SDP, and what a list of packets shows there.
#[test]
fn packets_that_end_messages() {
    let Some(folder) = captures() else { return };
    let path = folder.join("lab/chromium-av-clean/capture.pcapng");
    let found = signalling(&path, 1);
    let described = found.signals.iter().filter(|signal| matches!(signal.content, Content::Description(_)));
    assert_eq!(described.map(|signal| signal.mark.1.number()).collect::<Vec<_>>(), [38, 62]);
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_rtcscope")).args(["packets", "-v"]).arg(&path).output();
    let text = String::from_utf8(output.unwrap().stdout).unwrap();
    for expected in ["WebSocket    offer, 5737 bytes of SDP", "o=- 2756718974927900272 2 IN IP4 127.0.0.1", "opened /"]
    {
        assert!(text.contains(expected), "{expected}");
    }
}

/// What a ClientHello says, by tshark; GREASE (RFC 8701) is neither a version nor a protocol.
#[test]
fn a_client_hello() {
    let Some(folder) = captures() else { return };
    let path = folder.join("public/captures/PcapPlusPlus__Packet++Test__PacketExamples__tls_grease.pcap");
    let found = signalling(&path, 1);
    let [signal] = found.signals.as_slice() else { panic!("{} signals", found.signals.len()) };
    let Content::Tls(hello) = &signal.content else { panic!("{signal:?}") };
    assert_eq!(hello.server_name.as_deref(), Some("secure.adnxs.com"));
    assert_eq!((hello.alpn.as_slice(), hello.version), (&["h2".to_owned(), "http/1.1".to_owned()][..], 0x0304));
}
