//! What a TURN client and its server carry for others (RFC 8656): which channel leads to which peer, and the datagrams
//! inside Send and Data indications and ChannelData. Each peer's traffic is a flow of its own.

use std::collections::BTreeMap;

use crate::{
    flow::{
        allocation::{self, Carried, PEERS},
        datagram::Datagram,
        ice::{self, Ice},
        key::{FlowKey, Transport},
    },
    time::Timestamp,
    wire::{
        Endpoint,
        channel::ChannelData,
        stun::{Class, Message, Value, kind, method},
    },
};

/// Channels of one client that are remembered; RFC 8656 has 4,096 numbers.
const CHANNELS: usize = 4096;

/// Requests to bind a channel anew that wait for the server's answer.
const PENDING: usize = 16;

/// Channel numbers of RFC 8656. A datagram that merely looks like ChannelData must have one of these.
const NUMBERS: std::ops::RangeInclusive<u16> = 0x4000..=0x4fff;

/// As many ChannelData messages whose data starts like media are no accident.
const MANY_CARRIED: u64 = 4;

/// Ports that TURN servers listen on, to tell the server's end where no request in the capture does.
const SERVER_PORTS: [u16; 5] = [3478, 3479, 5349, 443, 80];

/// TURN as seen on one flow.
#[derive(Clone, Debug, Default)]
pub struct Turn {
    /// The direction in which the client sends.
    client: Option<usize>,
    channels: BTreeMap<u16, Endpoint>,
    /// Requests to bind a known channel to another peer, by transaction: the server may refuse.
    pending: Vec<(u128, u16, Endpoint)>,
    /// Whether any message of a TURN method was seen.
    seen: bool,
    carried: BTreeMap<Endpoint, Carried>,
}

/// A datagram that a TURN message carried.
#[derive(Clone, Copy, Debug)]
pub struct Relayed<'a> {
    /// The relayed flow.
    pub key: FlowKey,
    /// The datagram.
    pub datagram: Datagram<'a>,
}

impl Turn {
    /// Learns from a STUN message; gives the datagram that it carries, if it is a Send or Data indication.
    pub fn push_stun<'a>(
        &mut self,
        outer: &FlowKey,
        datagram: &Datagram<'a>,
        message: &Message<'a>,
    ) -> Option<Relayed<'a>> {
        let standard = message.standard_type();
        let from_client = match (standard.method(), standard.class()) {
            (method::ALLOCATE | method::REFRESH | method::CREATE_PERMISSION | method::CHANNEL_BIND, class) => {
                matches!(class, Class::Request)
            }
            // A request in MS-TURN.
            (method::SEND, Class::Indication | Class::Request) => true,
            (method::DATA, Class::Indication) => false,
            _ => return None,
        };
        self.seen = true;
        self.client = Some(if from_client { datagram.direction } else { datagram.direction ^ 1 } & 1);
        let peer = address(message, kind::XOR_PEER_ADDRESS).or_else(|| address(message, kind::DESTINATION_ADDRESS));
        if message.method() == method::CHANNEL_BIND {
            self.bind(message, peer);
        }
        let data = message.attribute(kind::DATA)?;
        Some(self.relayed(outer, datagram, peer?, data.value, data.length, from_client))
    }

    /// Learns a channel's peer: of a free channel from the request, as the answer may be missing from the capture; of a
    /// bound one only when the server agrees.
    fn bind(&mut self, message: &Message<'_>, peer: Option<Endpoint>) {
        let transaction = message.transaction();
        if let Some(index) = self.pending.iter().position(|(pending, ..)| *pending == transaction) {
            if message.class() == Class::Success {
                let (_, number, peer) = self.pending.remove(index);
                self.channels.insert(number, peer);
            }
            return;
        }
        let number = message.attribute(kind::CHANNEL_NUMBER).map(|attribute| attribute.value());
        let (Some(peer), Some(Ok(Value::Channel(number)))) = (peer, number) else { return };
        match self.channels.get(&number) {
            Some(known) if *known == peer => {}
            Some(_) => {
                if self.pending.len() >= PENDING {
                    self.pending.remove(0);
                }
                self.pending.push((transaction, number, peer));
            }
            None if self.channels.len() < CHANNELS => {
                self.channels.insert(number, peer);
            }
            None => {}
        }
    }

    /// The datagram in a ChannelData message; `None` where the bytes are none: no known channel, and nothing that
    /// speaks for it.
    pub fn push_channel_data<'a>(&mut self, outer: &FlowKey, datagram: &Datagram<'a>) -> Option<Relayed<'a>> {
        let message = ChannelData::parse(datagram.bytes, datagram.length).ok()?;
        let known = self.channels.get(&message.number).copied();
        let peer = known.unwrap_or(Endpoint::unknown_peer(message.number));
        let framed = outer.transport == Transport::Tcp || message.fits_datagram();
        let believable = known.is_some() || NUMBERS.contains(&message.number) && self.speaks_for(peer, message.data);
        if !framed || !believable {
            return None;
        }
        let from_client = self.client_direction(outer) == datagram.direction & 1;
        Some(self.relayed(outer, datagram, peer, message.data, message.length, from_client))
    }

    /// Whether anything says that a channel nobody bound in the capture is one: other TURN messages, what it carried
    /// before, or the data itself.
    fn speaks_for(&self, peer: Endpoint, data: &[u8]) -> bool {
        self.seen || looks_inside(data) || self.carried.contains_key(&peer)
    }

    /// Whether any TURN message was seen.
    #[must_use]
    pub const fn is_seen(&self) -> bool {
        self.seen
    }

    /// Whether it is TURN beyond doubt: by a message of its own, or by what was carried in channels that were bound before
    /// the capture began.
    #[must_use]
    pub fn is_believable(&self) -> bool {
        self.seen || self.carried.values().flat_map(|carried| carried.packets).sum::<u64>() >= MANY_CARRIED
    }

    /// The direction in which the client sends; and what was carried, by peer. Peers beyond the cap are counted
    /// together, under the unspecified address.
    #[must_use]
    pub fn finish(self, outer: &FlowKey) -> (usize, BTreeMap<Endpoint, Carried>) {
        (self.client_direction(outer), self.carried)
    }

    fn relayed<'a>(
        &mut self,
        outer: &FlowKey,
        datagram: &Datagram<'a>,
        peer: Endpoint,
        bytes: &'a [u8],
        length: usize,
        from_client: bool,
    ) -> Relayed<'a> {
        self.count(peer, length, from_client, datagram.time);
        let client_direction = self.client_direction(outer);
        let (client, server) = (outer.source(client_direction), outer.destination(client_direction));
        let (source, destination) = if from_client { (client, peer) } else { (peer, client) };
        let (key, direction) = FlowKey::new(source, destination, Transport::Udp);
        let key = FlowKey { relay: Some(server), ..key };
        Relayed { key, datagram: Datagram { bytes, length, direction, ..*datagram } }
    }

    fn count(&mut self, peer: Endpoint, length: usize, from_client: bool, now: Timestamp) {
        let is_full = self.carried.len() >= PEERS && !self.carried.contains_key(&peer);
        let peer = if is_full { Endpoint::v4([0; 4], 0) } else { peer };
        let carried = self.carried.entry(peer).or_default();
        let way = usize::from(!from_client);
        if let (Some(packets), Some(bytes)) = (carried.packets.get_mut(way), carried.bytes.get_mut(way)) {
            *packets += 1;
            *bytes += length as u64;
        }
        if let Some(last) = carried.last.get_mut(way) {
            *last = now;
        }
    }

    fn client_direction(&self, outer: &FlowKey) -> usize {
        self.client.unwrap_or_else(|| {
            let is_server = |end: Endpoint| SERVER_PORTS.contains(&end.port());
            usize::from(is_server(outer.low) && !is_server(outer.high))
        })
    }
}

