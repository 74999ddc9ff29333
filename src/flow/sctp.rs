//! SCTP associations (RFC 9260): what the two ends of one flow did, as seen at the tap.
//!
//! Memory is fixed: two sequence windows, and lists with a cap that count what did not fit.

mod record;
mod tsn;

pub use record::{Abort, DirectionRecord, RoundTrips, SctpRecord, State, Step, StreamUse};

use crate::{
    time::{PacketId, Timestamp},
    wire::{
        Malformed,
        sctp::{Causes, Checksum, Chunk, Content, Data, Init, Packet, Parameter, ParameterContent, Sack},
    },
};
use tsn::{Sighting, TsnWindow};

/// The associations of one flow, one after the other. Directions are 0 and 1, as the flow names its ends.
#[derive(Debug, Default)]
pub struct Association {
    record: SctpRecord,
    sides: [Side; 2],
}

/// What is remembered of one direction, beyond what is reported.
#[derive(Debug, Default)]
struct Side {
    sent: TsnWindow,
    /// Highest cumulative TSN this side has acknowledged.
    acknowledged: Option<u32>,
    /// Whether its last SACK had gap blocks: then the next one acknowledges packets that came long before.
    gaps_open: bool,
    /// Hash of its last HEARTBEAT's information, and when it was sent.
    heartbeat: Option<(u64, Timestamp)>,
    /// Initiate tag of its last INIT.
    initiate_tag: Option<u32>,
}

impl Association {
    /// Nothing seen yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in one packet of `wire_length` bytes, of which the capture holds `bytes`.
    ///
    /// # Errors
    /// The first fault of the packet. All of it that could be read has been counted.
    pub fn packet(
        &mut self,
        bytes: &[u8],
        wire_length: usize,
        direction: u8,
        time: Timestamp,
        id: PacketId,
    ) -> Result<(), Malformed> {
        let packet = Packet::parse_snapped(bytes, wire_length)?;
        let from = usize::from(direction & 1);
        let step = Step { time, packet: id };
        if self.record.first.is_none() {
            let (own, peer) = (packet.source_port, packet.destination_port);
            self.record.ports = if from == 0 { [own, peer] } else { [peer, own] };
        }
        self.record.first.get_or_insert(step);
        self.record.last = Some(step);
        let checksum = packet.verify_checksum();
        let Some(side) = self.record.directions.get_mut(from) else { return Ok(()) };
        side.packets += 1;
        side.bytes += wire_length.max(bytes.len()) as u64;
        side.verification_tag = side.verification_tag.or(Some(packet.verification_tag).filter(|&tag| tag != 0));
        side.checksum_faults += u64::from(checksum == Checksum::Wrong);
        side.zero_checksums += u64::from(checksum == Checksum::Zero);
        let mut fault = None;
        for chunk in packet.chunks() {
            fault = fault.or(chunk.fault);
            match chunk.content() {
                Ok(content) => self.chunk(&chunk, content, from, step),
                Err(error) => fault = fault.or(Some(error)),
            }
        }
        fault.map_or(Ok(()), Err)
    }

    /// What was seen.
    #[must_use]
    pub fn finish(self) -> SctpRecord {
        self.record
    }

