//! The connections followed at a time: new ones always find a place as long as there are some that nothing is lost with.

use rustc_hash::FxHashMap;

use super::{Connection, Mark};
use crate::{flow::key::FlowKey, time::NANOS_PER_SECOND};

/// Connections followed at a time.
const CONNECTIONS: usize = 65_536;

/// Connections that are looked at to find one that makes room.
const LOOKS: usize = 16;

/// One that carries datagrams or signalling makes room when it was silent for this long.
const IDLE: i64 = 60 * NANOS_PER_SECOND;

/// What is lost where a connection makes room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Worth {
    /// Nothing: it is closed, or had no bytes.
    Nothing,
    /// That it carries nothing that is read.
    Label,
    /// What it says later.
    Content,
}

/// A connection in the table.
#[derive(Debug)]
pub struct Slot {
    /// Its flow.
    pub key: FlowKey,
    /// Which of the capture it is, counted from 1.
    pub number: u32,
    /// Its last packet.
    pub last: Mark,
    /// What is known of it.
    pub connection: Connection,
}

/// The table.
#[derive(Debug, Default)]
pub struct Table {
    places: FxHashMap<FlowKey, usize>,
    slots: Vec<Slot>,
    /// Where the search for one that makes room goes on: around the table, so that each new one costs a few looks.
    hand: usize,
    numbers: u32,
}

impl Table {
    /// Where the connection of a flow is.
    pub fn find(&self, key: &FlowKey) -> Option<usize> {
        self.places.get(key).copied()
    }

    /// A connection.
    pub fn get_mut(&mut self, index: usize) -> Option<&mut Slot> {
        self.slots.get_mut(index)
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.slots.len()
    }

    /// All of them.
    #[cfg(test)]
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// Begins the connection of a flow anew; gives what was there.
    pub fn renew(&mut self, index: usize) -> Connection {
        self.numbers = self.numbers.wrapping_add(1);
        let Some(slot) = self.slots.get_mut(index) else { return Connection::default() };
        slot.number = self.numbers;
        std::mem::take(&mut slot.connection)
    }

    /// Adds a connection; gives its place and the one that made room. `None` where none could.
    pub fn insert(&mut self, key: FlowKey, mark: Mark) -> Option<(usize, Option<Slot>)> {
        let mut slot =
            Slot { key, number: self.numbers.wrapping_add(1), last: mark, connection: Connection::default() };
        let (index, replaced) = if self.slots.len() < CONNECTIONS {
            self.slots.push(slot);
            (self.slots.len() - 1, None)
        } else {
            let index = self.dispensable(mark)?;
            std::mem::swap(self.slots.get_mut(index)?, &mut slot);
            self.places.remove(&slot.key);
            (index, Some(slot))
        };
        self.numbers = self.numbers.wrapping_add(1);
        self.places.insert(key, index);
        Some((index, replaced))
    }

    /// The one among the next few with which the least is lost.
    fn dispensable(&mut self, now: Mark) -> Option<usize> {
        let looks = (0..LOOKS).map(|look| (self.hand + look) % CONNECTIONS);
        let rated = looks.filter_map(|index| {
            let slot = self.slots.get(index)?;
            let (worth, silence) = (slot.connection.worth(), now.0.since(slot.last.0));
            (worth < Worth::Content || silence > IDLE).then_some((worth, -silence, index))
        });
        let found = rated.min().map(|(.., index)| index);
        self.hand = (self.hand + LOOKS) % CONNECTIONS;
        found
    }
}
