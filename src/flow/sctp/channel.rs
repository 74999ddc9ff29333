//! Data channels (RFC 8831): a pair of streams with one number, opened by DCEP (RFC 8832) or agreed elsewhere, closed by a
//! reset of both.

use super::{
    Step,
    message::{Content, DCEP, Message},
};
use crate::wire::sctp::{Dcep, Open, Reliability};

/// A data channel, as seen at the tap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// Its stream, one number both ways.
    pub stream: u16,
    /// `DATA_CHANNEL_OPEN`; `None` of a channel that was agreed elsewhere, or opened before the capture.
    pub opening: Option<Opening>,
    /// `DATA_CHANNEL_ACK`.
    pub acknowledged: Option<Step>,
    /// Who asked first that its streams be reset, and when.
    pub closing: Option<(u8, Step)>,
    /// Resets of its streams, by the direction that they are of.
    pub resets: [Option<Reset>; 2],
    /// What it carried, by direction.
    pub carried: [Carried; 2],
    /// Whether the start of its association was seen: then one without `opening` was agreed elsewhere.
    pub from_start: bool,
    /// Whether nothing more belongs to it: its association ended, or its stream is another channel's.
    is_over: bool,
}

/// `DATA_CHANNEL_OPEN`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// Who opened the channel.
    pub direction: u8,
    /// When.
    pub at: Step,
    /// Its name, cut to 256 bytes.
    pub label: String,
    /// Subprotocol, cut to 256 bytes.
    pub protocol: String,
    /// Whether messages are delivered in order.
    pub ordered: bool,
    /// How hard it tries.
    pub reliability: Reliability,
    /// Priority.
    pub priority: u16,
}

/// A reset of one direction's stream (RFC 6525 section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reset {
    /// Number of the request.
    request: u32,
    /// When it was asked for.
    pub asked: Step,
    /// When the other end said that it was done.
    pub performed: Option<Step>,
}

/// What a channel carried in one direction, without retransmissions and messages of DCEP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// Whole messages.
    pub messages: u64,
    /// Of these the strings.
    pub strings: u64,
    /// Of these the unordered ones.
    pub unordered: u64,
    /// Bytes of the messages. The byte that stands for an empty message is none.
    pub bytes: u64,
    /// Messages that the sender gave up before the other end acknowledged them.
    pub abandoned: u64,
    /// Chunks sent again.
    pub retransmitted_chunks: u64,
    /// When the first message was whole.
    pub first: Option<Step>,
    /// When the last one was.
    pub last: Option<Step>,
}

/// The data channels of the associations of one flow.
#[derive(Debug, Default)]
pub(super) struct Channels {
    list: Vec<Channel>,
    refused: u64,
    /// Whether an INIT was seen.
    from_start: bool,
}

impl Channels {
    /// Takes in a whole message.
    pub(super) fn message<C: Content>(&mut self, direction: usize, message: &Message<C>) {
        if message.payload_protocol == DCEP {
            return self.dcep(direction, message);
        }
        // RFC 8831 section 8: 52 and 54 are parts of messages whose last part has another identifier.
        let (is_string, is_whole, is_empty) = match message.payload_protocol {
            51 => (true, true, false),
            52 => (false, false, false),
            53 => (false, true, false),
            54 => (true, false, false),
            56 => (true, true, true),
            57 => (false, true, true),
            _ => return,
        };
        let Some(channel) = self.current(message.stream) else { return };
        let Some(carried) = channel.carried.get_mut(direction) else { return };
        let step = message.last;
        carried.first.get_or_insert(step);
        carried.last = Some(step);
        carried.messages += u64::from(is_whole);
        carried.strings += u64::from(is_whole && is_string);
        carried.unordered += u64::from(is_whole && message.unordered);
        carried.bytes += if is_empty { 0 } else { message.content.length() };
    }

    /// A chunk of a stream was sent again.
    pub(super) fn again(&mut self, direction: usize, stream: u16) {
        if let Some(carried) = self.open(stream).and_then(|channel| channel.carried.get_mut(direction)) {
            carried.retransmitted_chunks += 1;
        }
    }

    /// A message of a stream was given up.
    pub(super) fn abandoned(&mut self, direction: usize, stream: u16) {
        if let Some(carried) = self.open(stream).and_then(|channel| channel.carried.get_mut(direction)) {
            carried.abandoned += 1;
        }
    }

    /// Somebody asks that streams be reset: with a number its own, else those of the other end.
    pub(super) fn reset_asked(
        &mut self,
        asker: usize,
        number: Option<u32>,
        streams: impl Iterator<Item = u16> + Clone,
        step: Step,
    ) {
        // None stands for all.
        let all = streams.clone().next().is_none();
        for channel in self.list.iter_mut().filter(|channel| !channel.is_closed()) {
            if !all && !streams.clone().take(MAX_RESET_STREAMS).any(|stream| stream == channel.stream) {
                continue;
            }
            channel.closing.get_or_insert((asker as u8, step));
            let Some(request) = number else { continue };
            if let Some(slot) = channel.resets.get_mut(asker)
                && slot.is_none_or(|known| known.performed.is_none() && known.request != request)
            {
                let asked = slot.map_or(step, |known| known.asked);
                *slot = Some(Reset { request, asked, performed: None });
            }
        }
    }

