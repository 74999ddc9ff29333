//! WebSocket connections (RFC 6455): frames to messages, compressed ones too (RFC 7692), and what the messages say.

use std::sync::Arc;

use flate2::{Decompress, FlushDecompress, Status};
use serde::de::IgnoredAny;

use super::{
    Content, Context, Via, WebSocketClosed,
    head::Head,
    json,
    out::{Origin, Out},
    recognise,
    sip::Sip,
    stream::Syntax,
};
use crate::flow::tcp::Mark;

/// Bytes of a message that are looked into.
const MESSAGE_BYTES: usize = 1 << 20;

/// Bytes that a message may inflate to before the rest of its connection's compressed messages is given up.
const INFLATED_BYTES: usize = 16 << 20;

/// Bytes that inflating takes: its window and tables.
const INFLATER_BYTES: usize = 48 << 10;

/// What a compressed message ends with, and does not send (RFC 7692 section 7.2.2).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// Text that must be seen of a frame that does not end in the bytes at hand.
const EVIDENT_TEXT: usize = 512;

mod opcode {
    pub const CONTINUATION: u8 = 0;
    pub const TEXT: u8 = 1;
    pub const BINARY: u8 = 2;
    pub const CLOSE: u8 = 8;
    pub const PONG: u8 = 10;
}

/// What the two sides agreed on.
#[derive(Clone, Copy, Debug)]
pub struct Agreed {
    /// The direction that the server sends in; unknown where the opening was not captured.
    server: Option<usize>,
    /// Whether messages may be compressed.
    is_compressed: bool,
    /// Whether each message is compressed on its own, by direction.
    no_context: [bool; 2],
}

impl Agreed {
    /// From the extensions of the response; `None` where that was not captured.
    pub fn new(server: usize, extensions: Option<&str>) -> Self {
        let Some(extensions) = extensions else { return Self { server: Some(server), ..Self::unknown() } };
        let mut no_context = [false; 2];
        let parameters: Vec<&str> = extensions.split([';', ',']).map(str::trim).collect();
        for (name, direction) in [("server_no_context_takeover", server), ("client_no_context_takeover", server ^ 1)] {
            if let Some(flag) = no_context.get_mut(direction) {
                *flag = parameters.contains(&name);
            }
        }
        Self { server: Some(server), is_compressed: parameters.contains(&"permessage-deflate"), no_context }
    }

    /// For a connection whose opening was not captured.
    pub const fn unknown() -> Self {
        Self { server: None, is_compressed: true, no_context: [false; 2] }
    }
}

/// The head of a frame (RFC 6455 section 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Frame {
    is_final: bool,
    is_compressed: bool,
    opcode: u8,
    mask: Option<[u8; 4]>,
    /// Bytes of its payload.
    length: u64,
    /// Bytes before its payload.
    head: usize,
}

impl Frame {
    /// The frame that `bytes` start; `Ok(None)` where more are needed, an error where they start none.
    fn parse(bytes: &[u8]) -> Result<Option<Self>, ()> {
        let [first, second, rest @ ..] = bytes else { return Ok(None) };
        let (opcode, is_final) = (first & 0x0f, first & 0x80 != 0);
        let is_control = opcode >= opcode::CLOSE;
        let short = second & 0x7f;
        let is_valid = first & 0x30 == 0
            && matches!(opcode, opcode::CONTINUATION..=opcode::BINARY | opcode::CLOSE..=opcode::PONG)
            && (!is_control || is_final && short < 126 && first & 0x40 == 0);
        if !is_valid {
            return Err(());
        }
        let (length, rest, extra) = match short {
            126 => match rest.split_first_chunk::<2>() {
                Some((length, rest)) => (u64::from(u16::from_be_bytes(*length)), rest, 2),
                None => return Ok(None),
            },
            127 => match rest.split_first_chunk::<8>() {
                Some((length, rest)) => (u64::from_be_bytes(*length), rest, 8),
                None => return Ok(None),
            },
            short => (u64::from(short), rest, 0),
        };
        // The shortest form must be used.
        if short == 126 && length < 126 || short == 127 && (length <= 0xffff || length >> 63 != 0) {
            return Err(());
        }
        let mask = match second & 0x80 {
            0 => None,
            _ => match rest.first_chunk::<4>() {
                Some(mask) => Some(*mask),
                None => return Ok(None),
            },
        };
        let head = 2 + extra + if mask.is_some() { 4 } else { 0 };
        Ok(Some(Self { is_final, is_compressed: first & 0x40 != 0, opcode, mask, length, head }))
    }

