//! The attributes of a message that matter, gathered in one walk.

use crate::wire::{
    Endpoint, Entries, Kind, Malformed,
    stun::{HEADER_LENGTH, Message, Value, kind, method},
};

use super::Role;

/// What a message says. Texts are cut nowhere: who keeps one cuts it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Said<'a> {
    /// USERNAME, if it is text.
    pub user: Option<&'a str>,
    /// Whether a USERNAME or USERHASH is there at all.
    pub has_user: bool,
    /// PRIORITY.
    pub priority: Option<u32>,
    /// ICE-CONTROLLING or ICE-CONTROLLED, with the tie-breaker.
    pub role: Option<(Role, u64)>,
    /// USE-CANDIDATE, or a nomination of libwebrtc.
    pub nominates: bool,
    /// The counter of libwebrtc's NOMINATION.
    pub nomination: Option<u32>,
    /// GOOG-NETWORK-INFO: network and cost.
    pub network: Option<(u16, u16)>,
    /// XOR-MAPPED-ADDRESS, or MAPPED-ADDRESS without it.
    pub mapped: Option<Endpoint>,
    /// XOR-RELAYED-ADDRESS.
    pub relayed: Option<Endpoint>,
    /// ERROR-CODE.
    pub error: Option<u16>,
    /// ALTERNATE-SERVER.
    pub alternate: Option<Endpoint>,
    /// UNKNOWN-ATTRIBUTES.
    pub unknown: Option<Entries<'a, u16>>,
    /// Whether the capture cut the message.
    pub is_cut: bool,
    /// SOFTWARE.
    pub software: Option<&'a str>,
    /// REALM.
    pub realm: Option<&'a str>,
    /// NONCE.
    pub nonce: Option<&'a [u8]>,
    /// LIFETIME in seconds.
    pub lifetime: Option<u32>,
    /// The first value that has not the form that its attribute asks for.
    pub fault: Option<Malformed>,
    /// Whether the capture cut attributes that may be those of a check.
    hides_check: bool,
}

/// Bytes of attributes that a question to a STUN server does not have: none, or a SOFTWARE and a FINGERPRINT. A check has
/// at least USERNAME, PRIORITY, a role, MESSAGE-INTEGRITY and FINGERPRINT (RFC 8445 section 7.2.2): 64.
const MANY_ATTRIBUTES: usize = 40;

impl<'a> Said<'a> {
    /// What `message` says. Of an attribute that stands twice the first counts (RFC 8489 section 14).
    pub fn of(message: &Message<'a>) -> Self {
        let hides_check = message.is_cut() && message.length() >= HEADER_LENGTH + MANY_ATTRIBUTES;
        let is_cut = message.bytes().len() < message.length();
        let mut said = Self { hides_check, is_cut, ..Self::default() };
        let mut plain = None;
        let mut ms_mapped = None;
        for attribute in message.attributes() {
            said.has_user |= matches!(attribute.kind, kind::USERNAME | kind::USERHASH);
            if attribute.kind == kind::NONCE {
                said.nonce = said.nonce.or(Some(attribute.value));
                continue;
            }
            let value = match attribute.value() {
                Ok(value) => value,
                Err(fault) => {
                    said.fault = said.fault.or(Some(fault).filter(|fault| fault.kind != Kind::Snapped));
                    continue;
                }
            };
            match (attribute.kind, value) {
                (kind::USERNAME, Value::Text(text)) => said.user = said.user.or(Some(text)),
                (kind::SOFTWARE, Value::Text(text)) => said.software = said.software.or(Some(text)),
                (kind::REALM, Value::Text(text)) => said.realm = said.realm.or(Some(text)),
                (kind::PRIORITY, Value::Number(number)) => said.priority = said.priority.or(Some(number)),
                (kind::LIFETIME, Value::Number(number)) => said.lifetime = said.lifetime.or(Some(number)),
                (kind::NOMINATION, Value::Number(number)) => {
                    said.nomination = said.nomination.or(Some(number));
                    said.nominates = true;
                }
                (kind::USE_CANDIDATE, _) => said.nominates = true,
                (kind::ICE_CONTROLLING, Value::TieBreaker(number)) => {
                    said.role = said.role.or(Some((Role::Controlling, number)));
                }
                (kind::ICE_CONTROLLED, Value::TieBreaker(number)) => {
                    said.role = said.role.or(Some((Role::Controlled, number)));
                }
                (kind::GOOG_NETWORK_INFO, Value::Network { id, cost }) => {
                    said.network = said.network.or(Some((id, cost)));
                }
                (kind::XOR_MAPPED_ADDRESS, Value::Address(address)) => said.mapped = said.mapped.or(Some(address)),
                (kind::MAPPED_ADDRESS, Value::Address(address)) => plain = plain.or(Some(address)),
                (kind::MS_XOR_MAPPED_ADDRESS, Value::Address(address)) => ms_mapped = ms_mapped.or(Some(address)),
                (kind::XOR_RELAYED_ADDRESS, Value::Address(address)) => {
                    said.relayed = said.relayed.or(Some(address));
                }
                (kind::ALTERNATE_SERVER, Value::Address(address)) => {
                    said.alternate = said.alternate.or(Some(address));
                }
                (kind::UNKNOWN_ATTRIBUTES, Value::Unknown(kinds)) => said.unknown = said.unknown.or(Some(kinds)),
                (kind::ERROR_CODE, Value::Error { code, .. }) => said.error = said.error.or(Some(code)),
                _ => {}
            }
        }
        // MS-TURN lends the one and sees the other.
        if message.method() == method::ALLOCATE && message.is_ms_turn() {
            said.relayed = said.relayed.or(plain);
            plain = None;
        }
        said.mapped = said.mapped.or(ms_mapped).or(plain);
        said
    }

    /// Whether a Binding request is a connectivity check: a question to a STUN server has none of these, or long-term
    /// credentials, which ICE never uses (RFC 8445 section 7.2.2).
    pub const fn is_check(&self) -> bool {
        let has_any = self.priority.is_some() || self.role.is_some() || self.nominates;
        has_any || (self.has_user || self.hides_check) && self.realm.is_none()
    }
}
