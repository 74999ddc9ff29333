//! Which flows an exchange is about: by ICE user fragments, by the addresses in it, by what RTSP chose, by SSRCs.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Exchange, Party};
use crate::{
    flow::{
        FlowRecord,
        key::{FlowKey, Transport},
    },
    session::groups::Groups,
    time::{NANOS_PER_SECOND, Timestamp},
    wire::Endpoint,
};

/// Media may be on its way while the answer is, and for some time after the end is said.
const EARLY: i64 = 2 * NANOS_PER_SECOND;
const LATE: i64 = 10 * NANOS_PER_SECOND;

/// Exchanges of one name that are looked at, the latest.
const LOOKS: usize = 32;

/// An SSRC below this may be everybody's.
const SMALLEST_RANDOM_SSRC: u32 = 0x1_0000;

/// The exchange of each flow, by the flow's index.
#[derive(Clone, Debug, Default)]
pub struct Joined(BTreeMap<usize, usize>);

impl Joined {
    /// Finds the flows of all exchanges.
    pub fn new(exchanges: &[Exchange], flows: &[FlowRecord], members: &[usize]) -> Self {
        let index = Index::new(exchanges);
        let mut joined = BTreeMap::new();
        for member in members {
            let Some(flow) = flows.get(*member) else { continue };
            if let Some(exchange) = index.find(exchanges, flow) {
                joined.insert(*member, exchange);
            }
        }
        Self(joined)
    }

    /// Makes one set of the flows of each exchange.
    pub fn join(&self, groups: &mut Groups) {
        let mut first: BTreeMap<usize, usize> = BTreeMap::new();
        for (flow, exchange) in &self.0 {
            groups.join(*first.entry(*exchange).or_insert(*flow), *flow);
        }
    }

    /// The exchanges of a call's flows.
    pub fn of(&self, flows: &[usize]) -> Vec<usize> {
        let all: BTreeSet<usize> = flows.iter().filter_map(|flow| self.0.get(flow)).copied().collect();
        all.into_iter().collect()
    }
}

/// Exchanges by what names them.
struct Index {
    by_fragment: HashMap<String, Vec<(usize, Party)>>,
    by_address: HashMap<Endpoint, Vec<(usize, Party, Timestamp)>>,
    by_ssrc: HashMap<u32, Vec<(usize, Party)>>,
    by_connection: HashMap<FlowKey, usize>,
}

impl Index {
    fn new(exchanges: &[Exchange]) -> Self {
        let mut index = Self {
            by_fragment: HashMap::new(),
            by_address: HashMap::new(),
            by_ssrc: HashMap::new(),
            by_connection: HashMap::new(),
        };
        for (number, exchange) in exchanges.iter().enumerate() {
            index.add(number, exchange);
        }
        index.by_address.values_mut().for_each(|list| list.sort_by_key(|(.., start)| *start));
        index
    }

    fn add(&mut self, number: usize, exchange: &Exchange) {
        for statement in &exchange.statements {
            let party = statement.party;
            for (fragment, _) in statement.credentials() {
                note(self.by_fragment.entry(fragment.to_owned()).or_default(), (number, party));
            }
            for ssrc in statement.outline.media.iter().flat_map(|section| &section.ssrcs) {
                note(self.by_ssrc.entry(*ssrc).or_default(), (number, party));
            }
            let start = statement.mark().map_or(Timestamp(i64::MIN), |(time, _)| time);
            for end in statement.outline.addresses() {
                note(self.by_address.entry(end).or_default(), (number, party, start));
            }
        }
        for (key, client, transport) in &exchange.transports {
            if transport.interleaved.is_some() {
                self.by_connection.insert(*key, number);
            }
            let start = exchange.span.map_or(Timestamp(i64::MIN), |((time, _), _)| time);
            let ends =
                [(transport.client_port, key.source(*client), 0), (transport.server_port, key.destination(*client), 1)];
            for (ports, end, party) in ends {
                for port in ports.into_iter().flat_map(|(first, last)| [first, last]) {
                    note(self.by_address.entry(end.with_port(port)).or_default(), (number, party, start));
                }
            }
        }
    }

