//! What ICE did on one path (RFC 8445): who asked whom, who answered, what was nominated, whether consent held
//! (RFC 7675), and what plain STUN questions to a server (RFC 8489) brought to light.

mod checks;
mod said;
mod signed;

use std::collections::BTreeMap;

pub use self::checks::{Checks, Generation, Role};
pub(in crate::flow) use self::said::Said;
pub use self::signed::{Kept, Signed};

use crate::{
    flow::{
        allocation::{self, Allocations},
        budget::Budget,
        datagram::Datagram,
        key::FlowKey,
        transaction::{Answered, Moment, Open, Requests, Transactions},
    },
    time::{NANOS_PER_SECOND, PacketId, Timestamp},
    wire::{
        Endpoint,
        stun::{Class, Message, method},
    },
};

/// ICE generations of one flow that are listed.
pub const GENERATIONS: usize = 16;

/// Different errors of one flow that are listed.
pub const ERRORS: usize = 64;

/// Mapped addresses of one flow that are listed.
pub const MAPPED: usize = 16;

/// Attributes that a server did not know that are listed, and other servers that it named.
pub const NAMED: usize = 16;

/// Answers without a request, and requests without an answer, that are kept to be matched across flows.
pub const STRAYS: usize = 64;

/// An end that answered so many checks in this time, and sent none, is an ICE-lite agent.
const LITE_ANSWERS: u64 = 3;
const LITE_TIME: i64 = NANOS_PER_SECOND;

/// What the answer to a request is judged by.
#[derive(Clone, Debug)]
enum Note {
    /// A connectivity check, and whether it nominated.
    Check(bool),
    /// A question to a STUN server.
    Question,
    /// A request of TURN.
    Turn(Box<allocation::Ask>),
}

/// STUN of one flow, while it runs.
#[derive(Clone, Debug, Default)]
pub struct Ice {
    transactions: Transactions<Note>,
    record: Record,
    allocations: Option<Box<Allocations>>,
}

/// STUN of one flow: connectivity checks and questions to a server. What TURN did is
/// [`allocation::Record`]'s. Arrays are by direction: who sent the request.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// Connectivity checks and consent, by their sender.
    pub checks: [Checks; 2],
    /// Binding requests without the attributes of ICE: questions to a STUN server, and keepalives.
    pub questions: [Requests; 2],
    /// User fragments in use, in order; more than one is an ICE restart (RFC 8445 section 9).
    pub generations: Vec<Generation>,
    /// Errors: method and code, direction of the request, how often, the first answer.
    pub errors: BTreeMap<(u16, u16, usize), (u64, PacketId)>,
    /// What a server said the address of the asking end was: that end's direction, the address, the first answer.
    pub mapped: Vec<(usize, Endpoint, PacketId)>,
    /// Servers that were named to be asked instead (ALTERNATE-SERVER, RFC 8489 section 10), in order.
    pub alternate_servers: Vec<Endpoint>,
    /// Attributes that an asked end did not know (UNKNOWN-ATTRIBUTES, RFC 8489 section 14.10), in order.
    pub unknown_attributes: Vec<u16>,
    /// What had no room in a list above, each time that it came.
    pub omitted: u64,
    /// Binding indications, by their sender: keepalives (RFC 8445 section 11).
    pub indications: [u64; 2],
    /// Messages whose FINGERPRINT is wrong, and the first.
    pub bad_fingerprints: u64,
    /// The first of them.
    pub first_bad_fingerprint: Option<PacketId>,
    /// Answers to no request of this flow, by their sender.
    pub strays: [u64; 2],
    /// Successful answers to Binding requests among them.
    pub stray_successes: [u64; 2],
    /// Some of them: transaction and packet.
    pub stray_ids: Vec<(u128, PacketId)>,
    /// Checks and answers whose MESSAGE-INTEGRITY can be computed.
    pub signed: Kept,
    /// Some requests without an answer: transaction and packet.
    pub unanswered_ids: Vec<(u128, PacketId)>,
}

impl Ice {
    /// Takes a message with the magic cookie, and what it says.
    pub fn push(
        &mut self,
        key: &FlowKey,
        datagram: &Datagram<'_>,
        message: &Message<'_>,
        said: &Said<'_>,
        budget: &Budget,
    ) {
        let (direction, now) = (datagram.direction & 1, (datagram.time, datagram.id));
        if message.method() == method::BINDING {
            self.record.signed.push(message, direction, now, budget);
        }
        if message.fingerprint() == Some(false) {
            self.record.bad_fingerprints += 1;
            self.record.first_bad_fingerprint.get_or_insert(datagram.id);
        }
        // What MS-TURN sends in place of a Send indication is a request that nobody answers.
        if message.standard_type() != message.message_type() {
            return;
        }
        match message.class() {
            Class::Request => self.push_request(message, said, direction, now),
            Class::Success | Class::Error => self.push_answer(key, message, said, direction, now),
            Class::Indication => {
                if let (method::BINDING, Some(count)) = (message.method(), self.record.indications.get_mut(direction)) {
                    *count += 1;
                }
            }
        }
    }

