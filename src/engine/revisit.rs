//! A capture that was analyzed, read again: each frame with the datagrams it completes, and what the analysis knows them
//! to be. One thread, in capture order, memory as in the analysis.

use std::{collections::VecDeque, mem::take, sync::Arc};

use rustc_hash::FxHashMap;

use crate::{
    capture::{Capture, Frame, ReadError},
    engine::{
        Analysis, BATCH,
        item::{self, Item, Task},
        keys::Given,
        reader::{Reader, Work},
    },
    flow::{
        Protocol,
        copies::{Copies, Sort},
        datagram::Datagram,
        identify::{Identifier, Identity, identify_alone},
        key::FlowKey,
        keyring::{Key, Keyring},
        signalling::Signal,
        turn::{Relayed, Turn},
    },
    time::PacketId,
    wire::{Content, Fragment, Malformed, Packet, parse, resume, stun::Message},
};

/// IP packets whose pieces are remembered at a time, and pieces of each.
const PIECED: usize = 256;
const PIECES: usize = 64;

/// Reads frames again and tells what they are.
#[derive(Debug)]
pub struct Revisit<'a> {
    flows: Vec<Identifier<'a>>,
    /// Where the flows of a key are among `flows`: how many can only be more than one where an idle one was ended.
    places: FxHashMap<FlowKey, (usize, usize)>,
    turns: FxHashMap<FlowKey, Turn>,
    copies: FxHashMap<FlowKey, [Copies; 2]>,
    pieces: VecDeque<(Packet, Vec<PacketId>)>,
    reader: Reader,
    keys: Keyring,
    work: Work,
    next: usize,
}

/// A frame.
#[derive(Debug)]
pub struct Visit<'a> {
    /// What the container says of it.
    pub frame: Frame,
    /// Its captured bytes.
    pub bytes: &'a [u8],
    /// Its innermost packet.
    pub packet: Result<Packet, Malformed>,
    /// What the fragments that end with this frame are together, offsets being from the start of [`Visit::whole`].
    pub reassembled: Option<Packet>,
    /// The IP payload of those fragments; empty where there are none.
    pub whole: &'a [u8],
    /// The frames of those fragments, this one last.
    pub pieces: Vec<PacketId>,
    /// The datagrams that it completes: one, but none of TCP where no message ends in it, or several.
    pub datagrams: Vec<Found<'a>>,
    /// The signalling that it completes.
    pub signals: Vec<Signal>,
    /// What the bytes of its TCP connection were recognised as.
    pub label: Option<&'static str>,
    /// Whether it was captured before at another place.
    pub copy: bool,
}

/// A datagram, and what it is.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// Its flow.
    pub key: FlowKey,
    /// The datagram.
    pub datagram: Datagram<'a>,
    /// What it is.
    pub identity: Identity,
    /// Where its bytes are.
    pub place: Place,
    /// What a TURN message carries.
    pub inner: Option<Inner<'a>>,
}

/// Where the bytes of a datagram are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// So many bytes into the frame.
    Frame(usize),
    /// So many bytes into [`Visit::whole`].
    Whole(usize),
    /// In a TCP stream, of which this segment has the last bytes.
    Stream,
}

/// A datagram inside a TURN message.
#[derive(Clone, Copy, Debug)]
pub struct Inner<'a> {
    /// Its flow.
    pub key: FlowKey,
    /// The datagram.
    pub datagram: Datagram<'a>,
    /// What it is.
    pub identity: Identity,
}

impl<'a> Revisit<'a> {
    /// One that knows what `analysis` found.
    #[must_use]
    pub fn new(analysis: &'a Analysis) -> Self {
        Self::with_keys(analysis, Given::default())
    }

