//! Handshake messages in clear: their headers, and the two hellos.

mod tls;

use super::version;
pub mod extension_type;

use crate::wire::{Entries, Kind, Layer, Malformed, Reader};

/// Bytes of a handshake header (RFC 6347 section 4.2.2).
pub const HEADER_LENGTH: usize = 12;

/// Handshake message types (IANA "TLS HandshakeType") that are told apart here.
pub mod handshake_type {
    /// ClientHello.
    pub const CLIENT_HELLO: u8 = 1;
    /// ServerHello.
    pub const SERVER_HELLO: u8 = 2;
    /// HelloVerifyRequest (RFC 6347 section 4.2.1).
    pub const HELLO_VERIFY_REQUEST: u8 = 3;
    /// NewSessionTicket (RFC 5077).
    pub const NEW_SESSION_TICKET: u8 = 4;
    /// EncryptedExtensions (RFC 8446 section 4.3.1).
    pub const ENCRYPTED_EXTENSIONS: u8 = 8;
    /// Certificate.
    pub const CERTIFICATE: u8 = 11;
    /// ServerKeyExchange (RFC 5246 section 7.4.3).
    pub const SERVER_KEY_EXCHANGE: u8 = 12;
    /// CertificateRequest.
    pub const CERTIFICATE_REQUEST: u8 = 13;
    /// ServerHelloDone.
    pub const SERVER_HELLO_DONE: u8 = 14;
    /// CertificateVerify.
    pub const CERTIFICATE_VERIFY: u8 = 15;
    /// ClientKeyExchange.
    pub const CLIENT_KEY_EXCHANGE: u8 = 16;
    /// Finished.
    pub const FINISHED: u8 = 20;
}

/// The random of a HelloRetryRequest: SHA-256 of the words "HelloRetryRequest" (RFC 8446 section 4.1.3).
const HELLO_RETRY_REQUEST: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11,
    0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// A handshake message, or a fragment of one (RFC 6347 section 4.2.2).
#[derive(Clone, Copy, Debug)]
pub struct Handshake<'a> {
    /// Where its header starts: bytes from the start of the datagram.
    pub offset: usize,
    /// The message type: see [`handshake_type`] and [`super::handshake_name`].
    pub message_type: u8,
    /// Bytes of the whole message, without headers.
    pub length: u32,
    /// `message_seq`: its number within the handshake.
    pub sequence: u16,
    /// Where this fragment starts in the message.
    pub fragment_offset: u32,
    /// Bytes of the message in this fragment.
    pub fragment_length: u32,
    /// The captured bytes of this fragment.
    pub body: &'a [u8],
}

impl<'a> Handshake<'a> {
    /// Whether the whole message is here.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.fragment_offset == 0 && self.fragment_length == self.length && self.body.len() == self.length as usize
    }

    /// The version field that a hello starts with; `None` of other messages, and of fragments that start further on.
    #[must_use]
    pub fn legacy_version(&self) -> Option<u16> {
        let is_hello = matches!(self.message_type, handshake_type::CLIENT_HELLO | handshake_type::SERVER_HELLO);
        let version = Reader::new(Layer::Dtls, self.body).u16().ok();
        version.filter(|_| is_hello && self.fragment_offset == 0)
    }

    /// The random of a hello, where its start was captured, whole or not.
    #[must_use]
    pub fn random(&self) -> Option<&'a [u8; 32]> {
        self.legacy_version()?;
        let mut reader = Reader::new(Layer::Dtls, self.body);
        reader.skip(2).ok()?;
        random(&mut reader).ok()
    }

    /// The ClientHello, where this is a whole one.
    #[must_use]
    pub fn client_hello(&self) -> Option<Result<ClientHello<'a>, Malformed>> {
        (self.is_complete() && self.message_type == handshake_type::CLIENT_HELLO)
            .then(|| ClientHello::parse(self.body).map_err(|fault| self.place(fault)))
    }

    /// The ServerHello, where this is a whole one.
    #[must_use]
    pub fn server_hello(&self) -> Option<Result<ServerHello<'a>, Malformed>> {
        (self.is_complete() && self.message_type == handshake_type::SERVER_HELLO)
            .then(|| ServerHello::parse(self.body).map_err(|fault| self.place(fault)))
    }

    /// A fault in the body, placed in the datagram.
    fn place(&self, fault: Malformed) -> Malformed {
        Malformed { offset: self.offset + HEADER_LENGTH + fault.offset, ..fault }
    }
}

/// The handshake messages of one record. The first that cannot be read is given as a fault and ends them.
#[derive(Clone, Debug)]
pub struct Handshakes<'a> {
    reader: Reader<'a>,
    /// Where the record's content starts in the datagram.
    base: usize,
    snapped: bool,
    done: bool,
}