    /// Whether both user fragments of a check's USERNAME are others than all before, of which both ends' are known.
    #[must_use]
    pub fn has_new_fragments(&self, user: &str, direction: usize) -> bool {
        let Some((receiver, sender)) = user.split_once(':') else { return false };
        let (low, high) = if direction == 0 { (sender, receiver) } else { (receiver, sender) };
        let generations = &self.record.generations;
        !generations.is_empty()
            && generations.len() < GENERATIONS
            && !low.is_empty()
            && !high.is_empty()
            && generations.iter().all(|known| *known.low != *low && *known.high != *high)
    }

    /// Ends the flow: its last packet was seen at `end`, and the capture went on to `capture_end`. A flow may end with a
    /// question that nobody answers.
    #[must_use]
    pub fn finish(mut self, end: Timestamp, capture_end: Timestamp) -> (Record, Option<Box<allocation::Record>>) {
        for (id, open) in self.transactions.finish() {
            self.record.give_up(&mut self.allocations, id, &open, capture_end.max(end));
        }
        for checks in &mut self.record.checks {
            checks.finish(end);
        }
        (self.record, self.allocations.map(|allocations| Box::new(allocations.finish(end))))
    }

    fn push_request(&mut self, message: &Message<'_>, said: &Said<'_>, direction: usize, now: Moment) {
        let method = message.method();
        let is_check = method == method::GOOG_PING || method == method::BINDING && said.is_check();
        let note = match method {
            _ if is_check => Note::Check(said.nominates),
            method::BINDING => Note::Question,
            _ => Note::Turn(Box::new(allocation::Ask::new(message, said))),
        };
        let (time, _) = now;
        let open = Open { method, direction, first: now, last: time, transmissions: 1, answered: false, note };
        let (record, allocations) = (&mut self.record, &mut self.allocations);
        let is_new = self.transactions.ask(message.transaction(), open, |id, open| {
            record.give_up(allocations, id, &open, time);
        });
        let again = !is_new;
        if !is_check {
            self.push_plain_request(method, said, direction, now, again);
            return;
        }
        let Some(checks) = self.record.checks.get_mut(direction) else { return };
        if again {
            checks.requests.retransmitted += 1;
            return;
        }
        checks.push_request(method, said, now);
        if let Some(user) = said.user {
            self.record.note_generation(user, direction, now);
        }
    }

    fn push_plain_request(&mut self, method: u16, said: &Said<'_>, direction: usize, now: Moment, again: bool) {
        let requests = if method == method::BINDING {
            self.record.questions.get_mut(direction)
        } else {
            let allocations = self.allocations.get_or_insert_default();
            allocations.push_request(said, direction);
            allocations.requests(method)
        };
        match requests {
            Some(requests) if again => requests.retransmitted += 1,
            Some(requests) => requests.sent(now),
            None => self.record.omitted += 1,
        }
    }

    fn push_answer(&mut self, key: &FlowKey, message: &Message<'_>, said: &Said<'_>, direction: usize, now: Moment) {
        let (method, success) = (message.method(), message.class() == Class::Success);
        let record = &mut self.record;
        if let Some(checks) = record.checks.get_mut(direction) {
            checks.note_software(said.software);
        }
        let open = match self.transactions.answer(message.transaction(), method, direction) {
            Answered::First(open) => open,
            Answered::Again => {
                if let Some(checks) = record.checks.get_mut(direction ^ 1).filter(|_| method == method::BINDING) {
                    checks.requests.repeated += 1;
                }
                return;
            }
            Answered::Stray => {
                record.note_stray(message, direction, now.1);
                if success && method == method::ALLOCATE {
                    self.allocations.get_or_insert_default().push_stray(said, direction ^ 1, now);
                }
                return;
            }
        };
        record.note_named(said);
        let asker = open.direction & 1;
        match &open.note {
            Note::Check(nominates) => {
                if let Some(checks) = record.checks.get_mut(asker) {
                    checks.push_answer(open, success, *nominates, now);
                    let differs = |mapped: &Endpoint| *mapped != key.source(asker);
                    if let Some(mapped) = said.mapped.filter(differs) {
                        checks.reflexive.get_or_insert((mapped, now.1));
                    }
                }
            }
            Note::Question => {
                if let Some(requests) = record.questions.get_mut(asker) {
                    requests.answered(open, success, now);
                }
                if let Some(mapped) = said.mapped.filter(|_| success) {
                    record.note_mapped(asker, mapped, now.1);
                }
            }
            Note::Turn(ask) => {
                let allocations = self.allocations.get_or_insert_default();
                if let Some(requests) = allocations.requests(method) {
                    requests.answered(open, success, now);
                }
                allocations.push_answer(method, ask, said, success, now);
                return;
            }
        }
        if let Some(code) = said.error {
            record.note_error(method, code, asker, now.1);
        }
    }
}

