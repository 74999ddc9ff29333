//! What is left of a flow that has ended.

use std::collections::BTreeMap;

use super::{Flow, PROTOCOLS, Protocol};
use crate::{
    flow::{
        allocation,
        copies::Copies,
        dtls as associations, ice,
        icmp::Complaint,
        key::FlowKey,
        mdns::Mdns,
        media::{self, Path},
        rtcp::Rtcp,
        sctp::SctpRecord,
        srtp,
        stream::Stream,
        transport_wide::Numbers,
        turn,
    },
    time::{PacketId, Timestamp},
};

/// What is known of a flow when it has ended: owned, in integers, without packet bytes.
#[derive(Debug)]
pub struct FlowRecord {
    /// Its addresses.
    pub key: FlowKey,
    /// Its first packet, and that packet's direction.
    pub first: (Timestamp, PacketId, usize),
    /// Its last packet.
    pub last: (Timestamp, PacketId),
    /// Packets by direction, copies left out.
    pub packets: [u64; 2],
    /// Payload bytes by direction, copies left out.
    pub bytes: [u64; 2],
    /// Time to live (or hop limit) of the first packet in each direction; 0 where there was none.
    pub hop_limits: [u8; 2],
    /// Datagrams by [`Protocol`].
    pub protocols: [u64; PROTOCOLS],
    /// Packets captured twice.
    pub copies: u64,
    /// Whether ICE or DTLS was seen.
    pub path: Path,
    /// RTP streams by their first packet.
    pub streams: Vec<Stream>,
    /// What may be sequence numbers over all streams of a direction.
    pub transport_wide: Vec<Numbers>,
    /// Packets of streams and associations beyond the cap.
    pub refused: u64,
    /// RTCP.
    pub rtcp: Option<Box<Rtcp>>,
    /// What keys told of SRTP and SRTCP; `None` where there were none.
    pub srtp: Option<srtp::Record>,
    /// Datagrams that are RTCP by all signs, but neither RTCP nor SRTCP.
    pub broken_rtcp: u64,
    /// STUN messages by type (RFC 8489 section 5, as on the wire).
    pub stun_types: BTreeMap<u16, u64>,
    /// Connectivity checks and questions to STUN servers, where any STUN message with the magic cookie was seen.
    pub ice: Option<Box<ice::Record>>,
    /// TURN, where any message of it was seen.
    pub turn: Option<Box<allocation::Record>>,
    /// Names asked for and answered over multicast DNS.
    pub mdns: Option<Box<Mdns>>,
    /// DTLS records by content type; 0 stands for the ciphertext of DTLS 1.3, which hides it.
    pub dtls_records: BTreeMap<u8, u64>,
    /// DTLS associations, in order.
    pub dtls: Vec<associations::Record>,
    /// DTLS associations that were left out of them.
    pub dtls_replaced: u64,
    /// DTLS datagrams acknowledged in STUN, by direction.
    pub dtls_acknowledgements: [associations::Acknowledgements; 2],
    /// SCTP.
    pub sctp: Option<Box<SctpRecord>>,
    /// ICMP errors that speak of the flow.
    pub icmp_errors: u64,
    /// What they say.
    pub icmp: Vec<Complaint>,
    /// What the bytes of a TCP connection were recognised as.
    pub label: Option<&'static str>,
    /// Which ends opened the TCP connection: sent a SYN that answers none.
    pub opened: [bool; 2],
}

impl Flow {
    /// Ends the flow, in a capture that goes on to `capture_end`.
    #[must_use]
    pub fn finish(mut self, capture_end: Timestamp) -> FlowRecord {
        let refused = self.media.refused() + self.refused;
        let media::Found { streams, transport_wide, rtcp, srtp, packets: rtp_packets } =
            std::mem::take(&mut self.media).finish(self.path);
        let copies = self.copies.iter().map(Copies::copies).sum();
        let rtcp_packets = rtcp.as_ref().map_or(0, |rtcp| rtcp.datagrams());
        self.settle(Protocol::Rtp, rtp_packets);
        self.settle(Protocol::Rtcp, rtcp_packets);
        let (ice, turn) = turn::finish_stun(&self.key, self.ice.take(), self.turn.take(), [self.last.0, capture_end]);
        let is_call = self.path.is_call() || !streams.is_empty();
        let dtls = self.dtls.take().map(|dtls| dtls.finish(is_call)).unwrap_or_default();
        self.settle(Protocol::Dtls, self.protocols[Protocol::Dtls as usize] + dtls.suspects);
        let (icmp_errors, icmp) = self.icmp.take().map(|icmp| icmp.finish()).unwrap_or_default();
        FlowRecord {
            key: self.key,
            first: self.first,
            last: self.last,
            packets: self.packets,
            bytes: self.bytes,
            hop_limits: self.hop_limits,
            protocols: self.protocols,
            copies,
            path: self.path,
            streams,
            transport_wide,
            refused,
            rtcp,
            srtp,
            stun_types: self.stun_types,
            ice,
            turn,
            mdns: self.mdns,
            dtls_records: dtls.records,
            dtls: dtls.associations,
            dtls_replaced: dtls.replaced,
            dtls_acknowledgements: dtls.acknowledgements,
            sctp: self.sctp.map(|association| Box::new(association.finish())).or(dtls.sctp),
            icmp_errors,
            icmp,
            broken_rtcp: self.broken_rtcp,
            label: self.label,
            opened: self.opened,
        }
    }

    /// Packets that waited were counted as unknown; what they turned out to be is known now.
    fn settle(&mut self, protocol: Protocol, packets: u64) {
        let (index, unknown) = (protocol as usize, Protocol::Unknown as usize);
        let before = std::mem::replace(&mut self.protocols[index], packets);
        self.protocols[unknown] = (self.protocols[unknown] + before).saturating_sub(packets);
    }
}

impl FlowRecord {
    /// Packets taken for `protocol`.
    #[must_use]
    pub fn count(&self, protocol: Protocol) -> u64 {
        self.protocols.get(protocol as usize).copied().unwrap_or_default()
    }

    /// Whether a call may be made of it.
    #[must_use]
    pub fn is_of_call(&self) -> bool {
        self.path.is_call() || !self.streams.is_empty() || self.rtcp.is_some() || self.sctp.is_some() || self.is_turn()
    }

    /// Whether TURN messages were seen.
    #[must_use]
    pub const fn is_turn(&self) -> bool {
        self.turn.is_some()
    }
}
