//! The report for people: what the capture holds and what is wrong with it first, the proof below.
//!
//! ```text
//! capture: what it is          the file, and what could not be read of it
//! N calls ...                  who talks to whom, and the verdict
//! Findings                     why that verdict
//! Call N                       the four steps, then each direction's streams, RTCP, SCTP
//! Other traffic                what is no call
//! ```

use std::io::{self, Write};

use super::document::{Report, Session, Verdict};

mod call;
mod connecting;
mod data_channel;
mod extension;
mod flows;
mod grid;
mod icmp;
mod nat;
mod number;
mod overview;
mod page;
mod sctp;
mod sdp;
mod securing;
mod signalling;
mod stream;
mod summary;
mod turn;

pub use nat::write_nat;
use page::{Label, Page, Tone};
pub use sdp::write_sdp;
pub use turn::write_turn;

/// Up to so many calls are all shown in full.
const FEW_CALLS: usize = 8;
/// Of more calls only the worst are shown in full.
const WORST_CALLS: usize = 3;

/// How the text is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextOptions {
    /// Columns of the page; taken as 60 where it is less.
    pub width: usize,
    /// Whether to use colour (SGR sequences).
    pub color: bool,
    /// Whether signs outside ASCII may be used.
    pub unicode: bool,
    /// How much of long lists is shown.
    pub details: Details,
}

impl Default for TextOptions {
    fn default() -> Self {
        Self { width: 80, color: false, unicode: true, details: Details::Auto }
    }
}

/// How much of long lists is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Details {
    /// The worst and the busiest, and how many more there are.
    #[default]
    Auto,
    /// All.
    All,
}

impl Details {
    /// How many of `total` list members to show where `few` are enough at first sight. One more than enough is shown,
    /// for a line that says so would be as long.
    fn shown(self, few: usize, total: usize) -> usize {
        if self == Self::All || total <= few + 1 { total } else { few }
    }
}

/// Writes the report as text.
///
/// # Errors
/// What `out` says, and nothing else.
pub fn write_text(report: &Report, options: &TextOptions, out: &mut dyn Write) -> io::Result<()> {
    let page = &mut Page::new(options, out);
    summary::write(report, page)?;
    let sessions = by_weight(&report.sessions);
    let many = sessions.len() > FEW_CALLS;
    if many {
        overview::write(&sessions, page)?;
    }
    if many && options.details == Details::Auto {
        page.blank()?;
        page.paragraph(
            &Label::default(),
            Tone::Faint,
            &format!("The {WORST_CALLS} worst of {} calls follow; --all shows every call.", sessions.len()),
        )?;
        for session in sessions.iter().take(WORST_CALLS) {
            call::write(session, page)?;
        }
    } else {
        for session in &report.sessions {
            call::write(session, page)?;
        }
    }
    flows::write(report, page)?;
    if sessions.iter().any(|session| !session.communicating.rtp_streams.is_empty()) {
        legend(&sessions, page)?;
    }
    Ok(())
}

/// The calls, worst first: by verdict, by the highest loss of a media stream, by number.
fn by_weight(sessions: &[Session]) -> Vec<&Session> {
    let mut sorted: Vec<&Session> = sessions.iter().collect();
    sorted.sort_by(|one, other| {
        let by_verdict = other.verdict.cmp(&one.verdict);
        by_verdict.then(worst_loss(other).total_cmp(&worst_loss(one))).then(one.id.cmp(&other.id))
    });
    sorted
}

/// The highest fraction lost before the tap of a call's media streams.
fn worst_loss(session: &Session) -> f64 {
    let streams = session.communicating.rtp_streams.iter().filter(|stream| stream::is_media(stream));
    streams.filter_map(|stream| stream.fraction_lost).fold(0.0, f64::max)
}

fn verdict_tone(verdict: Verdict) -> Tone {
    match verdict {
        Verdict::Pass => Tone::Good,
        Verdict::Warn => Tone::Doubtful,
        Verdict::Fail => Tone::Bad,
    }
}

fn verdict_sign(verdict: Verdict, page: &Page<'_>) -> &'static str {
    match verdict {
        Verdict::Pass => page.signs().good,
        Verdict::Warn => page.signs().doubtful,
        Verdict::Fail => page.signs().bad,
    }
}

/// What the words of the tables mean.
fn legend(sessions: &[&Session], page: &mut Page<'_>) -> io::Result<()> {
    let mut text =
        "The tap is where the capture was made. \"Lost before tap\" are gaps in the RTP sequence numbers: packets \
                    that never reached it. What was lost after it only the receivers know (\"receiver\")."
            .to_owned();
    let mut streams = sessions.iter().flat_map(|session| &session.communicating.rtp_streams);
    if streams.any(|stream| stream.clock_rate_inferred) {
        text.push_str(" ~ means that the RTP clock rate was inferred from the packets' timing.");
    }
    page.blank()?;
    page.paragraph(&Label::default(), Tone::Faint, &text)
}

#[cfg(test)]
mod tests;
