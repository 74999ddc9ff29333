//! The sequence number of a record that follows a gap of the capture: it is not sent (RFC 5246 section 6.1, RFC 8446
//! section 5.3), so it is found by trying.

use super::Failure;

/// How many records a gap may have.
pub const LONGEST_GAP: u64 = 256;

/// Attempts without a record opened. What fails more often has another key, and must not cost more.
const ATTEMPTS: u32 = 4096;

/// What may still be spent on gaps.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    attempts: u32,
}

impl Default for Search {
    fn default() -> Self {
        Self { attempts: ATTEMPTS }
    }
}

impl Search {
    /// Tries the next number, the one that something else tells, and those behind the next: the one that `open` took,
    /// and what it made of it.
    pub fn find<T>(
        &mut self,
        next: u64,
        told: Option<u64>,
        mut open: impl FnMut(u64) -> Result<T, Failure>,
    ) -> Result<(u64, T), Failure> {
        let told = told.filter(|told| *told > next);
        let behind = next.saturating_add(1)..=next.saturating_add(LONGEST_GAP);
        for (attempt, number) in std::iter::once(next).chain(told).chain(behind).enumerate() {
            if attempt > usize::from(told.is_some()) {
                let Some(left) = self.attempts.checked_sub(1) else { break };
                self.attempts = left;
            }
            match open(number) {
                Err(Failure::TagMismatch) => {}
                other => {
                    if other.is_ok() {
                        *self = Self::default();
                    }
                    return other.map(|opened| (number, opened));
                }
            }
        }
        Err(Failure::TagMismatch)
    }
}
