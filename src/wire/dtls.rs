//! DTLS records and handshake messages (RFC 6347, RFC 9147), as far as they are in clear.
//!
//! A datagram holds one record or several. What they carry is in clear in epoch 0 only; [`Record::handshakes`] and
//! [`Record::alert`] give nothing in other epochs, so that no field is ever read out of ciphertext.

mod handshake;
mod names;

pub use handshake::{ClientHello, Extension, Extensions, Handshake, Handshakes, ServerHello, handshake_type};
pub use names::{
    alert_name, cipher_suite_name, content_type_name, extension_name, group_name, handshake_name, srtp_profile_name,
    version_name,
};

use super::{Kind, Layer, Malformed, Reader};

/// Record content types (IANA "TLS ContentType").
pub mod content_type {
    /// ChangeCipherSpec (RFC 5246 section 7.1).
    pub const CHANGE_CIPHER_SPEC: u8 = 20;
    /// Alert.
    pub const ALERT: u8 = 21;
    /// Handshake.
    pub const HANDSHAKE: u8 = 22;
    /// Application data.
    pub const APPLICATION_DATA: u8 = 23;
    /// Heartbeat (RFC 6520).
    pub const HEARTBEAT: u8 = 24;
    /// A record with a connection id (RFC 9146).
    pub const TLS12_CID: u8 = 25;
    /// Acknowledgement (RFC 9147 section 7).
    pub const ACK: u8 = 26;
}

/// Protocol versions as the wire has them.
pub mod version {
    /// DTLS 1.0 (RFC 4347).
    pub const DTLS_1_0: u16 = 0xfeff;
    /// DTLS 1.2 (RFC 6347).
    pub const DTLS_1_2: u16 = 0xfefd;
    /// DTLS 1.3 (RFC 9147); in `supported_versions` only, records say 1.2.
    pub const DTLS_1_3: u16 = 0xfefc;
    /// The version of OpenSSL before 0.9.8f, still used by Cisco AnyConnect.
    pub const OPENSSL_BAD: u16 = 0x0100;
}

/// Bytes of a record header of DTLS 1.2 (RFC 6347 section 4.1).
pub const HEADER_LENGTH: usize = 13;

/// The largest record content: 2^14 bytes and 2048 of expansion (RFC 6347 section 4.1, RFC 5246 section 6.2.3).
const MAX_CONTENT: usize = (1 << 14) + 2048;

/// The longest connection id that is looked for where its length is not known. RFC 9146 allows 255; implementations
/// stay at or below 20, as QUIC does.
const MAX_CONNECTION_ID: usize = 20;

/// The shortest ciphertext of DTLS 1.3: a tag of 8 bytes (AES_128_CCM_8) and one of content type (RFC 9147 section 4).
const MIN_CIPHERTEXT: usize = 9;

/// The header of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// DTLSPlaintext and the ciphertext of DTLS 1.2 and before (RFC 6347 section 4.1, RFC 9147 section 4).
    Plain {
        /// See [`content_type`].
        content_type: u8,
        /// See [`version`].
        version: u16,
        /// The epoch; 0 is in clear.
        epoch: u16,
        /// The 48-bit sequence number.
        sequence: u64,
    },
    /// The unified header of DTLS 1.3 ciphertext, `0b001CSLEE` (RFC 9147 section 4, figure 3).
    Unified {
        /// Whether a connection id follows. Its length is only known from the handshake: the record's content then
        /// starts with the id and goes on to the end of the datagram.
        connection_id: bool,
        /// Whether the length is there; without it the record goes on to the end of the datagram.
        has_length: bool,
        /// The low two bits of the epoch.
        epoch: u8,
        /// The low 8 or 16 bits of the sequence number, encrypted (RFC 9147 section 4.2.3). `None` behind a
        /// connection id.
        sequence: Option<u16>,
    },
}

