//! The capture itself: what is missing from it, and what that does to the numbers.

use crate::{
    capture::{FileSummary, Why},
    engine::Analysis,
    finding::{Finding, Severity},
    session::Sessions,
    time::PacketId,
    wire::{Kind, Layer},
};

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
    findings.extend(limits(analysis));
    findings.extend(malformed(analysis));
    findings.extend(no_call(analysis, sessions));
    findings
}

/// "call.pcap: the file ends inside a packet; what came before it was analyzed (after packet 1041, at byte 73,112)."
fn truncated(file: &FileSummary) -> Option<Finding> {
    let stop = file.stop.as_ref()?;
    Some(Finding {
        rule: "CAP001",
        severity: Severity::Warning,
        message: format!("{}: {} (after packet {}, at byte {})", file.path, why(stop.why), stop.packets, stop.byte),
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
        message: format!(
            "The capturing system dropped {drops} packets of {}: losses below may be the capture's own",
            file.path
        ),
        advice: Some("Capture with a larger buffer (tcpdump -B) or a capture filter."),
        packets: Vec::new(),
    })
}

/// "Time goes backwards 3 times in call.pcap."
fn backwards(file: &FileSummary, index: u16) -> Option<Finding> {
    let first = file.first_backwards?;
    Some(Finding {
        rule: "CAP003",
        severity: Severity::Info,
        message: format!("Time goes backwards {} times in {}", file.time_backwards, file.path),
        advice: Some("Jitter, gaps and round trips around these packets are not to be trusted; reordercap sorts them."),
        packets: vec![PacketId::new(index, first)],
    })
}

/// "2,100 of 7,212 packets of call.pcap were cut to 128 bytes."
fn snapped(file: &FileSummary) -> Option<Finding> {
    (file.snapped > 0).then(|| Finding {
        rule: "CAP004",
        severity: Severity::Info,
        message: format!(
            "{} of {} packets of {} were cut by the snap length: headers are used, contents may be missing",
            file.snapped, file.packets, file.path
        ),
        advice: Some("Capture whole packets (tcpdump -s 0) to see RTCP, handshakes and signalling in full."),
        packets: Vec::new(),
    })
}

/// "1,200 packets of call.pcap were captured twice, at two places of their path or by a mirror port; each counts once."
fn copies(analysis: &Analysis, file: &FileSummary, index: u16) -> Option<Finding> {
    let copies = analysis.copies.get(usize::from(index)).copied().filter(|copies| *copies > 0)?;
    Some(Finding {
        rule: "CAP005",
        severity: Severity::Info,
        message: format!(
            "{copies} packets of {} were captured twice, at different places of their path; each counts once",
            file.path
        ),
        advice: Some("Capture on one interface to keep files small."),
        packets: Vec::new(),
    })
}

/// "14 packets have a link type that rtcscope does not read."
fn unsupported_link(analysis: &Analysis) -> Option<Finding> {
    let unread = |(_, layer, kind, ..): &(u16, Layer, Kind, u64, PacketId)| {
        *layer == Layer::Link && *kind == Kind::Unsupported
    };
    let (count, first) = total(analysis.faults.iter().filter(unread))?;
    Some(Finding {
        rule: "CAP006",
        severity: Severity::Warning,
        message: format!("{count} packets have a link type that rtcscope does not read; they were left out"),
        advice: Some("Capture at the IP level, or on an Ethernet interface."),
        packets: vec![first],
    })
}

/// "12 IP packets are incomplete: fragments are missing."
fn incomplete_fragments(analysis: &Analysis) -> Option<Finding> {
    (analysis.incomplete > 0).then(|| Finding {
        rule: "CAP007",
        severity: Severity::Info,
        message: format!("{} fragmented IP packets are incomplete and were not read", analysis.incomplete),
        advice: Some("Fragments are often dropped by firewalls; keep datagrams under 1,200 bytes."),
        packets: Vec::new(),
    })
}

/// "Memory is bounded: 120,000 packets of flows beyond the first 131,072 were not followed."
fn limits(analysis: &Analysis) -> Option<Finding> {
    let refused = analysis.refused;
    let streams: u64 = analysis.flows.iter().map(|flow| flow.refused).sum();
    let beyond = refused.packets + refused.segments + streams;
    (beyond + refused.flows > 0).then(|| Finding {
        rule: "CAP008",
        severity: if beyond > 0 { Severity::Warning } else { Severity::Info },
        message: format!(
            "The capture holds more flows than are followed at a time: {beyond} packets were not followed, and {} idle \
             flows without media ({} packets) are only counted",
            refused.flows, refused.flow_packets
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
        message: format!("{count} packets are malformed; \"malformed\" in the JSON report lists them by layer and kind"),
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
        message: if packets == 0 {
            "There are no packets to analyze".to_owned()
        } else {
            "No call was found: no RTP stream, no RTCP, no ICE check, no TURN allocation, no SCTP association".to_owned()
        },
        advice: Some("Check that the capture was taken where the call's packets pass, with no filter that hides them."),
        packets: Vec::new(),
    })
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
    faults.map(|(.., count, first)| (count, first)).reduce(|(sum, earliest), (count, first)| {
        (sum + count, earliest.min(first))
    })
}
