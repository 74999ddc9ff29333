//! SCTP associations (RFC 9260): what the two ends of one flow did, as seen at the tap.
//!
//! Memory is fixed: two sequence windows, and lists with a cap that count what did not fit.

mod channel;
mod message;
mod paths;
mod record;
mod side;
mod tsn;

pub use channel::{Carried, Channel, MAX_CHANNELS, Opening, Reset};
pub use message::{Bytes, Content, MAX_MESSAGE, MAX_RUNS, Message, Outline};
pub use paths::Relation;
pub use record::{Abort, DirectionRecord, RoundTrips, SctpRecord, State, Step, StreamUse};
pub use side::MAX_STREAMS;

use crate::{
    time::{PacketId, Timestamp},
    wire::{
        Malformed,
        sctp::{Causes, Checksum, Chunk, Content as Said, Data, Init, Packet, ParameterContent, Parameters, Sack},
    },
};
use channel::Channels;
use side::Side;
use tsn::Sighting;

/// The associations of one flow, one after the other. Directions are 0 and 1, as the flow names its ends.
///
/// `C` is what is kept of messages while they are put together: their length, or their [`Bytes`] for a caller that wants
/// messages from [`Self::packet_with`].
#[derive(Debug, Default)]
pub struct Association<C = Outline> {
    record: SctpRecord,
    sides: [Side<C>; 2],
    channels: Channels,
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
        let step = Step { time, packet: id };
        self.packet_with(bytes, wire_length, direction, step, &mut |_, _| ())
    }
}

impl<C: Content> Association<C> {
    /// As [`Self::packet`]; hands out each message that becomes whole, with its direction. Messages come in the order
    /// in which they became whole, be they in the stream's order or not.
    ///
    /// # Errors
    /// The first fault of the packet. All of it that could be read has been counted.
    pub fn packet_with(
        &mut self,
        bytes: &[u8],
        wire_length: usize,
        direction: u8,
        step: Step,
        sink: &mut impl FnMut(u8, Message<C>),
    ) -> Result<(), Malformed> {
        let packet = Packet::parse_snapped(bytes, wire_length)?;
        let from = usize::from(direction & 1);
        if self.record.first.is_none() {
            let (own, peer) = (packet.source_port, packet.destination_port);
            self.record.ports = if from == 0 { [own, peer] } else { [peer, own] };
        }
        self.record.first.get_or_insert(step);
        self.record.last = Some(step);
        self.header(&packet, wire_length.max(bytes.len()), from, step);
        let mut fault = None;
        for chunk in packet.chunks() {
            fault = fault.or(chunk.fault);
            match chunk.content() {
                Ok(content) => self.chunk(&chunk, content, from, step, sink),
                Err(error) => fault = fault.or(Some(error)),
            }
        }
        fault.map_or(Ok(()), Err)
    }

    /// What was seen.
    #[must_use]
    pub fn finish(self) -> SctpRecord {
        let mut record = self.record;
        for (side, own) in record.directions.iter_mut().zip(&self.sides) {
            side.unfinished = own.assembly.unfinished();
        }
        (record.channels, record.channels_refused) = self.channels.finish();
        record
    }

    fn header(&mut self, packet: &Packet<'_>, length: usize, from: usize, step: Step) {
        let [first, second] = &mut self.record.directions;
        let (side, peer) = if from == 0 { (first, second) } else { (second, first) };
        side.packets += 1;
        side.bytes += length as u64;
        side.last = Some(step);
        if packet.verification_tag != 0 {
            side.verification_tag.get_or_insert(packet.verification_tag);
            side.last_verification_tag = Some(packet.verification_tag);
        }
        match packet.verify_checksum() {
            Checksum::Wrong => side.checksum_faults += 1,
            Checksum::Zero => {
                side.zero_checksums += 1;
                // RFC 9653 section 5.2: what sets an association up has a checksum, and so has all where none was asked for.
                let sets_up = packet.chunks().next().is_some_and(|chunk| matches!(chunk.kind, INIT | COOKIE_ECHO));
                let refused = peer.initiate_tag.is_some() && peer.zero_checksum_method.is_none();
                side.zero_checksums_unagreed += u64::from(sets_up || refused);
            }
            Checksum::Correct | Checksum::Unknown => {}
        }
    }

    fn chunk(
        &mut self,
        chunk: &Chunk<'_>,
        content: Said<'_>,
        from: usize,
        step: Step,
        sink: &mut impl FnMut(u8, Message<C>),
    ) {
        let record = &mut self.record;
        let (Some(side), Some(own)) = (record.directions.get_mut(from), self.sides.get_mut(from)) else { return };
        side.count_chunk(chunk.kind);
        match content {
            Said::Data(data) => self.data(&data, false, from, step, sink),
            Said::InterleavedData(data) => self.data(&data, true, from, step, sink),
            Said::Sack(sack) => self.sack(&sack, from, step.time),
            Said::Init(init) => self.init(&init, from, step),
            Said::InitAck(init) => {
                // A server answers each repeated INIT with a tag of its own making.
                if side.initiate_tag != Some(init.initiate_tag) {
                    own.restart();
                    side.tsns = None;
                }
                side.negotiate(&init);
                record.init_ack.get_or_insert(step);
                record.reach(State::InitAcknowledged);
            }
            Said::CookieEcho(_) => {
                record.cookie_echo.get_or_insert(step);
                record.reach(State::CookieEchoed);
            }
            Said::CookieAck => {
                record.cookie_ack.get_or_insert(step);
                record.reach(State::Established);
            }
            Said::Heartbeat(information) => own.heartbeat = Some((hash(information), step.time)),
            Said::HeartbeatAck(information) => self.heartbeat_ack(information, from, step.time),
            Said::Abort { causes, .. } => record.abort(causes, from, step),
            Said::Error(causes) => side.errors(causes),
            Said::Shutdown(_) => {
                record.shutdown.get_or_insert((from as u8, step));
                record.reach(State::ShuttingDown);
            }
            Said::ShutdownAck => record.reach(State::ShuttingDown),
            Said::ShutdownComplete { .. } => record.reach(State::Closed),
            Said::ForwardTsn { tsn, .. } | Said::InterleavedForwardTsn { tsn, .. } => self.give_up(tsn, from, step),
            Said::Reconfiguration(parameters) => self.reconfigure(parameters, from, step),
            _ => {}
        }
    }

