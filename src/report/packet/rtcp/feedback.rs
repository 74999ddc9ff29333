//! Feedback messages: RTPFB and PSFB.

use super::{Node, View, ssrc, words};
use crate::wire::feedback::{Ccfb, NackPair, PayloadFeedback, PayloadMessage, TransportFeedback, TransportMessage};

/// Where the FCI starts: behind header, sender and media SSRC (RFC 4585 section 6.1).
const FCI: usize = 12;

/// Sequence numbers or SSRCs that are listed in a line.
const MAX_LISTED: usize = 8;

pub(super) fn transport_words(feedback: &TransportFeedback<'_>) -> String {
    let media = ssrc(feedback.media_ssrc);
    match feedback.message {
        TransportMessage::GenericNack(pairs) => {
            format!("for {media}: {}", listed(pairs.flat_map(NackPair::sequences).map(|sequence| sequence.to_string())))
        }
        TransportMessage::Tllei(pairs) => {
            format!("of {media}: {}", listed(pairs.flat_map(NackPair::sequences).map(|sequence| sequence.to_string())))
        }
        TransportMessage::Tmmbr(limits) | TransportMessage::Tmmbn(limits) => {
            listed(limits.map(|limit| format!("{} {} bit/s", ssrc(limit.ssrc), limit.bitrate)))
        }
        TransportMessage::SenderReportRequest | TransportMessage::Other(_) => format!("for {media}"),
        TransportMessage::Ecn(ecn) => {
            format!("for {media}: {} CE, {} lost", ecn.congestion_experienced, ecn.lost)
        }
        TransportMessage::CongestionControl(ccfb) => listed(ccfb_streams(ccfb)),
        TransportMessage::TransportCc(report) => {
            let received = report.counts().received;
            format!(
                "#{} base {}: {received} of {} received",
                report.feedback_count, report.base_sequence, report.status_count
            )
        }
    }
}

pub(super) fn payload_words(feedback: &PayloadFeedback<'_>) -> String {
    let media = ssrc(feedback.media_ssrc);
    match feedback.message {
        PayloadMessage::Fir(entries) => {
            listed(entries.map(|entry| format!("for {} #{}", ssrc(entry.ssrc), entry.sequence)))
        }
        PayloadMessage::Remb { bitrate, ssrcs } => format!("{bitrate} bit/s for {}", listed(ssrcs.map(ssrc))),
        PayloadMessage::Tstr(entries) | PayloadMessage::Tstn(entries) => {
            listed(entries.map(|entry| format!("{} index {}", ssrc(entry.ssrc), entry.index)))
        }
        PayloadMessage::Pli
        | PayloadMessage::Sli(_)
        | PayloadMessage::Rpsi { .. }
        | PayloadMessage::Vbcm(_)
        | PayloadMessage::ApplicationLayer(_)
        | PayloadMessage::Other(_) => format!("for {media}"),
    }
}

/// The first of a list, and how many more there are.
fn listed(mut items: impl Iterator<Item = String>) -> String {
    let first: Vec<_> = items.by_ref().take(MAX_LISTED).collect();
    match items.count() {
        0 => first.join(" "),
        more => format!("{} and {more} more", first.join(" ")),
    }
}

fn ccfb_streams(ccfb: Ccfb<'_>) -> impl Iterator<Item = String> {
    ccfb.streams().map(|stream| {
        let (mut all, mut received) = (0_u32, 0_u32);
        for arrival in stream.arrivals() {
            all += 1;
            received += u32::from(arrival.received);
        }
        format!("{} from {}: {received} of {all} received", ssrc(stream.ssrc), stream.begin_sequence)
    })
}

