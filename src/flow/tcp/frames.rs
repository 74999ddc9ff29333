//! The frames in the bytes of one direction. Bytes that the capture does not have, cut by the snap length or in segments
//! that it misses, end no frame early and begin none: the length of the frame tells where the next one starts, or the
//! next segment does that evidently starts one.

use super::{
    Mark,
    framing::{Framing, Sender, sender},
};

/// Senders that a frame is recognised by where none is known to begin.
const SENDERS: usize = 16;

/// The frames of one direction.
#[derive(Debug, Default)]
pub struct Frames {
    /// Captured bytes from the start of a frame on.
    buffer: Vec<u8>,
    /// Which packet brought the bytes up to which place of the buffer.
    marks: Vec<(usize, Mark)>,
    /// The frame in which captured bytes ended.
    cut: Option<Cut>,
    /// Whether it is not known where the next frame starts.
    lost: bool,
    holes: u32,
    senders: Vec<Sender>,
}

/// A frame of which not all bytes are captured.
#[derive(Debug)]
struct Cut {
    /// The first bytes of its datagram.
    bytes: Vec<u8>,
    /// Bytes of the datagram.
    length: usize,
    /// Bytes of the frame that are to come.
    rest: usize,
    /// The last packet that brought some.
    mark: Mark,
}

/// A datagram that was framed in TCP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The packet that brought its last byte.
    pub mark: Mark,
    /// The direction in its flow.
    pub direction: usize,
    /// Its captured bytes.
    pub bytes: Vec<u8>,
    /// Its bytes on the wire.
    pub length: usize,
    /// How often bytes before it were not captured in which other datagrams may have been.
    pub holes: u32,
}

/// Captured bytes in their order.
#[derive(Clone, Copy, Debug)]
pub struct Piece<'a> {
    /// The bytes.
    pub bytes: &'a [u8],
    /// Bytes on the wire, those that were cut included.
    pub length: usize,
    /// The packet that they came in.
    pub mark: Mark,
    /// The direction in its flow.
    pub direction: usize,
}

impl Frames {
    /// Takes the next bytes. Where it is not known how they are framed, they are kept until it is.
    pub fn push(&mut self, framing: Framing, piece: &Piece<'_>, messages: &mut Vec<Message>) {
        let Some(rest) = self.skip_cut(framing, piece.bytes.len(), piece, messages) else { return };
        let bytes = piece.bytes.get(rest..).unwrap_or_default();
        if self.lost && !framing.is_evident(bytes, piece.length - rest, &self.senders) {
            return;
        }
        self.lost = false;
        self.buffer.extend_from_slice(bytes);
        self.marks.push((self.buffer.len(), piece.mark));
    }

    /// Goes on behind `count` bytes that are not captured.
    pub fn skip(&mut self, framing: Framing, count: usize, piece: &Piece<'_>, messages: &mut Vec<Message>) {
        if count == 0 || self.lost {
            return;
        }
        if self.cut.is_none() {
            self.cut = self.begin_cut(framing, piece.mark);
            self.clear();
        }
        let is_known = self.cut.is_some();
        if self.skip_cut(framing, count, piece, messages).is_some_and(|skipped| !is_known || skipped < count) {
            self.lose(framing);
        }
    }

    /// Takes the whole frames out of the bytes.
    pub fn take(&mut self, framing: Framing, direction: usize, messages: &mut Vec<Message>) {
        if matches!(framing, Framing::Unknown | Framing::Other) {
            return;
        }
        let mut taken = 0;
        while let Some(frame) = framing.frame(self.buffer.get(taken..).unwrap_or_default())
            && let Some(bytes) = self.buffer.get(taken..taken + frame.total)
        {
            let bytes = bytes.get(frame.skip..frame.skip + frame.length).map(<[u8]>::to_vec);
            taken += frame.total;
            let mark = self.marks.iter().find(|(up_to, _)| *up_to >= taken).map(|(_, mark)| *mark);
            if let (Some(bytes), Some(mark)) = (bytes, mark) {
                let (length, holes) = (bytes.len(), self.holes);
                self.note_sender(framing, &bytes);
                messages.push(Message { mark, direction, bytes, length, holes });
            }
        }
        self.drain(taken);
        if !framing.may_start(&self.buffer) {
            self.lose(framing);
        }
    }

    /// How often bytes were not captured in which datagrams may have been.
    #[must_use]
    pub const fn holes(&self) -> u32 {
        self.holes
    }

    /// Bytes that wait for a frame's end.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.buffer
    }

    /// Takes the bytes that wait, packet by packet.
    pub fn take_pieces(&mut self) -> Vec<(Mark, Vec<u8>)> {
        let (buffer, marks) = (std::mem::take(&mut self.buffer), std::mem::take(&mut self.marks));
        let mut start = 0;
        let piece = |(up_to, mark): (usize, Mark)| {
            let bytes = buffer.get(start..up_to).unwrap_or_default().to_vec();
            start = up_to;
            (mark, bytes)
        };
        marks.into_iter().map(piece).collect()
    }

    /// Drops the bytes that wait.
    pub fn clear(&mut self) {
        self.buffer.clear();
        self.marks.clear();
    }

    /// Gives up where it is: the next segment that evidently starts a frame goes on.
    pub fn lose(&mut self, framing: Framing) {
        self.clear();
        self.cut = None;
        self.lost = framing != Framing::Unknown;
        self.holes = self.holes.saturating_add(1);
    }

    /// Takes up to `count` bytes for those that the cut frame still needs; `None` where it needs more, else how many it
    /// needed.
    fn skip_cut(
        &mut self,
        framing: Framing,
        count: usize,
        piece: &Piece<'_>,
        messages: &mut Vec<Message>,
    ) -> Option<usize> {
        let Some(cut) = &mut self.cut else { return Some(0) };
        cut.mark = piece.mark;
        if cut.rest > count {
            cut.rest -= count;
            return None;
        }
        let Cut { bytes, length, rest, mark } = self.cut.take()?;
        self.note_sender(framing, &bytes);
        let tells_sender = framing.tells_sender(&bytes);
        if !bytes.is_empty() {
            messages.push(Message { mark, direction: piece.direction, bytes, length, holes: self.holes });
        }
        if !tells_sender {
            self.holes = self.holes.saturating_add(1);
        }
        Some(rest)
    }

    /// The frame at the start of the buffer, which ends early.
    fn begin_cut(&self, framing: Framing, mark: Mark) -> Option<Cut> {
        let frame = framing.frame(&self.buffer)?;
        let bytes = self.buffer.get(frame.skip..).unwrap_or_default();
        let bytes = bytes.get(..frame.length).unwrap_or(bytes).to_vec();
        let mark = self.marks.last().map_or(mark, |(_, mark)| *mark);
        Some(Cut { bytes, length: frame.length, rest: frame.total.saturating_sub(self.buffer.len()), mark })
    }

    fn note_sender(&mut self, framing: Framing, datagram: &[u8]) {
        let Some(sender) = sender(framing.inner(datagram)) else { return };
        if !self.senders.contains(&sender) && self.senders.len() < SENDERS {
            self.senders.push(sender);
        }
    }

    /// Drops the bytes that were taken.
    fn drain(&mut self, taken: usize) {
        self.buffer.drain(..taken.min(self.buffer.len()));
        self.marks.retain(|(up_to, _)| *up_to > taken);
        self.marks.iter_mut().for_each(|(up_to, _)| *up_to -= taken);
    }
}