    fn find(&self, exchanges: &[Exchange], flow: &FlowRecord) -> Option<usize> {
        let connection = || self.by_connection.get(&flow.key).copied();
        self.by_fragments(flow)
            .or_else(connection)
            .or_else(|| self.by_addresses(exchanges, flow))
            .or_else(|| self.by_sources(flow))
    }

    /// Both user fragments, of two parties of one exchange; or one that is no other exchange's.
    fn by_fragments(&self, flow: &FlowRecord) -> Option<usize> {
        let known = |fragment: &str| self.by_fragment.get(fragment).map_or(&[][..], Vec::as_slice);
        let generations = || flow.ice.iter().flat_map(|ice| &ice.generations);
        let both = generations().find_map(|generation| {
            let high = last_of(known(&generation.high));
            let fits = |(number, party): &&(usize, Party)| high.contains(&(*number, party ^ 1));
            last_of(known(&generation.low)).iter().find(fits).map(|(number, _)| *number)
        });
        let one = || {
            let mut names = generations().flat_map(|generation| [&generation.low, &generation.high]);
            names.find_map(|name| match known(name) {
                [(number, _)] => Some(*number),
                _ => None,
            })
        };
        both.or_else(one)
    }

    /// The address of media that one or, better, both sides gave, at the time of the exchange; ports are used again.
    fn by_addresses(&self, exchanges: &[Exchange], flow: &FlowRecord) -> Option<usize> {
        let is_media = !flow.streams.is_empty() || flow.rtcp.is_some() || flow.path.dtls;
        if flow.path.ice || !is_media || flow.key.transport != Transport::Udp {
            return None;
        }
        let known = |end: &Endpoint| self.by_address.get(end).map_or(&[][..], Vec::as_slice);
        let (low, high) = (known(&flow.key.low), known(&flow.key.high));
        // Ports are used again by one call after the other: the last that began before the flow's end count.
        let begun = |list: &'_ [(usize, Party, Timestamp)]| {
            let end = flow.last.0.0.saturating_add(EARLY);
            list.partition_point(|(.., start)| start.0 <= end)
        };
        let low = low.get(..begun(low)).unwrap_or_default();
        let high = high.get(..begun(high)).unwrap_or_default();
        let (low, high) = (last_of(low), last_of(high));
        let fits = |(number, party, start): &(usize, Party, Timestamp)| {
            let ended = exchanges.get(*number).and_then(Exchange::ended).unwrap_or(Timestamp(i64::MAX));
            let in_time =
                start.0 <= flow.last.0.0.saturating_add(EARLY) && flow.first.0.0 <= ended.0.saturating_add(LATE);
            let both = low.iter().chain(high).any(|(other, side, _)| other == number && *side != *party);
            in_time.then_some((both, *start, *number))
        };
        low.iter().chain(high).filter_map(fits).max().map(|(.., number)| number)
    }

    /// A source that was announced by one exchange alone.
    fn by_sources(&self, flow: &FlowRecord) -> Option<usize> {
        let random = flow.streams.iter().map(|stream| stream.ssrc).filter(|ssrc| *ssrc >= SMALLEST_RANDOM_SSRC);
        let mut known = random.filter_map(|ssrc| match self.by_ssrc.get(&ssrc)?.as_slice() {
            [(number, _)] => Some(*number),
            _ => None,
        });
        known.next()
    }
}

impl Exchange {
    /// When its end was said.
    fn ended(&self) -> Option<Timestamp> {
        self.dialog.as_ref()?.ended.as_ref().map(|ending| ending.mark.0)
    }
}

fn last_of<T>(list: &[T]) -> &[T] {
    list.get(list.len().saturating_sub(LOOKS)..).unwrap_or_default()
}

fn note<T: PartialEq>(list: &mut Vec<T>, item: T) {
    if !last_of(list).contains(&item) {
        list.push(item);
    }
}
