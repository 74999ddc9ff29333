//! One call: who, when, the four steps, the streams, what RTCP and SCTP say.

use std::{collections::BTreeSet, io};

use super::{
    super::document::{Candidate, CandidatePair, Rtcp, RtpStream, Session, SessionEndpoint, StepStatus},
    connecting, data_channel, extension,
    number::{bitrate, by_count, bytes, counted, duration, grouped, moment},
    page::{Label, Page, Tone},
    sctp, securing, signalling, stream, verdict_sign, verdict_tone,
};

/// Addresses that a heading names one by one.
const FEW_ENDPOINTS: usize = 6;
/// Names and goodbyes that are listed one by one.
const FEW_SOURCES: usize = 6;
/// Columns of a step's name.
const STEP_WIDTH: usize = 15;

pub(super) fn write(session: &Session, page: &mut Page<'_>) -> io::Result<()> {
    page.blank()?;
    let sign = verdict_sign(session.verdict, page);
    let heading = Label::new(0, sign, verdict_tone(session.verdict));
    let who = participants(session, page);
    let when = format!("{} from {}", duration(session.duration), moment(session.start_time));
    page.paragraph(&heading, Tone::Strong, &format!("Call {}: {who}, {when}", session.id))?;
    steps(session, page)?;
    stream::write(&session.communicating.rtp_streams, page)?;
    extension::write(&session.communicating.transport_wide, page)?;
    let communicating = &session.communicating;
    if communicating.rtcp.is_some() || communicating.sctp.is_some() {
        page.blank()?;
    }
    if let Some(rtcp) = &communicating.rtcp {
        self::rtcp(rtcp, page)?;
    }
    if let Some(sctp) = &communicating.sctp {
        sctp::write(sctp, page)?;
    }
    data_channel::write(&communicating.data_channels, page)
}

/// Who takes part: by address alone where that tells them apart.
pub(super) fn participants(session: &Session, page: &Page<'_>) -> String {
    let streams = &session.communicating.rtp_streams;
    if let Some(pair) =
        session.connecting.selected_pair.as_deref().filter(|pair| streams.iter().all(|one| is_on(one, pair)))
    {
        let end = |end: &Candidate| connecting::end_name(end.address.as_deref(), end.port, end.channel);
        let ends = format!("{} {} {}", end(&pair.local), page.signs().both_ways, end(&pair.remote));
        return match &pair.relay {
            Some(relay) => format!("{ends} through relay {relay}"),
            None => ends,
        };
    }
    let of = |role: &str| session.endpoints.iter().filter(|end| end.role == role).collect::<Vec<_>>();
    let (mut peers, relays) = (of("peer"), of("relay"));
    if peers.is_empty() {
        peers = of("signalling");
    }
    let mut text = between(&peers, page);
    if !relays.is_empty() {
        text.push_str(&format!(" through relay {}", list(&distinct(&relays, SessionEndpoint::with_port), page)));
    }
    text
}

/// Whether the stream runs on the pair at its end, be it seen at another place too.
fn is_on(stream: &RtpStream, pair: &CandidatePair) -> bool {
    let ends =
        [&pair.local, &pair.remote].map(|end| connecting::end_name(end.address.as_deref(), end.port, end.channel));
    stream.seen_before || ends.contains(&stream.source) || ends.contains(&stream.destination)
}

fn between(peers: &[&SessionEndpoint], page: &Page<'_>) -> String {
    let both = |one: &str, other: &str| format!("{one} {} {other}", page.signs().both_ways);
    let full = distinct(peers, SessionEndpoint::with_port);
    if let [one, other] = full.as_slice() {
        return both(one, other);
    }
    match distinct(peers, |end| end.address.clone().unwrap_or_else(|| end.with_port())).as_slice() {
        [] => "nobody".to_owned(),
        [one, other] => both(one, other),
        [_] => list(&full, page),
        hosts => list(hosts, page),
    }
}

fn list(names: &[String], page: &Page<'_>) -> String {
    let shown = page.options().details.shown(FEW_ENDPOINTS, names.len());
    let mut text = names.iter().take(shown).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > shown {
        text.push_str(&format!(" and {} more", names.len() - shown));
    }
    text
}

fn distinct(ends: &[&SessionEndpoint], name: impl Fn(&SessionEndpoint) -> String) -> Vec<String> {
    let mut known = BTreeSet::new();
    ends.iter().map(|end| name(end)).filter(|name| known.insert(name.clone())).collect()
}

impl SessionEndpoint {
    fn with_port(&self) -> String {
        connecting::end_name(self.address.as_deref(), self.port, self.channel)
    }
}

fn steps(session: &Session, page: &mut Page<'_>) -> io::Result<()> {
    let Session { signalling, connecting, securing, communicating, .. } = session;
    step("Signalling", signalling.status, signalling::words(signalling, session.connecting.status), page)?;
    step("Connecting", connecting.status, connecting::words(connecting, page), page)?;
    connecting::write(connecting, page)?;
    step("Securing", securing.status, securing::words(securing), page)?;
    securing::write(securing, page)?;
    step("Communicating", communicating.status, communicated(session), page)
}

