//! Connectivity checks and their answers as they were captured, so that their MESSAGE-INTEGRITY (RFC 8489 section 14.5)
//! can be computed when a description tells the password, be it before or after them.

use crate::{
    flow::{budget::Budget, transaction::Moment},
    wire::stun::{Class, Message, kind},
};

/// Messages of one flow that are kept.
pub const SIGNED: usize = 4096;

/// Bytes of them.
const SIGNED_BYTES: usize = 256 * 1024;

/// Bytes of the budget that are left for the state of flows.
const RESERVE: usize = 6 << 20;

/// A longer message is none of ICE: DTLS inside STUN makes the longest.
const LONGEST: usize = 2048;

/// A message with MESSAGE-INTEGRITY.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The packet.
    pub at: Moment,
    /// The direction in its flow.
    pub direction: usize,
    /// Whether it asks.
    pub is_request: bool,
    /// Its transaction.
    pub transaction: u128,
    /// The message.
    pub bytes: Box<[u8]>,
}

/// The messages of one flow.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// They, in capture order.
    pub messages: Vec<Signed>,
    /// Messages that there was no room for.
    pub refused: u64,
    bytes: usize,
}

impl Kept {
    /// Keeps a message of a check, where it is whole and signed.
    pub fn push(&mut self, message: &Message<'_>, direction: usize, at: Moment, budget: &Budget) {
        let is_request = message.class() == Class::Request;
        let is_signed = message.attribute(kind::MESSAGE_INTEGRITY).is_some();
        if !is_signed || message.is_cut() || message.class() == Class::Indication {
            return;
        }
        let Some(bytes) = message.bytes().get(..message.length()) else { return };
        let fits = bytes.len() <= LONGEST
            && self.messages.len() < SIGNED
            && self.bytes + bytes.len() <= SIGNED_BYTES
            && budget.take_above(RESERVE, bytes.len() + size_of::<Signed>());
        if !fits {
            self.refused += 1;
            return;
        }
        self.bytes += bytes.len();
        let transaction = message.transaction();
        self.messages.push(Signed { at, direction, is_request, transaction, bytes: bytes.into() });
    }
}
