//! WebSocket connections (RFC 6455): frames to messages, compressed ones too (RFC 7692), and what the messages say.

use std::sync::Arc;

use serde::de::IgnoredAny;

use super::{
    Content, Context, Via, WebSocketClosed,
    frame::{Frame, opcode},
    head::Head,
    inflater::Inflater,
    json,
    out::{Origin, Out},
    protobuf, recognise,
    sip::Sip,
    stream::Syntax,
};
use crate::flow::tcp::Mark;
use crate::sdp::DescriptionKind;

/// Bytes of a message that are looked into.
const MESSAGE_BYTES: usize = 1 << 20;

/// Text that must be seen of a frame that does not end in the bytes at hand.
const EVIDENT_TEXT: usize = 512;

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

/// One connection.
#[derive(Debug)]
pub struct WebSocket {
    sides: [Side; 2],
    agreed: Agreed,
    path: Option<Arc<str>>,
    sip: Sip,
}

#[derive(Debug)]
struct Side {
    /// Bytes of a frame's head.
    buffer: Vec<u8>,
    frame: Option<Frame>,
    /// Bytes of its payload that were read or skipped.
    seen: u64,
    control: Vec<u8>,
    message: Message,
    inflater: Inflater,
    is_lost: bool,
}

/// A message that goes on.
#[derive(Debug, Default)]
struct Message {
    bytes: Vec<u8>,
    is_compressed: bool,
    is_binary: bool,
    /// Whether its first frame came.
    is_begun: bool,
    is_damaged: bool,
    is_oversized: bool,
}

impl WebSocket {
    /// A connection that was opened with `agreed`.
    pub fn new(agreed: Agreed, path: Option<Arc<str>>) -> Self {
        let is_whole = agreed.server.is_some();
        Self { sides: [Side::new(is_whole), Side::new(is_whole)], agreed, path, sip: Sip::default() }
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
                    side.inflater.forget();
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
            let message = side.message.bytes.capacity() + side.inflater.held_bytes();
            side.buffer.capacity() + side.control.capacity() + message
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
        let is_binary = side.message.is_binary;
        if let Some(bytes) = side.end_message(no_context, out) {
            self.read(&bytes, is_binary, origin, out);
        }
    }

    fn read(&mut self, bytes: &[u8], is_binary: bool, origin: Origin, out: &mut Out) {
        if matches!(recognise::recognise(bytes), recognise::Start::Message(Syntax::Sip))
            && let Some((head, length)) = Head::parse(bytes)
        {
            let body = bytes.get(length..).unwrap_or_default();
            return self.sip.message(&head, body, true, Origin { via: Via::SipWebSocket, ..origin }, out);
        }
        let context = Context { resource: self.path.clone(), ..Context::default() };
        let known = out.len();
        if let Ok(text) = str::from_utf8(bytes) {
            json::search(text, &context, None, origin, out);
        }
        if is_binary && out.len() == known {
            for found in protobuf::texts(bytes, json::may_hold_signalling) {
                let kind = found.word.and_then(DescriptionKind::of);
                json::search(found.text, &context, kind, origin, out);
            }
        }
    }
}

impl Side {
    fn new(is_whole: bool) -> Self {
        Self {
            buffer: Vec::new(),
            frame: None,
            seen: 0,
            control: Vec::new(),
            message: Message::default(),
            inflater: Inflater::new(is_whole),
            is_lost: false,
        }
    }

    /// Reads the head of a frame; gives the bytes behind it.
    fn begin<'b>(&mut self, bytes: &'b [u8], out: &mut Out) -> &'b [u8] {
        let held = self.buffer.len();
        // A head has up to 14 bytes.
        self.buffer.extend_from_slice(bytes.get(..14).unwrap_or(bytes));
        match Frame::parse(&self.buffer) {
            Ok(None) => &[],
            // Tunnels exist that leave the mask out; only where a frame is searched for must it be as it should.
            Ok(Some(frame)) => {
                self.buffer = Vec::new();
                self.seen = 0;
                self.frame = Some(frame);
                if !frame.is_control() {
                    self.message.begin(&frame);
                }
                if !frame.is_control() && frame.is_compressed && self.inflater.is_given_up() {
                    self.message.damage();
                    out.missing.unreadable += 1;
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
            if self.message.is_compressed {
                self.inflater.forget();
            }
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
        if no_context {
            self.inflater.restart();
        }
        match self.inflater.inflate(message.bytes) {
            Ok(plain) if plain.bytes.len() > MESSAGE_BYTES => {
                out.missing.oversized += 1;
                None
            }
            Ok(plain) if !plain.has_unknown => Some(plain.bytes),
            Ok(_) | Err(()) => {
                out.missing.unreadable += 1;
                None
            }
        }
    }

    /// Gives up where it is: the next segment that evidently starts a frame goes on.
    fn lose(&mut self) {
        let mut inflater = std::mem::replace(&mut self.inflater, Inflater::new(false));
        inflater.forget();
        *self = Self { is_lost: true, inflater, ..Self::new(false) };
    }
}

impl Message {
    fn begin(&mut self, frame: &Frame) {
        if frame.opcode == opcode::CONTINUATION {
            // The start of it was not captured.
            self.is_damaged |= !self.is_begun;
            return;
        }
        let is_binary = frame.opcode == opcode::BINARY;
        *self = Self { is_compressed: frame.is_compressed, is_binary, is_begun: true, ..Self::default() };
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
    let payload = frame.payload(bytes);
    let is_whole = payload.len() as u64 == frame.length;
    if frame.is_compressed {
        return match is_whole {
            true if is_compressed_text(&frame, payload, bytes) => recognise::Start::WebSocket,
            true => recognise::Start::Nothing,
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

/// Whether a compressed frame is one of text: all of it is JSON; or it inflates to what text may be, and frames of which
/// it is one that no chance makes so long fill the bytes to their end.
fn is_compressed_text(frame: &Frame, payload: Vec<u8>, bytes: &[u8]) -> bool {
    let Ok(plain) = Inflater::new(false).inflate(payload) else { return false };
    let is_binary = |byte: &u8| matches!(byte, 1..0x20) && !byte.is_ascii_whitespace();
    let fills = frame.length >= 126 && is_evident(bytes, Some(frame.mask.is_some()), true);
    !plain.has_unknown && is_json(&plain.bytes) || fills && !plain.bytes.iter().any(is_binary)
}

/// Whether a segment evidently starts a frame: one of text that reads as such, or frames that fill it to its end.
fn is_evident(bytes: &[u8], is_masked: Option<bool>, may_be_compressed: bool) -> bool {
    let (mut rest, mut count) = (bytes, 0);
    while let Ok(Some(frame)) = Frame::parse(rest)
        && is_masked.is_none_or(|is_masked| is_masked == frame.mask.is_some())
        && (may_be_compressed || !frame.is_compressed)
    {
        let payload = frame.payload(rest);
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
