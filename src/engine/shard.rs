//! A shard: the flows whose hash falls to it, in a table of bounded size.

use hashbrown::HashTable;

use crate::{
    engine::{
        Analysis, Faults, Refused,
        reader::{Item, SHARDS, Task, Work},
    },
    flow::{Flow, FlowRecord, Outcome, datagram::Datagram, key::FlowKey, turn::Relayed},
    time::{NANOS_PER_SECOND, PacketId, Timestamp},
};

/// Flows that a shard follows at a time.
const FLOWS: usize = 65_536 / SHARDS * 2;

/// Flows that are kept after they ended, because calls may be made of them.
const RECORDS: usize = 262_144 / SHARDS;

/// A flow that was silent for this long may be ended to make room.
const IDLE: i64 = 60 * NANOS_PER_SECOND;

/// TURN inside TURN is followed this deep.
const RELAY_DEPTH: usize = 2;

/// The flows of one shard.
#[derive(Debug, Default)]
pub struct Shard {
    table: HashTable<usize>,
    flows: Vec<Slot>,
    records: Vec<FlowRecord>,
    faults: Faults,
    copies: Vec<u64>,
    refused: Refused,
    /// No flow is idle before this time: looking for one earlier is in vain.
    next_sweep: Option<Timestamp>,
}

#[derive(Debug)]
struct Slot {
    key: FlowKey,
    digest: u64,
    last: Timestamp,
    flow: Flow,
}

impl Shard {
    /// Does what the item of `work` asks for.
    #[inline]
    pub fn push(&mut self, work: &Work, item: &Item) {
        let Some(frame) = work.frame(item) else { return };
        let framed = if let Task::Framed(mark) = item.task { work.mark(mark) } else { None };
        let (time, id) = framed.unwrap_or((frame.time, PacketId::new(frame.file, frame.number)));
        let datagram = Datagram {
            time,
            id,
            bytes: work.bytes(frame, item),
            length: item.length as usize,
            direction: usize::from(item.direction),
        };
        let known = self.find(&item.key, item.digest);
        if item.task == Task::IcmpError {
            if let Some(slot) = known.and_then(|index| self.flows.get_mut(index)) {
                slot.flow.push_icmp_error(datagram.id);
            }
            return;
        }
        let Some(index) = known.or_else(|| self.insert(item.key, item.digest, &datagram)) else {
            self.refused.packets += 1;
            return;
        };
        let Some(slot) = self.flows.get_mut(index) else { return };
        slot.last = datagram.time;
        let flow = &mut slot.flow;
        match item.task {
            Task::Label(index) => return flow.set_label(work.label(index)),
            Task::Framed(_) => {}
            Task::Datagram | Task::Packet | Task::IcmpError => {
                if flow.is_copy(&datagram, item.identity, item.fingerprint) {
                    return self.count_copy(frame.file);
                }
                flow.count(&datagram);
                if item.task == Task::Packet {
                    return;
                }
            }
        }
        let outcome = flow.push(&datagram);
        if outcome.malformed.is_some() || outcome.relayed.is_some() {
            self.follow(&datagram, outcome, RELAY_DEPTH);
        }
    }

    /// Ends all flows and gives what was found.
    pub fn report(mut self, analysis: &mut Analysis) {
        analysis.flows.append(&mut self.records);
        analysis.flows.extend(self.flows.into_iter().map(|slot| slot.flow.finish()));
        analysis.faults.merge(self.faults);
        for (total, count) in analysis.copies.iter_mut().zip(self.copies) {
            *total += count;
        }
        analysis.refused.packets += self.refused.packets;
        analysis.refused.flows += self.refused.flows;
        analysis.refused.flow_packets += self.refused.flow_packets;
    }

    /// Notes faults, and takes the datagram that one carried into its own flow.
    #[cold]
    fn follow(&mut self, outer: &Datagram<'_>, outcome: Outcome<'_>, depth: usize) {
        if let Some(fault) = outcome.malformed {
            self.faults.record(outer.id, fault);
        }
        let Some(Relayed { key, datagram }) = outcome.relayed else { return };
        if depth == 0 {
            return;
        }
        let digest = key.digest();
        let Some(index) = self.find(&key, digest).or_else(|| self.insert(key, digest, &datagram)) else {
            self.refused.packets += 1;
            return;
        };
        let Some(slot) = self.flows.get_mut(index) else { return };
        slot.last = datagram.time;
        slot.flow.count(&datagram);
        let outcome = slot.flow.push(&datagram);
        if outcome.malformed.is_some() || outcome.relayed.is_some() {
            self.follow(&datagram, outcome, depth - 1);
        }
    }

    #[inline]
    fn find(&self, key: &FlowKey, digest: u64) -> Option<usize> {
        let is_key = |index: &usize| self.flows.get(*index).is_some_and(|slot| slot.key == *key);
        self.table.find(digest, is_key).copied()
    }

    #[cold]
    fn insert(&mut self, key: FlowKey, digest: u64, datagram: &Datagram<'_>) -> Option<usize> {
        if self.flows.len() >= FLOWS {
            self.sweep(datagram.time);
        }
        if self.flows.len() >= FLOWS {
            return None;
        }
        let index = self.flows.len();
        let flow = Flow::new(key, datagram.time, datagram.id, datagram.direction);
        self.flows.push(Slot { key, digest, last: datagram.time, flow });
        let flows = &self.flows;
        self.table.insert_unique(digest, index, |index| flows.get(*index).map_or(0, |slot| slot.digest));
        Some(index)
    }

    /// Ends the flows that were silent for long: those that calls may be made of are kept as records, the others are
    /// only counted.
    fn sweep(&mut self, now: Timestamp) {
        if self.next_sweep.is_some_and(|next| now < next) {
            return;
        }
        let (idle, live): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.flows).into_iter().partition(|slot| now.since(slot.last) > IDLE);
        self.flows = live;
        for slot in idle {
            let record = slot.flow.finish();
            if record.is_of_call() && self.records.len() < RECORDS {
                self.records.push(record);
            } else {
                self.refused.flows += 1;
                self.refused.flow_packets += record.packets.iter().sum::<u64>();
            }
        }
        let oldest = self.flows.iter().map(|slot| slot.last).min();
        self.next_sweep = oldest.map(|oldest| Timestamp(oldest.0 + IDLE));
        self.table.clear();
        for (index, slot) in self.flows.iter().enumerate() {
            self.table.insert_unique(slot.digest, index, |_| 0);
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
