//! Descriptions of other projects and of the lab's calls against how sdp-transform 3.0.0 reads them.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use proptest::prelude::*;
use rtcscope::sdp::{
    Candidate, Description, DescriptionKind, Dialect, Fragment, Role, Severity, input,
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
    EXPLAINED.iter().any(|(name, field, why)| file.ends_with(name) && *field == what && !why.is_empty())
}

const EXPLAINED: &[(&str, &str, &str)] = &[
    // RFC 6904 section 4: the URI is that of encryption, and what is encrypted stands behind it. sdp-transform takes
    // that for the URI; we keep it as the attributes of the extension.
    ("sdp-transform__extmap-encrypt.sdp", "extensions", "encrypted extensions"),
    // RFC 8866 section 5.14: "<port>/<number of ports>"; the m= line is whole, and sdp-transform reads nothing of it.
    ("webrtc-sdp-crate__06.sdp", "type", "a number of ports"),
    ("webrtc-sdp-crate__06.sdp", "port", "a number of ports"),
    ("webrtc-sdp-crate__06.sdp", "protocol", "a number of ports"),
    ("webrtc-sdp-crate__06.sdp", "payloads", "a number of ports"),
    // "a=ssrc:5150" has no attribute, which RFC 5576 asks for, but it does name a source.
    ("webrtc-sdp-crate__08.sdp", "ssrcs", "a source by itself"),
];

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
    assert!(
        given
            .candidates
            .iter()
            .any(|one| one.by == Remote && one.candidate.as_ref().is_some_and(|own| own.port == 48_420))
    );
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

/// RFC 8866 section 5: the example.
const RFC_8866: &str = "v=0
o=jdoe 3724394400 3724394405 IN IP4 198.51.100.1
s=Call to John Smith
i=SDP Offer #1
u=http://www.jdoe.example.com/home.html
e=Jane Doe <jane@jdoe.example.com>
p=+1 617 555-6011
c=IN IP4 198.51.100.1
t=0 0
m=audio 49170 RTP/AVP 0
m=audio 49180 RTP/AVP 0
m=video 51372 RTP/AVP 99
c=IN IP6 2001:db8::2
a=rtpmap:99 h263-1998/90000
";

/// RFC 3264 section 10.1: the offer, and the answer.
const RFC_3264: [&str; 2] = [
    "v=0
o=alice 2890844526 2890844526 IN IP4 host.anywhere.com
s=
c=IN IP4 host.anywhere.com
t=0 0
m=audio 49170 RTP/AVP 0
a=rtpmap:0 PCMU/8000
m=video 51372 RTP/AVP 31
a=rtpmap:31 H261/90000
m=video 53000 RTP/AVP 32
a=rtpmap:32 MPV/90000
",
    "v=0
o=bob 2890844730 2890844730 IN IP4 host.example.com
s=
c=IN IP4 host.example.com
t=0 0
m=audio 49920 RTP/AVP 0
a=rtpmap:0 PCMU/8000
m=video 0 RTP/AVP 31
m=video 53000 RTP/AVP 32
a=rtpmap:32 MPV/90000
",
];

/// After RFC 4568 section 4: a description with one key.
const RFC_4568: &str = "v=0
o=sam 2890844526 2890842807 IN IP4 192.0.2.5
s=SRTP Discussion
c=IN IP4 192.0.2.10
t=2873397496 2873404696
m=audio 49170 RTP/SAVP 0
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR|2^20|1:32
";