    fn data(
        &mut self,
        data: &Data<'_>,
        interleaved: bool,
        from: usize,
        step: Step,
        sink: &mut impl FnMut(u8, Message<C>),
    ) {
        let record = &mut self.record;
        let (Some(side), Some(own)) = (record.directions.get_mut(from), self.sides.get_mut(from)) else { return };
        let sighting = own.sent.see(data, step.time);
        side.data(data, sighting);
        match sighting {
            Sighting::New => {
                if let Some(message) = own.assembly.take(data, interleaved, step) {
                    side.message(message.stream, message.payload_protocol);
                    self.channels.message(from, &message);
                    sink(from as u8, message);
                }
            }
            Sighting::Again(_) => self.channels.again(from, data.stream),
            Sighting::TooOld => {}
        }
        record.reach(State::Established);
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
        side.tsns = None;
        own.restart();
        // The other end's INIT of a simultaneous open belongs to the same association.
        if record.associations == 0 || known || stood || over {
            record.associations += 1;
        }
        if stood || (known && !over) {
            record.restarts += 1;
        }
        if known || stood || over {
            record.state = State::Nothing;
            self.channels.restart();
            // An ended association's acknowledgements say nothing about the new one's.
            for side in &mut self.sides {
                side.acknowledged = None;
                side.forwarded = None;
                side.gaps_open = false;
            }
        }
        self.channels.begin();
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
        if sack.gap_blocks.len() > 0 {
            peer.sent.acknowledge(cumulative, sack.gap_blocks);
        }
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

    /// FORWARD TSN and I-FORWARD-TSN (RFC 3758 section 3.5): what is not acknowledged up to `tsn` never will be.
    fn give_up(&mut self, tsn: u32, from: usize, step: Step) {
        let [first, second] = &mut self.sides;
        let (own, peer) = if from == 0 { (first, second) } else { (second, first) };
        let Some(side) = self.record.directions.get_mut(from) else { return };
        side.forward_tsns += 1;
        let later = |one: u32, other: u32| if other.wrapping_sub(one).cast_signed() > 0 { other } else { one };
        let after = match (peer.acknowledged, own.forwarded) {
            (Some(one), Some(other)) => later(one, other),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => tsn.wrapping_sub(1),
        };
        own.forwarded = Some(own.forwarded.map_or(tsn, |before| later(before, tsn)));
        own.assembly.give_up_to(tsn);
        // Streams of which a message was counted that has not ended: no more than the TSNs that are remembered.
        let mut counted: Vec<u16> = Vec::new();
        for sent in own.sent.unacknowledged(after, tsn) {
            let is_counted = counted.contains(&sent.stream);
            if is_counted && !sent.is_begin() {
                continue;
            }
            if !is_counted {
                counted.push(sent.stream);
            }
            side.abandoned_messages += 1;
            side.first_abandoned.get_or_insert(step);
            self.channels.abandoned(from, sent.stream);
        }
    }

    /// RE-CONFIG (RFC 6525): streams are reset, which is how data channels are closed (RFC 8831 section 6.7).
    fn reconfigure(&mut self, parameters: Parameters<'_>, from: usize, step: Step) {
        let Some(side) = self.record.directions.get_mut(from) else { return };
        for parameter in parameters {
            match parameter.content() {
                ParameterContent::OutgoingReset { request, streams, .. } => {
                    side.stream_resets += 1;
                    self.channels.reset_asked(from, Some(request), streams, step);
                }
                ParameterContent::IncomingReset { streams, .. } => {
                    side.stream_resets += 1;
                    self.channels.reset_asked(from, None, streams, step);
                }
                ParameterContent::TsnReset { .. } => side.stream_resets += 1,
                // 0: nothing to do; 1: performed.
                ParameterContent::ReconfigurationResponse { response, result: 0 | 1 } => {
                    let streams = self.channels.reset_performed(from ^ 1, response, step);
                    let Some(peer) = self.sides.get_mut(from ^ 1) else { return };
                    streams.into_iter().for_each(|stream| peer.assembly.forget(stream));
                }
                _ => {}
            }
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

/// Aborts that are kept with their cause.
pub const MAX_ABORTS: usize = 4;
/// Bytes kept of a cause's text.
const MAX_TEXT: usize = 128;
const INIT: u8 = 1;
const COOKIE_ECHO: u8 = 10;

#[cfg(test)]
mod tests;
