//! RTCP in clear, and the little of SRTCP that is.

mod feedback;

use std::fmt::Write;

use super::{Node, Protocol, View, words};
use crate::{
    time::{NANOS_PER_SECOND, Timestamp},
    wire::{
        Layer, Malformed, Reader,
        rtcp::{Chunks, Content, Item, Packet, ReportBlock, Rtcp, classify_snapped, item_name, type_name},
        xr::{Block, BlockContent, Dlrr, ExtendedReport},
    },
};

/// Bytes of a report block.
const REPORT_BLOCK: usize = 24;

/// Between the epochs of NTP and Unix.
const SECONDS_FROM_1900_TO_1970: i64 = 2_208_988_800;

/// What may be said of a datagram.
enum Readable<'a> {
    Clear(Vec<Packet<'a>>, Option<String>),
    /// Only the first eight bytes, and the index where it was found.
    Encrypted(Option<u32>),
}

/// `SR+SDES ssrc 0x8a2b7d32 packets 120 octets 9600, cname "x"`; of SRTCP `SR ssrc 0x8a2b7d32 (encrypted, index 12)`.
pub(super) fn summary(protocol: Protocol, view: View<'_>) -> String {
    match read(protocol, view) {
        Ok(Readable::Clear(packets, note)) => {
            let names: Vec<_> = packets.iter().map(Packet::name).collect();
            let details = packets.iter().map(details).filter(|details| !details.is_empty());
            let details: Vec<_> = details.chain(note).collect();
            let mut text = names.join("+");
            if let Some(ssrc) = packets.iter().find_map(Packet::sender_ssrc) {
                let _ = write!(text, " ssrc 0x{ssrc:08x}");
            }
            if !details.is_empty() {
                let _ = write!(text, " {}", details.join(", "));
            }
            text
        }
        Ok(Readable::Encrypted(index)) => match first_header(view) {
            Ok((name, ssrc)) => format!("{name} ssrc 0x{ssrc:08x} ({})", encrypted_words(index)),
            Err(fault) => words::fault(fault),
        },
        Err(fault) => words::fault(fault),
    }
}

/// A node a packet; of SRTCP one node with what is in clear.
pub(super) fn nodes(protocol: Protocol, view: View<'_>) -> Vec<Node> {
    match read(protocol, view) {
        Ok(Readable::Clear(packets, note)) => {
            let end = packets.last().map_or(0, |packet| packet.offset + packet.length);
            let mut nodes: Vec<_> = packets.iter().map(|packet| packet_node(packet, view)).collect();
            nodes.extend(note.map(|note| view.node(note, end, view.bytes.len().saturating_sub(end))));
            nodes
        }
        Ok(Readable::Encrypted(index)) => match first_header(view) {
            Ok((name, ssrc)) => {
                let fields = vec![
                    view.node(format!("first packet type: {name}"), 1, 1),
                    view.node(format!("sender SSRC: 0x{ssrc:08x} ({ssrc})"), 4, 4),
                    view.node(encrypted_words(index), 8, view.bytes.len().saturating_sub(8)),
                ];
                vec![view.node(format!("SRTCP {name}"), 0, view.bytes.len()).with(fields)]
            }
            Err(fault) => vec![view.fault(fault)],
        },
        Err(fault) => vec![view.fault(fault)],
    }
}

