//! RTCP of a call, and what its receivers said of one stream.

use std::collections::BTreeMap;

use crate::{
    flow::{
        FlowRecord,
        rtcp::{BandwidthKind, Report, Rtcp, TypeKey},
    },
    report::{
        build::Context,
        document::{self, BandwidthFeedback, BitrateRange, Bye, Extended, Reported, VoipMetrics},
    },
    time::seconds,
    wire::{
        feedback::{payload_format_name, transport_format_name},
        rtcp::type_name,
        xr as wire,
    },
};

/// RTCP of all flows of a call together.
pub fn rtcp(context: &Context<'_>, flows: &[&FlowRecord]) -> Option<document::Rtcp> {
    let all = flows.iter().filter_map(|flow| flow.rtcp.as_deref());
    let mut sum = document::Rtcp::default();
    for rtcp in all {
        sum.packets += rtcp.datagrams();
        sum.encrypted += rtcp.encrypted;
        sum.decrypted += rtcp.decrypted;
        for (length, count) in &rtcp.tag_lengths {
            *sum.tag_lengths.entry(*length).or_default() += count;
        }
        for (key, count) in &rtcp.by_type {
            *sum.by_type.entry(name(*key)).or_default() += count;
        }
        sum.cnames
            .extend(rtcp.cnames.iter().filter(|(_, name)| !name.is_empty()).map(|(ssrc, name)| (*ssrc, name.clone())));
        sum.byes.extend(rtcp.byes.iter().map(|bye| Bye {
            ssrc: bye.ssrc,
            reason: bye.reason.clone(),
            packet: context.packet(bye.id),
        }));
        sum.bandwidth.extend(bandwidth(rtcp));
    }
    sum.malformed = flows.iter().map(|flow| flow.broken_rtcp).sum();
    (sum.packets > 0).then_some(sum)
}

fn bandwidth(rtcp: &Rtcp) -> impl Iterator<Item = BandwidthFeedback> + '_ {
    rtcp.bandwidth.iter().map(|((sender, kind), feedback)| {
        let by_packet = matches!(kind, BandwidthKind::TransportCc | BandwidthKind::Ccfb);
        BandwidthFeedback {
            sender_ssrc: *sender,
            kind: match kind {
                BandwidthKind::TransportCc => "transport-cc",
                BandwidthKind::Ccfb => "ccfb",
                BandwidthKind::Remb => "remb",
                BandwidthKind::Tmmbr => "tmmbr",
            },
            messages: feedback.messages,
            packets_reported: by_packet.then_some(feedback.reported),
            packets_lost: by_packet.then_some(feedback.lost),
            bitrate: feedback.bitrate.map(|(last, min, max)| BitrateRange {
                last: rate(last),
                min: rate(min),
                max: rate(max),
            }),
        }
    })
}

/// The name RTCP packets of a type and format are counted under.
fn name(key: TypeKey) -> String {
    match key {
        TypeKey { remb: true, .. } => "REMB".to_owned(),
        TypeKey { packet_type: 205, format, .. } => transport_format_name(format).to_owned(),
        TypeKey { packet_type: 206, format, .. } => payload_format_name(format).to_owned(),
        TypeKey { packet_type, .. } => type_name(packet_type).to_owned(),
    }
}

/// What the receivers of `ssrc` said, in the stream's own flow or, where that says nothing, in others of the call.
pub fn reported(flow: &FlowRecord, flows: &[&FlowRecord], ssrc: u32, clock_rate: Option<u32>) -> Option<Reported> {
    let own = flow.rtcp.as_deref().filter(|rtcp| speaks_of(rtcp, ssrc));
    let rtcp =
        own.or_else(|| flows.iter().filter_map(|flow| flow.rtcp.as_deref()).find(|rtcp| speaks_of(rtcp, ssrc)))?;
    let reports: Vec<(&(u32, u32), &Report)> = rtcp.reports.iter().filter(|(key, _)| key.1 == ssrc).collect();
    let main = reports.iter().max_by_key(|(key, report)| (report.count, std::cmp::Reverse(key.0)));
    let mut reported = Reported {
        reports: reports.iter().map(|(_, report)| report.count).sum(),
        packets_sent: rtcp.senders.get(&ssrc).filter(|sender| sender.reports > 0).map(|sender| sender.packets.into()),
        bytes_sent: rtcp.senders.get(&ssrc).filter(|sender| sender.reports > 0).map(|sender| sender.octets.into()),
        remb_bitrate: rtcp.remb.get(&ssrc).copied().map(rate),
        ..Reported::default()
    };
    if let Some((key, report)) = main {
        describe(&mut reported, report, clock_rate);
        reported.reporter_ssrc = Some(key.0);
    }
    reported.extended = extended(rtcp, ssrc, clock_rate);
    for (_, requests) in rtcp.requests.iter().filter(|(key, _)| key.1 == ssrc) {
        reported.nack_count += requests.nacks;
        reported.nacked_packets += requests.nacked_packets;
        reported.pli_count += requests.plis;
        reported.fir_count += requests.firs;
    }
    Some(reported)
}

