//! Messages in the bytes of one direction: a head, and a body of the length that the head says. HTTP, SIP and RTSP share
//! this. Behind bytes that the capture does not have, reading goes on where the length of a body leads to the next
//! message, or else where a segment starts one.

use super::{
    gathered::{Gathered, Look},
    head::{self, Head},
    recognise,
};

/// Bytes of a head.
const HEAD_BYTES: usize = 64 << 10;

/// Bytes of the line before a chunk.
const CHUNK_HEAD_BYTES: usize = 4096;

/// Header fields of a head.
const FIELDS: usize = 256;

/// Bytes that a buffer may have more than it needs.
const SPARE_BYTES: usize = 4096;

/// Whose messages they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    /// HTTP/1 (RFC 9112).
    Http,
    /// SIP over TCP (RFC 3261 section 18.3).
    Sip,
    /// RTSP, with interleaved data (RFC 2326 section 10.12, RFC 7826 section 14).
    Rtsp,
}

/// How the length of a body is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// So many bytes.
    Known(u64),
    /// Chunk by chunk (RFC 9112 section 7.1).
    Chunked,
    /// Up to the end of the connection.
    ToTheEnd,
    /// What follows is no message any more.
    Tunnel,
}

/// What the bytes show.
#[derive(Debug)]
pub enum Event {
    /// A head; [`Messages::begin_body`] must say how long its body is.
    Head(Head),
    /// A part of a body that is read part by part.
    Part(Vec<u8>),
    /// The body ended: its bytes, or those of its last part, where it was wanted, fits and was captured whole.
    End(Option<Vec<u8>>),
    /// A datagram that was interleaved with RTSP.
    Interleaved {
        /// Its captured bytes.
        bytes: Vec<u8>,
        /// Its bytes on the wire.
        length: usize,
    },
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Head,
    Body(u64),
    ToTheEnd,
    ChunkHead,
    Chunk(u64),
    Trailers,
    Interleaved(usize),
    Tunnel,
    /// It is not known where the next message starts.
    Lost,
}

/// The messages of one direction.
#[derive(Debug)]
pub struct Messages {
    syntax: Syntax,
    buffer: Vec<u8>,
    /// Bytes of the buffer that were read.
    taken: usize,
    /// Bytes behind those in which no head ends.
    searched: usize,
    /// How many bytes there must be of a head that does not end before it is looked at again.
    next_look: usize,
    phase: Phase,
    body: Gathered,
    /// Whether reading waits for what the other direction says.
    pub is_waiting: bool,
}

impl Messages {
    /// One of a direction of which nothing was read.
    pub const fn new(syntax: Syntax) -> Self {
        Self {
            syntax,
            buffer: Vec::new(),
            taken: 0,
            searched: 0,
            next_look: 0,
            phase: Phase::Head,
            body: Gathered::new(),
            is_waiting: false,
        }
    }

