//! The capture itself: what is missing from it, and what that does to the numbers.

use crate::{
    capture::{FileSummary, Why},
    engine::Analysis,
    finding::{
        Finding, Severity,
        words::{counted, grouped, span, was},
    },
    flow::{
        FlowRecord,
        signalling::{Content, Signal},
        tcp::Reason,
    },
    session::Sessions,
    time::{NANOS_PER_MILLI, PacketId},
    wire::{Kind, Layer, dtls::cipher_suite_name},
};

/// Steps back in time up to this are how several queues of a network card are merged, and harm nothing.
const HARMLESS_STEP_BACK: i64 = NANOS_PER_MILLI;

/// The rules about the capture, each on its own.
pub fn judge(analysis: &Analysis, sessions: &Sessions) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, file) in analysis.files.iter().enumerate() {
        let index = u16::try_from(index).unwrap_or(u16::MAX);
        findings.extend(truncated(file));
        findings.extend(dropped(file));
        findings.extend(backwards(file, index));
        findings.extend(snapped(file));
        findings.extend(copies(analysis, file, index));
    }
    findings.extend(unsupported_link(analysis));
    findings.extend(incomplete_fragments(analysis));
    findings.extend(missing_segments(analysis));
    findings.extend(cut_datagrams(analysis));
    findings.extend(limits(analysis));
    findings.extend(unlisted(analysis));
    findings.extend(missing_signalling(analysis));
    findings.extend(unopened_tls(analysis));
    findings.extend(too_many_calls(sessions));
    findings.extend(malformed(analysis));
    findings.extend(no_call(analysis, sessions));
    findings
}

/// "call.pcap: the file ends inside a packet; what came before it was analyzed (after packet 1,041, at byte 73,112)."
fn truncated(file: &FileSummary) -> Option<Finding> {
    let stop = file.stop.as_ref()?;
    let (packets, byte) = (grouped(stop.packets), grouped(stop.byte));
    Some(Finding {
        rule: "CAP001",
        severity: Severity::Warning,
        session: None,
        message: format!("{}: {} (after packet {packets}, at byte {byte})", file.path, why(stop.why)),
        advice: Some("Copy the file again from where it was captured, or stop the capture before copying."),
        packets: Vec::new(),
    })
}

/// "The capturing system dropped 312 packets of call.pcap: losses below may be the capture's own."
fn dropped(file: &FileSummary) -> Option<Finding> {
    let drops = file.drops.filter(|drops| *drops > 0)?;
    Some(Finding {
        rule: "CAP002",
        severity: Severity::Warning,
        session: None,
        message: format!(
            "The capturing system dropped {} of {}: losses below may be the capture's own",
            counted(drops, "packet"),
            file.path
        ),
        advice: Some("Capture with a larger buffer (tcpdump -B) or a capture filter."),
        packets: Vec::new(),
    })
}

/// "Time goes back once in call.pcap, by 2.3 s." or "Time goes back 214 times in call.pcap, by up to 2.3 s."
fn backwards(file: &FileSummary, index: u16) -> Option<Finding> {
    let largest = file.largest_step_back.filter(|step| step.nanos > HARMLESS_STEP_BACK)?;
    let (path, by) = (&file.path, span(largest.nanos));
    Some(Finding {
        rule: "CAP003",
        severity: Severity::Info,
        session: None,
        message: match file.time_backwards {
            1 => format!("Time goes back once in {path}, by {by}"),
            times => format!("Time goes back {} in {path}, by up to {by}", counted(times, "time")),
        },
        advice: Some("Jitter, gaps and round trips around these packets are not to be trusted; reordercap sorts them."),
        packets: vec![PacketId::new(index, largest.packet)],
    })
}

/// "2,100 of 7,212 packets of call.pcap were cut by the snap length."
fn snapped(file: &FileSummary) -> Option<Finding> {
    (file.snapped > 0).then(|| Finding {
        rule: "CAP004",
        severity: Severity::Info,
        session: None,
        message: format!(
            "{} of {} of {} {} cut by the snap length: headers are used, contents may be missing",
            grouped(file.snapped),
            counted(file.packets, "packet"),
            file.path,
            was(file.snapped)
        ),
        advice: Some("Capture whole packets (tcpdump -s 0) to see RTCP, handshakes and signalling in full."),
        packets: Vec::new(),
    })
}