impl<'a> Handshakes<'a> {
    pub(super) const fn new(content: &'a [u8], base: usize, snapped: bool) -> Self {
        Self { reader: Reader::new(Layer::Dtls, content), base, snapped, done: false }
    }

    fn read(&mut self) -> Result<Handshake<'a>, Malformed> {
        let offset = self.base + self.reader.offset();
        let message_type = self.reader.u8()?;
        let length = self.reader.u24()?;
        let sequence = self.reader.u16()?;
        let fragment_offset = self.reader.u24()?;
        let fragment_length = self.reader.u24()?;
        // Three bytes each: the sum cannot overflow.
        if fragment_offset + fragment_length > length {
            return Err(Malformed::new(Layer::Dtls, Kind::BadLength, offset + 9));
        }
        let wanted = fragment_length as usize;
        let body =
            if self.snapped { self.reader.take(wanted.min(self.reader.len()))? } else { self.reader.take(wanted)? };
        Ok(Handshake { offset, message_type, length, sequence, fragment_offset, fragment_length, body })
    }
}

impl<'a> Iterator for Handshakes<'a> {
    type Item = Result<Handshake<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done || self.reader.is_empty() {
            return None;
        }
        let handshake = self.read().map_err(|fault| match fault.kind {
            Kind::TooShort => {
                let kind = if self.snapped { Kind::Snapped } else { Kind::TooShort };
                Malformed::new(Layer::Dtls, kind, self.base + fault.offset)
            }
            _ => fault,
        });
        self.done = handshake.is_err();
        Some(handshake)
    }
}

/// One extension of a hello.
#[derive(Clone, Copy, Debug)]
pub struct Extension<'a> {
    /// The extension type: see [`super::extension_name`].
    pub kind: u16,
    /// Its data.
    pub data: &'a [u8],
    /// Where the extension (its type) starts: bytes from the start of the hello's body.
    pub offset: usize,
}

/// The extensions of a hello, checked to the end when the hello was made.
#[derive(Clone, Debug)]
pub struct Extensions<'a> {
    reader: Reader<'a>,
    /// Where they start in the hello's body.
    base: usize,
}

impl<'a> Iterator for Extensions<'a> {
    type Item = Extension<'a>;

    fn next(&mut self) -> Option<Extension<'a>> {
        let offset = self.base + self.reader.offset();
        let kind = self.reader.u16().ok()?;
        let data = list(&mut self.reader, 2).ok()?;
        Some(Extension { kind, data, offset })
    }
}

/// A ClientHello (RFC 6347 section 4.2.1, RFC 9147 section 5.3).
#[derive(Clone, Copy, Debug)]
pub struct ClientHello<'a> {
    /// `legacy_version`; DTLS 1.3 is asked for in [`ClientHello::supported_versions`].
    pub version: u16,
    /// The 32 random bytes.
    pub random: &'a [u8; 32],
    /// The session id.
    pub session_id: &'a [u8],
    /// The cookie of DTLS 1.2 and before; that of DTLS 1.3 is an extension.
    pub legacy_cookie: &'a [u8],
    cipher_suites: &'a [u8],
    extensions: Checked<'a>,
}

