//! What each side said: descriptions, candidates, and their end.

use std::net::IpAddr;

use super::{CANDIDATES, Context, party_name};
use crate::{
    flow::tcp::Mark,
    report::document::{
        self, CandidateChecks, CandidatePair, EndOfCandidates, PairState, SessionDescription, SignalledCandidate,
    },
    sdp::{self, DescriptionKind},
    session::{Call, Conversation, Party, Place, Round, Statement, Withdrawal},
};

/// What became of an offer.
#[derive(Clone, Copy)]
pub struct Fate {
    outcome: &'static str,
    crossed: bool,
    status: Option<u16>,
    at: Option<Mark>,
}

impl Fate {
    const OPEN: Self = Self { outcome: "open", crossed: false, status: None, at: None };

    const fn of(round: &Round) -> Self {
        match round.withdrawn {
            Some(Withdrawal::RolledBack { at, crossed }) => Self { outcome: "rolled-back", crossed, at, ..Self::OPEN },
            // The same offer comes again with credentials.
            Some(Withdrawal::Refused(status @ (401 | 407), at)) => {
                Self { outcome: "challenged", status: Some(status), at: Some(at), ..Self::OPEN }
            }
            Some(Withdrawal::Refused(status, at)) => {
                // Request Pending: an INVITE of the other side is (RFC 3261 section 14.1).
                Self { outcome: "refused", crossed: status == 491, status: Some(status), at: Some(at) }
            }
            None if round.answer.is_some() => Self { outcome: "answered", at: round.answered_at, ..Self::OPEN },
            None => Self::OPEN,
        }
    }
}

/// What became of each statement of a call that is an offer, in the order of the statements.
pub fn fates(call: &Call<'_>) -> Vec<Fate> {
    let mut fates = Vec::new();
    for exchange in call.exchanges() {
        let start = fates.len();
        fates.resize(start + exchange.statements.len(), Fate::OPEN);
        for round in &exchange.rounds {
            if let Some(fate) = fates.get_mut(start + round.offer).filter(|fate| fate.outcome != "answered") {
                *fate = Fate::of(round);
            }
        }
    }
    fates
}

/// A description as it was sent.
pub fn description(context: &Context<'_>, statement: &Statement, fate: Fate) -> SessionDescription {
    let place = statement.places.first();
    let lines = || statement.text.split(['\r', '\n']).filter(|line| !line.is_empty());
    let text = if lines().any(|line| sdp::without_key(line) != line) {
        lines().map(|line| sdp::without_key(line) + "\r\n").collect()
    } else {
        statement.text.clone()
    };
    SessionDescription {
        kind: statement.kind.name(),
        party: party_name(statement.party),
        source: place.map(|place| place.source().to_string()),
        destination: place.map(|place| place.destination().to_string()),
        time: place.map(|place| context.seconds(place.mark.0)),
        packet: place.map(|place| context.packet(place.mark.1)),
        copies: statement.places.len() as u64,
        outcome: (statement.kind == DescriptionKind::Offer).then_some(fate.outcome),
        crossed: fate.crossed,
        refused_status: fate.status,
        outcome_packet: fate.at.map(|(_, packet)| context.packet(packet)),
        branch: statement.branch.clone(),
        sdp: text,
    }
}

/// Who said that there are no more candidates, in descriptions and apart from them.
pub fn ends(context: &Context<'_>, conversation: &Conversation<'_>) -> Vec<EndOfCandidates> {
    let end = |party: Party, mid: Option<String>, place: Option<&Place>, trickled: bool| EndOfCandidates {
        party: party_name(party),
        mid,
        trickled,
        time: place.map(|place| context.seconds(place.mark.0)),
        packet: place.map(|place| context.packet(place.mark.1)),
    };
    let in_descriptions = conversation.said().flat_map(|(statement, description)| {
        let ended = description.media.iter().filter(|media| media.end_of_candidates);
        ended.map(|media| end(statement.party, media.mid.clone(), statement.places.first(), false))
    });
    let apart = conversation.exchange.ends.iter();
    let apart = apart.map(|one| end(one.party, one.mid.clone(), one.place.as_ref(), true));
    in_descriptions.chain(apart).take(CANDIDATES).collect()
}

