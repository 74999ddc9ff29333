use super::*;
use crate::report::samples;

fn text(report: &Report, options: TextOptions) -> String {
    let mut out = Vec::new();
    write_text(report, &options, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn at(width: usize) -> TextOptions {
    TextOptions { width, ..TextOptions::default() }
}

/// The text without line breaks and indents, to look for facts however they are folded.
fn unfolded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn assert_holds(text: &str, facts: &[&str]) {
    let unfolded = unfolded(text);
    for fact in facts {
        assert!(unfolded.contains(fact), "{fact:?} is not in\n{text}");
    }
}

#[test]
fn no_line_is_wider_than_the_page() {
    for report in samples::all() {
        for width in [60, 72, 80, 81, 100, 120, 200, 500] {
            for details in [Details::Auto, Details::All] {
                for unicode in [true, false] {
                    let text = text(&report, TextOptions { unicode, details, ..at(width) });
                    for line in text.lines() {
                        assert!(line.chars().count() <= width, "{width} columns, but\n{line}\nin\n{text}");
                        assert_eq!(line, line.trim_end());
                    }
                    assert!(unicode || text.is_ascii());
                }
            }
        }
    }
}

/// At every width each packet count is there, in a table or in the small print.
#[test]
fn a_lossy_call_tells_its_story() {
    for width in [60, 80, 120, 200] {
        let text = text(&samples::lossy_webrtc_call(), at(width));
        assert_holds(
            &text,
            &[
                "call.pcapng: 15,212 packets (12.4 MB) in 37.8 s, pcapng, ETHERNET, from 2026-11-22 08:57:50 UTC",
                "1 call, 10.1.0.2:49152 ⇄ 10.2.0.2:50000: 1 audio and 1 video stream from 10.1.0.2, 1 audio stream from",
                "Verdict: ✗ FAIL, 1 error, 1 warning",
                "media-loss-before-tap, packets 1041 1055 1102",
                "✗ Call 1: 10.1.0.2:49152 ⇄ 10.2.0.2:50000, 37.2 s from 0.412 s",
                "· Signalling not in the capture",
                "✓ Connecting STUN: 60 messages",
                "DTLS 1.3",
                "frames by layer S0T0 560, S0T1 548; 9 frames lost or left out",
                "up to 412 ms in queues between the sender and the tap (packet 2042)",
                "digital silence for 6.00 s from 12.500 s (packets 3001 to 3777)",
                "10.1.0.2:49152 to 10.2.0.2:50000: 519 of 14,979 packets lost between the sender and the tap (3.5 %) by \
                 transport-wide sequence numbers (inferred); 518 by those of the streams (the others were of streams of which no packet came, or were not \
                 captured); the longest run 14 packets, between \
                 packets 1041 and 1055",
                "From 10.1.0.2:49152 to 10.2.0.2:50000",
                "! 0x1a2b3c4e video PT 96 12,121 510 (4.0 %)",
                "receiver: lost 4.3 % (max 11.3 %), 522 packets in all; jitter 14.8 ms (max 39.1 ms)",
                "round trip from tap 23.6 ms (max 44.8 ms)",
                "inferred: 12 packets lost after the tap",
                "resent (RTX): 0x0badcafe, PT 97, 477 packets (60 padding only), 9 (1.9 %) lost",
                "ABORT from 10.1.0.2:49152: User-Initiated Abort \"Close called\"",
                "Other traffic: 2 flows, 434 packets",
                "~ means",
            ],
        );
    }
}

/// What has no column at 80 columns stands in the small print, and only there.
#[test]
fn wide_pages_have_more_columns() {
    let report = samples::lossy_webrtc_call();
    let (narrow, wide) = (text(&report, at(80)), text(&report, at(200)));
    assert_holds(&narrow, &["3 duplicated; 12 reordered (by up to 4); 29.8 frames/s"]);
    assert!(!wide.contains("duplicated;"));
    assert!(wide.lines().any(|line| line.contains("0x1a2b3c4e") && line.contains("29.8") && line.contains("1,108")));
}

#[test]
fn a_sip_call_has_codecs() {
    assert_holds(
        &text(&samples::sip_call(), at(80)),
        &[
            "1 audio stream each way",
            "Verdict: ✓ PASS",
            "✓ Signalling over sip",
            "RTP in clear: 2 media streams",
            "0xdeadbeef audio PCMU 0 1,862 0 7.4 / 22.1 41.2 kbit/s",
            "receiver: lost 0 %, -1 packets in all; 5 reports",
        ],
    );
}

#[test]
fn a_capture_without_calls_says_so() {
    assert_holds(&text(&samples::empty(), at(80)), &["empty.pcap: no packets, pcapng", "There is nothing to analyze."]);
    assert_holds(
        &text(&samples::only_dns(), at(80)),
        &[
            "No call: only 1,025 flows of other traffic (dns 25, not listed 1,000).",
            "and 15 more flows with 30 packets (--all)",
            "and 1,000 flows with 2,000 packets that are only counted",
        ],
    );
}

#[test]
fn hundreds_of_calls_stay_readable() {
    let report = samples::many_calls();
    let short = text(&report, at(80));
    assert!(short.lines().count() < 120, "{short}");
    assert_holds(
        &short,
        &[
            "200 calls with 400 media streams, 10 with warnings.",
            "and 7 more of media-loss-before-tap, calls 80, 100, 120, 140, 160, 180, 200 (--all)",
            "! 200 10.200.0.2:40000 ⇄ 172.16.0.200:20000 2 10.7 % 22.1 ms",
            "and 160 more calls: 0 with errors, 0 with warnings (--all)",
            "The 3 worst of 200 calls follow; --all shows every call.",
        ],
    );
    assert_eq!(short.matches("Communicating").count(), 3);
    let all = text(&report, TextOptions { details: Details::All, ..at(80) });
    assert_eq!(all.matches("Communicating").count(), 200);
    assert!(!all.contains("--all"));
}

#[test]
fn long_addresses_are_folded_and_whole() {
    let text = text(&samples::ipv6_call(), at(80));
    assert_holds(
        &text,
        &[
            "through relay [2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]:3478",
            "From [2001:db8:1234:5678:9abc:def0:1234:5678]:49152 to [2001:db8:ffff:eeee:dddd:cccc:bbbb:aaaa]:50000",
            "The file is cut off",
            "Could not be read: 12 udp bad-length (first: 34).",
            "all encrypted, so what receivers report cannot be read",
            "the sender's clock is 512 ppm slow",
        ],
    );
}

/// Colour adds sequences and nothing else, and is only there when asked for.
#[test]
fn colour_changes_no_character() {
    for report in samples::all() {
        let plain = text(&report, at(80));
        let coloured = text(&report, TextOptions { color: true, ..at(80) });
        assert!(!plain.contains('\x1b'));
        assert!(coloured.contains('\x1b'));
        let mut stripped = String::new();
        let mut rest = coloured.as_str();
        while let Some((before, after)) = rest.split_once("\x1b[") {
            stripped.push_str(before);
            rest = after.split_once('m').unwrap().1;
        }
        stripped.push_str(rest);
        let lines: Vec<&str> = stripped.lines().map(str::trim_end).collect();
        assert_eq!(lines, plain.lines().collect::<Vec<_>>());
    }
}

/// What strangers put into a capture cannot reach the terminal as a control character.
#[test]
fn hostile_text_is_written_out() {
    let mut report = samples::lossy_webrtc_call();
    for session in &mut report.sessions {
        let rtcp = session.communicating.rtcp.as_mut().unwrap();
        rtcp.cnames.insert(7, "\x1b[2Jgone\r\n\u{202e}".to_owned());
        for stream in &mut session.communicating.rtp_streams {
            stream.codec = Some("\x1b[31m".to_owned() + &"x".repeat(300));
        }
    }
    for flow in &mut report.other_flows {
        flow.protocol = Some("a\nb\x07".to_owned());
    }
    let text = text(&report, at(80));
    assert!(text.chars().all(|char| char == '\n' || !char.is_control()), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert_holds(&text, &["\\u{1b}[2Jgone\\u{d}\\u{a}\\u{202e}"]);
}
