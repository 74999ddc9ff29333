//! What a TURN client asked of its server and got (RFC 8656): allocations and their lifetime, permissions, channels,
//! credentials and errors.

use std::collections::BTreeMap;

use crate::{
    flow::{
        ice::Said,
        transaction::{Moment, Requests},
    },
    time::{NANOS_PER_SECOND, PacketId, Timestamp},
    wire::{
        Endpoint,
        stun::{Message, Value, kind, method},
    },
};

/// Allocations of one flow that are listed, one after the other.
pub const ALLOCATIONS: usize = 32;

/// Permissions of one flow that are listed.
pub const PERMISSIONS: usize = 256;

/// Channels of one flow that are listed.
pub const CHANNELS: usize = 256;

/// Different errors of one flow that are listed.
pub const ERRORS: usize = 64;

/// Peers of one flow whose traffic is counted apart.
pub const PEERS: usize = 256;

/// Methods of one flow that are counted; an unknown one cannot take all memory.
const METHODS: usize = 16;

/// Peers of one CreatePermission request that are noted.
const PEERS_OF_REQUEST: usize = 8;

/// Bytes of a text that are kept: REALM may have 763 (RFC 8489 section 14.9), a hostile one more.
const TEXT: usize = 128;

/// How long a permission lives without a refresh (RFC 8656 section 9).
const PERMISSION_LIFETIME: i64 = 300 * NANOS_PER_SECOND;

/// How long a channel lives without a refresh (RFC 8656 section 12).
const CHANNEL_LIFETIME: i64 = 600 * NANOS_PER_SECOND;

/// What a server passed on in time arrives so late at most.
const ON_THE_WAY: i64 = NANOS_PER_SECOND;

/// What flowed until a permission ended was last heard so shortly before.
const LAST_BEFORE_LAPSE: i64 = 5 * NANOS_PER_SECOND;

/// The codes that say that credentials are asked for, or that the nonce is too old (RFC 8489 section 14.8).
const UNAUTHENTICATED: u16 = 401;
const STALE_NONCE: u16 = 438;

/// What a request asked for.
#[derive(Clone, Debug)]
pub struct Ask {
    credentials: bool,
    peers: Vec<Endpoint>,
    channel: Option<u16>,
}

impl Ask {
    /// What `message` asks for.
    pub(super) fn new(message: &Message<'_>, said: &Said<'_>) -> Self {
        let mut ask = Self { credentials: said.has_user, peers: Vec::new(), channel: None };
        if !matches!(message.method(), method::CREATE_PERMISSION | method::CHANNEL_BIND) {
            return ask;
        }
        for attribute in message.attributes() {
            match attribute.value() {
                Ok(Value::Address(peer))
                    if attribute.kind == kind::XOR_PEER_ADDRESS && ask.peers.len() < PEERS_OF_REQUEST =>
                {
                    ask.peers.push(peer);
                }
                Ok(Value::Channel(number)) => ask.channel = ask.channel.or(Some(number)),
                _ => {}
            }
        }
        ask
    }
}

/// An allocation: an address of the server's that is lent to the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allocation {
    /// The address lent.
    pub relayed: Endpoint,
    /// The client's address as the server sees it.
    pub mapped: Option<Endpoint>,
    /// The lifetime granted last, in seconds.
    pub lifetime: Option<u32>,
    /// When it was granted.
    pub granted: Moment,
    /// Refreshes that succeeded.
    pub refreshes: u64,
    /// When it was given back (a refresh with lifetime 0).
    pub deleted: Option<Moment>,
    /// When it ends or ended, by the packets' time.
    pub until: Option<Timestamp>,
    /// Whether it ended by its lifetime while the flow went on.
    pub expired: bool,
}

/// Leave for a peer's address, whatever its port (RFC 8656 section 9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// The peer; its port is 0.
    pub peer: Endpoint,
    /// When it was first granted.
    pub granted: Moment,
    /// When it was granted last.
    pub last: Timestamp,
    /// How often it was granted.
    pub grants: u64,
}

impl Permission {
    /// Until when it holds.
    #[must_use]
    pub const fn until(&self) -> Timestamp {
        Timestamp(self.last.0.saturating_add(PERMISSION_LIFETIME))
    }
}

/// A channel that the server agreed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// Its number.
    pub number: u16,
    /// Where it leads.
    pub peer: Endpoint,
    /// When it was bound.
    pub bound: Moment,
    /// When it was bound last.
    pub last: Timestamp,
    /// How often it was bound anew.
    pub refreshes: u64,
}

impl Channel {
    /// Until when it holds.
    #[must_use]
    pub const fn until(&self) -> Timestamp {
        Timestamp(self.last.0.saturating_add(CHANNEL_LIFETIME))
    }
}

/// Errors of one method, code and kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Failure {
    /// The method.
    pub method: u16,
    /// The error code.
    pub code: u16,
    /// Whether the request carried credentials: a 401 to one without is how every conversation starts
    /// (RFC 8489 section 9.2.4), a 401 to one with them is a refusal.
    pub credentials: bool,
    /// Whether the capture cut the answer before its code.
    pub is_cut: bool,
}

