//! What the two ends of a flow told each other in RTCP: reports, requests and bandwidth, by the SSRC they speak of.

mod secured;
mod sender;

use std::collections::BTreeMap;

pub use self::sender::Sender;
use crate::{
    flow::budget::Budget,
    time::{NANOS_PER_SECOND, PacketId, Timestamp},
    wire::{
        feedback::{PayloadFeedback, PayloadMessage, TransportFeedback, TransportMessage},
        rtcp::{Compound, Content, FirstHeader, Item, Packet, ReportBlock, Srtcp},
        xr::{BlockContent, ExtendedReport, StatisticsSummary, VoipMetrics},
    },
};

/// SSRCs, pairs of SSRCs and texts that are remembered, each; more are counted in [`Rtcp::refused`].
const CAP: usize = 512;

/// Bytes that an entry takes, with its share of the list's own.
const ENTRY: usize = 256;

/// A round trip may come out this far below zero, as DLSR counts in 15 microseconds. Further below, a clock was read
/// carelessly, and the round trip is not known.
const NEGATIVE_ROUND_TRIP: i64 = -20_000;

/// The longest round trip believed; beyond it the LSR belongs to an older report with the same 32 bits.
const LONGEST_ROUND_TRIP: i64 = 60 * NANOS_PER_SECOND;

/// RTCP of one flow, laid out in memory as it stands here: what most datagrams change first.
#[derive(Clone, Debug, Default)]
#[repr(C)]
pub struct Rtcp {
    /// Datagrams that are SRTCP.
    pub encrypted: u64,
    tally: secured::Tally,
    /// Those of them that keys opened: each is authentic, and counts below as if it were in clear.
    pub decrypted: u64,
    /// Datagrams in clear.
    pub clear: u64,
    /// Who sent SRTCP, and how many datagrams each: the sender's SSRC stays in clear.
    pub encrypted_senders: BTreeMap<u32, u64>,
    /// Datagrams of it by the bytes of their authentication tag, where the trailer shows it.
    pub tag_lengths: BTreeMap<u8, u64>,
    /// Datagrams cut too early to tell which.
    pub undecided: u64,
    /// RTCP packets in clear by packet type and count or format; of encrypted datagrams the first only.
    pub by_type: BTreeMap<TypeKey, u64>,
    /// What receivers reported, by reporter and stream.
    pub reports: BTreeMap<(u32, u32), Report>,
    /// What receivers said in extended reports, by reporter and stream.
    pub extended: BTreeMap<(u32, u32), Extended>,
    /// What receivers asked for, by who asks and stream.
    pub requests: BTreeMap<(u32, u32), Requests>,
    /// What senders said of themselves.
    pub senders: BTreeMap<u32, Sender>,
    /// Bandwidth feedback by who sends it and kind.
    pub bandwidth: BTreeMap<(u32, BandwidthKind), Bandwidth>,
    /// REMB estimates by the stream they name, in bits a second.
    pub remb: BTreeMap<u32, u64>,
    /// CNAMEs.
    pub cnames: BTreeMap<u32, String>,
    /// Goodbyes.
    pub byes: Vec<Bye>,
    room: Room,
}

/// How many entries each list may have, and how many found no place.
#[derive(Clone, Copy, Debug)]
struct Room {
    cap: usize,
    refused: u64,
}

impl Default for Room {
    fn default() -> Self {
        Self { cap: CAP, refused: 0 }
    }
}

/// How a packet is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TypeKey {
    /// Packet type.
    pub packet_type: u8,
    /// Format of feedback (205, 206); 0 for other types.
    pub format: u8,
    /// Whether FMT 15 of PSFB is REMB.
    pub remb: bool,
}

/// What one receiver reports of one stream.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// Report blocks.
    pub count: u64,
    /// The last of them.
    pub last: ReportBlock,
    /// Highest fraction lost, in 1/256.
    pub fraction_lost_max: u8,
    /// Highest jitter, in RTP clock ticks.
    pub jitter_max: u32,
    /// Round trips between the tap and the receiver.
    pub round_trip: RoundTrip,
    /// When the last of them came.
    pub last_time: Timestamp,
}

/// What one receiver said of one stream in extended reports (RFC 3611).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extended {
    /// Blocks on the stream.
    pub blocks: u64,
    /// The last statistics summary.
    pub summary: Option<StatisticsSummary>,
    /// The last VoIP metrics.
    pub voip: Option<VoipMetrics>,
}

