//! Any bytes as RTCP: classified, and everything reachable read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rtcscope::wire::{
    feedback::{NackPair, PayloadMessage, TransportMessage},
    rtcp::{Content, Rtcp, classify, classify_snapped},
    xr::BlockContent,
};

fuzz_target!(|data: &[u8]| {
    for classified in [classify(data), classify_snapped(data, data.len() + 100)] {
        let Ok(Rtcp::Clear(compound)) = classified else { continue };
        for packet in compound.packets() {
            walk(packet.content);
        }
    }
});

fn walk(content: Content<'_>) {
    match content {
        Content::SenderReport { reports, .. } | Content::ReceiverReport { reports, .. } => drop(reports.count()),
        Content::SourceDescription(chunks) => {
            chunks.flat_map(|chunk| chunk.items).for_each(|item| assert!(item.value().len() < 256));
        }
        Content::Bye { ssrcs, .. } => drop(ssrcs.count()),
        Content::TransportFeedback(feedback) => match feedback.message {
            TransportMessage::GenericNack(pairs) | TransportMessage::Tllei(pairs) => {
                drop(pairs.flat_map(NackPair::sequences).count());
            }
            TransportMessage::Tmmbr(limits) | TransportMessage::Tmmbn(limits) => drop(limits.count()),
            TransportMessage::TransportCc(twcc) => {
                let counts = twcc.counts();
                let listed = u32::try_from(twcc.statuses().count());
                assert_eq!(listed, Ok(counts.received + counts.not_received + counts.reserved));
            }
            TransportMessage::CongestionControl(ccfb) => {
                drop(ccfb.streams().flat_map(|stream| stream.arrivals()).count());
            }
            TransportMessage::SenderReportRequest | TransportMessage::Ecn(_) | TransportMessage::Other(_) => {}
        },
        Content::PayloadFeedback(feedback) => match feedback.message {
            PayloadMessage::Sli(entries) => drop(entries.count()),
            PayloadMessage::Fir(entries) => drop(entries.count()),
            PayloadMessage::Tstr(entries) | PayloadMessage::Tstn(entries) => drop(entries.count()),
            PayloadMessage::Vbcm(messages) => drop(messages.count()),
            PayloadMessage::Remb { ssrcs, .. } => drop(ssrcs.count()),
            _ => {}
        },
        Content::ExtendedReport(report) => {
            for block in report.blocks() {
                match block.content {
                    BlockContent::LossRle(runs) | BlockContent::DuplicateRle(runs) => {
                        assert!(runs.zeros() <= runs.range.packets());
                        drop(runs.chunks().count());
                    }
                    BlockContent::PacketReceiptTimes { times, .. } => drop(times.count()),
                    BlockContent::Dlrr(answers) => drop(answers.count()),
                    _ => {}
                }
            }
        }
        Content::App { .. } | Content::Raw(_) => {}
    }
}