/// Datagrams carried for one peer, and their bytes: from the client, and to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// Datagrams from the client to the peer, and back.
    pub packets: [u64; 2],
    /// Their payload bytes.
    pub bytes: [u64; 2],
    /// When the last of each came.
    pub last: [Timestamp; 2],
}

/// TURN on one flow between a client and its server.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// The direction in which the client sends.
    pub client: Option<usize>,
    /// Allocations whose address was told, in order.
    pub allocations: Vec<Allocation>,
    /// Allocate requests that were granted: some servers do not tell the address.
    pub granted: u64,
    /// Permissions, in order.
    pub permissions: Vec<Permission>,
    /// Channels, in order.
    pub channels: Vec<Channel>,
    /// Requests by method.
    pub requests: BTreeMap<u16, Requests>,
    /// Errors: how often, and the first answer.
    pub errors: BTreeMap<Failure, (u64, PacketId)>,
    /// REALM of the server.
    pub realm: Option<Box<str>>,
    /// USERNAME of the client.
    pub username: Option<Box<str>>,
    /// SOFTWARE of the server.
    pub software: Option<Box<str>>,
    /// Different nonces that the server gave, one after the other.
    pub nonces: u64,
    /// Answers 438.
    pub stale_nonces: u64,
    /// The most of them without a success between.
    pub longest_stale_run: u64,
    /// What had no room in a list of these, each time that it came.
    pub omitted: u64,
    /// Datagrams carried, by peer. Those beyond the cap are counted under the unspecified address.
    pub carried: BTreeMap<Endpoint, Carried>,
}

/// TURN of one flow, while it runs.
#[derive(Clone, Debug, Default)]
pub struct Allocations {
    record: Record,
    nonce: Option<Box<[u8]>>,
    stale_run: u64,
}

impl Allocations {
    /// The counts of a method; `None` for one method too many.
    pub(super) fn requests(&mut self, method: u16) -> Option<&mut Requests> {
        let requests = &mut self.record.requests;
        if requests.len() >= METHODS && !requests.contains_key(&method) {
            return None;
        }
        Some(requests.entry(method).or_default())
    }

    pub(super) fn push_request(&mut self, said: &Said<'_>, direction: usize) {
        self.record.client = Some(direction);
        keep(&mut self.record.username, said.user);
    }

    pub(super) fn push_answer(&mut self, method: u16, ask: &Ask, said: &Said<'_>, success: bool, now: Moment) {
        keep(&mut self.record.realm, said.realm);
        keep(&mut self.record.software, said.software);
        if let Some(nonce) = said.nonce.filter(|nonce| self.nonce.as_deref() != Some(nonce)) {
            self.nonce = Some(nonce.get(..TEXT).unwrap_or(nonce).into());
            self.record.nonces += 1;
        }
        if success {
            self.stale_run = 0;
            match method {
                method::ALLOCATE => self.allocate(said, now),
                method::REFRESH => self.refresh(said, now),
                method::CREATE_PERMISSION => ask.peers.iter().for_each(|peer| self.permit(*peer, now)),
                method::CHANNEL_BIND => self.bind(ask, now),
                _ => {}
            }
            return;
        }
        // An error without a readable code is still one.
        let code = said.error.unwrap_or_default();
        if code == STALE_NONCE {
            self.stale_run += 1;
            self.record.stale_nonces += 1;
            self.record.longest_stale_run = self.record.longest_stale_run.max(self.stale_run);
        }
        let is_cut = said.error.is_none() && said.is_cut;
        let failure = Failure { method, code, credentials: ask.credentials, is_cut };
        let errors = &mut self.record.errors;
        if errors.len() < ERRORS || errors.contains_key(&failure) {
            errors.entry(failure).or_insert((0, now.1)).0 += 1;
        } else {
            self.record.omitted += 1;
        }
    }

    /// Takes a grant whose request is not in this flow.
    pub(super) fn push_stray(&mut self, said: &Said<'_>, client: usize, now: Moment) {
        self.record.client.get_or_insert(client);
        self.allocate(said, now);
    }

    pub(super) fn finish(mut self, end: Timestamp) -> Record {
        for allocation in &mut self.record.allocations {
            let until = allocation.until.filter(|_| allocation.deleted.is_none());
            allocation.expired = until.is_some_and(|until| end > until);
        }
        self.record
    }

    fn allocate(&mut self, said: &Said<'_>, now: Moment) {
        // MS-TURN has no Refresh: it allocates again, for no time at the end.
        let held = self.record.allocations.last().filter(|held| held.deleted.is_none());
        if held.is_some_and(|held| Some(held.relayed) == said.relayed) {
            return self.refresh(said, now);
        }
        if said.lifetime == Some(0) {
            return;
        }
        self.record.granted += 1;
        let Some(relayed) = said.relayed else { return };
        if self.record.allocations.len() >= ALLOCATIONS {
            self.record.omitted += 1;
            return;
        }
        let until = said.lifetime.map(|lifetime| after(now.0, lifetime));
        self.record.allocations.push(Allocation {
            relayed,
            mapped: said.mapped,
            lifetime: said.lifetime,
            granted: now,
            refreshes: 0,
            deleted: None,
            until,
            expired: false,
        });
    }