/// After RFC 8829 section 7.1: the audio and the video of an offer, and of its answer, shortened and not word for word.
const RFC_8829: [&str; 2] = [
    "v=0\r
o=- 4962303333179871722 1 IN IP4 0.0.0.0\r
s=-\r
t=0 0\r
a=ice-options:trickle ice2\r
a=group:BUNDLE a1 v1\r
a=group:LS a1 v1\r
m=audio 10100 UDP/TLS/RTP/SAVPF 96 0 8 97 98\r
c=IN IP4 203.0.113.100\r
a=mid:a1\r
a=sendrecv\r
a=rtpmap:96 opus/48000/2\r
a=rtpmap:0 PCMU/8000\r
a=rtpmap:8 PCMA/8000\r
a=rtpmap:97 telephone-event/8000\r
a=rtpmap:98 telephone-event/48000\r
a=fmtp:97 0-15\r
a=fmtp:98 0-15\r
a=maxptime:120\r
a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid\r
a=extmap:2 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r
a=msid:47017fee-b6c1-4162-929c-a25110252400\r
a=ice-ufrag:ETEn\r
a=ice-pwd:OtSK0WpNtpUjkY4+86js7ZQl\r
a=fingerprint:sha-256 19:E2:1C:3B:4B:9F:81:E6:B8:5C:F4:A5:A8:D8:73:04:BB:05:2F:70:9F:04:A9:0E:05:E9:26:33:E8:70:88:A2\r
a=setup:actpass\r
a=tls-id:91bbf309c0990a6bec11e38ba2933cee\r
a=rtcp:10101 IN IP4 203.0.113.100\r
a=rtcp-mux\r
a=rtcp-rsize\r
a=candidate:1 1 udp 2113929471 203.0.113.100 10100 typ host\r
a=candidate:1 2 udp 2113929470 203.0.113.100 10101 typ host\r
a=end-of-candidates\r
m=video 10102 UDP/TLS/RTP/SAVPF 100 101 102 103\r
c=IN IP4 203.0.113.100\r
a=mid:v1\r
a=sendrecv\r
a=rtpmap:100 VP8/90000\r
a=rtpmap:101 H264/90000\r
a=fmtp:101 packetization-mode=1;profile-level-id=42e01f\r
a=rtpmap:102 rtx/90000\r
a=fmtp:102 apt=100\r
a=rtpmap:103 rtx/90000\r
a=fmtp:103 apt=101\r
a=imageattr:100 recv [x=[48:1920],y=[48:1080],q=1.0]\r
a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid\r
a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r
a=rtcp-fb:100 ccm fir\r
a=rtcp-fb:100 nack\r
a=rtcp-fb:100 nack pli\r
a=msid:47017fee-b6c1-4162-929c-a25110252400\r
a=ice-ufrag:BGKk\r
a=ice-pwd:mqyWsAjvtKwTGnvhPztQ9mIf\r
a=fingerprint:sha-256 19:E2:1C:3B:4B:9F:81:E6:B8:5C:F4:A5:A8:D8:73:04:BB:05:2F:70:9F:04:A9:0E:05:E9:26:33:E8:70:88:A2\r
a=setup:actpass\r
a=tls-id:91bbf309c0990a6bec11e38ba2933cee\r
a=rtcp:10103 IN IP4 203.0.113.100\r
a=rtcp-mux\r
a=rtcp-rsize\r
a=candidate:1 1 udp 2113929471 203.0.113.100 10102 typ host\r
a=candidate:1 2 udp 2113929470 203.0.113.100 10103 typ host\r
a=end-of-candidates\r
",
    "v=0\r
o=- 6729291447651054566 1 IN IP4 0.0.0.0\r
s=-\r
t=0 0\r
a=ice-options:trickle ice2\r
a=group:BUNDLE a1 v1\r
a=group:LS a1 v1\r
m=audio 10200 UDP/TLS/RTP/SAVPF 96 0 8 97 98\r
c=IN IP4 203.0.113.200\r
a=mid:a1\r
a=sendrecv\r
a=rtpmap:96 opus/48000/2\r
a=rtpmap:0 PCMU/8000\r
a=rtpmap:8 PCMA/8000\r
a=rtpmap:97 telephone-event/8000\r
a=rtpmap:98 telephone-event/48000\r
a=fmtp:97 0-15\r
a=fmtp:98 0-15\r
a=maxptime:120\r
a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid\r
a=extmap:2 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r
a=msid:61317484-2ed4-49d7-9eb7-1414322a7aae\r
a=ice-ufrag:6sFv\r
a=ice-pwd:cOTZKZNVlO9RSGsEGM63JXT2\r
a=fingerprint:sha-256 6B:8B:F0:65:5F:78:E2:51:3B:AC:6F:F3:3F:46:1B:35:DC:B8:5F:64:1A:24:C2:43:F0:A1:58:D0:A1:2C:19:08\r
a=setup:active\r
a=tls-id:eec3392ab83e11ceb6a0990c903fbb19\r
a=rtcp-mux\r
a=rtcp-rsize\r
a=candidate:1 1 udp 2113929471 203.0.113.200 10200 typ host\r
a=end-of-candidates\r
m=video 10200 UDP/TLS/RTP/SAVPF 100 101 102 103\r
c=IN IP4 203.0.113.200\r
a=mid:v1\r
a=sendrecv\r
a=rtpmap:100 VP8/90000\r
a=rtpmap:101 H264/90000\r
a=fmtp:101 packetization-mode=1;profile-level-id=42e01f\r
a=rtpmap:102 rtx/90000\r
a=fmtp:102 apt=100\r
a=rtpmap:103 rtx/90000\r
a=fmtp:103 apt=101\r
a=imageattr:100 recv [x=[48:1920],y=[48:1080],q=1.0]\r
a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid\r
a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r
a=rtcp-fb:100 ccm fir\r
a=rtcp-fb:100 nack\r
a=rtcp-fb:100 nack pli\r
a=msid:61317484-2ed4-49d7-9eb7-1414322a7aae\r
",
];

