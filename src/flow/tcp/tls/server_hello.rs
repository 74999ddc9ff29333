//! The ServerHello of TLS (RFC 5246 section 7.4.1.3, RFC 8446 section 4.1.3) in the first records of a server.

use crate::{
    crypto::tls::Negotiated,
    wire::dtls::handshake::{ServerHello, handshake_type},
};

/// Bytes of handshake messages up to the end of a ServerHello.
const FLIGHT_BYTES: usize = 64 << 10;

/// `encrypt_then_mac` (RFC 7366).
const ENCRYPT_THEN_MAC: u16 = 22;

/// Bytes of the header of a handshake message.
const HEADER: usize = 4;

/// The handshake messages of a server, until its ServerHello is among them.
#[derive(Debug, Default)]
pub struct Flight {
    buffer: Vec<u8>,
}

/// What a server chose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// The version: 0x0303 is TLS 1.2, 0x0304 TLS 1.3.
    pub version: u16,
    /// The cipher suite.
    pub cipher_suite: u16,
    random: [u8; 32],
    encrypt_then_mac: bool,
}

/// It has no ServerHello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoServerHello;

impl Flight {
    /// Takes the content of the next handshake record.
    pub fn push(&mut self, content: &[u8]) -> Result<Option<Chosen>, NoServerHello> {
        self.buffer.extend_from_slice(content);
        if self.buffer.len() > FLIGHT_BYTES {
            return Err(NoServerHello);
        }
        while let [message_type, high, middle, low, behind @ ..] = self.buffer.as_slice() {
            let length = u32::from_be_bytes([0, *high, *middle, *low]) as usize;
            let Some(body) = behind.get(..length) else { break };
            if *message_type == handshake_type::SERVER_HELLO {
                let hello = ServerHello::parse(body).map_err(|_| NoServerHello)?;
                // Behind a HelloRetryRequest another one comes.
                if !hello.is_retry_request() {
                    return Ok(Some(Chosen::of(&hello)));
                }
            }
            self.buffer.drain(..HEADER + length);
        }
        Ok(None)
    }

    /// Bytes that are held.
    pub const fn held_bytes(&self) -> usize {
        self.buffer.capacity()
    }
}

impl Chosen {
    fn of(hello: &ServerHello<'_>) -> Self {
        Self {
            version: hello.selected_version(),
            cipher_suite: hello.cipher_suite,
            random: *hello.random,
            encrypt_then_mac: hello.extensions().any(|extension| extension.kind == ENCRYPT_THEN_MAC),
        }
    }

    /// What both hellos agreed on, of a version before 1.3.
    pub const fn negotiated<'a>(&'a self, client_random: &'a [u8; 32]) -> Negotiated<'a> {
        Negotiated {
            version: self.version,
            cipher_suite: self.cipher_suite,
            client_random,
            server_random: &self.random,
            encrypt_then_mac: self.encrypt_then_mac,
        }
    }
}
