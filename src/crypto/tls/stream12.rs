//! Records of TLS 1.2 and 1.1.

use super::{
    Failure, Negotiated, Opened, Side, StreamRecord, Unusable,
    protection12::{Connection12, Header12},
    search::Search,
};
use crate::wire::dtls::content_type::{APPLICATION_DATA, CHANGE_CIPHER_SPEC};

/// What [`Opened::epoch`] is of all of its records.
const EPOCH: u64 = 1;

/// What opens the records of one connection of TLS 1.2 or 1.1, each side's in order. Where the capture lost some, it
/// finds the number of the next.
pub struct Stream12 {
    connection: Connection12,
    /// The client's and the server's.
    sides: [Progress; 2],
}

/// How far one side is.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    phase: Phase,
    /// The sequence number of the next record.
    next: u64,
    /// How much more than its sequence number the explicit nonce of the last record was. Where a peer counts it up,
    /// as all do that are known, it tells the number of a record.
    nonce_ahead: Option<u64>,
    search: Search,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// Before ChangeCipherSpec.
    #[default]
    Clear,
    /// Behind it.
    Protected,
    /// Behind another, whose keys are not known.
    Renegotiated,
}

impl Stream12 {
    /// Makes the keys of a connection from its master secret.
    ///
    /// # Errors
    /// When version, suite or secret are none that can be used.
    pub fn new(negotiated: &Negotiated<'_>, master: &[u8]) -> Result<Self, Unusable> {
        Ok(Self { connection: Connection12::new(negotiated, master)?, sides: Default::default() })
    }

    /// Opens the next record that `side` sent. All of them are to be given, those in clear too, as ChangeCipherSpec says
    /// which is the first that is protected. The plaintext is in `buffer`, whose content is of no use otherwise.
    ///
    /// # Errors
    /// When it is not protected, or not with these keys.
    pub fn open<'b>(
        &mut self,
        side: Side,
        record: &StreamRecord<'_>,
        buffer: &'b mut Vec<u8>,
    ) -> Result<Opened<'b>, Failure> {
        let progress = side.of_mut(&mut self.sides);
        match (progress.phase, record.content_type) {
            // The capture does not have the end of the handshake.
            (Phase::Clear, APPLICATION_DATA) => progress.phase = Phase::Protected,
            (Phase::Clear, content_type) => {
                if content_type == CHANGE_CIPHER_SPEC {
                    progress.phase = Phase::Protected;
                }
                return Err(Failure::Clear);
            }
            (Phase::Protected, _) => {}
            (Phase::Renegotiated, _) => return Err(Failure::NoSecret),
        }
        let protection = self.connection.of(side);
        let nonce = protection.explicit_nonce(record.content);
        let told = nonce.zip(progress.nonce_ahead).map(|(nonce, ahead)| nonce.wrapping_sub(ahead));
        let header =
            Header12 { content_type: record.content_type, version: record.version, number: 0, connection_id: &[] };
        let (sequence, content_type) = progress.search.find(progress.next, told, |number| {
            protection.open(&Header12 { number, ..header }, record.content, buffer)
        })?;
        progress.next = sequence.wrapping_add(1);
        progress.nonce_ahead = nonce.map(|nonce| nonce.wrapping_sub(sequence));
        if content_type == CHANGE_CIPHER_SPEC {
            progress.phase = Phase::Renegotiated;
        }
        Ok(Opened { content_type, epoch: EPOCH, sequence, plaintext: buffer, behind: 0 })
    }

    /// Tells that a number of records that `side` sent is not given to [`Stream12::open`].
    pub fn skip(&mut self, side: Side, records: u64) {
        let progress = side.of_mut(&mut self.sides);
        progress.next = progress.next.saturating_add(records);
    }

    /// Fills `output` with keying material for another protocol (RFC 5705).
    pub fn export(&self, label: &str, context: Option<&[u8]>, output: &mut [u8]) {
        self.connection.export(label, context, output);
    }
}