    fn chunk(&mut self, chunk: &Chunk<'_>, content: Content<'_>, from: usize, step: Step) {
        let record = &mut self.record;
        let (Some(side), Some(own)) = (record.directions.get_mut(from), self.sides.get_mut(from)) else { return };
        side.count_chunk(chunk.kind);
        match content {
            Content::Data(data) | Content::InterleavedData(data) => {
                side.data(&data, own.sent.see(data.tsn, step.time));
                record.reach(State::Established);
            }
            Content::Sack(sack) => self.sack(&sack, from, step.time),
            Content::Init(init) => self.init(&init, from, step),
            Content::InitAck(init) => {
                // A server answers each repeated INIT with a tag of its own making.
                if side.initiate_tag != Some(init.initiate_tag) {
                    own.sent.restart();
                }
                side.negotiate(&init);
                record.init_ack.get_or_insert(step);
                record.reach(State::InitAcknowledged);
            }
            Content::CookieEcho(_) => {
                record.cookie_echo.get_or_insert(step);
                record.reach(State::CookieEchoed);
            }
            Content::CookieAck => {
                record.cookie_ack.get_or_insert(step);
                record.reach(State::Established);
            }
            Content::Heartbeat(information) => own.heartbeat = Some((hash(information), step.time)),
            Content::HeartbeatAck(information) => self.heartbeat_ack(information, from, step.time),
            Content::Abort { causes, .. } => record.abort(causes, from, step),
            Content::Error(causes) => side.errors(causes),
            Content::Shutdown(_) => {
                record.shutdown.get_or_insert((from as u8, step));
                record.reach(State::ShuttingDown);
            }
            Content::ShutdownAck => record.reach(State::ShuttingDown),
            Content::ShutdownComplete { .. } => record.reach(State::Closed),
            Content::ForwardTsn { .. } | Content::InterleavedForwardTsn { .. } => side.forward_tsns += 1,
            Content::Reconfiguration(parameters) => side.stream_resets += resets(parameters),
            _ => {}
        }
    }

    /// An INIT opens an association; one with another tag than before, where one stood, is a restart (RFC 9260
    /// section 5.2.2) or the next association of the same ports.
    fn init(&mut self, init: &Init<'_>, from: usize, step: Step) {
        let record = &mut self.record;
        let (Some(side), Some(own)) = (record.directions.get_mut(from), self.sides.get_mut(from)) else { return };
        if own.initiate_tag == Some(init.initiate_tag) {
            record.init_retransmissions += 1;
            return;
        }
        let known = own.initiate_tag.replace(init.initiate_tag).is_some();
        let stood = matches!(record.state, State::Established | State::ShuttingDown);
        let over = matches!(record.state, State::Closed | State::Aborted);
        side.negotiate(init);
        own.sent.restart();
        // The other end's INIT of a simultaneous open belongs to the same association.
        if record.associations == 0 || known || stood || over {
            record.associations += 1;
        }
        if stood || (known && !over) {
            record.restarts += 1;
        }
        if known || stood || over {
            record.state = State::Nothing;
            // An ended association's acknowledgements say nothing about the new one's.
            for side in &mut self.sides {
                side.acknowledged = None;
                side.gaps_open = false;
            }
        }
        record.init.get_or_insert((from as u8, step));
        record.reach(State::InitSent);
    }

    fn sack(&mut self, sack: &Sack<'_>, from: usize, time: Timestamp) {
        let [first, second] = &mut self.sides;
        let (own, peer) = if from == 0 { (first, second) } else { (second, first) };
        let [first, second] = &mut self.record.directions;
        let (side, sender) = if from == 0 { (first, second) } else { (second, first) };
        side.sack(sack);
        let cumulative = sack.cumulative_tsn;
        let newer = own.acknowledged.is_none_or(|before| cumulative.wrapping_sub(before).cast_signed() > 0);
        let in_order = !own.gaps_open;
        own.gaps_open = sack.gap_blocks.len() > 0;
        if !newer {
            return;
        }
        own.acknowledged = Some(cumulative);
        // A TSN sent twice may have been acknowledged for either (Karn); one behind a gap was held back by the gap.
        if let Some(sent) = peer.sent.sent_once(cumulative).filter(|_| in_order) {
            sender.data_round_trips.add(time.since(sent));
        }
    }

    fn heartbeat_ack(&mut self, information: &[u8], from: usize, time: Timestamp) {
        let [first, second] = &mut self.sides;
        let peer = if from == 0 { second } else { first };
        let answered = peer.heartbeat.take_if(|(sent, _)| *sent == hash(information));
        if let (Some((_, sent)), Some(side)) = (answered, self.record.directions.get_mut(from ^ 1)) {
            side.heartbeat_round_trips.add(time.since(sent));
        }
    }
}

