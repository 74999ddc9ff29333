//! The reader: from frames to datagrams, each with the shard that it belongs to.

use std::sync::Arc;

use crate::{
    capture::{Batch, Frame, Secrets},
    engine::{
        Analysis, Faults,
        keys::{self, Given, Keys},
    },
    flow::{
        copies::fingerprint,
        datagram::Datagram,
        fragment::{Outcome, Reassembler},
        key::{FlowKey, Transport},
        keyring::Key,
        signalling::{Collector, Datagrams, Signal, TextDatagram},
        tcp::{Connections, Mark, Segment},
    },
    time::PacketId,
    wire::{
        Content, Endpoint, Fragment, IcmpError, Kind, Layer, Malformed, Packet, TcpHeader, parse, parse_plain, resume,
    },
};

/// Logical shards; fixed, so that caps and their effects do not depend on the number of threads.
pub const SHARDS: usize = 16;

/// One thing for a shard to do, kept small: what the frame says is not repeated.
#[derive(Clone, Copy, Debug)]
pub struct Item {
    /// The ends and what runs between them. Not a [`FlowKey`], which has a place for a relay, too: the reader knows none.
    low: Endpoint,
    high: Endpoint,
    transport: Transport,
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
    const NONE: Self = Self {
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
    /// For all flows of the shard: a key was learned, that of this index.
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

/// A batch of frames and what is to be done with them.
#[derive(Debug, Default)]
pub struct Work {
    pub frames: Batch,
    pub buffer: Vec<u8>,
    labels: Vec<&'static str>,
    errors: Vec<(Endpoint, IcmpError)>,
    framed: Vec<(Mark, u32)>,
    keys: Vec<Arc<Key>>,
    /// Items in capture order: by shard, so that what a shard remembers is fetched once for many of its packets; or all
    /// together.
    pub items: Vec<Vec<Item>>,
}

impl Work {
    /// The frame of an item.
    #[inline]
    pub fn frame(&self, item: &Item) -> Option<&Frame> {
        self.frames.frames.get(item.frame as usize)
    }

    /// The bytes of an item of `frame`.
    #[inline]
    pub fn bytes(&self, frame: &Frame, item: &Item) -> &[u8] {
        self.slice(frame, item.place, item.start, item.captured)
    }

    /// The packet of a datagram framed in TCP, by its index, and how often bytes before it were not captured.
    pub fn framed(&self, index: u32) -> Option<(Mark, u32)> {
        self.framed.get(index as usize).copied()
    }

    /// An ICMP error and its sender, by its index.
    pub fn error(&self, index: u32) -> Option<(Endpoint, IcmpError)> {
        self.errors.get(index as usize).copied()
    }

    /// A key, by its index.
    pub fn key(&self, index: u32) -> Option<&Arc<Key>> {
        self.keys.get(index as usize)
    }

    /// The label of an index.
    pub fn label(&self, index: u16) -> &'static str {
        self.labels.get(usize::from(index)).copied().unwrap_or_default()
    }

    /// Empties it, for items in so many lists: [`SHARDS`], or one. Its memory is kept.
    pub fn clear(&mut self, lists: usize) {
        self.buffer.clear();
        self.labels.clear();
        self.errors.clear();
        self.framed.clear();
        self.keys.clear();
        self.items.resize_with(lists, Vec::new);
        self.items.iter_mut().for_each(Vec::clear);
    }

    /// Bytes of `frame`, or of the buffer.
    #[inline]
    fn slice(&self, frame: &Frame, place: Place, start: u32, length: u32) -> &[u8] {
        let whole = match place {
            Place::Frame => self.frames.bytes(frame),
            Place::Buffer => &self.buffer,
        };
        whole.get(start as usize..start as usize + length as usize).unwrap_or_default()
    }

    #[inline(always)]
    fn item(&self, origin: Origin<'_>, packet: &Packet, transport: Transport, task: Task) -> Item {
        let (key, direction) = FlowKey::new(packet.source, packet.destination, transport);
        let (start, length) = (origin.base + packet.payload, packet.length.max(packet.captured));
        let payload = self.slice(origin.frame, origin.place, start, packet.captured);
        Item {
            low: key.low,
            high: key.high,
            transport,
            digest: key.digest(),
            fingerprint: fingerprint(packet.identification, length, payload),
            frame: origin.index,
            start,
            captured: packet.captured,
            length,
            identity: packet.identity ^ origin.frame.interface.wrapping_mul(0x9e37_79b1),
            place: origin.place,
            task,
            direction: direction as u8,
        }
    }

    fn push_label(&mut self, item: &Item, label: &'static str) {
        let index = self.labels.len() as u16;
        self.labels.push(label);
        self.push(Item { task: Task::Label(index), ..*item });
    }

    /// Has each shard told of keys, with the frame of `item`.
    #[cold]
    fn push_keys(&mut self, keys: Vec<Arc<Key>>, item: Item) {
        for key in keys {
            let task = Task::Key(self.keys.len() as u32);
            self.keys.push(key);
            self.items.iter_mut().for_each(|items| items.push(Item { task, ..item }));
        }
    }

    #[inline(always)]
    fn push(&mut self, item: Item) {
        let list = if self.items.len() == 1 { 0 } else { shard_of(item.digest) };
        if let Some(items) = self.items.get_mut(list) {
            items.push(item);
        }
    }
}

/// Where a packet was found: in a frame, or in what was put together when that frame came.
#[derive(Clone, Copy, Debug)]
struct Origin<'a> {
    frame: &'a Frame,
    index: u32,
    place: Place,
    /// Where the bytes that the packet's offsets count from start in the work's buffer.
    base: u32,
}

