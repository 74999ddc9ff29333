//! One datagram on its way into a flow.

use crate::time::{PacketId, Timestamp};

/// A datagram: a UDP payload, a message framed in TCP, an SCTP packet, or what a TURN message carried.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// When it was captured.
    pub time: Timestamp,
    /// The packet that it was in.
    pub id: PacketId,
    /// The captured bytes.
    pub bytes: &'a [u8],
    /// Bytes on the wire; more than `bytes` where the capture was snapped.
    pub length: usize,
    /// 0 from the flow's lower endpoint, 1 from the higher.
    pub direction: usize,
    /// How often before it bytes of its TCP connection were not captured, in which datagrams may have been.
    pub holes: u32,
}

impl Datagram<'_> {
    /// Whether the capture holds only its first bytes.
    #[must_use]
    pub const fn is_snapped(&self) -> bool {
        self.bytes.len() < self.length
    }
}
