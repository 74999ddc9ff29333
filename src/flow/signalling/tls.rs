//! The ClientHello of a TLS connection (RFC 8446 section 4.1.2), which is in clear.

use super::{
    Content, TlsHello,
    out::{Origin, Out},
};
use crate::wire::dtls::handshake::ClientHello;

/// Bytes of a ClientHello, its records included.
const HELLO_BYTES: usize = 64 << 10;

/// Application protocols that are kept.
const PROTOCOLS: usize = 16;

const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;

/// A ClientHello that goes on.
#[derive(Debug, Default)]
pub struct Hello {
    buffer: Vec<u8>,
    direction: Option<usize>,
}

impl Hello {
    /// Takes the next bytes; tells whether no more are needed.
    pub fn push(&mut self, bytes: &[u8], origin: Origin, out: &mut Out) -> bool {
        if *self.direction.get_or_insert(origin.direction) != origin.direction {
            return true;
        }
        self.buffer.extend_from_slice(bytes);
        match self.read() {
            Some(hello) => {
                out.add(origin, Content::Tls(Box::new(hello)));
                true
            }
            None => self.buffer.len() > HELLO_BYTES || !self.may_go_on(),
        }
    }

    /// Bytes that are held.
    pub const fn held_bytes(&self) -> usize {
        self.buffer.len()
    }

    fn read(&self) -> Option<TlsHello> {
        let handshake = self.handshake();
        let [CLIENT_HELLO, high, middle, low, body @ ..] = &handshake[..] else { return None };
        let length = u32::from_be_bytes([0, *high, *middle, *low]) as usize;
        let hello = ClientHello::parse_tls(body.get(..length)?).ok()?;
        let alpn = hello.application_protocols().take(PROTOCOLS);
        // GREASE (RFC 8701) is no version.
        let versions = hello.supported_versions().filter(|version| (0x0300..=0x0304).contains(version));
        Some(TlsHello {
            server_name: hello.server_name().map(str::to_owned),
            alpn: alpn.map(|name| String::from_utf8_lossy(name).into_owned()).collect(),
            version: versions.max().unwrap_or(hello.version),
        })
    }

    /// The bytes inside of the records.
    fn handshake(&self) -> Vec<u8> {
        let (mut rest, mut handshake) = (&self.buffer[..], Vec::new());
        while let [HANDSHAKE, 3, _, high, low, behind @ ..] = rest {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            handshake.extend_from_slice(behind.get(..length).unwrap_or(behind));
            rest = behind.get(length..).unwrap_or_default();
        }
        handshake
    }

    /// Whether the records so far may be the start of a ClientHello.
    fn may_go_on(&self) -> bool {
        let handshake = self.handshake();
        match &handshake[..] {
            [CLIENT_HELLO, high, middle, low, body @ ..] => {
                (body.len() as u64) < u64::from(u32::from_be_bytes([0, *high, *middle, *low]))
            }
            [] | [CLIENT_HELLO] | [CLIENT_HELLO, _] | [CLIENT_HELLO, _, _] => true,
            _ => false,
        }
    }
}
