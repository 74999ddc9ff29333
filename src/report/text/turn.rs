//! The report of `turn-check` for people: the verdict, the steps as a ladder, and what went through the relay.

use std::io::{self, Write};

use super::{
    TextOptions,
    grid::{Cell, Column, Grid, Row},
    number::{bitrate, duration, grouped, milliseconds, percent, short_time},
    page::{Label, Page, Tone},
    summary,
};
use crate::report::turn::{FAILED_STEP, Flow, Step, TurnReport};

/// Columns of the names of steps.
const NAME_WIDTH: usize = 14;

/// Writes the report as text.
///
/// # Errors
/// What `out` says, and nothing else.
pub fn write_turn(report: &TurnReport, options: &TextOptions, out: &mut dyn Write) -> io::Result<()> {
    let page = &mut Page::new(options, out);
    head(report, page)?;
    page.paragraph(&Label::new(2, page.signs().to, Tone::Plain), Tone::Plain, &report.advice)?;
    page.blank()?;
    for step in &report.steps {
        write_step(step, report, page)?;
    }
    flows(&report.relay, page)?;
    // What failed stands at its step.
    let mut findings = report.findings.iter().filter(|finding| finding.rule != FAILED_STEP).peekable();
    if findings.peek().is_some() {
        page.blank()?;
        page.paragraph(&Label::default(), Tone::Strong, "Findings")?;
    }
    findings.try_for_each(|finding| summary::finding(finding, false, page))
}

fn head(report: &TurnReport, page: &mut Page<'_>) -> io::Result<()> {
    let signs = page.signs();
    let (sign, tone, word) = match report.verdict {
        "pass" => (signs.good, Tone::Good, "PASS"),
        "fail" => (signs.bad, Tone::Bad, "FAIL"),
        _ => (signs.doubtful, Tone::Doubtful, "UNKNOWN"),
    };
    let uri = &report.server.uri;
    let failed = report.steps.iter().find(|step| step.status == "failed");
    let meaning = match (failed, &report.error, report.verdict) {
        (Some(step), _, _) => format!("{uri} {}", lacking(step.name)),
        (None, Some(error), _) => error.clone(),
        (None, None, "pass") => format!("{uri} relays"),
        (None, None, _) => format!("{uri} loses too much"),
    };
    page.paragraph(&Label::new(0, &format!("Verdict: {sign} {word},"), tone), Tone::Plain, &meaning)
}

/// What a server does not do that fails a step.
const fn lacking(step: &str) -> &'static str {
    match step.as_bytes() {
        b"connect" => "does not answer",
        b"authenticate" => "does not accept who asks",
        b"allocate" => "lends no address",
        b"permission" => "permits no peer",
        b"channel" => "binds no channel",
        b"relay" => "does not relay",
        b"refresh" => "does not refresh",
        _ => "does not take the address back",
    }
}

fn write_step(step: &Step, report: &TurnReport, page: &mut Page<'_>) -> io::Result<()> {
    let signs = page.signs();
    let (sign, tone) = match step.status {
        "ok" => (signs.good, Tone::Good),
        "failed" => (signs.bad, Tone::Bad),
        _ => (signs.absent, Tone::Plain),
    };
    let took = step.duration.map_or_else(String::new, short_time);
    let said = step.error.clone().unwrap_or_else(|| said(step, report));
    let label = format!("{sign} {:NAME_WIDTH$}{took:>8} ", step.name);
    page.paragraph(&Label::new(2, &label, tone), Tone::Plain, if said.is_empty() { " " } else { &said })
}

/// What a step showed.
fn said(step: &Step, report: &TurnReport) -> String {
    if matches!(step.status, "not-reached" | "not-required") {
        return step.status.replace('-', " ");
    }
    let known = |text: &Option<String>| text.clone().unwrap_or_default();
    match step.name {
        "connect" => {
            let software = report.server.software.as_ref().map_or_else(String::new, |name| format!(", {name}"));
            format!("{} over {}{software}", known(&report.server.address), report.server.transport.to_uppercase())
        }
        "authenticate" => {
            let proof = &report.authentication;
            let integrity = proof.message_integrity.unwrap_or_default().to_uppercase();
            format!("user \"{}\" at realm \"{}\", {integrity}", known(&proof.username), known(&proof.realm))
        }
        "allocate" => {
            let lifetime =
                report.lifetime.map_or_else(String::new, |lifetime| format!(", lent for {}", duration(lifetime)));
            let relayed = report.relayed_addresses.join(" and ");
            format!("relayed address {relayed}, seen as {}{lifetime}", known(&report.mapped_address))
        }
        "relay" => match report.peer {
            Some("allocation") => "between two allocations at this server".to_owned(),
            _ => "between the allocation and a socket of this machine".to_owned(),
        },
        _ => String::new(),
    }
}

fn flows(flows: &[Flow], page: &mut Page<'_>) -> io::Result<()> {
    if flows.is_empty() {
        return Ok(());
    }
    page.blank()?;
    let mut grid = Grid {
        columns: vec![
            Column::words("through the relay"),
            Column::number("sent"),
            Column::number("lost"),
            Column::number("latency, ms\nmean / max"),
            Column::number("jitter, ms"),
            Column::number("bit rate"),
        ],
        rows: Vec::new(),
    };
    for flow in flows {
        let lost = match flow.fraction_lost {
            Some(fraction) if fraction > 0.0 => {
                Cell::new(Tone::Doubtful, format!("{} ({})", grouped(flow.packets_lost.into()), percent(fraction)))
            }
            Some(_) => "0".into(),
            None => "".into(),
        };
        let milliseconds = |time: Option<f64>| time.map_or_else(String::new, milliseconds);
        let latency = match (flow.latency, flow.latency_max) {
            (None, _) | (_, None) => String::new(),
            (mean, max) => format!("{} / {}", milliseconds(mean), milliseconds(max)),
        };
        let kind = if flow.kind == "indications" { "Send, Data" } else { "ChannelData" };
        let cells = vec![
            format!("{kind}, {}", flow.direction).into(),
            grouped(flow.packets_sent.into()).into(),
            lost,
            latency.into(),
            milliseconds(flow.jitter).into(),
            flow.bitrate.map_or_else(String::new, bitrate).into(),
        ];
        grid.rows.push(Row { cells, ..Row::default() });
    }
    grid.write(2, 0, page)
}
