//! The RTP streams of a call: a table for each direction, small print under each stream.
//!
//! Columns are added while the page has room for them; what a column would say is said in small print where it has none.

use std::io;

use super::{
    super::document::{Extended, Inferred, Reported, RtpStream, StreamRole},
    extension,
    grid::{Cell, Column, GUTTER, Grid, Note, Row},
    number::{bitrate, counted, duration, grouped, grouped_signed, milliseconds, moment, percent, short_time},
    page::{Page, Tone},
};

/// Loss from which people hear or see it, and from which a stream is of little use.
const NOTABLE_LOSS: f64 = 0.01;
const HEAVY_LOSS: f64 = 0.05;
/// Streams of one direction that are listed one by one.
const FEW_STREAMS: usize = 24;
/// A sender's clock that is further off is worth a word, in parts per million.
const NOTABLE_DRIFT: f64 = 100.0;

/// Whether a stream is audio, video or text, and no repair or probe.
pub(super) fn is_media(stream: &RtpStream) -> bool {
    stream.role == StreamRole::Media
}

/// Whether it is one that the call has by itself, and not the same packets at another place of their way.
pub(super) fn counts(stream: &RtpStream) -> bool {
    is_media(stream) && !stream.seen_before
}

/// Writes the streams as one table, direction by direction.
pub(super) fn write(streams: &[RtpStream], page: &mut Page<'_>) -> io::Result<()> {
    let mut ways: Vec<(Way<'_>, Vec<&RtpStream>)> = Vec::new();
    for stream in streams {
        let way = Way::of(stream);
        match ways.iter_mut().find(|(known, _)| *known == way) {
            Some((_, members)) => members.push(stream),
            None => ways.push((way, vec![stream])),
        }
    }
    if ways.is_empty() {
        return Ok(());
    }
    let columns = columns(streams, page);
    let mut heads = vec![Column::words(" ")];
    heads.extend(columns.iter().map(|column| column.head));
    let rows = ways.iter().flat_map(|(way, members)| one_way(way, members, &columns, page)).collect();
    page.blank()?;
    Grid { columns: heads, rows }.write(2, 3, page)
}

/// Who sends to whom, and through what.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Way<'a> {
    source: &'a str,
    destination: &'a str,
    transport: &'a str,
    relay: Option<&'a str>,
}

impl<'a> Way<'a> {
    fn of(stream: &'a RtpStream) -> Self {
        let RtpStream { source, destination, transport, relay, .. } = stream;
        Self { source, destination, transport, relay: relay.as_deref() }
    }

    fn title(&self) -> String {
        let mut title = format!("From {} to {}", self.source, self.destination);
        if self.transport != "udp" {
            title.push_str(&format!(" over {}", self.transport));
        }
        if let Some(relay) = self.relay {
            title.push_str(&format!(", relayed by {relay}"));
        }
        title
    }
}

fn one_way(way: &Way<'_>, members: &[&RtpStream], columns: &[&Fact], page: &Page<'_>) -> Vec<Row> {
    let repairs = |stream: &RtpStream| {
        let repaired = stream.repairs_ssrc.filter(|_| !is_media(stream));
        repaired.is_some_and(|ssrc| members.iter().any(|main| main.ssrc == ssrc && is_media(main)))
    };
    let (helpers, mains): (Vec<&RtpStream>, Vec<&RtpStream>) = members.iter().partition(|stream| repairs(stream));
    let shown = page.options().details.shown(FEW_STREAMS, mains.len());
    let (listed, left) = worst(&mains, shown);
    let mut rows: Vec<Row> = listed.iter().map(|stream| row(stream, columns, &helpers, page)).collect();
    if let Some(first) = rows.first_mut() {
        first.opens = Some(way.title());
    }
    if let Some(last) = rows.last_mut().filter(|_| !left.is_empty()) {
        let packets = left.iter().map(|stream| stream.packets_received).sum();
        let loss = left.iter().filter_map(|stream| stream.fraction_lost).fold(0.0, f64::max);
        let text = format!(
            "and {} with {}, none with more loss than {} (--all)",
            counted(left.len() as u64, "more stream"),
            counted(packets, "packet"),
            percent(loss)
        );
        last.notes.push(Note { label: "", text, tone: Tone::Faint });
    }
    rows
}

