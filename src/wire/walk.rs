//! The way down a frame: a window on its bytes that gets smaller with every header. Tunnels are tried on a copy of it,
//! so that a packet whose inside cannot be read is still delivered as what it is outside.

use super::{Content, Endpoint, Kind, Layer, Malformed, Packet, Reader, Tunnel, Tunnels, inet::Ip};

/// The part of a frame that is still to be read, and what was seen on the way.
#[derive(Clone, Copy)]
pub(super) struct Walk<'a> {
    frame: &'a [u8],
    /// Where the next header starts. Never beyond `end`.
    pub(super) at: usize,
    /// Where the bytes that belong to this layer end. Never beyond the frame.
    pub(super) end: usize,
    pub(super) identity: u32,
    pub(super) tunnels: Tunnels,
    depth: u8,
}

impl<'a> Walk<'a> {
    /// At the start of a frame.
    pub(super) fn new(frame: &'a [u8]) -> Self {
        Self {
            frame,
            at: 0,
            end: frame.len().min(u32::MAX as usize),
            identity: 0,
            tunnels: Tunnels::default(),
            depth: 0,
        }
    }

    /// Moves to `reader`'s place. The reader must be one of this walk.
    pub(super) fn move_to(&mut self, reader: &Reader<'_>) {
        self.at = reader.offset().min(self.end);
    }

    /// Moves past `count` bytes, which the caller has seen.
    pub(super) fn advance(&mut self, count: usize) {
        self.at = self.at.saturating_add(count).min(self.end);
    }

    /// Leaves no more than `count` bytes: what follows is padding or a trailer.
    pub(super) fn limit(&mut self, count: usize) {
        self.end = self.at.saturating_add(count).min(self.end);
    }

    /// Adds `word` to what tells one place of capture from another.
    pub(super) fn mix(&mut self, word: u64) {
        self.identity = mixed(self.identity, word);
    }

    /// Notes what was unwrapped.
    pub(super) fn note(&mut self, tunnel: Tunnel) {
        self.tunnels.insert(tunnel);
    }

    /// One level deeper: every path that may come back to a layer it has already been in takes this step.
    ///
    /// # Errors
    /// When packets are wrapped in each other too many times.
    pub(super) fn nest(&mut self, layer: Layer) -> Result<(), Malformed> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(self.fault(layer, Kind::TooMany)) } else { Ok(()) }
    }

    /// A copy that goes inside `ip`, one level deeper.
    ///
    /// # Errors
    /// When packets are wrapped in each other too many times.
    pub(super) fn inside(&self, ip: &Ip) -> Result<Self, Malformed> {
        let mut inner = *self;
        inner.nest(Layer::Tunnel)?;
        for (high, low) in [ip.source.words(), ip.destination.words()] {
            inner.mix(high);
            inner.mix(low);
        }
        inner.mix(u64::from(ip.hop_limit));
        Ok(inner)
    }

    /// A reader of this window. Its offsets are the frame's.
    pub(super) fn reader(&self, layer: Layer) -> Reader<'a> {
        let mut reader = Reader::new(layer, self.frame.get(..self.end).unwrap_or(self.frame));
        // `at` is never beyond `end`, so this cannot fail; if it did, reading on would find no bytes.
        if reader.skip(self.at).is_err() {
            reader.take_rest();
        }
        reader
    }

    /// The bytes of this window.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.frame.get(self.at..self.end).unwrap_or_default()
    }

    /// How many bytes this window has.
    pub(super) const fn available(&self) -> usize {
        self.end.saturating_sub(self.at)
    }

    /// A fault at the place of the walk.
    pub(super) const fn fault(&self, layer: Layer, kind: Kind) -> Malformed {
        Malformed::new(layer, kind, self.at)
    }

    /// The fault of a header of which only a part is there: snapped if the `length` bytes of its packet had room for
    /// the `needed` ones.
    pub(super) fn cut(&self, layer: Layer, needed: usize, length: usize) -> Malformed {
        Malformed::new(layer, if length >= needed { Kind::Snapped } else { Kind::TooShort }, self.end)
    }

    /// The packet at this place when it is not IP.
    pub(super) fn not_ip(&self, ether_type: u16) -> Packet {
        let available = self.available() as u32;
        Packet {
            source: NOWHERE,
            destination: NOWHERE,
            content: Content::NotIp(ether_type),
            payload: self.at as u32,
            captured: available,
            length: available,
            identification: 0,
            hop_limit: 0,
            traffic_class: 0,
            identity: self.identity,
            tunnels: self.tunnels,
            network: self.at as u32,
        }
    }
}

/// The address of what has none.
pub(super) const NOWHERE: Endpoint = Endpoint::v4([0; 4], 0);

/// One round of a multiplicative hash: the upper half of the product depends on all bits of both.
pub(super) const fn mixed(state: u32, word: u64) -> u32 {
    (((state as u64).rotate_left(32) ^ word).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32
}

/// How many packets may be wrapped in each other. Real networks reach four (QinQ is no nesting, GTP-U in GRE is two).
const MAX_DEPTH: u8 = 8;
