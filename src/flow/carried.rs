//! What a path was there for: media and data, and when it carried them.

use super::{FlowRecord, Protocol};
use crate::time::Timestamp;

/// Records of application data that are no longer only attempts of SCTP to start.
const DATA_RECORDS: u64 = 4;

/// So many datagrams of a protocol that nobody here knows are what the path is there for.
const MANY_UNKNOWN: u64 = 16;

impl FlowRecord {
    /// Whether DTLS carried data, which is data channels: more records than the first words of SCTP, both ways.
    #[must_use]
    pub fn carries_data(&self) -> bool {
        self.dtls.iter().any(|dtls| dtls.directions.iter().all(|side| side.application_data >= DATA_RECORDS))
    }

    /// When it first and last carried media or data channels, not only what sets a path up.
    #[must_use]
    pub fn carried(&self) -> Option<(Timestamp, Timestamp)> {
        let streams = self.streams.iter().map(|stream| (stream.first.0, stream.last.0));
        let sides = self.dtls.iter().flat_map(|dtls| dtls.directions);
        let data = sides.filter_map(|side| Some((side.first_application_data?.time, side.last_application_data?.time)));
        let whole = (self.count(Protocol::Unknown) >= MANY_UNKNOWN).then_some((self.first.0, self.last.0));
        streams.chain(data).chain(whole).reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)))
    }
}