/// Candidates in descriptions and apart from them.
pub fn candidates(
    context: &Context<'_>,
    conversation: &Conversation<'_>,
    pairs: &[CandidatePair],
) -> Vec<SignalledCandidate> {
    let mut list: Vec<SignalledCandidate> = Vec::new();
    let mut add = |candidate: SignalledCandidate| {
        let same = |known: &SignalledCandidate| {
            known.party == candidate.party && known.candidate == candidate.candidate && known.mid == candidate.mid
        };
        if list.len() < CANDIDATES && !list.iter().any(same) {
            list.push(candidate);
        }
    };
    for (statement, description) in conversation.said() {
        for media in &description.media {
            for candidate in &media.candidates {
                let line = description.lines.iter().find(|line| line.number == candidate.line);
                let text = line.map_or_else(String::new, |line| line.value().to_owned());
                let place = statement.places.first();
                let read = Read { party: statement.party, text, mid: media.mid.clone(), trickled: false, place };
                add(signalled_candidate(context, &read, Some(candidate), pairs));
            }
        }
    }
    for trickled in &conversation.exchange.candidates {
        let (text, mid) = (trickled.text.clone(), trickled.mid.clone());
        let read = Read { party: trickled.party, text, mid, trickled: true, place: trickled.place.as_ref() };
        add(signalled_candidate(context, &read, trickled.candidate.as_ref(), pairs));
    }
    list
}

/// A candidate's text and where it stood.
struct Read<'a> {
    party: Party,
    text: String,
    mid: Option<String>,
    trickled: bool,
    place: Option<&'a Place>,
}

fn signalled_candidate(
    context: &Context<'_>,
    read: &Read<'_>,
    candidate: Option<&sdp::Candidate>,
    pairs: &[CandidatePair],
) -> SignalledCandidate {
    let name = candidate.and_then(|candidate| match &candidate.address {
        sdp::Address::Mdns(name) => Some(name),
        _ => None,
    });
    let resolved = name.and_then(|name| {
        let known = context.names.iter().find(|known| known.name.eq_ignore_ascii_case(name))?;
        known.addresses.first().copied()
    });
    let ip = candidate.and_then(|candidate| candidate.address.ip()).or(resolved);
    let own = ip.zip(candidate.map(|candidate| candidate.port));
    // A server reflexive candidate's checks leave from its base.
    let base = candidate.filter(|candidate| candidate.kind == sdp::CandidateType::Srflx);
    let base = base.and_then(|candidate| candidate.related_address.as_ref()?.ip().zip(candidate.related_port));
    SignalledCandidate {
        party: party_name(read.party),
        candidate: read.text.clone(),
        mid: read.mid.clone(),
        kind: candidate.map(|candidate| candidate.kind.name().to_owned()),
        address: candidate.map(|candidate| candidate.address.to_string()),
        port: candidate.map(|candidate| candidate.port),
        transport: candidate.map(|candidate| candidate.transport.name().to_owned()),
        scope: candidate.map(|candidate| candidate.address.scope()),
        trickled: read.trickled,
        packet: read.place.map(|place| context.packet(place.mark.1)),
        resolved_address: resolved.map(|address| address.to_string()),
        checks: [own, base].into_iter().flatten().map(|end| checks(end, pairs)).max().unwrap_or_default(),
    }
}

/// What became of an address: checks from it or to it.
fn checks((address, port): (IpAddr, u16), pairs: &[CandidatePair]) -> CandidateChecks {
    let address = address.to_string();
    let is_at = |end: &document::Candidate| end.address.as_ref() == Some(&address) && end.port == Some(port);
    let of_end = pairs.iter().filter(|pair| is_at(&pair.local) || is_at(&pair.remote));
    let states = of_end.map(|pair| match pair.state {
        PairState::Succeeded => CandidateChecks::Answered,
        _ => CandidateChecks::Tried,
    });
    states.max().unwrap_or_default()
}
