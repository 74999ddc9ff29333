//! Records of DTLS 1.2 and 1.0.

use super::{
    Failure, Negotiated, Opened, Side, Unusable,
    protection12::{Connection12, Header12},
};
use crate::wire::dtls::{Header, Record, content_type::TLS12_CID};

/// The epoch behind the one handshake whose secret is known.
const EPOCH: u16 = 1;

/// Bytes that an epoch has in the number that a record's protection covers.
const SEQUENCE_BITS: u32 = 48;

/// What opens the records of one association of DTLS 1.2 or 1.0, in any order.
pub struct Datagrams12 {
    connection: Connection12,
    /// Bytes of the connection ids in the records of client and server.
    connection_ids: [usize; 2],
}

impl Datagrams12 {
    /// Makes the keys of an association from its master secret.
    ///
    /// # Errors
    /// When version, suite or secret are none that can be used.
    pub fn new(negotiated: &Negotiated<'_>, master: &[u8]) -> Result<Self, Unusable> {
        Ok(Self { connection: Connection12::new(negotiated, master)?, connection_ids: [0; 2] })
    }

    /// Tells how long the connection ids (RFC 9146) are that the client's records have, which the server asked for, and
    /// those of the server's.
    #[must_use]
    pub fn with_connection_ids(self, lengths: [usize; 2]) -> Self {
        Self { connection_ids: lengths, ..self }
    }

    /// Opens a record that `side` sent. The plaintext is in `buffer`, whose content is of no use otherwise.
    ///
    /// # Errors
    /// When it is not protected, or not with these keys.
    pub fn open<'b>(&self, side: Side, record: &Record<'_>, buffer: &'b mut Vec<u8>) -> Result<Opened<'b>, Failure> {
        let Header::Plain { content_type, version, epoch, sequence } = record.header else {
            return Err(Failure::NoSecret);
        };
        match epoch {
            0 => return Err(Failure::Clear),
            EPOCH => {}
            _ => return Err(Failure::NoSecret),
        }
        let has_id = content_type == TLS12_CID;
        if record.is_cut() && !has_id {
            return Err(Failure::Cut);
        }
        let (connection_id, content, behind) = if has_id {
            let ended = split(record.content, *side.of(&self.connection_ids));
            ended.ok_or(if record.is_cut() { Failure::Cut } else { Failure::TooShort })?
        } else {
            (&[][..], record.content, 0)
        };
        let number = u64::from(epoch) << SEQUENCE_BITS | sequence;
        let header = Header12 { content_type, version, number, connection_id };
        let content_type = self.connection.of(side).open(&header, content, buffer)?;
        Ok(Opened { content_type, epoch: u64::from(epoch), sequence, plaintext: buffer, behind })
    }

    /// Fills `output` with keying material for another protocol (RFC 5705), such as SRTP (RFC 5764 section 4.2, with the
    /// label `EXTRACTOR-dtls_srtp` and no context).
    pub fn export(&self, label: &str, context: Option<&[u8]>, output: &mut [u8]) {
        self.connection.export(label, context, output);
    }
}

/// The connection id, the content, and how many bytes are behind it (RFC 9146 section 4).
fn split(bytes: &[u8], id_length: usize) -> Option<(&[u8], &[u8], usize)> {
    let (connection_id, rest) = bytes.split_at_checked(id_length)?;
    let (length, rest) = rest.split_first_chunk()?;
    let (content, behind) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    Some((connection_id, content, behind.len()))
}
