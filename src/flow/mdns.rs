//! Names that were asked for and answered over multicast DNS: browsers hide host addresses behind `.local` names
//! (draft-ietf-mmusic-mdns-ice-candidates).

use std::net::IpAddr;

use crate::{
    flow::{datagram::Datagram, key::FlowKey, transaction::Moment},
    wire::{
        Endpoint,
        mdns::{Message, TYPE_A, TYPE_AAAA},
    },
};

/// Names of one flow that are listed.
pub const NAMES: usize = 256;

/// Addresses of one name that are listed.
const ADDRESSES: usize = 4;

/// Bytes of a name that are kept (RFC 1035 section 2.3.4).
const NAME: usize = 255;

/// Names on one flow, in the order they were seen.
#[derive(Clone, Debug, Default)]
pub struct Mdns {
    /// The names.
    pub names: Vec<LocalName>,
    /// Entries for names beyond the cap.
    pub refused: u64,
}

/// A `.local` name.
#[derive(Clone, Debug)]
pub struct LocalName {
    /// The name.
    pub name: Box<str>,
    /// Questions for its address.
    pub asked: u64,
    /// Who asked first, and when.
    pub first_asked: Option<(Endpoint, Moment)>,
    /// Records with its address.
    pub answered: u64,
    /// The first of them.
    pub first_answered: Option<Moment>,
    /// The addresses.
    pub addresses: Vec<IpAddr>,
}

impl Mdns {
    /// Takes a datagram; false when it is no multicast DNS.
    pub fn push(&mut self, key: &FlowKey, datagram: &Datagram<'_>) -> bool {
        let Ok(message) = Message::parse(datagram.bytes) else { return false };
        let now = (datagram.time, datagram.id);
        for entry in message.entries() {
            if !matches!(entry.kind, TYPE_A | TYPE_AAAA) || !entry.name.is_local() {
                continue;
            }
            let Some(known) = self.named(&entry.name.to_string()) else { continue };
            if entry.is_question {
                known.asked += 1;
                known.first_asked.get_or_insert((key.source(datagram.direction), now));
            } else if let Some(address) = entry.address.filter(|_| message.is_response) {
                known.answered += 1;
                known.first_answered.get_or_insert(now);
                if known.addresses.len() < ADDRESSES && !known.addresses.contains(&address) {
                    known.addresses.push(address);
                }
            }
        }
        true
    }

    fn named(&mut self, name: &str) -> Option<&mut LocalName> {
        if let Some(place) = self.names.iter().position(|known| known.name.eq_ignore_ascii_case(name)) {
            return self.names.get_mut(place);
        }
        if self.names.len() >= NAMES || name.len() > NAME {
            self.refused += 1;
            return None;
        }
        self.names.push(LocalName {
            name: name.into(),
            asked: 0,
            first_asked: None,
            answered: 0,
            first_answered: None,
            addresses: Vec::new(),
        });
        self.names.last_mut()
    }
}
