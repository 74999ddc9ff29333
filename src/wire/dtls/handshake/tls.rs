//! The ClientHello of TLS over TCP, which DTLS took over but for a cookie.

use super::ClientHello;
use crate::wire::Malformed;

impl<'a> ClientHello<'a> {
    /// Reads the body of a whole ClientHello of TLS (RFC 8446 section 4.1.2). Versions are those of TLS.
    ///
    /// # Errors
    /// When a length inside does not fit.
    pub fn parse_tls(body: &'a [u8]) -> Result<Self, Malformed> {
        Self::parse_with(body, false)
    }
}
