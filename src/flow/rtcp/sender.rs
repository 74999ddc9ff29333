//! What a sender says of itself, and the round trips that answers to its reports show.

use crate::time::{NANOS_PER_SECOND, Timestamp};

/// Sender reports of one SSRC that a report's LSR is looked up in.
const SENDER_REPORTS: usize = 16;

/// What one sender says of itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sender {
    /// Sender reports.
    pub reports: u64,
    /// Packets sent, as its last report says.
    pub packets: u32,
    /// Payload bytes sent, as its last report says.
    pub octets: u32,
    /// The middle 32 bits of the NTP time of its last reports, and when they passed the tap.
    sent: [(u32, Timestamp); SENDER_REPORTS],
    sent_count: usize,
}

impl Sender {
    pub(super) fn sent(&mut self, time: Timestamp, ntp: u64) {
        if let Some(slot) = self.sent.get_mut(self.sent_count % SENDER_REPORTS) {
            *slot = ((ntp >> 16) as u32, time);
        }
        self.sent_count += 1;
    }

    /// From the report that `last` names passing the tap to the answer passing it, less the time it lay at the receiver.
    pub(super) fn round_trip(&self, now: Timestamp, last: u32, delay: u32) -> Option<i64> {
        let known = self.sent.iter().take(self.sent_count);
        let (_, passed) = known.filter(|(ntp, _)| last != 0 && *ntp == last).max_by_key(|(_, time)| *time)?;
        Some(now.since(*passed).saturating_sub(i64::from(delay) * NANOS_PER_SECOND / 65_536))
    }
}