pub(super) fn transport_nodes(
    feedback: &TransportFeedback<'_>,
    at: usize,
    end: usize,
    view: View<'_>,
    fields: &mut Vec<Node>,
) {
    let fci = at + FCI;
    let rest = end.saturating_sub(fci);
    if !matches!(feedback.message, TransportMessage::CongestionControl(_)) {
        fields.push(media_node(feedback.media_ssrc, at, view));
    }
    match feedback.message {
        TransportMessage::GenericNack(pairs) | TransportMessage::Tllei(pairs) => {
            fields.extend(pairs.enumerate().map(|(index, pair)| {
                let lost: Vec<_> = pair.sequences().map(|sequence| sequence.to_string()).collect();
                view.node(format!("missing: {}", lost.join(" ")), fci + index * 4, 4)
            }));
        }
        TransportMessage::Tmmbr(limits) | TransportMessage::Tmmbn(limits) => {
            fields.extend(limits.enumerate().map(|(index, limit)| {
                let label = format!("{}: {} bit/s, overhead {} bytes", ssrc(limit.ssrc), limit.bitrate, limit.overhead);
                view.node(label, fci + index * 8, 8)
            }));
        }
        TransportMessage::Ecn(ecn) => {
            let label = format!(
                "ECT(0) {}, ECT(1) {}, CE {}, not-ECT {}, lost {}, duplicated {}",
                ecn.ect0, ecn.ect1, ecn.congestion_experienced, ecn.not_ect, ecn.lost, ecn.duplicated
            );
            fields.push(view.node(label, fci, rest));
        }
        TransportMessage::CongestionControl(ccfb) => {
            // Its streams start where others have the media SSRC (RFC 8888 section 3.1).
            let mut stream_at = at + 8;
            for (stream, label) in ccfb.streams().zip(ccfb_streams(ccfb)) {
                let count = stream.arrivals().count();
                let length = 8 + count.next_multiple_of(2) * 2;
                fields.push(view.node(label, stream_at, length.min(end.saturating_sub(stream_at))));
                stream_at += length;
            }
            fields.push(view.node(format!("report timestamp: 0x{:08x}", ccfb.timestamp), end.saturating_sub(4), 4));
        }
        TransportMessage::TransportCc(report) => {
            let counts = report.counts();
            fields.push(view.node(format!("base sequence: {}", report.base_sequence), fci, 2));
            fields.push(view.node(format!("packets reported: {}", report.status_count), fci + 2, 2));
            fields.push(view.node(format!("reference time: {} x 64 ms", report.reference_time), fci + 4, 3));
            fields.push(view.node(format!("feedback count: {}", report.feedback_count), fci + 7, 1));
            let label = format!("statuses: {} received, {} not received", counts.received, counts.not_received);
            fields.push(view.node(label, fci + 8, rest.saturating_sub(8)));
        }
        TransportMessage::SenderReportRequest => {}
        TransportMessage::Other(bytes) => fields.push(view.node(format!("FCI: {}", words::hex(bytes)), fci, rest)),
    }
}

pub(super) fn payload_nodes(
    feedback: &PayloadFeedback<'_>,
    at: usize,
    end: usize,
    view: View<'_>,
    fields: &mut Vec<Node>,
) {
    let fci = at + FCI;
    let rest = end.saturating_sub(fci);
    fields.push(media_node(feedback.media_ssrc, at, view));
    match feedback.message {
        PayloadMessage::Pli => {}
        PayloadMessage::Sli(entries) => fields.extend(entries.enumerate().map(|(index, entry)| {
            let label = format!("{} macroblocks from {} lost, picture {}", entry.number, entry.first, entry.picture_id);
            view.node(label, fci + index * 4, 4)
        })),
        PayloadMessage::Fir(entries) => fields.extend(entries.enumerate().map(|(index, entry)| {
            view.node(format!("{}: request {}", ssrc(entry.ssrc), entry.sequence), fci + index * 8, 8)
        })),
        PayloadMessage::Tstr(entries) | PayloadMessage::Tstn(entries) => {
            fields.extend(entries.enumerate().map(|(index, entry)| {
                let label = format!("{}: request {}, index {}", ssrc(entry.ssrc), entry.sequence, entry.index);
                view.node(label, fci + index * 8, 8)
            }));
        }
        PayloadMessage::Remb { bitrate, ssrcs } => {
            fields.push(view.node("identifier: \"REMB\"", fci, 4));
            fields.push(view.node(format!("streams: {}", ssrcs.len()), fci + 4, 1));
            fields.push(view.node(format!("bitrate: {bitrate} bit/s"), fci + 5, 3));
            fields.extend(ssrcs.enumerate().map(|(index, stream)| {
                view.node(format!("stream SSRC: 0x{stream:08x} ({stream})"), fci + 8 + index * 4, 4)
            }));
        }
        PayloadMessage::Rpsi { payload_type, picture, .. } => {
            fields.push(view.node(format!("payload type {payload_type}, picture {}", words::hex(picture)), fci, rest));
        }
        PayloadMessage::Vbcm(messages) => {
            fields.push(view.node(format!("messages: {}", messages.count()), fci, rest));
        }
        PayloadMessage::ApplicationLayer(bytes) | PayloadMessage::Other(bytes) => {
            fields.push(view.node(format!("FCI: {}", words::hex(bytes)), fci, rest));
        }
    }
}

fn media_node(media: u32, at: usize, view: View<'_>) -> Node {
    view.node(format!("media SSRC: 0x{media:08x} ({media})"), at + 8, 4)
}
