//! One association on several paths: after an ICE switch it goes on under another 5-tuple, and a capture at a relay shows
//! it twice.

use super::{Abort, Channel, DirectionRecord, RoundTrips, SctpRecord, StreamUse};

/// What another flow's record is to this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// Another association.
    Other,
    /// The same packets at another place of their way.
    Copy,
    /// The same association, later and on another path.
    Rest,
}

impl SctpRecord {
    /// What `later`, with its directions in this record's order, is to this one: ports and verification tags say whether
    /// it is the same association, TSNs whether it is the same packets.
    #[must_use]
    pub fn relation(&self, later: &Self) -> Relation {
        let mut known = 0;
        for (own, other) in self.directions.iter().zip(&later.directions) {
            let Some(tag) = other.verification_tag else { continue };
            match [own.verification_tag, own.last_verification_tag] {
                [None, _] => {}
                tags if tags.contains(&Some(tag)) => known += 1,
                _ => return Relation::Other,
            }
        }
        if known == 0 || self.ports != later.ports {
            return Relation::Other;
        }
        let overlaps = self.directions.iter().zip(&later.directions).filter_map(|(own, other)| {
            let ([own_first, own_last], [first, last]) = (own.tsns?, other.tsns?);
            let distance = |from: u32, to: u32| i64::from(to.wrapping_sub(from).cast_signed());
            // From the lowest TSN of this record on.
            let (start, end) = (distance(own_first, first), distance(own_first, last));
            let common = end.min(distance(own_first, own_last)) - start.max(0) + 1;
            let shorter = (end - start).min(distance(own_first, own_last)) + 1;
            // A few chunks may be sent again on the new path.
            Some(common * 2 > shorter)
        });
        let has_data = |record: &Self| record.directions.iter().any(|side| side.tsns.is_some());
        let overlaps_in_time = self.last.zip(later.first).is_some_and(|(last, first)| first.time < last.time);
        let is_copy = match overlaps.reduce(|one, other| one || other) {
            Some(is_copy) => is_copy,
            // A path that an end with several addresses keeps alive has no data; a copy has it where the first has.
            None => overlaps_in_time && has_data(self) == has_data(later),
        };
        match (is_copy, later.init) {
            (true, _) => Relation::Copy,
            (false, None) => Relation::Rest,
            // What sets an association up is no rest of one.
            (false, Some(_)) => Relation::Other,
        }
    }

    /// The same, with the directions exchanged.
    #[must_use]
    pub fn turned(&self) -> Self {
        let mut turned = self.clone();
        turned.directions.reverse();
        turned.ports.reverse();
        turned.init = turned.init.map(|(direction, step)| (direction ^ 1, step));
        turned.shutdown = turned.shutdown.map(|(direction, step)| (direction ^ 1, step));
        turned.first_aborts.iter_mut().for_each(|abort| abort.direction ^= 1);
        turned.channels = turned.channels.into_iter().map(Channel::turned).collect();
        turned
    }

    /// Adds what another path shows of the same association.
    pub fn append(&mut self, rest: Self) {
        for (own, other) in self.directions.iter_mut().zip(rest.directions) {
            own.append(other);
        }
        self.first = self.first.or(rest.first);
        self.last = rest.last.or(self.last);
        self.state = rest.state.max(self.state);
        self.reached = rest.reached.max(self.reached);
        self.associations += rest.associations;
        self.restarts += rest.restarts;
        self.init_retransmissions += rest.init_retransmissions;
        self.init = self.init.or(rest.init);
        self.init_ack = self.init_ack.or(rest.init_ack);
        self.cookie_echo = self.cookie_echo.or(rest.cookie_echo);
        self.cookie_ack = self.cookie_ack.or(rest.cookie_ack);
        self.shutdown = self.shutdown.or(rest.shutdown);
        self.aborts += rest.aborts;
        self.channels_refused += rest.channels_refused;
        let room = super::MAX_ABORTS.saturating_sub(self.first_aborts.len());
        let aborts: Vec<Abort> = rest.first_aborts;
        self.first_aborts.extend(aborts.into_iter().take(room));
        for channel in rest.channels {
            match self.channels.iter_mut().rev().find(|known| known.goes_on_in(&channel)) {
                Some(known) => known.append(channel),
                None => self.channels.push(channel),
            }
        }
    }
}