fn parse(text: &str) -> Description {
    Description::parse(text).unwrap()
}

#[test]
fn rfc_8866() {
    let description = parse(RFC_8866);
    let origin = description.origin.as_ref().unwrap();
    assert_eq!((origin.username.as_str(), origin.session_version.as_str()), ("jdoe", "3724394405"));
    assert_eq!(description.session_name.as_deref(), Some("Call to John Smith"));
    let [audio, _, video] = &description.media[..] else { panic!("{description:?}") };
    let address = |media: &rtcscope::sdp::Media| media.connection.as_ref().unwrap().address.to_string();
    assert_eq!((audio.port, address(audio)), (49_170, "198.51.100.1".to_owned()));
    assert_eq!((video.port, address(video)), (51_372, "2001:db8::2".to_owned()));
    assert_eq!((audio.codecs[0].encoding(), audio.codecs[0].is_static), ("PCMU/8000".to_owned(), true));
    assert_eq!(video.codecs[0].encoding(), "h263-1998/90000");
    let weighty = lint(&description, Dialect::Sip, Some(Role::Offer));
    assert!(weighty.iter().all(|lint| lint.severity == Severity::Info), "{weighty:?}");
}

#[test]
fn rfc_3264() {
    let [offer, answer] = RFC_3264.map(parse);
    let negotiation = negotiate(&offer, &answer);
    let [audio, refused, video] = &negotiation.media[..] else { panic!("{negotiation:?}") };
    assert_eq!((audio.codecs[0].encoding.as_str(), audio.rejected_by), ("PCMU/8000", None));
    assert_eq!(refused.rejected_by, Some(Side::Answerer));
    assert_eq!((video.direction.name(), video.codecs[0].answer_payload_type), ("sendrecv", 32));
    assert_eq!((&video.security, video.dtls_client), (&Security::None, None));
    let codes: Vec<&str> = negotiation.mismatches.iter().map(|mismatch| mismatch.code).collect();
    assert_eq!(codes, ["NEG005"]);
    assert_eq!((negotiation.mismatches[0].offer_line, negotiation.mismatches[0].answer_line), (Some(8), Some(8)));
}

#[test]
fn rfc_4568_and_no_key_is_shown() {
    let description = parse(RFC_4568);
    let [crypto] = &description.media[0].crypto[..] else { panic!("no key") };
    assert_eq!((crypto.tag, crypto.suite.as_str()), (1, "AES_CM_128_HMAC_SHA1_80"));
    assert_eq!(crypto.keys[0].reveal(), "inline:PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR|2^20|1:32");
    let lints = lint(&description, Dialect::Sip, Some(Role::Offer));
    assert!(lints.iter().any(|lint| lint.code == "SDP056"));
    assert!(!format!("{description:?} {lints:?}").contains("PS1uQCVe"));
    // A line that is refused quotes no key either.
    for odd in ["a=crypto:x ", "a=Crypto:1\t", "a=crypto: 1 ", "a=crypto :1 ", "a=crypto:inline:PS1uQCVe 1 "] {
        let description = parse(&RFC_4568.replace("a=crypto:1 ", odd));
        let lints = lint(&description, Dialect::Sip, None);
        assert!(!format!("{description:?} {lints:?}").contains("PS1uQCVe"), "{odd}: {description:?} {lints:?}");
    }
    let answer = parse(&RFC_4568.replace("a=crypto:1 AES_CM_128_HMAC_SHA1_80", "a=crypto:2 AES_CM_128_HMAC_SHA1_32"));
    let negotiation = negotiate(&description, &answer);
    assert!(negotiation.mismatches.iter().any(|mismatch| mismatch.code == "NEG021"));
    let same = negotiate(&description, &description);
    assert_eq!(same.media[0].security, Security::Sdes("AES_CM_128_HMAC_SHA1_80".to_owned()));
    assert_eq!(same.mismatches, []);
}

