//! STUN requests and their answers, matched by transaction id (RFC 8489 section 6).

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use crate::time::{NANOS_PER_MILLI, NANOS_PER_SECOND, PacketId, Timestamp};

/// A packet and its time.
pub type Moment = (Timestamp, PacketId);

/// Requests of one flow that are remembered. Beyond it the oldest is given up as unanswered.
pub const REQUESTS: usize = 4096;

/// How long an answer may take: the last of seven transmissions plus its wait (RFC 8489 section 6.2.1).
const LIFETIME: i64 = 39_500 * NANOS_PER_MILLI;

/// The first wait of a client before it sends again (RFC 8489 section 6.2.1). What comes later was sent again, or
/// missed its time.
const FIRST_WAIT: i64 = NANOS_PER_SECOND / 2;

/// No path is so long that what was first sent so long ago may still be answered, however lately it was sent again.
const LONGEST_WAIT: i64 = NANOS_PER_SECOND;

/// A request on its way. `Note` is what its answer is judged by.
#[derive(Clone, Debug)]
pub struct Open<Note> {
    /// Its method.
    pub method: u16,
    /// The direction in which it was sent.
    pub direction: usize,
    /// Its first transmission.
    pub first: Moment,
    /// Its last.
    pub last: Timestamp,
    /// Transmissions seen.
    pub transmissions: u32,
    /// Whether an answer was seen.
    pub answered: bool,
    /// What its sender asked for.
    pub note: Note,
}

/// What became of an answer.
#[derive(Debug)]
pub enum Answered<'a, Note> {
    /// The first answer to a request.
    First(&'a Open<Note>),
    /// A request that was answered before.
    Again,
    /// The request is not in this flow.
    Stray,
}

/// The requests of one flow that wait for an answer, or may yet be sent again.
#[derive(Clone, Debug)]
pub struct Transactions<Note> {
    open: FxHashMap<u128, Open<Note>>,
    order: VecDeque<u128>,
}

impl<Note> Default for Transactions<Note> {
    fn default() -> Self {
        Self { open: FxHashMap::default(), order: VecDeque::new() }
    }
}

impl<Note> Transactions<Note> {
    /// Takes a request; true when it is new, false when it was sent before. Requests that are too old, or one too
    /// many, are handed to `given_up` if nobody answered them.
    pub fn ask(&mut self, id: u128, request: Open<Note>, mut given_up: impl FnMut(u128, Open<Note>)) -> bool {
        if let Some(open) = self.open.get_mut(&id).filter(|open| open.direction == request.direction) {
            open.transmissions = open.transmissions.saturating_add(1);
            open.last = request.last;
            return false;
        }
        while let Some(oldest) = self.order.front().copied() {
            let outlived = |open: &Open<Note>| request.last.since(open.last) > LIFETIME;
            if self.order.len() < REQUESTS && !self.open.get(&oldest).is_none_or(outlived) {
                break;
            }
            self.order.pop_front();
            if let Some(open) = self.open.remove(&oldest).filter(|open| !open.answered) {
                given_up(oldest, open);
            }
        }
        if self.open.insert(id, request).is_none() {
            self.order.push_back(id);
        }
        true
    }

    /// Takes an answer that was sent in `direction`.
    pub fn answer(&mut self, id: u128, method: u16, direction: usize) -> Answered<'_, Note> {
        match self.open.get_mut(&id).filter(|open| open.method == method && open.direction != direction) {
            Some(open) if open.answered => Answered::Again,
            Some(open) => {
                open.answered = true;
                Answered::First(open)
            }
            None => Answered::Stray,
        }
    }

    /// The requests that nobody answered, oldest first.
    pub fn finish(mut self) -> impl Iterator<Item = (u128, Open<Note>)> {
        let order = std::mem::take(&mut self.order);
        order.into_iter().filter_map(move |id| Some((id, self.open.remove(&id).filter(|open| !open.answered)?)))
    }
}

/// Requests of one kind and what came of them, as seen at the tap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    /// Requests; those sent again are counted once.
    pub sent: u64,
    /// Further transmissions of the same request.
    pub retransmitted: u64,
    /// Requests answered with success.
    pub succeeded: u64,
    /// Requests answered with an error.
    pub failed: u64,
    /// Requests whose answer took more than 500 ms (the first wait of RFC 8489 section 6.2.1).
    pub late: u64,
    /// Answers beyond the first.
    pub repeated: u64,
    /// Requests without an answer.
    pub unanswered: u64,
    /// Requests whose answer may have come after the capture's end, or after they were one too many to remember.
    pub pending: u64,
    /// From request to answer.
    pub round_trip: RoundTrip,
    /// The first request.
    pub first: Option<Moment>,
    /// The last request.
    pub last: Option<Moment>,
    /// The first success.
    pub first_success: Option<Moment>,
    /// The last success.
    pub last_success: Option<Moment>,
}

