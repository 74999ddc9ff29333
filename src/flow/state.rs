//! One flow: what two transport addresses sent each other. Datagrams are told apart by first byte (RFC 7983, RFC 9443)
//! and then by evidence: no port numbers, no signalling, no settings.

mod connection;
mod record;
mod renewal;

use std::collections::BTreeMap;

use crate::{
    flow::{
        budget::Budget,
        copies::{Copies, Sort},
        datagram::Datagram,
        dtls::{self as associations, Dtls},
        ice::{self, Ice, Said},
        icmp::Complaints,
        key::{FlowKey, Transport},
        keyring::Keyring,
        mdns::Mdns,
        media::{Media, Path, Verdict},
        sctp::Association,
        transaction::Moment,
        turn::{Relayed, Turn},
    },
    time::{PacketId, Timestamp},
    wire::{
        Endpoint, IcmpError, Malformed, dtls,
        quic::LongHeader,
        sctp::{self, looks_like_sctp_over_udp},
        stun::{Class, Message, kind, method},
        zrtp,
    },
};
pub use record::FlowRecord;

/// DTLS 1.3 datagrams without a length or any known record, kept until the flow shows that it is DTLS.
const UNIFIED_HEADER: std::ops::RangeInclusive<u8> = 0x20..=0x3f;

/// What the state of ICE takes, its record and a few transactions together; and that of one DTLS association.
const ICE_BYTES: usize = size_of::<Ice>() + size_of::<ice::Record>() + 1024;
const DTLS_BYTES: usize = size_of::<Dtls>() + size_of::<associations::Record>() + 4096;

/// What a datagram was taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// STUN or TURN with the magic cookie.
    Stun,
    /// STUN of RFC 3489.
    ClassicStun,
    /// TURN ChannelData.
    ChannelData,
    /// DTLS records.
    Dtls,
    /// RTP or SRTP.
    Rtp,
    /// RTCP or SRTCP.
    Rtcp,
    /// SCTP.
    Sctp,
    /// ZRTP.
    Zrtp,
    /// QUIC.
    Quic,
    /// Nothing that calls use.
    Unknown,
}

/// How many [`Protocol`]s there are.
pub const PROTOCOLS: usize = 10;

/// The state of a flow, laid out in memory as it stands here: what each packet looks at first.
#[derive(Debug)]
#[repr(C)]
pub struct Flow {
    key: FlowKey,
    last: (Timestamp, PacketId),
    packets: [u64; 2],
    bytes: [u64; 2],
    path: Path,
    sctp: Option<Box<Association>>,
    media: Media,
    protocols: [u64; PROTOCOLS],
    copies: [Copies; 2],
    hop_limits: [u8; 2],
    opened: [bool; 2],
    first: (Timestamp, PacketId, usize),
    stun_types: BTreeMap<u16, u64>,
    dtls: Option<Box<Dtls>>,
    turn: Option<Box<Turn>>,
    ice: Option<Box<Ice>>,
    mdns: Option<Box<Mdns>>,
    icmp: Option<Box<Complaints>>,
    broken_rtcp: u64,
    /// What the bytes of a TCP connection were recognised as.
    label: Option<&'static str>,
    budget: Budget,
    keyring: Keyring,
    /// Packets of what the budget had no room for.
    refused: u64,
}

/// What came of one datagram.
#[derive(Debug, Default)]
pub struct Outcome<'a> {
    /// A datagram that it carried for another flow.
    pub relayed: Option<Relayed<'a>>,
    /// Bytes that could not be read.
    pub malformed: Option<Malformed>,
    /// Whether it was captured before at another place, and counts nowhere else.
    pub copy: bool,
}

impl Flow {
    /// Its addresses.
    #[inline]
    #[must_use]
    pub const fn key(&self) -> &FlowKey {
        &self.key
    }