/// "1,200 packets of call.pcap were captured before, at another place of the path or by a mirror port, and not counted
/// again."
fn copies(analysis: &Analysis, file: &FileSummary, index: u16) -> Option<Finding> {
    let copies = analysis.copies.get(usize::from(index)).copied().filter(|copies| *copies > 0)?;
    Some(Finding {
        rule: "CAP005",
        severity: Severity::Info,
        session: None,
        message: format!(
            "{} of {} {} captured before, at another place of the path or by a mirror port, and not counted again",
            counted(copies, "packet"),
            file.path,
            was(copies)
        ),
        advice: Some("Capture on one interface to keep files small."),
        packets: Vec::new(),
    })
}

/// "14 packets have a link type that rtcscope does not read."
fn unsupported_link(analysis: &Analysis) -> Option<Finding> {
    let unread =
        |(_, layer, kind, ..): &(u16, Layer, Kind, u64, PacketId)| *layer == Layer::Link && *kind == Kind::Unsupported;
    let (count, first) = total(analysis.faults.iter().filter(unread))?;
    let have = if count == 1 { "has" } else { "have" };
    Some(Finding {
        rule: "CAP006",
        severity: Severity::Warning,
        session: None,
        message: format!(
            "{} {have} a link type that rtcscope does not read, and {} left out",
            counted(count, "packet"),
            was(count)
        ),
        advice: Some("Capture at the IP level, or on an Ethernet interface."),
        packets: vec![first],
    })
}

/// "12 fragmented IP packets are incomplete and were not read."
fn incomplete_fragments(analysis: &Analysis) -> Option<Finding> {
    let count = analysis.incomplete;
    (count > 0).then(|| Finding {
        rule: "CAP007",
        severity: Severity::Info,
        session: None,
        message: format!(
            "{} {} incomplete and {} not read",
            counted(count, "fragmented IP packet"),
            is(count),
            was(count)
        ),
        advice: Some("Fragments are often dropped by firewalls; keep datagrams under 1,200 bytes."),
        packets: Vec::new(),
    })
}

/// "TCP segments of media were not captured in 15 places (17,280 bytes): what they held is missing from the counts, and
/// is no loss."
fn missing_segments(analysis: &Analysis) -> Option<Finding> {
    let uncaptured = analysis.uncaptured;
    (uncaptured.holes > 0).then(|| Finding {
        rule: "CAP013",
        severity: Severity::Info,
        session: None,
        message: format!(
            "TCP segments of media were not captured in {} ({}): what they held is missing from the counts, and is no loss",
            counted(uncaptured.holes, "place"),
            counted(uncaptured.bytes, "byte")
        ),
        advice: Some("Capture with a larger buffer (tcpdump -B) or a capture filter."),
        packets: uncaptured.first_hole.into_iter().collect(),
    })
}

/// "The snap length cut off the start of media packets inside TCP segments in 210 places: they are missing from the
/// counts, and are no loss."
fn cut_datagrams(analysis: &Analysis) -> Option<Finding> {
    let uncaptured = analysis.uncaptured;
    (uncaptured.cuts > 0).then(|| Finding {
        rule: "CAP013",
        severity: Severity::Info,
        session: None,
        message: format!(
            "The snap length cut off the start of media packets inside TCP segments in {}: they are missing from the \
             counts, and are no loss",
            counted(uncaptured.cuts, "place")
        ),
        advice: Some("Capture whole packets (tcpdump -s 0): several may be in one TCP segment."),
        packets: uncaptured.first_cut.into_iter().collect(),
    })
}

