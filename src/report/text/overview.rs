//! Many calls: one line each, worst first.

use std::io;

use super::{
    super::document::{Session, Verdict},
    call::participants,
    grid::{Cell, Column, Grid, Row},
    number::{counted, duration, grouped, milliseconds, moment, percent},
    page::{Label, Page, Tone},
    stream, verdict_sign, verdict_tone, worst_loss,
};

/// Calls that are listed one by one.
const FEW_LINES: usize = 40;

pub(super) fn write(sessions: &[&Session], page: &mut Page<'_>) -> io::Result<()> {
    page.blank()?;
    page.paragraph(&Label::default(), Tone::Strong, "Calls, worst first")?;
    let columns = vec![
        Column::words(""),
        Column::number("call"),
        Column::folding("between"),
        Column::number("starts at"),
        Column::number("lasts"),
        Column::number("media\nstreams"),
        Column::number("most\nlost"),
        Column::number("most jitter\nms"),
    ];
    let shown = page.options().details.shown(FEW_LINES, sessions.len());
    let rows = sessions.iter().take(shown).map(|session| row(session, page)).collect();
    Grid { columns, rows }.write(2, 0, page)?;
    let left = sessions.get(shown..).unwrap_or_default();
    if !left.is_empty() {
        let of = |verdict| left.iter().filter(|session| session.verdict == verdict).count() as u64;
        let text = format!(
            "and {}: {} with errors, {} with warnings (--all)",
            counted(left.len() as u64, "more call"),
            grouped(of(Verdict::Fail)),
            grouped(of(Verdict::Warn))
        );
        page.paragraph(&Label::indent(4), Tone::Faint, &text)?;
    }
    Ok(())
}

fn row(session: &Session, page: &Page<'_>) -> Row {
    let media = || session.communicating.rtp_streams.iter().filter(|stream| stream::is_media(stream));
    let jitter = media().filter_map(|stream| stream.jitter_max).reduce(f64::max);
    let lost = if media().next().is_some() { percent(worst_loss(session)) } else { String::new() };
    let cells = vec![
        Cell::new(verdict_tone(session.verdict), verdict_sign(session.verdict, page)),
        session.id.to_string().into(),
        participants(session, page).into(),
        moment(session.start_time).into(),
        duration(session.duration).into(),
        grouped(media().count() as u64).into(),
        lost.into(),
        jitter.map_or_else(String::new, milliseconds).into(),
    ];
    Row { cells, notes: Vec::new() }
}