fn extended(rtcp: &Rtcp, ssrc: u32, clock_rate: Option<u32>) -> Option<Extended> {
    let (_, extended) = rtcp.extended.iter().filter(|(key, _)| key.1 == ssrc).max_by_key(|(_, known)| known.blocks)?;
    let ticks = |ticks: u32| clock_rate.map(|rate| f64::from(ticks) / f64::from(rate));
    Some(Extended {
        blocks: extended.blocks,
        packets_lost: extended.summary.and_then(|summary| summary.lost),
        packets_duplicated: extended.summary.and_then(|summary| summary.duplicated),
        jitter_mean: extended.summary.and_then(|summary| summary.jitter).and_then(|jitter| ticks(jitter.mean)),
        voip_metrics: extended.voip.map(|metrics| voip_metrics(&metrics)),
    })
}

/// RFC 3611 section 4.7: shares in 1/256, times in milliseconds, MOS times ten, 127 for what is not known.
fn voip_metrics(metrics: &wire::VoipMetrics) -> VoipMetrics {
    let share = |share: u8| f64::from(share) / 256.0;
    let time = |milliseconds: u16| f64::from(milliseconds) / 1000.0;
    let known = |value: u8| (value != 127).then_some(value);
    let mos = |value: u8| known(value).map(|value| f64::from(value) / 10.0);
    VoipMetrics {
        loss_rate: share(metrics.loss_rate),
        discard_rate: share(metrics.discard_rate),
        burst_density: share(metrics.burst_density),
        burst_duration: time(metrics.burst_duration),
        round_trip_time: (metrics.round_trip_delay > 0).then(|| time(metrics.round_trip_delay)),
        end_system_delay: (metrics.end_system_delay > 0).then(|| time(metrics.end_system_delay)),
        r_factor: known(metrics.r_factor),
        mos_listening: mos(metrics.mos_listening),
        mos_conversational: mos(metrics.mos_conversational),
        jitter_buffer_delay: time(metrics.jitter_buffer_nominal),
    }
}

fn speaks_of(rtcp: &Rtcp, ssrc: u32) -> bool {
    rtcp.reports.keys().chain(rtcp.requests.keys()).chain(rtcp.extended.keys()).any(|key| key.1 == ssrc)
        || rtcp.senders.get(&ssrc).is_some_and(|sender| sender.reports > 0)
        || rtcp.remb.contains_key(&ssrc)
}

fn describe(reported: &mut Reported, report: &Report, clock_rate: Option<u32>) {
    let ticks = |ticks: u32| clock_rate.map(|rate| f64::from(ticks) / f64::from(rate));
    let trip = report.round_trip;
    reported.fraction_lost = Some(f64::from(report.last.fraction_lost) / 256.0);
    reported.fraction_lost_max = Some(f64::from(report.fraction_lost_max) / 256.0);
    reported.packets_lost = Some(report.last.cumulative_lost.into());
    reported.jitter = ticks(report.last.jitter);
    reported.jitter_max = ticks(report.jitter_max);
    reported.highest_sequence_number = Some(report.last.highest_sequence);
    reported.round_trip_time_measurements = trip.count;
    if let Some(count) = i64::try_from(trip.count).ok().filter(|count| *count > 0) {
        reported.round_trip_time = Some(seconds(trip.last));
        reported.round_trip_time_mean = Some(seconds(trip.sum / count));
        reported.round_trip_time_max = Some(seconds(trip.highest));
    }
}

/// Bits a second, for people and programs that count in doubles.
#[expect(clippy::cast_precision_loss, reason = "rates beyond 2^53 bits a second are nobody's")]
const fn rate(bits: u64) -> f64 {
    bits as f64
}

/// Whether anything was lost behind the tap: packets that passed it and were asked for again.
pub fn nacked(flows: &[&FlowRecord], ssrc: u32) -> Option<u64> {
    let asked: BTreeMap<(u32, u32), u64> = flows
        .iter()
        .filter_map(|flow| flow.rtcp.as_deref())
        .flat_map(|rtcp| &rtcp.requests)
        .filter(|(key, requests)| key.1 == ssrc && requests.nacks > 0)
        .map(|(key, requests)| (*key, requests.nacked_packets))
        .collect();
    (!asked.is_empty()).then(|| asked.values().sum())
}
