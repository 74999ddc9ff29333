//! MESSAGE-INTEGRITY of connectivity checks, computed with the passwords of the descriptions (RFC 8445 section 7.2.2): a
//! wrong password is proven.

use std::collections::HashMap;

use crate::{
    flow::{
        FlowRecord,
        ice::{Record, Signed},
    },
    session::Exchange,
    time::PacketId,
    wire::stun::{Message, Value, codec, kind, method},
};

/// What a check with a wrong password is refused with.
const UNAUTHORIZED: u16 = 401;

/// Packets that are cited.
const CITED: usize = 16;

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Integrity {
    /// Messages that were signed with the password of their receiver (of answers: of their sender).
    pub verified: u64,
    /// Messages that were not, though that password is known.
    pub failed: u64,
    /// Checks that were signed with the password in the description of their receiver, which refused them all the same
    /// (401, RFC 8489 section 9.1.3): the password in the description is not the receiver's own.
    pub refused: u64,
    /// The user fragments of those receivers, and the first refusal of each.
    pub refusals: Vec<(PacketId, String)>,
    /// Messages whose password no description tells.
    pub unknown: u64,
    /// Messages that were not kept, so many were there.
    pub unchecked: u64,
    /// The first failures: packet, and the user fragment whose password it was not made with.
    pub failures: Vec<(PacketId, String)>,
}

impl Integrity {
    /// Computes it for the flows of a call.
    #[must_use]
    pub fn new(flows: &[&FlowRecord], exchanges: &[&Exchange]) -> Self {
        let mut integrity = Self::default();
        for ice in flows.iter().filter_map(|flow| flow.ice.as_deref()) {
            integrity.unchecked += ice.signed.refused;
            integrity.check(ice, exchanges);
        }
        integrity.failures.sort();
        integrity.failures.truncate(CITED);
        integrity.refusals.sort();
        integrity.refusals.truncate(CITED);
        integrity
    }

    fn check(&mut self, ice: &Record, exchanges: &[&Exchange]) {
        // An answer has no USERNAME: that of its request, which names the one who answers, counts.
        let mut asked: HashMap<u128, String> = HashMap::new();
        for message in &ice.signed.messages {
            if message.is_request
                && let Some(receiver) = receiver(message)
            {
                asked.insert(message.transaction, receiver);
            }
        }
        let mut last_verified: [Option<&String>; 2] = [None, None];
        for message in &ice.signed.messages {
            let Some(fragment) = asked.get(&message.transaction) else {
                self.unknown += 1;
                continue;
            };
            let passwords = exchanges.iter().flat_map(|exchange| exchange.passwords(fragment));
            let results: Vec<bool> =
                passwords.filter_map(|password| codec::is_signed_with(&message.bytes, password)).collect();
            if results.contains(&true) {
                self.verified += 1;
                if let Some(last) = last_verified.get_mut(message.direction).filter(|_| message.is_request) {
                    *last = Some(fragment);
                }
            } else if results.is_empty() {
                self.unknown += 1;
            } else {
                self.failed += 1;
                if self.failures.len() < CITED * 4 {
                    self.failures.push((message.at.1, fragment.clone()));
                }
            }
        }
        for (direction, fragment) in last_verified.iter().enumerate() {
            let refused = ice.errors.get(&(method::BINDING, UNAUTHORIZED, direction));
            if let (Some((count, first)), Some(fragment)) = (refused, fragment) {
                self.refused += count;
                self.refusals.push((*first, (*fragment).clone()));
            }
        }
    }
}

/// The user fragment of the one that a check is sent to: what stands before the colon of its USERNAME.
fn receiver(message: &Signed) -> Option<String> {
    let parsed = Message::parse(&message.bytes).ok()?;
    match parsed.attribute(kind::USERNAME)?.value().ok()? {
        Value::Text(text) => text.split_once(':').map(|(receiver, _)| receiver.to_owned()),
        _ => None,
    }
}
