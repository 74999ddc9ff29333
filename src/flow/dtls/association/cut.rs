//! What is left of a handshake in a capture of short packets.

use super::{Association, Offer, Seen};
use crate::wire::dtls::handshake::{Handshake, ServerHello, handshake_type};

impl Association {
    /// Takes a handshake record in clear that the capture cut before the end of its message's header: what is left of
    /// `content` may name the type.
    pub fn cut_handshake(&mut self, content: &[u8], seen: Seen) {
        self.touch(seen);
        self.record.cut_handshakes += 1;
        let Some(kind) = content.first() else { return };
        self.learn_client(*kind, seen.direction);
        if *kind == handshake_type::CLIENT_HELLO {
            self.record.cut_hello.get_or_insert(seen.at);
        }
        if self.record.client != Some(seen.direction) {
            self.server_spoke = true;
        }
    }

    /// Reads the start of a hello that was not captured to its end.
    pub(super) fn read_opening(&mut self, index: usize, handshake: &Handshake<'_>, seen: Seen) {
        let snapped = handshake.body.len() < handshake.fragment_length as usize;
        if !snapped || handshake.fragment_offset > 0 {
            return;
        }
        match handshake.message_type {
            handshake_type::CLIENT_HELLO if self.record.offer.is_none() => {
                let is_client = self.record.client == Some(seen.direction);
                let (Some(random), Some(version)) = (handshake.random(), handshake.legacy_version()) else { return };
                self.record.offer = is_client.then(|| Offer { random: *random, version, ..Offer::default() });
            }
            handshake_type::SERVER_HELLO if self.record.choice.is_none() => {
                let Ok(hello) = ServerHello::parse_opening(handshake.body) else { return };
                self.server_hello(index, &hello);
            }
            _ => {}
        }
    }
}
