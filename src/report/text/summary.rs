//! The first screen: the files, who talks to whom, the verdict and its reasons.

use std::{collections::BTreeMap, io};

use super::{
    super::document::{Capture, Finding, PacketRef, Report, Session, Severity, Verdict},
    call::participants,
    number::{bytes, counted, duration, grouped},
    page::{Label, Page, Tone},
    stream, verdict_sign, verdict_tone,
};

/// Files that are listed one by one.
const FEW_CAPTURES: usize = 8;
/// Findings of one rule that are written out.
const FEW_ALIKE: usize = 3;
/// Calls that a sentence names one by one.
const FEW_NAMED: usize = 8;

pub(super) fn write(report: &Report, page: &mut Page<'_>) -> io::Result<()> {
    captures(&report.captures, page)?;
    page.paragraph(&Label::default(), Tone::Strong, &sentence(report, page))?;
    verdict(report, page)?;
    findings(report, page)
}

fn captures(captures: &[Capture], page: &mut Page<'_>) -> io::Result<()> {
    let shown = page.options().details.shown(FEW_CAPTURES, captures.len());
    for capture in captures.iter().take(shown) {
        page.paragraph(&Label::default(), Tone::Plain, &capture_line(capture))?;
        for remark in remarks(capture) {
            page.paragraph(&Label::new(2, page.signs().doubtful, Tone::Doubtful), Tone::Plain, &remark)?;
        }
    }
    if captures.len() > shown {
        let rest = captures.iter().skip(shown);
        let packets = rest.map(|capture| capture.packets).sum();
        let text = format!("and {} more files with {} (--all)", captures.len() - shown, counted(packets, "packet"));
        page.paragraph(&Label::indent(2), Tone::Faint, &text)?;
    }
    Ok(())
}

fn capture_line(capture: &Capture) -> String {
    let name = if capture.path == "-" { "standard input" } else { &capture.path };
    let mut line = format!("{name}: ");
    match capture.packets {
        0 => line.push_str("no packets"),
        packets => line.push_str(&format!("{} ({})", counted(packets, "packet"), bytes(capture.bytes))),
    }
    if let Some(seconds) = capture.duration.filter(|_| capture.packets > 1) {
        line.push_str(&format!(" in {}", duration(seconds)));
    }
    for word in std::iter::once(&capture.format).chain(&capture.link_types) {
        line.push_str(&format!(", {word}"));
    }
    if let Some(time) = capture.first_packet_at.as_deref().and_then(to_the_second) {
        line.push_str(&format!(", from {time} UTC"));
    }
    line
}

/// `2026-11-22T08:57:50.123Z` as `2026-11-22 08:57:50`.
fn to_the_second(time: &str) -> Option<String> {
    Some(time.split(['.', 'Z']).next()?.replace('T', " "))
}

/// What a reader of the numbers must know of the file.
fn remarks(capture: &Capture) -> Vec<String> {
    let mut remarks = Vec::new();
    if capture.truncated {
        remarks.push("The file is cut off: it ends inside a packet or could not be read to its end.".to_owned());
    }
    if capture.snapped_packets > 0 {
        let snapped = counted(capture.snapped_packets, "packet");
        remarks.push(format!("Of {snapped} only the first bytes were captured (snap length)."));
    }
    if let Some(dropped) = capture.dropped_packets.filter(|dropped| *dropped > 0) {
        let dropped = counted(dropped, "packet");
        remarks.push(format!("The capturing system missed {dropped}: losses below may be its own."));
    }
    if capture.duplicate_packets > 0 {
        let twice = counted(capture.duplicate_packets, "packet");
        remarks.push(format!("{twice} captured twice (two interfaces or places); each counts once in its stream."));
    }
    if !capture.malformed.is_empty() {
        let kinds: Vec<String> = capture
            .malformed
            .iter()
            .map(|kind| format!("{} {} {} (first: {})", grouped(kind.count), kind.layer, kind.kind, kind.first_packet))
            .collect();
        remarks.push(format!("Could not be read: {}.", kinds.join(", ")));
    }
    remarks
}

