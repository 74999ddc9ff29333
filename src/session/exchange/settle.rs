//! Which statements belong together, whose they are, and what became of each offer.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{
    Exchange, Party, Place, Round, Statement, Withdrawal,
    gather::{Gatherer, LOOKS, Owner},
    round::CROSSING,
};
use crate::{
    flow::{key::FlowKey, signalling::Context, tcp::Mark},
    sdp::input::By,
    session::groups::Groups,
};

/// An origin's number with fewer digits may be everybody's: `0`, `1`, `10000`.
const DIGITS_OF_A_RANDOM_NUMBER: usize = 8;

impl Gatherer {
    /// All exchanges, by their first message.
    pub fn finish(mut self) -> Vec<Exchange> {
        let groups = self.group();
        self.tell_parties(&groups);
        let owners: Vec<_> = self.owners();
        let mut exchanges: BTreeMap<usize, Exchange> = BTreeMap::new();
        self.add_candidates(owners, &groups, &mut exchanges);
        self.add_statements(&groups, &mut exchanges);
        self.add_refusals(&mut exchanges);
        let mut exchanges: Vec<Exchange> = self.add_dialogs(exchanges);
        for exchange in &mut exchanges {
            exchange.note_taken_back();
            exchange.note_withdrawn();
        }
        exchanges.sort_by_key(|exchange| exchange.span.map(|(first, _)| first));
        exchanges
    }

    fn add_statements(&mut self, groups: &[usize], exchanges: &mut BTreeMap<usize, Exchange>) {
        let mut places: BTreeMap<usize, usize> = BTreeMap::new();
        for (index, statement) in std::mem::take(&mut self.statements).into_iter().enumerate() {
            let Some(root) = groups.get(index).copied() else { continue };
            let exchange = exchanges.entry(root).or_default();
            for place in &statement.places {
                let via = self.vias.get(&(place.key, place.connection)).copied();
                exchange.via = exchange.via.or(via);
                note_span(exchange, place);
            }
            places.insert(index, exchange.statements.len());
            exchange.statements.push(statement);
        }
        for mut round in std::mem::take(&mut self.rounds) {
            let Some(exchange) = groups.get(round.offer).and_then(|root| exchanges.get_mut(root)) else { continue };
            let Some(offer) = places.get(&round.offer).copied() else { continue };
            round.offer = offer;
            round.answer = round.answer.and_then(|answer| places.get(&answer).copied());
            exchange.rounds.push(round);
        }
    }

    /// Gives each exchange what was sent apart from its descriptions. `owners` are those of the candidates, and then of
    /// the ends of them.
    fn add_candidates(
        &mut self,
        owners: Vec<Option<(usize, Party)>>,
        groups: &[usize],
        exchanges: &mut BTreeMap<usize, Exchange>,
    ) {
        let mut owners = owners.into_iter();
        let root = |owner: Option<Option<(usize, Party)>>| {
            let (index, party) = owner.flatten()?;
            Some((*groups.get(index)?, party))
        };
        for (_, mut trickled) in std::mem::take(&mut self.candidates) {
            let Some((root, party)) = root(owners.next()) else { continue };
            let exchange = exchanges.entry(root).or_default();
            trickled.party = party;
            trickled.place.iter().for_each(|place| note_span(exchange, place));
            exchange.candidates.push(trickled);
        }
        let mut known = BTreeSet::new();
        for (_, mut end) in std::mem::take(&mut self.ends) {
            let Some((root, party)) = root(owners.next()) else { continue };
            end.party = party;
            // The same on its way to the server and from there.
            if known.insert((root, party, end.mid.clone())) {
                exchanges.entry(root).or_default().ends.push(end);
            }
        }
    }

    /// The set of each statement, by the statement that stands for it.
    fn group(&self) -> Vec<usize> {
        let mut groups = Groups::new(self.statements.len());
        let mut by_name: HashMap<String, usize> = HashMap::new();
        for (index, statement) in self.statements.iter().enumerate() {
            for name in names(statement) {
                let first = *by_name.entry(name).or_insert(index);
                groups.join(first, index);
            }
        }
        for round in &self.rounds {
            if let Some(answer) = round.answer {
                groups.join(round.offer, answer);
            }
        }
        (0..self.statements.len()).map(|index| groups.find(index)).collect()
    }

