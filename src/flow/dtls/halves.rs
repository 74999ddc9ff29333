//! One handshake on two paths: ICE may nominate another pair while it runs.

use super::record::{Direction, Message, Opening, Record};
use crate::{
    flow::sctp::Step,
    time::{NANOS_PER_MILLI, NANOS_PER_SECOND},
};

/// The other path goes on within this time: retransmissions are up to 60 s apart (RFC 6347 section 4.2.4.1), though no
/// stack of today waits so long.
const LONGEST_SILENCE: i64 = 30 * NANOS_PER_SECOND;

/// Datagrams on two paths overtake each other by so much.
const CROSSING: i64 = 500 * NANOS_PER_MILLI;

impl Record {
    /// The same with its directions exchanged: as the other end's address is the lower one.
    #[must_use]
    pub fn turned(&self) -> Self {
        let mut turned = self.clone();
        turned.client = turned.client.map(|client| client ^ 1);
        turned.directions.reverse();
        turned.messages.iter_mut().for_each(|message| message.direction ^= 1);
        turned.flights.iter_mut().for_each(|flight| flight.direction ^= 1);
        turned.alerts.iter_mut().for_each(|alert| alert.direction ^= 1);
        turned.certificates.iter_mut().for_each(|certificate| certificate.direction ^= 1);
        turned.opening.iter_mut().for_each(Opening::turn);
        turned
    }

    /// Whether `next`, with the same directions on another path of the call, is the rest of this handshake: it has no
    /// ClientHello or this one's again, comes soon, and no message is older than the last here.
    #[must_use]
    pub fn goes_on_in(&self, next: &Self) -> bool {
        let (Some(offer), Some(first), Some(last)) = (&self.offer, next.first, self.last()) else { return false };
        let is_same = next.offer.as_ref().is_none_or(|other| other.random == offer.random);
        let has_handshake = next.is_started() || next.directions.iter().any(|side| side.encrypted_handshake.is_some());
        let wait = first.time.since(last.time);
        let newest = |direction: u8| {
            let own = self.messages.iter().filter(|message| message.direction == direction);
            own.map(|message| message.sequence).max().unwrap_or_default()
        };
        let is_client_known = next.client.is_none() || self.client.is_none() || next.client == self.client;
        // Where both halves have a ClientHello, the first is nothing else; or the tap sees one handshake at two places.
        let is_half = next.offer.is_none() || self.directions_sent() < 2;
        !self.is_finished()
            && is_same
            && has_handshake
            && is_client_known
            && is_half
            && (-CROSSING..LONGEST_SILENCE).contains(&wait)
            && next.messages.iter().all(|message| {
                message.sequence >= newest(message.direction)
                    || self.messages.iter().any(|known| is_same_message(known, message))
            })
    }

    /// Goes on with the rest of the handshake.
    pub fn append(&mut self, next: &Self) {
        let flights = u16::try_from(self.flights.len()).unwrap_or(u16::MAX);
        for message in &next.messages {
            match self.messages.iter_mut().find(|known| is_same_message(known, message)) {
                Some(known) => {
                    known.retransmissions =
                        known.retransmissions.saturating_add(message.retransmissions).saturating_add(1);
                    known.sent_again.push(message.first.time);
                    known.sent_again.extend(&message.sent_again);
                    known.fragments = known.fragments.saturating_add(message.fragments);
                    known.last = message.last;
                    known.complete = known.complete.or(message.complete);
                    if message.missing.is_empty() {
                        known.missing.clear();
                    }
                }
                None => {
                    self.messages.push(Message { flight: message.flight.saturating_add(flights), ..message.clone() });
                }
            }
        }
        self.flights.extend_from_slice(&next.flights);
        match (&mut self.opening, &next.opening) {
            (Some(own), Some(other)) => own.add(other),
            (own, other) => *own = own.take().or_else(|| other.clone()),
        }
        self.offer = self.offer.take().or_else(|| next.offer.clone());
        self.choice = self.choice.take().or_else(|| next.choice.clone());
        self.client = self.client.or(next.client);
        self.both_active |= next.both_active;
        self.cookie_rounds = self.cookie_rounds.saturating_add(next.cookie_rounds);
        self.certificates.extend(next.certificates.iter().cloned());
        self.alerts.extend(next.alerts.iter().copied());
        self.omitted += next.omitted;
        self.messages_refused += next.messages_refused;
        self.cut_handshakes += next.cut_handshakes;
        self.datagrams += next.datagrams;
        self.in_stun += next.in_stun;
        self.is_finish_unseen |= next.is_finish_unseen;
        self.finish = next.finish.or_else(|| self.finish_with(next));
        self.directions.iter_mut().zip(&next.directions).for_each(|(side, more)| side.add(more));
    }

    /// The end of a handshake of which neither path saw both ends' last flight: of DTLS 1.2 the later Finished, of
    /// DTLS 1.3 the client's.
    fn finish_with(&self, next: &Self) -> Option<Step> {
        let last = |direction: usize| {
            let of = |record: &Self| record.directions.get(direction).and_then(|side| side.encrypted_handshake);
            of(next).or_else(|| of(self))
        };
        let (low, high) = (last(0)?, last(1)?);
        if !self.is_1_3() {
            return Some(if low.time > high.time { low } else { high });
        }
        match self.client? {
            0 => Some(low),
            _ => Some(high),
        }
    }

    /// The last of its handshake.
    fn last(&self) -> Option<Step> {
        let clear = self.messages.iter().map(|message| message.first);
        let encrypted = self.directions.iter().filter_map(|side| side.encrypted_handshake);
        clear.chain(encrypted).max_by_key(|step| (step.time, step.packet))
    }

    /// How many ends sent a part of its handshake in clear.
    fn directions_sent(&self) -> usize {
        (0..2).filter(|direction| self.messages.iter().any(|message| message.direction == *direction)).count()
    }
}

impl Direction {
    fn add(&mut self, more: &Self) {
        self.change_cipher_spec = self.change_cipher_spec.or(more.change_cipher_spec);
        self.first_encrypted = self.first_encrypted.or(more.first_encrypted);
        self.encrypted_handshake = self.encrypted_handshake.or(more.encrypted_handshake);
        self.encrypted_handshakes += more.encrypted_handshakes;
        self.encrypted_retransmissions += more.encrypted_retransmissions;
        self.first_application_data = self.first_application_data.or(more.first_application_data);
        self.last_application_data = more.last_application_data.or(self.last_application_data);
        self.application_data += more.application_data;
        self.application_bytes += more.application_bytes;
        self.encrypted_alert = self.encrypted_alert.or(more.encrypted_alert);
        self.encrypted_alerts += more.encrypted_alerts;
        self.acknowledgements += more.acknowledgements;
        self.with_connection_id += more.with_connection_id;
    }
}

fn is_same_message(one: &Message, other: &Message) -> bool {
    (one.direction, one.kind, one.sequence, one.length) == (other.direction, other.kind, other.sequence, other.length)
}
