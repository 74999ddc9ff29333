//! One direction of an association: what is remembered of it, and how its chunks are counted.

use super::{
    DirectionRecord, StreamUse,
    message::Assembly,
    tsn::{Resent, Sighting, TsnWindow},
};
use crate::{
    time::Timestamp,
    wire::sctp::{Causes, Data, Init, ParameterContent, Sack},
};

/// What is remembered of one direction, beyond what is reported.
#[derive(Debug, Default)]
pub(super) struct Side<C> {
    pub(super) sent: TsnWindow,
    /// Its messages that are not whole.
    pub(super) assembly: Assembly<C>,
    /// Highest cumulative TSN this side has acknowledged.
    pub(super) acknowledged: Option<u32>,
    /// Highest TSN up to which it has given up what it sent.
    pub(super) forwarded: Option<u32>,
    /// Whether its last SACK had gap blocks: then the next one acknowledges packets that came long before.
    pub(super) gaps_open: bool,
    /// Hash of its last HEARTBEAT's information, and when it was sent.
    pub(super) heartbeat: Option<(u64, Timestamp)>,
    /// Initiate tag of its last INIT.
    pub(super) initiate_tag: Option<u32>,
}

impl<C: super::Content> Side<C> {
    /// Its next TSN may be any.
    pub(super) fn restart(&mut self) {
        self.sent.restart();
        self.assembly.restart();
    }
}

impl DirectionRecord {
    pub(super) fn count_chunk(&mut self, kind: u8) {
        match self.chunks.binary_search_by_key(&kind, |&(known, _)| known) {
            Ok(at) => self.chunks.get_mut(at).into_iter().for_each(|(_, count)| *count += 1),
            // At most 256 entries: one for each value of a byte.
            Err(at) => self.chunks.insert(at, (kind, 1)),
        }
    }

    pub(super) fn negotiate(&mut self, init: &Init<'_>) {
        self.initiate_tag = Some(init.initiate_tag);
        self.outbound_streams = Some(init.outbound_streams);
        self.inbound_streams = Some(init.inbound_streams);
        self.window(init.receiver_window);
        self.zero_checksum_method = None;
        self.interleaving = Some(false);
        let mut forwards = false;
        for parameter in init.parameters.clone() {
            match parameter.content() {
                ParameterContent::ZeroChecksumAcceptable(method) => self.zero_checksum_method = Some(method),
                ParameterContent::SupportedExtensions(types) => {
                    self.interleaving = Some(types.contains(&I_DATA));
                    forwards |= types.contains(&FORWARD_TSN);
                }
                _ => forwards |= parameter.kind == FORWARD_TSN_SUPPORTED,
            }
        }
        self.partial_reliability = Some(forwards);
    }

    fn window(&mut self, bytes: u32) {
        self.receiver_window_min = Some(self.receiver_window_min.map_or(bytes, |lowest| lowest.min(bytes)));
        self.receiver_window_max = Some(self.receiver_window_max.map_or(bytes, |highest| highest.max(bytes)));
    }

    pub(super) fn sack(&mut self, sack: &Sack<'_>) {
        self.window(sack.receiver_window);
        self.zero_windows += u64::from(sack.receiver_window == 0);
        self.gap_blocks += sack.gap_blocks.len() as u64;
        self.sacks_with_gaps += u64::from(sack.gap_blocks.len() > 0);
        self.duplicate_tsns += sack.duplicate_tsns.len() as u64;
    }

    pub(super) fn data(&mut self, data: &Data<'_>, sighting: Sighting) {
        self.data_chunks += 1;
        let bytes = u64::from(data.payload_length);
        match sighting {
            Sighting::New => {}
            Sighting::Again(resent) => {
                self.retransmitted_chunks += 1;
                self.retransmitted_bytes += bytes;
                self.fast_retransmissions += u64::from(resent == Resent::Fast);
                self.timeout_retransmissions += u64::from(resent == Resent::Timeout);
                return;
            }
            Sighting::TooOld => {
                self.unplaced_chunks += 1;
                return;
            }
        }
        self.user_bytes += bytes;
        let is_later = |one: u32, other: u32| other.wrapping_sub(one).cast_signed() > 0;
        self.tsns = Some(self.tsns.map_or([data.tsn; 2], |[lowest, highest]| {
            let lowest = if is_later(data.tsn, lowest) { data.tsn } else { lowest };
            [lowest, if is_later(highest, data.tsn) { data.tsn } else { highest }]
        }));
        // A fragment of I-DATA names its protocol only at the beginning.
        let same = |used: &&mut StreamUse| {
            used.stream == data.stream && data.payload_protocol.is_none_or(|known| known == used.payload_protocol)
        };
        if let Some(used) = self.streams.iter_mut().find(same) {
            return used.add(data);
        }
        let payload_protocol = data.payload_protocol.unwrap_or_default();
        if self.streams.len() >= MAX_STREAMS {
            self.streams_refused += 1;
            return;
        }
        let mut used = StreamUse { stream: data.stream, payload_protocol, ..StreamUse::default() };
        used.add(data);
        self.streams.push(used);
    }

    /// A message is whole.
    pub(super) fn message(&mut self, stream: u16, payload_protocol: u32) {
        self.messages += 1;
        let same = |used: &&mut StreamUse| used.stream == stream && used.payload_protocol == payload_protocol;
        if let Some(used) = self.streams.iter_mut().find(same) {
            used.messages += 1;
        }
    }

    pub(super) fn errors(&mut self, causes: Causes<'_>) {
        for cause in causes {
            self.error_causes += 1;
            self.first_error_cause = self.first_error_cause.or(Some(cause.code));
        }
    }
}

impl StreamUse {
    fn add(&mut self, data: &Data<'_>) {
        self.chunks += 1;
        self.bytes += u64::from(data.payload_length);
        self.unordered |= data.unordered;
    }
}

/// Streams (with a payload protocol each) that are counted one by one, a direction.
pub const MAX_STREAMS: usize = 64;
/// I-DATA and FORWARD TSN in the list of chunk types that an end understands.
const I_DATA: u8 = 64;
const FORWARD_TSN: u8 = 192;
/// The parameter *Forward TSN supported* (RFC 3758 section 3.1).
const FORWARD_TSN_SUPPORTED: u16 = 0xc000;
