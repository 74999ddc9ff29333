//! The reader: from frames to datagrams, each with the shard that it belongs to.

use crate::{
    capture::{Batch, Frame},
    engine::{Analysis, Faults},
    flow::{
        fragment::{Outcome, Reassembler},
        key::{FlowKey, Transport},
        tcp::Connections,
    },
    time::{PacketId, Timestamp},
    wire::{Content, Endpoint, IcmpError, Kind, Layer, Malformed, Packet, TcpHeader, parse, resume},
};

/// Logical shards; fixed, so that caps and their effects do not depend on the number of threads.
pub const SHARDS: usize = 16;

/// One thing for a shard to do.
#[derive(Clone, Copy, Debug)]
pub struct Item {
    pub key: FlowKey,
    pub digest: u64,
    pub time: Timestamp,
    pub id: PacketId,
    pub task: Task,
    /// Where the bytes are: a frame of the batch, or the batch's own buffer of reassembled bytes.
    pub place: Place,
    pub start: u32,
    pub captured: u32,
    pub length: u32,
    pub identity: u32,
    pub identification: u32,
    pub direction: u8,
}

/// What to do with an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Count the packet and look into it.
    Datagram,
    /// Count the packet only: a TCP segment, another protocol.
    Packet,
    /// Look into a datagram whose packets are counted already: it was framed in TCP.
    Framed,
    /// An ICMP error cites the flow.
    IcmpError,
    /// The bytes of the connection were recognised.
    Label(&'static str),
}

/// Where an item's bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a frame of the batch, by its index.
    Frame(u32),
    /// In the work's own buffer.
    Buffer,
}

/// A batch of frames and what is to be done with them.
#[derive(Debug, Default)]
pub struct Work {
    pub frames: Batch,
    pub buffer: Vec<u8>,
    /// Items by worker, in capture order.
    pub items: Vec<Vec<Item>>,
}

impl Work {
    /// The bytes of an item.
    #[inline]
    pub fn bytes(&self, item: &Item) -> &[u8] {
        let whole = match item.place {
            Place::Frame(index) => self.frames.frames.get(index as usize).map(|frame| self.frames.bytes(frame)),
            Place::Buffer => Some(self.buffer.as_slice()),
        };
        let range = item.start as usize..item.start as usize + item.captured as usize;
        whole.and_then(|bytes| bytes.get(range)).unwrap_or_default()
    }

    /// Bytes of `frame`, or of the buffer.
    fn slice(&self, frame: &Frame, place: Place, start: u32, length: u32) -> &[u8] {
        let whole = match place {
            Place::Frame(_) => self.frames.bytes(frame),
            Place::Buffer => &self.buffer,
        };
        whole.get(start as usize..start as usize + length as usize).unwrap_or_default()
    }

    /// Empties it for `workers` workers; its memory is kept.
    pub fn clear(&mut self, workers: usize) {
        self.buffer.clear();
        self.items.resize_with(workers, Vec::new);
        self.items.iter_mut().for_each(Vec::clear);
    }

    fn push(&mut self, item: Item) {
        let workers = self.items.len().max(1);
        if let Some(items) = self.items.get_mut(shard_of(item.digest) % workers) {
            items.push(item);
        }
    }
}

/// The shard of a flow.
#[inline]
pub const fn shard_of(digest: u64) -> usize {
    (digest >> 40) as usize % SHARDS
}

/// What the reader remembers from frame to frame.
#[derive(Debug, Default)]
pub struct Reader {
    fragments: Reassembler,
    connections: Connections,
    faults: Faults,
    reassembled: Vec<u64>,
}

impl Reader {
    /// Finds the datagrams in the frames of `work`.
    pub fn read(&mut self, work: &mut Work) {
        let frames = std::mem::take(&mut work.frames.frames);
        for (index, frame) in frames.iter().enumerate() {
            self.read_frame(work, frame, index as u32);
        }
        work.frames.frames = frames;
    }

    /// Gives what was counted.
    pub fn report(self, analysis: &mut Analysis) {
        let counters = self.fragments.counters();
        analysis.faults.merge(self.faults);
        for (total, count) in analysis.reassembled.iter_mut().zip(self.reassembled) {
            *total += count;
        }
        analysis.incomplete += counters.expired + counters.evicted + counters.pending;
        analysis.refused.segments += self.connections.refused();
    }