/// Whether bytes start like something that media flows carry: STUN, DTLS, RTP or RTCP.
fn looks_inside(data: &[u8]) -> bool {
    match data {
        [0..=3, _, _, _, 0x21, 0x12, 0xa4, 0x42, ..] => true,
        [20..=25, 0xfe, 0xff | 0xfd, ..] => true,
        [128..=191, ..] => data.len() >= 8,
        _ => false,
    }
}

fn address(message: &Message<'_>, kind: u16) -> Option<Endpoint> {
    match message.attribute(kind)?.value() {
        Ok(Value::Address(endpoint)) => Some(endpoint),
        _ => None,
    }
}

/// The records of ICE and TURN. What a TURN server carried is known to the one that takes it out of its messages.
pub(super) fn finish_stun(
    key: &FlowKey,
    ice: Option<Box<Ice>>,
    turn: Option<Box<Turn>>,
    [end, capture_end]: [Timestamp; 2],
) -> (Option<Box<ice::Record>>, Option<Box<allocation::Record>>) {
    let (ice, asked) = ice.map_or((None, None), |ice| {
        let (record, asked) = ice.finish(end, capture_end);
        (Some(Box::new(record)), asked)
    });
    let turn = turn.filter(|turn| turn.is_believable()).map(|turn| {
        let (client, carried) = turn.finish(key);
        let asked = asked.unwrap_or_default();
        Box::new(allocation::Record { client: Some(asked.client.unwrap_or(client)), carried, ..*asked })
    });
    (ice, turn)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{PacketId, Timestamp};

    /// Feeds ChannelData from a client to a server's port: whether each was taken, and the key of what was inside.
    fn push(turn: &mut Turn, outer: &FlowKey, direction: usize, data: &[u8]) -> Option<FlowKey> {
        let bytes = [&[0x40, 0x05, 0, u8::try_from(data.len()).unwrap()], data].concat();
        let (time, id) = (Timestamp(0), PacketId::new(0, 1));
        let datagram = Datagram { time, id, bytes: &bytes, length: bytes.len(), direction, holes: 0 };
        turn.push_channel_data(outer, &datagram).map(|relayed| relayed.key)
    }

    #[test]
    fn a_channel_that_was_bound_before_the_capture() {
        const RTP: [u8; 12] = [0x80, 111, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1];
        // Ciphertext of DTLS 1.3, whose first byte says nothing.
        const DATA: [u8; 12] = [0x2f, 1, 2, 0, 7, 0, 0, 0, 0, 0, 0, 0];
        let (client, server) = (Endpoint::v4([10, 0, 0, 9], 5000), Endpoint::v4([10, 0, 0, 1], 3478));
        let (outer, direction) = FlowKey::new(client, server, Transport::Udp);
        let mut turn = Turn::default();
        assert!(push(&mut turn, &outer, direction, &DATA).is_none());
        let inner = push(&mut turn, &outer, direction, &RTP).unwrap();
        assert_eq!((inner.channel(inner.low), inner.high, inner.relay), (Some(0x4005), client, Some(server)));
        assert_eq!(inner.name_of(inner.low), "unknown peer on channel 0x4005");
        assert!(!turn.is_believable());
        for _ in 0..3 {
            assert_eq!(push(&mut turn, &outer, direction ^ 1, &DATA), Some(inner));
        }
        assert!(turn.is_believable() && !turn.is_seen());
        let (client_direction, carried) = turn.finish(&outer);
        assert_eq!(client_direction, direction);
        assert_eq!(carried.values().map(|carried| carried.packets).collect::<Vec<_>>(), [[1, 3]]);
    }
}