    fn refresh(&mut self, said: &Said<'_>, now: Moment) {
        let Some(allocation) = self.record.allocations.last_mut() else { return };
        match said.lifetime {
            Some(0) => allocation.deleted = allocation.deleted.or(Some(now)),
            lifetime => {
                allocation.refreshes += 1;
                allocation.lifetime = lifetime.or(allocation.lifetime);
                allocation.until = allocation.lifetime.map(|lifetime| after(now.0, lifetime));
            }
        }
    }

    fn permit(&mut self, peer: Endpoint, now: Moment) {
        let peer = peer.with_port(0);
        let permissions = &mut self.record.permissions;
        let has_room = permissions.len() < PERMISSIONS;
        match permissions.iter_mut().find(|permission| permission.peer == peer) {
            Some(permission) => {
                permission.grants += 1;
                permission.last = now.0;
            }
            None if has_room => {
                permissions.push(Permission { peer, granted: now, last: now.0, grants: 1 });
            }
            None => self.record.omitted += 1,
        }
    }

    /// Binding a channel also gives leave (RFC 8656 section 12).
    fn bind(&mut self, ask: &Ask, now: Moment) {
        let (Some(number), Some(peer)) = (ask.channel, ask.peers.first().copied()) else { return };
        self.permit(peer, now);
        let channels = &mut self.record.channels;
        let has_room = channels.len() < CHANNELS;
        match channels.iter_mut().find(|channel| channel.number == number && channel.peer == peer) {
            Some(channel) => {
                channel.refreshes += 1;
                channel.last = now.0;
            }
            None if has_room => channels.push(Channel { number, peer, bound: now, last: now.0, refreshes: 0 }),
            None => self.record.omitted += 1,
        }
    }
}

impl Record {
    /// Whether an allocation was granted.
    #[must_use]
    pub const fn is_allocated(&self) -> bool {
        self.granted > 0
    }

    /// Answers 401 to requests without credentials: the server's challenge, no failure.
    #[must_use]
    pub fn challenges(&self) -> u64 {
        self.unauthenticated(false)
    }

    /// Answers 401 to requests with credentials: they are wrong.
    #[must_use]
    pub fn refusals(&self) -> u64 {
        self.unauthenticated(true)
    }

    /// Requests without an answer.
    #[must_use]
    pub fn unanswered(&self) -> u64 {
        self.requests.values().map(|requests| requests.unanswered).sum()
    }

    /// When a permission ended without a refresh, if that ended the traffic: the client went on sending, and nothing came
    /// from the peer any more.
    #[must_use]
    pub fn lapse_of_permission(&self, permission: &Permission) -> Option<Timestamp> {
        let peer = self.carried.iter().filter(|(peer, _)| peer.ip() == permission.peer.ip());
        let all = peer.map(|(_, carried)| *carried).reduce(|one, other| Carried {
            packets: [0, 1].map(|way: usize| [one, other].iter().filter_map(|carried| carried.packets.get(way)).sum()),
            last: later(one.last, other.last),
            ..one
        });
        all.filter(|all| all.stops_at(permission.until())).map(|_| permission.until())
    }

    /// The same of a channel, whose peer may still have its permission.
    #[must_use]
    pub fn lapse_of_channel(&self, channel: &Channel) -> Option<Timestamp> {
        let carried = self.carried.get(&channel.peer)?;
        carried.stops_at(channel.until()).then(|| channel.until())
    }

    fn unauthenticated(&self, with_credentials: bool) -> u64 {
        let counted = |failure: &Failure| failure.code == UNAUTHENTICATED && failure.credentials == with_credentials;
        self.errors.iter().filter(|(failure, _)| counted(failure)).map(|(_, (count, _))| count).sum()
    }
}

impl Carried {
    /// Whether data came from the peer until `moment` and none after it, though the client went on sending.
    fn stops_at(&self, moment: Timestamp) -> bool {
        let [from_client, from_peer] = self.last;
        let [_, received] = self.packets;
        received > 0
            && from_client.since(moment) > ON_THE_WAY
            && (-LAST_BEFORE_LAPSE..ON_THE_WAY).contains(&from_peer.since(moment))
    }
}

/// Keeps a text the first time it is seen, not longer than a report can use.
fn keep(kept: &mut Option<Box<str>>, text: Option<&str>) {
    if kept.is_none() {
        *kept = text.map(|text| text.chars().take(TEXT).collect());
    }
}

fn later([from, to]: [Timestamp; 2], [its_from, its_to]: [Timestamp; 2]) -> [Timestamp; 2] {
    [from.max(its_from), to.max(its_to)]
}

fn after(time: Timestamp, seconds: u32) -> Timestamp {
    Timestamp(time.0.saturating_add(i64::from(seconds) * NANOS_PER_SECOND))
}
