//! Descriptions of other projects and of the lab's calls against how sdp-transform 3.0.0 reads them.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use proptest::prelude::*;
use rtcscope::sdp::{
    Candidate, Description, Dialect, Fragment, Role, Severity,
    input::{self, DescriptionKind},
    lint::lint,
    negotiation::{Security, Side, negotiate},
};
use serde_json::Value;

/// The captures; `None`, with a word about it, on a machine without them.
fn captures() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/captures");
    if !folder.is_dir() {
        eprintln!("skipped: {} is not there", folder.display());
        return None;
    }
    Some(folder)
}

fn texts<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

/// Where sdp-transform and we differ, and why that is right.
fn deviates(file: &str, what: &str) -> bool {
    EXPLAINED.iter().any(|(name, field, _)| file.ends_with(name) && *field == what)
}

const EXPLAINED: &[(&str, &str, &str)] = &[];

#[test]
fn public_texts_are_read_as_sdp_transform_reads_them() {
    let Some(captures) = captures() else { return };
    let truth = fs::read_to_string(captures.join("public/sdp_truth_sdp-transform.json")).unwrap();
    let truth: Value = serde_json::from_str(&truth).unwrap();
    let (mut files, mut compared, mut wrong) = (0, 0, Vec::new());
    for (file, expected) in truth.as_object().unwrap() {
        files += 1;
        let text = fs::read(captures.join("public").join(file)).unwrap();
        let parsed = Description::parse(&text);
        let Ok(description) = parsed else {
            wrong.push(format!("{file}: {}", parsed.unwrap_err()));
            continue;
        };
        let mut check = |what: &str, ours: String, theirs: String| {
            compared += 1;
            if ours != theirs && !deviates(file, what) {
                wrong.push(format!("{file}: {what}: {ours} and not {theirs}"));
            }
        };
        let origin = &expected["origin"];
        if !origin.is_null() {
            let own = description.origin.as_ref();
            let number = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            check("session id", own.map_or(String::new(), |own| own.session_id.clone()), number(&origin["sessionId"]));
            check("address", own.map_or(String::new(), |own| own.address.to_string()), number(&origin["address"]));
        }
        for (place, group) in expected["groups"].as_array().into_iter().flatten().enumerate() {
            let own = description.groups.get(place);
            let own = own.map_or(String::new(), |own| format!("{} {}", own.semantics, own.mids.join(" ")));
            let mids = group["mids"].as_str().map_or_else(|| group["mids"].to_string(), str::to_owned);
            check("group", own, format!("{} {mids}", texts(group, "type")));
        }
        let media = expected["media"].as_array().unwrap();
        check("media", description.media.len().to_string(), media.len().to_string());
        for (place, (own, expected)) in description.media.iter().zip(media).enumerate() {
            let text = |name: &str| match &expected[name] {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let mut check = |what: &str, ours: String, theirs: String| {
                compared += 1;
                if ours != theirs && !deviates(file, what) {
                    wrong.push(format!("{file}: media {place}: {what}: {ours:?} and not {theirs:?}"));
                }
            };
            check("type", own.kind.name().to_owned(), text("type"));
            check("port", own.port.to_string(), text("port"));
            check("protocol", own.protocol.clone(), text("protocol"));
            check("payloads", own.formats.join(" "), text("payloads").trim().to_owned());
            let mut codecs: Vec<String> = own
                .codecs
                .iter()
                .chain(&own.unlisted_codecs)
                .filter(|codec| codec.name.is_some() && !codec.is_static)
                .map(|codec| {
                    let name = codec.name.clone().unwrap();
                    let number = |value: Option<u32>| value.map_or("null".to_owned(), |value| value.to_string());
                    format!("{} {name} {} {}", codec.payload_type, number(codec.clock_rate), number(codec.channels))
                })
                .collect();
            let mut rtp: Vec<String> = expected["rtp"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|rtp| {
                    let word = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    format!("{} {} {} {}", rtp[0], word(&rtp[1]), word(&rtp[2]), word(&rtp[3]))
                })
                .collect();
            codecs.sort();
            rtp.sort();
            check("codecs", codecs.join(", "), rtp.join(", "));
            if !expected["direction"].is_null() {
                check("direction", own.direction.name().to_owned(), text("direction"));
            }
            check("mid", own.mid.clone().unwrap_or_default(), text("mid"));
            // sdp-transform does not give a section what the session says.
            if !expected["iceUfrag"].is_null() {
                check("ufrag", own.ice_ufrag.clone().unwrap_or_default(), text("iceUfrag"));
            }
            if !expected["setup"].is_null() {
                check("setup", own.setup.map_or("", |setup| setup.name()).to_owned(), text("setup"));
            }
            if !expected["fingerprint"].is_null() {
                let last = own.fingerprints.last();
                let own = last.map_or(String::new(), |own| format!("{} {own}", own.hash));
                let hash = texts(&expected["fingerprint"], "hash").to_ascii_uppercase();
                check("fingerprint", own, format!("{} {hash}", texts(&expected["fingerprint"], "type")));
            }
            check("candidates", own.candidates.len().to_string(), text("candidates"));
            let ssrcs: Vec<u64> = own.sources.iter().map(|source| u64::from(source.ssrc)).collect();
            check("ssrcs", format!("{ssrcs:?}"), format!("{:?}", numbers(&expected["ssrcs"])));
            let groups = own.source_groups.iter().map(|group| {
                let ssrcs: Vec<String> = group.ssrcs.iter().map(u32::to_string).collect();
                format!("{} {}", group.semantics, ssrcs.join(" "))
            });
            let their_groups = expected["ssrcGroups"].as_array().into_iter().flatten();
            let their_groups =
                their_groups.map(|group| format!("{} {}", texts(group, "semantics"), texts(group, "ssrcs")));
            check("ssrc groups", groups.collect::<Vec<_>>().join(", "), their_groups.collect::<Vec<_>>().join(", "));
            let extensions = own.extensions.iter().filter(|extension| extension.line > own.line);
            let extensions = extensions.map(|extension| format!("{} {}", extension.id, extension.uri));
            let their = expected["ext"].as_array().into_iter().flatten();
            let their =
                their.map(|extension| format!("{} {}", extension[0], extension[1].as_str().unwrap_or_default()));
            check("extensions", extensions.collect::<Vec<_>>().join(", "), their.collect::<Vec<_>>().join(", "));
            check("rtcp-mux", own.rtcp_mux.to_string(), (!expected["rtcpMux"].is_null()).to_string());
            let crypto: Vec<&str> = own.crypto.iter().map(|crypto| crypto.suite.as_str()).collect();
            let suites = expected["crypto"].as_array().into_iter().flatten();
            check(
                "crypto",
                format!("{crypto:?}"),
                format!("{:?}", suites.filter_map(Value::as_str).collect::<Vec<_>>()),
            );
        }
    }
    assert!(wrong.is_empty(), "{} of {compared} values of {files} files:\n{}", wrong.len(), wrong.join("\n"));
    assert!(files >= 119 && compared > 3000, "only {compared} values of {files} files");
}

fn numbers(value: &Value) -> Vec<u64> {
    value.as_array().into_iter().flatten().filter_map(Value::as_u64).collect()
}

/// Each line of each public text is kept, and what is wrong is said at a line that is there.
#[test]
fn public_texts_keep_their_lines() {
    let Some(captures) = captures() else { return };
    for entry in fs::read_dir(captures.join("public/sdp")).unwrap() {
        let path = entry.unwrap().path();
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        keeps_lines(&text);
    }
}

fn keeps_lines(text: &str) {
    let Ok(description) = Description::parse(text) else { return };
    let lines: Vec<&str> = text.split(['\r', '\n']).map(|line| line.trim_matches([' ', '\t', '\0'])).collect();
    let lines: Vec<&str> = lines.into_iter().filter(|line| !line.is_empty()).collect();
    let kept: Vec<&str> = description.lines.iter().map(|line| line.raw()).collect();
    assert_eq!(kept, lines);
    for (dialect, role) in [(Dialect::Webrtc, Role::Offer), (Dialect::Sip, Role::Answer)] {
        for lint in lint(&description, dialect, Some(role)) {
            let number = lint.line.unwrap_or(1);
            assert!((1..=text.split('\n').count().max(text.split('\r').count())).contains(&number), "{lint:?}");
            assert!(lint.column.is_none_or(|column| column >= 1), "{lint:?}");
        }
    }
}

/// The descriptions of the lab, by whether they are an offer.
fn lab(captures: &Path) -> Vec<(PathBuf, Role)> {
    let mut files = Vec::new();
    for lab in ["lab", "labb"] {
        for folder in fs::read_dir(captures.join(lab)).unwrap().map(|entry| entry.unwrap().path()) {
            let Ok(entries) = fs::read_dir(&folder) else { continue };
            for path in entries.map(|entry| entry.unwrap().path()) {
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                let role = if name.starts_with("offer") { Role::Offer } else { Role::Answer };
                if path.extension().is_some_and(|end| end == "sdp")
                    && (name.starts_with("offer") || name.starts_with("answer"))
                {
                    files.push((path, role));
                }
            }
        }
    }
    files.sort_by(|one, other| one.0.cmp(&other.0));
    files
}

#[test]
fn the_lab_is_clean() {
    let Some(captures) = captures() else { return };
    let files = lab(&captures);
    assert!(files.len() >= 100, "only {} descriptions", files.len());
    let mut wrong = Vec::new();
    for (path, role) in files {
        let text = fs::read(&path).unwrap();
        let description = Description::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for lint in lint(&description, Dialect::of(&description), Some(role)) {
            if lint.severity != Severity::Info {
                wrong.push(format!("{}: {lint:?}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_labs_answers_fit() {
    let Some(captures) = captures() else { return };
    let mut wrong = Vec::new();
    let mut pairs = 0;
    for (path, role) in lab(&captures) {
        let answer = path.with_file_name("answer.sdp");
        if role != Role::Offer || path.file_name().unwrap() != "offer.sdp" || !answer.exists() {
            continue;
        }
        pairs += 1;
        let read = |path: &Path| Description::parse(fs::read(path).unwrap()).unwrap();
        let negotiation = negotiate(&read(&path), &read(&answer));
        for mismatch in &negotiation.mismatches {
            if mismatch.severity == Severity::Error {
                wrong.push(format!("{}: {mismatch:?}", path.display()));
            }
        }
    }
    assert!(pairs >= 20, "only {pairs} pairs");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What Chromium's own dump holds is what the lab wrote down.
#[test]
fn dumps_of_webrtc_internals_give_their_descriptions() {
    let Some(captures) = captures() else { return };
    let folder = captures.join("lab/chromium-internals");
    let given = input::read(&fs::read(folder.join("peerA.webrtc-internals.json.gz")).unwrap()).unwrap();
    let kinds: Vec<_> = given.descriptions.iter().map(|given| (given.kind.unwrap(), given.by)).collect();
    use input::By::{Local, Remote};
    let first = [(DescriptionKind::Offer, Local), (DescriptionKind::Answer, Remote)];
    assert_eq!(kinds.get(..2), Some(&first[..]));
    assert_eq!(given.descriptions[1].sdp, fs::read_to_string(folder.join("answer.sdp")).unwrap());
    assert!(given.candidates.iter().any(|one| one.by == Remote && one.candidate.port == 48_420));
}

#[test]
fn dumps_of_rtcstats_give_their_descriptions() {
    let Some(captures) = captures() else { return };
    let folder = captures.join("public/rtcstats_dumps");
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|end| end != "jsonl") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        // One call of setLocalDescription or setRemoteDescription a line, with SDP or without.
        let calls = text.lines().filter(|line| {
            let call = |name: &str| line.starts_with(&format!("[\"{name}\","));
            (call("setLocalDescription") || call("setRemoteDescription")) && line.contains("v=0")
        });
        let given = input::read(text.as_bytes()).map(|input| input.descriptions.len()).unwrap_or_default();
        assert_eq!(given, calls.count(), "{}", path.display());
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = (Description::parse(&bytes), Fragment::parse(&bytes), input::read(&bytes));
        let _ = Candidate::parse(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_lines_are_kept(lines in proptest::collection::vec(line(), 1..40)) {
        keeps_lines(&lines.join("\r\n"));
        keeps_lines(&(lines.join("\n") + "\n"));
    }

    #[test]
    fn any_two_are_negotiated(offer in proptest::collection::vec(line(), 1..40), answer in proptest::collection::vec(line(), 1..40)) {
        let read = |lines: &[String]| Description::parse(lines.join("\r\n"));
        if let (Ok(offer), Ok(answer)) = (read(&offer), read(&answer)) {
            let negotiation = negotiate(&offer, &answer);
            prop_assert!(negotiation.media.len() <= offer.media.len());
        }
    }
}

/// Lines that are nearly right.
fn line() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "a=candidate:",
        "a=rtpmap:",
        "a=fmtp:",
        "a=rtcp-fb:",
        "a=extmap:",
        "a=group:",
        "a=rid:",
        "a=simulcast:",
        "a=ssrc:",
        "a=ssrc-group:",
        "a=fingerprint:",
        "a=setup:",
        "a=crypto:",
        "a=mid:",
        "a=sctpmap:",
        "a=imageattr:",
        "a=msid:",
        "a=rtcp:",
        "a=ptime:",
        "m=audio ",
        "m=video ",
        "c=IN IP4 ",
        "o=- ",
        "v=",
        "b=",
        "t=",
        "a=remote-candidates:",
        "a=ice-pacing:",
        "a=dtls-message:",
        "a=framerate:",
        "a=msid-semantic:",
        "a=sctp-port:",
        "k=",
        "u=",
        "",
    ]);
    let value = "[ -~é\u{2028}]{0,40}|[0-9]{1,12} [0-9/a-zA-Z;=,~:. \\[\\]]{0,40}";
    (name, value).prop_map(|(name, value)| format!("{name}{value}"))
}
