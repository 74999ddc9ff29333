//! The one encrypted flight that each end sends in a DTLS 1.3 handshake, and how often it came again. Its messages cannot
//! be read; a retransmission has new record numbers and the lengths of the first (RFC 9147 section 5.8).

use super::association::{FLIGHT_GAP, SHORTEST_FINISHED};
use crate::time::Timestamp;

/// Lengths remembered of a flight. One with a certificate chain in small fragments has a dozen.
const LENGTHS: usize = 12;

/// The one cipher suite of DTLS 1.3 with a tag of 8 bytes (RFC 8446 appendix B.4).
const TLS_AES_128_CCM_8_SHA256: u16 = 0x1305;

/// Bytes of an encrypted alert: level, description, content type and tag (RFC 8446 section 5.2). An ACK that names no
/// record is as long.
pub const fn alert_length(cipher_suite: Option<u16>) -> usize {
    if matches!(cipher_suite, Some(TLS_AES_128_CCM_8_SHA256)) { 3 + 8 } else { 3 + 16 }
}

/// What was seen of one end's flight.
#[derive(Clone, Copy, Debug, Default)]
pub struct EncryptedFlight {
    last: Option<Timestamp>,
    lengths: [usize; LENGTHS],
    records: usize,
}

impl EncryptedFlight {
    /// Takes a record of epoch 2: whether the flight starts again with it. What is too short for the flight is an ACK,
    /// and what comes late but was not there before is the rest of a flight on a slow path.
    pub fn again(&mut self, length: usize, now: Timestamp) -> bool {
        if length < SHORTEST_FINISHED {
            return false;
        }
        let pause = self.last.replace(now).is_some_and(|last| now.since(last) >= FLIGHT_GAP);
        let seen = self.lengths.iter().take(self.records).any(|known| *known == length);
        if !seen && let Some(slot) = self.lengths.get_mut(self.records) {
            *slot = length;
            self.records += 1;
        }
        pause && seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::NANOS_PER_MILLI;

    fn retransmissions(records: &[(i64, usize)]) -> usize {
        let mut flight = EncryptedFlight::default();
        records.iter().filter(|(at, length)| flight.again(*length, Timestamp(at * NANOS_PER_MILLI))).count()
    }

    #[test]
    fn a_flight_comes_again_after_a_pause() {
        // EncryptedExtensions and what follows, twice again, with acknowledgements between.
        let flight = |at| [(at, 60), (at, 900), (at + 1, 300), (at + 1, 75)];
        let all = [flight(0), flight(100), flight(300)].concat();
        assert_eq!(retransmissions(&all), 2);
        assert_eq!(retransmissions(&[(0, 60), (0, 900), (50, 40), (100, 40)]), 0);
    }

    #[test]
    fn a_slow_path_sends_nothing_again() {
        assert_eq!(retransmissions(&[(0, 60), (90, 900), (180, 300), (210, 75)]), 0);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let many: Vec<(i64, usize)> =
            (0..1000_u16).map(|number| (i64::from(number), 100 + usize::from(number))).collect();
        assert_eq!(retransmissions(&many), 0);
    }
}
