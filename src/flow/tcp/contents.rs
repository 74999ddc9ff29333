//! What the bytes of a connection hold, in their order: datagrams, signalling, or TLS with either inside.

use super::{
    Findings, Mark, Reason,
    frames::{Frames, Piece},
    framing::{Framing, RECOGNITION_BYTES, Recognition, recognise},
    table::Worth,
    tls::Tls,
};
use crate::{
    crypto::keylog::KeyLog,
    flow::signalling::{Recognition as Speech, Talk},
};

/// Segment starts looked at in a connection whose beginning was not captured.
const TRIES: u8 = 16;

/// What is known of the bytes of both directions.
#[derive(Debug, Default)]
pub struct Contents {
    frames: [Frames; 2],
    framing: Framing,
    tries: u8,
    /// Signalling, where the connection carries that.
    talk: Option<Talk>,
    /// TLS that is being opened.
    tls: Option<Box<Tls>>,
}

/// Bytes that the capture does not have.
#[derive(Clone, Copy, Debug)]
pub struct Gap {
    /// How many of the connection's.
    bytes: usize,
    /// How many of what is read: not known where they are of records.
    inside: usize,
}

impl Gap {
    /// So many bytes.
    pub const fn of(bytes: usize) -> Self {
        Self { bytes, inside: bytes }
    }

    /// What so many bytes of records held.
    pub const fn of_records(bytes: usize) -> Self {
        Self { bytes, inside: usize::MAX }
    }
}

impl Contents {
    /// Nothing that is followed further.
    pub fn over() -> Self {
        Self { framing: Framing::Other, ..Self::default() }
    }

    /// Whether nothing is followed further.
    pub fn is_over(&self) -> bool {
        self.framing == Framing::Other
    }

    /// Takes the next bytes of a direction. TLS is opened where there are keys.
    pub fn read(&mut self, piece: &Piece<'_>, keys: Option<&KeyLog>, findings: &mut Findings) {
        if self.is_over() {
            return;
        }
        let cut = piece.length.saturating_sub(piece.bytes.len());
        if let Some(tls) = &mut self.tls {
            return open(tls, piece, keys, findings);
        }
        if let Some(talk) = &mut self.talk {
            talk.push(piece.bytes, piece.mark, piece.direction, &mut findings.out);
            return self.skip_speech(cut, piece.mark, piece.direction, findings);
        }
        let Some(frames) = self.frames.get_mut(piece.direction) else { return };
        let holes = frames.holes();
        frames.push(self.framing, piece, &mut findings.datagrams);
        if self.framing == Framing::Unknown {
            self.recognise(piece.direction, keys, findings);
            if self.talk.is_some() || self.tls.is_some() {
                return self.skip_speech(cut, piece.mark, piece.direction, findings);
            }
        }
        let Some(frames) = self.frames.get_mut(piece.direction) else { return };
        frames.take(self.framing, piece.direction, &mut findings.datagrams);
        frames.skip(self.framing, cut, piece, &mut findings.datagrams);
        if cut > 0 && self.framing != Framing::Unknown && frames.holes() != holes {
            findings.uncaptured.count_cut(piece.mark.1);
        }
    }

    /// Goes on behind bytes that were not captured; those behind them come with the packet `mark`.
    pub fn skip(&mut self, gap: Gap, mark: Mark, direction: usize, findings: &mut Findings) {
        if self.talk.is_some() || self.tls.is_some() {
            return self.skip_speech(gap.inside, mark, direction, findings);
        }
        let Some(frames) = self.frames.get_mut(direction) else { return };
        let piece = Piece { bytes: &[], length: 0, mark, direction };
        frames.skip(self.framing, gap.inside, &piece, &mut findings.datagrams);
        if self.framing != Framing::Unknown {
            findings.uncaptured.count_hole(gap.bytes, mark.1);
        }
    }

    fn skip_speech(&mut self, count: usize, mark: Mark, direction: usize, findings: &mut Findings) {
        if count == 0 {
            return;
        }
        if let Some(talk) = &mut self.talk {
            talk.skip(count, mark, direction, &mut findings.out);
        }
        if let Some(tls) = &mut self.tls {
            tls.skip(count, mark, direction, findings);
        }
    }

