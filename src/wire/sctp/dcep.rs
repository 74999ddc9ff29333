//! Messages of the Data Channel Establishment Protocol (RFC 8832 section 5), which have a payload protocol of their own.

use crate::wire::{Layer, Malformed, Reader};

/// A message of the Data Channel Establishment Protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dcep<'a> {
    /// `DATA_CHANNEL_OPEN`.
    Open(Open<'a>),
    /// `DATA_CHANNEL_ACK`.
    Acknowledgement,
    /// A message of another type.
    Unknown(u8),
}

/// `DATA_CHANNEL_OPEN` (RFC 8832 section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open<'a> {
    /// Channel type.
    pub channel_type: u8,
    /// Priority: 128 below normal, 256 normal, 512 high, 1024 extra high (RFC 8831 section 6.4).
    pub priority: u16,
    /// Reliability parameter; 0 where the channel is reliable.
    pub reliability_parameter: u32,
    /// The channel's name, meant to be UTF-8; cut where the bytes end before it.
    pub label: &'a [u8],
    /// The subprotocol, meant to be UTF-8; cut where the bytes end before it.
    pub protocol: &'a [u8],
}

/// How hard a channel tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reliability {
    /// Until everything has arrived.
    Reliable,
    /// So many retransmissions.
    Retransmissions(u32),
    /// So many milliseconds.
    Lifetime(u32),
    /// A channel type that RFC 8832 does not have.
    Unknown(u8),
}

impl<'a> Dcep<'a> {
    /// Reads a message.
    ///
    /// # Errors
    /// [`Layer::Sctp`] where the fixed part of its type is not all there.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(Layer::Sctp, bytes);
        Ok(match reader.u8()? {
            ACK => Self::Acknowledgement,
            OPEN => {
                let (channel_type, priority) = (reader.u8()?, reader.u16()?);
                let reliability_parameter = reader.u32()?;
                let (label, protocol) = (usize::from(reader.u16()?), usize::from(reader.u16()?));
                let mut text = |length: usize| reader.take(length.min(reader.len())).unwrap_or_default();
                let (label, protocol) = (text(label), text(protocol));
                Self::Open(Open { channel_type, priority, reliability_parameter, label, protocol })
            }
            kind => Self::Unknown(kind),
        })
    }
}

impl Open<'_> {
    /// Whether messages are delivered in order.
    #[must_use]
    pub const fn is_ordered(&self) -> bool {
        self.channel_type & UNORDERED == 0
    }

    /// How hard the channel tries.
    #[must_use]
    pub const fn reliability(&self) -> Reliability {
        match self.channel_type & !UNORDERED {
            0 => Reliability::Reliable,
            1 => Reliability::Retransmissions(self.reliability_parameter),
            2 => Reliability::Lifetime(self.reliability_parameter),
            kind => Reliability::Unknown(kind),
        }
    }
}

const ACK: u8 = 2;
const OPEN: u8 = 3;
const UNORDERED: u8 = 0x80;

#[cfg(test)]
mod tests {
    use super::*;

    /// Laid out by hand after RFC 8832 section 5.1.
    const CHAT: [u8; 18] = *b"\x03\x81\x02\x00\x00\x00\x00\x05\x00\x04\x00\x02chatv1";

    #[test]
    fn an_open_message() {
        let Ok(Dcep::Open(open)) = Dcep::parse(&CHAT) else { panic!("no OPEN") };
        assert_eq!((open.label, open.protocol, open.priority), (&b"chat"[..], &b"v1"[..], 512));
        assert_eq!((open.is_ordered(), open.reliability()), (false, Reliability::Retransmissions(5)));
        assert_eq!(Dcep::parse(&[2]), Ok(Dcep::Acknowledgement));
        assert_eq!(Dcep::parse(&[9, 1]), Ok(Dcep::Unknown(9)));
    }

    #[test]
    fn every_length_of_it() {
        for length in 0..CHAT.len() {
            match Dcep::parse(&CHAT[..length]) {
                Ok(Dcep::Open(open)) => assert_eq!(open.label.len() + open.protocol.len(), length - 12),
                other => assert!(other.is_err() && length < 12, "{length}"),
            }
        }
    }

    #[test]
    fn channel_types_of_rfc_8832() {
        let of = |channel_type| {
            let open = Open { channel_type, priority: 0, reliability_parameter: 7, label: &[], protocol: &[] };
            (open.is_ordered(), open.reliability())
        };
        assert_eq!([of(0), of(0x80)], [(true, Reliability::Reliable), (false, Reliability::Reliable)]);
        assert_eq!(of(0x02), (true, Reliability::Lifetime(7)));
        assert_eq!(of(0x83), (false, Reliability::Unknown(3)));
    }
}