#[test]
fn rfc_8829() {
    let [offer, answer] = RFC_8829.map(parse);
    for (description, role) in [(&offer, Role::Offer), (&answer, Role::Answer)] {
        let lints = lint(description, Dialect::Webrtc, Some(role));
        assert!(lints.iter().all(|lint| lint.severity == Severity::Info), "{lints:?}");
    }
    assert_eq!(offer.media[0].tls_id.as_deref(), Some("91bbf309c0990a6bec11e38ba2933cee"));
    assert_eq!(offer.media[0].ice_options, ["trickle", "ice2"]);
    assert!(offer.media[1].end_of_candidates);
    let negotiation = negotiate(&offer, &answer);
    assert_eq!(negotiation.mismatches, []);
    assert_eq!(
        (negotiation.bundle.as_slice(), negotiation.controlling),
        (&["a1".to_owned(), "v1".to_owned()][..], Some(Side::Offerer))
    );
    let [audio, video] = &negotiation.media[..] else { panic!("{negotiation:?}") };
    assert_eq!((audio.dtls_client, &audio.security, audio.rtcp_mux), (Some(Side::Answerer), &Security::Dtls, true));
    // The video has no transport attributes of its own in the answer: it is the audio's.
    assert_eq!((video.dtls_client, video.bundled), (Some(Side::Answerer), true));
    let types: Vec<u8> = video.codecs.iter().map(|codec| codec.answer_payload_type).collect();
    assert_eq!(types, [100, 101, 102, 103]);
}

/// After RFC 8853 section 5.6.1: three streams sent, one of them with an alternative that is paused; one received.
#[test]
fn rfc_8853() {
    let text = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\nm=video 49300 RTP/AVP 97 98 99\r\n\
        a=rtpmap:97 H264/90000\r\na=rtpmap:98 H264/90000\r\na=rtpmap:99 VP8/90000\r\n\
        a=rid:1 send pt=97;max-width=1280;max-height=720\r\na=rid:2 send pt=98;max-width=320;max-height=180\r\n\
        a=rid:3 send pt=99;max-width=320;max-height=180\r\na=rid:4 recv pt=97\r\n\
        a=simulcast:send 1;2,~3 recv 4\r\n";
    let offer = parse(text);
    let simulcast = offer.media[0].simulcast.as_ref().unwrap();
    let names: Vec<Vec<(&str, bool)>> = simulcast
        .send
        .iter()
        .map(|list| list.iter().map(|layer| (layer.rid.as_str(), layer.paused)).collect())
        .collect();
    assert_eq!(names, [vec![("1", false)], vec![("2", false), ("3", true)]]);
    assert_eq!(offer.media[0].rids[0].restrictions, ["max-width=1280", "max-height=720"]);
    assert_eq!(offer.media[0].rids[1].payload_types, [98]);
    let answer = parse(
        &text
            .replace(" send pt", " both pt")
            .replace("recv pt", "send pt")
            .replace(" both pt", " recv pt")
            .replace("simulcast:send 1;2,~3 recv 4", "simulcast:recv 1 send 4"),
    );
    let negotiation = negotiate(&offer, &answer);
    let (sent, received) = &negotiation.media[0].simulcast;
    assert_eq!(sent.iter().map(|layer| layer.rid.as_str()).collect::<Vec<_>>(), ["1"]);
    assert_eq!(received.iter().map(|layer| layer.rid.as_str()).collect::<Vec<_>>(), ["4"]);
}

/// Each rule: what is done to the RFC's offer, and the line of it that is then wrong.
/// A line of a real description; the numbers are read off its bytes by hand (RFC 9260 section 3.3.2).
#[test]
fn an_init_in_the_description() {
    let read = |init: &str| {
        let media = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=sctp-port:5000\r\n";
        parse(&format!("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n{media}a=sctp-init:{init}\r\n"))
    };
    let init = read("AQAAHGVPFd8AEAAA/////9tAK2qACAAIgsBAwg==").media[0].sctp_init.unwrap();
    assert_eq!((init.initiate_tag, init.initial_tsn), (0x654f_15df, 0xdb40_2b6a));
    // Not base64, another chunk, and one that ends too early.
    for wrong in ["AQA?", "AgAAHGVPFd8AEAAA/////9tAK2qACAAIgsBAwg==", "AQAAHGVP", ""] {
        assert_eq!(read(wrong).media[0].sctp_init, None, "{wrong}");
    }
}

