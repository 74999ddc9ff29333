//! Signals to exchanges.

use std::collections::{BTreeMap, HashMap};

use super::{Dialog, Exchange, Outline, Party, Place, Round, Statement, Trickled, pair};
use crate::{
    engine::Analysis,
    flow::{
        key::FlowKey,
        signalling::{
            Candidate, Content, Context, Description, HttpResponse, RtspResponse, RtspTransport, Signal, Via,
        },
    },
    sdp::{self, DescriptionKind, Fragment},
    session::groups::Groups,
};

/// An origin's number with fewer digits may be everybody's: `0`, `1`, `10000`.
const DIGITS_OF_A_RANDOM_NUMBER: usize = 8;

/// Places of one description that are kept.
const PLACES: usize = 16;

/// Descriptions that are looked back at for the one that a candidate belongs to.
const LOOKS: usize = 256;

/// All exchanges of a capture, by their first message.
pub fn gather(analysis: &Analysis) -> Vec<Exchange> {
    let mut gatherer = Gatherer::default();
    for given in &analysis.given {
        gatherer.push_description(given, None);
    }
    for signal in &analysis.signalling.signals {
        gatherer.push(signal);
    }
    gatherer.finish()
}

/// The exchanges of some signals.
#[cfg(test)]
pub(super) fn gathered(signals: &[Signal]) -> Vec<Exchange> {
    let mut gatherer = Gatherer::default();
    signals.iter().for_each(|signal| gatherer.push(signal));
    gatherer.finish()
}

#[derive(Default)]
struct Gatherer {
    statements: Vec<Statement>,
    by_text: HashMap<String, usize>,
    /// Statements that were given beside the capture.
    given: Vec<usize>,
    rounds: Vec<Round>,
    candidates: Vec<(Context, Trickled, Option<String>)>,
    known_candidates: HashMap<(String, Option<String>), ()>,
    dialogs: BTreeMap<String, (Dialog, Vec<Place>)>,
    refusals: Vec<(Place, String, u16)>,
    transports: Vec<(Place, RtspTransport)>,
    vias: HashMap<(FlowKey, u32), Via>,
    /// Who sends the message that the next descriptions are in: the tag in From or To.
    sender: Option<String>,
}

impl Gatherer {
    fn push(&mut self, signal: &Signal) {
        let Signal { mark, key, direction, connection, .. } = *signal;
        let place = Place { mark, key, direction, connection };
        self.vias.entry((key, connection)).or_insert(signal.via);
        match &signal.content {
            Content::Description(description) => self.push_description(description, Some(place)),
            Content::Candidate(candidate) => self.push_candidate(candidate, place),
            Content::SipRequest(request) => {
                self.sender.clone_from(&request.dialog.from_tag);
                // What makes a call is an INVITE: registrations and questions have Call-IDs too.
                if request.method == "INVITE" || self.dialogs.contains_key(&request.dialog.call_id) {
                    let (dialog, places) = self.dialogs.entry(request.dialog.call_id.clone()).or_default();
                    dialog.push_request(request, mark);
                    note_place(places, place);
                }
            }
            Content::SipResponse(response) => {
                self.sender.clone_from(&response.dialog.to_tag);
                let of_call = response.dialog.cseq_method == "INVITE";
                if of_call || self.dialogs.contains_key(&response.dialog.call_id) {
                    let (dialog, places) = self.dialogs.entry(response.dialog.call_id.clone()).or_default();
                    dialog.push_response(response, mark);
                    note_place(places, place);
                }
            }
            Content::HttpResponse(response) => self.push_http(response, place),
            Content::RtspResponse(response) => self.push_rtsp(response, place),
            Content::HttpRequest(_)
            | Content::RtspRequest(_)
            | Content::EndOfCandidates(_)
            | Content::WebSocketOpened(_)
            | Content::WebSocketClosed(_)
            | Content::Tls(_) => {}
        }
    }

    fn push_http(&mut self, response: &HttpResponse, place: Place) {
        if response.status >= 400 {
            let method = response.method.clone().unwrap_or_else(|| "request".to_owned());
            self.refusals.push((place, method, response.status));
        }
    }

