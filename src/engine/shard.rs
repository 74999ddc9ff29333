//! A shard: the flows whose hash falls to it, in a table of bounded size.

use std::sync::Arc;

use hashbrown::HashTable;
use rustc_hash::FxHashMap;

use crate::{
    engine::{
        Analysis, Faults, Refused,
        reader::{Item, SHARDS, Task, Work},
    },
    flow::{
        Flow, FlowRecord, Outcome, budget::Budget, datagram::Datagram, key::FlowKey, keyring::Keyring, turn::Relayed,
    },
    time::{NANOS_PER_SECOND, PacketId, Timestamp},
};

/// Flows that a shard follows at a time.
const FLOWS: usize = 65_536 / SHARDS;

/// Bytes for what flows remember beyond their own size, and for the records of those that ended.
const BUDGET: usize = (128 << 20) / SHARDS;

/// Bytes for finding packets that were captured twice. Apart from the rest, so that a router's capture of very many
/// flows loses that before it loses streams.
const COPY_BUDGET: usize = (32 << 20) / SHARDS;

/// Bytes that a record takes beyond its own size: its counts of STUN and DTLS.
const RECORD_LISTS: usize = 256;

/// A flow of a call that was silent for this long may be ended to make room.
const IDLE: i64 = 60 * NANOS_PER_SECOND;

/// Another flow that was silent for this long may be ended to make room.
const IDLE_OF_NO_CALL: i64 = 5 * NANOS_PER_SECOND;

/// Flows that are looked at to find one that may be ended.
const LOOKS: usize = 64;

/// Checks of what may be another call on the same addresses that wait until that is known, and bytes of each.
const HELD: usize = 64;
const HELD_BYTES: usize = 1024;

/// Guesses that a shard keeps. Of more flows some share one, and are searched for.
const GUESSES: usize = 1024;

/// TURN inside TURN is followed this deep.
const RELAY_DEPTH: usize = 2;

/// The flows of one shard.
#[derive(Debug)]
pub struct Shard {
    table: HashTable<u32>,
    flows: Vec<Flow>,
    /// Checks of what may be another call, by the place of their flow.
    held: FxHashMap<usize, Vec<Held>>,
    /// The digest of each flow's key, side by side.
    digests: Vec<u64>,
    /// Where the flow of a digest probably is, by the digest's last bits; its length is a power of two.
    guesses: Vec<u32>,
    records: Vec<FlowRecord>,
    faults: Faults,
    copies: Vec<u64>,
    refused: Refused,
    budget: Budget,
    copy_budget: Budget,
    keyring: Keyring,
    /// Where the search for a flow to end goes on: around the table, so that each new flow costs a few looks.
    hand: usize,
}

impl Default for Shard {
    fn default() -> Self {
        Self {
            table: HashTable::new(),
            flows: Vec::new(),
            held: FxHashMap::default(),
            digests: Vec::new(),
            guesses: vec![0; GUESSES],
            records: Vec::new(),
            faults: Faults::default(),
            copies: Vec::new(),
            refused: Refused::default(),
            budget: Budget::new(BUDGET),
            copy_budget: Budget::new(COPY_BUDGET),
            keyring: Keyring::default(),
            hand: 0,
        }
    }
}

/// A datagram that waits.
#[derive(Debug)]
struct Held {
    time: Timestamp,
    id: PacketId,
    bytes: Box<[u8]>,
    length: usize,
    direction: usize,
    hop_limit: u8,
}

impl Held {
    fn datagram(&self) -> Datagram<'_> {
        let Self { time, id, length, direction, .. } = *self;
        Datagram { time, id, bytes: &self.bytes, length, direction, holes: 0 }
    }
}

impl Shard {
    /// Does what the item of `work` asks for.
    #[inline]
    pub fn push(&mut self, work: &Work, item: &Item) {
        let Some(frame) = work.frame(item) else { return };
        let datagram = Datagram {
            time: frame.time,
            id: PacketId::new(frame.file, frame.number),
            bytes: work.bytes(frame, item),
            length: item.length as usize,
            direction: usize::from(item.direction),
            holes: 0,
        };
        let (Task::Datagram { hop_limit } | Task::Packet { hop_limit }) = item.task else {
            return self.push_unusual(work, item, datagram);
        };
        let Some(index) = self.place(item, &datagram) else { return };
        let is_holding = self.is_holding(index);
        let Some(flow) = self.flows.get_mut(index) else { return };
        if flow.is_copy(&datagram, item.identity, item.fingerprint) {
            return self.count_copy(frame.file);
        }
        let is_datagram = matches!(item.task, Task::Datagram { .. });
        if is_datagram && (is_holding || flow.may_begin_anew(&datagram)) {
            return self.hold(index, &datagram, hop_limit);
        }
        flow.count(&datagram, hop_limit);
        if is_datagram {
            let outcome = flow.push(&datagram);
            self.follow(&datagram, outcome, RELAY_DEPTH);
        }
    }