impl DirectionRecord {
    fn append(&mut self, rest: Self) {
        for (kind, count) in rest.chunks {
            match self.chunks.binary_search_by_key(&kind, |&(known, _)| known) {
                Ok(at) => self.chunks.get_mut(at).into_iter().for_each(|(_, known)| *known += count),
                Err(at) => self.chunks.insert(at, (kind, count)),
            }
        }
        for used in rest.streams {
            let same =
                |known: &&mut StreamUse| known.stream == used.stream && known.payload_protocol == used.payload_protocol;
            match self.streams.iter_mut().find(same) {
                Some(known) => known.append(&used),
                None => self.streams.push(used),
            }
        }
        let sums = [
            (&mut self.packets, rest.packets),
            (&mut self.bytes, rest.bytes),
            (&mut self.data_chunks, rest.data_chunks),
            (&mut self.user_bytes, rest.user_bytes),
            (&mut self.retransmitted_chunks, rest.retransmitted_chunks),
            (&mut self.retransmitted_bytes, rest.retransmitted_bytes),
            (&mut self.fast_retransmissions, rest.fast_retransmissions),
            (&mut self.timeout_retransmissions, rest.timeout_retransmissions),
            (&mut self.unplaced_chunks, rest.unplaced_chunks),
            (&mut self.messages, rest.messages),
            (&mut self.unfinished, rest.unfinished),
            (&mut self.abandoned_messages, rest.abandoned_messages),
            (&mut self.streams_refused, rest.streams_refused),
            (&mut self.gap_blocks, rest.gap_blocks),
            (&mut self.sacks_with_gaps, rest.sacks_with_gaps),
            (&mut self.duplicate_tsns, rest.duplicate_tsns),
            (&mut self.zero_windows, rest.zero_windows),
            (&mut self.checksum_faults, rest.checksum_faults),
            (&mut self.zero_checksums, rest.zero_checksums),
            (&mut self.zero_checksums_unagreed, rest.zero_checksums_unagreed),
            (&mut self.forward_tsns, rest.forward_tsns),
            (&mut self.stream_resets, rest.stream_resets),
            (&mut self.error_causes, rest.error_causes),
        ];
        for (own, other) in sums {
            *own += other;
        }
        let lowest = [self.receiver_window_min, rest.receiver_window_min].into_iter().flatten().min();
        self.receiver_window_min = lowest;
        self.receiver_window_max = self.receiver_window_max.max(rest.receiver_window_max);
        self.data_round_trips.append(rest.data_round_trips);
        self.heartbeat_round_trips.append(rest.heartbeat_round_trips);
        self.verification_tag = self.verification_tag.or(rest.verification_tag);
        self.last_verification_tag = rest.last_verification_tag.or(self.last_verification_tag);
        self.initiate_tag = rest.initiate_tag.or(self.initiate_tag);
        self.outbound_streams = rest.outbound_streams.or(self.outbound_streams);
        self.inbound_streams = rest.inbound_streams.or(self.inbound_streams);
        self.zero_checksum_method = rest.zero_checksum_method.or(self.zero_checksum_method);
        self.interleaving = rest.interleaving.or(self.interleaving);
        self.partial_reliability = rest.partial_reliability.or(self.partial_reliability);
        self.first_abandoned = self.first_abandoned.or(rest.first_abandoned);
        self.first_error_cause = self.first_error_cause.or(rest.first_error_cause);
        self.last = rest.last.or(self.last);
        self.tsns = match (self.tsns, rest.tsns) {
            (Some([first, _]), Some([_, last])) => Some([first, last]),
            (own, other) => own.or(other),
        };
    }
}

impl StreamUse {
    fn append(&mut self, rest: &Self) {
        self.chunks += rest.chunks;
        self.messages += rest.messages;
        self.bytes += rest.bytes;
        self.unordered |= rest.unordered;
    }
}

impl RoundTrips {
    fn append(&mut self, rest: Self) {
        if rest.count == 0 {
            return;
        }
        self.min = if self.count == 0 { rest.min } else { self.min.min(rest.min) };
        self.max = self.max.max(rest.max);
        self.total = self.total.saturating_add(rest.total);
        self.count += rest.count;
    }
}

#[cfg(test)]
mod tests;
