//! The report of `sdp` for people: each description as tables, what is wrong with it, and what was agreed.

use std::io::{self, Write};

use super::{
    TextOptions,
    grid::{Cell, Column, Grid, Note, Row},
    page::{Label, Page, Tone},
};
use crate::report::{
    document::{Severity, Verdict},
    sdp::{
        AgreedEntry, CandidateEntry, CodecEntry, DescriptionEntry, LintEntry, MediaEntry, NegotiationEntry, SdpReport,
    },
};

/// Columns of the names of values.
const NAME_WIDTH: usize = 12;

/// Trickled candidates that are listed.
const FEW_CANDIDATES: usize = 16;

/// Writes the report as text; `lints_only` leaves out what the descriptions say.
///
/// # Errors
/// What `out` says, and nothing else.
pub fn write_sdp(report: &SdpReport, lints_only: bool, options: &TextOptions, out: &mut dyn Write) -> io::Result<()> {
    let page = &mut Page::new(options, out);
    verdict(report, page)?;
    for (place, entry) in report.descriptions.iter().enumerate() {
        page.blank()?;
        page.paragraph(&Label::default(), Tone::Strong, &title(entry, place, report.descriptions.len()))?;
        if !lints_only {
            description(entry, page)?;
        }
        for lint in &entry.lints {
            write_lint(lint, entry, page)?;
        }
    }
    for entry in &report.negotiations {
        negotiation(entry, lints_only, page)?;
    }
    if !lints_only && !report.candidates.is_empty() {
        page.blank()?;
        page.paragraph(&Label::default(), Tone::Strong, "Candidates sent apart")?;
        let shown = page.options().details.shown(FEW_CANDIDATES, report.candidates.len());
        candidates(report.candidates.iter().take(shown).map(|one| &one.candidate), page)?;
        if shown < report.candidates.len() {
            let more = format!("and {} more (--all)", report.candidates.len() - shown);
            page.paragraph(&Label::indent(2), Tone::Faint, &more)?;
        }
    }
    Ok(())
}

fn verdict(report: &SdpReport, page: &mut Page<'_>) -> io::Result<()> {
    let signs = page.signs();
    let (sign, tone, word) = match report.verdict {
        Verdict::Pass => (signs.good, Tone::Good, "PASS"),
        Verdict::Warn => (signs.doubtful, Tone::Doubtful, "WARN"),
        Verdict::Fail => (signs.bad, Tone::Bad, "FAIL"),
    };
    let all = report.descriptions.iter().flat_map(|entry| entry.lints.iter().map(|lint| lint.severity));
    let mismatches = report.negotiations.iter().flat_map(|entry| entry.mismatches.iter().map(|one| one.severity));
    let (mut errors, mut warnings) = (0_usize, 0_usize);
    for severity in all.chain(mismatches) {
        match severity {
            Severity::Error => errors += 1,
            Severity::Warning => warnings += 1,
            Severity::Info => {}
        }
    }
    let plural = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    let counts = format!("{}, {}", plural(errors, "error"), plural(warnings, "warning"));
    page.paragraph(&Label::new(0, &format!("Verdict: {sign} {word},"), tone), Tone::Plain, &counts)
}

fn title(entry: &DescriptionEntry, place: usize, count: usize) -> String {
    let kind = match entry.kind {
        Some("offer") => "Offer",
        Some("answer") => "Answer",
        Some("pranswer") => "Provisional answer",
        Some("rollback") => "Rollback",
        _ => "Description",
    };
    let number = if count > 1 { format!("{}. ", place + 1) } else { String::new() };
    let by = entry.by.map_or_else(String::new, |by| format!(", {by}"));
    let connection = entry.connection.as_ref().map_or_else(String::new, |name| format!(", connection {name}"));
    let lite = if entry.ice_lite { ", ICE lite" } else { "" };
    let groups: String =
        entry.groups.iter().map(|group| format!(", {} {}", group.semantics, group.mids.join(" "))).collect();
    let dialect = match entry.dialect {
        "webrtc" => "WebRTC",
        "whip" => "WHIP",
        "rtsp" => "RTSP",
        _ => "SIP",
    };
    format!("{number}{kind} ({dialect}{by}{connection}): {}{lite}{groups}", entry.source)
}