    fn push_rtsp(&mut self, response: &RtspResponse, place: Place) {
        // A first request without credentials is refused as a rule.
        if response.status >= 400 && response.status != 401 {
            let method = response.method.clone().unwrap_or_else(|| "request".to_owned());
            self.refusals.push((place, method, response.status));
        }
        if (200..300).contains(&response.status) {
            let chosen = response.transports.iter().cloned().map(|transport| (place, transport));
            self.transports.extend(chosen);
        }
    }

    fn push_description(&mut self, said: &Description, place: Option<Place>) {
        if said.kind == Some(DescriptionKind::Fragment) {
            return self.push_fragment(said, place);
        }
        // One dialog may say again what another said.
        let call = said.context.dialog.as_ref().map_or("", |dialog| &dialog.call_id);
        let identity = format!("{call}\n{}", said.sdp);
        if let Some(known) = self.by_text.get(&identity).and_then(|index| self.statements.get_mut(*index)) {
            if let Some(place) = place {
                note_place(&mut known.places, place);
            }
            return;
        }
        let Ok(description) = sdp::Description::parse(&said.sdp) else { return };
        let outline = Outline::of(&description);
        if outline.media.is_empty() {
            return;
        }
        if let Some(known) = self.given_before(&outline) {
            // The later has more candidates, and what was sent counts more than what a file has of it.
            known.text.clone_from(&said.sdp);
            known.outline = outline;
            known.places.extend(place);
            return;
        }
        let mut statement = Statement {
            places: place.into_iter().collect(),
            kind: DescriptionKind::Offer,
            party: 0,
            text: said.sdp.clone(),
            outline,
            context: said.context.clone(),
        };
        statement.kind = said.kind.unwrap_or_else(|| pair::kind_of(&statement, &self.statements, &self.rounds));
        let index = self.statements.len();
        match statement.kind {
            DescriptionKind::Offer => self.rounds.push(Round { offer: index, answer: None }),
            DescriptionKind::Answer | DescriptionKind::Pranswer => {
                let round = pair::find_offer(&statement, &self.statements, &self.rounds, false);
                if let Some(round) = round.and_then(|round| self.rounds.get_mut(round)) {
                    round.answer = Some(index);
                }
            }
            DescriptionKind::Rollback | DescriptionKind::Fragment => return,
        }
        // Until it is known who is who: of SIP the tag tells.
        if let (Some(dialog), Some(sender)) = (&said.context.dialog, &self.sender) {
            let caller = self.dialogs.get(&dialog.call_id).and_then(|(dialog, _)| dialog.caller_tag.as_ref());
            statement.party = Party::from(caller.is_some_and(|caller| caller != sender));
        }
        self.by_text.insert(identity, index);
        if place.is_none() && self.given.len() < LOOKS {
            self.given.push(index);
        }
        self.statements.push(statement);
    }

    /// The same version of a description, as a file beside the capture has it.
    fn given_before(&mut self, outline: &Outline) -> Option<&mut Statement> {
        let origin = outline.origin.as_ref()?;
        let is_same = |known: &&usize| {
            self.statements.get(**known).is_some_and(|known| {
                let same_media = known.outline.media.len() == outline.media.len();
                same_media && known.outline.origin.as_ref() == Some(origin)
            })
        };
        let known = self.given.iter().find(is_same).copied()?;
        self.statements.get_mut(known)
    }

    fn push_fragment(&mut self, said: &Description, place: Option<Place>) {
        let (Ok(fragment), Some(place)) = (Fragment::parse(&said.sdp), place) else { return };
        for media in fragment.media {
            let ufrag = media.ice_ufrag.or_else(|| fragment.ice_ufrag.clone());
            for candidate in media.candidates {
                let text = said.sdp.lines().find(|line| line.contains(&*candidate.foundation)).unwrap_or_default();
                let text = text.trim_start_matches("a=").to_owned();
                let trickled = Trickled { place, party: 0, text, candidate: Some(candidate), mid: media.mid.clone() };
                self.candidates.push((said.context.clone(), trickled, ufrag.clone()));
            }
        }
    }

