//! How datagrams are framed in a byte stream: where a frame ends, and what speaks for one where none is known to begin.

use crate::wire::dtls;

/// Bytes looked at before a stream is given up.
pub const RECOGNITION_BYTES: usize = 4096;

/// ChannelData messages in a row that no other traffic begins with.
const CHANNEL_DATA_IN_A_ROW: usize = 3;

const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

/// Bytes of a datagram that tell who sent it: the fixed header of RTP (RFC 3550 section 5.1).
const RTP_HEADER: usize = 12;

/// Bytes of a STUN message in which the header of what a Send or Data indication carries is found: behind 20 bytes of
/// header, an IPv6 peer and the head of the DATA attribute.
const INDICATION: usize = 20 + 24 + 4 + RTP_HEADER;

/// The second bytes of Send and Data indications (RFC 8656 section 18.1).
const SEND: u8 = 0x16;
const DATA: u8 = 0x17;

/// How datagrams are framed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// Not known yet.
    #[default]
    Unknown,
    /// Two bytes of length before each (RFC 4571).
    Length,
    /// STUN messages and padded ChannelData, by their own lengths.
    Turn,
    /// None: other traffic.
    Other,
}

/// What the first bytes of a frame say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Bytes before the datagram.
    pub skip: usize,
    /// Bytes of the datagram.
    pub length: usize,
    /// Bytes of the frame, padding included.
    pub total: usize,
}

/// The SSRC of an RTP or RTCP packet's sender.
pub type Sender = [u8; 4];

impl Framing {
    /// The frame that starts `bytes`; `None` where its length is not among them, and where they start none.
    #[must_use]
    pub fn frame(self, bytes: &[u8]) -> Option<Frame> {
        match self {
            Self::Length => {
                let length = usize::from(u16::from_be_bytes(*bytes.first_chunk()?));
                Some(Frame { skip: 2, length, total: 2 + length })
            }
            Self::Turn => {
                let &[first, second, high, low] = bytes.first_chunk()?;
                let length = usize::from(u16::from_be_bytes([high, low]));
                match u16::from_be_bytes([first, second]) {
                    0..=0x3fff => Some(Frame { skip: 0, length: 20 + length, total: 20 + length }),
                    0x4000..=0x7fff => {
                        Some(Frame { skip: 0, length: 4 + length, total: 4 + length.next_multiple_of(4) })
                    }
                    _ => None,
                }
            }
            Self::Unknown | Self::Other => None,
        }
    }

    /// Whether `bytes` can still become a frame.
    #[must_use]
    pub const fn may_start(self, bytes: &[u8]) -> bool {
        match (self, bytes) {
            (Self::Turn, [first, ..]) => *first < 0x80,
            (Self::Length, [_, _, first, ..]) => matches!(first, 0..=3 | 16..=63 | 128..=191),
            _ => true,
        }
    }

    /// Whether something speaks for a frame at the start of a segment that had `length` bytes, of which `bytes` were
    /// captured: a cookie or version that no chance brings about, a sender known from before, or that the frames end
    /// where the segment does.
    #[must_use]
    pub fn is_evident(self, bytes: &[u8], length: usize, senders: &[Sender]) -> bool {
        let Some(frame) = self.frame(bytes).filter(|_| self.may_start(bytes)) else { return false };
        let datagram = bytes.get(frame.skip..).unwrap_or_default();
        let inner = self.inner(datagram);
        match (inner, self) {
            ([0..=3, _, high, low, cookie @ ..], _) if cookie.starts_with(&MAGIC_COOKIE) => {
                let stated = usize::from(u16::from_be_bytes([*high, *low])) + 20;
                stated % 4 == 0 && stated + (datagram.len() - inner.len()) == frame.length
            }
            ([0..=0x3f, ..], Self::Turn) if inner.len() == datagram.len() => false,
            ([20..=25, 0xfe, 0xfc..=0xff, ..], _) => true,
            _ => sender(inner).is_some_and(|sender| senders.contains(&sender)) || self.ends_with(bytes, length),
        }
    }

    /// What the datagram of a frame carries: of ChannelData, the data.
    #[must_use]
    pub fn inner(self, datagram: &[u8]) -> &[u8] {
        match (self, datagram) {
            (Self::Turn, [0x40..=0x7f, _, _, _, data @ ..]) => data,
            _ => datagram,
        }
    }

    /// Whether the first bytes of a datagram are enough to tell which packet of which RTP stream it carries.
    #[must_use]
    pub const fn tells_sender(self, datagram: &[u8]) -> bool {
        let needed = match (self, datagram) {
            (Self::Turn, [0, SEND | DATA, ..]) => INDICATION,
            (Self::Turn, [0..=0x3f, ..]) => 0,
            (Self::Turn, _) => 4 + RTP_HEADER,
            _ => RTP_HEADER,
        };
        datagram.len() >= needed
    }