    /// The flow that `datagram` begins, before it is counted. Its state is paid from `budget`, and what tells copies of
    /// its packets from `copy_budget`.
    #[must_use]
    pub fn new(key: FlowKey, datagram: &Datagram<'_>, budget: &Budget, copy_budget: &Budget) -> Self {
        Self {
            key,
            first: (datagram.time, datagram.id, datagram.direction & 1),
            last: (datagram.time, datagram.id),
            packets: [0; 2],
            bytes: [0; 2],
            hop_limits: [0; 2],
            protocols: [0; PROTOCOLS],
            path: Path::default(),
            copies: [copy_budget, copy_budget].map(|budget| Copies::new(budget.clone())),
            media: Media::new(budget.clone()),
            stun_types: BTreeMap::new(),
            dtls: None,
            turn: None,
            ice: None,
            mdns: None,
            sctp: None,
            icmp: None,
            broken_rtcp: 0,
            label: None,
            opened: [false; 2],
            budget: budget.clone(),
            keyring: Keyring::default(),
            refused: 0,
        }
    }

    /// The same flow, whose packets may be opened with the keys of its shard.
    #[must_use]
    pub fn with_keys(mut self, keyring: &Keyring) -> Self {
        self.media = self.media.with_keys(keyring);
        Self { keyring: keyring.clone(), ..self }
    }

    /// Whether the packet was captured before at another place. `identity` is the packet's
    /// ([`crate::wire::Packet`]), `fingerprint` that of [`crate::flow::copies`].
    #[inline]
    pub fn is_copy(&mut self, datagram: &Datagram<'_>, identity: u32, fingerprint: u64) -> bool {
        match self.copies.get_mut(datagram.direction & 1) {
            Some(copies) => {
                let sort = Sort::of(self.key.transport, datagram.bytes);
                copies.is_copy(datagram.time, identity, fingerprint, sort)
            }
            None => false,
        }
    }

    /// Counts a packet, which had this time to live (or hop limit) left, without looking into it.
    #[inline]
    pub fn count(&mut self, datagram: &Datagram<'_>, hop_limit: u8) {
        let direction = datagram.direction & 1;
        if let (Some(packets), Some(bytes)) = (self.packets.get_mut(direction), self.bytes.get_mut(direction)) {
            if *packets == 0 {
                self.hop_limits[direction] = hop_limit;
            }
            *packets += 1;
            *bytes += datagram.length as u64;
        }
        self.last = (datagram.time, datagram.id);
    }