impl<'a> ClientHello<'a> {
    /// Reads the body of a whole ClientHello.
    ///
    /// # Errors
    /// When a length inside does not fit.
    pub fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        Self::parse_with(body, true)
    }

    fn parse_with(body: &'a [u8], has_cookie: bool) -> Result<Self, Malformed> {
        let mut reader = Reader::new(Layer::Dtls, body);
        let version = reader.u16()?;
        let random = random(&mut reader)?;
        let session_id = list(&mut reader, 1)?;
        let legacy_cookie = if has_cookie { list(&mut reader, 1)? } else { &[] };
        let cipher_suites = list(&mut reader, 2)?;
        let _compression_methods = list(&mut reader, 1)?;
        let extensions = Checked::read(&mut reader)?;
        Ok(Self { version, random, session_id, legacy_cookie, cipher_suites, extensions })
    }

    /// The cipher suites offered, best first.
    #[must_use]
    pub fn cipher_suites(&self) -> Entries<'a, u16> {
        words(self.cipher_suites)
    }

    /// The extensions.
    #[must_use]
    pub const fn extensions(&self) -> Extensions<'a> {
        self.extensions.iter()
    }

    /// The versions offered in `supported_versions` (RFC 8446 section 4.2.1), best first; none before DTLS 1.3.
    #[must_use]
    pub fn supported_versions(&self) -> Entries<'a, u16> {
        self.words(extension_type::SUPPORTED_VERSIONS, 1)
    }

    /// The highest version offered: DTLS counts downwards.
    #[must_use]
    pub fn best_version(&self) -> u16 {
        let known =
            self.supported_versions().filter(|version| (version::DTLS_1_3..=version::DTLS_1_0).contains(version));
        known.min().unwrap_or(self.version)
    }

    /// The SRTP protection profiles offered in `use_srtp` (RFC 5764 section 4.1.1), best first.
    #[must_use]
    pub fn srtp_profiles(&self) -> Entries<'a, u16> {
        self.words(extension_type::USE_SRTP, 2)
    }

    /// The groups of `supported_groups` (RFC 8446 section 4.2.7), best first.
    #[must_use]
    pub fn groups(&self) -> Entries<'a, u16> {
        self.words(extension_type::SUPPORTED_GROUPS, 2)
    }

    /// The groups that a key share was sent for (RFC 8446 section 4.2.8), with the bytes of each share.
    pub fn key_shares(&self) -> impl Iterator<Item = (u16, &'a [u8])> + use<'a> {
        let data = self.extensions.find(extension_type::KEY_SHARE).unwrap_or_default();
        let mut outer = Reader::new(Layer::Dtls, data);
        let mut reader = Reader::new(Layer::Dtls, list(&mut outer, 2).unwrap_or_default());
        std::iter::from_fn(move || Some((reader.u16().ok()?, list(&mut reader, 2).ok()?)))
    }

    /// The schemes of `signature_algorithms` (RFC 8446 section 4.2.3), best first.
    #[must_use]
    pub fn signature_algorithms(&self) -> Entries<'a, u16> {
        self.words(extension_type::SIGNATURE_ALGORITHMS, 2)
    }

    /// The application protocols offered (RFC 7301 section 3.1), best first.
    pub fn application_protocols(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        application_protocols(self.extensions)
    }

    /// Whether it offers the extended master secret (RFC 7627).
    #[must_use]
    pub fn extended_master_secret(&self) -> bool {
        self.extensions.find(extension_type::EXTENDED_MASTER_SECRET).is_some()
    }

    /// The connection id that it wants to receive (RFC 9146 section 3); empty where it only would send one.
    #[must_use]
    pub fn connection_id(&self) -> Option<&'a [u8]> {
        connection_id(self.extensions)
    }

    /// The host name asked for (RFC 6066 section 3), where it is text.
    #[must_use]
    pub fn server_name(&self) -> Option<&'a str> {
        let mut outer = Reader::new(Layer::Dtls, self.extensions.find(extension_type::SERVER_NAME)?);
        let mut reader = Reader::new(Layer::Dtls, list(&mut outer, 2).ok()?);
        let host_name = reader.u8().ok()? == 0;
        let name = list(&mut reader, 2).ok()?;
        str::from_utf8(name).ok().filter(|_| host_name)
    }

    /// The cookie: that of DTLS 1.2, or the extension of DTLS 1.3; `None` where the server has not asked for one yet.
    #[must_use]
    pub fn cookie(&self) -> Option<&'a [u8]> {
        if !self.legacy_cookie.is_empty() {
            return Some(self.legacy_cookie);
        }
        let data = self.extensions.find(extension_type::COOKIE)?;
        list(&mut Reader::new(Layer::Dtls, data), 2).ok()
    }

    fn words(&self, kind: u16, prefix: usize) -> Entries<'a, u16> {
        let data = self.extensions.find(kind).unwrap_or_default();
        words(list(&mut Reader::new(Layer::Dtls, data), prefix).unwrap_or_default())
    }
}

/// A ServerHello, or a HelloRetryRequest, which has its form (RFC 8446 sections 4.1.3 and 4.1.4).
#[derive(Clone, Copy, Debug)]
pub struct ServerHello<'a> {
    /// `legacy_version`; see [`ServerHello::selected_version`].
    pub version: u16,
    /// The 32 random bytes.
    pub random: &'a [u8; 32],
    /// The session id.
    pub session_id: &'a [u8],
    /// The cipher suite chosen.
    pub cipher_suite: u16,
    extensions: Checked<'a>,
}