fn description(entry: &DescriptionEntry, page: &mut Page<'_>) -> io::Result<()> {
    for media in &entry.media {
        let mid = media.mid.as_ref().map_or_else(String::new, |mid| format!(", mid {mid}"));
        let state = match (media.rejected, media.bundle_only) {
            (true, _) => "rejected (port 0)",
            (false, true) => "bundle-only",
            (false, false) => media.direction,
        };
        let title =
            format!("Media {}: {}{mid}, {state}, {} port {}", media.index, media.kind, media.protocol, media.port);
        page.blank()?;
        page.paragraph(&Label::indent(2), Tone::Strong, &title)?;
        codecs(&media.codecs, page)?;
        values(media, page)?;
        extensions(media, page)?;
        candidates(media.candidates.iter(), page)?;
    }
    if !entry.lints.is_empty() {
        page.blank()?;
    }
    Ok(())
}

fn codecs(codecs: &[CodecEntry], page: &mut Page<'_>) -> io::Result<()> {
    if codecs.is_empty() {
        return Ok(());
    }
    let columns =
        vec![Column::number("PT"), Column::words("codec"), Column::folding("parameters"), Column::folding("feedback")];
    let rows = codecs.iter().map(|codec| {
        let name = codec.name.as_deref().unwrap_or("?");
        let rate = codec.clock_rate.map_or_else(String::new, |rate| format!("/{rate}"));
        let channels =
            codec.channels.filter(|channels| *channels > 1).map_or_else(String::new, |count| format!("/{count}"));
        let parameters = codec.fmtp.as_deref().unwrap_or_default().replace(';', "; ");
        let cells = vec![
            codec.payload_type.to_string().into(),
            format!("{name}{rate}{channels}").into(),
            parameters.into(),
            codec.feedback.join(", ").into(),
        ];
        Row { cells, ..Row::default() }
    });
    Grid { columns, rows: rows.collect() }.write(4, 2, page)
}

/// What a media says beside its codecs and candidates, a line each.
fn values(media: &MediaEntry, page: &mut Page<'_>) -> io::Result<()> {
    let list = |parts: Vec<String>| Some(parts.join(", ")).filter(|text| !text.is_empty());
    let ice = media.ice_ufrag.as_ref().map(|ufrag| {
        let password = media
            .ice_pwd_length
            .map_or_else(|| "no password".to_owned(), |length| format!("password of {length} characters"));
        let options =
            if media.ice_options.is_empty() { String::new() } else { format!(", {}", media.ice_options.join(" ")) };
        let end = if media.end_of_candidates { ", end of candidates" } else { "" };
        format!("user fragment {ufrag}, {password}{options}{end}")
    });
    let mut dtls: Vec<String> = media.setup.map(|setup| format!("setup {setup}")).into_iter().collect();
    dtls.extend(media.fingerprints.iter().map(|one| format!("{} {}", one.algorithm, one.value)));
    let mut rtcp: Vec<String> = Vec::new();
    rtcp.extend(media.rtcp_mux.then(|| "on RTP's port".to_owned()));
    rtcp.extend(media.rtcp_rsize.then(|| "reduced size".to_owned()));
    rtcp.extend(media.rtcp_port.filter(|_| !media.rtcp_mux).map(|port| format!("port {port}")));
    let simulcast = media.simulcast.as_ref().map(|simulcast| {
        let part = |word: &str, list: &[String]| (!list.is_empty()).then(|| format!("{word} {}", list.join("; ")));
        let parts = [part("send", &simulcast.send), part("receive", &simulcast.receive)];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    });
    let rids = media.rids.iter().map(|rid| format!("{} {} {}", rid.id, rid.direction, rid.restrictions.join(" ")));
    let rids = list(rids.map(|text| text.trim_end().to_owned()).collect());
    let mut ssrcs: Vec<String> = media.ssrcs.iter().map(|source| source.ssrc.to_string()).collect();
    ssrcs.extend(media.ssrc_groups.iter().map(|group| {
        let ssrcs: Vec<String> = group.ssrcs.iter().map(u32::to_string).collect();
        format!("{} of {}", group.semantics, ssrcs.join(" "))
    }));
    let sctp = media.sctp_port.map(|port| match media.max_message_size {
        Some(size) => format!("port {port}, messages of up to {size} bytes"),
        None => format!("port {port}"),
    });
    let init = media.sctp_initiate_tag.map(|tag| format!("INIT here, none on the wire: tag 0x{tag:08x}"));
    let sctp = list(sctp.into_iter().chain(init).collect());
    let timing = [("ptime", media.ptime), ("maxptime", media.maxptime)];
    let timing = timing.into_iter().filter_map(|(name, value)| value.map(|value| format!("{name} {value} ms")));
    let shown = [
        ("Address", media.connection_address.clone()),
        ("ICE", ice),
        ("DTLS", list(dtls)),
        ("SDES", list(media.crypto.iter().map(|one| format!("{} {} (key not shown)", one.tag, one.suite)).collect())),
        ("RTCP", list(rtcp)),
        ("Packets", list(timing.collect())),
        ("Bandwidth", list(media.bandwidths.clone())),
        ("Simulcast", simulcast),
        ("RIDs", rids),
        ("SSRCs", list(ssrcs)),
        ("MSIDs", list(media.msids.clone())),
        ("SCTP", sctp),
    ];
    for (name, value) in shown {
        let Some(value) = value else { continue };
        let label = Label { indent: 4, text: name, width: NAME_WIDTH, tone: Tone::Faint };
        page.paragraph(&label, Tone::Plain, &value)?;
    }
    Ok(())
}

