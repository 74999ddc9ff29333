//! A frame as a list of packets shows it: when, from where to where, what protocol, and what it says.

use std::borrow::Cow;

use serde::Serialize;

use super::{Decrypted, Node, Protocol};
use crate::{
    capture::Frame,
    engine::{Analysis, Found, Visit},
    flow::{Protocol as FlowProtocol, identify::Identity},
    report::document::PacketRef,
    time::{PacketId, Timestamp},
    wire::Packet,
};

/// A packet in a list: a JSON object, or a line with or without its tree.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Which packet it is.
    pub number: PacketRef,
    /// Seconds from the first packet of the analysis; `null` where the capture has no times.
    pub time: Option<f64>,
    /// When it was captured (RFC 3339).
    pub at: Option<String>,
    /// Who sent it: address and port, a link address, or `null`.
    pub source: Option<String>,
    /// Who is to receive it.
    pub destination: Option<String>,
    /// What runs over IP (`udp`, `tcp`, `icmp`, `sctp`); `null` where there is no IP.
    pub transport: Option<String>,
    /// The innermost protocol that is known.
    pub protocol: Cow<'static, str>,
    /// What it says.
    pub summary: String,
    /// Bytes on the wire.
    pub length: u32,
    /// Bytes in the capture.
    pub captured_length: u32,
    /// Whether it was captured before at another place.
    pub copy: bool,
    /// The datagram that a TURN message carries, with its addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relayed: Option<Relayed>,
    /// What keys opened of it; what stands elsewhere is as it was captured.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub decrypted: Vec<Decrypted>,
    /// Its fields, where they are asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tree: Option<Vec<Node>>,
    /// Nanoseconds from the first packet, for text.
    #[serde(skip)]
    pub nanos: Option<i64>,
}

/// A datagram inside a TURN message.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Relayed {
    /// Who sent it: the client or its peer.
    pub source: String,
    /// Who is to receive it.
    pub destination: String,
    /// Its protocol.
    pub protocol: &'static str,
}

/// What is the same for all packets of a list.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// What is known of the files.
    pub analysis: &'a Analysis,
    /// Whether the fields of each packet are wanted.
    pub trees: bool,
    /// Whether the moment of each packet is wanted.
    pub moments: bool,
}

impl Scene<'_> {
    /// How a packet is named: with its file where there are several.
    #[must_use]
    pub fn number(&self, id: PacketId) -> PacketRef {
        let file = if self.analysis.files.len() > 1 { id.file().saturating_add(1) } else { 0 };
        PacketRef { file, number: id.number() }
    }

    /// A frame as a list shows it.
    #[must_use]
    pub fn entry(&self, visit: &Visit<'_>) -> Entry {
        let frame = visit.frame;
        let time = self.time(&frame);
        let nanos = time.map(|time| time.since(self.analysis.start.unwrap_or(time)));
        let said = self.said(visit);
        let (source, destination) = said.ends.unzip();
        Entry {
            number: self.number(PacketId::new(frame.file, frame.number)),
            time: nanos.map(crate::time::seconds),
            at: time.filter(|_| self.moments).map(Timestamp::to_rfc3339),
            source,
            destination,
            transport: said.transport,
            protocol: said.protocol,
            summary: said.summary,
            length: frame.original,
            captured_length: frame.captured,
            copy: visit.copy,
            relayed: visit.datagrams.iter().find_map(relayed),
            decrypted: Vec::new(),
            tree: self.trees.then(|| self.tree(visit)),
            nanos,
        }
    }

    /// When a frame was captured; some blocks of pcapng do not say, and stand at the epoch.
    pub(super) fn time(&self, frame: &Frame) -> Option<Timestamp> {
        let untimed = || self.analysis.files.get(usize::from(frame.file)).is_some_and(|file| file.untimed > 0);
        (frame.time != Timestamp(0) || !untimed()).then_some(frame.time)
    }
}

fn relayed(found: &Found<'_>) -> Option<Relayed> {
    let inner = found.inner.as_ref()?;
    let direction = inner.datagram.direction;
    Some(Relayed {
        source: inner.key.name_of(inner.key.source(direction)),
        destination: inner.key.name_of(inner.key.destination(direction)),
        protocol: protocol_of(inner.identity).name(),
    })
}

/// The captured payload of the innermost packet.
pub(super) fn payload<'a>(visit: &Visit<'a>, packet: &Packet) -> &'a [u8] {
    let bytes = if visit.reassembled.is_some() { visit.whole } else { visit.bytes };
    let start = packet.payload as usize;
    bytes.get(start..start + packet.captured as usize).unwrap_or_default()
}

pub(super) fn protocol_of(identity: Identity) -> Protocol {
    match (identity.protocol, identity.encrypted) {
        (FlowProtocol::Stun, _) => Protocol::Stun,
        (FlowProtocol::ClassicStun, _) => Protocol::ClassicStun,
        (FlowProtocol::ChannelData, _) => Protocol::ChannelData,
        (FlowProtocol::Dtls, _) => Protocol::Dtls,
        (FlowProtocol::Rtp, false) => Protocol::Rtp,
        (FlowProtocol::Rtp, true) => Protocol::Srtp,
        (FlowProtocol::Rtcp, false) => Protocol::Rtcp,
        (FlowProtocol::Rtcp, true) => Protocol::Srtcp,
        (FlowProtocol::Sctp, _) => Protocol::Sctp,
        (FlowProtocol::Zrtp, _) => Protocol::Zrtp,
        (FlowProtocol::Quic, _) => Protocol::Quic,
        (FlowProtocol::Unknown, _) => Protocol::Unknown,
    }
}
