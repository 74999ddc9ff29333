//! What the two sides of a call agreed on.

use std::{collections::BTreeSet, net::IpAddr};

use super::{Context, status};
use crate::{
    flow::{
        FlowRecord,
        signalling::{Signal, TlsHello},
        tcp::Mark,
    },
    report::document::{
        self, AgreedMedia, CandidateChecks, CandidatePair, FingerprintCheck, MessageIntegrity, Mismatch, PairState,
        SessionDescription, SignalledCandidate, Signalling, SipCall, TlsConnection,
    },
    sdp::{
        self, DescriptionKind, Media,
        negotiation::{self, Agreed, Security, Side},
    },
    session::{Call, Conversation, Dialog, Exchange, Integrity, Outcome, Party, Place, Proof, Said, Sides},
    time::NANOS_PER_SECOND,
};

/// Signalling begins at most so long before the media, by what people and registrations take.
const SETTING_UP: i64 = 120 * NANOS_PER_SECOND;

/// TLS connections that are listed, the nearest to the call.
const TLS_CONNECTIONS: usize = 3;

/// Candidates that are listed.
const CANDIDATES: usize = 256;

/// The signalling step of a call.
pub fn signalling(context: &Context<'_>, call: &Call<'_>, pairs: &[CandidatePair]) -> Signalling {
    let Some(first) = call.conversations.first() else {
        return Signalling { encrypted: encrypted(context, &call.flows), ..Signalling::default() };
    };
    let main = first.exchange;
    let statements = || call.conversations.iter().flat_map(Conversation::said);
    let list = |wanted: fn(DescriptionKind) -> bool| {
        let wanted = statements().filter(|(statement, _)| wanted(statement.kind));
        wanted.map(|said| description(context, said)).collect()
    };
    let (media, mismatches) = agreed(first);
    let outcome =
        call.exchanges().map(Exchange::outcome).find(|outcome| *outcome != Outcome::NotSeen).unwrap_or_default();
    Signalling {
        status: status(outcome),
        transport: Some(main.via.map_or("file", |via| via.name()).to_owned()),
        answer_duration: answer_duration(main),
        offers: list(|kind| kind == DescriptionKind::Offer),
        answers: list(|kind| kind != DescriptionKind::Offer),
        media,
        mismatches,
        candidates: call
            .conversations
            .iter()
            .flat_map(|conversation| candidates(context, conversation, pairs))
            .take(CANDIDATES)
            .collect(),
        message_integrity: message_integrity(context, &call.integrity),
        fingerprints: fingerprints(context, call),
        sip: call.exchanges().find_map(|exchange| exchange.dialog.as_ref()).map(sip),
        encrypted: Vec::new(),
        refused: main
            .refused
            .as_ref()
            .filter(|_| outcome == Outcome::Failed)
            .map(|(method, status, _)| format!("{method} {status}")),
    }
}

/// TLS connections that a host of the call opened not long before it, or while it ran.
fn encrypted(context: &Context<'_>, flows: &[&FlowRecord]) -> Vec<TlsConnection> {
    let Some(start) = flows.iter().map(|flow| flow.first.0).min() else { return Vec::new() };
    let hosts: BTreeSet<IpAddr> = flows.iter().flat_map(|flow| [flow.key.low.ip(), flow.key.high.ip()]).collect();
    let mut list: Vec<(&Signal, &TlsHello)> = Vec::new();
    for hellos in hosts.iter().filter_map(|host| context.tls.get(host)) {
        // They are in capture order.
        let until = |time: i64| hellos.partition_point(|(signal, _)| signal.mark.0.0 <= time);
        let near = hellos.get(until(start.0.saturating_sub(SETTING_UP))..until(start.0)).unwrap_or_default();
        list.extend(near.iter().rev().take(TLS_CONNECTIONS));
    }
    list.sort_by_key(|(signal, _)| signal.mark);
    list.reverse();
    list.truncate(TLS_CONNECTIONS);
    let describe = |(signal, hello): (&Signal, &TlsHello)| TlsConnection {
        client: signal.key.source(signal.direction).to_string(),
        server: signal.key.destination(signal.direction).to_string(),
        server_name: hello.server_name.clone(),
        application_protocols: hello.alpn.clone(),
        time: context.seconds(signal.mark.0),
        packet: context.packet(signal.mark.1),
    };
    list.into_iter().map(describe).collect()
}

const fn party_name(party: Party) -> &'static str {
    if party == 0 { "offerer" } else { "answerer" }
}

const fn side_name(side: Side) -> &'static str {
    match side {
        Side::Offerer => "offerer",
        Side::Answerer => "answerer",
    }
}

fn description(context: &Context<'_>, (statement, description): Said<'_>) -> SessionDescription {
    let place = statement.places.first();
    let lines = &description.lines;
    let text = if lines.iter().any(|line| line.shown() != line.raw()) {
        lines.iter().map(|line| line.shown() + "\r\n").collect()
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
        sdp: text,
    }
}