    fn push_candidate(&mut self, said: &Candidate, place: Place) {
        let candidate = sdp::Candidate::parse(&said.candidate).ok();
        let ufrag = candidate.as_ref().and_then(|candidate| candidate.ufrag.clone());
        let ufrag = said.username_fragment.clone().or(ufrag);
        // The same candidate on its way to the server and from there.
        let identity = (format!("{}\n{:?}", said.candidate, ufrag), said.sdp_mid.clone());
        if self.known_candidates.insert(identity, ()).is_some() && ufrag.is_some() {
            return;
        }
        let trickled = Trickled { place, party: 0, text: said.candidate.clone(), candidate, mid: said.sdp_mid.clone() };
        self.candidates.push((said.context.clone(), trickled, ufrag));
    }

    fn finish(mut self) -> Vec<Exchange> {
        let groups = self.group();
        self.tell_parties(&groups);
        let owners = self.owners();
        let mut exchanges: BTreeMap<usize, Exchange> = BTreeMap::new();
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
        for round in &self.rounds {
            let Some(exchange) = groups.get(round.offer).and_then(|root| exchanges.get_mut(root)) else { continue };
            let Some(offer) = places.get(&round.offer).copied() else { continue };
            let answer = round.answer.and_then(|answer| places.get(&answer).copied());
            exchange.rounds.push(Round { offer, answer });
        }
        for ((_, mut trickled, _), owner) in std::mem::take(&mut self.candidates).into_iter().zip(owners) {
            let Some((index, party)) = owner else { continue };
            let Some(exchange) = groups.get(index).and_then(|root| exchanges.get_mut(root)) else { continue };
            trickled.party = party;
            note_span(exchange, &trickled.place);
            exchange.candidates.push(trickled);
        }
        self.add_refusals(&mut exchanges);
        let mut exchanges: Vec<Exchange> = self.add_dialogs(exchanges);
        exchanges.sort_by_key(|exchange| exchange.span.map(|(first, _)| first));
        exchanges
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
        let rounds: Vec<Round> = self.rounds.clone();
        for round in rounds {
            let Some(root) = groups.get(round.offer).copied() else { continue };
            let own_names = |statement: &Statement| -> Vec<String> { party_names(statement).collect() };
            let Some(offer) = self.statements.get(round.offer) else { continue };
            if offer.context.dialog.is_some() {
                continue;
            }
            let names = own_names(offer);
            let named = names.iter().find_map(|name| known.get(&(root, name.clone())).copied());
            let answer_names = round.answer.and_then(|index| self.statements.get(index)).map(own_names);
            let answered = answer_names.iter().flatten().find_map(|name| known.get(&(root, name.clone())).copied());
            let party = named.or_else(|| answered.map(|party| party ^ 1)).unwrap_or(0);
            let both = [(Some(round.offer), party, Some(names)), (round.answer, party ^ 1, answer_names)];
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

    /// The statement that each candidate belongs to, and its party: by the user fragment; without one, the latest that
    /// the same side sent in the same conversation.
    fn owners(&self) -> Vec<Option<(usize, Party)>> {
        let mut by_fragment: HashMap<&str, (usize, Party)> = HashMap::new();
        for (index, statement) in self.statements.iter().enumerate() {
            for (fragment, _) in statement.credentials() {
                by_fragment.entry(fragment).or_insert((index, statement.party));
            }
        }
        let owner = |(context, trickled, ufrag): &(Context, Trickled, Option<String>)| {
            if let Some(ufrag) = ufrag {
                return by_fragment.get(ufrag.as_str()).copied();
            }
            let place = &trickled.place;
            let score = |(index, statement): (usize, &Statement)| {
                let same_way = |own: &Place| own.is_beside(place, true) && own.mark <= place.mark;
                let keys = context.keys.iter().filter(|key| statement.context.keys.contains(key)).count();
                let has_mid = trickled.mid.as_deref().is_none_or(|mid| statement.outline.has_mid(mid));
                (statement.places.iter().any(same_way) && has_mid).then_some((keys, index, statement.party))
            };
            let all = self.statements.iter().enumerate().rev().take(LOOKS).filter_map(score);
            all.max().map(|(_, index, party)| (index, party))
        };
        self.candidates.iter().map(owner).collect()
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

fn note_place(places: &mut Vec<Place>, place: Place) {
    if places.len() < PLACES {
        places.push(place);
    } else if let Some(last) = places.last_mut() {
        *last = place;
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
