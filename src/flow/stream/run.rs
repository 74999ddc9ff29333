//! Packets in a row that are alike, counted in one place; and the counts that they join when another comes.

use super::Arrival;
use crate::time::PacketId;

/// Payload types that are counted one by one.
const PAYLOAD_TYPES: usize = 16;

/// Packets of one payload type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PayloadTypeCount {
    /// The payload type.
    pub payload_type: u8,
    /// Its packets.
    pub packets: u64,
    /// The first of them.
    pub first: PacketId,
}

/// Packets in a row with the same payload type and the same header extensions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) packets: u64,
    /// As [`Arrival::extensions`].
    pub(super) extensions: u16,
    pub(super) payload_type: u8,
}

impl Run {
    /// A run of packets like this one, which is not counted yet.
    pub(super) const fn of(arrival: &Arrival) -> Self {
        Self { packets: 0, extensions: arrival.extensions, payload_type: arrival.payload_type }
    }

    /// `first` is the first packet of this payload type since another.
    pub(super) fn add_payload_type(&self, first: PacketId, counts: &mut Vec<PayloadTypeCount>) {
        if self.packets > 0 {
            add_count(counts, PayloadTypeCount { payload_type: self.payload_type, packets: self.packets, first });
        }
    }

    pub(super) fn add_extensions(&self, counts: &mut [u32; 16]) {
        let mut ids = self.extensions;
        while ids != 0 {
            if let Some(count) = counts.get_mut(ids.trailing_zeros() as usize) {
                *count = count.saturating_add(u32::try_from(self.packets).unwrap_or(u32::MAX));
            }
            ids &= ids - 1;
        }
    }
}

/// Adds to the count of a payload type.
pub(super) fn add_count(counts: &mut Vec<PayloadTypeCount>, added: PayloadTypeCount) {
    if let Some(count) = counts.iter_mut().find(|count| count.payload_type == added.payload_type) {
        count.packets += added.packets;
        count.first = count.first.min(added.first);
    } else if counts.len() < PAYLOAD_TYPES {
        counts.push(added);
    }
}