/// One step: its sign, its name, and what is known of it.
fn step(name: &str, status: StepStatus, words: Vec<String>, page: &mut Page<'_>) -> io::Result<()> {
    let (sign, tone) = match status {
        StepStatus::Ok => (page.signs().good, Tone::Good),
        StepStatus::Failed => (page.signs().bad, Tone::Bad),
        StepStatus::NotSeen => (page.signs().absent, Tone::Faint),
    };
    let mut text = words.join(", ");
    match (status, text.is_empty()) {
        (StepStatus::Ok, true) => text.push_str("seen"),
        (StepStatus::Failed, true) => text.push_str("failed"),
        (StepStatus::Failed, false) => text.insert_str(0, "failed: "),
        (StepStatus::NotSeen, true) => text.push_str("not in the capture"),
        (StepStatus::Ok | StepStatus::NotSeen, false) => {}
    }
    let label = format!("{sign} {name}");
    let text_tone = if status == StepStatus::NotSeen { Tone::Faint } else { Tone::Plain };
    page.paragraph(&Label { indent: 2, text: &label, width: STEP_WIDTH + 2, tone }, text_tone, &text)
}

fn communicated(session: &Session) -> Vec<String> {
    let communicating = &session.communicating;
    let streams = &communicating.rtp_streams;
    let mut words = Vec::new();
    let streams: Vec<&RtpStream> = streams.iter().filter(|stream| !stream.seen_before).collect();
    let media = streams.iter().filter(|stream| stream::is_media(stream)).count() as u64;
    if !streams.is_empty() {
        let packets = streams.iter().map(|stream| stream.packets_received).sum();
        let protocol = match (
            streams.iter().any(|stream| stream.encrypted == Some(true)),
            streams.iter().any(|stream| stream.encrypted == Some(false)),
        ) {
            (true, false) => "SRTP",
            (false, true) => "RTP in clear",
            (true, true) => "RTP, partly in clear",
            (false, false) => "RTP",
        };
        words.push(format!("{protocol}: {}, {}", counted(media, "media stream"), counted(packets, "packet")));
    }
    let helpers = streams.len() as u64 - media;
    if helpers > 0 {
        words.push(counted(helpers, "repair or probe stream"));
    }
    let data = &session.securing.application_data;
    if streams.is_empty() && communicating.status == StepStatus::Ok && !data.is_empty() {
        let (packets, size) = (data.iter().map(|way| way.packets).sum(), data.iter().map(|way| way.bytes).sum());
        words.push(format!("data inside DTLS: {}, {}", counted(packets, "record"), bytes(size)));
    }
    if !communicating.data_channels.is_empty() {
        words.push(counted(communicating.data_channels.len() as u64, "data channel"));
    }
    words
}

fn rtcp(rtcp: &Rtcp, page: &mut Page<'_>) -> io::Result<()> {
    let mut text = counted(rtcp.packets, "datagram");
    if !rtcp.by_type.is_empty() {
        text.push_str(&format!(": {}", by_count(&rtcp.by_type)));
    }
    match (rtcp.encrypted, rtcp.decrypted) {
        (0, _) => {}
        (encrypted, 0) if encrypted >= rtcp.packets => {
            text.push_str("; all encrypted, so what receivers report cannot be read");
        }
        (encrypted, 0) => text.push_str(&format!("; {} encrypted and not read", grouped(encrypted))),
        (encrypted, opened) => {
            text.push_str(&format!("; {} encrypted, {} of them opened", grouped(encrypted), grouped(opened)));
        }
    }
    if rtcp.malformed > 0 {
        text.push_str(&format!("; {} malformed", grouped(rtcp.malformed)));
    }
    page.paragraph(&Label { width: 6, ..Label::new(2, "RTCP", Tone::Strong) }, Tone::Plain, &text)?;
    let mut lines: Vec<String> = Vec::new();
    for feedback in &rtcp.bandwidth {
        let from = stream::ssrc(feedback.sender_ssrc);
        let mut line = format!("{} from {from}: {}", feedback.kind, counted(feedback.messages, "message"));
        if let Some(packets) = feedback.packets_reported {
            line.push_str(&format!(" on {}", counted(packets, "packet")));
        }
        if let Some(lost) = feedback.packets_lost {
            line.push_str(&format!(", {} not received", grouped(lost)));
        }
        if let Some(rate) = feedback.bitrate {
            let (last, least, most) = (bitrate(rate.last), bitrate(rate.min), bitrate(rate.max));
            line.push_str(&format!(", asked for {last} at last ({least} to {most})"));
        }
        lines.push(line);
    }
    let names: Vec<String> =
        rtcp.cnames.iter().map(|(source, name)| format!("{} is {name}", stream::ssrc(*source))).collect();
    lines.extend((!names.is_empty()).then(|| format!("CNAME: {}", few(&names, page))));
    let byes: Vec<String> = rtcp
        .byes
        .iter()
        .map(|bye| {
            let reason = bye.reason.as_ref().map_or_else(String::new, |reason| format!(" \"{reason}\""));
            format!("{}{reason} (packet {})", stream::ssrc(bye.ssrc), bye.packet)
        })
        .collect();
    lines.extend((!byes.is_empty()).then(|| format!("BYE: {}", few(&byes, page))));
    for line in lines {
        page.paragraph(&Label::indent(8), Tone::Plain, &line)?;
    }
    Ok(())
}

fn few(names: &[String], page: &Page<'_>) -> String {
    let shown = page.options().details.shown(FEW_SOURCES, names.len());
    let mut text = names.iter().take(shown).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > shown {
        text.push_str(&format!(" and {} more (--all)", names.len() - shown));
    }
    text
}