    /// Whether frames fill a segment of `length` bytes to its end, as far as its captured bytes tell.
    fn ends_with(self, bytes: &[u8], length: usize) -> bool {
        let mut at = 0;
        while let Some(frame) = bytes.get(at..).filter(|rest| self.may_start(rest)).and_then(|rest| self.frame(rest)) {
            at += frame.total;
            if at == length {
                return frame.length > 0;
            }
        }
        false
    }
}

/// The SSRC of an RTP or RTCP packet's sender.
#[must_use]
pub fn sender(packet: &[u8]) -> Option<Sender> {
    match packet {
        [128..=191, 192..=223, _, _, ssrc @ ..] | [128..=191, _, _, _, _, _, _, _, ssrc @ ..] => {
            ssrc.first_chunk::<4>().copied()
        }
        _ => None,
    }
}

/// What the first bytes of a connection show.
#[derive(Clone, Copy, Debug)]
pub enum Recognition {
    /// How datagrams are framed, and what the traffic is.
    Framing(Framing, &'static str),
    /// More bytes are needed.
    Unclear,
    /// Nothing that is known.
    Nothing,
}

/// What the bytes of a connection, or of a segment of it, start with.
#[must_use]
pub fn recognise(buffer: &[u8]) -> Recognition {
    if let Some(label) = other_protocol(buffer) {
        return Recognition::Framing(Framing::Other, label);
    }
    match buffer {
        [0..=3, _, _, low, cookie @ ..] if low % 4 == 0 && cookie.starts_with(&MAGIC_COOKIE) => {
            Recognition::Framing(Framing::Turn, "stun")
        }
        [0x40..=0x4f, ..] => channel_data(buffer),
        [high, low, frame @ ..] => behind_length(usize::from(u16::from_be_bytes([*high, *low])), frame),
        _ => Recognition::Unclear,
    }
}

/// A connection to a TURN server whose beginning was not captured. ChannelData has no magic: messages in a row must be of
/// one channel and hold what media paths carry, with STUN messages between them or not.
fn channel_data(mut buffer: &[u8]) -> Recognition {
    let channel = buffer.first_chunk::<2>().copied();
    let mut found = 0;
    while found < CHANNEL_DATA_IN_A_ROW {
        let Some(&[first, second, high, low, start @ ..]) = buffer.first_chunk::<8>() else {
            return Recognition::Unclear;
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        let is_media = matches!(start, [0..=3 | 20..=63 | 128..=191, ..]) && (8..=2048).contains(&length);
        let is_data = Some([first, second]) == channel && is_media;
        if !is_data && (first > 3 || start != MAGIC_COOKIE) {
            return Recognition::Nothing;
        }
        let Some(rest) = Framing::Turn.frame(buffer).and_then(|frame| buffer.get(frame.total..)) else {
            return Recognition::Unclear;
        };
        found += usize::from(is_data);
        buffer = rest;
    }
    Recognition::Framing(Framing::Turn, "turn")
}

/// Whether `frame` is what RFC 4571 puts behind a length.
fn behind_length(length: usize, frame: &[u8]) -> Recognition {
    let found = |label| Recognition::Framing(Framing::Length, label);
    match frame {
        [0..=3, _, high, low, cookie @ ..] if cookie.starts_with(&MAGIC_COOKIE) => {
            let exact = usize::from(u16::from_be_bytes([*high, *low])) + 20 == length;
            if exact { found("ice-tcp") } else { Recognition::Nothing }
        }
        [20..=25, 0xfe, ..] => match frame.get(..length) {
            Some(datagram) if dtls::looks_like_dtls(datagram, length) => found("dtls"),
            Some(_) => Recognition::Nothing,
            None => Recognition::Unclear,
        },
        [128..=191, ..] if (8..=2048).contains(&length) => two_rtp_frames(length, frame),
        [] => Recognition::Unclear,
        [0..=3, ..] if frame.len() < 8 => Recognition::Unclear,
        _ => Recognition::Nothing,
    }
}

/// RTP has no magic: two frames in a row must be RTP or RTCP, of one sender.
fn two_rtp_frames(length: usize, frame: &[u8]) -> Recognition {
    let Some((first, rest)) = frame.split_at_checked(length) else { return Recognition::Unclear };
    let Some((&[high, low], second)) = rest.split_first_chunk() else { return Recognition::Unclear };
    let length = usize::from(u16::from_be_bytes([high, low]));
    let Some(second) = second.get(..length) else {
        return if length <= 2048 { Recognition::Unclear } else { Recognition::Nothing };
    };
    match (sender(first), sender(second)) {
        (Some(one), Some(other)) if one == other => Recognition::Framing(Framing::Length, "rtp"),
        _ => Recognition::Nothing,
    }
}

/// Protocols that are named and left alone; those of text that is read are recognised before.
fn other_protocol(buffer: &[u8]) -> Option<&'static str> {
    match buffer {
        [20..=23, 3, 0..=4, _, _, ..] => Some("tls"),
        _ if buffer.starts_with(b"SSH-") => Some("ssh"),
        _ => None,
    }
}
