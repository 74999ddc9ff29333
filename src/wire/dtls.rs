//! DTLS records and handshake messages (RFC 6347, RFC 9147), as far as they are in clear.
//!
//! A datagram holds one record or several. What they carry is in clear in epoch 0 only; [`Record::handshakes`] and
//! [`Record::alert`] give nothing in other epochs, so that no field is ever read out of ciphertext.

pub mod certificate;
pub mod handshake;
mod names;

use handshake::Handshakes;
pub use names::{
    alert_name, cipher_suite_name, content_type_name, extension_name, group_name, handshake_name,
    signature_scheme_name, srtcp_tag_length, srtp_profile_name, version_name,
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
        /// Whether the sequence number has 16 bits; otherwise it has 8.
        long_sequence: bool,
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

    /// Whether the capture has only the beginning of it.
    #[must_use]
    pub const fn is_cut(&self) -> bool {
        self.content.len() < self.length
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
        let (connection_id, long_sequence) = (first & 0x10 != 0, first & 0x08 != 0);
        let (has_length, epoch) = (first & 0x04 != 0, first & 0x03);
        if connection_id {
            return Ok((Header::Unified { connection_id, long_sequence, has_length, epoch, sequence: None }, None));
        }
        let sequence = if long_sequence { self.reader.u16()? } else { u16::from(self.reader.u8()?) };
        let header = Header::Unified { connection_id, long_sequence, has_length, epoch, sequence: Some(sequence) };
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The ClientHello of an aiortc call (OpenSSL), its record saying DTLS 1.0; values by tshark.
    #[rustfmt::skip]
    const CLIENT_HELLO: &[u8] = &[
        0x16, 0xfe, 0xff, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x98, 0x01, 0x00, 0x00, 0x8c, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x8c, 0xfe, 0xfd, 0x15, 0xb8, 0xa7, 0x4e, 0xcd, 0xb8, 0x80, 0xfd, 0x8f, 0x74, 0x0f, 0xc5, 0xc7,
        0x5e, 0x2b, 0x50, 0xfe, 0x72, 0xdd, 0xd4, 0x16, 0xf0, 0x4c, 0xf5, 0xc5, 0x3e, 0x9c, 0x19, 0xbf, 0x7a, 0xbd, 0x7f, 0x00,
        0x00, 0x00, 0x08, 0xc0, 0x2b, 0xcc, 0xa9, 0xc0, 0x09, 0xc0, 0x0a, 0x01, 0x00, 0x00, 0x5a, 0xff, 0x01, 0x00, 0x01, 0x00,
        0x00, 0x0b, 0x00, 0x02, 0x01, 0x00, 0x00, 0x0a, 0x00, 0x0c, 0x00, 0x0a, 0x00, 0x1d, 0x00, 0x17, 0x00, 0x1e, 0x00, 0x18,
        0x00, 0x19, 0x00, 0x0e, 0x00, 0x05, 0x00, 0x02, 0x00, 0x01, 0x00, 0x00, 0x16, 0x00, 0x00, 0x00, 0x17, 0x00, 0x00, 0x00,
        0x0d, 0x00, 0x2a, 0x00, 0x28, 0x04, 0x03, 0x05, 0x03, 0x06, 0x03, 0x08, 0x07, 0x08, 0x08, 0x08, 0x09, 0x08, 0x0a, 0x08,
        0x0b, 0x08, 0x04, 0x08, 0x05, 0x08, 0x06, 0x04, 0x01, 0x05, 0x01, 0x06, 0x01, 0x03, 0x03, 0x03, 0x01, 0x03, 0x02, 0x04,
        0x02, 0x05, 0x02, 0x06, 0x02,
    ];

    /// The first record of the answer to it.
    #[rustfmt::skip]
    const SERVER_HELLO: &[u8] = &[
        0x16, 0xfe, 0xfd, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x6c, 0x02, 0x00, 0x00, 0x60, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x60, 0xfe, 0xfd, 0xa5, 0x64, 0x39, 0x56, 0xe6, 0xd5, 0xc4, 0xc7, 0x07, 0x9e, 0xbe, 0xa4, 0xa3,
        0x23, 0xe6, 0x06, 0xbc, 0xc3, 0xd6, 0xaa, 0x39, 0x4f, 0x1f, 0xde, 0x27, 0x96, 0x6b, 0x8c, 0x1f, 0xe8, 0x8d, 0x40, 0x20,
        0x78, 0x5c, 0x99, 0xc5, 0x75, 0x19, 0x64, 0x91, 0x29, 0x5f, 0xb3, 0xa5, 0xf0, 0x66, 0xe0, 0x5c, 0xd7, 0x02, 0xb6, 0x8d,
        0x20, 0x1f, 0x64, 0x5e, 0x0b, 0xb4, 0xca, 0x0e, 0xea, 0xbc, 0xbc, 0x04, 0xc0, 0x2b, 0x00, 0x00, 0x18, 0xff, 0x01, 0x00,
        0x01, 0x00, 0x00, 0x0b, 0x00, 0x02, 0x01, 0x00, 0x00, 0x0e, 0x00, 0x05, 0x00, 0x02, 0x00, 0x01, 0x00, 0x00, 0x17, 0x00,
        0x00,
    ];

    fn only_record(bytes: &[u8]) -> Record<'_> {
        let mut records = records(bytes, bytes.len());
        let record = records.next().unwrap().unwrap();
        assert!(records.next().is_none());
        record
    }

    #[test]
    fn client_hello() {
        let record = only_record(CLIENT_HELLO);
        let plain = Header::Plain { content_type: 22, version: version::DTLS_1_0, epoch: 0, sequence: 0 };
        assert_eq!((record.header, record.length, record.is_clear()), (plain, 152, true));
        let handshake = record.handshakes().next().unwrap().unwrap();
        assert_eq!((handshake.offset, handshake.message_type, handshake.length), (13, 1, 140));
        let hello = handshake.client_hello().unwrap().unwrap();
        assert_eq!((hello.version, hello.best_version()), (version::DTLS_1_2, version::DTLS_1_2));
        assert_eq!(hello.random.first_chunk(), Some(&[0x15, 0xb8, 0xa7, 0x4e]));
        assert_eq!(hello.cipher_suites().collect::<Vec<_>>(), [0xc02b, 0xcca9, 0xc009, 0xc00a]);
        assert_eq!(hello.srtp_profiles().collect::<Vec<_>>(), [1]);
        assert_eq!(hello.groups().collect::<Vec<_>>(), [29, 23, 30, 24, 25]);
        assert_eq!((hello.cookie(), hello.server_name(), hello.key_shares().count()), (None, None, 0));
        let extensions: Vec<_> = hello.extensions().map(|extension| extension.kind).collect();
        assert_eq!(extensions, [65281, 11, 10, 14, 22, 23, 13]);
        assert!(handshake.server_hello().is_none());
    }

    #[test]
    fn server_hello() {
        let hello = only_record(SERVER_HELLO).handshakes().next().unwrap().unwrap().server_hello().unwrap().unwrap();
        assert_eq!((hello.cipher_suite, hello.selected_version()), (0xc02b, version::DTLS_1_2));
        assert_eq!((hello.srtp_profile(), hello.key_share_group()), (Some(1), None));
        assert_eq!((hello.session_id.len(), hello.is_retry_request()), (32, false));
        assert_eq!(cipher_suite_name(hello.cipher_suite), Some("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"));
    }

    #[test]
    fn alert_in_clear_only() {
        // tshark: Level Fatal (2), Description Unknown CA (48).
        let mut bytes = [0x15, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 2, 0, 2, 2, 0x30];
        assert_eq!(only_record(&bytes).alert(), Some((2, 48)));
        assert_eq!(alert_name(48), Some("unknown_ca"));
        bytes[4] = 1;
        assert_eq!(only_record(&bytes).alert(), None);
    }

    #[test]
    fn ciphertext_is_not_read() {
        let mut bytes = CLIENT_HELLO.to_vec();
        bytes[4] = 1;
        assert_eq!(only_record(&bytes).handshakes().count(), 0);
    }

    #[test]
    fn unified_headers() {
        // RFC 9147 section 4: 0b001CSLEE. S and L set, epoch 2; then the shortest, which takes the rest.
        let mut bytes = vec![0x2e, 0x12, 0x34, 0, 20];
        bytes.extend([7; 20]);
        let first = Header::Unified {
            connection_id: false,
            long_sequence: true,
            has_length: true,
            epoch: 2,
            sequence: Some(0x1234),
        };
        let record = only_record(&bytes);
        assert_eq!((record.header, record.header_length, record.length), (first, 5, 20));
        assert!(looks_like_dtls(&bytes, bytes.len()));
        bytes.extend([0x23, 0x56, 8, 8, 8]);
        let second = Header::Unified {
            connection_id: false,
            long_sequence: false,
            has_length: false,
            epoch: 3,
            sequence: Some(0x56),
        };
        let all: Vec<_> = records(&bytes, bytes.len()).map(Result::unwrap).collect();
        assert_eq!(all.len(), 2);
        assert_eq!((all[1].header, all[1].offset, all[1].content), (second, 25, &[8, 8, 8][..]));
        assert!(looks_like_dtls(&bytes, bytes.len()));
        assert!(!looks_like_dtls(&bytes[25..], 5));
    }

    #[test]
    fn connection_ids() {
        // A record of RFC 9146 with an id of four bytes, and one of DTLS 1.3 with an id of two.
        let mut bytes = vec![25, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 9, 1, 2, 3, 4, 0, 16];
        bytes.extend([5; 16]);
        assert_eq!(only_record(&bytes).length, 22);
        assert!(looks_like_dtls(&bytes, bytes.len()));
        let mut bytes = vec![0x3e, 0xaa, 0xbb, 0x12, 0x34, 0, 20];
        bytes.extend([7; 20]);
        assert!(looks_like_dtls(&bytes, bytes.len()));
        assert!(!looks_like_dtls(&bytes, bytes.len() + 1));
    }

    #[test]
    fn chains() {
        let flight = [SERVER_HELLO, CLIENT_HELLO].concat();
        assert_eq!(records(&flight, flight.len()).count(), 2);
        assert!(looks_like_dtls(&flight, flight.len()));
        // A byte too many or too few.
        assert!(!looks_like_dtls(&[&flight[..], &[0]].concat(), flight.len() + 1));
        assert!(!looks_like_dtls(&flight[..flight.len() - 1], flight.len() - 1));
        // Snapped anywhere behind the first header.
        for length in HEADER_LENGTH..flight.len() {
            assert!(looks_like_dtls(&flight[..length], flight.len()), "{length}");
        }
        let mut bad = CLIENT_HELLO.to_vec();
        bad[1] = 3;
        assert_eq!(records(&bad, bad.len()).next().unwrap().unwrap_err().kind, Kind::BadVersion);
    }

    #[test]
    fn lying_fragments_are_faults() {
        // Fragment length beyond the message, then beyond the record.
        let fault = |at: usize, value: u8| {
            let mut bytes = CLIENT_HELLO.to_vec();
            bytes[at] = value;
            let record = records(&bytes, bytes.len()).next().unwrap().unwrap();
            record.handshakes().next().unwrap().map(|_| ()).unwrap_err()
        };
        assert_eq!(fault(24, 0x8d), Malformed::new(Layer::Dtls, Kind::BadLength, 22));
        assert_eq!(fault(21, 0x01), Malformed::new(Layer::Dtls, Kind::BadLength, 22));
        let mut bytes = CLIENT_HELLO.to_vec();
        (bytes[14], bytes[22]) = (0x01, 0x01);
        let record = records(&bytes, bytes.len()).next().unwrap().unwrap();
        assert_eq!(record.handshakes().next().unwrap().unwrap_err().kind, Kind::TooShort);
        // A hello whose extensions lie: a fault placed in the datagram, at the extension that needs more.
        let mut bytes = CLIENT_HELLO.to_vec();
        bytes[78] = 0x02;
        let hello = only_record(&bytes).handshakes().next().unwrap().unwrap().client_hello().unwrap();
        assert_eq!(hello.unwrap_err().layer, Layer::Dtls);
    }

    fn walk(bytes: &[u8], wire_length: usize) {
        let _ = looks_like_dtls(bytes, wire_length);
        for record in records(bytes, wire_length).flatten() {
            assert!(record.offset + record.header_length + record.content.len() <= bytes.len());
            let _ = record.alert();
            for handshake in record.handshakes().flatten() {
                assert!(handshake.offset + handshake::HEADER_LENGTH + handshake.body.len() <= bytes.len());
                if let Some(Ok(hello)) = handshake.client_hello() {
                    let _ = (hello.best_version(), hello.srtp_profiles().count(), hello.groups().count());
                    let _ = (hello.server_name(), hello.cookie(), hello.key_shares().count());
                    assert!(
                        hello
                            .extensions()
                            .all(|extension| extension.offset + 4 + extension.data.len() <= handshake.body.len())
                    );
                }
                if let Some(Ok(hello)) = handshake.server_hello() {
                    let _ = (hello.selected_version(), hello.srtp_profile(), hello.key_share_group());
                }
            }
        }
    }

    #[test]
    fn every_prefix_and_every_changed_byte() {
        let flight = [CLIENT_HELLO, SERVER_HELLO].concat();
        for length in 0..flight.len() {
            walk(&flight[..length], flight.len());
            walk(&flight[..length], length);
            for value in [0, 1, 0x7f, 0xff] {
                let mut changed = flight.clone();
                changed[length] = value;
                walk(&changed, changed.len());
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200), wire_length in 0_usize..400) {
            walk(&bytes, wire_length);
        }

        #[test]
        fn any_handshake(body in proptest::collection::vec(any::<u8>(), 0..200), message_type in 1_u8..3) {
            let length = body.len() as u8;
            let mut bytes = vec![22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, length.wrapping_add(12)];
            bytes.extend([message_type, 0, 0, length, 0, 0, 0, 0, 0, 0, 0, length]);
            bytes.extend(&body);
            walk(&bytes, bytes.len());
        }
    }
}