fn answer_duration(exchange: &Exchange) -> Option<f64> {
    let round = exchange.rounds.iter().find(|round| round.answer.is_some())?;
    let mark = |index: usize| -> Option<Mark> { exchange.statements.get(index)?.mark() };
    Some(mark(round.answer?)?.0.seconds_since(mark(round.offer)?.0))
}

fn agreed(conversation: &Conversation<'_>) -> (Vec<AgreedMedia>, Vec<Mismatch>) {
    let Some(((_, offer), answer)) = conversation.settled() else { return (Vec::new(), Vec::new()) };
    let (Some((_, answer)), Some(negotiation)) = (answer, &conversation.negotiation) else {
        return (offer.media.iter().map(offered_media).collect(), Vec::new());
    };
    let protocol = |index: usize| answer.media.get(index).map_or_else(String::new, |media| media.protocol.clone());
    let media = negotiation.media.iter().map(|agreed| agreed_media(agreed, protocol(agreed.index))).collect();
    (media, negotiation.mismatches.iter().map(mismatch).collect())
}

fn mismatch(found: &negotiation::Mismatch) -> Mismatch {
    Mismatch { code: found.code, severity: found.severity.into(), media: found.media, message: found.message.clone() }
}

fn offered_media(media: &Media) -> AgreedMedia {
    AgreedMedia {
        mid: media.mid.clone(),
        kind: media.kind.name().to_owned(),
        codecs: media.codecs.iter().map(sdp::Codec::encoding).collect(),
        direction: media.direction.name(),
        protocol: media.protocol.clone(),
        rejected_by: None,
        security: None,
        dtls_client: None,
    }
}

fn agreed_media(agreed: &Agreed, protocol: String) -> AgreedMedia {
    AgreedMedia {
        mid: agreed.mid.clone(),
        kind: agreed.kind.name().to_owned(),
        codecs: agreed.codecs.iter().map(|codec| codec.encoding.clone()).collect(),
        direction: agreed.direction.name(),
        protocol,
        rejected_by: agreed.rejected_by.map(side_name),
        security: Some(match &agreed.security {
            Security::None => "none".to_owned(),
            Security::Dtls => "dtls".to_owned(),
            Security::Sdes(suite) => suite.clone(),
        }),
        dtls_client: agreed.dtls_client.map(side_name),
    }
}

fn candidates(
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
        let read = Read { party: trickled.party, text, mid, trickled: true, place: Some(&trickled.place) };
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

fn message_integrity(context: &Context<'_>, found: &Integrity) -> Option<MessageIntegrity> {
    let &Integrity { verified, failed, refused, unknown, unchecked, ref failures, ref refusals } = found;
    (verified + failed > 0).then(|| MessageIntegrity {
        verified,
        failed,
        refused,
        unknown,
        unchecked,
        failed_packets: failures.iter().chain(refusals).map(|(packet, _)| context.packet(*packet)).collect(),
    })
}

fn fingerprints(context: &Context<'_>, call: &Call<'_>) -> Vec<FingerprintCheck> {
    let mut list: Vec<FingerprintCheck> = Vec::new();
    for flow in &call.flows {
        let Some(sides) = Sides::of(flow, &call.conversations) else { continue };
        for certificate in flow.dtls.iter().flat_map(|record| record.leaves()) {
            let Some(proof) = sides.proof(certificate) else { continue };
            let check = FingerprintCheck {
                party: party_name(sides.sender(usize::from(certificate.direction))),
                fingerprint: super::securing::fingerprint_text(&certificate.fingerprint),
                matches: proof == Proof::Matches,
                packet: certificate.at.map(|step| context.packet(step.packet)),
            };
            if !list.iter().any(|known| known.party == check.party && known.fingerprint == check.fingerprint) {
                list.push(check);
            }
        }
    }
    list
}

fn sip(dialog: &Dialog) -> SipCall {
    let refused = dialog.refused.as_ref().filter(|_| dialog.accepted.is_none());
    SipCall {
        call_id: dialog.call_id.clone(),
        from: dialog.from.clone(),
        to: dialog.to.clone(),
        requests: dialog.requests.clone(),
        responses: dialog.responses.iter().map(|(status, count)| (status.to_string(), *count)).collect(),
        refused: refused.map(|(status, phrase, ..)| format!("{status} {phrase}").trim_end().to_owned()),
        reason: dialog
            .ended
            .as_ref()
            .and_then(|ending| ending.reason.clone())
            .or_else(|| refused.and_then(|(_, _, reason, _)| reason.clone())),
        unanswered: dialog.is_unanswered(),
        accepted: dialog.accepted.is_some(),
        branches: dialog.branches.len() as u64,
        ended: dialog.ended.as_ref().map(|ending| {
            let who = if ending.by_caller { "the caller" } else { "the called" };
            format!("{} by {who}", ending.method)
        }),
    }
}