/// One record of a datagram.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Where its header starts: bytes from the start of the datagram.
    pub offset: usize,
    /// Bytes of its header.
    pub header_length: usize,
    /// Its header.
    pub header: Header,
    /// Bytes of content by the record's own length; more than `content` has where the capture cut it.
    pub length: usize,
    /// The captured content.
    pub content: &'a [u8],
}

impl<'a> Record<'a> {
    /// Whether its content is in clear: epoch 0 of a plain header.
    #[must_use]
    pub const fn is_clear(&self) -> bool {
        matches!(self.header, Header::Plain { epoch: 0, .. })
    }

    /// The content type; `None` under the unified header, which encrypts it.
    #[must_use]
    pub const fn content_type(&self) -> Option<u8> {
        match self.header {
            Header::Plain { content_type, .. } => Some(content_type),
            Header::Unified { .. } => None,
        }
    }

    /// The handshake messages, or fragments of them, of a clear handshake record; none of any other record.
    #[must_use]
    pub fn handshakes(&self) -> Handshakes<'a> {
        let is_handshake = self.is_clear() && self.content_type() == Some(content_type::HANDSHAKE);
        let content = if is_handshake { self.content } else { &[] };
        Handshakes::new(content, self.offset + self.header_length, is_handshake && content.len() < self.length)
    }

    /// Level (1 warning, 2 fatal) and description of a clear alert (RFC 5246 section 7.2).
    #[must_use]
    pub fn alert(&self) -> Option<(u8, u8)> {
        match *self.content {
            [level, description] if self.is_clear() && self.content_type() == Some(content_type::ALERT) => {
                Some((level, description))
            }
            _ => None,
        }
    }
}

/// The records of a datagram of `wire_length` bytes, of which `bytes` were captured. The first record that cannot be
/// read is given as a fault and ends the records.
#[must_use]
pub fn records(bytes: &[u8], wire_length: usize) -> Records<'_> {
    Records { reader: Reader::new(Layer::Dtls, bytes), wire_length: wire_length.max(bytes.len()), done: false }
}

/// The iterator behind [`records`].
#[derive(Clone, Debug)]
pub struct Records<'a> {
    reader: Reader<'a>,
    wire_length: usize,
    done: bool,
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done || self.reader.offset() >= self.wire_length {
            return None;
        }
        let snapped = self.reader.offset() + self.reader.len() < self.wire_length;
        if snapped && self.reader.is_empty() {
            self.done = true;
            return Some(Err(self.reader.fault(Kind::Snapped)));
        }
        let record = self.read().map_err(|fault| match fault.kind {
            Kind::TooShort if snapped => Malformed { kind: Kind::Snapped, ..fault },
            _ => fault,
        });
        self.done = record.is_err();
        Some(record)
    }
}

