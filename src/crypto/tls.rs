//! The protection of TLS and DTLS records, seen by one that holds the secrets of a key log: keys from secrets, records
//! opened, keys exported for SRTP.
//!
//! | what | TLS (in order, no gap but the capture's) | DTLS (any order) |
//! | --- | --- | --- |
//! | up to 1.2 (RFC 5246, RFC 6347) | [`Stream12`] | [`Datagrams12`] |
//! | 1.3 (RFC 8446, RFC 9147) | [`Stream13`] | [`Datagrams13`] |
//!
//! A record counts as opened when its tag or MAC is right, never before. Ciphers are expanded when an epoch begins; a
//! record is decrypted in a buffer that the caller keeps, and nothing else is allocated for it.

mod cipher;
mod covered;
mod datagrams12;
mod datagrams13;
mod mac;
mod prf;
mod protection12;
mod protection13;
mod schedule13;
mod search;
mod stream12;
mod stream13;
mod suite;
mod unified;

use std::fmt;

pub use datagrams12::Datagrams12;
pub use datagrams13::Datagrams13;
pub use protection12::Negotiated;
pub use stream12::Stream12;
pub use stream13::Stream13;

/// One end of a connection, as the one that sent a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The one that sent the ClientHello.
    Client,
    /// The one that answered it.
    Server,
}

impl Side {
    /// The part of a pair, the client's first, that is this side's.
    const fn of<T>(self, [client, server]: &[T; 2]) -> &T {
        match self {
            Self::Client => client,
            Self::Server => server,
        }
    }

    const fn of_mut<T>(self, [client, server]: &mut [T; 2]) -> &mut T {
        match self {
            Self::Client => client,
            Self::Server => server,
        }
    }
}

/// A record of TLS, as the stream has it.
#[derive(Clone, Copy, Debug)]
pub struct StreamRecord<'a> {
    /// The content type of its header: 20 to 24.
    pub content_type: u8,
    /// The version of its header.
    pub version: u16,
    /// What is behind the header, whole.
    pub content: &'a [u8],
}

/// A record in plaintext.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Opened<'b> {
    /// What it holds: [`crate::wire::dtls::content_type`]. Where the protection hides it, the real one.
    pub content_type: u8,
    /// The epoch that it belongs to: of DTLS the protocol's (RFC 6347 section 4.1, RFC 9147 section 6.1), and of TLS 1.3
    /// the same numbers (1 early data, 2 handshake, 3 and on application data). Of TLS 1.2 always 1.
    pub epoch: u64,
    /// Its sequence number within the epoch.
    pub sequence: u64,
    /// Its content, without padding.
    pub plaintext: &'b [u8],
    /// Bytes of the record's content, as it was given, behind this record. Only of a record with a connection id, whose
    /// end nobody else knows, they may be more than none.
    pub behind: usize,
}

/// Its plaintext may be anything, so only its length is shown.
impl fmt::Debug for Opened<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { content_type, epoch, sequence, plaintext, behind } = self;
        let length = plaintext.len();
        write!(formatter, "record {epoch}/{sequence} of type {content_type}: {length} bytes, {behind} behind it")
    }
}

/// Why a record was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    /// It is in clear: there is nothing to open.
    Clear,
    /// The key log has no secret for its epoch, or the connection renegotiated (RFC 5246 section 7.4.1), whose secret
    /// has another random's name.
    NoSecret,
    /// Its tag or MAC is not what the keys make of it: another key, a damaged record, or a sequence number too far from
    /// the last.
    TagMismatch,
    /// It is shorter than its protection makes any record.
    TooShort,
    /// The capture has only the beginning of it.
    Cut,
    /// It is authentic, and holds zeros only, which no peer may send (RFC 8446 section 5.4).
    NoContentType,
}

/// Why the records of a connection cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// The cipher suite is not one of those known here: RC4, 3DES, Camellia, ARIA, GOST ..., or one of another version.
    Suite(u16),
    /// The version is not known here: SSL 3.0, TLS 1.0, which chains the vectors of CBC, or the draft of
    /// DTLS in OpenSSL before 0.9.8f, whose MAC covers something else.
    Version(u16),
    /// The secret is not as long as the version or the suite makes it: it is of another connection.
    SecretLength(usize),
}

#[cfg(test)]
mod tests {
    /// The bytes of hex digits, white space between them.
    pub fn hex(digits: &str) -> Vec<u8> {
        let digits: String = digits.split_whitespace().collect();
        let pairs = digits.as_bytes().chunks(2);
        pairs.map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    }
}