/// One sentence on what is in the file: how many calls, who talks to whom.
fn sentence(report: &Report, page: &Page<'_>) -> String {
    let others = report.other_flows.len() as u64 + report.other_flows_omitted.map_or(0, |omitted| omitted.flows);
    let also = match others {
        0 => String::new(),
        others => format!("; {} of other traffic", counted(others, "flow")),
    };
    match report.sessions.as_slice() {
        [] if report.captures.iter().all(|capture| capture.packets == 0) => "There is nothing to analyze.".to_owned(),
        [] if others == 0 => "No call, and no other traffic that can be read.".to_owned(),
        [] => format!("No call: only {} of other traffic ({}).", counted(others, "flow"), protocols(report)),
        [session] => format!("1 call, {}: {}{also}.", participants(session, page), contents(session)),
        sessions => {
            let streams = sessions.iter().flat_map(|session| &session.communicating.rtp_streams);
            let media = streams.filter(|stream| stream::counts(stream)).count() as u64;
            let of = |verdict| sessions.iter().filter(|session| session.verdict == verdict).count() as u64;
            let (failed, doubtful) = (of(Verdict::Fail), of(Verdict::Warn));
            let judged = match (failed, doubtful) {
                (0, 0) => "all in order".to_owned(),
                (failed, 0) => format!("{} with errors", grouped(failed)),
                (0, doubtful) => format!("{} with warnings", grouped(doubtful)),
                (failed, doubtful) => format!("{} with errors, {} with warnings", grouped(failed), grouped(doubtful)),
            };
            let media =
                if media > 0 { format!("with {}", counted(media, "media stream")) } else { "without media".to_owned() };
            format!("{} {media}, {judged}{also}.", counted(sessions.len() as u64, "call"))
        }
    }
}

/// The protocols of the flows that are no call, most flows first.
fn protocols(report: &Report) -> String {
    let mut flows: BTreeMap<&str, u64> = BTreeMap::new();
    for flow in &report.other_flows {
        *flows.entry(flow.protocol.as_deref().unwrap_or(&flow.transport)).or_default() += 1;
    }
    let mut sorted: Vec<_> = flows.into_iter().collect();
    sorted.sort_by(|one, other| other.1.cmp(&one.1).then(one.0.cmp(other.0)));
    sorted.extend(report.other_flows_omitted.map(|omitted| ("not listed", omitted.flows)));
    let words: Vec<String> = sorted.iter().map(|(name, count)| format!("{name} {}", grouped(*count))).collect();
    words.join(", ")
}

/// What a call carries, each way: `1 audio and 1 video stream each way`.
fn contents(session: &Session) -> String {
    let mut senders: Vec<(&str, [u64; 3])> = Vec::new();
    let media = || session.communicating.rtp_streams.iter().filter(|stream| stream::counts(stream));
    // One sender may use a port for each kind of media; where all share an address (loopback), the port tells them apart.
    let first_host = media().next().map(|stream| host(&stream.source));
    let one_host =
        media().all(|stream| Some(host(&stream.source)) == first_host && Some(host(&stream.destination)) == first_host);
    for stream in media() {
        let name = if one_host { stream.source.as_str() } else { host(&stream.source) };
        let place = match stream.kind {
            Some("audio") => 0,
            Some("video") => 1,
            _ => 2,
        };
        if !senders.iter().any(|(known, _)| *known == name) {
            senders.push((name, [0; 3]));
        }
        let counts = senders.iter_mut().find(|(known, _)| *known == name);
        if let Some(count) = counts.and_then(|(_, counts)| counts.get_mut(place)) {
            *count += 1;
        }
    }
    match senders.as_slice() {
        [] if session.communicating.sctp.is_some() => "data (SCTP), no media".to_owned(),
        [] => "no media".to_owned(),
        [(_, one), (_, other)] if one == other => format!("{} each way", kinds(*one)),
        [(sender, counts)] => format!("{} from {sender}, none back", kinds(*counts)),
        [first, second] => format!("{} from {}, {} from {}", kinds(first.1), first.0, kinds(second.1), second.0),
        senders => {
            let sum = senders.iter().fold([0; 3], |sum: [u64; 3], (_, counts)| {
                let mut total = sum;
                total.iter_mut().zip(counts).for_each(|(total, count)| *total += count);
                total
            });
            format!("{} from {} senders", kinds(sum), senders.len())
        }
    }
}

/// The address of `address:port`.
fn host(endpoint: &str) -> &str {
    endpoint.rsplit_once(':').map_or(endpoint, |(host, _)| host)
}

