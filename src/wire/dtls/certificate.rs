//! The bodies of Certificate and ServerKeyExchange as DTLS 1.2 and before send them, in clear, and what DTLS 1.3 encrypts.

use super::handshake::{Handshake, extension_type, handshake_type};
use crate::wire::{Layer, Reader};

/// `named_curve`, the only ECCurveType in use (RFC 8422 section 5.4).
const NAMED_CURVE: u8 = 3;

/// The certificates of a Certificate message's body (RFC 5246 section 7.4.2), the sender's own first, each in DER. What
/// follows a length that does not fit is left out.
pub fn certificates(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut outer = Reader::new(Layer::Dtls, body);
    let length = outer.u24().map_or(0, |length| length as usize);
    let mut reader = Reader::new(Layer::Dtls, outer.take(length).unwrap_or_default());
    std::iter::from_fn(move || {
        let length = reader.u24().ok()?;
        reader.take(length as usize).ok()
    })
}

/// The certificates of a Certificate message of DTLS 1.3 (RFC 8446 section 4.4.2), the sender's own first, each in DER.
/// What follows a length that does not fit is left out.
pub fn certificates_of_1_3(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut outer = Reader::new(Layer::Dtls, body);
    let context = outer.u8().map_or(0, usize::from);
    let length = outer.skip(context).and_then(|()| outer.u24()).map_or(0, |length| length as usize);
    let mut reader = Reader::new(Layer::Dtls, outer.take(length).unwrap_or_default());
    std::iter::from_fn(move || {
        let length = reader.u24().ok()?;
        let der = reader.take(length as usize).ok()?;
        let extensions = reader.u16().ok()?;
        reader.skip(usize::from(extensions)).ok()?;
        Some(der)
    })
}

/// The SRTP profile that the body of EncryptedExtensions chooses (RFC 8446 section 4.3.1, RFC 5764 section 4.1.1).
#[must_use]
pub fn encrypted_srtp_profile(body: &[u8]) -> Option<u16> {
    let mut outer = Reader::new(Layer::Dtls, body);
    let length = outer.u16().ok()?;
    let mut reader = Reader::new(Layer::Dtls, outer.take(length.into()).ok()?);
    loop {
        let (kind, length) = (reader.u16().ok()?, reader.u16().ok()?);
        let mut data = Reader::new(Layer::Dtls, reader.take(length.into()).ok()?);
        if kind == extension_type::USE_SRTP {
            // One profile in a list of one.
            return data.u16().ok().filter(|length| *length == 2).and_then(|_| data.u16().ok());
        }
    }
}

/// The group of a ServerKeyExchange's body, and the signature scheme where DTLS 1.2 names one (RFC 8422 section 5.4).
/// `None` for what is not elliptic: the form of the body depends on the cipher suite, so only call it for ECDHE.
#[must_use]
pub fn key_exchange_group(body: &[u8]) -> Option<(u16, Option<u16>)> {
    let mut reader = Reader::new(Layer::Dtls, body);
    if reader.u8().ok()? != NAMED_CURVE {
        return None;
    }
    let group = reader.u16().ok()?;
    let point = usize::from(reader.u8().ok()?);
    let scheme = reader.skip(point).ok().and_then(|()| reader.u16().ok());
    Some((group, scheme))
}

impl<'a> Handshake<'a> {
    /// The certificates, where this is a whole Certificate message.
    pub fn certificates(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let is_certificate = self.is_complete() && self.message_type == handshake_type::CERTIFICATE;
        certificates(if is_certificate { self.body } else { &[] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_end_where_the_list_does() {
        let body = [0, 0, 9, 0, 0, 2, 0x30, 0, 0, 0, 1, 0x31, 0xff];
        assert_eq!(certificates(&body).collect::<Vec<_>>(), [&[0x30, 0][..], &[0x31]]);
        // An empty list (a client without a certificate), a list longer than the body, and empty entries.
        assert_eq!(certificates(&[0, 0, 0]).count(), 0);
        assert_eq!(certificates(&[0, 0, 9, 0, 0, 2, 0x30]).count(), 0);
        assert_eq!(certificates(&[0, 0, 6, 0, 0, 0, 0, 0, 0]).count(), 2);
    }

    #[test]
    fn the_group_of_a_key_exchange() {
        // The start of a ServerKeyExchange of aiortc; tshark: x25519, ecdsa_secp256r1_sha256.
        let mut body = vec![3, 0, 0x1d, 32];
        body.extend([0x55; 32]);
        assert_eq!(key_exchange_group(&body), Some((29, None)));
        body.extend([4, 3, 0, 71]);
        assert_eq!(key_exchange_group(&body), Some((29, Some(0x0403))));
        assert_eq!(key_exchange_group(&[1, 0, 0x1d]), None);
    }
}