/// "The capture holds more flows than are followed at a time: 120,000 packets were not followed."
fn limits(analysis: &Analysis) -> Option<Finding> {
    let refused = analysis.refused;
    let streams: u64 = analysis.flows.iter().map(|flow| flow.refused).sum();
    let beyond = refused.packets + refused.segments + streams;
    let mut consequences = Vec::new();
    if beyond > 0 {
        consequences.push(format!("{} {} not followed", counted(beyond, "packet"), was(beyond)));
    }
    if refused.flows > 0 {
        let packets = counted(refused.flow_packets, "packet");
        consequences.push(format!(
            "{} ({packets}) {} only counted",
            counted(refused.flows, "idle flow"),
            is(refused.flows)
        ));
    }
    (!consequences.is_empty()).then(|| Finding {
        rule: "CAP008",
        severity: if beyond > 0 { Severity::Warning } else { Severity::Info },
        session: None,
        message: format!(
            "The capture holds more flows and streams than are followed at a time: {}",
            consequences.join(", and ")
        ),
        advice: Some("Analyze a part of it: --filter, --from and --to choose packets."),
        packets: Vec::new(),
    })
}

/// "Lists of what ICE, TURN and DTLS did were full: 1,200 entries were left out of them."
fn unlisted(analysis: &Analysis) -> Option<Finding> {
    let omitted = |flow: &FlowRecord| {
        let ice = flow.ice.as_deref().map_or(0, |ice| ice.omitted);
        let turn = flow.turn.as_deref().map_or(0, |turn| turn.omitted);
        let dtls: u64 = flow.dtls.iter().map(|dtls| dtls.omitted + dtls.messages_refused).sum();
        ice + turn + dtls + flow.dtls_replaced
    };
    let first = analysis.flows.iter().find(|flow| omitted(flow) > 0)?;
    let count = analysis.flows.iter().map(omitted).sum();
    Some(Finding {
        rule: "CAP014",
        severity: Severity::Info,
        session: None,
        message: format!(
            "Lists of what ICE, TURN and DTLS did were full: {} {} left out of them, the first of a flow of {} and {}",
            if count == 1 { "one entry".to_owned() } else { format!("{} entries", grouped(count)) },
            was(count),
            first.key.name_of(first.key.low),
            first.key.name_of(first.key.high)
        ),
        advice: Some("Analyze a part of it: --filter, --from and --to choose packets."),
        packets: vec![first.first.1],
    })
}

/// "Not all signalling could be read: 3 messages are longer than is looked into, bytes were not captured in 1 place."
fn missing_signalling(analysis: &Analysis) -> Option<Finding> {
    let missing = analysis.signalling.missing;
    // Where nothing was signalled, what could not be read of web traffic is nobody's concern; a WebSocket, or Jingle, may
    // be all the signalling that there is.
    let is_of_call = |signal: &Signal| !matches!(signal.content, Content::Tls(_));
    let is_unread = |flow: &FlowRecord| matches!(flow.label, Some("websocket" | "wss")) && missing.unreadable > 0;
    let may_be_signalling = missing.refused + missing.jingle > 0 || analysis.flows.iter().any(is_unread);
    if !may_be_signalling && !analysis.signalling.signals.iter().any(is_of_call) {
        return None;
    }
    let mut reasons = Vec::new();
    if missing.refused > 0 {
        reasons.push(format!("{} beyond what is kept", counted(missing.refused, "message")));
    }
    if missing.oversized > 0 {
        reasons.push(format!("{} longer than is looked into", counted(missing.oversized, "message")));
    }
    if missing.unreadable > 0 {
        reasons.push(format!("{} that could not be decoded", counted(missing.unreadable, "message")));
    }
    if missing.coded > 0 {
        reasons.push(format!("{} in a coding that is not read (br, zstd)", counted(missing.coded, "HTTP message")));
    }
    if missing.jingle > 0 {
        reasons.push(format!("{} of XMPP with Jingle, which is not read", counted(missing.jingle, "message")));
    }
    if missing.holes > 0 {
        reasons.push(format!("bytes not captured in {}", counted(missing.holes, "place")));
    }
    (!reasons.is_empty()).then(|| Finding {
        rule: "CAP015",
        severity: Severity::Info,
        session: None,
        message: format!("Not all messages of signalling connections could be read: {}", reasons.join(", ")),
        advice: Some(
            "Capture whole packets (tcpdump -s 0) from before the call on, with a larger buffer (tcpdump -B).",
        ),
        packets: missing.first_hole.into_iter().collect(),
    })
}

