//! The data channels of a call in a table, small print under each.

use std::io;

use super::{
    super::document::{DataChannel, DataChannelDirection, DataChannelState},
    grid::{Cell, Column, Grid, Note, Row},
    number::{bytes, counted, grouped, moment, short_time},
    page::{Page, Tone},
};

/// Channels that are listed unless all are asked for.
const FEW_CHANNELS: usize = 16;

/// Writes the channels, association by association.
pub(super) fn write(channels: &[DataChannel], page: &mut Page<'_>) -> io::Result<()> {
    let shown = page.options().details.shown(FEW_CHANNELS, channels.len());
    let mut rows: Vec<Row> = Vec::new();
    let mut title = None;
    for channel in channels.iter().take(shown) {
        let ends = channel
            .directions
            .first()
            .map(|one| format!("Data channels, from {} to {} and back", one.source, one.destination));
        let opens = ends.clone().filter(|_| ends != title);
        title = ends;
        rows.push(Row { opens, ..row(channel) });
    }
    let Some(last) = rows.last_mut() else { return Ok(()) };
    if let Some(left @ 1..) = channels.len().checked_sub(shown) {
        let text = format!("and {} (--all)", counted(left as u64, "more channel"));
        last.notes.push(Note { label: "", text, tone: Tone::Faint });
    }
    let columns = vec![
        Column::number("id"),
        Column::folding("label"),
        Column::number("messages\nthere"),
        Column::number("messages\nback"),
        Column::words("state"),
    ];
    page.blank()?;
    Grid { columns, rows }.write(2, 3, page)
}

fn row(channel: &DataChannel) -> Row {
    let label = channel.label.as_ref().map_or_else(|| "?".to_owned(), |label| format!("\"{label}\""));
    let mut cells: Vec<Cell> = vec![channel.data_channel_identifier.to_string().into(), label.into()];
    cells.extend(channel.directions.iter().map(|direction| match direction.messages {
        0 => "0".into(),
        messages => format!("{}, {}", grouped(messages), bytes(direction.bytes)).into(),
    }));
    let (state, tone) = match channel.state {
        DataChannelState::Connecting => ("connecting", Tone::Doubtful),
        DataChannelState::Open => ("open", Tone::Plain),
        DataChannelState::Closing => ("closing", Tone::Plain),
        DataChannelState::Closed => ("closed", Tone::Plain),
    };
    cells.push(Cell::new(tone, state));
    let note = Note { label: "", text: words(channel).join("; "), tone: Tone::Faint };
    Row { opens: None, cells, notes: vec![note] }
}

/// How messages are delivered: `in order`, `in any order, 2 retransmissions`.
fn delivery(channel: &DataChannel) -> Option<String> {
    let order = if channel.ordered? { "in order" } else { "in any order" };
    Some(match (channel.max_retransmits, channel.max_packet_life_time) {
        (Some(0), _) => format!("{order}, sent once"),
        (Some(count), _) => format!("{order}, {}", counted(count.into(), "retransmission")),
        (None, Some(milliseconds)) => format!("{order}, for {} ms", grouped(milliseconds.into())),
        (None, None) => order.to_owned(),
    })
}

fn words(channel: &DataChannel) -> Vec<String> {
    let mut words: Vec<String> = delivery(channel).into_iter().collect();
    if let Some(protocol) = channel.protocol.as_ref().filter(|protocol| !protocol.is_empty()) {
        words.push(format!("protocol \"{protocol}\""));
    }
    match (&channel.opened_by, channel.open_time, channel.open_packet) {
        (Some(by), Some(time), Some(packet)) => {
            words.push(format!("opened by {by} at {} (packet {packet})", moment(time)));
            words.push(channel.acknowledgement_delay.map_or_else(
                || "not acknowledged".to_owned(),
                |delay| format!("acknowledged {} later", short_time(delay)),
            ));
        }
        _ if channel.negotiated == Some(true) => words.push("agreed without DCEP (inferred)".to_owned()),
        _ => words.push("opened before the capture, or agreed without DCEP".to_owned()),
    }
    let sum = |count: fn(&DataChannelDirection) -> u64| channel.directions.iter().map(count).sum::<u64>();
    let strings = sum(|direction| direction.string_messages);
    if strings > 0 && strings < channel.messages {
        words.push(format!("{} and {} binary", counted(strings, "string"), grouped(channel.messages - strings)));
    }
    let troubles = [
        (sum(|direction| direction.messages_abandoned), "given up"),
        (sum(|direction| direction.retransmitted_chunks), "sent again"),
    ];
    words.extend(
        troubles.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{} {what}", grouped(*count))),
    );
    if let (Some(by), Some(time), Some(packet)) = (&channel.closed_by, channel.close_time, channel.close_packet) {
        words.push(format!("closed by {by} at {} (packet {packet})", moment(time)));
    }
    words
}
