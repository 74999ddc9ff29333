//! What the ciphertext of an association tells: its handshake messages, alerts and data, none of which can be read.

use super::{Association, Direction, FLIGHT_GAP, HANDSHAKE_EPOCH, SHORTEST_FINISHED, Seen, alert_length};
use crate::wire::dtls::{self, Header, content_type};

impl Association {
    /// Takes the short answer of a client that sent nothing else for an alert.
    pub(super) fn take_alert(&mut self) {
        let goes_on = self.client_flight.is_some()
            || self.record.finish.is_some()
            || self.record.directions.iter().any(|side| side.first_application_data.is_some());
        let (Some((first, count)), Some(client), false) = (self.short_answer, self.record.client, goes_on) else {
            return;
        };
        let side = self.side(client);
        side.encrypted_alert = Some(first);
        side.encrypted_alerts = count;
    }

    /// Handshake records behind a cipher, alerts, connection ids.
    pub(super) fn unusual_ciphertext(&mut self, record: &dtls::Record<'_>, seen: Seen) {
        let has_data = |side: &Direction| side.first_application_data.is_some();
        let is_over = self.record.finish.is_some() && !self.record.is_finish_unseen;
        let side = self.side(seen.direction);
        let first = side.first_encrypted.is_none();
        side.first_encrypted.get_or_insert(seen.at);
        let (is_handshake, is_unified) = match record.header {
            Header::Plain { content_type: content_type::HANDSHAKE, .. } => (true, false),
            Header::Plain { content_type: content_type::ALERT, .. } => {
                side.encrypted_alerts += 1;
                side.encrypted_alert.get_or_insert(seen.at);
                return;
            }
            // The type is behind the cipher too; the first record is Finished (RFC 9146 section 3).
            Header::Plain { content_type: content_type::TLS12_CID, .. } => {
                side.with_connection_id += 1;
                (first, false)
            }
            Header::Plain { .. } => return,
            Header::Unified { connection_id, epoch, .. } => {
                side.with_connection_id += u64::from(connection_id);
                // Epoch 6 looks the same, but comes long after the handshake. An ACK of epoch 3 may come in its midst.
                (epoch == HANDSHAKE_EPOCH && !(is_over && has_data(side)), true)
            }
        };
        if !is_handshake {
            side.application_data += 1;
            side.last_application_data = Some(seen.at);
            side.application_bytes += record.length as u64;
            if !has_data(side) || self.awaits_data {
                self.application_data(seen);
            }
            return;
        }
        side.encrypted_handshakes += 1;
        if side.encrypted_handshake.is_none() {
            side.encrypted_handshake = Some(seen.at);
            self.extend_flight(seen);
        }
        self.touch(seen);
        if is_unified { self.encrypted_flight(record, seen) } else { self.finished(record, seen) }
    }

    /// A Finished of DTLS 1.2: the later of both ends the handshake.
    fn finished(&mut self, record: &dtls::Record<'_>, seen: Seen) {
        let others = self.record.messages.iter().filter(|message| message.direction != seen.direction);
        let again = self.finished.push(record.length, seen, others.map(|message| message.last.time).max());
        self.side(seen.direction).encrypted_retransmissions += u64::from(again);
        if let Some(last) = self.finished.step() {
            self.record.finish = Some(last);
            self.record.is_finish_unseen = false;
        }
    }

    /// A record of epoch 2. The client's flight that follows the server's ends with its Finished, unless it is only an
    /// ACK. What is repeated on the client's own timer changes nothing: the first may have arrived.
    fn encrypted_flight(&mut self, record: &dtls::Record<'_>, seen: Seen) {
        let flight = self.encrypted_flights.get_mut(usize::from(seen.direction));
        if flight.is_some_and(|flight| flight.again(record.length, seen.at.time)) {
            self.side(seen.direction).encrypted_retransmissions += 1;
        }
        if self.record.client != Some(seen.direction) {
            self.server_spoke = true;
            return;
        }
        let server = self.record.directions.get(usize::from(seen.direction ^ 1));
        let answered = server.is_some_and(|server| server.encrypted_handshake.is_some());
        let cipher_suite = self.record.choice.as_ref().map(|choice| choice.cipher_suite);
        if answered && record.length == alert_length(cipher_suite) {
            let (_, count) = self.short_answer.get_or_insert((seen.at, 0));
            *count += 1;
        }
        if !answered || record.length < SHORTEST_FINISHED {
            return;
        }
        let follows = self.client_flight.is_some_and(|last| seen.at.time.since(last.time) < FLIGHT_GAP);
        if self.client_flight.is_none() || self.server_spoke || follows {
            self.client_flight = Some(seen.at);
            self.server_spoke = false;
            self.awaits_data = self.record.finish.is_none() || self.record.is_finish_unseen;
        } else {
            self.client_repeats += 1;
        }
    }

    /// Application data while the handshake is not over. A server may send some of epoch 3 before the client's Finished
    /// (acknowledgements among it), so that it counts only behind that.
    #[cold]
    pub(super) fn application_data(&mut self, seen: Seen) {
        self.touch(seen);
        let side = self.side(seen.direction);
        side.first_encrypted.get_or_insert(seen.at);
        side.first_application_data.get_or_insert(seen.at);
        self.awaits_data = false;
        // A client's flight that comes behind data was sent again: the first was lost before the tap.
        if self.record.finish.is_some() && !(self.record.is_finish_unseen && self.client_flight.is_some()) {
            return;
        }
        let both = self.record.directions.iter().all(|side| side.first_application_data.is_some());
        // Where the client's flight was not seen, data of both ends proves it.
        self.record.finish = self.client_flight.or(both.then_some(seen.at));
        self.record.is_finish_unseen = self.client_flight.is_none();
    }
}