impl Requests {
    /// Counts a request that is new.
    pub fn sent(&mut self, now: Moment) {
        self.sent += 1;
        self.first.get_or_insert(now);
        self.last = Some(now);
    }

    /// Counts the first answer to a request.
    pub fn answered<Note>(&mut self, request: &Open<Note>, success: bool, now: Moment) {
        self.late += u64::from(now.0.since(request.first.0) > FIRST_WAIT);
        // Which of several transmissions was answered cannot be told (Karn's rule, RFC 8489 section 6.2.1).
        if request.transmissions == 1 {
            self.round_trip.push(now.0.since(request.first.0));
        }
        if success {
            self.succeeded += 1;
            self.first_success.get_or_insert(now);
            self.last_success = Some(now);
        } else {
            self.failed += 1;
        }
    }

    /// Counts a request that nobody answered until `end`, up to which the capture goes.
    pub fn unanswered<Note>(&mut self, request: &Open<Note>, end: Timestamp) {
        if end.since(request.last) < FIRST_WAIT && end.since(request.first.0) <= LONGEST_WAIT {
            self.pending += 1;
        } else {
            self.unanswered += 1;
        }
    }

    /// Adds another's counts.
    pub fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.retransmitted += other.retransmitted;
        self.succeeded += other.succeeded;
        self.failed += other.failed;
        self.late += other.late;
        self.repeated += other.repeated;
        self.unanswered += other.unanswered;
        self.pending += other.pending;
    }
}

/// Times from request to answer, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RoundTrip {
    /// How many were measured.
    pub count: u64,
    /// Their sum.
    pub sum: i64,
    /// The shortest.
    pub min: i64,
    /// The longest.
    pub max: i64,
    /// The last.
    pub last: i64,
}

impl RoundTrip {
    /// Adds one; where time went backwards there is none to add.
    fn push(&mut self, nanos: i64) {
        if nanos < 0 {
            return;
        }
        self.min = if self.count == 0 { nanos } else { self.min.min(nanos) };
        self.max = if self.count == 0 { nanos } else { self.max.max(nanos) };
        self.last = nanos;
        self.sum = self.sum.saturating_add(nanos);
        self.count += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(millis: i64) -> Open<()> {
        let time = Timestamp(millis * NANOS_PER_MILLI);
        let first = (time, PacketId::new(0, 1));
        Open { method: 1, direction: 0, first, last: time, transmissions: 1, answered: false, note: () }
    }

    #[test]
    fn answers_find_their_request() {
        let mut transactions = Transactions::default();
        assert!(transactions.ask(7, request(0), |_, _| panic!()));
        assert!(!transactions.ask(7, request(500), |_, _| panic!()));
        assert!(matches!(transactions.answer(7, 1, 0), Answered::Stray), "the sender cannot answer itself");
        assert!(matches!(transactions.answer(7, 3, 1), Answered::Stray), "another method");
        assert!(matches!(transactions.answer(8, 1, 1), Answered::Stray));
        assert!(matches!(transactions.answer(7, 1, 1), Answered::First(open) if open.transmissions == 2));
        assert!(matches!(transactions.answer(7, 1, 1), Answered::Again));
        assert_eq!(transactions.finish().count(), 0);
    }

    #[test]
    fn old_ones_are_given_up_and_counted() {
        let mut transactions = Transactions::default();
        let mut given_up = 0;
        for id in 0..100_000 {
            transactions.ask(id, request(0), |_, _| given_up += 1);
        }
        assert_eq!((given_up, transactions.open.len()), (100_000 - REQUESTS, REQUESTS));
        transactions.ask(u128::MAX, request(39_501), |_, _| given_up += 1);
        assert_eq!((given_up, transactions.open.len()), (100_000, 1));
        assert_eq!(transactions.finish().count(), 1);
    }

    #[test]
    fn a_request_near_the_end_is_pending() {
        let mut requests = Requests::default();
        requests.unanswered(&request(0), Timestamp(499 * NANOS_PER_MILLI));
        requests.unanswered(&request(0), Timestamp(500 * NANOS_PER_MILLI));
        assert_eq!((requests.pending, requests.unanswered), (1, 1));
        // Sent again to the capture's last packet, as to a server that is silent.
        let again = Open { last: Timestamp(7_892 * NANOS_PER_MILLI), transmissions: 6, ..request(63) };
        requests.unanswered(&again, again.last);
        assert_eq!((requests.pending, requests.unanswered), (1, 2));
    }
}