#[test]
fn each_lint_can_be_made() {
    let cases: &[(&str, &str, &str)] = &[
        (
            "SDP001",
            "a=candidate:1 1 udp 2113929471 203.0.113.100 10100 typ host",
            "a=candidate:1 1 udp x 203.0.113.100 1 typ host",
        ),
        ("SDP001", "a=rtpmap:96 opus/48000/2", "a=rtpmap:opus"),
        ("SDP001", "m=audio 10100 ", "m=audio ten "),
        ("SDP002", "typ host", "typ quux"),
        ("SDP003", "s=-\r\n", "s=-\n"),
        ("SDP004", "a=rtcp-rsize\r\n", "a=rtcp-rsize\r\na=quux:1\r\n"),
        ("SDP010", "s=-\r\nt=0 0\r\n", "t=0 0\r\ns=-\r\n"),
        ("SDP011", "t=0 0\r\n", ""),
        ("SDP013", "a=mid:a1\r\n", ""),
        ("SDP014", "a=mid:v1", "a=mid:a1"),
        ("SDP015", "BUNDLE a1 v1", "BUNDLE a1 v1 x1"),
        ("SDP016", "a=mid:v1", "a=bundle-only\r\na=mid:v1"),
        ("SDP017", "m=video 10102", "m=video 0"),
        ("SDP018", "a=mid:a1\r\na=sendrecv", "a=mid:a1\r\na=sendrecv\r\na=sendonly"),
        ("SDP020", "a=rtpmap:0 PCMU/8000", "a=rtpmap:0 PCMU/8000\r\na=rtpmap:0 PCMA/8000"),
        ("SDP021", "SAVPF 96 0 8", "SAVPF 96 0 0 8"),
        ("SDP022", "SAVPF 96 0 8", "SAVPF 96 0 200 8"),
        ("SDP023", "a=rtpmap:96 opus/48000/2\r\n", ""),
        ("SDP024", "apt=101", "apt=99"),
        ("SDP025", "SAVPF 96 0 8 97 98", "SAVPF 96 0 8 97"),
        ("SDP026", "rtx/90000", "quux/90000"),
        ("SDP030", "a=extmap:1 ", "a=extmap:0 "),
        ("SDP031", "a=extmap:2 ", "a=extmap:1 "),
        ("SDP032", "a=extmap:3 ", "a=extmap:2 "),
        ("SDP041", "a=ice-pwd:OtSK0WpNtpUjkY4+86js7ZQl\r\n", ""),
        ("SDP042", "a=ice-ufrag:ETEn", "a=ice-ufrag:ETE"),
        (
            "SDP043",
            "a=candidate:1 1 udp 2113929471 203.0.113.100 10100 typ host\r\na=candidate:1 2 udp 2113929470 203.0.113.100 10101 typ host\r\n",
            "",
        ),
        ("SDP044", "203.0.113.100 10100", "10.0.0.1 10100"),
        ("SDP050", "a=fingerprint:", "a=quux:"),
        ("SDP051", "a=fingerprint:sha-256 19:", "a=fingerprint:sha-256 "),
        ("SDP051", "a=fingerprint:sha-256 ", "a=fingerprint:sha-3 "),
        ("SDP052", "a=setup:actpass\r\n", ""),
        ("SDP053", "a=rtcp-rsize\r\n", "a=rtcp-rsize\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAA\r\n"),
        ("SDP054", "m=audio 10100 UDP/TLS/RTP/SAVPF", "m=audio 10100 RTP/AVP"),
        ("SDP055", "a=rtcp-mux\r\n", ""),
        ("SDP060", "a=rtcp-rsize\r\n", "a=rtcp-rsize\r\na=ssrc:7 cname:x\r\n"),
        ("SDP061", "a=maxptime:120", "a=ptime:200\r\na=maxptime:120"),
        ("SDP062", "a=rtcp-rsize\r\n", "a=rtcp-rsize\r\na=simulcast:send x\r\n"),
    ];
    let clean = lint(&parse(RFC_8829[0]), Dialect::Webrtc, Some(Role::Offer));
    for (code, from, to) in cases {
        assert!(clean.iter().all(|lint| lint.code != *code), "{code} is there without a cause: {clean:?}");
        assert!(RFC_8829[0].contains(from), "{code}: {from}");
        // All candidates must be private, every other change is made wherever it can be.
        let mut text = RFC_8829[0].replace(from, to);
        if *code == "SDP044" {
            text = text.replace("203.0.113.100 1010", "10.0.0.1 1010");
        }
        let lints = lint(&parse(&text), Dialect::Webrtc, Some(Role::Offer));
        assert!(lints.iter().any(|lint| lint.code == *code), "{code}: {lints:?}");
    }
}

