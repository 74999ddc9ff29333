//! Traffic that is no call.

use std::io;

use super::{
    super::document::{OtherFlow, OtherStun, Report, Securing, StepStatus},
    grid::{Cell, Column, Grid, Note, Row},
    number::{by_count, bytes, counted, grouped, short_time},
    page::{Label, Page, Tone},
    securing,
};

/// Flows that are listed one by one.
const FEW_FLOWS: usize = 10;

pub(super) fn write(report: &Report, page: &mut Page<'_>) -> io::Result<()> {
    let flows = &report.other_flows;
    let omitted = report.other_flows_omitted;
    let count = flows.len() as u64 + omitted.map_or(0, |omitted| omitted.flows);
    if count == 0 {
        return Ok(());
    }
    let packets = |flows: &[OtherFlow]| flows.iter().map(|flow| flow.packets).sum::<u64>();
    let all_packets = packets(flows) + omitted.map_or(0, |omitted| omitted.packets);
    page.blank()?;
    let title = format!("Other traffic: {}, {}", counted(count, "flow"), counted(all_packets, "packet"));
    page.paragraph(&Label::default(), Tone::Strong, &title)?;
    let shown = page.options().details.shown(FEW_FLOWS, flows.len());
    let errors = flows.iter().take(shown).any(|flow| flow.icmp_errors > 0);
    let mut columns = vec![
        Column::words("protocol"),
        Column::folding("between"),
        Column::number("packets"),
        Column::number("payload"),
    ];
    if errors {
        columns.push(Column::number("ICMP\nerrors"));
    }
    let rows: Vec<Row> = flows.iter().take(shown).map(|flow| row(flow, errors, page)).collect();
    if !rows.is_empty() {
        Grid { columns, rows }.write(2, 2, page)?;
    }
    let left = flows.get(shown..).unwrap_or_default();
    if !left.is_empty() {
        let more = counted(left.len() as u64, "more flow");
        let text = format!("and {more} with {} (--all)", counted(packets(left), "packet"));
        page.paragraph(&Label::indent(2), Tone::Faint, &text)?;
    }
    if let Some(omitted) = omitted {
        let more = counted(omitted.flows, "flow");
        let text = format!("and {more} with {} that are only counted", counted(omitted.packets, "packet"));
        page.paragraph(&Label::indent(2), Tone::Faint, &text)?;
    }
    Ok(())
}

fn row(flow: &OtherFlow, errors: bool, page: &Page<'_>) -> Row {
    let protocol = match &flow.protocol {
        Some(protocol) if *protocol != flow.transport => format!("{protocol} ({})", flow.transport),
        _ => flow.transport.clone(),
    };
    let mut cells: Vec<Cell> = vec![
        protocol.into(),
        format!("{} {} {}", flow.source, page.signs().both_ways, flow.destination).into(),
        grouped(flow.packets).into(),
        bytes(flow.bytes).into(),
    ];
    if errors {
        let count = if flow.icmp_errors == 0 { String::new() } else { grouped(flow.icmp_errors) };
        cells.push(Cell::new(Tone::Bad, count));
    }
    Row { cells, notes: notes(flow), ..Row::default() }
}

/// What STUN and DTLS say of a flow.
fn notes(flow: &OtherFlow) -> Vec<Note> {
    let note = |text: String| Note { label: "", text, tone: Tone::Faint };
    let said = flow.stun.as_ref().map(stun).into_iter().chain(flow.dtls.as_deref().map(dtls));
    said.map(note).collect()
}

/// `2 Binding request, 2 Binding success, mapped 203.0.113.5:4321, RTT 20 ms`.
fn stun(stun: &OtherStun) -> String {
    let mut text = by_count(&stun.by_type);
    if let (Some(address), Some(port)) = (&stun.mapped_address, stun.mapped_port) {
        let address = if address.contains(':') { format!("[{address}]") } else { address.clone() };
        text.push_str(&format!(", mapped {address}:{port}"));
    }
    if let Some(seconds) = stun.round_trip_time {
        text.push_str(&format!(", RTT {}", short_time(seconds)));
    }
    if stun.unanswered > 0 {
        text.push_str(&format!(", {} never answered", grouped(stun.unanswered)));
    }
    text
}

fn dtls(securing: &Securing) -> String {
    let words = securing::words(securing).join(", ");
    if securing.status == StepStatus::Failed { format!("failed: {words}") } else { words }
}
