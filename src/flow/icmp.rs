//! What routers and hosts said of a flow's packets in ICMP errors (RFC 792, RFC 4443): who could not or would not deliver
//! them, and why.

use crate::{
    flow::{budget::Budget, transaction::Moment},
    time::Timestamp,
    wire::{Endpoint, IcmpError},
};

/// Different errors of one flow that are told apart; the others are only counted.
pub const ERRORS: usize = 16;

/// Errors of one sender, type and code about packets of one direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// Who sent the errors; the port is 0.
    pub sender: Endpoint,
    /// The direction of the packets that they cite.
    pub direction: usize,
    /// The first error.
    pub error: IcmpError,
    /// How many.
    pub count: u64,
    /// When the first came.
    pub first: Moment,
    /// When the last came.
    pub last: Timestamp,
    /// Packets that had come from the place that the cited ones were to go to, before the first error.
    pub heard_before: u64,
}

/// The ICMP errors that cite a flow.
#[derive(Clone, Debug, Default)]
pub struct Complaints {
    listed: Vec<Complaint>,
    count: u64,
}

impl Complaints {
    /// Takes an error from `sender` about packets of `direction`. `heard` counts the packets that came the other way. A new
    /// kind of error is paid for by `budget`.
    pub fn push(
        &mut self,
        sender: Endpoint,
        direction: usize,
        error: IcmpError,
        now: Moment,
        heard: u64,
        budget: &Budget,
    ) {
        self.count += 1;
        let is_same = |known: &&mut Complaint| {
            let of = |error: &IcmpError| (error.version, error.kind, error.code, error.mtu);
            (known.sender, known.direction) == (sender, direction) && of(&known.error) == of(&error)
        };
        if let Some(known) = self.listed.iter_mut().find(is_same) {
            known.count += 1;
            known.last = now.0;
        } else if self.listed.len() < ERRORS && budget.take(size_of::<Complaint>()) {
            let (count, first, last) = (1, now, now.0);
            self.listed.push(Complaint { sender, direction, error, count, first, last, heard_before: heard });
        }
    }

    /// All of them, and those that are told apart in order.
    #[must_use]
    pub fn finish(self) -> (u64, Vec<Complaint>) {
        (self.count, self.listed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::PacketId;

    #[test]
    fn errors_are_told_apart_and_stay_bounded() {
        let host = |last: u8| Endpoint::v4([10, 0, 0, last], 0);
        let error = |code: u8| IcmpError {
            version: 4,
            kind: 3,
            code,
            protocol: 17,
            mtu: None,
            original_source: host(1),
            original_destination: host(2),
        };
        let mut complaints = Complaints::default();
        for number in 1..=60_u8 {
            let now = (Timestamp(number.into()), PacketId::new(0, number.into()));
            complaints.push(host(number % 20), 0, error(number % 3), now, 5, &Budget::default());
        }
        let (count, listed) = complaints.finish();
        assert_eq!((count, listed.len()), (60, ERRORS));
        assert_eq!((listed[0].first.1.number(), listed[0].count, listed[0].heard_before), (1, 1, 5));
        let mut poor = Complaints::default();
        poor.push(host(1), 0, error(1), (Timestamp(1), PacketId::new(0, 1)), 0, &Budget::new(0));
        assert_eq!(poor.finish(), (1, Vec::new()));
    }
}
