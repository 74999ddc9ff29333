//! Many calls: one line each, worst first.

use std::io;

use super::{
    super::document::{RtpStream, Session, Verdict},
    call::participants,
    grid::{Cell, Column, Grid, Row},
    number::{counted, duration, grouped, moment, percent, short_time},
    page::{Label, Page, Tone},
    stream, verdict_sign, verdict_tone, worst_loss,
};

/// Calls that are listed one by one.
const FEW_LINES: usize = 40;
const INDENT: usize = 2;

pub(super) fn write(sessions: &[&Session], page: &mut Page<'_>) -> io::Result<()> {
    page.blank()?;
    page.paragraph(&Label::default(), Tone::Strong, "Calls, worst first")?;
    let shown = page.options().details.shown(FEW_LINES, sessions.len());
    let listed = sessions.get(..shown).unwrap_or_default();
    // One line a call matters more than when it was.
    let mut facts = FACTS.to_vec();
    while let Some(least) = facts.iter().position(|fact| fact.can_go) {
        if grid(listed, &facts, page).natural_width() + INDENT <= page.width() {
            break;
        }
        facts.remove(least);
    }
    grid(listed, &facts, page).write(INDENT, 0, page)?;
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

/// A column of the list of calls.
#[derive(Clone, Copy)]
struct Fact {
    head: Column,
    cell: fn(&Session, &Page<'_>) -> Cell,
    /// Whether it is left out where room is short, the first one first.
    can_go: bool,
}

const FACTS: [Fact; 8] = [
    Fact {
        head: Column::words(" "),
        cell: |session, page| Cell::new(verdict_tone(session.verdict), verdict_sign(session.verdict, page)),
        can_go: false,
    },
    Fact { head: Column::number("call"), cell: |session, _| session.id.to_string().into(), can_go: false },
    Fact { head: Column::folding("between"), cell: |session, page| participants(session, page).into(), can_go: false },
    Fact { head: Column::number("from"), cell: |session, _| moment(session.start_time).into(), can_go: true },
    Fact { head: Column::number("lasts"), cell: |session, _| duration(session.duration).into(), can_go: true },
    Fact {
        head: Column::number("media\nstreams"),
        cell: |session, _| grouped(media(session).count() as u64).into(),
        can_go: true,
    },
    Fact { head: Column::number("most\nlost"), cell: most_lost, can_go: false },
    Fact {
        head: Column::number("most\njitter"),
        cell: |session, _| {
            let jitter = media(session).filter_map(|stream| stream.jitter_max).reduce(f64::max);
            jitter.map_or_else(String::new, short_time).into()
        },
        can_go: false,
    },
];

fn grid(sessions: &[&Session], facts: &[Fact], page: &Page<'_>) -> Grid {
    let row = |session: &&Session| Row {
        cells: facts.iter().map(|fact| (fact.cell)(session, page)).collect(),
        ..Row::default()
    };
    Grid { columns: facts.iter().map(|fact| fact.head).collect(), rows: sessions.iter().map(row).collect() }
}

fn media(session: &Session) -> impl Iterator<Item = &RtpStream> {
    session.communicating.rtp_streams.iter().filter(|stream| stream::is_media(stream))
}

fn most_lost(session: &Session, _: &Page<'_>) -> Cell {
    if media(session).next().is_none() {
        return Cell::default();
    }
    let loss = worst_loss(session);
    Cell::new(stream::loss_tone(loss), percent(loss))
}
