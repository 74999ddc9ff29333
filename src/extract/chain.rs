//! Whether a frame can be decoded after what was missing before it.
//!
//! Without temporal layers a decoder needs a key frame then. With them, as VP8 and VP9 tell them, more is known: TL0PICIDX
//! counts the frames of layer 0, which build on each other alone; so as long as none of these is missing, they go on. The
//! layers above go on from a frame that is marked as building on layer 0 only (RFC 7741 section 4.2: Y; RFC 9628 section
//! 4.2: U).

/// The temporal layer of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TemporalLayer {
    /// TID.
    pub number: u8,
    /// TL0PICIDX.
    pub base: u8,
    /// The frame builds on none of the layers between layer 0 and its own.
    pub switches: bool,
}

/// What a decoder has of the frames that others build on.
#[derive(Debug)]
pub(super) struct Chain {
    /// Something is missing since the last key frame; or there was none.
    damaged: bool,
    /// TL0PICIDX of the last frame of layer 0, unless one is missing.
    base: Option<u8>,
    /// The highest temporal layer that can be decoded, where the chain is damaged.
    highest: u8,
}

impl Chain {
    pub(super) const fn new() -> Self {
        Self { damaged: true, base: None, highest: 0 }
    }

    /// A frame is missing, or a part of one.
    pub(super) const fn damage(&mut self) {
        self.damaged = true;
        self.highest = 0;
    }

    /// Takes the next frame that is whole; whether it can be decoded.
    pub(super) fn take(&mut self, key: bool, layer: Option<TemporalLayer>) -> bool {
        if key {
            self.damaged = false;
            self.base = layer.map(|layer| layer.base);
            return true;
        }
        let Some(TemporalLayer { number, base, switches }) = layer else {
            self.base = None;
            return !self.damaged;
        };
        if self.damaged {
            let expected = self.base.map(|last| if number == 0 { last.wrapping_add(1) } else { last });
            if expected != Some(base) {
                // A count of eight bits fits again by chance: nothing but a key frame mends this.
                self.base = None;
                return false;
            }
            if switches {
                self.highest = self.highest.max(number);
            }
            if number > self.highest {
                return false;
            }
        }
        if number == 0 {
            self.base = Some(base);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(number: u8, base: u8, switches: bool) -> Option<TemporalLayer> {
        Some(TemporalLayer { number, base, switches })
    }

    #[test]
    fn layers_go_on_where_they_can() {
        let mut chain = Chain::new();
        assert!(!chain.take(false, layer(0, 9, true)) && chain.take(true, layer(0, 254, true)));
        assert!(chain.take(false, layer(2, 254, true)) && chain.take(false, layer(1, 254, true)));
        chain.damage();
        // Layer 0 goes on; layer 2 builds on what may be missing, until it switches.
        assert!(chain.take(false, layer(0, 255, false)) && !chain.take(false, layer(2, 255, false)));
        assert!(chain.take(false, layer(1, 255, true)) && !chain.take(false, layer(2, 255, false)));
        assert!(chain.take(false, layer(2, 255, true)) && chain.take(false, layer(0, 0, false)));
        assert!(chain.take(false, layer(2, 0, false)));
        // A frame of layer 0 is missing: none goes on, not even when the count comes round.
        chain.damage();
        assert!(!chain.take(false, layer(0, 2, false)) && !chain.take(false, layer(0, 1, true)));
        assert!(chain.take(true, layer(0, 3, true)) && chain.take(false, layer(1, 3, false)));
    }

    #[test]
    fn without_layers_a_key_frame_is_needed() {
        let mut chain = Chain::new();
        assert!(!chain.take(false, None) && chain.take(true, None) && chain.take(false, None));
        chain.damage();
        assert!(!chain.take(false, None) && !chain.take(false, layer(0, 0, true)) && chain.take(true, None));
    }
}