/// The flow's word that a datagram is encrypted stands; its word that one is not is checked, since a report read out
/// of ciphertext is worse than none.
fn read(protocol: Protocol, view: View<'_>) -> Result<Readable<'_>, Malformed> {
    let rtcp = classify_snapped(view.bytes, view.wire_length);
    Ok(match rtcp {
        Ok(Rtcp::Encrypted(srtcp)) => Readable::Encrypted(srtcp.index),
        Ok(Rtcp::Clear(compound)) if protocol == Protocol::Rtcp => {
            let trailer = compound.trailer();
            let note = trailer.map(|trailer| format!("authenticated, not encrypted (SRTCP index {})", trailer.index));
            Readable::Clear(compound.packets().collect(), note)
        }
        Ok(_) => Readable::Encrypted(None),
        Err(_) if protocol == Protocol::Srtcp => Readable::Encrypted(None),
        Err(fault) => return Err(fault),
    })
}

fn encrypted_words(index: Option<u32>) -> String {
    index.map_or_else(|| "encrypted".to_owned(), |index| format!("encrypted, index {index}"))
}

/// Name of the first packet's type, and the sender: all that is in clear of SRTCP (RFC 3711 section 3.4).
fn first_header(view: View<'_>) -> Result<(&'static str, u32), Malformed> {
    let mut reader = Reader::new(Layer::Rtcp, view.bytes);
    let [_, packet_type, _, _] = reader.array()?;
    Ok((type_name(packet_type), reader.u32()?))
}

/// What a packet adds to the line, its sender aside.
fn details(packet: &Packet<'_>) -> String {
    let said = match packet.content {
        Content::SenderReport { packets, octets, reports, .. } => {
            format!("packets {packets} octets {octets}{}", reports.map(report_words).collect::<String>())
        }
        Content::ReceiverReport { reports, .. } => {
            reports.map(report_words).collect::<String>().trim_start().to_owned()
        }
        Content::SourceDescription(chunks) => description_words(chunks),
        Content::Bye { ssrcs, reason } => {
            let leaving: Vec<_> = ssrcs.map(ssrc).collect();
            let reason = reason.map(|reason| format!(" {}", text(reason))).unwrap_or_default();
            format!("leaving {}{reason}", leaving.join(" "))
        }
        Content::App { subtype, name, .. } => format!("{} subtype {subtype}", text(&name)),
        Content::TransportFeedback(feedback) => feedback::transport_words(&feedback),
        Content::PayloadFeedback(feedback) => feedback::payload_words(&feedback),
        Content::ExtendedReport(report) => {
            let blocks: Vec<_> = report.blocks().map(|block| block.name()).collect();
            blocks.join("/")
        }
        Content::Raw(_) => String::new(),
    };
    match packet.fault {
        Some(fault) => format!("{said} {}", words::fault(fault)).trim_start().to_owned(),
        None => said,
    }
}

fn ssrc(ssrc: u32) -> String {
    format!("0x{ssrc:08x}")
}

/// Text of a peer that should be UTF-8.
fn text(bytes: &[u8]) -> String {
    str::from_utf8(bytes).map_or_else(|_| format!("0x{}", words::hex(bytes)), words::quoted)
}

fn percent(fraction: u8) -> String {
    format!("{:.1}%", f64::from(fraction) * 100.0 / 256.0)
}

fn report_words(block: ReportBlock) -> String {
    let ReportBlock { ssrc, cumulative_lost, jitter, .. } = block;
    format!(" [0x{ssrc:08x} lost {cumulative_lost} ({}) jitter {jitter}]", percent(block.fraction_lost))
}

fn description_words(chunks: Chunks<'_>) -> String {
    let mut said = Vec::new();
    for item in chunks.flat_map(|chunk| chunk.items) {
        match item {
            Item::Cname(value) => said.push(format!("cname {}", text(value))),
            Item::Mid(value) => said.push(format!("mid {}", text(value))),
            Item::RtpStreamId(value) => said.push(format!("rid {}", text(value))),
            Item::RepairedRtpStreamId(value) => said.push(format!("repaired-rid {}", text(value))),
            _ => {}
        }
    }
    said.join(" ")
}

fn packet_node(packet: &Packet<'_>, view: View<'_>) -> Node {
    let at = packet.offset;
    let mut fields = vec![
        view.node(format!("version: 2, count or format: {}", packet.count), at, 1),
        view.node(format!("packet type: {} ({})", packet.packet_type, type_name(packet.packet_type)), at + 1, 1),
        view.node(format!("length: {} words", packet.length / 4 - 1), at + 2, 2),
    ];
    if let Some(sender) = packet.sender_ssrc() {
        fields.push(view.node(format!("sender SSRC: 0x{sender:08x} ({sender})"), at + 4, 4));
    }
    let end = at + packet.length - usize::from(packet.padding);
    content_nodes(packet, end, view, &mut fields);
    if packet.padding > 0 {
        fields.push(view.node(format!("padding: {}", packet.padding), end, packet.padding.into()));
    }
    fields.extend(packet.fault.map(|fault| view.fault(fault)));
    view.node(format!("RTCP {}", packet.name()), at, packet.length).with(fields)
}

fn content_nodes(packet: &Packet<'_>, end: usize, view: View<'_>, fields: &mut Vec<Node>) {
    let at = packet.offset;
    match packet.content {
        Content::SenderReport { ntp, rtp_timestamp, packets, octets, reports, extension, .. } => {
            fields.push(view.node(format!("NTP timestamp: {}", moment(ntp)), at + 8, 8));
            fields.push(view.node(format!("RTP timestamp: {rtp_timestamp}"), at + 16, 4));
            fields.push(view.node(format!("packets sent: {packets}"), at + 20, 4));
            fields.push(view.node(format!("octets sent: {octets}"), at + 24, 4));
            report_nodes(reports, at + 28, view, fields);
            extension_node(extension, end, view, fields);
        }
        Content::ReceiverReport { reports, extension, .. } => {
            report_nodes(reports, at + 8, view, fields);
            extension_node(extension, end, view, fields);
        }
        Content::SourceDescription(chunks) => description_nodes(chunks, at + 4, view, fields),
        Content::Bye { ssrcs, reason } => {
            let reason_at = at + 4 + ssrcs.len() * 4;
            fields.extend(
                ssrcs.enumerate().map(|(index, ssrc)| {
                    view.node(format!("leaving SSRC: 0x{ssrc:08x} ({ssrc})"), at + 4 + index * 4, 4)
                }),
            );
            fields.extend(
                reason.map(|reason| view.node(format!("reason: {}", text(reason)), reason_at, 1 + reason.len())),
            );
        }
        Content::App { name, data, .. } => {
            fields.push(view.node(format!("name: {}", text(&name)), at + 8, 4));
            fields.push(view.node(format!("data: {}", words::hex(data)), at + 12, data.len()));
        }
        Content::TransportFeedback(message) => feedback::transport_nodes(&message, at, end, view, fields),
        Content::PayloadFeedback(message) => feedback::payload_nodes(&message, at, end, view, fields),
        Content::ExtendedReport(report) => block_nodes(report, at + 4, end, view, fields),
        Content::Raw(bytes) => fields.push(view.node(format!("data: {}", words::hex(bytes)), at + 4, bytes.len())),
    }
}

/// The moment of an NTP timestamp (RFC 5905 section 6) as RFC 3339 writes it. Senders without a clock count from their
/// start: theirs are early in 1900.
fn moment(ntp: u64) -> String {
    let seconds = (ntp >> 32).cast_signed() - SECONDS_FROM_1900_TO_1970;
    let nanos = ((ntp & 0xffff_ffff).cast_signed() * NANOS_PER_SECOND) >> 32;
    Timestamp(seconds.saturating_mul(NANOS_PER_SECOND).saturating_add(nanos)).to_rfc3339()
}

fn report_nodes(reports: impl Iterator<Item = ReportBlock>, at: usize, view: View<'_>, fields: &mut Vec<Node>) {
    fields.extend(reports.enumerate().map(|(index, block)| {
        let at = at + index * REPORT_BLOCK;
        let fraction = block.fraction_lost;
        let highest = block.highest_sequence;
        let children = vec![
            view.node(format!("SSRC: 0x{:08x} ({})", block.ssrc, block.ssrc), at, 4),
            view.node(format!("fraction lost: {fraction}/256 ({})", percent(fraction)), at + 4, 1),
            view.node(format!("cumulative lost: {}", block.cumulative_lost), at + 5, 3),
            view.node(format!("highest sequence: {} (cycles {})", highest & 0xffff, highest >> 16), at + 8, 4),
            view.node(format!("jitter: {} timestamp units", block.jitter), at + 12, 4),
            view.node(format!("last SR: 0x{:08x}", block.lsr), at + 16, 4),
            view.node(format!("delay since last SR: {:.3} ms", f64::from(block.dlsr) * 1000.0 / 65_536.0), at + 20, 4),
        ];
        view.node(format!("report block of 0x{:08x}", block.ssrc), at, REPORT_BLOCK).with(children)
    }));
}

fn extension_node(extension: &[u8], end: usize, view: View<'_>, fields: &mut Vec<Node>) {
    if !extension.is_empty() {
        let label = format!("profile-specific extension: {}", words::hex(extension));
        fields.push(view.node(label, end.saturating_sub(extension.len()), extension.len()));
    }
}

fn description_nodes(chunks: Chunks<'_>, mut at: usize, view: View<'_>, fields: &mut Vec<Node>) {
    for chunk in chunks {
        let start = at;
        at += 4;
        let mut children = vec![view.node(format!("SSRC: 0x{:08x} ({})", chunk.ssrc, chunk.ssrc), start, 4)];
        for item in chunk.items {
            // PRIV holds its prefix, with a length of its own, before the value (RFC 3550 section 6.5.8).
            let prefix = if let Item::Private { prefix, .. } = item { 1 + prefix.len() } else { 0 };
            let length = 2 + prefix + item.value().len();
            children.push(view.node(format!("{}: {}", item_name(item.kind()), text(item.value())), at, length));
            at += length;
        }
        // A zero byte ends the list, and more fill the word.
        at = start + (at - start + 1).next_multiple_of(4);
        fields.push(view.node(format!("source 0x{:08x}", chunk.ssrc), start, at - start).with(children));
    }
}

fn block_nodes(report: ExtendedReport<'_>, at: usize, end: usize, view: View<'_>, fields: &mut Vec<Node>) {
    let mut blocks = report.blocks().peekable();
    while let Some(block) = blocks.next() {
        let start = at + block.offset;
        let next = blocks.peek().map_or(end, |next| at + next.offset);
        fields.push(view.node(block_words(&block), start, next.saturating_sub(start)));
    }
}

fn block_words(block: &Block<'_>) -> String {
    let said = match block.content {
        BlockContent::LossRle(runs) => format!("0x{:08x}, {} lost", runs.range.ssrc, runs.zeros()),
        BlockContent::DuplicateRle(runs) => format!("0x{:08x}, {} duplicated", runs.range.ssrc, runs.zeros()),
        BlockContent::PacketReceiptTimes { range, times } => format!("0x{:08x}, {} packets", range.ssrc, times.len()),
        BlockContent::ReceiverReferenceTime(ntp) => moment(ntp),
        BlockContent::Dlrr(entries) => {
            let answer =
                |dlrr: Dlrr| format!("0x{:08x} after {:.3} ms", dlrr.ssrc, f64::from(dlrr.delay) * 1000.0 / 65_536.0);
            entries.map(answer).collect::<Vec<_>>().join(", ")
        }
        BlockContent::StatisticsSummary(summary) => {
            let mut said = format!("0x{:08x} {}..{}", summary.ssrc, summary.begin, summary.end);
            if let Some(lost) = summary.lost {
                let _ = write!(said, ", {lost} lost");
            }
            if let Some(duplicated) = summary.duplicated {
                let _ = write!(said, ", {duplicated} duplicated");
            }
            if let Some(jitter) = summary.jitter {
                let _ = write!(said, ", jitter {}..{} mean {}", jitter.min, jitter.max, jitter.mean);
            }
            said
        }
        BlockContent::VoipMetrics(metrics) => format!(
            "0x{:08x}, loss {}, discard {}, round trip {} ms, end system {} ms, R {}",
            metrics.ssrc,
            percent(metrics.loss_rate),
            percent(metrics.discard_rate),
            metrics.round_trip_delay,
            metrics.end_system_delay,
            metrics.r_factor
        ),
        BlockContent::Raw(bytes) => words::hex(bytes),
    };
    format!("{}: {said}", block.name())
}