impl Origin<'_> {
    const fn id(&self) -> PacketId {
        PacketId::new(self.frame.file, self.frame.number)
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
    datagrams: Datagrams,
    signals: Collector,
    /// None until there is a key log.
    keys: Option<Box<Keys>>,
    /// Whether a description had keys.
    has_sdes: bool,
}

impl Reader {
    /// A reader that knows these keys from the start.
    pub fn new(given: Given) -> Self {
        let keys = if given.is_empty() { None } else { Some(Box::new(Keys::new(given))) };
        Self { keys, ..Self::default() }
    }

    /// Takes a block of decryption secrets.
    #[cold]
    pub fn take_secrets(&mut self, secrets: &Secrets) {
        if secrets.kind == Secrets::TLS_KEY_LOG {
            self.keys.get_or_insert_default().take_log(&secrets.bytes);
        }
    }

    /// Finds the datagrams in the frames of `work`.
    pub fn read(&mut self, work: &mut Work) {
        let frames = std::mem::take(&mut work.frames.frames);
        if let Some(keys) = self.keys.as_deref_mut().filter(|_| !frames.is_empty()) {
            let learned = keys.take_learned();
            work.push_keys(learned, Item::NONE);
        }
        for (index, frame) in frames.iter().enumerate() {
            self.read_frame(work, frame, index as u32);
        }
        work.frames.frames = frames;
    }

    /// Gives what was counted.
    pub fn report(mut self, analysis: &mut Analysis) {
        self.connections.end().into_iter().for_each(|signal| self.signals.add(signal));
        self.signals.miss(self.connections.missing());
        analysis.signalling = self.signals.finish();
        analysis.has_keys = self.keys.is_some() || self.has_sdes;
        let counters = self.fragments.counters();
        analysis.faults.merge(self.faults);
        for (total, count) in analysis.reassembled.iter_mut().zip(self.reassembled) {
            *total += count;
        }
        analysis.incomplete += counters.expired + counters.evicted + counters.pending;
        analysis.refused.segments += self.connections.refused();
        analysis.uncaptured = self.connections.uncaptured();
    }

    /// The signals since this was asked last.
    pub fn take_signals(&mut self) -> Vec<Signal> {
        self.signals.take()
    }

    /// Finds the datagrams that the frame at `index` of `work` completes.
    #[inline(always)]
    pub fn read_frame(&mut self, work: &mut Work, frame: &Frame, index: u32) {
        let origin = Origin { frame, index, place: Place::Frame, base: 0 };
        let bytes = work.frames.bytes(frame);
        match parse_plain(frame.link, bytes) {
            Some(packet) => {
                let may_be_text = bytes.get(packet.payload as usize).is_some_and(Datagrams::may_begin_text);
                if may_be_text {
                    return self.read_text(work, origin, &packet);
                }
                let item = work.item(origin, &packet, Transport::Udp, task_of(&packet));
                if self.keys.is_some() {
                    self.learn(work, frame, &item);
                }
                work.push(item);
            }
            None => self.read_unusual(work, origin),
        }
    }

    #[inline(never)]
    fn read_unusual(&mut self, work: &mut Work, origin: Origin<'_>) {
        match parse(origin.frame.link, work.frames.bytes(origin.frame)) {
            Ok(packet) => self.take(work, origin, &packet),
            Err(fault) => self.faults.record(origin.id(), snapped(fault, origin.frame)),
        }
    }

    fn take(&mut self, work: &mut Work, origin: Origin<'_>, packet: &Packet) {
        let hop_limit = packet.hop_limit;
        let (transport, task) = match packet.content {
            Content::Udp => (Transport::Udp, Task::Datagram { hop_limit }),
            Content::Sctp => (Transport::Sctp, Task::Datagram { hop_limit }),
            Content::Tcp(_) => (Transport::Tcp, Task::Packet { hop_limit }),
            Content::Icmp { .. } | Content::IcmpError(_) => (Transport::Icmp, Task::Packet { hop_limit }),
            Content::Ip(protocol) => (Transport::Ip(protocol), Task::Packet { hop_limit }),
            Content::Fragment(fragment) => return self.take_fragment(work, origin, packet, fragment),
            Content::NotIp(_) => return,
        };
        let item = work.item(origin, packet, transport, task);
        if self.keys.is_some() && transport == Transport::Udp {
            self.learn(work, origin.frame, &item);
        }
        work.push(item);
        match packet.content {
            Content::Tcp(header) => self.take_segment(work, origin.frame, &item, header),
            Content::Udp => self.take_text(work, origin.frame, &item),
            Content::IcmpError(error) => take_icmp_error(work, &item, packet.source, error),
            _ => {}
        }
    }