/// The `shown` streams with the most loss, then packets, in their own order; and the others.
fn worst<'a>(streams: &[&'a RtpStream], shown: usize) -> (Vec<&'a RtpStream>, Vec<&'a RtpStream>) {
    let mut places: Vec<(usize, &RtpStream)> = streams.iter().copied().enumerate().collect();
    places.sort_by(|(_, one), (_, other)| {
        let loss = |stream: &RtpStream| stream.fraction_lost.unwrap_or(0.0);
        loss(other).total_cmp(&loss(one)).then(other.packets_received.cmp(&one.packets_received))
    });
    let mut left = places.split_off(shown.min(places.len()));
    places.sort_by_key(|(place, _)| *place);
    left.sort_by_key(|(place, _)| *place);
    let streams = |places: Vec<(usize, &'a RtpStream)>| places.into_iter().map(|(_, stream)| stream).collect();
    (streams(places), streams(left))
}

/// A fact about a stream: a column where there is room, else a few words in the small print.
struct Fact {
    head: Column,
    /// When room is short, the highest goes first. 0 always stays.
    rank: u8,
    cell: fn(&RtpStream) -> String,
    /// What the small print says where there is no column; `None` when there is nothing to say.
    words: fn(&RtpStream) -> Option<String>,
}

static FACTS: [Fact; 15] = [
    Fact { head: Column::words("SSRC"), rank: 0, cell: |stream| ssrc(stream.ssrc), words: |_| None },
    Fact { head: Column::folding("media"), rank: 0, cell: media, words: |_| None },
    Fact { head: Column::number("packets"), rank: 0, cell: |stream| grouped(stream.packets_received), words: |_| None },
    Fact { head: Column::number("lost\nbefore tap"), rank: 0, cell: lost, words: |_| None },
    Fact {
        head: Column::number("longest\nloss"),
        rank: 5,
        cell: |stream| unless_zero(stream.longest_loss_burst, grouped),
        words: |stream| {
            let bursts = stream.burst_loss_count;
            let longest = counted(stream.longest_loss_burst, "packet");
            (stream.longest_loss_burst > 1)
                .then(|| format!("lost in {}, the longest {longest}", counted(bursts, "run")))
        },
    },
    Fact {
        head: Column::number("dupli-\ncated"),
        rank: 6,
        cell: |stream| unless_zero(stream.packets_duplicated, grouped),
        words: |stream| worth(stream.packets_duplicated, |count| format!("{} duplicated", grouped(count))),
    },
    Fact {
        head: Column::number("re-\nordered"),
        rank: 7,
        cell: |stream| unless_zero(stream.packets_reordered, grouped),
        words: |stream| {
            worth(stream.packets_reordered, |count| {
                format!("{} reordered (by up to {})", grouped(count), grouped(stream.reorder_depth))
            })
        },
    },
    Fact {
        head: Column::number("jitter, ms\nmean / max"),
        rank: 1,
        cell: jitter,
        words: |stream| {
            let mean = stream.jitter_mean.map(short_time)?;
            let most = stream.jitter_max.map(short_time)?;
            let inferred = if stream.clock_rate_inferred { "~" } else { "" };
            Some(format!("jitter {inferred}{mean} (mean), {most} (max)"))
        },
    },
    Fact {
        head: Column::number("longest\ngap"),
        rank: 8,
        cell: |stream| stream.max_gap.map_or_else(String::new, short_time),
        words: |_| None,
    },
    Fact {
        head: Column::number("bit rate"),
        rank: 2,
        cell: |stream| stream.bitrate.map_or_else(String::new, bitrate),
        words: |stream| stream.bitrate.map(bitrate),
    },
    Fact {
        head: Column::number("fps"),
        rank: 3,
        cell: |stream| stream.frames_per_second.map_or_else(String::new, |rate| format!("{rate:.1}")),
        words: |stream| stream.frames_per_second.map(|rate| format!("{rate:.1} frames/s")),
    },
    Fact {
        head: Column::number("frames"),
        rank: 9,
        cell: |stream| stream.frames.map_or_else(String::new, grouped),
        words: |_| None,
    },
    Fact { head: Column::number("starts at"), rank: 10, cell: |stream| moment(stream.start_time), words: |_| None },
    Fact { head: Column::number("lasts"), rank: 4, cell: |stream| duration(stream.duration), words: |_| None },
    Fact {
        head: Column::number("clock"),
        rank: 11,
        cell: |stream| stream.clock_drift_ppm.map_or_else(String::new, |ppm| format!("{ppm:+.0} ppm")),
        words: |stream| {
            let ppm = stream.clock_drift_ppm.filter(|ppm| ppm.abs() >= NOTABLE_DRIFT)?;
            Some(format!("the sender's clock is {:.0} ppm {}", ppm.abs(), if ppm > 0.0 { "fast" } else { "slow" }))
        },
    },
];

/// The facts that get a column: as many as fit, by rank. A column that would be empty is left out.
fn columns(streams: &[RtpStream], page: &Page<'_>) -> Vec<&'static Fact> {
    let mut ranked: Vec<&'static Fact> = FACTS.iter().collect();
    ranked.sort_by_key(|fact| fact.rank);
    // The indent and the sign.
    let mut used = 3;
    ranked.retain(|fact| {
        let cells = || streams.iter().map(|stream| (fact.cell)(stream));
        if fact.rank > 0 && cells().all(|cell| cell.is_empty()) {
            return false;
        }
        let column = Grid { columns: vec![fact.head], rows: cells().map(Row::of).collect() };
        let needed = column.natural_width() + GUTTER;
        let fits = fact.rank == 0 || used + needed <= page.width();
        used += if fits { needed } else { 0 };
        fits
    });
    ranked.sort_by_key(|fact| FACTS.iter().position(|known| known.head.heading == fact.head.heading));
    ranked
}

fn row(stream: &RtpStream, columns: &[&Fact], helpers: &[&RtpStream], page: &Page<'_>) -> Row {
    let tone = loss_tone(stream.fraction_lost.unwrap_or(0.0));
    let sign = match tone {
        Tone::Bad => page.signs().bad,
        Tone::Doubtful => page.signs().doubtful,
        _ => " ",
    };
    let mut cells = vec![Cell::new(tone, sign)];
    for column in columns {
        let tone = match column.head.heading {
            "lost\nbefore tap" => tone,
            _ if !is_media(stream) => Tone::Faint,
            _ => Tone::Plain,
        };
        cells.push(Cell::new(tone, (column.cell)(stream)));
    }
    let unshown = FACTS.iter().filter(|fact| !columns.iter().any(|column| column.head.heading == fact.head.heading));
    let mut words: Vec<String> = unshown.filter_map(|fact| (fact.words)(stream)).collect();
    words.extend(events(stream));
    let mut notes = Vec::new();
    if !words.is_empty() {
        notes.push(Note { label: "seen:", text: words.join("; "), tone: Tone::Faint });
    }
    if let Some(text) = stream.reported.as_ref().and_then(reported) {
        notes.push(Note { label: "receiver:", text, tone: Tone::Plain });
    }
    if let Some(text) = stream.inferred.as_ref().and_then(inferred) {
        notes.push(Note { label: "inferred:", text, tone: Tone::Plain });
    }
    for helper in helpers.iter().filter(|helper| helper.repairs_ssrc == Some(stream.ssrc)) {
        notes.push(Note { label: helper_name(helper.role), text: helper_text(helper), tone: Tone::Faint });
    }
    Row { opens: None, cells, notes }
}

/// How bad a loss is.
pub(super) fn loss_tone(fraction: f64) -> Tone {
    if fraction >= HEAVY_LOSS {
        Tone::Bad
    } else if fraction >= NOTABLE_LOSS {
        Tone::Doubtful
    } else {
        Tone::Plain
    }
}

const fn helper_name(role: StreamRole) -> &'static str {
    match role {
        StreamRole::Media => "media:",
        StreamRole::Retransmission => "resent (RTX):",
        StreamRole::Probe => "probes:",
    }
}

fn helper_text(stream: &RtpStream) -> String {
    let mut text = format!("{}, {}", ssrc(stream.ssrc), payload_types(stream));
    text.push_str(&format!(", {}", counted(stream.packets_received, "packet")));
    if stream.padding_packets > 0 {
        text.push_str(&format!(" ({} padding only)", grouped(stream.padding_packets)));
    }
    if stream.packets_lost > 0 {
        text.push_str(&format!(", {} lost", lost(stream)));
    }
    if let Some(rate) = stream.bitrate {
        text.push_str(&format!(", {}", bitrate(rate)));
    }
    text
}

/// What happened to a stream beyond the numbers of its columns.
fn events(stream: &RtpStream) -> Vec<String> {
    let mut words = Vec::new();
    if stream.seen_before {
        words.push("the same packets as above, at another place of their way".to_owned());
    }
    for path in &stream.previous_paths {
        let relay = path.relay.as_deref().map_or_else(String::new, |relay| format!(" through {relay}"));
        let packets = counted(path.packets_received, "packet");
        words.push(format!(
            "until {} {packets} from {} to {}{relay}",
            moment(path.last_time),
            path.source,
            path.destination
        ));
    }
    if stream.outages.count > 0 {
        let longest = duration(stream.outages.longest);
        words.push(format!("{} (longest {longest})", counted(stream.outages.count, "outage")));
    }
    if stream.pauses.count > 0 {
        let total = duration(stream.pauses.total);
        words.push(format!("{} of the sender ({total} in all)", counted(stream.pauses.count, "pause")));
    }
    words.extend(worth(stream.restarts, |count| format!("sequence numbers began anew {}", times(count))));
    words.extend(worth(stream.timestamp_jumps, |count| format!("timestamps jumped {}", times(count))));
    if stream.ssrc_collision {
        words.push("the same SSRC came from another address too".to_owned());
    }
    words.extend(worth(stream.padding_packets, |count| format!("{} of padding only", counted(count, "packet"))));
    if stream.payload_types.len() > 1 {
        let each = stream.payload_types.iter().map(|payload| {
            let codec = payload.codec.as_deref().map_or_else(String::new, |codec| format!("{codec} "));
            format!("{codec}{} ({})", payload.payload_type, grouped(payload.packets))
        });
        words.push(format!("payload types {}", each.collect::<Vec<_>>().join(", ")));
    }
    words.extend(extension::words(stream));
    if !stream.csrcs.is_empty() {
        words.push(format!("mixed from {}", counted(stream.csrcs.len() as u64, "source")));
    }
    words
}

/// What the receivers of a stream said of it.
fn reported(reported: &Reported) -> Option<String> {
    let with_most = |value: f64, most: Option<f64>, text: fn(f64) -> String| match most.filter(|most| *most > value) {
        Some(most) => format!("{} (max {})", text(value), text(most)),
        None => text(value),
    };
    let mut words = Vec::new();
    let fraction = reported.fraction_lost.map(|last| with_most(last, reported.fraction_lost_max, percent));
    match (fraction, reported.packets_lost) {
        (Some(fraction), Some(packets)) => {
            words.push(format!("lost {fraction}, {} packets in all", grouped_signed(packets)));
        }
        (Some(fraction), None) => words.push(format!("lost {fraction}")),
        (None, Some(packets)) => words.push(format!("lost {} packets in all", grouped_signed(packets))),
        (None, None) => {}
    }
    if let Some(jitter) = reported.jitter {
        words.push(format!("jitter {}", with_most(jitter, reported.jitter_max, short_time)));
    }
    if let Some(time) = reported.round_trip_time_mean.or(reported.round_trip_time) {
        words.push(format!("round trip from tap {}", with_most(time, reported.round_trip_time_max, short_time)));
    }
    words.extend(worth(reported.nack_count, |count| {
        format!("{} for {}", counted(count, "NACK"), counted(reported.nacked_packets, "packet"))
    }));
    words.extend(worth(reported.pli_count, |count| format!("{} PLI", grouped(count))));
    words.extend(worth(reported.fir_count, |count| format!("{} FIR", grouped(count))));
    words.extend(reported.remb_bitrate.map(|rate| format!("REMB {}", bitrate(rate))));
    words.extend(worth(reported.reports, |count| counted(count, "report")));
    words.extend(reported.extended.and_then(|extended| self::extended(&extended)));
    (!words.is_empty()).then(|| words.join("; "))
}

/// What extended reports add: the receiver's own view of the quality.
fn extended(extended: &Extended) -> Option<String> {
    let metrics = extended.voip_metrics;
    let mos = metrics.and_then(|metrics| metrics.mos_listening).map(|mos| format!("MOS {mos:.1}"));
    let r_factor = metrics.and_then(|metrics| metrics.r_factor).map(|factor| format!("R {factor}"));
    let discarded = metrics.map(|metrics| format!("discarded {}", percent(metrics.discard_rate)));
    let words: Vec<String> = mos.into_iter().chain(r_factor).chain(discarded).collect();
    (extended.blocks > 0).then(|| {
        let says = if words.is_empty() { String::new() } else { format!(" ({})", words.join(", ")) };
        format!("{}{says}", counted(extended.blocks, "XR block"))
    })
}

fn inferred(inferred: &Inferred) -> Option<String> {
    let mut words = Vec::new();
    if let Some(lost) = inferred.packets_lost_after_tap {
        words.push(format!("{} lost after the tap (passed it, asked for again)", counted(lost, "packet")));
    }
    if let Some(count) = inferred.retransmitted_packets {
        words.push(format!("{} sent again", grouped(count)));
    }
    (!words.is_empty()).then(|| words.join("; "))
}

/// `video VP8 96`, `audio PT 111`, `PT 96`, `RTX PT 97`: what is known, and the payload type in any case; of a simulcast
/// layer its name too (`video VP8 96 rid hi`).
fn media(stream: &RtpStream) -> String {
    let role = match stream.role {
        StreamRole::Media => stream.kind.unwrap_or_default(),
        StreamRole::Retransmission => "RTX",
        StreamRole::Probe => "probe",
    };
    let name = stream.codec.as_deref().unwrap_or("PT");
    let number = stream.payload_types.first().map_or_else(|| "?".to_owned(), |first| first.payload_type.to_string());
    let layer = stream.rid.as_ref().map_or_else(String::new, |rid| format!(" rid {rid}"));
    format!("{role} {name} {number}{layer}").trim_start().to_owned()
}

/// `VP8 96`, `PT 97`.
fn payload_types(stream: &RtpStream) -> String {
    let numbers = stream.payload_types.iter().map(|payload| payload.payload_type.to_string());
    format!("{} {}", stream.codec.as_deref().unwrap_or("PT"), numbers.collect::<Vec<_>>().join(", "))
}

pub(super) fn ssrc(ssrc: u32) -> String {
    format!("{ssrc:#010x}")
}

/// `510 (4.0 %)`.
fn lost(stream: &RtpStream) -> String {
    match (stream.packets_lost, stream.fraction_lost) {
        (0, _) => "0".to_owned(),
        (lost, Some(fraction)) => format!("{} ({})", grouped(lost), percent(fraction)),
        (lost, None) => grouped(lost),
    }
}

/// `~7.4 / 22.1`; `~` where the clock rate is inferred. Only media has a jitter worth a place.
fn jitter(stream: &RtpStream) -> String {
    match (stream.jitter_mean, stream.jitter_max) {
        (Some(mean), Some(most)) => {
            let inferred = if stream.clock_rate_inferred { "~" } else { "" };
            format!("{inferred}{} / {}", milliseconds(mean), milliseconds(most))
        }
        _ => String::new(),
    }
}

fn unless_zero(count: u64, text: fn(u64) -> String) -> String {
    if count == 0 { String::new() } else { text(count) }
}

fn worth(count: u64, text: impl FnOnce(u64) -> String) -> Option<String> {
    (count > 0).then(|| text(count))
}

fn times(count: u64) -> String {
    match count {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        count => format!("{} times", grouped(count)),
    }
}