#[test]
fn lints_say_where() {
    let text = RFC_8829[0].replace(
        "a=candidate:1 1 udp 2113929471 203.0.113.100 10100",
        "a=candidate:1 1 udp 2113929471 203.0.113.100 port",
    );
    let lints = lint(&parse(&text), Dialect::Webrtc, None);
    let found = lints.iter().find(|lint| lint.code == "SDP001").unwrap();
    // The 31st line; "port" is its 46th character.
    assert_eq!((found.line, found.column, found.media), (Some(31), Some(46), Some(0)));
    let error = Description::parse("hello\r\nworld").unwrap_err();
    assert_eq!((error.line, error.column), (1, 1));
    assert!(Description::parse("").is_err() && Description::parse("{\"a\": 1}").is_err());
}

/// Each rule of negotiation: what is done to the RFC's answer.
#[test]
fn each_mismatch_can_be_made() {
    let cases: &[(&str, &str, &str)] = &[
        ("NEG002", "m=video 10200", "m=audio 10200"),
        ("NEG003", "m=audio 10200 UDP/TLS/RTP/SAVPF", "m=audio 10200 RTP/AVP"),
        ("NEG004", "a=mid:a1", "a=mid:b1"),
        ("NEG005", "m=video 10200", "m=video 0"),
        ("NEG006", "VP8", "AV1"),
        ("NEG007", "packetization-mode=1", "packetization-mode=0"),
        ("NEG007", "profile-level-id=42e01f", "profile-level-id=640c1f"),
        ("NEG008", "a=rtpmap:0 PCMU/8000", "a=rtpmap:0 L16/8000"),
        ("NEG009", "96", "99"),
        ("NEG010", "a=fmtp:97 0-15\r\n", "a=fmtp:97 0-15\r\na=fmtp:96 stereo=1\r\n"),
        ("NEG012", "a=sendrecv", "a=inactive"),
        ("NEG013", "a=extmap:2 urn:ietf:params:rtp-hdrext:ssrc-audio-level", "a=extmap:2 urn:quux"),
        ("NEG014", "a=extmap:2 ", "a=extmap:4 "),
        ("NEG016", "BUNDLE a1 v1", "BUNDLE a1 v1 x1"),
        ("NEG018", "a=setup:active", "a=setup:actpass"),
        ("NEG019", "a=fingerprint:", "a=quux:"),
        ("NEG020", "a=ice-ufrag:6sFv\r\n", ""),
        ("NEG023", "a=rtcp-rsize\r\n", "a=rtcp-rsize\r\na=simulcast:send 1\r\n"),
    ];
    let [offer, _] = RFC_8829.map(parse);
    for (code, from, to) in cases {
        assert!(RFC_8829[1].contains(from), "{code}: {from}");
        let mut answer = RFC_8829[1].replace(from, to);
        if *code == "NEG006" {
            answer = answer.replace("H264", "AV1");
        }
        let found = negotiate(&offer, &parse(&answer)).mismatches;
        assert!(found.iter().any(|mismatch| mismatch.code == *code), "{code}: {found:?}");
    }
    // What both must have for it.
    let both: &[(&str, &str, &str, &str)] = &[
        ("NEG001", "", "", "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"),
        ("NEG011", "a=sendrecv", "a=recvonly", ""),
        ("NEG015", "a=mid:v1", "a=bundle-only\r\na=mid:v1", ""),
        ("NEG017", "a=setup:actpass", "a=setup:active", ""),
        ("NEG022", "a=rtcp-rsize", "a=rtcp-mux-only", ""),
    ];
    for (code, from, to, more) in both {
        let offer = if from.is_empty() { RFC_8829[0].to_owned() + more } else { RFC_8829[0].replace(from, to) };
        let mut answer = RFC_8829[1].to_owned();
        if *code == "NEG015" {
            answer = answer.replace("BUNDLE a1 v1", "BUNDLE a1");
        }
        if *code == "NEG022" {
            answer = answer.replace("a=rtcp-mux\r\n", "");
        }
        let found = negotiate(&parse(&offer), &parse(&answer)).mismatches;
        assert!(found.iter().any(|mismatch| mismatch.code == *code), "{code}: {found:?}");
    }
}