    /// What is no packet of its flow: its datagram of `datagram`'s bytes, or what was learned of the flow.
    #[cold]
    fn push_unusual(&mut self, work: &Work, item: &Item, datagram: Datagram<'_>) {
        match item.task {
            Task::Datagram { .. } | Task::Packet { .. } => {}
            Task::IcmpError(error) => {
                let known = self.find(&item.key(), item.digest).and_then(|index| self.flows.get_mut(index));
                if let (Some(flow), Some((sender, error))) = (known, work.error(error)) {
                    flow.push_icmp_error(sender, datagram.direction, error, (datagram.time, datagram.id));
                }
            }
            Task::Open => {
                let known = self.find(&item.key(), item.digest).and_then(|index| self.flows.get_mut(index));
                if let Some(flow) = known {
                    flow.note_open(datagram.direction);
                }
            }
            Task::Key(index) => {
                if let Some(key) = work.key(index) {
                    self.keyring.learn(Arc::clone(key));
                }
            }
            Task::Label(index) => {
                if let Some(flow) = self.flow(item, &datagram) {
                    flow.set_label(work.label(index));
                }
            }
            Task::Framed(index) => {
                let Some(((time, id), holes)) = work.framed(index) else { return };
                let datagram = Datagram { time, id, holes, ..datagram };
                let Some(flow) = self.flow(item, &datagram) else { return };
                let outcome = flow.push(&datagram);
                self.follow(&datagram, outcome, RELAY_DEPTH);
            }
        }
    }

    /// The flow of an item, made where it is new; none where there is no place for it.
    fn flow(&mut self, item: &Item, datagram: &Datagram<'_>) -> Option<&mut Flow> {
        let index = self.place(item, datagram)?;
        self.flows.get_mut(index)
    }

    /// Where it is.
    #[inline]
    fn place(&mut self, item: &Item, datagram: &Datagram<'_>) -> Option<usize> {
        let guess = self.guesses.get(item.digest as usize % GUESSES).copied().unwrap_or_default() as usize;
        if self.flows.get(guess).is_some_and(|flow| item.is_of(flow.key())) {
            return Some(guess);
        }
        self.find_or_insert(item.key(), item.digest, datagram)
    }

    /// Ends all flows and gives what was found.
    pub fn report(mut self, analysis: &mut Analysis) {
        self.release();
        analysis.flows.append(&mut self.records);
        let ends: Vec<Option<Timestamp>> = analysis.files.iter().map(|file| file.last).collect();
        let finish = |flow: Flow| {
            let (last, id) = flow.last();
            let end = ends.get(usize::from(id.file())).copied().flatten();
            flow.finish(end.unwrap_or(last))
        };
        analysis.flows.extend(self.flows.into_iter().map(finish));
        analysis.faults.merge(self.faults);
        for (total, count) in analysis.copies.iter_mut().zip(self.copies) {
            *total += count;
        }
        analysis.refused.packets += self.refused.packets;
        analysis.refused.flows += self.refused.flows;
        analysis.refused.flow_packets += self.refused.flow_packets;
    }

    /// Lets a datagram wait, or finds what those that wait belong to, and takes them all.
    #[cold]
    fn hold(&mut self, index: usize, datagram: &Datagram<'_>, hop_limit: u8) {
        let Some(flow) = self.flows.get_mut(index) else { return };
        let held = self.held.entry(index).or_default();
        let Datagram { time, id, bytes, length, direction, .. } = *datagram;
        let has_room = held.len() < HELD && bytes.len() <= HELD_BYTES;
        if has_room && flow.goes_on_anew(datagram) {
            held.push(Held { time, id, bytes: bytes.into(), length, direction, hop_limit });
            return;
        }
        let is_another = flow.begins_anew(datagram);
        let held = self.held.remove(&index).unwrap_or_default();
        if let Some(first) = held.first().filter(|_| is_another) {
            let next =
                Flow::new(*flow.key(), &first.datagram(), &self.budget, &self.copy_budget).with_keys(&self.keyring);
            let ended = std::mem::replace(flow, next);
            self.keep(ended, first.time);
        }
        for held in held.iter() {
            self.take(index, &held.datagram(), held.hop_limit);
        }
        self.take(index, datagram, hop_limit);
    }

    /// Takes a datagram into a flow.
    fn take(&mut self, index: usize, datagram: &Datagram<'_>, hop_limit: u8) {
        let Some(flow) = self.flows.get_mut(index) else { return };
        flow.count(datagram, hop_limit);
        let outcome = flow.push(datagram);
        self.follow(datagram, outcome, RELAY_DEPTH);
    }

    /// Whether datagrams of the flow there wait.
    #[inline]
    fn is_holding(&self, index: usize) -> bool {
        !self.held.is_empty() && self.held.contains_key(&index)
    }