    #[inline]
    fn read_frame(&mut self, work: &mut Work, frame: &Frame, index: u32) {
        let id = PacketId::new(frame.file, frame.number);
        match parse(frame.link, work.frames.bytes(frame)) {
            Ok(packet) => self.take(work, frame, id, &packet, Place::Frame(index), 0),
            Err(fault) => self.faults.record(id, snapped(fault, frame)),
        }
    }

    #[inline]
    fn take(&mut self, work: &mut Work, frame: &Frame, id: PacketId, packet: &Packet, place: Place, base: u32) {
        let (transport, task) = match packet.content {
            Content::Udp => (Transport::Udp, Task::Datagram),
            Content::Sctp => (Transport::Sctp, Task::Datagram),
            Content::Tcp(_) => (Transport::Tcp, Task::Packet),
            Content::Icmp { .. } | Content::IcmpError(_) => (Transport::Icmp, Task::Packet),
            Content::Ip(protocol) => (Transport::Ip(protocol), Task::Packet),
            Content::Fragment(fragment) => return self.take_fragment(work, frame, id, packet, fragment, place, base),
            Content::NotIp(_) => return,
        };
        let (key, direction) = FlowKey::new(packet.source, packet.destination, transport);
        let item = Item {
            key,
            digest: key.digest(),
            time: frame.time,
            id,
            task,
            place,
            start: base + packet.payload,
            captured: packet.captured,
            length: packet.length.max(packet.captured),
            identity: packet.identity ^ frame.interface.wrapping_mul(0x9e37_79b1),
            identification: packet.identification,
            direction: direction as u8,
        };
        work.push(item);
        match packet.content {
            Content::Tcp(header) => self.take_segment(work, frame, &item, header),
            Content::IcmpError(error) => take_icmp_error(work, &item, &error),
            _ => {}
        }
    }

    #[cold]
    #[expect(clippy::too_many_arguments, reason = "the state of one frame on its way through the reader")]
    fn take_fragment(
        &mut self,
        work: &mut Work,
        frame: &Frame,
        id: PacketId,
        packet: &Packet,
        fragment: crate::wire::Fragment,
        place: Place,
        base: u32,
    ) {
        let piece = work.slice(frame, place, base + packet.payload, packet.captured);
        let datagram = match self.fragments.push(frame.time, packet, &fragment, piece) {
            Outcome::Pending => return,
            Outcome::Discarded(kind) => return self.faults.record(id, Malformed::new(Layer::Fragment, kind, 0)),
            Outcome::Complete(datagram) => datagram,
        };
        if self.reassembled.len() <= usize::from(id.file()) {
            self.reassembled.resize(usize::from(id.file()) + 1, 0);
        }
        if let Some(count) = self.reassembled.get_mut(usize::from(id.file())) {
            *count += 1;
        }
        match resume(packet, &datagram) {
            Ok(packet) => {
                let base = work.buffer.len() as u32;
                work.buffer.extend_from_slice(&datagram);
                self.take(work, frame, id, &packet, Place::Buffer, base);
            }
            Err(fault) => self.faults.record(id, fault),
        }
    }

    #[cold]
    fn take_segment(&mut self, work: &mut Work, frame: &Frame, item: &Item, header: TcpHeader) {
        let payload = work.slice(frame, item.place, item.start, item.captured);
        let length = item.length as usize;
        let findings = self.connections.push(item.key, usize::from(item.direction), header, payload, length);
        if let Some(label) = findings.label {
            work.push(Item { task: Task::Label(label), ..*item });
        }
        for datagram in findings.datagrams {
            let (start, length) = (work.buffer.len() as u32, datagram.len() as u32);
            work.buffer.extend_from_slice(&datagram);
            let place = Place::Buffer;
            work.push(Item { task: Task::Framed, place, start, captured: length, length, ..*item });
        }
    }
}

fn take_icmp_error(work: &mut Work, item: &Item, error: &IcmpError) {
    let transport = match error.protocol {
        6 => Transport::Tcp,
        17 => Transport::Udp,
        132 => Transport::Sctp,
        _ => return,
    };
    let (key, direction) = FlowKey::new(error.original_source, error.original_destination, transport);
    if error.original_source == Endpoint::v4([0; 4], 0) {
        return;
    }
    work.push(Item { key, digest: key.digest(), task: Task::IcmpError, direction: direction as u8, ..*item });
}

/// A header that ends early in a frame that was snapped is the capture's doing, not the sender's.
fn snapped(fault: Malformed, frame: &Frame) -> Malformed {
    if frame.captured < frame.original && fault.kind == Kind::TooShort {
        return Malformed { kind: Kind::Snapped, ..fault };
    }
    fault
}