    /// Takes the next bytes, a segment's.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.phase == Phase::Lost {
            if !recognise::starts_message(self.syntax, bytes) {
                return;
            }
            self.phase = Phase::Head;
        }
        let is_skipped = self.body.is_skipped() && self.buffer.is_empty();
        match self.phase {
            Phase::Tunnel => return,
            // Most of what web servers send is of no interest, and not copied.
            Phase::Body(left) if is_skipped && left > bytes.len() as u64 => {
                self.phase = Phase::Body(left - bytes.len() as u64);
                return;
            }
            Phase::ToTheEnd if is_skipped => return,
            _ => {}
        }
        self.compact();
        self.buffer.extend_from_slice(bytes);
    }

    /// What comes next in the bytes so far; `None` where more are needed.
    pub fn next(&mut self) -> Option<Event> {
        let event = self.read();
        if event.is_none() {
            self.compact();
        }
        event
    }

    fn read(&mut self) -> Option<Event> {
        loop {
            if self.is_waiting {
                return None;
            }
            if let Some(part) = self.body.next_part() {
                return Some(Event::Part(part));
            }
            match self.phase {
                Phase::Head => {
                    let rest = self.rest();
                    match (self.syntax, rest) {
                        (_, []) => return None,
                        // Keep-alive and empty lines (RFC 5626 section 4.4.1, RFC 9112 section 2.2).
                        (_, [b'\r' | b'\n', ..]) => self.taken += 1,
                        (Syntax::Rtsp, [b'$', _, high, low, ..]) => {
                            let length = usize::from(u16::from_be_bytes([*high, *low]));
                            self.taken += 4;
                            self.phase = Phase::Interleaved(length);
                        }
                        (Syntax::Rtsp, [b'$', ..]) => return None,
                        _ => return self.next_head(),
                    }
                }
                Phase::Body(left) => {
                    let taken = self.take_body(left);
                    self.phase = Phase::Body(left - taken);
                    match left - taken {
                        0 if taken == 0 => return Some(self.end_body()),
                        _ if taken == 0 => return None,
                        _ => {}
                    }
                }
                Phase::ToTheEnd => {
                    if self.take_body(u64::MAX) == 0 {
                        return None;
                    }
                }
                Phase::ChunkHead => match httparse::parse_chunk_size(self.rest()) {
                    Ok(httparse::Status::Complete((length, size))) => {
                        self.taken += length;
                        self.phase = if size == 0 { Phase::Trailers } else { Phase::Chunk(size) };
                    }
                    Ok(httparse::Status::Partial) if self.rest().len() < CHUNK_HEAD_BYTES => return None,
                    _ => self.lose(),
                },
                Phase::Chunk(left) => {
                    let left = left - self.take_body(left);
                    self.phase = Phase::Chunk(left);
                    if left > 0 {
                        return self.body.next_part().map(Event::Part);
                    }
                    match self.rest() {
                        [b'\r', b'\n', ..] => self.taken += 2,
                        [] | [b'\r'] => return None,
                        _ => {
                            self.lose();
                            continue;
                        }
                    }
                    self.phase = Phase::ChunkHead;
                }
                Phase::Trailers => match self.rest() {
                    [b'\r', b'\n', ..] => {
                        self.taken += 2;
                        return Some(self.end_body());
                    }
                    [] | [b'\r'] => return None,
                    rest => match head::end_behind(rest, self.searched) {
                        Some(length) => {
                            self.take_head(length);
                            return Some(self.end_body());
                        }
                        None if rest.len() < HEAD_BYTES => {
                            self.searched = rest.len();
                            return None;
                        }
                        None => self.lose(),
                    },
                },
                Phase::Interleaved(length) => {
                    let bytes = self.rest().get(..length)?.to_vec();
                    self.taken += length;
                    self.phase = Phase::Head;
                    return Some(Event::Interleaved { bytes, length });
                }
                Phase::Tunnel | Phase::Lost => return None,
            }
        }
    }

    /// Says how long the body is whose head came last, and how it is looked into.
    pub fn begin_body(&mut self, length: Length, look: Look) {
        let stated = if let Length::Known(length) = length { length } else { 0 };
        self.body.begin(look, stated);
        self.phase = match length {
            Length::Known(length) => Phase::Body(length),
            Length::Chunked => Phase::ChunkHead,
            Length::ToTheEnd => Phase::ToTheEnd,
            Length::Tunnel => Phase::Tunnel,
        };
    }

    /// Goes on behind `count` bytes that were not captured. Gives a datagram that they cut; tells by `true` that a
    /// message is missing.
    pub fn skip(&mut self, count: usize) -> (Option<Event>, bool) {
        let rest = self.rest().len();
        match self.phase {
            Phase::Body(left) if left >= count as u64 && rest == 0 => {
                self.phase = Phase::Body(left - count as u64);
                return (None, self.body.damage());
            }
            // The chunk's end must be captured.
            Phase::Chunk(left) if left > count as u64 && rest == 0 => {
                self.phase = Phase::Chunk(left - count as u64);
                return (None, self.body.damage());
            }
            Phase::ToTheEnd if rest == 0 => return (None, self.body.damage()),
            Phase::Interleaved(length) => {
                let bytes = self.rest().to_vec();
                self.clear();
                self.phase = match (length - bytes.len()).checked_sub(count) {
                    Some(0) => Phase::Head,
                    Some(left) => Phase::Body(left as u64),
                    None => Phase::Lost,
                };
                self.body.begin(Look::No, 0);
                let event = (!bytes.is_empty()).then_some(Event::Interleaved { bytes, length });
                return (event, false);
            }
            Phase::Tunnel => return (None, false),
            _ => {}
        }
        let was_lost = self.phase == Phase::Lost;
        self.lose();
        (None, !was_lost)
    }

    /// Takes the end of the connection.
    pub fn end(&mut self) -> Option<Event> {
        (self.phase == Phase::ToTheEnd).then(|| self.end_body())
    }

    /// What was not read yet.
    pub fn rest(&self) -> &[u8] {
        self.buffer.get(self.taken..).unwrap_or_default()
    }

    /// Whether it is not known where the next message starts.
    pub fn is_lost(&self) -> bool {
        self.phase == Phase::Lost
    }

    /// How many bodies, or parts of one, were longer than is looked into, since this was asked last.
    pub const fn take_oversized(&mut self) -> u64 {
        self.body.take_oversized()
    }

    /// Whether no more messages come.
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Tunnel
    }

    /// Bytes that are held.
    pub const fn held_bytes(&self) -> usize {
        self.buffer.capacity() + self.body.held_bytes()
    }

    /// Gives up where it is: the next segment that starts a message goes on.
    pub fn lose(&mut self) {
        self.clear();
        self.phase = Phase::Lost;
        self.is_waiting = false;
        self.body.lose();
    }

    /// What cannot become a head is told by its first bytes, and looked at again when there are twice as many: a sender of
    /// single bytes must not cost more than one of whole heads.
    fn next_head(&mut self) -> Option<Event> {
        let rest = self.rest();
        let is_ended = head::end_behind(rest, self.searched).is_some();
        if !is_ended && rest.len() < self.next_look.min(HEAD_BYTES) {
            self.searched = rest.len();
            return None;
        }
        let parsed = match self.syntax {
            Syntax::Http => http_head(rest),
            Syntax::Sip | Syntax::Rtsp if !recognise::may_start(self.syntax, rest) => Err(()),
            Syntax::Sip | Syntax::Rtsp => Ok(Head::parse(rest)),
        };
        match parsed {
            Ok(Some((head, length))) => {
                self.take_head(length);
                Some(Event::Head(head))
            }
            Ok(None) if rest.len() < HEAD_BYTES => {
                (self.searched, self.next_look) = (rest.len(), 2 * rest.len());
                None
            }
            _ => {
                self.lose();
                None
            }
        }
    }

    fn take_head(&mut self, length: usize) {
        self.taken += length;
        (self.searched, self.next_look) = (0, 0);
    }

    fn take_body(&mut self, limit: u64) -> u64 {
        let rest = self.buffer.get(self.taken..).unwrap_or_default();
        let count = usize::try_from(limit).unwrap_or(usize::MAX).min(rest.len());
        self.body.take(rest.get(..count).unwrap_or_default());
        self.taken += count;
        count as u64
    }

    fn end_body(&mut self) -> Event {
        self.phase = Phase::Head;
        Event::End(self.body.end())
    }

    /// Gives back what was read: many connections are silent for long.
    fn compact(&mut self) {
        self.buffer.drain(..std::mem::take(&mut self.taken));
        let length = self.buffer.len();
        if length == 0 {
            self.buffer = Vec::new();
        } else if self.buffer.capacity() > SPARE_BYTES && length < self.buffer.capacity() / 4 {
            self.buffer.shrink_to(2 * length);
        }
    }

    fn clear(&mut self) {
        self.buffer = Vec::new();
        self.take_head(0);
        self.taken = 0;
    }
}

/// The head of an HTTP message and its length; an error where the bytes are none.
fn http_head(bytes: &[u8]) -> Result<Option<(Head, usize)>, ()> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS];
    let mut head = Head::default();
    let (status, fields) = if bytes.starts_with(b"HTTP/") {
        let mut response = httparse::Response::new(&mut fields);
        let status = response.parse(bytes).map_err(drop)?;
        head.start = format!("HTTP/1.{} {} ", response.version.unwrap_or(1), response.code.unwrap_or_default());
        (status, response.headers)
    } else {
        let mut request = httparse::Request::new(&mut fields);
        let status = request.parse(bytes).map_err(drop)?;
        let (method, path) = (request.method.unwrap_or_default(), request.path.unwrap_or_default());
        head.start = format!("{method} {path} HTTP/1.{}", request.version.unwrap_or(1));
        (status, request.headers)
    };
    let httparse::Status::Complete(length) = status else { return Ok(None) };
    for field in fields.iter() {
        head.push(field.name, &String::from_utf8_lossy(field.value));
    }
    Ok(Some((head, length)))
}
