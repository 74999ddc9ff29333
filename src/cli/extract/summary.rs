//! What was extracted and what was not, for people.

use std::{
    io::{self, Write},
    path::Path,
};

use super::{
    channels::Written,
    media::Done,
    plan::{Plan, Stream, Use},
};
use crate::{extract::Part, wire::payload::Codec};

/// All that came of an extraction.
pub(super) struct Summary<'a> {
    pub(super) plan: &'a Plan,
    pub(super) streams: Vec<Done>,
    /// By call.
    pub(super) channels: Vec<(usize, Written)>,
    /// The capture that was written, and how many of its packets were opened.
    pub(super) capture: Option<(&'a Path, u64)>,
    /// Whether there were any keys.
    pub(super) has_keys: bool,
}

/// A row of the table: file, codec, duration, content, packets, missing, notes.
type Row = [String; 7];

const HEADINGS: [&str; 7] = ["File", "Codec", "Duration", "Content", "Packets", "Lost", "Notes"];

/// Which of the columns are numbers.
const IS_NUMBER: [bool; 7] = [false, false, true, true, true, true, false];

impl Summary<'_> {
    /// Whether something was extracted.
    pub(super) fn is_something(&self) -> bool {
        let is_written = |done: &Done| done.is_dumped || done.extracted.parts.iter().any(|part| part.path.is_some());
        self.streams.iter().any(is_written)
            || !self.channels.is_empty()
            || self.capture.is_some_and(|(_, opened)| opened > 0)
    }

    /// Writes it.
    pub(super) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let rows: Vec<Row> = self.rows();
        if !rows.is_empty() {
            write_table(&rows, out)?;
        }
        if let Some((path, opened)) = self.capture {
            writeln!(out, "{}: {opened} packets in clear that were not", path.display())?;
        }
        let failures = self.failures();
        if !failures.is_empty() {
            writeln!(out, "\nNot extracted:")?;
            failures.iter().try_for_each(|line| writeln!(out, "  {line}"))?;
        }
        Ok(())
    }

    /// Why nothing was extracted, in one sentence.
    pub(super) fn why_nothing(&self) -> String {
        let first = self.failures().into_iter().next();
        match first {
            Some(failure) => format!("nothing could be extracted: {failure}"),
            None if self.plan.calls.is_empty() => {
                "nothing could be extracted: there is no call and no stream in it".to_owned()
            }
            None => {
                "nothing could be extracted: no stream in it carries media, and no data channel messages".to_owned()
            }
        }
    }

    fn rows(&self) -> Vec<Row> {
        let streams = self.plan.streams.iter().zip(&self.streams);
        let mut rows: Vec<Row> = Vec::new();
        for (stream, done) in streams {
            let parts = done.extracted.parts.iter().filter_map(|part| Some((part, part.path.as_deref()?)));
            rows.extend(parts.map(|(part, path)| row_of(part, path, done)));
            if done.is_dumped {
                let name = format!("{}.rtpdump", stream.name);
                let packets = (done.tally.packets - done.tally.failed - done.tally.cut).to_string();
                rows.push([name, "RTP".into(), String::new(), String::new(), packets, String::new(), String::new()]);
            }
        }
        rows.extend(self.channels.iter().map(|(_, written)| {
            let Written { directory, messages, bytes, labels } = written;
            let named = labels.iter().map(|label| format!("\"{}\"", label.escape_debug())).collect::<Vec<_>>();
            let content = format!("{messages} messages");
            let notes = format!("{bytes} bytes; {}", named.join(", "));
            [file_name(directory) + "/", "data".into(), String::new(), content, String::new(), String::new(), notes]
        }));
        rows
    }

    /// What was not extracted, and why.
    fn failures(&self) -> Vec<String> {
        let mut failures = Vec::new();
        for (stream, done) in self.plan.streams.iter().zip(&self.streams) {
            if let Some(why) = self.failure(stream, done) {
                failures.push(format!("{}: {why}", stream.name));
            }
        }
        for (index, call) in self.plan.calls.iter().enumerate() {
            let is_told = self.plan.streams.iter().any(|stream| stream.call == index);
            if let Some(closed) = call.closed.as_ref().filter(|_| !is_told) {
                failures.push(format!("call{}-data: {closed}", call.number));
            }
        }
        failures
    }

    fn failure(&self, stream: &Stream, done: &Done) -> Option<String> {
        let tally = done.tally;
        if tally.failed > 0 && tally.opened == 0 {
            return Some(self.closed(stream));
        }
        if tally.failed > 0 {
            let all = tally.packets;
            return Some(format!(
                "{} of {all} packets did not authenticate: changed, or under another key",
                tally.failed
            ));
        }
        let Use::Media(_) = stream.use_ else { return None };
        if done.extracted.parts.iter().any(|part| part.path.is_some()) {
            return None;
        }
        if tally.packets > 0 && tally.cut == tally.packets {
            return Some("the capture has only the start of each packet (a snapshot length)".to_owned());
        }
        if let Some(first) = stream.undescribed.first() {
            return Some(format!(
                "nothing says what payload type {first} is: give the descriptions with --sdp, or --codec {first}={}",
                if stream.is_video { "VP8" } else { "opus" }
            ));
        }
        if let Some(part) = done.extracted.parts.first() {
            return Some(format!("{} without a key frame", name_of(part.codec)));
        }
        (done.extracted.foreign > 0).then(|| "its codec is not one that is written".to_owned())
    }

    /// Why nothing of an SRTP stream was opened.
    fn closed(&self, stream: &Stream) -> String {
        if !self.has_keys {
            return "it is encrypted, and there is no key: give --keylog or --srtp-key".to_owned();
        }
        let closed = self.plan.calls.get(stream.call).and_then(|call| call.closed.as_ref());
        match closed {
            Some(closed) => format!("it is encrypted, and {closed}"),
            None => "it is encrypted, and no key fits: not one tag matches".to_owned(),
        }
    }
}