/// "TLS that the keys given do not open: 2 connections without a line for their client random in the key log."
fn unopened_tls(analysis: &Analysis) -> Option<Finding> {
    let unopened = &analysis.tls.unopened;
    let reasons: Vec<_> = unopened
        .iter()
        .map(|(reason, unopened)| format!("{} {}", counted(unopened.connections, "connection"), why_unopened(*reason)))
        .collect();
    (!reasons.is_empty()).then(|| Finding {
        rule: "CAP016",
        severity: Severity::Info,
        session: None,
        message: format!("TLS that the keys given do not open: {}", reasons.join(", ")),
        advice: None,
        packets: unopened.values().map(|unopened| unopened.first.1).collect(),
    })
}

fn why_unopened(reason: Reason) -> String {
    match reason {
        Reason::NoLine => "without a line for the client random in the key log".to_owned(),
        Reason::NoSecret => "without the secrets of its version in the key log".to_owned(),
        Reason::Beginning => "whose hellos are not captured".to_owned(),
        Reason::TagMismatch => "whose records the secrets do not fit".to_owned(),
        Reason::Suite(suite) => {
            let name = cipher_suite_name(suite).map_or_else(|| format!("{suite:#06x}"), str::to_owned);
            format!("of the cipher suite {name}, which is not opened")
        }
        Reason::Version(version) => format!("of the version {version:#06x}, which is not opened"),
        Reason::SecretLength => "with a secret of the wrong length in the key log".to_owned(),
    }
}

/// "The capture holds 120,000 calls; the 20,000 with the most packets are listed."
fn too_many_calls(sessions: &Sessions) -> Option<Finding> {
    let (listed, omitted) = (sessions.calls.len() as u64, sessions.omitted);
    (omitted.calls > 0).then(|| Finding {
        rule: "CAP011",
        severity: Severity::Warning,
        session: None,
        message: format!(
            "The capture holds {}; the {} with the most packets are listed, and {} of the others left out",
            counted(listed + omitted.calls, "call"),
            grouped(listed),
            counted(omitted.packets, "packet")
        ),
        advice: Some("Analyze a part of it: --filter, --from and --to choose packets."),
        packets: Vec::new(),
    })
}

/// "23 packets are malformed."
fn malformed(analysis: &Analysis) -> Option<Finding> {
    let broken = |(_, layer, kind, ..): &(u16, Layer, Kind, u64, PacketId)| {
        !matches!((layer, kind), (_, Kind::Snapped) | (Layer::Link, Kind::Unsupported))
    };
    let (count, first) = total(analysis.faults.iter().filter(broken))?;
    Some(Finding {
        rule: "CAP009",
        severity: Severity::Info,
        session: None,
        message: format!(
            "{} {} malformed; \"malformed\" in the JSON report lists what is wrong by layer and kind",
            counted(count, "packet"),
            is(count)
        ),
        advice: None,
        packets: vec![first],
    })
}

/// "No call was found."
fn no_call(analysis: &Analysis, sessions: &Sessions) -> Option<Finding> {
    let packets: u64 = analysis.files.iter().map(|file| file.packets).sum();
    sessions.calls.is_empty().then(|| Finding {
        rule: "CAP010",
        severity: Severity::Info,
        session: None,
        message: if packets == 0 {
            "There are no packets to analyze".to_owned()
        } else {
            "No call was found: no RTP stream, no RTCP, no ICE check, no TURN allocation, no SCTP association"
                .to_owned()
        },
        advice: Some("Check that the capture was taken where the call's packets pass, with no filter that hides them."),
        packets: Vec::new(),
    })
}

const fn is(count: u64) -> &'static str {
    if count == 1 { "is" } else { "are" }
}

const fn why(why: Why) -> &'static str {
    match why {
        Why::Cut => "the file ends inside a packet; what came before it was analyzed",
        Why::CutCompression => "the compressed data is cut or damaged; what came out of it was analyzed",
        Why::Damaged => "the file is damaged; what came before the damage was analyzed",
        Why::NotACapture => "what follows is no capture; what came before was analyzed",
    }
}

fn total(faults: impl Iterator<Item = (u16, Layer, Kind, u64, PacketId)>) -> Option<(u64, PacketId)> {
    faults
        .map(|(.., count, first)| (count, first))
        .reduce(|(sum, earliest), (count, first)| (sum + count, earliest.min(first)))
}
