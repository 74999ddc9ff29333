//! The datagrams of a capture that is read again, opened with the keys that were learned up to each of them.
//!
//! An analysis opens what it needs as it goes, SRTCP and DTLS; here all is opened, RTP too, and handed out.

mod dtls;
mod srtp;

use rustc_hash::FxHashMap;

pub use dtls::OpenedRecord;
pub use srtp::Unopened;

use super::{datagram::Datagram, key::FlowKey, keyring::Keyring, srtp::Srtp};
use crate::wire::rtp::FixedHeader;
use dtls::Records;
use srtp::Source;

/// Flows, and sources of RTP, that are followed at a time. Beyond that all begin anew.
const FOLLOWED: usize = 1 << 15;

/// Opens datagrams, in the order of the capture.
#[derive(Default)]
pub struct Decrypter {
    keys: Keyring,
    sources: FxHashMap<(FlowKey, usize, u32), Source>,
    reports: FxHashMap<FlowKey, Srtp>,
    records: FxHashMap<FlowKey, Records>,
    plaintext: Vec<u8>,
}

impl Decrypter {
    /// One that has `keys`, and those that they will be joined by.
    #[must_use]
    pub fn new(keys: &Keyring) -> Self {
        Self { keys: keys.clone(), ..Self::default() }
    }

    /// The RTP packet inside an SRTP packet: header and payload, no tag.
    ///
    /// # Errors
    /// Why it is not opened. RTP in clear gives [`Unopened::NoKeyFits`] too: the flow knows better.
    pub fn rtp(&mut self, key: FlowKey, datagram: &Datagram<'_>) -> Result<&[u8], Unopened> {
        if self.keys.is_empty() {
            return Err(Unopened::NoKeys);
        }
        if datagram.is_snapped() {
            return Err(Unopened::Cut);
        }
        let ssrc = FixedHeader::parse(datagram.bytes).map_err(|_| Unopened::NoKeyFits)?.ssrc;
        let direction = datagram.direction & 1;
        let place = (key, direction, ssrc);
        make_room(&mut self.sources, &place);
        let source = self.sources.entry(place).or_insert_with(|| Source::new(key, direction, ssrc));
        source.open(datagram.bytes, &self.keys, &mut self.plaintext)?;
        Ok(&self.plaintext)
    }

    /// The compound RTCP packet inside an SRTCP packet.
    pub fn rtcp(&mut self, key: FlowKey, datagram: &Datagram<'_>) -> Option<&[u8]> {
        let ssrc = datagram.bytes.get(4..)?.first_chunk().map(|ssrc| u32::from_be_bytes(*ssrc))?;
        if self.keys.is_empty() || datagram.is_snapped() {
            return None;
        }
        make_room(&mut self.reports, &key);
        self.reports.entry(key).or_default().open_rtcp(datagram.direction & 1, ssrc, datagram.bytes, &self.keys)
    }

    /// The encrypted records of a datagram of DTLS that could be opened.
    pub fn dtls(&mut self, key: FlowKey, datagram: &Datagram<'_>) -> Vec<OpenedRecord> {
        if self.keys.is_empty() {
            return Vec::new();
        }
        make_room(&mut self.records, &key);
        self.records.entry(key).or_default().open(datagram, &self.keys)
    }
}

fn make_room<K: std::hash::Hash + Eq, V>(followed: &mut FxHashMap<K, V>, key: &K) {
    if followed.len() >= FOLLOWED && !followed.contains_key(key) {
        followed.clear();
    }
}