fn extensions(media: &MediaEntry, page: &mut Page<'_>) -> io::Result<()> {
    let columns = vec![Column::number("ID"), Column::words("extension"), Column::folding("URI")];
    let rows = media.header_extensions.iter().map(|one| {
        let way = one.direction.map_or_else(String::new, |way| format!(", {way}"));
        let cells = vec![one.id.to_string().into(), format!("{}{way}", one.name).into(), one.uri.clone().into()];
        Row { cells, ..Row::default() }
    });
    let rows: Vec<Row> = rows.collect();
    if rows.is_empty() { Ok(()) } else { Grid { columns, rows }.write(4, 2, page) }
}

fn candidates<'a>(candidates: impl Iterator<Item = &'a CandidateEntry>, page: &mut Page<'_>) -> io::Result<()> {
    let columns =
        vec![Column::words("candidate"), Column::words("over"), Column::folding("address"), Column::words("which is")];
    let rows = candidates.map(|one| {
        let transport = one.tcp_type.map_or_else(|| one.transport.clone(), |kind| format!("{} {kind}", one.transport));
        let tone = if matches!(one.scope, "loopback" | "unspecified" | "multicast" | "reserved") {
            Tone::Doubtful
        } else {
            Tone::Plain
        };
        let address = if one.address.contains(':') {
            format!("[{}]:{}", one.address, one.port)
        } else {
            format!("{}:{}", one.address, one.port)
        };
        let cells = vec![one.kind.clone().into(), transport.into(), address.into(), Cell::new(tone, one.scope)];
        let related =
            one.related.iter().map(|related| Note { label: "related:", text: related.clone(), tone: Tone::Faint });
        Row { cells, notes: related.collect(), ..Row::default() }
    });
    let rows: Vec<Row> = rows.collect();
    if rows.is_empty() { Ok(()) } else { Grid { columns, rows }.write(4, 2, page) }
}

fn signed(severity: Severity, page: &Page<'_>) -> (&'static str, Tone) {
    match severity {
        Severity::Error => (page.signs().bad, Tone::Bad),
        Severity::Warning => (page.signs().doubtful, Tone::Doubtful),
        Severity::Info => (page.signs().absent, Tone::Plain),
    }
}

fn write_lint(lint: &LintEntry, entry: &DescriptionEntry, page: &mut Page<'_>) -> io::Result<()> {
    let (sign, tone) = signed(lint.severity, page);
    let media = lint.media.and_then(|index| entry.media.get(index));
    let media = media.map_or_else(String::new, |media| format!("media {} ({}): ", media.index, media.kind));
    page.paragraph(&Label::new(2, sign, tone), Tone::Plain, &format!("{media}{}", lint.message))?;
    let place = match (lint.line, lint.column) {
        (Some(line), Some(column)) => format!(", line {line}, column {column}"),
        (Some(line), None) => format!(", line {line}"),
        (None, _) => String::new(),
    };
    page.paragraph(&Label::indent(4), Tone::Faint, &format!("{}{place}, {}", lint.rule, lint.reference))
}

