//! Where many packets of a stream are missing in a row. They may be lost; or another path carried them meanwhile, and the
//! stream came back.

use super::{Arrival, GAP_FACTOR, SHORTEST_GAP, Stream};
use crate::time::{PacketId, Timestamp};

/// Absences of a stream that are remembered, the widest; the others are loss.
const ABSENCES: usize = 16;

/// A narrower step of the sequence number is no change of the path.
pub(super) const NARROWEST: u16 = 8;

/// One absence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Absence {
    /// When the last packet before it came.
    pub(super) left: Timestamp,
    /// When the first packet behind it came.
    pub(super) back: Timestamp,
    /// That packet.
    pub(super) id: PacketId,
    /// The sequence numbers of both.
    pub(super) numbers: (u16, u16),
    /// Whether the numbers were taken for a new start, as they are when half of all 65,536 went by.
    pub(super) is_restart: bool,
    /// Whether it is an outage, too.
    is_outage: bool,
}

impl Absence {
    /// Steps of the sequence number over it.
    pub(super) const fn step(&self) -> u16 {
        if self.is_restart { u16::MAX } else { self.numbers.1.wrapping_sub(self.numbers.0) }
    }

    fn interval(&self) -> i64 {
        self.back.since(self.left)
    }
}

impl Stream {
    /// Longest time between two packets, in nanoseconds.
    #[must_use]
    pub fn max_gap(&self) -> i64 {
        let absent = self.absences.iter().filter(|absence| !absence.is_restart).map(Absence::interval);
        absent.fold(self.max_gap, i64::max)
    }

    /// Packets were lost and none came.
    #[must_use]
    pub fn outages(&self) -> super::Gaps {
        let mut outages = self.outages;
        self.absences.iter().filter(|absence| absence.is_outage).for_each(|absence| outages.record(absence.interval()));
        outages
    }

    /// The packet that ended the longest outage.
    #[must_use]
    pub fn outage_end(&self) -> Option<PacketId> {
        let absent = self.absences.iter().filter(|absence| absence.is_outage);
        let longest = absent.max_by_key(|absence| absence.interval());
        longest.filter(|longest| longest.interval() > self.outages.longest).map_or(self.outage_end, |one| Some(one.id))
    }

    /// The widest step of the sequence number to a newer packet, and that packet: 1 while none was missing.
    #[must_use]
    pub fn widest_step(&self) -> (u16, PacketId) {
        let absent = self.absences.iter().filter(|absence| !absence.is_restart);
        absent.fold(
            self.widest_step,
            |widest, absence| if absence.step() > widest.0 { (absence.step(), absence.id) } else { widest },
        )
    }

    /// Notes a wide step to `arrival`.
    #[cold]
    pub(super) fn absent(&mut self, arrival: &Arrival, step: u16, interval: i64) {
        let is_outage = interval >= SHORTEST_GAP && interval / GAP_FACTOR > self.usual_interval && self.packets > 2;
        if !is_outage {
            self.usual_interval += interval.saturating_sub(self.usual_interval) / 16;
        }
        let after = arrival.sequence_number;
        self.note_absence(Absence {
            left: self.last.0,
            back: arrival.time,
            id: arrival.id,
            numbers: (after.wrapping_sub(step), after),
            is_restart: false,
            is_outage,
        });
    }

    /// Notes a packet far from the others, whose numbers went up to `before`.
    #[cold]
    pub(super) fn stray(&mut self, arrival: &Arrival, before: u16) {
        self.stray = Some(Absence {
            left: self.last.0,
            back: arrival.time,
            id: arrival.id,
            numbers: (before, arrival.sequence_number),
            is_restart: true,
            is_outage: false,
        });
    }

    /// Notes that the numbers started anew with the last stray packet.
    #[cold]
    pub(super) fn restarted(&mut self) {
        let stray = self.stray.take().filter(|stray| stray.numbers.1 == self.sequence.segment_start());
        if let Some(stray) = stray {
            self.note_absence(stray);
        }
    }

    pub(super) fn note_absence(&mut self, absence: Absence) {
        self.absences.push(absence);
        if self.absences.len() <= ABSENCES {
            return;
        }
        let narrowest = self.absences.iter().enumerate().min_by_key(|(_, absence)| absence.step());
        if let Some(index) = narrowest.map(|(index, _)| index) {
            let absence = self.absences.remove(index);
            self.settle(&absence);
        }
    }

    /// Counts an absence for good.
    fn settle(&mut self, absence: &Absence) {
        if absence.is_restart {
            return;
        }
        let interval = absence.interval();
        self.max_gap = self.max_gap.max(interval);
        if absence.step() > self.widest_step.0 {
            self.widest_step = (absence.step(), absence.id);
        }
        if absence.is_outage {
            if interval > self.outages.longest {
                self.outage_end = Some(absence.id);
            }
            self.outages.record(interval);
        }
    }
}