/// Round trips, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RoundTrip {
    /// How many were measured.
    pub count: u64,
    /// The last.
    pub last: i64,
    /// All together.
    pub sum: i64,
    /// The highest.
    pub highest: i64,
}

impl RoundTrip {
    /// Adds one measurement, unless it is out of reason.
    pub fn record(&mut self, nanos: i64) {
        if !(NEGATIVE_ROUND_TRIP..=LONGEST_ROUND_TRIP).contains(&nanos) {
            return;
        }
        let nanos = nanos.max(0);
        self.count += 1;
        self.last = nanos;
        self.sum += nanos;
        self.highest = self.highest.max(nanos);
    }
}

/// What one receiver asks of one stream's sender.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    /// Generic NACK packets.
    pub nacks: u64,
    /// Sequence numbers in them.
    pub nacked_packets: u64,
    /// Picture loss indications.
    pub plis: u64,
    /// Full intra requests.
    pub firs: u64,
}

/// The kinds of bandwidth feedback.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BandwidthKind {
    /// Transport-wide congestion control.
    TransportCc,
    /// RFC 8888.
    Ccfb,
    /// Receiver estimated maximum bitrate.
    Remb,
    /// RFC 5104 section 4.2.1.
    Tmmbr,
}

/// Bandwidth feedback of one sender.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bandwidth {
    /// Messages.
    pub messages: u64,
    /// Packets reported on.
    pub reported: u64,
    /// Packets reported as not received.
    pub lost: u64,
    /// Last, lowest and highest rate in bits a second.
    pub bitrate: Option<(u64, u64, u64)>,
}

/// A BYE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bye {
    /// Who leaves.
    pub ssrc: u32,
    /// Why.
    pub reason: Option<String>,
    /// The packet.
    pub id: PacketId,
}

impl Rtcp {
    /// Takes a compound in clear. New entries are paid for by `budget`; once it is used up there are none.
    pub fn push_clear(&mut self, time: Timestamp, id: PacketId, compound: &Compound<'_>, budget: &Budget) {
        self.clear += 1;
        self.push_packets(time, id, compound, budget);
    }

    /// Takes an SRTCP datagram and what was inside.
    pub fn push_opened(
        &mut self,
        srtcp: Srtcp,
        time: Timestamp,
        id: PacketId,
        compound: &Compound<'_>,
        budget: &Budget,
    ) {
        self.encrypted += 1;
        self.decrypted += 1;
        if let Some(length) = srtcp.tag_length {
            *self.tag_lengths.entry(length).or_default() += 1;
        }
        if let Some(count) = entry(&mut self.encrypted_senders, srtcp.ssrc, &mut self.room) {
            *count += 1;
        }
        self.push_packets(time, id, compound, budget);
    }

    fn push_packets(&mut self, time: Timestamp, id: PacketId, compound: &Compound<'_>, budget: &Budget) {
        let entries = self.entries();
        for packet in compound.packets() {
            self.count_type(key_of(&packet), 1);
            self.push_packet(time, id, &packet);
        }
        if !budget.take((self.entries() - entries) * ENTRY) {
            self.room.cap = 0;
        }
    }

    /// Takes what is there of a datagram that was cut too early. Where DTLS secures the flow it is SRTCP all the same.
    pub fn push_undecided(&mut self, first: FirstHeader, secured: bool) {
        *if secured { &mut self.encrypted } else { &mut self.undecided } += 1;
        self.count_type(TypeKey::first(first.first_type, first.first_count), 1);
    }

    /// Datagrams of any sort.
    #[must_use]
    pub const fn datagrams(&self) -> u64 {
        self.clear + self.encrypted + self.undecided
    }

