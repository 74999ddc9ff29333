//! The end of a DTLS 1.2 handshake: the Finished of both ends, and how often they came again.

use super::association::Seen;
use crate::{flow::sctp::Step, time::Timestamp};

/// The Finished messages of one handshake.
#[derive(Clone, Copy, Debug, Default)]
pub struct Finished {
    /// The length of each end's.
    lengths: [Option<usize>; 2],
    /// The Finished that ended the handshake, and who sent it.
    last: Option<(Step, u8)>,
    /// Nanoseconds that the other end took for its own.
    reaction: i64,
    /// Whether the last did not arrive.
    is_lost: bool,
}

impl Finished {
    /// Takes an encrypted handshake message: whether it is a Finished that came again. `asked` is when the other end was
    /// last heard. An end that repeats its Finished did not get the answer to it, unless it sent both within the time
    /// that an answer takes (RFC 6347 section 4.2.4).
    pub fn push(&mut self, length: usize, seen: Seen, asked: Option<Timestamp>) -> bool {
        let [low, high] = &mut self.lengths;
        let (own, other) = if seen.direction == 0 { (low, *high) } else { (high, *low) };
        let again = *own == Some(length);
        if own.is_none() {
            *own = Some(length);
            match other {
                Some(_) => self.last = Some((seen.at, seen.direction)),
                None => self.reaction = asked.map_or(0, |asked| seen.at.time.since(asked)),
            }
        }
        match &mut self.last {
            Some((last, sender)) if again && *sender == seen.direction => {
                if std::mem::take(&mut self.is_lost) {
                    *last = seen.at;
                }
            }
            Some((last, _)) if again => self.is_lost |= seen.at.time.since(last.time) > self.reaction,
            _ => {}
        }
        again
    }

    /// The Finished that ended the handshake.
    pub fn step(&self) -> Option<Step> {
        self.last.map(|(step, _)| step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{NANOS_PER_MILLI, PacketId};

    /// Feeds (milliseconds, direction) to it: the millisecond of the last Finished, and how many came again.
    fn end_of(reaction: i64, messages: &[(i64, u8)]) -> (Option<i64>, usize) {
        let mut finished = Finished::default();
        let again = messages.iter().filter(|&&(at, direction)| {
            let time = Timestamp(at * NANOS_PER_MILLI);
            let at = Step { time, packet: PacketId::new(0, 1) };
            let asked = Timestamp(time.0 - reaction * NANOS_PER_MILLI);
            finished.push(40, Seen { direction, at }, Some(asked))
        });
        let again = again.count();
        (finished.step().map(|step| step.time.0 / NANOS_PER_MILLI), again)
    }

    #[test]
    fn the_second_finished_is_the_end() {
        assert_eq!(end_of(1, &[(0, 0)]), (None, 0));
        assert_eq!(end_of(1, &[(0, 0), (5, 1)]), (Some(5), 0));
        // The client's was lost before the tap's side of the server.
        assert_eq!(end_of(1, &[(0, 0), (1000, 0), (1005, 1)]), (Some(1005), 1));
    }

    #[test]
    fn a_repeated_flight_moves_the_end_to_the_next_answer() {
        assert_eq!(end_of(1, &[(0, 0), (5, 1), (3000, 0), (3004, 1)]), (Some(3004), 2));
        assert_eq!(end_of(1, &[(0, 0), (5, 1), (3000, 0)]), (Some(5), 1));
        // A tap at the server, 100 ms from the client, whose timer is 50 ms: its repetition crossed the answer.
        assert_eq!(end_of(200, &[(0, 0), (1, 1), (50, 0), (51, 1), (150, 0), (151, 1)]), (Some(1), 4));
    }

    #[test]
    fn another_message_is_no_finished() {
        let mut finished = Finished::default();
        let seen = |direction| Seen { direction, at: Step { time: Timestamp(0), packet: PacketId::new(0, 1) } };
        assert!(!finished.push(40, seen(0), None));
        assert!(!finished.push(40, seen(1), None));
        // A renegotiation, behind the same keys.
        assert!(!finished.push(300, seen(0), None));
        assert!(finished.push(40, seen(0), None));
    }
}
