//! Signals to statements and rounds, in capture order.

use std::collections::{BTreeMap, HashMap};

use super::{Dialog, EndOfCandidates, Exchange, Outline, Party, Place, Round, Statement, Trickled, Withdrawal, pair};
use crate::{
    engine::Analysis,
    flow::{
        key::FlowKey,
        signalling::{
            self, Candidate, Content, Context, Description, HttpResponse, RtspResponse, RtspTransport, Signal, Via,
        },
        tcp::Mark,
    },
    sdp::{self, DescriptionKind, Fragment, input},
};

/// Places of one description that are kept.
const PLACES: usize = 16;

/// Descriptions that are looked back at for the one that a candidate or a rollback belongs to.
pub(super) const LOOKS: usize = 256;

/// Ends that answer one forked INVITE.
const BRANCHES: usize = 64;

/// Ends of candidates that are kept.
const ENDS: usize = 4096;

/// All exchanges of a capture, by their first message.
pub fn gather(analysis: &Analysis) -> Vec<Exchange> {
    let mut gatherer = Gatherer::default();
    for (name, given) in &analysis.given {
        gatherer.push_given(name, given);
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

/// What a candidate, or the end of them, is told by.
#[derive(Debug, Default)]
pub(super) struct Owner {
    pub context: Context,
    /// The user fragment that it names.
    pub fragment: Option<String>,
    /// Whose it is in the file that it was given in.
    pub by: input::By,
}

#[derive(Default)]
pub(super) struct Gatherer {
    pub statements: Vec<Statement>,
    by_text: HashMap<String, usize>,
    /// Statements that were given beside the capture.
    given: Vec<usize>,
    pub rounds: Vec<Round>,
    /// The rounds of each SIP transaction: of a fork several.
    by_transaction: HashMap<String, Vec<usize>>,
    pub candidates: Vec<(Owner, Trickled)>,
    known_candidates: HashMap<(String, Option<String>), usize>,
    pub ends: Vec<(Owner, EndOfCandidates)>,
    pub dialogs: BTreeMap<String, (Dialog, Vec<Place>)>,
    pub refusals: Vec<(Place, String, u16)>,
    pub transports: Vec<(Place, RtspTransport)>,
    pub vias: HashMap<(FlowKey, u32), Via>,
    /// Who sends the message that the next descriptions are in: the tag in From or To.
    sender: Option<String>,
}

impl Gatherer {
    fn push(&mut self, signal: &Signal) {
        let Signal { mark, key, direction, connection, .. } = *signal;
        let place = Place { mark, key, direction, connection };
        let via = self.vias.entry((key, connection)).or_insert(signal.via);
        if *via == Via::Tls {
            // A ClientHello, before what is inside.
            *via = signal.via;
        }
        match &signal.content {
            Content::Description(description) => self.push_description(description, input::By::Unknown, Some(place)),
            Content::Candidate(candidate) => self.push_candidate(candidate, place),
            Content::EndOfCandidates(context) => {
                let owner = Owner { context: context.clone(), ..Owner::default() };
                self.push_end(owner, None, Some(place));
            }
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
                self.sender = Some(response.dialog.to_tag.clone().unwrap_or_default());
                let of_call = response.dialog.cseq_method == "INVITE";
                if of_call || self.dialogs.contains_key(&response.dialog.call_id) {
                    let (dialog, places) = self.dialogs.entry(response.dialog.call_id.clone()).or_default();
                    dialog.push_response(response, mark);
                    note_place(places, place);
                }
                if response.status >= 300 {
                    self.refuse(&response.dialog, response.status, mark);
                }
            }
            Content::HttpResponse(response) => self.push_http(response, place),
            Content::RtspResponse(response) => self.push_rtsp(response, place),
            Content::HttpRequest(_)
            | Content::RtspRequest(_)
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

    /// What a file beside the capture holds.
    fn push_given(&mut self, name: &str, given: &input::Input) {
        // What tells the peer connections of one dump apart.
        let context = |connection: &str| Context {
            keys: if connection.is_empty() { Vec::new() } else { vec![(name.to_owned(), connection.to_owned())] },
            ..Context::default()
        };
        for one in &given.descriptions {
            let said = Description { kind: one.kind, sdp: one.sdp.clone(), context: context(&one.connection) };
            self.push_description(&said, one.by, None);
        }
        for one in &given.candidates {
            let owner = |fragment| Owner { context: context(&one.connection), fragment, by: one.by };
            match &one.candidate {
                Some(candidate) => {
                    let trickled = Trickled {
                        place: None,
                        party: 0,
                        text: one.text.clone(),
                        candidate: Some(candidate.clone()),
                        mid: one.mid.clone(),
                    };
                    self.add_candidate(owner(candidate.ufrag.clone()), trickled);
                }
                None => self.push_end(owner(None), one.mid.clone(), None),
            }
        }
    }

    fn push_description(&mut self, said: &Description, by: input::By, place: Option<Place>) {
        match said.kind {
            Some(DescriptionKind::Fragment) => return self.push_fragment(said, place),
            Some(DescriptionKind::Rollback) => return self.roll_back(said, place),
            _ => {}
        }
        // One dialog may say again what another said.
        let call = said.context.dialog.as_ref().map_or("", |dialog| &dialog.call_id);
        let identity = format!("{call}\n{}", said.sdp);
        if let Some(index) = self.by_text.get(&identity).copied() {
            return self.push_again(index, said, place);
        }
        let Ok(description) = sdp::Description::parse(&said.sdp) else { return };
        let outline = Outline::of(&description);
        if outline.media.is_empty() {
            return;
        }
        if let Some(known) = self.given_before(&outline, Some(&said.context).filter(|_| place.is_none())) {
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
            branch: None,
            is_withdrawn: false,
            outline,
            context: said.context.clone(),
            by,
        };
        statement.kind = said.kind.unwrap_or_else(|| pair::kind_of(&statement, &self.statements, &self.rounds));
        // Until it is known who is who: of SIP the tag tells.
        if let Some(dialog) = &said.context.dialog {
            let caller = self.dialogs.get(&dialog.call_id).and_then(|(dialog, _)| dialog.caller_tag.as_ref());
            let is_caller = |tag: &Option<String>| caller.is_none() || caller == tag.as_ref();
            statement.party = Party::from(self.sender.is_some() && !is_caller(&self.sender));
            statement.branch.clone_from(if is_caller(&dialog.from_tag) { &dialog.to_tag } else { &dialog.from_tag });
        }
        let index = self.statements.len();
        self.by_text.insert(identity, index);
        if place.is_none() && self.given.len() < LOOKS {
            self.given.push(index);
        }
        self.statements.push(statement);
        self.pair(index, said, place);
    }

    /// A description that is known: on its way through another place, sent again, or said once more in a new round.
    fn push_again(&mut self, index: usize, said: &Description, place: Option<Place>) {
        let Some(known) = self.statements.get_mut(index) else { return };
        if let Some(place) = place {
            note_place(&mut known.places, place);
        }
        // A provisional answer that is said again in the final one.
        if known.kind == DescriptionKind::Pranswer && said.kind == Some(DescriptionKind::Answer) {
            known.kind = DescriptionKind::Answer;
        }
        let is_new = said.context.dialog.as_ref().is_some_and(|dialog| {
            let mut own = self.rounds_of(dialog).iter().filter_map(|round| self.rounds.get(*round));
            !own.any(|round| round.offer == index || round.answer == Some(index))
        });
        if is_new {
            self.pair(index, said, place);
        }
    }

    /// The rounds of a SIP transaction, by their indices.
    fn rounds_of(&self, dialog: &signalling::Dialog) -> &[usize] {
        self.by_transaction.get(&transaction(dialog)).map_or(&[], Vec::as_slice)
    }

    fn add_round(&mut self, round: Round) {
        if let Some(dialog) = &round.transaction {
            let own = self.by_transaction.entry(transaction(dialog)).or_default();
            if own.len() >= BRANCHES {
                return;
            }
            own.push(self.rounds.len());
        }
        self.rounds.push(round);
    }

    /// Begins a round with an offer, or settles one with an answer.
    fn pair(&mut self, index: usize, said: &Description, place: Option<Place>) {
        let Some(statement) = self.statements.get(index) else { return };
        let at = place.map(|place| place.mark);
        let (kind, branch) = (said.kind.unwrap_or(statement.kind), statement.branch.clone());
        if kind == DescriptionKind::Offer {
            let transaction = said.context.dialog.clone();
            return self.add_round(Round { offer: index, offered_at: at, transaction, ..Round::default() });
        }
        let found = match &said.context.dialog {
            Some(dialog) => {
                let own = self.rounds_of(dialog);
                let is_branch = |round: &&usize| self.rounds.get(**round).is_some_and(|round| round.branch == branch);
                own.iter().find(is_branch).or_else(|| own.last()).copied()
            }
            None => pair::find_offer(statement, &self.statements, &self.rounds, false),
        };
        let Some(round) = found.and_then(|found| self.rounds.get_mut(found)) else { return };
        let is_settled =
            |answer: usize| self.statements.get(answer).is_some_and(|known| known.kind == DescriptionKind::Answer);
        if round.answer.is_some() && branch.is_some() && round.branch != branch {
            // Another end of those that the INVITE was forked to.
            let other = Round { answer: Some(index), answered_at: at, branch, withdrawn: None, ..round.clone() };
            self.add_round(other);
        } else if kind == DescriptionKind::Answer || !round.answer.is_some_and(is_settled) {
            (round.answer, round.answered_at, round.branch) = (Some(index), at, branch);
            round.withdrawn = None;
        }
    }

    /// The last offer of the same conversation is none any more, if it was not answered; what is said on its way to a
    /// server and from there is of one offer.
    fn roll_back(&mut self, said: &Description, place: Option<Place>) {
        let statements = &self.statements;
        let is_beside = |round: &&mut Round| {
            let Some(offer) = statements.get(round.offer) else { return false };
            let same = match &place {
                Some(place) => offer.places.iter().any(|own| own.is_same_connection(place)),
                None => offer.places.is_empty(),
            };
            let (keys, own) = (&said.context.keys, &offer.context.keys);
            same && (keys.is_empty() || own.is_empty() || keys.iter().any(|key| own.contains(key)))
        };
        let is_provisional = |answer: usize| {
            statements.get(answer).is_some_and(|answer: &Statement| answer.kind == DescriptionKind::Pranswer)
        };
        let last = self.rounds.iter_mut().rev().take(LOOKS).find(is_beside);
        if let Some(round) = last.filter(|round| round.is_open(is_provisional)) {
            let at = place.map(|place| place.mark);
            round.withdrawn = Some(Withdrawal::RolledBack { at, crossed: false });
        }
    }

    /// SIP refused a transaction, and the offer in it.
    fn refuse(&mut self, dialog: &signalling::Dialog, status: u16, mark: Mark) {
        if !matches!(dialog.cseq_method.as_str(), "INVITE" | "UPDATE") {
            return;
        }
        for index in self.rounds_of(dialog).to_vec() {
            let Some(round) = self.rounds.get_mut(index) else { continue };
            if round.answer.is_none() || round.branch == dialog.to_tag {
                round.withdrawn.get_or_insert(Withdrawal::Refused(status, mark));
            }
        }
    }

    /// The same version of a description, as a file beside the capture has it: of the same peer connection, `of`, where a
    /// file says it again.
    fn given_before(&mut self, outline: &Outline, of: Option<&Context>) -> Option<&mut Statement> {
        let origin = outline.origin.as_ref()?;
        let is_same = |known: &&usize| {
            self.statements.get(**known).is_some_and(|known| {
                let same_media = known.outline.media.len() == outline.media.len();
                let same_connection = of.is_none_or(|context| known.context == *context);
                same_media && same_connection && known.outline.origin.as_ref() == Some(origin)
            })
        };
        let known = self.given.iter().find(is_same).copied()?;
        self.statements.get_mut(known)
    }

    fn push_fragment(&mut self, said: &Description, place: Option<Place>) {
        let Ok(fragment) = Fragment::parse(&said.sdp) else { return };
        let owner = |fragment| Owner { context: said.context.clone(), fragment, by: input::By::Unknown };
        if fragment.end_of_candidates {
            self.push_end(owner(fragment.ice_ufrag.clone()), None, place);
        }
        for media in fragment.media {
            let ufrag = media.ice_ufrag.or_else(|| fragment.ice_ufrag.clone());
            for candidate in media.candidates {
                let text = said.sdp.lines().find(|line| line.contains(&*candidate.foundation)).unwrap_or_default();
                let text = text.trim_start_matches("a=").to_owned();
                let trickled = Trickled { place, party: 0, text, candidate: Some(candidate), mid: media.mid.clone() };
                self.candidates.push((owner(ufrag.clone()), trickled));
            }
            if media.end_of_candidates {
                self.push_end(owner(ufrag), media.mid, place);
            }
        }
    }

    fn push_candidate(&mut self, said: &Candidate, place: Place) {
        let candidate = sdp::Candidate::parse(&said.candidate).ok();
        let ufrag = candidate.as_ref().and_then(|candidate| candidate.ufrag.clone());
        let fragment = said.username_fragment.clone().or(ufrag);
        let owner = Owner { context: said.context.clone(), fragment, by: input::By::Unknown };
        let (text, mid) = (said.candidate.clone(), said.sdp_mid.clone());
        self.add_candidate(owner, Trickled { place: Some(place), party: 0, text, candidate, mid });
    }

    /// Adds a candidate; one that is known is on its way to the server or from there, or a file has it too.
    fn add_candidate(&mut self, owner: Owner, trickled: Trickled) {
        let identity = (format!("{}\n{:?}", trickled.text, owner.fragment), trickled.mid.clone());
        let known = self.known_candidates.get(&identity).filter(|_| owner.fragment.is_some());
        if let Some((_, known)) = known.and_then(|index| self.candidates.get_mut(*index)) {
            known.place = known.place.or(trickled.place);
            return;
        }
        self.known_candidates.insert(identity, self.candidates.len());
        self.candidates.push((owner, trickled));
    }

    fn push_end(&mut self, owner: Owner, mid: Option<String>, place: Option<Place>) {
        if self.ends.len() < ENDS {
            self.ends.push((owner, EndOfCandidates { place, party: 0, mid }));
        }
    }
}

/// What a request and its responses have in common, and the ACK that has an answer too (RFC 3261 section 13.2): each end
/// counts its own CSeq.
fn transaction(dialog: &signalling::Dialog) -> String {
    let cseq = dialog.cseq.map_or_else(String::new, |cseq| cseq.to_string());
    format!("{}\n{cseq}\n{}", dialog.call_id, dialog.from_tag.as_deref().unwrap_or_default())
}

fn note_place(places: &mut Vec<Place>, place: Place) {
    if places.len() < PLACES {
        places.push(place);
    } else if let Some(last) = places.last_mut() {
        *last = place;
    }
}