#[test]
fn what_a_hostile_text_may_hold_is_bounded() {
    let many = "v=0\r\n".to_owned() + &"m=audio 9 RTP/AVP 0\r\n".repeat(30_000);
    let description = parse(&many);
    assert!(description.media.len() <= 1024 && description.lines_omitted > 9000, "{}", description.lines_omitted);
    let wide = format!("v=0\r\na=group:BUNDLE{}\r\nm=audio 9 RTP/AVP{}\r\n", " x".repeat(90_000), " 0".repeat(90_000));
    let description = parse(&wide);
    assert!(description.groups[0].mids.len() <= 1024 && description.media[0].formats.len() <= 1024);
    drop(lint(&description, Dialect::Webrtc, None));
    // As many sections, formats and kinds of feedback as go into the caps.
    let formats: String = (0..128).map(|number| format!(" {number}")).collect();
    let section = format!("m=audio 9 RTP/AVP{formats}\r\n") + &"a=rtcp-fb:* nack pli\r\n".repeat(30);
    let description = parse(&("v=0\r\n".to_owned() + &section.repeat(600)));
    let feedback =
        description.media.iter().flat_map(|media| &media.codecs).map(|codec| codec.feedback.len()).sum::<usize>();
    assert!(feedback <= 512 * 128 * 12, "{feedback}");
    let layers = "1,".repeat(90_000);
    let description = parse(&format!("v=0\r\nm=video 9 RTP/AVP 96\r\na=simulcast:send {layers}\r\n"));
    assert!(description.media[0].simulcast.as_ref().unwrap().send[0].len() <= 16);
    assert!(lint(&description, Dialect::Sip, None).len() < 100);
}

fn run(arguments: &[&str]) -> (i32, String, String) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let run = std::process::Command::new(env!("CARGO_BIN_EXE_rtcscope"))
        .arg("sdp")
        .args(arguments)
        .current_dir(root)
        .output();
    let run = run.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (run.status.code().unwrap(), text(run.stdout), text(run.stderr))
}

#[test]
fn the_command_tells_by_its_status() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_string_lossy().into_owned()
    };
    let pair = ["samples/call-offer.sdp", "samples/call-answer.sdp"];
    let (status, text, error) = run(&pair);
    assert_eq!((status, error.as_str()), (0, ""), "{text}");
    assert!(text.contains("DTLS, begun by the answerer, bundled"), "{text}");
    let wrong = file("passive.sdp", &RFC_8829[1].replace("setup:active", "setup:actpass"));
    let offer = file("offer.sdp", RFC_8829[0]);
    let (status, text, _) = run(&[&offer, &wrong, "--lint"]);
    assert_eq!(status, 1);
    assert!(text.contains("NEG018") && text.contains("SDP052") && !text.contains("opus"), "{text}");
    let (status, text, _) = run(&[&offer, &wrong, "--format", "json"]);
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((status, &json["schemaVersion"], &json["verdict"]), (1, &Value::from(1), &Value::from("fail")));
    assert_eq!(json["negotiations"][0]["mismatches"][0]["answerLine"], 26);
    assert_eq!(json["descriptions"][0]["media"][0]["candidates"][0]["scope"], "public");
    let keys = file("keys.sdp", RFC_4568);
    for form in ["text", "json"] {
        let (status, text, _) = run(&[&keys, "--format", form]);
        assert_eq!(status, 0, "{text}");
        assert!(text.contains("AES_CM_128_HMAC_SHA1_80") && !text.contains("PS1u"), "{text}");
    }
    let (status, _, error) = run(&[&file("none", "hello\n")]);
    assert!(status == 2 && error.contains("it holds no SDP") && error.lines().count() == 1, "{error}");
    let both = file("both", &format!("{}{}", RFC_8829[0], RFC_8829[1]));
    assert!(run(&[&both]).1.contains("Agreed (offer 1, answer 2)"));
}

#[test]
fn text_fits_its_width() {
    for width in [60, 80, 200] {
        let (_, text, _) = run(&["samples/call-offer.sdp", "samples/call-answer.sdp", "--width", &width.to_string()]);
        for line in text.lines() {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
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
        "a=sctp-init:",
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