/// How many requests to reset streams there are.
fn resets<'a>(parameters: impl Iterator<Item = Parameter<'a>>) -> u64 {
    let is_reset = |parameter: &Parameter<'_>| {
        matches!(
            parameter.content(),
            ParameterContent::OutgoingReset { .. }
                | ParameterContent::IncomingReset { .. }
                | ParameterContent::TsnReset { .. }
        )
    };
    parameters.filter(is_reset).count() as u64
}

/// FNV-1a: heartbeats are told apart within one association, where nobody gains by a collision.
fn hash(information: &[u8]) -> u64 {
    information
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

impl SctpRecord {
    fn reach(&mut self, state: State) {
        self.state = self.state.max(state);
        self.reached = self.reached.max(state);
    }

    fn abort(&mut self, causes: Causes<'_>, from: usize, step: Step) {
        self.reach(State::Aborted);
        self.aborts += 1;
        if self.first_aborts.len() >= MAX_ABORTS {
            return;
        }
        let cause = causes.clone().next();
        let text = causes.filter_map(|cause| cause.text()).next();
        let text = text.map(|text| text.get(..MAX_TEXT).unwrap_or(text));
        self.first_aborts.push(Abort {
            direction: from as u8,
            at: step,
            cause: cause.map(|cause| cause.code),
            text: text.map(|text| String::from_utf8_lossy(text).into_owned()),
        });
    }
}

impl DirectionRecord {
    fn count_chunk(&mut self, kind: u8) {
        match self.chunks.binary_search_by_key(&kind, |&(known, _)| known) {
            Ok(at) => self.chunks.get_mut(at).into_iter().for_each(|(_, count)| *count += 1),
            // At most 256 entries: one for each value of a byte.
            Err(at) => self.chunks.insert(at, (kind, 1)),
        }
    }

    fn negotiate(&mut self, init: &Init<'_>) {
        self.initiate_tag = Some(init.initiate_tag);
        self.outbound_streams = Some(init.outbound_streams);
        self.inbound_streams = Some(init.inbound_streams);
        self.window(init.receiver_window);
        self.zero_checksum_method = init.parameters.clone().find_map(|parameter| match parameter.content() {
            ParameterContent::ZeroChecksumAcceptable(method) => Some(method),
            _ => None,
        });
    }

    fn window(&mut self, bytes: u32) {
        self.receiver_window_min = Some(self.receiver_window_min.map_or(bytes, |lowest| lowest.min(bytes)));
        self.receiver_window_max = Some(self.receiver_window_max.map_or(bytes, |highest| highest.max(bytes)));
    }

    fn sack(&mut self, sack: &Sack<'_>) {
        self.window(sack.receiver_window);
        self.zero_windows += u64::from(sack.receiver_window == 0);
        self.gap_blocks += sack.gap_blocks.len() as u64;
        self.sacks_with_gaps += u64::from(sack.gap_blocks.len() > 0);
        self.duplicate_tsns += sack.duplicate_tsns.len() as u64;
    }

    fn data(&mut self, data: &Data<'_>, sighting: Sighting) {
        self.data_chunks += 1;
        let bytes = u64::from(data.payload_length);
        match sighting {
            Sighting::New => {}
            Sighting::Again => {
                self.retransmitted_chunks += 1;
                self.retransmitted_bytes += bytes;
                return;
            }
            Sighting::TooOld => {
                self.unplaced_chunks += 1;
                return;
            }
        }
        self.user_bytes += bytes;
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

    fn errors(&mut self, causes: Causes<'_>) {
        for cause in causes {
            self.error_causes += 1;
            self.first_error_cause = self.first_error_cause.or(Some(cause.code));
        }
    }
}

impl StreamUse {
    fn add(&mut self, data: &Data<'_>) {
        self.chunks += 1;
        self.messages += u64::from(data.end);
        self.bytes += u64::from(data.payload_length);
        self.unordered |= data.unordered;
    }
}

/// Streams (with a payload protocol each) that are counted one by one, a direction.
pub const MAX_STREAMS: usize = 64;
/// Aborts that are kept with their cause.
pub const MAX_ABORTS: usize = 4;
/// Bytes kept of a cause's text.
const MAX_TEXT: usize = 128;

#[cfg(test)]
mod tests;
