//! What a datagram of a flow is, asked when the flow has ended: a first packet of RTP is RTP too, though that could not
//! be known when it came. The answers are those that the flow counted.

use crate::{
    flow::{FlowRecord, Protocol, datagram::Datagram, dtls::Record, key::Transport},
    time::{PacketId, Timestamp},
    wire::{
        dtls, quic,
        rtcp::{self, Rtcp},
        rtp::{FixedHeader, Header},
        sctp::looks_like_sctp_over_udp,
        stun::{Class, Message},
        zrtp,
    },
};

/// What a datagram is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its protocol.
    pub protocol: Protocol,
    /// Whether it is SRTP or SRTCP: only headers are in clear.
    pub encrypted: bool,
}

/// An ended flow that is asked about its datagrams.
#[derive(Debug)]
pub struct Identifier<'a> {
    record: &'a FlowRecord,
    /// SSRC, direction and first packet of each stream, in that order.
    streams: Vec<(u32, usize, Timestamp, PacketId)>,
}

impl<'a> Identifier<'a> {
    /// One that answers for `record`.
    #[must_use]
    pub fn new(record: &'a FlowRecord) -> Self {
        let of = |stream: &crate::flow::stream::Stream| (stream.ssrc, stream.direction, stream.first.0, stream.first.1);
        let mut streams: Vec<_> = record.streams.iter().map(of).collect();
        streams.sort_unstable();
        Self { record, streams }
    }

    /// The flow.
    #[must_use]
    pub const fn record(&self) -> &'a FlowRecord {
        self.record
    }

    /// What `datagram` is. ChannelData is [`Protocol::Unknown`] here: only [`Turn`](crate::flow::turn::Turn), which
    /// knows the channels, can tell.
    #[must_use]
    pub fn identify(&self, datagram: &Datagram<'_>) -> Identity {
        let record = self.record;
        let clear = |protocol| Identity { protocol, encrypted: false };
        match datagram.bytes {
            [128..=191, 192..=223, ..] => self.rtcp(datagram).unwrap_or_else(|| clear(self.other(datagram))),
            [128..=191, ..] => {
                if self.is_rtp(datagram) {
                    return Identity { protocol: Protocol::Rtp, encrypted: self.is_encrypted() };
                }
                clear(self.other(datagram))
            }
            _ if record.key.transport == Transport::Sctp && record.sctp.is_some() => clear(Protocol::Sctp),
            [0x20..=0x3f, ..] if dtls::looks_like_dtls(datagram.bytes, datagram.length) => {
                let is_dtls = record.path.dtls || record.path.ice || !record.streams.is_empty();
                if is_dtls { clear(Protocol::Dtls) } else { clear(self.other(datagram)) }
            }
            [20..=63, ..] if record.path.dtls => clear(Protocol::Dtls),
            _ => match identify_alone(datagram) {
                Protocol::Unknown => clear(self.other(datagram)),
                protocol => clear(protocol),
            },
        }
    }

    /// Whether the datagram is of a stream of the flow, and not from before its first packet.
    fn is_rtp(&self, datagram: &Datagram<'_>) -> bool {
        let Ok(fixed) = FixedHeader::parse(datagram.bytes) else { return false };
        let direction = datagram.direction & 1;
        let place = self.streams.binary_search_by(|&(ssrc, of, ..)| (ssrc, of).cmp(&(fixed.ssrc, direction)));
        let Some(&(_, _, time, id)) = place.ok().and_then(|index| self.streams.get(index)) else { return false };
        let not_before = if id.file() == datagram.id.file() { datagram.id >= id } else { datagram.time >= time };
        not_before && (datagram.is_snapped() || Header::parse(datagram.bytes, datagram.length).is_ok())
    }

    fn rtcp(&self, datagram: &Datagram<'_>) -> Option<Identity> {
        let counted = self.record.rtcp.as_deref()?;
        let encrypted = match rtcp::classify_snapped(datagram.bytes, datagram.length).ok()? {
            Rtcp::Clear(_) if counted.clear > 0 => false,
            Rtcp::Encrypted(_) if counted.encrypted > 0 => true,
            Rtcp::Undecided(_) if counted.undecided + counted.encrypted > 0 => counted.encrypted > 0,
            _ => return None,
        };
        Some(Identity { protocol: Protocol::Rtcp, encrypted })
    }

    /// Media is SRTP where DTLS secures the flow, or where its RTCP shows that it is encrypted.
    fn is_encrypted(&self) -> bool {
        let record = self.record;
        record.path.dtls
            || record.dtls.iter().any(Record::is_in_use)
            || record.rtcp.as_deref().is_some_and(|rtcp| rtcp.encrypted > 0)
    }

    fn other(&self, datagram: &Datagram<'_>) -> Protocol {
        let udp = self.record.key.transport == Transport::Udp;
        let is_sctp =
            self.record.sctp.is_some() && !self.record.path.dtls || udp && looks_like_sctp_over_udp(datagram.bytes);
        if is_sctp && !datagram.bytes.is_empty() { Protocol::Sctp } else { Protocol::Unknown }
    }
}

/// What a datagram is by its own bytes, where no flow is there to ask: never media.
#[must_use]
pub fn identify_alone(datagram: &Datagram<'_>) -> Protocol {
    let (bytes, length) = (datagram.bytes, datagram.length);
    match bytes {
        [0..=3, ..] if Message::parse_captured(bytes, length).is_ok() => Protocol::Stun,
        [0..=3, ..] => match Message::parse_classic(bytes) {
            // As a flow believes it.
            Ok(message) if message.length() > 20 || message.class() == Class::Request => Protocol::ClassicStun,
            _ => Protocol::Unknown,
        },
        [4..=15, ..] if Message::parse_unassigned(bytes, length).is_ok() => Protocol::Stun,
        [16..=19, ..] if zrtp::Packet::parse(bytes, length).is_ok() => Protocol::Zrtp,
        [20..=31, ..] if dtls::looks_like_dtls(bytes, length) => Protocol::Dtls,
        [192..=255, ..] if quic::LongHeader::parse(bytes).is_ok() => Protocol::Quic,
        _ => Protocol::Unknown,
    }
}