fn row_of(part: &Part, path: &Path, done: &Done) -> Row {
    let seconds = part.length as f64 / f64::from(part.clock_rate.max(1));
    let mut notes = Vec::new();
    if part.codec.is_video() {
        notes.extend(part.resolution.map(|size| format!("{}x{}", size.width, size.height)));
        let plural = if part.key_frames == 1 { "" } else { "s" };
        notes.push(format!("{} key frame{plural}", part.key_frames));
        if part.incomplete_frames + part.undecodable_frames > 0 {
            notes.push(format!("{} incomplete", part.incomplete_frames));
            notes.push(format!("{} left out after those", part.undecodable_frames));
        }
    } else if part.silence > 0 {
        notes.push(format!("{:.2} s of silence", part.silence as f64 / f64::from(part.clock_rate.max(1))));
    }
    if done.tally.opened > 0 {
        notes.push(format!("{} decrypted", done.tally.opened));
    }
    if done.tally.retransmissions > 0 {
        notes.push(format!("{} retransmissions", done.tally.retransmissions));
    }
    let unit = if part.codec.is_video() { "frames" } else { "packets" };
    [
        file_name(path),
        name_of(part.codec).to_owned(),
        format!("{seconds:.2} s"),
        format!("{} {unit}", part.frames),
        done.tally.packets.to_string(),
        done.extracted.lost.to_string(),
        notes.join(", "),
    ]
}

fn write_table(rows: &[Row], out: &mut dyn Write) -> io::Result<()> {
    let headings = HEADINGS.map(str::to_owned);
    let all = || std::iter::once(&headings).chain(rows);
    let mut widths = [0; 7];
    for row in all() {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    for row in all() {
        let mut line = String::new();
        for ((cell, width), is_number) in row.iter().zip(widths).zip(IS_NUMBER) {
            let cell = if is_number { format!("{cell:>width$}") } else { format!("{cell:<width$}") };
            line.extend([&cell, "  "]);
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

const fn name_of(codec: Codec) -> &'static str {
    match codec {
        Codec::Opus => "Opus",
        Codec::Pcmu => "PCMU",
        Codec::Pcma => "PCMA",
        Codec::G722 => "G722",
        Codec::ComfortNoise => "CN",
        Codec::TelephoneEvent => "telephone-event",
        Codec::Red => "RED",
        Codec::Vp8 => "VP8",
        Codec::Vp9 => "VP9",
        Codec::H264 => "H264",
        Codec::H265 => "H265",
        Codec::Av1 => "AV1",
    }
}
