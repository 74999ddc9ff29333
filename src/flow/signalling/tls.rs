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

/// How far a ClientHello is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// More bytes are needed.
    More,
    /// It is read: its random.
    Read([u8; 32]),
    /// It is none that can be read.
    Nothing,
}

/// A ClientHello that goes on.
#[derive(Debug, Default)]
pub struct Hello {
    buffer: Vec<u8>,
    /// How many bytes there must be before it can be whole.
    needed: usize,
    direction: Option<usize>,
}

impl Hello {
    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8], origin: Origin, out: &mut Out) -> Progress {
        if *self.direction.get_or_insert(origin.direction) != origin.direction {
            return Progress::Nothing;
        }
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() < self.needed.min(HELLO_BYTES) {
            return Progress::More;
        }
        let Some(handshake) = self.handshake() else { return Progress::Nothing };
        match missing(&handshake) {
            Some(0) => {
                let Some((hello, random)) = read(&handshake) else { return Progress::Nothing };
                out.add(origin, Content::Tls(Box::new(hello)));
                Progress::Read(random)
            }
            Some(missing) => {
                self.needed = self.buffer.len() + missing;
                if self.buffer.len() > HELLO_BYTES { Progress::Nothing } else { Progress::More }
            }
            None => Progress::Nothing,
        }
    }

    /// Bytes that are held.
    pub const fn held_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// The bytes inside of the records; none where one has none (RFC 8446 section 5.1 forbids it).
    fn handshake(&self) -> Option<Vec<u8>> {
        let (mut rest, mut handshake) = (&self.buffer[..], Vec::new());
        while let [HANDSHAKE, 3, _, high, low, behind @ ..] = rest {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            if length == 0 {
                return None;
            }
            handshake.extend_from_slice(behind.get(..length).unwrap_or(behind));
            rest = behind.get(length..).unwrap_or_default();
        }
        Some(handshake)
    }
}

/// How many bytes a ClientHello needs at least; none where it is something else.
fn missing(handshake: &[u8]) -> Option<usize> {
    match handshake {
        [CLIENT_HELLO, high, middle, low, body @ ..] => {
            Some((u32::from_be_bytes([0, *high, *middle, *low]) as usize).saturating_sub(body.len()))
        }
        [] | [CLIENT_HELLO] | [CLIENT_HELLO, _] | [CLIENT_HELLO, _, _] => Some(4 - handshake.len()),
        _ => None,
    }
}

/// What it says, and its random.
fn read(handshake: &[u8]) -> Option<(TlsHello, [u8; 32])> {
    let [CLIENT_HELLO, high, middle, low, body @ ..] = handshake else { return None };
    let length = u32::from_be_bytes([0, *high, *middle, *low]) as usize;
    let hello = ClientHello::parse_tls(body.get(..length)?).ok()?;
    let alpn = hello.application_protocols().take(PROTOCOLS);
    // GREASE (RFC 8701) is no version.
    let versions = hello.supported_versions().filter(|version| (0x0300..=0x0304).contains(version));
    let said = TlsHello {
        server_name: hello.server_name().map(str::to_owned),
        alpn: alpn.map(|name| String::from_utf8_lossy(name).into_owned()).collect(),
        version: versions.max().unwrap_or(hello.version),
    };
    Some((said, *hello.random))
}
