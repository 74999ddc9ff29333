//! The ServerHello of TLS (RFC 5246 section 7.4.1.3, RFC 8446 section 4.1.3) in the first records of a server.

use crate::{
    crypto::tls::Negotiated,
    wire::dtls::handshake::{ServerHello, handshake_type},
};

/// Bytes of handshake messages up to the end of a ServerHello.
const FLIGHT_BYTES: usize = 64 << 10;

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
            encrypt_then_mac: hello.encrypt_then_mac(),
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The ServerHello of RFC 8448 section 3: TLS 1.3, TLS_AES_128_GCM_SHA256.
    const SERVER_HELLO: &str = "020000560303a6af06a4121860dc5e6e60249cd34c95930c8ac5cb1434dac155772ed3e26928001301000\
        02e00330024001d0020c9828876112095fe66762bdbf7c672e156d6cc253b833df1dd69b1b04e751f0f002b00020304";
    const RETRY_RANDOM: &str = "cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c";

    fn hex(digits: &str) -> Vec<u8> {
        let pairs = digits.as_bytes().chunks(2);
        pairs.map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    }

    fn choice(parts: &[&[u8]]) -> Result<Option<(u16, u16)>, NoServerHello> {
        let mut flight = Flight::default();
        for part in parts {
            let found = flight.push(part)?;
            assert!(flight.held_bytes() <= 2 * FLIGHT_BYTES);
            if let Some(chosen) = found {
                return Ok(Some((chosen.version, chosen.cipher_suite)));
            }
        }
        Ok(None)
    }

    #[test]
    fn a_server_hello_in_any_records() {
        let hello = hex(SERVER_HELLO);
        let chosen = Ok(Some((0x0304, 0x1301)));
        assert_eq!(choice(&[&hello]), chosen);
        assert_eq!(choice(&hello.chunks(1).collect::<Vec<_>>()), chosen);
        assert_eq!(choice(&[&hello[..89]]), Ok(None));
        // Behind a HelloRequest (RFC 5246 section 7.4.1.1), and behind a HelloRetryRequest.
        let retry = hex(&format!("{}{RETRY_RANDOM}{}", &SERVER_HELLO[..12], &SERVER_HELLO[76..]));
        assert_eq!(choice(&[&[0; 4], &retry, &hello]), chosen);
        assert_eq!(choice(&[&retry]), Ok(None));
    }

    #[test]
    fn what_has_no_server_hello() {
        let hello = hex(SERVER_HELLO);
        assert_eq!(choice(&[&[&[2, 0, 0, 20][..], &hello[4..24]].concat()]), Err(NoServerHello));
        let endless = [&[11, 0xff, 0xff, 0xff][..], &[0; 0x3ffc]].concat();
        assert_eq!(choice(&[&endless, &[0; 0x4000], &[0; 0x4000], &[0; 0x4001]]), Err(NoServerHello));
    }
}
