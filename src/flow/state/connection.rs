//! What the TCP connection of a flow shows, beside its datagrams.

use super::Flow;

impl Flow {
    /// Names what the bytes of a TCP connection were recognised as.
    pub const fn set_label(&mut self, label: &'static str) {
        self.label = Some(label);
    }

    /// Notes that `direction` opens the connection: it sent a SYN that answers none. Both may (RFC 9293 section 3.5).
    pub fn note_open(&mut self, direction: usize) {
        if let Some(opened) = self.opened.get_mut(direction & 1) {
            *opened = true;
        }
    }
}
