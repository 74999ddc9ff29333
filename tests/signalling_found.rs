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
    flow::signalling::{Candidate, Content, Description, DescriptionKind, Signalling},
};
use serde_json::Value;

use crate::analysis::captures;

fn signalling(path: &Path, threads: usize) -> Signalling {
    let mut capture = Capture::open(&[path.to_owned()], &Options::default()).unwrap();
    engine::analyze(&mut capture, Config { threads }, |_| {}).unwrap().signalling
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

#[test]
fn dump() {
    for (path, counts) in std::env::var("DUMP")
        .into_iter()
        .flat_map(|paths| paths.split(':').map(PathBuf::from).collect::<Vec<_>>())
        .map(|path| {
            let found = signalling(&path, 1);
            (path, (counted(&found), found.missing))
        })
    {
        println!("{} {:?}", path.display(), counts);
    }
}