    /// Takes one datagram and tells what it was.
    #[inline]
    pub fn push<'a>(&mut self, datagram: &Datagram<'a>) -> Outcome<'a> {
        let (protocol, outcome) = match datagram.bytes {
            // The first byte of SCTP is its source port's.
            _ if self.key.transport == Transport::Sctp => self.push_sctp(datagram),
            [128..=191, ..] if self.sctp.is_some() => self.push_unknown(datagram),
            [128..=191, ..] => match self.media.push(datagram, self.path) {
                Verdict::Rtp => {
                    self.protocols[Protocol::Rtp as usize] += 1;
                    return Outcome::default();
                }
                verdict => self.push_unusual(verdict, datagram),
            },
            [first, ..] => self.push_other(*first, datagram),
            [] => (Protocol::Unknown, Outcome::default()),
        };
        if let Some(count) = self.protocols.get_mut(protocol as usize) {
            *count += 1;
        }
        outcome
    }

    /// Notes an ICMP error of `sender` that came `now` and cites a packet of the flow, sent in `direction`.
    pub fn push_icmp_error(&mut self, sender: Endpoint, direction: usize, error: IcmpError, now: Moment) {
        let heard = self.packets.get(direction & 1 ^ 1).copied().unwrap_or_default();
        let icmp = self.icmp.get_or_insert_default();
        icmp.push(sender, direction & 1, error, now, heard, &self.budget);
    }

    /// Whether a call may be made of it, as far as it is known.
    #[must_use]
    pub fn is_of_call(&self) -> bool {
        let media = !self.media.streams().is_empty() || self.media.rtcp().is_some();
        self.path.is_call() || media || self.sctp.is_some() || self.turn.as_ref().is_some_and(|turn| turn.is_seen())
    }

    /// Its last packet.
    #[must_use]
    pub const fn last(&self) -> (Timestamp, PacketId) {
        self.last
    }

    /// A datagram in the range of RTP that is none, or not yet known to be one.
    fn push_unusual<'a>(&mut self, verdict: Verdict, datagram: &Datagram<'a>) -> (Protocol, Outcome<'a>) {
        match verdict {
            Verdict::Rtp => (Protocol::Rtp, Outcome::default()),
            Verdict::Rtcp => (Protocol::Rtcp, Outcome::default()),
            // SCTP over UDP with a high source port has the first byte of RTP.
            Verdict::Waiting | Verdict::Other => self.push_unknown(datagram),
            Verdict::Malformed(fault) => {
                self.broken_rtcp += 1;
                (Protocol::Unknown, Outcome { malformed: Some(fault), ..Outcome::default() })
            }
        }
    }

    fn push_other<'a>(&mut self, first: u8, datagram: &Datagram<'a>) -> (Protocol, Outcome<'a>) {
        match first {
            0..=3 => self.push_stun(datagram),
            4..=15 => self.push_unassigned_stun(datagram),
            16..=19 if zrtp::Packet::parse(datagram.bytes, datagram.length).is_ok() => {
                (Protocol::Zrtp, Outcome::default())
            }
            20..=63 => self.push_dtls(first, datagram),
            64..=127 => self.push_channel_data(datagram),
            192..=255 if LongHeader::parse(datagram.bytes).is_ok() => (Protocol::Quic, Outcome::default()),
            _ => self.push_unknown(datagram),
        }
    }

    fn push_stun<'a>(&mut self, datagram: &Datagram<'a>) -> (Protocol, Outcome<'a>) {
        let Ok(message) = Message::parse_captured(datagram.bytes, datagram.length) else {
            return self.push_classic_stun(datagram);
        };
        *self.stun_types.entry(message.standard_type().0).or_default() += 1;
        let said = Said::of(&message);
        self.path.ice |= match message.method() {
            method::BINDING => message.class() == Class::Request && said.is_check(),
            method => method == method::GOOG_PING,
        };
        if self.ice.is_some() || self.budget.take(ICE_BYTES) {
            self.ice.get_or_insert_default().push(&self.key, datagram, &message, &said, &self.budget);
        } else {
            self.refused += 1;
        }
        if message.attribute(kind::DTLS_IN_STUN).is_some()
            || message.attribute(kind::DTLS_IN_STUN_ACKNOWLEDGEMENT).is_some()
        {
            match self.dtls() {
                Some(dtls) => {
                    let (carries_dtls, tags) = (dtls.push_stun(&message, datagram), dtls.srtcp_tags());
                    self.path.dtls |= carries_dtls;
                    self.path.srtcp_tags = tags;
                }
                None => self.refused += 1,
            }
        }
        let relayed = match message.method() {
            method::BINDING => None,
            _ => self.push_turn(datagram, &message),
        };
        (Protocol::Stun, Outcome { relayed, malformed: message.fault().or(said.fault), copy: false })
    }

    fn push_unassigned_stun<'a>(&mut self, datagram: &Datagram<'a>) -> (Protocol, Outcome<'a>) {
        let Ok(message) = Message::parse_unassigned(datagram.bytes, datagram.length) else {
            return self.push_unknown(datagram);
        };
        *self.stun_types.entry(message.message_type().0).or_default() += 1;
        (Protocol::Stun, Outcome::default())
    }

    fn push_turn<'a>(&mut self, datagram: &Datagram<'a>, message: &Message<'a>) -> Option<Relayed<'a>> {
        self.turn.get_or_insert_default().push_stun(&self.key, datagram, message)
    }

    fn push_classic_stun<'a>(&mut self, datagram: &Datagram<'a>) -> (Protocol, Outcome<'a>) {
        match Message::parse_classic(datagram.bytes) {
            // A bare header of 20 bytes is too little to believe but in a binding request.
            Ok(message) if message.length() > 20 || message.class() == Class::Request => {
                *self.stun_types.entry(message.standard_type().0).or_default() += 1;
                let relayed = if message.is_ms_turn() { self.push_turn(datagram, &message) } else { None };
                (Protocol::ClassicStun, Outcome { relayed, ..Outcome::default() })
            }
            _ => self.push_unknown(datagram),
        }
    }

    fn push_dtls<'a>(&mut self, first: u8, datagram: &Datagram<'a>) -> (Protocol, Outcome<'a>) {
        let unified = UNIFIED_HEADER.contains(&first);
        let known = self.path.dtls || !unified && dtls::looks_like_dtls(datagram.bytes, datagram.length);
        if !known {
            // The unified header alone is no evidence: five bits and a length.
            if unified && dtls::looks_like_dtls(datagram.bytes, datagram.length) {
                let shown = self.dtls().map(|dtls| dtls.suspect(datagram));
                self.refused += u64::from(shown.is_none());
                self.path.dtls = shown == Some(true);
            }
            return self.push_unknown(datagram);
        }
        self.path.dtls = true;
        let Some(dtls) = self.dtls() else {
            self.refused += 1;
            return (Protocol::Dtls, Outcome::default());
        };
        let malformed = dtls.push(datagram);
        let (tags, random) = (dtls.srtcp_tags(), dtls.client_random());
        self.path.srtcp_tags = tags;
        if let Some(random) = random.filter(|_| first == dtls::content_type::HANDSHAKE && !self.keyring.is_empty()) {
            self.media.prefer_key_of(random);
        }
        (Protocol::Dtls, Outcome { malformed, ..Outcome::default() })
    }

    /// The state of DTLS, where there is any or the budget has room for it.
    fn dtls(&mut self) -> Option<&mut Dtls> {
        if self.dtls.is_none() && !self.budget.take(DTLS_BYTES) {
            return None;
        }
        Some(self.dtls.get_or_insert_with(|| Box::new(Dtls::with_keys(&self.keyring))))
    }

    fn push_channel_data<'a>(&mut self, datagram: &Datagram<'a>) -> (Protocol, Outcome<'a>) {
        let turn = self.turn.get_or_insert_default();
        match turn.push_channel_data(&self.key, datagram) {
            Some(relayed) => (Protocol::ChannelData, Outcome { relayed: Some(relayed), ..Outcome::default() }),
            None => self.push_unknown(datagram),
        }
    }

    fn push_sctp<'a>(&mut self, datagram: &Datagram<'a>) -> (Protocol, Outcome<'a>) {
        if self.sctp.is_none()
            && let Err(fault) = sctp::Packet::parse_snapped(datagram.bytes, datagram.length)
        {
            return (Protocol::Unknown, Outcome { malformed: Some(fault), ..Outcome::default() });
        }
        if self.sctp.is_none() && !self.budget.take(size_of::<Association>()) {
            self.refused += 1;
            return (Protocol::Unknown, Outcome::default());
        }
        let association = self.sctp.get_or_insert_default();
        let direction = datagram.direction as u8;
        let malformed =
            association.packet(datagram.bytes, datagram.length, direction, datagram.time, datagram.id).err();
        (Protocol::Sctp, Outcome { malformed, ..Outcome::default() })
    }

    /// What no first byte explains: SCTP over UDP (RFC 6951), or nothing of ours.
    fn push_unknown<'a>(&mut self, datagram: &Datagram<'a>) -> (Protocol, Outcome<'a>) {
        if self.key.is_mdns() && self.mdns.get_or_insert_default().push(&self.key, datagram) {
            return (Protocol::Unknown, Outcome::default());
        }
        let is_sctp =
            self.sctp.is_some() || self.key.transport == Transport::Udp && looks_like_sctp_over_udp(datagram.bytes);
        if is_sctp { self.push_sctp(datagram) } else { (Protocol::Unknown, Outcome::default()) }
    }
}