    /// The same with keys: those given, and those that the capture brings, are learned as the analysis learned them.
    #[must_use]
    pub fn with_keys(analysis: &'a Analysis, mut given: Given) -> Self {
        let mut flows: Vec<_> = analysis.flows.iter().map(Identifier::new).collect();
        flows.sort_by_key(|flow| (flow.record().key, flow.record().first.0, flow.record().first.1));
        let mut places = FxHashMap::default();
        for (index, flow) in flows.iter().enumerate() {
            places.entry(flow.record().key).or_insert((index, 0)).1 += 1;
        }
        let has_copies = flows.iter().filter(|flow| flow.record().copies > 0);
        let copies = has_copies.map(|flow| (flow.record().key, Default::default())).collect();
        let keys = Keyring::default();
        take(&mut given.srtp).into_iter().for_each(|key| keys.learn(Arc::new(Key::Srtp(key))));
        Self {
            flows,
            places,
            turns: FxHashMap::default(),
            copies,
            pieces: VecDeque::new(),
            reader: Reader::new(given),
            keys,
            work: Work::default(),
            next: 0,
        }
    }

    /// The keys that were learned up to the frame that was told last. Clones are joined by those that follow.
    #[must_use]
    pub const fn keys(&self) -> &Keyring {
        &self.keys
    }

    /// The next frame, `None` after the last. `capture` must deliver what the analysis read.
    ///
    /// # Errors
    /// When reading fails.
    pub fn next(&mut self, capture: &mut Capture) -> Result<Option<Visit<'_>>, ReadError> {
        while self.next >= self.work.frames.frames.len() {
            self.next = 0;
            if !capture.fill(&mut self.work.frames, BATCH)? && self.work.frames.frames.is_empty() {
                return Ok(None);
            }
            for secrets in capture.take_secrets() {
                self.reader.take_secrets(&secrets);
            }
        }
        let Some(frame) = self.work.frames.frames.get(self.next).copied() else { return Ok(None) };
        self.work.clear(1);
        self.reader.read_frame(&mut self.work, &frame, self.next as u32);
        self.next += 1;
        Ok(Some(self.visit(frame)))
    }

    fn visit(&mut self, frame: Frame) -> Visit<'_> {
        // What is borrowed for the visit and what changes while it is made are different fields.
        let Self { flows, places, turns, copies, pieces, reader, keys, work, .. } = self;
        let known = Known { flows, places };
        let bytes = work.frames.bytes(&frame);
        let packet = parse(frame.link, bytes);
        let mut visit = Visit {
            frame,
            bytes,
            packet,
            reassembled: None,
            whole: &[],
            pieces: Vec::new(),
            datagrams: Vec::new(),
            signals: reader.take_signals(),
            label: None,
            copy: false,
        };
        let items = work.items.first().map(Vec::as_slice).unwrap_or_default();
        if let Ok(Packet { content: Content::Fragment(fragment), .. }) = packet {
            visit.note_piece(pieces, fragment, items.first(), work);
        }
        for item in items {
            let datagram = Datagram {
                time: frame.time,
                id: PacketId::new(frame.file, frame.number),
                bytes: work.bytes(&frame, item),
                length: item.length as usize,
                direction: usize::from(item.direction),
                holes: 0,
            };
            match item.task {
                Task::Datagram { .. } | Task::Packet { .. } => {
                    if let Some(copies) =
                        copies.get_mut(&item.key()).and_then(|both| both.get_mut(datagram.direction & 1))
                    {
                        let sort = Sort::of(item.key().transport, datagram.bytes);
                        visit.copy = copies.is_copy(frame.time, item.identity, item.fingerprint, sort);
                    }
                    if matches!(item.task, Task::Packet { .. }) {
                        visit.label = known.flow(&item.key(), &datagram).and_then(|flow| flow.record().label);
                        continue;
                    }
                }
                Task::Framed(_) => {}
                Task::Key(index) => {
                    work.key(index).into_iter().for_each(|key| keys.learn(Arc::clone(key)));
                    continue;
                }
                Task::IcmpError(_) | Task::Label(_) | Task::Open => continue,
            }
            let place = match item.place {
                _ if matches!(item.task, Task::Framed(_)) => Place::Stream,
                item::Place::Frame => Place::Frame(item.start as usize),
                item::Place::Buffer => Place::Whole(item.start as usize),
            };
            visit.datagrams.push(known.find(turns, item.key(), datagram, place));
        }
        visit
    }
}