    /// Gives what still waits to the flows that it waited in.
    fn release(&mut self) {
        for index in 0..self.flows.len() {
            self.release_flow(index);
        }
    }

    fn release_flow(&mut self, index: usize) {
        for held in self.held.remove(&index).unwrap_or_default() {
            self.take(index, &held.datagram(), held.hop_limit);
        }
    }

    /// Notes faults, and takes the datagram that one carried into its own flow.
    #[inline]
    fn follow(&mut self, outer: &Datagram<'_>, outcome: Outcome<'_>, depth: usize) {
        if outcome.malformed.is_some() || outcome.relayed.is_some() {
            self.follow_on(outer, outcome, depth);
        }
    }

    #[cold]
    fn follow_on(&mut self, outer: &Datagram<'_>, outcome: Outcome<'_>, depth: usize) {
        if let Some(fault) = outcome.malformed {
            self.faults.record(outer.id, fault);
        }
        let Some(Relayed { key, datagram }) = outcome.relayed else { return };
        if depth == 0 {
            return;
        }
        let Some(index) = self.find_or_insert(key, key.digest(), &datagram) else { return };
        let Some(flow) = self.flows.get_mut(index) else { return };
        // What the relay's header said is of its own path.
        flow.count(&datagram, 0);
        let outcome = flow.push(&datagram);
        self.follow(&datagram, outcome, depth - 1);
    }

    #[cold]
    fn find_or_insert(&mut self, key: FlowKey, digest: u64, datagram: &Datagram<'_>) -> Option<usize> {
        let index = self.find(&key, digest).or_else(|| self.insert(key, digest, datagram));
        self.refused.packets += u64::from(index.is_none());
        if let (Some(index), Some(guess)) = (index, self.guesses.get_mut(digest as usize % GUESSES)) {
            *guess = index as u32;
        }
        index
    }

    fn find(&self, key: &FlowKey, digest: u64) -> Option<usize> {
        self.table.find(digest, |index| self.is_at(*index as usize, key)).map(|index| *index as usize)
    }

    /// Whether the flow at `index` has this key.
    fn is_at(&self, index: usize, key: &FlowKey) -> bool {
        self.flows.get(index).is_some_and(|flow| flow.key() == key)
    }

    #[cold]
    fn insert(&mut self, key: FlowKey, digest: u64, datagram: &Datagram<'_>) -> Option<usize> {
        let flow = Flow::new(key, datagram, &self.budget, &self.copy_budget).with_keys(&self.keyring);
        let index = if self.flows.len() < FLOWS {
            self.flows.push(flow);
            self.digests.push(digest);
            self.flows.len() - 1
        } else {
            let index = self.idle(datagram.time)?;
            self.replace(index, flow, digest);
            index
        };
        let digests = &self.digests;
        let digest_of = |index: &u32| digests.get(*index as usize).copied().unwrap_or_default();
        self.table.insert_unique(digest, index as u32, digest_of);
        Some(index)
    }

    /// A flow that was silent for long.
    fn idle(&mut self, now: Timestamp) -> Option<usize> {
        for _ in 0..LOOKS {
            let index = self.hand;
            self.hand = (self.hand + 1) % FLOWS;
            let silence = self.flows.get(index).map_or(0, |flow| now.since(flow.last().0));
            let enough = |flow: &Flow| if flow.is_of_call() { IDLE } else { IDLE_OF_NO_CALL };
            if silence > IDLE_OF_NO_CALL && self.flows.get(index).is_some_and(|flow| silence > enough(flow)) {
                return Some(index);
            }
        }
        None
    }

    /// Ends a flow to make room. One that a call may be made of is kept as a record, another is only counted.
    fn replace(&mut self, index: usize, by: Flow, digest: u64) {
        self.release_flow(index);
        let (Some(flow), Some(known)) = (self.flows.get_mut(index), self.digests.get_mut(index)) else { return };
        let now = by.last().0;
        let (ended, ended_digest) = (std::mem::replace(flow, by), std::mem::replace(known, digest));
        if let Ok(entry) = self.table.find_entry(ended_digest, |known| *known as usize == index) {
            entry.remove();
        }
        self.keep(ended, now);
    }

    /// Keeps the record of a flow that ended: one that a call may be made of, another is only counted.
    fn keep(&mut self, flow: Flow, now: Timestamp) {
        let record = flow.finish(now);
        if record.is_of_call() && self.budget.take(size_of::<FlowRecord>() + RECORD_LISTS) {
            self.records.push(record);
        } else {
            self.refused.flows += 1;
            self.refused.flow_packets += record.packets.iter().sum::<u64>();
        }
    }

    fn count_copy(&mut self, file: u16) {
        let file = usize::from(file);
        if self.copies.len() <= file {
            self.copies.resize(file + 1, 0);
        }
        if let Some(copies) = self.copies.get_mut(file) {
            *copies += 1;
        }
    }
}