impl Record {
    /// Whether any connectivity check was seen.
    #[must_use]
    pub fn is_ice(&self) -> bool {
        self.checks.iter().any(|checks| checks.requests.sent > 0)
    }

    /// Whether a connectivity check was answered with success.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.checks.iter().any(|checks| checks.requests.succeeded > 0)
    }

    /// Whether the path may be used: checks of one end succeeded, and those of the other, if it sent any, were not all
    /// refused.
    #[must_use]
    pub fn may_be_used(&self) -> bool {
        let refused = |checks: &Checks| checks.requests.succeeded == 0 && checks.requests.failed > 0;
        self.is_connected() && !self.checks.iter().any(refused)
    }

    /// The direction of the end that only answers: an ICE-lite agent never asks (RFC 8445 section 2.5). A full agent would
    /// have asked back at once, so that a few answers tell.
    #[must_use]
    pub fn lite(&self) -> Option<usize> {
        let silent = |one: &Checks, other: &Checks| {
            let first = other.requests.first_success.zip(other.requests.last_success);
            let long = first.is_some_and(|((first, _), (last, _))| last.since(first) >= LITE_TIME);
            one.requests.sent == 0 && other.requests.succeeded >= LITE_ANSWERS && long
        };
        let [low, high] = &self.checks;
        match (silent(low, high), silent(high, low)) {
            (true, false) => Some(0),
            (false, true) => Some(1),
            _ => None,
        }
    }

    fn give_up(&mut self, allocations: &mut Option<Box<Allocations>>, id: u128, open: &Open<Note>, end: Timestamp) {
        let direction = open.direction & 1;
        let requests = match &open.note {
            Note::Check(_) => self.checks.get_mut(direction).map(|checks| &mut checks.requests),
            Note::Question => self.questions.get_mut(direction),
            Note::Turn(_) => allocations.as_mut().and_then(|allocations| allocations.requests(open.method)),
        };
        if let Some(requests) = requests {
            requests.unanswered(open, end);
        }
        if self.unanswered_ids.len() < STRAYS {
            self.unanswered_ids.push((id, open.first.1));
        }
    }

    fn note_stray(&mut self, message: &Message<'_>, direction: usize, id: PacketId) {
        if let Some(count) = self.strays.get_mut(direction) {
            *count += 1;
        }
        if message.method() == method::BINDING
            && message.class() == Class::Success
            && let Some(count) = self.stray_successes.get_mut(direction)
        {
            *count += 1;
        }
        if self.stray_ids.len() < STRAYS {
            self.stray_ids.push((message.transaction(), id));
        }
    }

    fn note_error(&mut self, method: u16, code: u16, asker: usize, id: PacketId) {
        let key = (method, code, asker);
        if self.errors.len() < ERRORS || self.errors.contains_key(&key) {
            self.errors.entry(key).or_insert((0, id)).0 += 1;
        } else {
            self.omitted += 1;
        }
    }

    fn note_mapped(&mut self, asker: usize, mapped: Endpoint, id: PacketId) {
        let known = self.mapped.iter().any(|(direction, known, _)| (*direction, *known) == (asker, mapped));
        match (known, self.mapped.len() < MAPPED) {
            (true, _) => {}
            (false, true) => self.mapped.push((asker, mapped, id)),
            (false, false) => self.omitted += 1,
        }
    }

    /// What an answer names.
    fn note_named(&mut self, said: &Said<'_>) {
        if let Some(server) = said.alternate {
            self.omitted += u64::from(!keep(&mut self.alternate_servers, server));
        }
        for kind in said.unknown.into_iter().flatten() {
            self.omitted += u64::from(!keep(&mut self.unknown_attributes, kind));
        }
    }

    /// A USERNAME is the receiver's fragment, a colon and the sender's (RFC 8445 section 7.2.2).
    fn note_generation(&mut self, user: &str, direction: usize, now: Moment) {
        let Some((receiver, sender)) = user.split_once(':') else { return };
        let (low, high) = if direction == 0 { (sender, receiver) } else { (receiver, sender) };
        let known = |generation: &Generation| *generation.low == *low && *generation.high == *high;
        // The latest is nearly always the one.
        if self.generations.iter().rev().any(known) {
            return;
        }
        if self.generations.len() >= GENERATIONS {
            self.omitted += 1;
            return;
        }
        self.generations.push(Generation { low: low.into(), high: high.into(), first: now });
    }
}

/// Adds what is not there yet; `false` where there is no room.
fn keep<T: PartialEq>(known: &mut Vec<T>, one: T) -> bool {
    if known.contains(&one) {
        return true;
    }
    let has_room = known.len() < NAMED;
    if has_room {
        known.push(one);
    }
    has_room
}

#[cfg(test)]
mod tests;