    /// Takes bytes that have nothing to do with those before.
    pub fn lose(&mut self, direction: usize) {
        if let Some(frames) = self.frames.get_mut(direction) {
            frames.lose(self.framing);
        }
        if let Some(talk) = &mut self.talk {
            talk.let_go();
        }
        if let Some(tls) = &mut self.tls {
            tls.let_go();
        }
    }

    /// Takes the end of a direction.
    pub fn end(&mut self, mark: Mark, direction: usize, findings: &mut Findings) {
        if let Some(talk) = &mut self.talk {
            talk.end(mark, direction, &mut findings.out);
        }
        if let Some(tls) = &mut self.tls {
            tls.end(mark, direction, findings);
        }
    }

    /// What is lost where the connection makes room.
    pub const fn worth(&self) -> Worth {
        match self.framing {
            Framing::Other => Worth::Label,
            Framing::Unknown if self.talk.is_none() && self.tls.is_none() => Worth::Label,
            _ => Worth::Content,
        }
    }

    /// Bytes that wait for others.
    pub fn held_bytes(&self) -> usize {
        let frames: usize = self.frames.iter().map(|frames| frames.bytes().len()).sum();
        let tls = self.tls.as_ref().map_or(0, |tls| tls.held_bytes());
        frames + tls + self.talk.as_ref().map_or(0, Talk::held_bytes)
    }

    /// Drops what waits: there is no memory for it.
    pub fn let_go(&mut self) {
        for direction in 0..2 {
            self.lose(direction);
        }
    }

    fn recognise(&mut self, direction: usize, keys: Option<&KeyLog>, findings: &mut Findings) {
        let Some(frames) = self.frames.get_mut(direction) else { return };
        let is_long = frames.bytes().len() >= RECOGNITION_BYTES;
        match Talk::recognise(frames.bytes()) {
            Speech::Talk(talk, label) => return self.begin_talk(talk, label, direction, keys, findings),
            Speech::Unclear if !is_long => return,
            Speech::Other(label) => {
                *self = Self::over();
                findings.label = Some(label);
                return;
            }
            Speech::Unclear | Speech::Nothing => {}
        }
        match recognise(frames.bytes()) {
            Recognition::Framing(framing, label) => {
                self.framing = framing;
                findings.label = Some(label);
                if label == "tls" && keys.is_some() {
                    findings.unopened = Some(Reason::Beginning);
                }
            }
            Recognition::Unclear if !is_long => return,
            Recognition::Unclear | Recognition::Nothing => {
                frames.clear();
                self.tries += 1;
                if self.tries >= TRIES {
                    self.framing = Framing::Other;
                }
            }
        }
        if self.is_over() {
            *self = Self::over();
        }
    }

    /// Follows a connection as signalling: from the bytes on that are here, those of who was recognised first.
    fn begin_talk(
        &mut self,
        talk: Talk,
        label: &'static str,
        direction: usize,
        keys: Option<&KeyLog>,
        findings: &mut Findings,
    ) {
        findings.label = Some(label);
        match talk {
            Talk::Tls(hello) if keys.is_some() => self.tls = Some(Box::new(Tls::new(hello, direction))),
            talk => self.talk = Some(talk),
        }
        for direction in [direction, direction ^ 1] {
            let pieces = self.frames.get_mut(direction).map(Frames::take_pieces).unwrap_or_default();
            for (mark, bytes) in pieces {
                self.read(&Piece { bytes: &bytes, length: bytes.len(), mark, direction }, keys, findings);
            }
        }
    }
}

/// Hands a piece to TLS, and that its end was cut off.
fn open(tls: &mut Tls, piece: &Piece<'_>, keys: Option<&KeyLog>, findings: &mut Findings) {
    tls.read(piece, keys, findings);
    let cut = piece.length.saturating_sub(piece.bytes.len());
    if cut > 0 {
        tls.skip(cut, piece.mark, piece.direction, findings);
    }
}