fn negotiation(entry: &NegotiationEntry, lints_only: bool, page: &mut Page<'_>) -> io::Result<()> {
    page.blank()?;
    let connection = entry.connection.as_ref().map_or_else(String::new, |name| format!(", connection {name}"));
    let role = entry.ice_controlling.map_or_else(String::new, |side| format!(", ICE controlled by the {side}"));
    let title = format!("Agreed (offer {}, answer {}{connection}){role}", entry.offer + 1, entry.answer + 1);
    page.paragraph(&Label::default(), Tone::Strong, &title)?;
    if !lints_only {
        for media in &entry.media {
            agreed(media, page)?;
        }
    }
    if entry.mismatches.is_empty() {
        return page.paragraph(&Label::new(2, page.signs().good, Tone::Good), Tone::Plain, "the answer fits the offer");
    }
    for mismatch in &entry.mismatches {
        let (sign, tone) = signed(mismatch.severity, page);
        let media = mismatch.media.map_or_else(String::new, |index| format!("media {index}: "));
        page.paragraph(&Label::new(2, sign, tone), Tone::Plain, &format!("{media}{}", mismatch.message))?;
        let line = |word: &str, line: Option<usize>| {
            line.map_or_else(String::new, |line| format!(", line {line} of the {word}"))
        };
        let place = line("offer", mismatch.offer_line) + &line("answer", mismatch.answer_line);
        let proof = format!("{}{place}, {}", mismatch.rule, mismatch.reference);
        page.paragraph(&Label::indent(4), Tone::Faint, &proof)?;
    }
    Ok(())
}

fn agreed(media: &AgreedEntry, page: &mut Page<'_>) -> io::Result<()> {
    let mid = media.mid.as_ref().map_or_else(String::new, |mid| format!(", mid {mid}"));
    let title = match media.rejected_by {
        Some(side) => format!("Media {}: {}{mid}, refused by the {side}", media.index, media.kind),
        None => format!("Media {}: {}{mid}", media.index, media.kind),
    };
    page.paragraph(&Label::indent(2), Tone::Strong, &title)?;
    if media.rejected_by.is_some() {
        return Ok(());
    }
    let signs = page.signs();
    let flows = match media.direction {
        "sendrecv" => format!("offerer {} answerer", signs.both_ways),
        "sendonly" => format!("offerer {} answerer", signs.to),
        "recvonly" => format!("answerer {} offerer", signs.to),
        _ => "neither way".to_owned(),
    };
    let hold = media.hold.map_or_else(String::new, |side| format!(", held by the {side}"));
    let codecs: Vec<String> = media
        .codecs
        .iter()
        .map(|codec| match (codec.offer_payload_type, codec.answer_payload_type) {
            (offer, answer) if offer == answer => format!("{} ({offer})", codec.encoding),
            (offer, answer) => format!("{} ({offer} to the offerer, {answer} to the answerer)", codec.encoding),
        })
        .collect();
    let mut transport = vec![match (media.security, &media.srtp_suite, media.dtls_client) {
        ("dtls", _, Some(client)) => format!("DTLS, begun by the {client}"),
        ("dtls", ..) => "DTLS, by nobody knows whom".to_owned(),
        (_, Some(suite), _) => format!("SDES {suite}"),
        _ => "no encryption".to_owned(),
    }];
    transport.extend(media.bundled.then(|| "bundled".to_owned()));
    transport.extend(media.rtcp_mux.then(|| "RTCP on RTP's port".to_owned()));
    let extensions: Vec<String> =
        media.header_extensions.iter().map(|one| format!("{} {}", one.id, one.name)).collect();
    let size = |size: Option<u64>| size.map_or_else(|| "any size".to_owned(), |size| format!("up to {size} bytes"));
    let channel = media.data_channel.as_ref().map(|channel| {
        let (offer, answer) = (size(channel.offer_max_message_size), size(channel.answer_max_message_size));
        format!("messages of {offer} to the offerer, of {answer} to the answerer")
    });
    let simulcast = [("from the offerer", &media.simulcast_send), ("to the offerer", &media.simulcast_receive)];
    let simulcast: Vec<String> = simulcast
        .into_iter()
        .filter(|(_, layers)| !layers.is_empty())
        .map(|(word, layers)| format!("{} {word}", layers.join(", ")))
        .collect();
    let shown = [
        ("Flows", media.data_channel.is_none().then(|| format!("{flows}{hold}"))),
        ("Codecs", Some(codecs.join(", "))),
        ("Secured", Some(transport.join(", "))),
        ("Extensions", Some(extensions.join(", "))),
        ("Simulcast", Some(simulcast.join("; "))),
        ("Messages", channel),
    ];
    for (name, value) in shown {
        let Some(value) = value.filter(|value| !value.is_empty()) else { continue };
        let label = Label { indent: 4, text: name, width: NAME_WIDTH, tone: Tone::Faint };
        page.paragraph(&label, Tone::Plain, &value)?;
    }
    Ok(())
}