    /// Says of each statement whose it is: the answer's party is the other than the offer's, and what has the same
    /// credentials or the same origin is the same party's.
    fn tell_parties(&mut self, groups: &[usize]) {
        let mut known: HashMap<(usize, String), Party> = HashMap::new();
        let rounds: Vec<(usize, Option<usize>)> = self.rounds.iter().map(|round| (round.offer, round.answer)).collect();
        for (offered, answered) in rounds {
            let Some(root) = groups.get(offered).copied() else { continue };
            let own_names = |statement: &Statement| -> Vec<String> { party_names(statement).collect() };
            let Some(offer) = self.statements.get(offered) else { continue };
            if offer.context.dialog.is_some() {
                continue;
            }
            let names = own_names(offer);
            let named = names.iter().find_map(|name| known.get(&(root, name.clone())).copied());
            let answer_names = answered.and_then(|index| self.statements.get(index)).map(own_names);
            let by_answer = answer_names.iter().flatten().find_map(|name| known.get(&(root, name.clone())).copied());
            let party = named.or_else(|| by_answer.map(|party| party ^ 1)).unwrap_or(0);
            let both = [(Some(offered), party, Some(names)), (answered, party ^ 1, answer_names)];
            for (index, party, names) in both {
                if let Some(statement) = index.and_then(|index| self.statements.get_mut(index)) {
                    statement.party = party;
                }
                for name in names.into_iter().flatten() {
                    known.entry((root, name)).or_insert(party);
                }
            }
        }
    }

    /// The statement that each candidate belongs to, and its party, and so for the ends of candidates: by the user fragment;
    /// without one, the latest that the same side sent in the same conversation.
    fn owners(&self) -> Vec<Option<(usize, Party)>> {
        let mut by_fragment: HashMap<&str, (usize, Party)> = HashMap::new();
        for (index, statement) in self.statements.iter().enumerate() {
            for (fragment, _) in statement.credentials() {
                by_fragment.entry(fragment).or_insert((index, statement.party));
            }
        }
        let owner = |(owner, place, mid): (&Owner, Option<&Place>, Option<&str>)| {
            if let Some(fragment) = &owner.fragment {
                return by_fragment.get(fragment.as_str()).copied();
            }
            let score = |(index, statement): (usize, &Statement)| {
                let same_way = match place {
                    Some(place) => {
                        statement.places.iter().any(|own| own.is_beside(place, true) && own.mark <= place.mark)
                    }
                    None => owner.by != By::Unknown && owner.by == statement.by,
                };
                let keys = owner.context.keys.iter().filter(|key| statement.context.keys.contains(key)).count();
                let has_mid = mid.is_none_or(|mid| statement.outline.has_mid(mid));
                (same_way && has_mid).then_some((keys, index, statement.party))
            };
            let all = self.statements.iter().enumerate().rev().take(LOOKS).filter_map(score);
            all.max().map(|(_, index, party)| (index, party))
        };
        let candidates = self.candidates.iter().map(|(owner, one)| (owner, one.place.as_ref(), one.mid.as_deref()));
        let ends = self.ends.iter().map(|(owner, one)| (owner, one.place.as_ref(), one.mid.as_deref()));
        candidates.chain(ends).map(owner).collect()
    }

    /// Refusals and what RTSP chose belong to the exchange of the same connection.
    fn add_refusals(&mut self, exchanges: &mut BTreeMap<usize, Exchange>) {
        let mut by_connection: HashMap<(FlowKey, u32), usize> = HashMap::new();
        for (root, exchange) in exchanges.iter() {
            let places = exchange.statements.iter().flat_map(|statement| &statement.places);
            places.for_each(|place| {
                by_connection.entry((place.key, place.connection)).or_insert(*root);
            });
        }
        let root = |place: &Place| by_connection.get(&(place.key, place.connection));
        for (place, method, status) in std::mem::take(&mut self.refusals) {
            if let Some(exchange) = root(&place).and_then(|root| exchanges.get_mut(root)) {
                exchange.refused = Some((method, status, place.mark));
                note_span(exchange, &place);
            }
        }
        for (place, transport) in std::mem::take(&mut self.transports) {
            if let Some(exchange) = root(&place).and_then(|root| exchanges.get_mut(root)) {
                exchange.transports.push((place.key, place.direction ^ 1, transport));
                note_span(exchange, &place);
            }
        }
    }

