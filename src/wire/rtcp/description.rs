//! Source descriptions (RFC 3550 section 6.5).

use super::packet::Faults;
use crate::wire::Reader;

/// An iterator over the chunks of an SDES packet.
#[derive(Clone, Copy, Debug)]
pub struct Chunks<'a> {
    reader: Reader<'a>,
    left: usize,
}

/// What one source says of itself.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a> {
    /// The source.
    pub ssrc: u32,
    /// Its items.
    pub items: Items<'a>,
}

/// An iterator over the items of a chunk.
#[derive(Clone, Copy, Debug)]
pub struct Items<'a> {
    reader: Reader<'a>,
}

/// One item of a source description. Text is meant to be UTF-8, but is what the peer sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// CNAME: the name that stays when SSRCs change.
    Cname(&'a [u8]),
    /// NAME: the user.
    Name(&'a [u8]),
    /// EMAIL.
    Email(&'a [u8]),
    /// PHONE.
    Phone(&'a [u8]),
    /// LOC: where the user is.
    Location(&'a [u8]),
    /// TOOL: the application.
    Tool(&'a [u8]),
    /// NOTE: what the user does.
    Note(&'a [u8]),
    /// PRIV: an experiment's prefix and value (section 6.5.8).
    Private {
        /// Who defined the value.
        prefix: &'a [u8],
        /// The value.
        value: &'a [u8],
    },
    /// `RtpStreamId` (RFC 8852).
    RtpStreamId(&'a [u8]),
    /// `RepairedRtpStreamId` (RFC 8852).
    RepairedRtpStreamId(&'a [u8]),
    /// MID (RFC 9143 section 15.2).
    Mid(&'a [u8]),
    /// Another type.
    Other {
        /// Item type.
        kind: u8,
        /// Its value.
        value: &'a [u8],
    },
}

impl<'a> Chunks<'a> {
    pub(super) fn new(reader: Reader<'a>, count: usize, faults: &mut Faults) -> Self {
        let chunks = Self { reader, left: count };
        let (mut there, mut torn) = (0, false);
        for chunk in chunks {
            there += 1;
            torn |= chunk.items.end().is_torn();
        }
        faults.note_if(there < count || torn, &reader);
        chunks
    }
}

impl<'a> Iterator for Chunks<'a> {
    type Item = Chunk<'a>;

    fn next(&mut self) -> Option<Chunk<'a>> {
        self.left = self.left.checked_sub(1)?;
        let ssrc = self.reader.u32().ok()?;
        let items = Items { reader: self.reader };
        let end = items.end();
        // The list ends with one zero byte or more, up to the next word. Behind a torn list nothing can be found.
        let used = end.reader.offset() - self.reader.offset() + 1;
        let whole = self.reader.len();
        let aligned = if end.is_torn() { whole } else { used.next_multiple_of(4).min(whole) };
        let items = Items { reader: self.reader.sub(aligned).ok()? };
        Some(Chunk { ssrc, items })
    }
}

impl Items<'_> {
    /// The cursor behind the last item that could be read.
    fn end(mut self) -> Self {
        while self.next().is_some() {}
        self
    }

    /// Whether an item starts here that runs over the end.
    fn is_torn(&self) -> bool {
        self.reader.peek_u8().is_some_and(|kind| kind != 0)
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Item<'a>;

    fn next(&mut self) -> Option<Item<'a>> {
        let mut reader = self.reader;
        let kind = reader.u8().ok().filter(|&kind| kind != 0)?;
        let length = reader.u8().ok()?;
        let value = reader.take(length.into()).ok()?;
        self.reader = reader;
        Some(Item::new(kind, value))
    }
}

impl<'a> Item<'a> {
    fn new(kind: u8, value: &'a [u8]) -> Self {
        match kind {
            1 => Self::Cname(value),
            2 => Self::Name(value),
            3 => Self::Email(value),
            4 => Self::Phone(value),
            5 => Self::Location(value),
            6 => Self::Tool(value),
            7 => Self::Note(value),
            8 => {
                let split = value.split_first().and_then(|(&length, rest)| rest.split_at_checked(length.into()));
                split.map_or(Self::Other { kind, value }, |(prefix, value)| Self::Private { prefix, value })
            }
            12 => Self::RtpStreamId(value),
            13 => Self::RepairedRtpStreamId(value),
            15 => Self::Mid(value),
            _ => Self::Other { kind, value },
        }
    }

    /// The item's type number.
    #[must_use]
    pub const fn kind(&self) -> u8 {
        match self {
            Self::Cname(_) => 1,
            Self::Name(_) => 2,
            Self::Email(_) => 3,
            Self::Phone(_) => 4,
            Self::Location(_) => 5,
            Self::Tool(_) => 6,
            Self::Note(_) => 7,
            Self::Private { .. } => 8,
            Self::RtpStreamId(_) => 12,
            Self::RepairedRtpStreamId(_) => 13,
            Self::Mid(_) => 15,
            Self::Other { kind, .. } => *kind,
        }
    }

    /// The item's text, of PRIV without the prefix.
    #[must_use]
    pub const fn value(&self) -> &'a [u8] {
        match self {
            Self::Cname(value)
            | Self::Name(value)
            | Self::Email(value)
            | Self::Phone(value)
            | Self::Location(value)
            | Self::Tool(value)
            | Self::Note(value)
            | Self::RtpStreamId(value)
            | Self::RepairedRtpStreamId(value)
            | Self::Mid(value)
            | Self::Private { value, .. }
            | Self::Other { value, .. } => value,
        }
    }
}

/// The name of an item type, as IANA's *RTCP SDES Item Types* has it.
#[must_use]
pub const fn item_name(kind: u8) -> &'static str {
    match kind {
        1 => "CNAME",
        2 => "NAME",
        3 => "EMAIL",
        4 => "PHONE",
        5 => "LOC",
        6 => "TOOL",
        7 => "NOTE",
        8 => "PRIV",
        9 => "H323-CADDR",
        10 => "APSI",
        11 => "RGRP",
        12 => "RtpStreamId",
        13 => "RepairedRtpStreamId",
        14 => "CCID",
        15 => "MID",
        _ => "unassigned",
    }
}