    /// The other end of `direction` has done what a request asked for; the streams that start anew.
    pub(super) fn reset_performed(&mut self, direction: usize, request: u32, step: Step) -> Vec<u16> {
        let mut streams = Vec::new();
        for channel in self.list.iter_mut().filter(|channel| !channel.is_over) {
            let reset = channel.resets.get_mut(direction).and_then(Option::as_mut);
            if let Some(reset) = reset.filter(|reset| reset.request == request && reset.performed.is_none()) {
                reset.performed = Some(step);
                streams.push(channel.stream);
            }
            channel.is_over = channel.is_closed();
        }
        streams
    }

    /// Another association begins: nothing more belongs to the channels of the one before.
    pub(super) fn restart(&mut self) {
        self.list.iter_mut().for_each(|channel| channel.is_over = true);
    }

    /// An INIT was seen: what has no `DATA_CHANNEL_OPEN` from now on was agreed elsewhere.
    pub(super) fn begin(&mut self) {
        self.from_start = true;
    }

    /// The channels by their first message, and how many messages are of channels beyond the cap.
    pub(super) fn finish(self) -> (Vec<Channel>, u64) {
        (self.list, self.refused)
    }

    fn dcep<C: Content>(&mut self, direction: usize, message: &Message<C>) {
        let at = message.last;
        match Dcep::parse(message.content.start()) {
            Ok(Dcep::Open(open)) => {
                if let Some(known) = self.open(message.stream).filter(|known| known.opening.is_some()) {
                    known.is_over = true;
                }
                if let Some(channel) = self.current(message.stream) {
                    channel.opening = Some(Opening::new(&open, direction, at));
                }
            }
            Ok(Dcep::Acknowledgement) => {
                let Some(channel) = self.current(message.stream) else { return };
                if channel.opening.as_ref().is_none_or(|opening| usize::from(opening.direction) != direction) {
                    channel.acknowledged.get_or_insert(at);
                }
            }
            Ok(Dcep::Unknown(_)) | Err(_) => {}
        }
    }

    fn open(&mut self, stream: u16) -> Option<&mut Channel> {
        self.list.iter_mut().rev().find(|channel| channel.stream == stream && !channel.is_over)
    }

    /// The open channel of a stream; where there is none, a new one.
    fn current(&mut self, stream: u16) -> Option<&mut Channel> {
        let known = self.list.iter().rposition(|channel| channel.stream == stream && !channel.is_over);
        if let Some(known) = known {
            return self.list.get_mut(known);
        }
        if self.list.len() >= MAX_CHANNELS {
            self.refused += 1;
            return None;
        }
        self.list.push(Channel::new(stream, self.from_start));
        self.list.last_mut()
    }
}

impl Channel {
    fn new(stream: u16, from_start: bool) -> Self {
        Self {
            stream,
            opening: None,
            acknowledged: None,
            closing: None,
            resets: [None; 2],
            carried: [Carried::default(); 2],
            from_start,
            is_over: false,
        }
    }

    /// When both its streams were reset.
    #[must_use]
    pub fn closed(&self) -> Option<Step> {
        let [Some(one), Some(other)] = self.resets.map(|reset| reset?.performed) else { return None };
        Some(if one.time > other.time { one } else { other })
    }

    /// Whether nothing more belongs to it: it was closed, its association ended, or its stream became another channel's.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.is_over
    }

    /// Whether `rest` may be the same channel on the next path of its association, which shows no opening of it.
    #[must_use]
    pub fn goes_on_in(&self, rest: &Self) -> bool {
        self.stream == rest.stream && !self.is_over && rest.opening.is_none() && !rest.from_start
    }

    /// Adds what another path shows of the same channel.
    pub fn append(&mut self, rest: Self) {
        self.acknowledged = self.acknowledged.or(rest.acknowledged);
        self.closing = self.closing.or(rest.closing);
        for (own, other) in self.resets.iter_mut().zip(rest.resets) {
            *own = own.filter(|own| own.performed.is_some()).or(other).or(*own);
        }
        for (own, other) in self.carried.iter_mut().zip(rest.carried) {
            own.add(&other);
        }
        self.is_over = rest.is_over;
    }

    /// The same, with the directions exchanged.
    #[must_use]
    pub fn turned(mut self) -> Self {
        self.resets.reverse();
        self.carried.reverse();
        self.closing = self.closing.map(|(direction, step)| (direction ^ 1, step));
        if let Some(opening) = &mut self.opening {
            opening.direction ^= 1;
        }
        self
    }

    fn is_closed(&self) -> bool {
        self.is_over || self.closed().is_some()
    }
}

impl Opening {
    fn new(open: &Open<'_>, direction: usize, at: Step) -> Self {
        Self {
            direction: direction as u8,
            at,
            label: text(open.label),
            protocol: text(open.protocol),
            ordered: open.is_ordered(),
            reliability: open.reliability(),
            priority: open.priority,
        }
    }
}

impl Carried {
    fn add(&mut self, later: &Self) {
        self.messages += later.messages;
        self.strings += later.strings;
        self.unordered += later.unordered;
        self.bytes += later.bytes;
        self.abandoned += later.abandoned;
        self.retransmitted_chunks += later.retransmitted_chunks;
        self.first = self.first.or(later.first);
        self.last = later.last.or(self.last);
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.get(..MAX_TEXT).unwrap_or(bytes)).into_owned()
}

/// Data channels that are kept, a flow.
pub const MAX_CHANNELS: usize = 64;
/// Bytes kept of a label and of a protocol.
const MAX_TEXT: usize = 256;
/// Streams that are read of a request to reset some.
const MAX_RESET_STREAMS: usize = 1024;

#[cfg(test)]
mod tests;