    /// The SSRCs that something is known of.
    pub fn ssrcs(&self) -> impl Iterator<Item = u32> + '_ {
        let pairs = self.reports.keys().chain(self.requests.keys()).chain(self.extended.keys()).map(|(_, ssrc)| *ssrc);
        let senders = self.senders.keys().chain(self.encrypted_senders.keys());
        pairs.chain(senders.chain(self.remb.keys()).copied())
    }

    /// Entries that found no place.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.room.refused
    }

    /// Whether a packet in clear was sent by `ssrc`.
    #[must_use]
    pub fn has_sender(&self, ssrc: u32) -> bool {
        self.senders.contains_key(&ssrc) || self.cnames.contains_key(&ssrc)
    }

    /// Entries of all lists that hostile packets can fill.
    fn entries(&self) -> usize {
        let reports = self.reports.len() + self.requests.len() + self.remb.len();
        reports + self.senders.len() + self.bandwidth.len() + self.cnames.len() + self.byes.len()
    }

    fn count_type(&mut self, key: TypeKey, packets: u64) {
        // 32 types by 32 formats at most: no cap is needed.
        *self.by_type.entry(key).or_default() += packets;
    }

    fn push_packet(&mut self, time: Timestamp, id: PacketId, packet: &Packet<'_>) {
        match packet.content {
            Content::SenderReport { ssrc, ntp, packets, octets, reports, .. } => {
                if let Some(sender) = entry(&mut self.senders, ssrc, &mut self.room) {
                    sender.sent(time, ntp);
                    (sender.packets, sender.octets) = (packets, octets);
                    sender.reports += 1;
                }
                reports.for_each(|block| self.push_report(time, ssrc, block));
            }
            Content::ReceiverReport { ssrc, reports, .. } => {
                reports.for_each(|block| self.push_report(time, ssrc, block));
            }
            Content::SourceDescription(chunks) => {
                for chunk in chunks {
                    let cname = chunk.items.into_iter().find_map(|item| match item {
                        Item::Cname(name) => Some(name),
                        _ => None,
                    });
                    if let Some(name) = cname
                        && let Some(known) = entry(&mut self.cnames, chunk.ssrc, &mut self.room)
                        && known.is_empty()
                    {
                        *known = String::from_utf8_lossy(name).into_owned();
                    }
                }
            }
            Content::Bye { ssrcs, reason } => {
                for ssrc in ssrcs {
                    self.push_bye(ssrc, reason, id);
                }
            }
            Content::TransportFeedback(feedback) => self.push_transport_feedback(&feedback),
            Content::PayloadFeedback(feedback) => self.push_payload_feedback(&feedback),
            Content::ExtendedReport(report) => self.push_extended(time, &report),
            Content::App { .. } | Content::Raw(_) => {}
        }
    }

    fn push_report(&mut self, time: Timestamp, reporter: u32, block: ReportBlock) {
        let round_trip =
            self.senders.get(&block.ssrc).and_then(|sender| sender.round_trip(time, block.lsr, block.dlsr));
        let key = (reporter, block.ssrc);
        if self.reports.len() >= self.room.cap && !self.reports.contains_key(&key) {
            self.room.refused += 1;
            return;
        }
        let report = self.reports.entry(key).or_insert(Report {
            count: 0,
            last: block,
            fraction_lost_max: 0,
            jitter_max: 0,
            round_trip: RoundTrip::default(),
            last_time: time,
        });
        report.count += 1;
        (report.last, report.last_time) = (block, time);
        report.fraction_lost_max = report.fraction_lost_max.max(block.fraction_lost);
        report.jitter_max = report.jitter_max.max(block.jitter);
        if let Some(nanos) = round_trip {
            report.round_trip.record(nanos);
        }
    }

    fn push_bye(&mut self, ssrc: u32, reason: Option<&[u8]>, id: PacketId) {
        if self.byes.iter().any(|bye| bye.ssrc == ssrc) {
            return;
        }
        if self.byes.len() >= self.room.cap {
            self.room.refused += 1;
            return;
        }
        let reason = reason.map(|text| String::from_utf8_lossy(text).into_owned());
        self.byes.push(Bye { ssrc, reason, id });
    }

    fn push_transport_feedback(&mut self, feedback: &TransportFeedback<'_>) {
        let sender = feedback.sender_ssrc;
        match feedback.message {
            TransportMessage::GenericNack(pairs) => {
                let asked: u64 = pairs.map(|pair| 1 + u64::from(pair.bitmask.count_ones())).sum();
                if let Some(requests) = entry(&mut self.requests, (sender, feedback.media_ssrc), &mut self.room) {
                    requests.nacks += 1;
                    requests.nacked_packets += asked;
                }
            }
            TransportMessage::TransportCc(report) => {
                let counts = report.counts();
                self.push_arrivals(sender, BandwidthKind::TransportCc, counts.received, counts.not_received);
            }
            TransportMessage::CongestionControl(report) => {
                let (mut received, mut lost) = (0, 0);
                for arrival in report.streams().flat_map(|stream| stream.arrivals()) {
                    *if arrival.received { &mut received } else { &mut lost } += 1;
                }
                self.push_arrivals(sender, BandwidthKind::Ccfb, received, lost);
            }
            TransportMessage::Tmmbr(limits) => {
                limits.for_each(|limit| self.push_rate(sender, BandwidthKind::Tmmbr, limit.bitrate));
            }
            _ => {}
        }
    }

    fn push_payload_feedback(&mut self, feedback: &PayloadFeedback<'_>) {
        let sender = feedback.sender_ssrc;
        match feedback.message {
            PayloadMessage::Pli => {
                if let Some(requests) = entry(&mut self.requests, (sender, feedback.media_ssrc), &mut self.room) {
                    requests.plis += 1;
                }
            }
            PayloadMessage::Fir(entries) => {
                for fir in entries {
                    if let Some(requests) = entry(&mut self.requests, (sender, fir.ssrc), &mut self.room) {
                        requests.firs += 1;
                    }
                }
            }
            PayloadMessage::Remb { bitrate, ssrcs } => {
                self.push_rate(sender, BandwidthKind::Remb, bitrate);
                for ssrc in ssrcs {
                    if let Some(known) = entry(&mut self.remb, ssrc, &mut self.room) {
                        *known = bitrate;
                    }
                }
            }
            _ => {}
        }
    }

    fn push_extended(&mut self, time: Timestamp, report: &ExtendedReport<'_>) {
        for block in report.blocks() {
            match block.content {
                BlockContent::ReceiverReferenceTime(ntp) => {
                    if let Some(sender) = entry(&mut self.senders, report.ssrc, &mut self.room) {
                        sender.sent(time, ntp);
                    }
                }
                BlockContent::Dlrr(entries) => {
                    for dlrr in entries {
                        let sender = self.senders.get(&dlrr.ssrc);
                        let nanos = sender.and_then(|sender| sender.round_trip(time, dlrr.last_reference, dlrr.delay));
                        // The round trip to the sender of `report`, as its own report blocks are about its peer.
                        let known = self.reports.range_mut((report.ssrc, 0)..=(report.ssrc, u32::MAX)).next();
                        if let (Some((_, known)), Some(nanos)) = (known, nanos) {
                            known.round_trip.record(nanos);
                        }
                    }
                }
                BlockContent::LossRle(runs) | BlockContent::DuplicateRle(runs) => {
                    self.extended(report.ssrc, runs.range.ssrc, |_| {});
                }
                BlockContent::PacketReceiptTimes { range, .. } => self.extended(report.ssrc, range.ssrc, |_| {}),
                BlockContent::StatisticsSummary(summary) => {
                    self.extended(report.ssrc, summary.ssrc, |extended| extended.summary = Some(summary));
                }
                BlockContent::VoipMetrics(metrics) => {
                    self.extended(report.ssrc, metrics.ssrc, |extended| extended.voip = Some(metrics));
                }
                BlockContent::Raw(_) => {}
            }
        }
    }

    fn extended(&mut self, reporter: u32, ssrc: u32, note: impl FnOnce(&mut Extended)) {
        if let Some(extended) = entry(&mut self.extended, (reporter, ssrc), &mut self.room) {
            extended.blocks += 1;
            note(extended);
        }
    }

    fn push_arrivals(&mut self, sender: u32, kind: BandwidthKind, received: u32, lost: u32) {
        if let Some(bandwidth) = entry(&mut self.bandwidth, (sender, kind), &mut self.room) {
            bandwidth.messages += 1;
            bandwidth.reported += u64::from(received) + u64::from(lost);
            bandwidth.lost += u64::from(lost);
        }
    }

    fn push_rate(&mut self, sender: u32, kind: BandwidthKind, bitrate: u64) {
        if let Some(bandwidth) = entry(&mut self.bandwidth, (sender, kind), &mut self.room) {
            bandwidth.messages += 1;
            let (_, lowest, highest) = bandwidth.bitrate.unwrap_or((bitrate, bitrate, bitrate));
            bandwidth.bitrate = Some((bitrate, lowest.min(bitrate), highest.max(bitrate)));
        }
    }
}

impl TypeKey {
    const fn first(packet_type: u8, count: u8) -> Self {
        let format = if matches!(packet_type, 205 | 206) { count } else { 0 };
        Self { packet_type, format, remb: false }
    }
}

fn key_of(packet: &Packet<'_>) -> TypeKey {
    let remb = matches!(
        packet.content,
        Content::PayloadFeedback(PayloadFeedback { message: PayloadMessage::Remb { .. }, .. })
    );
    TypeKey { remb, ..TypeKey::first(packet.packet_type, packet.count) }
}

/// The entry of `key`, made if there is room.
fn entry<'a, K: Ord, V: Default>(map: &'a mut BTreeMap<K, V>, key: K, room: &mut Room) -> Option<&'a mut V> {
    if map.len() >= room.cap && !map.contains_key(&key) {
        room.refused += 1;
        return None;
    }
    Some(map.entry(key).or_default())
}