    const fn is_control(&self) -> bool {
        self.opcode >= opcode::CLOSE
    }
}

/// One connection.
#[derive(Debug)]
pub struct WebSocket {
    sides: [Side; 2],
    agreed: Agreed,
    path: Option<Arc<str>>,
    sip: Sip,
}

#[derive(Debug, Default)]
struct Side {
    /// Bytes of a frame's head.
    buffer: Vec<u8>,
    frame: Option<Frame>,
    /// Bytes of its payload that were read or skipped.
    seen: u64,
    control: Vec<u8>,
    message: Message,
    inflater: Option<Box<Decompress>>,
    is_lost: bool,
}

/// A message that goes on.
#[derive(Debug, Default)]
struct Message {
    bytes: Vec<u8>,
    is_compressed: bool,
    /// Whether its first frame came.
    is_begun: bool,
    is_damaged: bool,
    is_oversized: bool,
}

impl WebSocket {
    /// A connection that was opened with `agreed`.
    pub fn new(agreed: Agreed, path: Option<Arc<str>>) -> Self {
        Self { sides: Default::default(), agreed, path, sip: Sip::default() }
    }

    /// Takes the next bytes of a direction, a segment's.
    pub fn push(&mut self, bytes: &[u8], mark: Mark, direction: usize, out: &mut Out) {
        let agreed = self.agreed;
        let is_masked = agreed.server.map(|server| server != direction);
        let Some(side) = self.sides.get_mut(direction) else { return };
        if side.is_lost {
            if !is_evident(bytes, is_masked, agreed.is_compressed) {
                return;
            }
            side.is_lost = false;
        }
        let mut rest = bytes;
        while let Some(side) = self.sides.get_mut(direction)
            && (!rest.is_empty() || side.frame.is_some_and(|frame| frame.length == side.seen))
        {
            let Some(frame) = side.frame else {
                rest = side.begin(rest, out);
                continue;
            };
            let count = usize::try_from(frame.length - side.seen).unwrap_or(usize::MAX).min(rest.len());
            let Some((payload, behind)) = rest.split_at_checked(count) else { return };
            rest = behind;
            side.take(&frame, payload, out);
            if side.seen == frame.length {
                side.frame = None;
                self.end_frame(&frame, mark, direction, out);
            }
        }
    }

    /// Goes on behind bytes that were not captured.
    pub fn skip(&mut self, count: usize, mark: Mark, direction: usize, out: &mut Out) {
        let Some(side) = self.sides.get_mut(direction).filter(|side| !side.is_lost) else { return };
        out.count_hole(mark.1);
        match side.frame {
            Some(frame) if frame.length - side.seen >= count as u64 => {
                side.seen += count as u64;
                if frame.is_control() {
                    side.control.clear();
                } else {
                    side.message.damage();
                    side.inflater = None;
                }
                if side.seen == frame.length {
                    side.frame = None;
                    side.message.is_begun &= !frame.is_final;
                }
            }
            _ => side.lose(),
        }
    }

    /// Bytes that are held.
    pub fn held_bytes(&self) -> usize {
        let of = |side: &Side| {
            let inflater = if side.inflater.is_some() { INFLATER_BYTES } else { 0 };
            side.buffer.len() + side.control.len() + side.message.bytes.len() + inflater
        };
        self.sides.iter().map(of).sum()
    }

    /// Drops what waits.
    pub fn let_go(&mut self) {
        self.sides.iter_mut().for_each(Side::lose);
    }

    fn end_frame(&mut self, frame: &Frame, mark: Mark, direction: usize, out: &mut Out) {
        let Some(side) = self.sides.get_mut(direction) else { return };
        let origin = Origin { mark, direction, via: Via::WebSocket };
        if frame.is_control() {
            let control = std::mem::take(&mut side.control);
            if frame.opcode == opcode::CLOSE {
                let (code, reason) = match control.split_first_chunk::<2>() {
                    Some((code, reason)) => (Some(u16::from_be_bytes(*code)), reason),
                    None => (None, &[][..]),
                };
                let reason = String::from_utf8_lossy(reason).into_owned();
                out.add(origin, Content::WebSocketClosed(WebSocketClosed { code, reason }));
            }
            return;
        }
        if !frame.is_final {
            return;
        }
        let no_context = self.agreed.no_context.get(direction).copied().unwrap_or_default();
        if let Some(bytes) = side.end_message(no_context, out) {
            self.read(&bytes, origin, out);
        }
    }