impl<'a> Visit<'a> {
    /// Remembers a fragment, or, where it is the last, tells what they are together.
    fn note_piece(
        &mut self,
        pieces: &mut VecDeque<(Packet, Vec<PacketId>)>,
        fragment: Fragment,
        item: Option<&Item>,
        work: &'a Work,
    ) {
        let Ok(packet) = self.packet else { return };
        let id = PacketId::new(self.frame.file, self.frame.number);
        let of_one = |(other, _): &(Packet, Vec<PacketId>)| {
            matches!(other.content, Content::Fragment(piece) if piece.identification == fragment.identification)
                && (other.source, other.destination, other.identity)
                    == (packet.source, packet.destination, packet.identity)
        };
        let index = pieces.iter().position(of_one).unwrap_or_else(|| {
            if pieces.len() >= PIECED {
                pieces.pop_front();
            }
            pieces.push_back((packet, Vec::new()));
            pieces.len() - 1
        });
        if let Some((_, ids)) = pieces.get_mut(index).filter(|(_, ids)| ids.len() < PIECES) {
            ids.push(id);
        }
        let Some(item) = item.filter(|item| item.place == item::Place::Buffer) else { return };
        self.pieces = pieces.remove(index).map(|(_, ids)| ids).unwrap_or_default();
        let end = item.start as usize + item.captured as usize;
        self.whole = work.buffer.get(..end).unwrap_or_default();
        // Fragments inside of fragments are together what their datagram says; the way to it is not shown.
        self.reassembled =
            resume(&packet, self.whole).ok().filter(|whole| !matches!(whole.content, Content::Fragment(_)));
    }
}

/// The flows, and where they are.
#[derive(Clone, Copy)]
struct Known<'k, 'a> {
    flows: &'k [Identifier<'a>],
    places: &'k FxHashMap<FlowKey, (usize, usize)>,
}

impl<'k, 'a> Known<'k, 'a> {
    fn find<'d>(
        self,
        turns: &mut FxHashMap<FlowKey, Turn>,
        key: FlowKey,
        datagram: Datagram<'d>,
        place: Place,
    ) -> Found<'d> {
        let flow = self.flow(&key, &datagram);
        let mut identity = identify(flow, &datagram);
        let relayed = flow.and_then(|flow| open(flow, turns, &datagram, &mut identity));
        let inner = relayed.map(|Relayed { key, datagram }| {
            let flow = self.flow(&key, &datagram);
            Inner { key, datagram, identity: identify(flow, &datagram) }
        });
        Found { key, datagram, identity, place, inner }
    }

    /// The flow of a key at the time of a datagram.
    fn flow(self, key: &FlowKey, datagram: &Datagram<'_>) -> Option<&'k Identifier<'a>> {
        let &(start, count) = self.places.get(key)?;
        let flows = self.flows.get(start..start + count)?;
        let later = |flow: &&Identifier<'_>| flow.record().first.0 <= datagram.time;
        flows.iter().rev().find(later).or_else(|| flows.first())
    }
}

fn identify(flow: Option<&Identifier<'_>>, datagram: &Datagram<'_>) -> Identity {
    let alone = || Identity { protocol: identify_alone(datagram), encrypted: false };
    flow.map_or_else(alone, |flow| flow.identify(datagram))
}

/// What a TURN message carries. That a datagram is ChannelData only the channels tell.
fn open<'d>(
    flow: &Identifier<'_>,
    turns: &mut FxHashMap<FlowKey, Turn>,
    datagram: &Datagram<'d>,
    identity: &mut Identity,
) -> Option<Relayed<'d>> {
    let record = flow.record();
    match (identity.protocol, datagram.bytes) {
        (Protocol::Stun, _) if record.is_turn() => {
            let message = Message::parse_captured(datagram.bytes, datagram.length).ok()?;
            turns.entry(record.key).or_default().push_stun(&record.key, datagram, &message)
        }
        (Protocol::ClassicStun, _) if record.is_turn() => {
            let message = Message::parse_classic(datagram.bytes).ok()?;
            let message = Some(message).filter(Message::is_ms_turn)?;
            turns.entry(record.key).or_default().push_stun(&record.key, datagram, &message)
        }
        (_, [0x40..=0x7f, ..]) if record.count(Protocol::ChannelData) > 0 => {
            let relayed = turns.entry(record.key).or_default().push_channel_data(&record.key, datagram)?;
            identity.protocol = Protocol::ChannelData;
            Some(relayed)
        }
        _ => None,
    }
}
