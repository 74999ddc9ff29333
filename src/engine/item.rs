//! What the reader asks of the shards.

use crate::{
    flow::key::{FlowKey, Transport},
    wire::Endpoint,
};

/// One thing for a shard to do, kept small: what the frame says is not repeated.
#[derive(Clone, Copy, Debug)]
pub struct Item {
    /// The ends and what runs between them. Not a [`FlowKey`], which has a place for a relay, too: the reader knows none.
    pub low: Endpoint,
    /// See `low`.
    pub high: Endpoint,
    /// See `low`.
    pub transport: Transport,
    pub digest: u64,
    /// What is the same wherever the packet is captured, taken here while its bytes are at hand.
    pub fingerprint: u64,
    /// The frame, by its index in the batch.
    pub frame: u32,
    /// Where the bytes are in it, or in the work's own buffer.
    pub start: u32,
    pub captured: u32,
    pub length: u32,
    pub identity: u32,
    pub place: Place,
    pub task: Task,
    pub direction: u8,
}

impl Item {
    /// What belongs to no flow, at the first frame.
    pub const NONE: Self = Self {
        low: Endpoint::v4([0; 4], 0),
        high: Endpoint::v4([0; 4], 0),
        transport: Transport::Udp,
        digest: 0,
        fingerprint: 0,
        frame: 0,
        start: 0,
        captured: 0,
        length: 0,
        identity: 0,
        place: Place::Frame,
        task: Task::Open,
        direction: 0,
    };

    /// The flow that it belongs to.
    pub const fn key(&self) -> FlowKey {
        FlowKey { low: self.low, high: self.high, transport: self.transport, relay: None }
    }

    /// Whether it belongs to the flow of this key.
    #[inline(always)]
    pub fn is_of(&self, key: &FlowKey) -> bool {
        self.low == key.low && self.high == key.high && self.transport == key.transport && key.relay.is_none()
    }
}

/// What to do with an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Count the packet and look into it.
    Datagram { hop_limit: u8 },
    /// Count the packet only: a TCP segment, another protocol.
    Packet { hop_limit: u8 },
    /// Look into a datagram whose packets are counted already: it was framed in TCP. Which of them brought its last
    /// byte, maybe one of an earlier batch, has this index.
    Framed(u32),
    /// An ICMP error cites the flow: the error of this index.
    IcmpError(u32),
    /// Note that the sender opens a TCP connection.
    Open,
    /// The bytes of the connection were recognised: as the label of this index.
    Label(u16),
    /// For all flows of all shards: a key was learned, that of this index.
    Key(u32),
}

/// Where an item's bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In its frame.
    Frame,
    /// In the work's own buffer.
    Buffer,
}