    fn read(&mut self, bytes: &[u8], origin: Origin, out: &mut Out) {
        if matches!(recognise::recognise(bytes), recognise::Start::Message(Syntax::Sip))
            && let Some((head, length)) = Head::parse(bytes)
        {
            let body = bytes.get(length..).unwrap_or_default();
            return self.sip.message(&head, body, true, Origin { via: Via::SipWebSocket, ..origin }, out);
        }
        if let Ok(text) = str::from_utf8(bytes) {
            let context = Context { resource: self.path.clone(), ..Context::default() };
            json::search(text, &context, None, origin, out);
        }
    }
}

impl Side {
    /// Reads the head of a frame; gives the bytes behind it.
    fn begin<'b>(&mut self, bytes: &'b [u8], out: &mut Out) -> &'b [u8] {
        let held = self.buffer.len();
        // A head has up to 14 bytes.
        self.buffer.extend_from_slice(bytes.get(..14).unwrap_or(bytes));
        match Frame::parse(&self.buffer) {
            Ok(None) => &[],
            // Tunnels exist that leave the mask out; only where a frame is searched for must it be as it should.
            Ok(Some(frame)) => {
                self.buffer.clear();
                self.seen = 0;
                self.frame = Some(frame);
                if !frame.is_control() {
                    self.message.begin(&frame);
                }
                bytes.get(frame.head.saturating_sub(held)..).unwrap_or_default()
            }
            Err(()) => {
                out.missing.unreadable += 1;
                self.lose();
                &[]
            }
        }
    }

    fn take(&mut self, frame: &Frame, payload: &[u8], out: &mut Out) {
        let start = (self.seen % 4) as usize;
        self.seen += payload.len() as u64;
        let into = if frame.is_control() { &mut self.control } else { &mut self.message.bytes };
        let is_dropped = !frame.is_control() && (self.message.is_damaged || self.message.is_oversized);
        if is_dropped {
            return;
        }
        if into.len() + payload.len() > MESSAGE_BYTES {
            *into = Vec::new();
            self.message.is_oversized = true;
            out.missing.oversized += 1;
            self.inflater = None;
            return;
        }
        match frame.mask {
            None => into.extend_from_slice(payload),
            Some(mask) => {
                let keys = mask.into_iter().cycle().skip(start);
                into.extend(payload.iter().zip(keys).map(|(byte, key)| byte ^ key));
            }
        }
    }

    fn end_message(&mut self, no_context: bool, out: &mut Out) -> Option<Vec<u8>> {
        let message = std::mem::take(&mut self.message);
        if message.is_damaged || message.is_oversized {
            return None;
        }
        if !message.is_compressed {
            return Some(message.bytes);
        }
        let plain = self.inflate(message.bytes);
        if no_context {
            self.inflater = None;
        }
        match plain {
            Ok(plain) if plain.len() <= MESSAGE_BYTES => Some(plain),
            Ok(_) => {
                out.missing.oversized += 1;
                None
            }
            Err(()) => {
                self.inflater = None;
                out.missing.unreadable += 1;
                None
            }
        }
    }

    /// What a compressed message says; of one that is too long, only that: more than [`MESSAGE_BYTES`]. Text that refers
    /// back to what was not captured comes out with zeros, which no text has.
    fn inflate(&mut self, mut bytes: Vec<u8>) -> Result<Vec<u8>, ()> {
        bytes.extend(TAIL);
        let inflater = self.inflater.get_or_insert_with(|| Box::new(Decompress::new(false)));
        let (mut plain, mut total, mut input) = (Vec::new(), 0, &bytes[..]);
        let mut block = [0; 8192];
        loop {
            let (read, written) = (inflater.total_in(), inflater.total_out());
            let status = inflater.decompress(input, &mut block, FlushDecompress::Sync).map_err(drop)?;
            let read = usize::try_from(inflater.total_in() - read).map_err(drop)?;
            let written = usize::try_from(inflater.total_out() - written).map_err(drop)?;
            input = input.get(read..).unwrap_or_default();
            total += written;
            if total > INFLATED_BYTES {
                return Err(());
            }
            if plain.len() <= MESSAGE_BYTES {
                plain.extend_from_slice(block.get(..written).unwrap_or_default());
            }
            if status == Status::StreamEnd {
                inflater.reset(false);
            }
            if input.is_empty() && written < block.len() || read == 0 && written == 0 {
                break;
            }
        }
        if plain.contains(&0) { Err(()) } else { Ok(plain) }
    }

    /// Gives up where it is: the next segment that evidently starts a frame goes on.
    fn lose(&mut self) {
        *self = Self { is_lost: true, ..Self::default() };
    }
}

