//! What is left of a handshake in a capture of short packets.

use super::{Association, Seen};
use crate::wire::dtls::handshake::handshake_type;

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
}
