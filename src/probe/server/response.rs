//! Responses, written straight to their bytes: this is what a server does a hundred thousand times a second.

use std::net::{IpAddr, SocketAddr};

use crate::wire::stun::{self, HEADER_LENGTH, Message, kind};

/// A request that cannot be understood (RFC 8489 section 14.8).
pub(super) const BAD_REQUEST: (u16, &str) = (400, "Bad Request");

/// A request with attributes that cannot be understood.
pub(super) const UNKNOWN_ATTRIBUTE: (u16, &str) = (420, "Unknown Attribute");

/// The class bits of a success response and of an error response (RFC 8489 section 5), and the method Binding.
const BINDING_SUCCESS: u16 = 0x0101;
const BINDING_ERROR: u16 = 0x0111;

/// Bytes of an attribute's type and length.
const ATTRIBUTE_HEADER: usize = 4;

/// Bytes of FINGERPRINT.
const FINGERPRINT_LENGTH: usize = 8;

/// Room for every response without PADDING.
const USUAL_LENGTH: usize = 192;

/// A response in the making.
#[derive(Debug)]
pub(super) struct Response {
    bytes: Vec<u8>,
    /// The cookie and the transaction id.
    transaction: u128,
}

impl Response {
    /// An empty success response to `request`.
    pub(super) fn success(request: &Message<'_>) -> Self {
        Self::new(BINDING_SUCCESS, request)
    }

    /// An empty error response to `request`.
    pub(super) fn error(request: &Message<'_>) -> Self {
        Self::new(BINDING_ERROR, request)
    }

    fn new(kind: u16, request: &Message<'_>) -> Self {
        let mut bytes = Vec::with_capacity(USUAL_LENGTH);
        bytes.extend(kind.to_be_bytes());
        bytes.extend([0; 2]);
        bytes.extend(request.transaction().to_be_bytes());
        Self { bytes, transaction: request.transaction() }
    }

    /// Adds an address in clear (RFC 8489 section 14.1).
    pub(super) fn address(&mut self, kind: u16, address: SocketAddr) {
        self.masked_address(kind, address, 0);
    }

    /// Adds XOR-MAPPED-ADDRESS (RFC 8489 section 14.2).
    pub(super) fn xor_mapped_address(&mut self, address: SocketAddr) {
        self.masked_address(kind::XOR_MAPPED_ADDRESS, address, self.transaction);
    }

    fn masked_address(&mut self, kind: u16, address: SocketAddr, mask: u128) {
        let port = (address.port() ^ (mask >> 112) as u16).to_be_bytes();
        match address.ip() {
            IpAddr::V4(ip) => {
                self.header(kind, 8);
                self.bytes.extend([0, 1]);
                self.bytes.extend(port);
                self.bytes.extend((ip.to_bits() ^ (mask >> 96) as u32).to_be_bytes());
            }
            IpAddr::V6(ip) => {
                self.header(kind, 20);
                self.bytes.extend([0, 2]);
                self.bytes.extend(port);
                self.bytes.extend((ip.to_bits() ^ mask).to_be_bytes());
            }
        }
    }

    /// Adds ERROR-CODE (RFC 8489 section 14.8).
    pub(super) fn error_code(&mut self, (code, reason): (u16, &str)) {
        let [class, number] = [code / 100, code % 100].map(|part| part as u8);
        let value = [&[0, 0, class, number][..], reason.as_bytes()].concat();
        self.value(kind::ERROR_CODE, &value);
    }

    /// Adds UNKNOWN-ATTRIBUTES (RFC 8489 section 14.9), in RFC 3489 with one type twice where their number is odd.
    pub(super) fn unknown_attributes(&mut self, kinds: &[u16], classic: bool) {
        let filler = kinds.first().filter(|_| classic && kinds.len() % 2 == 1);
        let value: Vec<u8> = kinds.iter().chain(filler).flat_map(|kind| kind.to_be_bytes()).collect();
        self.value(kind::UNKNOWN_ATTRIBUTES, &value);
    }

    /// Adds an attribute of text.
    pub(super) fn text(&mut self, kind: u16, text: &str) {
        self.value(kind, text.as_bytes());
    }

    /// Adds PADDING (RFC 5780 section 7.6), so that the whole has at most `length` bytes.
    pub(super) fn pad_to(&mut self, length: usize, with_fingerprint: bool) {
        let reserved = ATTRIBUTE_HEADER + if with_fingerprint { FINGERPRINT_LENGTH } else { 0 };
        let Some(room) = length.checked_sub(self.bytes.len() + reserved) else { return };
        self.value(kind::PADDING, &vec![0; room / 4 * 4]);
    }

    /// Adds FINGERPRINT (RFC 8489 section 14.7), which ends the message.
    pub(super) fn fingerprint(&mut self) {
        self.set_length(FINGERPRINT_LENGTH);
        let fingerprint = stun::fingerprint(&self.bytes);
        self.value(kind::FINGERPRINT, &fingerprint.to_be_bytes());
    }

    /// The finished message.
    pub(super) fn into_bytes(mut self) -> Vec<u8> {
        self.set_length(0);
        self.bytes
    }

    fn value(&mut self, kind: u16, value: &[u8]) {
        let Ok(length) = u16::try_from(value.len()) else { return };
        self.header(kind, length);
        self.bytes.extend(value);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    fn header(&mut self, kind: u16, length: u16) {
        self.bytes.extend(kind.to_be_bytes());
        self.bytes.extend(length.to_be_bytes());
    }

    /// Writes the length field: what is there, and what will follow.
    fn set_length(&mut self, to_come: usize) {
        let length = self.bytes.len() - HEADER_LENGTH + to_come;
        if let (Ok(length), Some(field)) = (u16::try_from(length), self.bytes.get_mut(2..4)) {
            field.copy_from_slice(&length.to_be_bytes());
        }
    }
}