    #[cold]
    fn take_fragment(&mut self, work: &mut Work, origin: Origin<'_>, packet: &Packet, fragment: Fragment) {
        let id = origin.id();
        let piece = work.slice(origin.frame, origin.place, origin.base + packet.payload, packet.captured);
        let datagram = match self.fragments.push(origin.frame.time, packet, &fragment, piece) {
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
                self.take(work, Origin { place: Place::Buffer, base, ..origin }, &packet);
            }
            Err(fault) => self.faults.record(id, fault),
        }
    }

    /// What may be text. Apart from the rest, so that nothing else is kept beyond its place among the items.
    #[cold]
    #[inline(never)]
    fn read_text(&mut self, work: &mut Work, origin: Origin<'_>, packet: &Packet) {
        let item = work.item(origin, packet, Transport::Udp, task_of(packet));
        work.push(item);
        self.take_text(work, origin.frame, &item);
    }

    #[cold]
    fn take_text(&mut self, work: &mut Work, frame: &Frame, item: &Item) {
        let datagram = TextDatagram {
            key: item.key(),
            direction: usize::from(item.direction),
            mark: (frame.time, PacketId::new(frame.file, frame.number)),
            bytes: work.slice(frame, item.place, item.start, item.captured),
            length: item.length as usize,
            fingerprint: item.fingerprint,
            identity: item.identity,
        };
        if let Some(signals) = self.datagrams.push(&datagram) {
            work.push_label(item, "sip");
            self.take_signals_of(work, item, signals);
        }
    }

    /// Looks for keys in what a datagram of the item brings, before the datagram itself.
    #[inline(never)]
    fn learn(&mut self, work: &mut Work, frame: &Frame, item: &Item) {
        let Some(keys) = self.keys.as_deref_mut().filter(|keys| keys.has_log()) else { return };
        let bytes = work.slice(frame, item.place, item.start, item.captured);
        if !matches!(bytes, [0..=3 | 22 | 64..=79, ..]) {
            return;
        }
        let (time, id) = (frame.time, PacketId::new(frame.file, frame.number));
        let (length, direction) = (item.length as usize, usize::from(item.direction));
        keys.take_datagram(item.key(), &Datagram { time, id, bytes, length, direction, holes: 0 });
        let learned = keys.take_learned();
        work.push_keys(learned, *item);
    }

    fn take_signals_of(&mut self, work: &mut Work, item: &Item, signals: Vec<Signal>) {
        for signal in signals {
            let learned: Vec<_> = keys::of_signal(&signal).map(Arc::new).collect();
            self.has_sdes |= !learned.is_empty();
            work.push_keys(learned, *item);
            self.signals.add(signal);
        }
    }

    #[cold]
    fn take_segment(&mut self, work: &mut Work, frame: &Frame, item: &Item, header: TcpHeader) {
        if header.has(TcpHeader::SYN) && !header.has(TcpHeader::ACK) {
            work.push(Item { task: Task::Open, ..*item });
        }
        let payload = work.slice(frame, item.place, item.start, item.captured);
        let length = item.length as usize;
        let mark = (frame.time, PacketId::new(frame.file, frame.number));
        let direction = usize::from(item.direction);
        let findings = self.connections.push(item.key(), &Segment { mark, direction, header, payload, length });
        if let Some(label) = findings.label {
            work.push_label(item, label);
        }
        self.take_signals_of(work, item, findings.signals);
        for message in findings.datagrams {
            let (start, captured) = (work.buffer.len() as u32, message.bytes.len() as u32);
            work.buffer.extend_from_slice(&message.bytes);
            let (place, task) = (Place::Buffer, Task::Framed(work.framed.len() as u32));
            work.framed.push((message.mark, message.holes));
            // What an acknowledgment shows to be delivered went the other way.
            let (direction, length) = (message.direction as u8, message.length as u32);
            let framed = Item { task, place, start, captured, length, direction, ..*item };
            if self.keys.is_some() {
                self.learn(work, frame, &framed);
            }
            work.push(framed);
        }
    }
}

/// What is to be done with a UDP datagram.
#[inline(always)]
const fn task_of(packet: &Packet) -> Task {
    Task::Datagram { hop_limit: packet.hop_limit }
}

fn take_icmp_error(work: &mut Work, item: &Item, sender: Endpoint, error: IcmpError) {
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
    let task = Task::IcmpError(work.errors.len() as u32);
    work.errors.push((sender, error));
    let FlowKey { low, high, .. } = key;
    work.push(Item { low, high, transport, digest: key.digest(), task, direction: direction as u8, ..*item });
}

/// A header that ends early in a frame that was snapped is the capture's doing, not the sender's.
fn snapped(fault: Malformed, frame: &Frame) -> Malformed {
    if frame.captured < frame.original && fault.kind == Kind::TooShort {
        return Malformed { kind: Kind::Snapped, ..fault };
    }
    fault
}