    /// Gives each exchange its SIP dialog; dialogs without a description are exchanges too.
    fn add_dialogs(&mut self, mut exchanges: BTreeMap<usize, Exchange>) -> Vec<Exchange> {
        let mut by_call: HashMap<String, usize> = HashMap::new();
        for (root, exchange) in &exchanges {
            let dialogs = exchange.statements.iter().filter_map(|statement| statement.context.dialog.as_ref());
            by_call.extend(dialogs.map(|dialog| (dialog.call_id.clone(), *root)));
        }
        let mut alone = Vec::new();
        for (call_id, (dialog, places)) in std::mem::take(&mut self.dialogs) {
            let mut own = Exchange::default();
            let exchange = by_call.get(&call_id).and_then(|root| exchanges.get_mut(root)).unwrap_or(&mut own);
            for place in &places {
                exchange.via = exchange.via.or_else(|| self.vias.get(&(place.key, place.connection)).copied());
                note_span(exchange, place);
            }
            exchange.dialog = Some(dialog);
            if own.dialog.is_some() {
                alone.push(own);
            }
        }
        exchanges.into_values().chain(alone).collect()
    }
}

impl Exchange {
    fn note_withdrawn(&mut self) {
        let stands = |round: &&Round| round.withdrawn.is_none() || round.answer.is_some();
        let standing: BTreeSet<usize> = self.rounds.iter().filter(stands).map(|round| round.offer).collect();
        for offer in self.rounds.iter().map(|round| round.offer).filter(|offer| !standing.contains(offer)) {
            if let Some(statement) = self.statements.get_mut(offer) {
                statement.is_withdrawn = true;
            }
        }
    }

    /// Offers that were taken back without a word: who answers an offer of the other side has none of its own any more
    /// (RFC 9429 section 4.1.10.2).
    fn note_taken_back(&mut self) {
        let statements = &self.statements;
        let party = |index: usize| statements.get(index).map(|statement| statement.party);
        // What each side answered, and when that was offered.
        let mut answers: [Vec<(usize, Option<Mark>)>; 2] = Default::default();
        for round in &self.rounds {
            let Some(answer) = round.answer.filter(|answer| party(*answer) != party(round.offer)) else { continue };
            if let Some(own) = party(answer).and_then(|party| answers.get_mut(party)) {
                own.push((answer, round.offered_at));
            }
        }
        answers.iter_mut().for_each(|own| own.sort_unstable());
        for round in self.rounds.iter_mut().filter(|round| round.answer.is_none() && round.transaction.is_none()) {
            let Some(own) = party(round.offer).and_then(|party| answers.get(party)) else { continue };
            let later = own.partition_point(|(answer, _)| *answer < round.offer);
            let Some((_, other)) = own.get(later) else { continue };
            let apart = round.offered_at.zip(*other).map(|((own, _), (other, _))| own.since(other).abs());
            let crossed = apart.is_some_and(|apart| apart < CROSSING);
            let at = match &round.withdrawn {
                Some(Withdrawal::RolledBack { at, .. }) => *at,
                _ => None,
            };
            round.withdrawn = Some(Withdrawal::RolledBack { at, crossed });
        }
    }
}

fn note_span(exchange: &mut Exchange, place: &Place) {
    if exchange.first_place.is_none_or(|known| place.mark < known.mark) {
        exchange.first_place = Some(*place);
    }
    let (first, last) = exchange.span.unwrap_or((place.mark, place.mark));
    exchange.span = Some((first.min(place.mark), last.max(place.mark)));
}

/// What a statement is joined by: names that no other exchange has.
fn names(statement: &Statement) -> impl Iterator<Item = String> {
    let Context { dialog, keys, .. } = &statement.context;
    let call = dialog.as_ref().map(|dialog| format!("call {}", dialog.call_id));
    // A peer connection of a dump.
    let given = (statement.places.is_empty() && !keys.is_empty()).then(|| format!("given {keys:?}"));
    call.into_iter().chain(given).chain(party_names(statement))
}

/// What names one party of an exchange.
fn party_names(statement: &Statement) -> impl Iterator<Item = String> {
    let credentials = statement.credentials().filter(|(_, password)| password.is_some());
    let credentials = credentials.map(|(fragment, password)| format!("ice {fragment} {password:?}"));
    let origin = statement.outline.origin.as_ref().filter(|origin| {
        let digits = origin.session_id.trim_start_matches('0').len();
        statement.context.dialog.is_none() && digits >= DIGITS_OF_A_RANDOM_NUMBER
    });
    let origin = origin.map(|origin| format!("origin {} {} {:?}", origin.username, origin.session_id, origin.address));
    origin.into_iter().chain(credentials)
}
