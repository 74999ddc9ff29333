//! What opens the records of a connection, whatever its version.

use std::fmt;

use super::{Reason, server_hello::Chosen};
use crate::crypto::{
    keylog::Secrets,
    tls::{Failure, Opened, Side, Stream12, Stream13, StreamRecord},
};

/// TLS 1.3.
const TLS_1_3: u16 = 0x0304;

/// Bytes that the keys of a connection take, expanded, with those that are ready for the next epochs.
const BYTES: usize = 8 << 10;

/// Opens the records of a connection.
pub enum Opener {
    /// TLS 1.2 and before.
    Old(Box<Stream12>),
    /// TLS 1.3.
    New(Box<Stream13>),
}

impl Opener {
    /// Makes the keys of a connection.
    pub fn new(chosen: &Chosen, client_random: &[u8; 32], secrets: &Secrets) -> Result<Self, Reason> {
        if chosen.version == TLS_1_3 {
            let has_any = [Side::Client, Side::Server].into_iter().any(|side| secrets.traffic(side).is_some());
            if !has_any {
                return Err(Reason::NoSecret);
            }
            return Ok(Self::New(Box::new(Stream13::new(chosen.cipher_suite, secrets)?)));
        }
        let master = secrets.master().ok_or(Reason::NoSecret)?;
        Ok(Self::Old(Box::new(Stream12::new(&chosen.negotiated(client_random), master)?)))
    }

    /// Opens the next record that `side` sent.
    pub fn open<'b>(
        &mut self,
        side: Side,
        record: &StreamRecord<'_>,
        plaintext: &'b mut Vec<u8>,
    ) -> Result<Opened<'b>, Failure> {
        match self {
            Self::Old(opener) => opener.open(side, record, plaintext),
            Self::New(opener) => opener.open(side, record, plaintext),
        }
    }

    /// Tells that a record of `side` was not captured.
    pub fn skip(&mut self, side: Side) {
        match self {
            Self::Old(opener) => opener.skip(side, 1),
            Self::New(opener) => opener.skip(side, 1),
        }
    }

    /// Bytes that are held.
    pub const fn held_bytes(&self) -> usize {
        match self {
            Self::Old(_) | Self::New(_) => BYTES,
        }
    }
}

/// Keys are shown nowhere.
impl fmt::Debug for Opener {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Old(_) => "keys of TLS 1.2",
            Self::New(_) => "keys of TLS 1.3",
        })
    }
}