impl<'a> Records<'a> {
    fn read(&mut self) -> Result<Record<'a>, Malformed> {
        let offset = self.reader.offset();
        let first = self.reader.peek_u8().unwrap_or_default();
        let (header, length) = match first {
            content_type::CHANGE_CIPHER_SPEC..=content_type::ACK => self.plain_header()?,
            0x20..=0x3f => self.unified_header()?,
            _ => return Err(self.reader.fault(Kind::BadValue)),
        };
        let start = self.reader.offset();
        let left_on_wire = self.wire_length.saturating_sub(start);
        let length = length.unwrap_or(left_on_wire);
        if length > left_on_wire {
            // The length is the last field of either header.
            return Err(Malformed::new(Layer::Dtls, Kind::BadLength, start.saturating_sub(2)));
        }
        let content = self.reader.take(length.min(self.reader.len()))?;
        Ok(Record { offset, header_length: start - offset, header, length, content })
    }

    fn plain_header(&mut self) -> Result<(Header, Option<usize>), Malformed> {
        let content_type = self.reader.u8()?;
        let version_fault = self.reader.fault(Kind::BadVersion);
        let version = self.reader.u16()?;
        if version_name(version).is_none() {
            return Err(version_fault);
        }
        let epoch = self.reader.u16()?;
        let sequence = self.reader.u48()?;
        let header = Header::Plain { content_type, version, epoch, sequence };
        if content_type == content_type::TLS12_CID {
            // The connection id stands before the length (RFC 9146 section 4), and only the peers know how long it is.
            return Ok((header, None));
        }
        let length_fault = self.reader.fault(Kind::BadLength);
        let length = usize::from(self.reader.u16()?);
        if length > MAX_CONTENT {
            return Err(length_fault);
        }
        Ok((header, Some(length)))
    }

    fn unified_header(&mut self) -> Result<(Header, Option<usize>), Malformed> {
        let first = self.reader.u8()?;
        let (connection_id, has_length, epoch) = (first & 0x10 != 0, first & 0x04 != 0, first & 0x03);
        if connection_id {
            return Ok((Header::Unified { connection_id, has_length, epoch, sequence: None }, None));
        }
        let sequence = if first & 0x08 != 0 { self.reader.u16()? } else { u16::from(self.reader.u8()?) };
        let header = Header::Unified { connection_id, has_length, epoch, sequence: Some(sequence) };
        let length = if has_length { Some(usize::from(self.reader.u16()?)) } else { None };
        Ok((header, length))
    }
}

/// Whether a datagram is DTLS by its structure alone: a chain of records whose lengths end exactly at the end of the
/// datagram (of `wire_length` bytes, where the capture cut it). A record whose header has no length is no evidence,
/// so a datagram of only those is not recognised here; a flow that is known to be DTLS reads it with [`records`].
#[must_use]
pub fn looks_like_dtls(bytes: &[u8], wire_length: usize) -> bool {
    let wire_length = wire_length.max(bytes.len());
    let mut evidence = false;
    for record in records(bytes, wire_length) {
        let record = match record {
            Ok(record) => record,
            // What was there fitted, and the rest was not captured.
            Err(fault) => return evidence && fault.kind == Kind::Snapped,
        };
        let plausible = match record.header {
            Header::Plain { content_type: content_type::TLS12_CID, .. } => ends_behind_connection_id(&record),
            Header::Plain { content_type, epoch, .. } => plausible_plain(&record, content_type, epoch),
            Header::Unified { connection_id: true, has_length: true, .. } => ends_behind_connection_id(&record),
            Header::Unified { connection_id: false, has_length: true, .. } => record.length >= MIN_CIPHERTEXT,
            // The last record of a datagram may leave its length out (RFC 9147 section 4).
            Header::Unified { has_length: false, .. } => evidence,
        };
        if !plausible {
            return false;
        }
        evidence = true;
    }
    evidence
}

/// What a content type allows in clear: an alert is two bytes, a change of cipher one, a handshake message has a
/// header. An encrypted record is never empty.
fn plausible_plain(record: &Record<'_>, content_type: u8, epoch: u16) -> bool {
    match (content_type, epoch) {
        (content_type::CHANGE_CIPHER_SPEC, 0) => record.length == 1 || record.length == 3,
        (content_type::ALERT, 0) => record.length == 2,
        (content_type::HANDSHAKE, 0) => record.length >= handshake::HEADER_LENGTH,
        _ => record.length > 0,
    }
}

/// Whether some length of connection id (and sequence number behind it) makes the record's own length end exactly at
/// the end of the datagram.
fn ends_behind_connection_id(record: &Record<'_>) -> bool {
    let mut longest = MAX_CONNECTION_ID;
    if let Header::Unified { .. } = record.header {
        longest += 2;
    }
    (0..=longest).any(|skip| {
        let mut reader = Reader::new(Layer::Dtls, record.content);
        reader.skip(skip).is_ok()
            && reader.u16().is_ok_and(|length| {
                usize::from(length) >= MIN_CIPHERTEXT && skip + 2 + usize::from(length) == record.length
            })
    })
}