fn kinds([audio, video, unknown]: [u64; 3]) -> String {
    let counts = [(audio, "audio"), (video, "video"), (unknown, "media")];
    let present: Vec<_> = counts.into_iter().filter(|(count, _)| *count > 0).collect();
    let words: Vec<String> = present.iter().map(|(count, kind)| format!("{} {kind}", grouped(*count))).collect();
    let stream = if present.last().is_some_and(|(count, _)| *count == 1) { "stream" } else { "streams" };
    format!("{} {stream}", words.join(" and "))
}

fn verdict(report: &Report, page: &mut Page<'_>) -> io::Result<()> {
    let of = |severity| report.findings.iter().filter(|finding| finding.severity == severity).count() as u64;
    let counts = [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Info, "note")];
    let words: Vec<String> = counts
        .iter()
        .map(|(severity, noun)| (of(*severity), noun))
        .filter(|(count, _)| *count > 0)
        .map(|(count, noun)| counted(count, noun))
        .collect();
    let reasons = if words.is_empty() { "nothing found to complain about".to_owned() } else { words.join(", ") };
    let tone = verdict_tone(report.verdict);
    let word = match report.verdict {
        Verdict::Pass => "PASS",
        Verdict::Warn => "WARN",
        Verdict::Fail => "FAIL",
    };
    let sign = verdict_sign(report.verdict, page);
    page.paragraph(&Label::new(0, &format!("Verdict: {sign} {word},"), tone), Tone::Plain, &reasons)
}

fn findings(report: &Report, page: &mut Page<'_>) -> io::Result<()> {
    if report.findings.is_empty() {
        return Ok(());
    }
    page.blank()?;
    page.paragraph(&Label::default(), Tone::Strong, "Findings")?;
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let total = report.findings.iter().fold(BTreeMap::<&str, usize>::new(), |mut total, finding| {
        *total.entry(finding.rule).or_default() += 1;
        total
    });
    for finding in &report.findings {
        let seen = seen.entry(finding.rule).or_default();
        *seen += 1;
        let shown = page.options().details.shown(FEW_ALIKE, total.get(finding.rule).copied().unwrap_or(0));
        if *seen > shown {
            continue;
        }
        self::finding(finding, report.sessions.len() > 1, page)?;
        if *seen == shown {
            alike(finding.rule, shown, report, page)?;
        }
    }
    Ok(())
}

pub(super) fn finding(finding: &Finding, name_call: bool, page: &mut Page<'_>) -> io::Result<()> {
    let (sign, tone) = match finding.severity {
        Severity::Error => (page.signs().bad, Tone::Bad),
        Severity::Warning => (page.signs().doubtful, Tone::Doubtful),
        Severity::Info => (page.signs().absent, Tone::Plain),
    };
    let call = finding.session.filter(|_| name_call).map_or_else(String::new, |id| format!("Call {id}: "));
    page.paragraph(&Label::new(2, sign, tone), Tone::Plain, &format!("{call}{}", finding.message))?;
    if let Some(advice) = &finding.advice {
        page.paragraph(&Label::new(4, page.signs().to, Tone::Plain), Tone::Plain, advice)?;
    }
    let proof = match finding.packets.as_slice() {
        [] => finding.rule.to_owned(),
        [packet] => format!("{}, packet {packet}", finding.rule),
        packets => {
            let numbers: Vec<String> = packets.iter().map(PacketRef::to_string).collect();
            format!("{}, packets {}", finding.rule, numbers.join(" "))
        }
    };
    page.paragraph(&Label::indent(4), Tone::Faint, &proof)
}

/// Names the calls of the findings of a rule that are not written out.
fn alike(rule: &str, shown: usize, report: &Report, page: &mut Page<'_>) -> io::Result<()> {
    let rest: Vec<&Finding> = report.findings.iter().filter(|finding| finding.rule == rule).skip(shown).collect();
    if rest.is_empty() {
        return Ok(());
    }
    let mut calls: Vec<u32> = rest.iter().filter_map(|finding| finding.session).collect();
    calls.sort_unstable();
    calls.dedup();
    let mut named: Vec<String> = calls.iter().take(FEW_NAMED).map(u32::to_string).collect();
    if calls.len() > named.len() {
        named.push(format!("and {} more", calls.len() - named.len()));
    }
    let of = if named.is_empty() { String::new() } else { format!(", calls {}", named.join(", ")) };
    let text = format!("and {} more of {rule}{of} (--all)", grouped(rest.len() as u64));
    page.paragraph(&Label::indent(4), Tone::Faint, &text)
}