impl Message {
    fn begin(&mut self, frame: &Frame) {
        if frame.opcode == opcode::CONTINUATION {
            // The start of it was not captured.
            self.is_damaged |= !self.is_begun;
            return;
        }
        *self = Self { is_compressed: frame.is_compressed, is_begun: true, ..Self::default() };
    }

    fn damage(&mut self) {
        self.is_damaged = true;
        self.bytes = Vec::new();
    }
}

/// What speaks for a WebSocket in a connection whose opening was not captured: a whole text frame that is JSON, or the
/// start of one.
pub fn recognise(bytes: &[u8]) -> recognise::Start {
    let mut bytes = bytes;
    let frame = loop {
        match Frame::parse(bytes) {
            // Pings, pongs and the start of something else prove nothing.
            Ok(Some(frame)) if frame.is_control() => match bytes.get(frame.head + frame.length as usize..) {
                Some(rest) => bytes = rest,
                None => return recognise::Start::Nothing,
            },
            Ok(Some(frame)) if frame.opcode == opcode::TEXT && frame.length >= 2 => break frame,
            Ok(None) => return recognise::Start::Unclear,
            _ => return recognise::Start::Nothing,
        }
    };
    let payload = payload(&frame, bytes);
    let is_whole = payload.len() as u64 == frame.length;
    if frame.is_compressed {
        let is_json = is_whole && Side::default().inflate(payload).is_ok_and(|plain| is_json(&plain));
        return match is_json {
            true => recognise::Start::WebSocket,
            false if is_whole => recognise::Start::Nothing,
            false => recognise::Start::Unclear,
        };
    }
    let starts = is_text(&payload) && matches!(payload.first(), Some(b'{' | b'['));
    match payload.len() {
        0 => recognise::Start::Unclear,
        _ if !starts => recognise::Start::Nothing,
        _ if is_whole && frame.is_final && !is_json(&payload) => recognise::Start::Nothing,
        EVIDENT_TEXT.. => recognise::Start::WebSocket,
        _ if is_whole => recognise::Start::WebSocket,
        _ => recognise::Start::Unclear,
    }
}

/// Whether a segment evidently starts a frame: one of text that reads as such, or frames that fill it to its end.
fn is_evident(bytes: &[u8], is_masked: Option<bool>, may_be_compressed: bool) -> bool {
    let (mut rest, mut count) = (bytes, 0);
    while let Ok(Some(frame)) = Frame::parse(rest)
        && is_masked.is_none_or(|is_masked| is_masked == frame.mask.is_some())
        && (may_be_compressed || !frame.is_compressed)
    {
        let payload = payload(&frame, rest);
        if frame.opcode == opcode::TEXT && !frame.is_compressed && payload.len() >= 16 && is_text(&payload) {
            return true;
        }
        let length = usize::try_from(frame.length).unwrap_or(usize::MAX).saturating_add(frame.head);
        count += 1;
        match rest.get(length..) {
            Some([]) => return length > 6 || count > 1,
            Some(behind) => rest = behind,
            None => return false,
        }
    }
    false
}

/// What is here of a frame's payload, without its mask.
fn payload(frame: &Frame, bytes: &[u8]) -> Vec<u8> {
    let length = usize::try_from(frame.length).unwrap_or(usize::MAX);
    let masked = bytes.iter().skip(frame.head).take(length);
    masked.zip(frame.mask.unwrap_or_default().into_iter().cycle()).map(|(byte, key)| byte ^ key).collect()
}

/// Whether bytes are text, but for a character that goes on behind them.
fn is_text(bytes: &[u8]) -> bool {
    let valid = match str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            bytes.get(..error.valid_up_to()).and_then(|valid| str::from_utf8(valid).ok()).unwrap_or_default()
        }
        Err(_) => return false,
    };
    valid.chars().all(|letter| !letter.is_control() || letter.is_whitespace())
}

fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
}
