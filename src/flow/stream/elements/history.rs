//! Values that change seldom: each with the packet that first had it.

use super::At;
use crate::{
    flow::budget::Budget,
    time::{PacketId, Timestamp},
};

/// Values that are kept of one id: all but the last are the first of them.
const VALUES: usize = 16;

/// A longer value is not kept.
const LONGEST: usize = 128;

/// Of short values so many may change at first, of so many: else these are measurements, and are not kept.
const TRIAL: (u64, u64) = (4, 8);

/// Measurements are that short.
const SHORT: usize = 3;

/// The values of one id.
#[derive(Clone, Debug)]
pub struct History {
    values: Vec<Value>,
    elements: u64,
    changes: u64,
    varies: bool,
}

/// A value, from the packet on that first had it after another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// Its bytes.
    pub data: Box<[u8]>,
    /// When it came.
    pub time: Timestamp,
    /// In which packet.
    pub packet: PacketId,
}

impl History {
    pub(super) const fn new() -> Self {
        Self { values: Vec::new(), elements: 0, changes: 0, varies: false }
    }

    #[inline]
    pub(super) fn push(&mut self, data: &[u8], at: At, budget: &Budget) {
        if self.varies {
            return;
        }
        self.elements += 1;
        if self.values.last().is_none_or(|last| *last.data != *data) {
            self.change(data, at, budget);
        }
    }

    /// Takes the last value so many times again.
    pub(super) const fn again(&mut self, elements: u64) {
        self.elements += elements;
    }

    /// The values in order: the first of them, and the last. None where they vary from packet to packet.
    #[must_use]
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// How often the value changed.
    #[must_use]
    pub const fn changes(&self) -> u64 {
        self.changes
    }

    /// Goes on with what came on another path.
    pub(super) fn add(&mut self, next: &Self) {
        self.elements += next.elements;
        self.changes += next.changes;
        self.varies |= next.varies;
        self.values.extend(next.values.iter().cloned());
        self.values.sort_by_key(|value| (value.time, value.packet));
        self.values.dedup_by(|next, value| next.data == value.data);
        if self.values.len() > VALUES {
            self.values.drain(VALUES - 1..self.values.len() - 1);
        }
        if self.varies {
            self.values.clear();
        }
    }

    #[cold]
    fn change(&mut self, data: &[u8], at: At, budget: &Budget) {
        self.changes += u64::from(!self.values.is_empty());
        if data.len() <= SHORT && self.changes >= TRIAL.0 && self.elements <= TRIAL.1 {
            self.varies = true;
            self.values = Vec::new();
            return;
        }
        let is_full = self.values.len() >= VALUES;
        if data.len() > LONGEST || !is_full && !budget.take_for_extensions(size_of::<Value>() + data.len()) {
            return;
        }
        match self.values.last_mut().filter(|_| is_full) {
            Some(last) if last.data.len() == data.len() => {
                last.data.copy_from_slice(data);
                (last.time, last.packet) = (at.0, at.1);
            }
            Some(last) => *last = Value { data: data.into(), time: at.0, packet: at.1 },
            None => self.values.push(Value { data: data.into(), time: at.0, packet: at.1 }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::stream::elements::tests::{arrival, followed};

    fn values(history: &History) -> Vec<(u64, &[u8])> {
        history.values().iter().map(|value| (value.packet.number(), &*value.data)).collect()
    }

    #[test]
    fn changes_with_their_packets() {
        // A camera that is turned at the 50th packet, and back at the 80th.
        let all = followed((1..=100).map(|packet| [u8::from((50..80).contains(&packet))]));
        let history = &all.of(5).unwrap().history;
        assert_eq!(values(history), [(1, &[0][..]), (50, &[1]), (80, &[0])]);
        assert_eq!(history.changes(), 2);
    }

    #[test]
    fn measurements_are_not_kept() {
        let all = followed((0..100).map(|packet| [packet as u8]));
        assert!(all.of(5).unwrap().history.values().is_empty());
    }

    #[test]
    fn the_first_and_the_last_of_many() {
        let (mut history, budget) = (History::new(), Budget::default());
        for number in 1..=100 {
            history.push(&[9, 9, 9, 9, number as u8], arrival(number), &budget);
        }
        let kept = values(&history);
        assert_eq!((kept.len(), kept[14], kept[15]), (16, (15, &[9, 9, 9, 9, 15][..]), (100, &[9, 9, 9, 9, 100][..])));
        assert_eq!(history.changes(), 99);
        // Too long, and nothing left to pay with.
        let mut poor = History::new();
        poor.push(&[1; 129], arrival(1), &budget);
        poor.push(&[1; 4], arrival(2), &Budget::new(10));
        assert!(poor.values().is_empty());
    }

    #[test]
    fn parts_are_put_in_order() {
        let part = |numbers: [u64; 2], value: u8| {
            let mut history = History::new();
            numbers.iter().for_each(|number| history.push(&[value; 4], arrival(*number), &Budget::default()));
            history
        };
        let mut late = part([30, 40], 2);
        late.add(&part([10, 20], 1));
        assert_eq!(values(&late), [(10, &[1; 4][..]), (30, &[2; 4])]);
    }
}