impl<'a> ServerHello<'a> {
    /// Reads the body of a whole ServerHello.
    ///
    /// # Errors
    /// When a length inside does not fit.
    pub fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(Layer::Dtls, body);
        let version = reader.u16()?;
        let random = random(&mut reader)?;
        let session_id = list(&mut reader, 1)?;
        let cipher_suite = reader.u16()?;
        let _compression_method = reader.u8()?;
        let extensions = Checked::read(&mut reader)?;
        Ok(Self { version, random, session_id, cipher_suite, extensions })
    }

    /// Reads what stands before the extensions, where the capture cut the rest: without any extension the version is
    /// that of DTLS 1.2 even where the cipher suite is one of DTLS 1.3.
    ///
    /// # Errors
    /// When it was cut before that.
    pub fn parse_opening(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(Layer::Dtls, body);
        let version = reader.u16()?;
        let random = random(&mut reader)?;
        let session_id = list(&mut reader, 1)?;
        let cipher_suite = reader.u16()?;
        Ok(Self { version, random, session_id, cipher_suite, extensions: Checked { data: &[], base: reader.offset() } })
    }

    /// Whether it asks for another ClientHello.
    #[must_use]
    pub fn is_retry_request(&self) -> bool {
        *self.random == HELLO_RETRY_REQUEST
    }

    /// The extensions.
    #[must_use]
    pub const fn extensions(&self) -> Extensions<'a> {
        self.extensions.iter()
    }

    /// The version chosen: that of `supported_versions`, which only DTLS 1.3 sends, or the version field.
    #[must_use]
    pub fn selected_version(&self) -> u16 {
        self.word(extension_type::SUPPORTED_VERSIONS).unwrap_or(self.version)
    }

    /// The SRTP profile chosen (RFC 5764 section 4.1.1). In DTLS 1.3 it is in EncryptedExtensions and not seen here.
    #[must_use]
    pub fn srtp_profile(&self) -> Option<u16> {
        let data = self.extensions.find(extension_type::USE_SRTP)?;
        words(list(&mut Reader::new(Layer::Dtls, data), 2).ok()?).next()
    }

    /// The group of the key share (RFC 8446 section 4.2.8); DTLS 1.3 only.
    #[must_use]
    pub fn key_share_group(&self) -> Option<u16> {
        self.word(extension_type::KEY_SHARE)
    }

    /// The application protocol chosen (RFC 7301 section 3.1), where in clear.
    #[must_use]
    pub fn application_protocol(&self) -> Option<&'a [u8]> {
        application_protocols(self.extensions).next()
    }

    /// Whether it takes encrypt-then-MAC (RFC 7366).
    #[must_use]
    pub fn encrypt_then_mac(&self) -> bool {
        self.extensions.find(extension_type::ENCRYPT_THEN_MAC).is_some()
    }

    /// Whether the extended master secret is used (RFC 7627).
    #[must_use]
    pub fn extended_master_secret(&self) -> bool {
        self.extensions.find(extension_type::EXTENDED_MASTER_SECRET).is_some()
    }

    /// The connection id that it wants to receive (RFC 9146 section 3).
    #[must_use]
    pub fn connection_id(&self) -> Option<&'a [u8]> {
        connection_id(self.extensions)
    }

    fn word(&self, kind: u16) -> Option<u16> {
        words(self.extensions.find(kind)?).next()
    }
}

fn application_protocols<'a>(extensions: Checked<'a>) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    let data = extensions.find(extension_type::ALPN).unwrap_or_default();
    let mut outer = Reader::new(Layer::Dtls, data);
    let mut reader = Reader::new(Layer::Dtls, list(&mut outer, 2).unwrap_or_default());
    std::iter::from_fn(move || list(&mut reader, 1).ok())
}

fn connection_id<'a>(extensions: Checked<'a>) -> Option<&'a [u8]> {
    list(&mut Reader::new(Layer::Dtls, extensions.find(extension_type::CONNECTION_ID)?), 1).ok()
}

/// Extensions whose chain of lengths is known to end where it must.
#[derive(Clone, Copy, Debug)]
struct Checked<'a> {
    data: &'a [u8],
    base: usize,
}

impl<'a> Checked<'a> {
    /// The extensions at the end of a hello; a hello of DTLS 1.0 may have none at all.
    fn read(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        if reader.is_empty() {
            return Ok(Self { data: &[], base: reader.offset() });
        }
        let data = list(reader, 2)?;
        let base = reader.offset() - data.len();
        let mut chain = Reader::new(Layer::Dtls, data);
        while !chain.is_empty() {
            let walked = chain.skip(2).and_then(|()| list(&mut chain, 2));
            walked.map_err(|fault| Malformed { offset: base + fault.offset, ..fault })?;
        }
        Ok(Self { data, base })
    }

    const fn iter(&self) -> Extensions<'a> {
        Extensions { reader: Reader::new(Layer::Dtls, self.data), base: self.base }
    }

    fn find(&self, kind: u16) -> Option<&'a [u8]> {
        self.iter().find(|extension| extension.kind == kind).map(|extension| extension.data)
    }
}

/// The 16-bit numbers of a list.
fn words(bytes: &[u8]) -> Entries<'_, u16> {
    Entries::all(&mut Reader::new(Layer::Dtls, bytes))
}

fn random<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8; 32], Malformed> {
    let fault = reader.fault(Kind::TooShort);
    reader.take(32)?.first_chunk().ok_or(fault)
}

/// A vector with a length in front of `prefix` bytes: one or two (RFC 8446 section 3.4).
fn list<'a>(reader: &mut Reader<'a>, prefix: usize) -> Result<&'a [u8], Malformed> {
    let length = if prefix == 1 { usize::from(reader.u8()?) } else { usize::from(reader.u16()?) };
    reader.take(length)
}
