//! The streams on their way to files.

use super::{
    folder::{Folder, Spill},
    plan::{Plan, Stream, Use},
};
use crate::{
    extract::{Error, Extracted, Packet, RtpDump, Sink, Track},
    flow::decrypt::Unopened,
    time::Timestamp,
    wire::rtp::Header,
};
use std::{cell::RefCell, rc::Rc};

type Opens = Box<dyn FnMut(&str) -> Result<Sink<Spill>, Error>>;

/// What became of the packets of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// All of them, each once.
    pub(super) packets: u64,
    /// SRTP packets that authenticated.
    pub(super) opened: u64,
    /// SRTP packets that did not.
    pub(super) failed: u64,
    /// Packets that the capture has only the start of.
    pub(super) cut: u64,
    /// Retransmissions that came for it.
    pub(super) retransmissions: u64,
}

/// A stream and its files.
pub(super) struct Output {
    pub(super) tally: Tally,
    track: Option<Track<Spill, Opens>>,
    dump: Option<RtpDump<Spill>>,
    /// Whether there is a dump, or is to be one.
    dumps: bool,
}

/// What came of a stream.
pub(super) struct Done {
    pub(super) tally: Tally,
    pub(super) extracted: Extracted,
    pub(super) is_dumped: bool,
}

/// A packet of a stream, as it was captured.
pub(super) struct Captured<'a> {
    pub(super) at: Timestamp,
    /// Its bytes; in clear, or what was made clear of them.
    pub(super) clear: Result<&'a [u8], Unopened>,
    /// Whether it was opened: its tag matched.
    pub(super) is_opened: bool,
    /// How long it was on the wire.
    pub(super) length: usize,
}

/// All streams and their files.
pub(super) struct Media<'p> {
    plan: &'p Plan,
    folder: Option<Rc<RefCell<Folder>>>,
    outputs: Vec<Output>,
}

impl<'p> Media<'p> {
    /// Nothing is written without a folder.
    pub(super) fn new(plan: &'p Plan, folder: Option<&Rc<RefCell<Folder>>>, dumps: bool) -> Self {
        let output = |stream: &Stream| {
            let opens = folder.map(|folder| {
                let (folder, name) = (Rc::clone(folder), stream.name.clone());
                Box::new(move |extension: &str| folder.borrow_mut().create(&name, extension)) as Opens
            });
            let track = match (&stream.use_, opens) {
                (Use::Media(formats), Some(opens)) => Some(Track::new(formats.clone(), stream.ssrc, opens)),
                _ => None,
            };
            Output { tally: Tally::default(), track, dump: None, dumps: dumps && folder.is_some() }
        };
        Self { plan, folder: folder.cloned(), outputs: plan.streams.iter().map(output).collect() }
    }

    /// Takes a packet of the stream of this index.
    pub(super) fn push(&mut self, index: usize, packet: &Captured<'_>) -> Result<(), Error> {
        let (Some(stream), Some(output)) = (self.plan.streams.get(index), self.outputs.get_mut(index)) else {
            return Ok(());
        };
        output.tally.packets += 1;
        let bytes = match packet.clear {
            Ok(bytes) => bytes,
            Err(unopened) => {
                let count = if unopened == Unopened::Cut { &mut output.tally.cut } else { &mut output.tally.failed };
                *count += 1;
                return Ok(());
            }
        };
        output.tally.opened += u64::from(packet.is_opened);
        if bytes.len() < packet.length && !packet.is_opened {
            output.tally.cut += 1;
            return Ok(());
        }
        if let Some(folder) = &self.folder
            && output.dumps
            && !matches!(stream.use_, Use::SeenBefore)
        {
            output.dump(stream, folder, packet.at, bytes)?;
        }
        self.play(index, packet.at, bytes)
    }

    /// Gives an RTP packet in clear to the track that it belongs to.
    fn play(&mut self, index: usize, at: Timestamp, bytes: &[u8]) -> Result<(), Error> {
        let Ok(header) = Header::parse(bytes, bytes.len()) else { return Ok(()) };
        let padding = header.padding_length(false).ok().flatten().unwrap_or_default();
        let payload = header.payload();
        let payload = payload.get(..payload.len().saturating_sub(padding)).unwrap_or_default();
        let fixed = header.fixed;
        let packet = Packet {
            at,
            sequence: fixed.sequence,
            timestamp: fixed.timestamp,
            marker: fixed.marker(),
            payload_type: fixed.payload_type(),
            payload,
        };
        match self.plan.streams.get(index).map(|stream| &stream.use_) {
            Some(Use::Media(_)) => self.give(index, &packet),
            Some(Use::Retransmission(of, types)) => {
                // RFC 4588 section 4: the sequence number of the original is ahead of its payload.
                let (Some(payload_type), Some((sequence, payload))) =
                    (types.get(&packet.payload_type), payload.split_first_chunk())
                else {
                    return Ok(());
                };
                if let Some(output) = self.outputs.get_mut(*of) {
                    output.tally.retransmissions += 1;
                }
                let sequence = u16::from_be_bytes(*sequence);
                self.give(*of, &Packet { sequence, payload_type: *payload_type, payload, ..packet })
            }
            _ => Ok(()),
        }
    }

    fn give(&mut self, index: usize, packet: &Packet<'_>) -> Result<(), Error> {
        let track = self.outputs.get_mut(index).and_then(|output| output.track.as_mut());
        track.map_or(Ok(()), |track| track.push(packet))
    }

    /// Ends all files.
    pub(super) fn finish(self) -> Result<Vec<Done>, Error> {
        self.outputs.into_iter().map(Output::finish).collect()
    }
}

impl Output {
    fn dump(&mut self, stream: &Stream, folder: &RefCell<Folder>, at: Timestamp, packet: &[u8]) -> Result<(), Error> {
        let dump = match &mut self.dump {
            Some(dump) => dump,
            none => {
                let sink = folder.borrow_mut().create(&stream.name, "rtpdump")?;
                none.insert(RtpDump::create(sink, stream.source, at)?)
            }
        };
        dump.write(at, packet, false)
    }

    fn finish(self) -> Result<Done, Error> {
        let is_dumped = self.dump.is_some();
        if let Some(dump) = self.dump {
            dump.finish()?;
        }
        let extracted = self.track.map(Track::finish).transpose()?.unwrap_or_default();
        Ok(Done { tally: self.tally, extracted, is_dumped })
    }
}
