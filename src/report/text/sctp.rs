//! What an SCTP association came to, in a few lines.

use std::io;

use super::{
    super::document::Sctp,
    number::{by_count, bytes, counted, grouped, short_time},
    page::{Label, Page, Tone},
};

pub(super) fn write(sctp: &Sctp, page: &mut Page<'_>) -> io::Result<()> {
    let [one, other] = sctp.ports;
    let mut text = format!(
        "over {}, ports {one} and {other}, {}: {}, {} of user data",
        sctp.transport,
        sctp.state,
        counted(sctp.packets, "packet"),
        bytes(sctp.user_bytes)
    );
    if sctp.messages > 0 {
        text.push_str(&format!(" in {}", counted(sctp.messages, "message")));
    }
    if !sctp.chunks.is_empty() {
        text.push_str(&format!("; {}", by_count(&sctp.chunks)));
    }
    let again = [(sctp.fast_retransmissions, "after SACKs"), (sctp.timeout_retransmissions, "after a timeout")];
    let again: Vec<String> =
        again.iter().filter(|(count, _)| *count > 0).map(|(count, why)| format!("{} {why}", grouped(*count))).collect();
    let troubles = [
        (sctp.retransmitted_chunks, "sent again"),
        (sctp.messages_abandoned, "given up"),
        (sctp.gap_blocks, "gaps reported"),
        (sctp.duplicate_tsns, "duplicates reported"),
        (sctp.zero_windows, "times no room to receive"),
        (sctp.bad_checksums, "wrong checksums"),
        (sctp.restarts, "restarts"),
    ];
    for (count, what) in troubles.iter().filter(|(count, _)| *count > 0) {
        text.push_str(&format!("; {} {what}", grouped(*count)));
        if *what == "sent again" && !again.is_empty() {
            text.push_str(&format!(" ({})", again.join(", ")));
        }
    }
    if let Some(seconds) = sctp.round_trip_time_mean {
        text.push_str(&format!("; round trip from tap {}", short_time(seconds)));
    }
    if sctp.paths > 1 {
        text.push_str(&format!("; over {}", counted(sctp.paths, "path")));
    }
    let agreed = [(sctp.message_interleaving, "I-DATA"), (sctp.zero_checksum, "no checksums")]
        .into_iter()
        .filter(|(both, _)| *both == Some(true));
    let agreed: Vec<&str> = agreed.map(|(_, what)| what).collect();
    if !agreed.is_empty() {
        text.push_str(&format!("; agreed: {}", agreed.join(", ")));
    }
    if sctp.snap {
        text.push_str("; set up in the signalling (SNAP)");
    }
    if let Some(by) = &sctp.shutdown_by {
        text.push_str(&format!("; shut down by {by}"));
    }
    if sctp.associations > 1 {
        text.push_str(&format!("; {} one after the other", counted(sctp.associations, "association")));
    }
    page.paragraph(&Label { width: 6, ..Label::new(2, "SCTP", Tone::Strong) }, Tone::Plain, &text)?;
    for cause in &sctp.causes {
        let said = cause.text.as_ref().map_or_else(String::new, |text| format!(" \"{text}\""));
        let line = format!("{} from {}: {}{said} (packet {})", cause.chunk, cause.sender, cause.cause, cause.packet);
        page.paragraph(&Label::indent(8), Tone::Bad, &line)?;
    }
    Ok(())
}
