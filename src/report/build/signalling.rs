//! What the two sides of a call agreed on.

mod said;
mod sip;

use std::{collections::BTreeSet, net::IpAddr};

use super::{Context, status};
use crate::{
    flow::{
        FlowRecord,
        signalling::{Signal, TlsHello},
    },
    report::document::{
        AgreedMedia, CandidatePair, Change, FingerprintCheck, MessageIntegrity, Mismatch, Signalling, TlsConnection,
    },
    sdp::{
        self, DescriptionKind, Media,
        negotiation::{self, Agreed, Security, Side},
    },
    session::{self, Call, Conversation, Exchange, Integrity, Outcome, Party, Settled, Sides, What},
    time::{NANOS_PER_SECOND, seconds},
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
    let statements = || call.exchanges().flat_map(|exchange| &exchange.statements);
    let fates = said::fates(call);
    let list = |wanted: fn(DescriptionKind) -> bool| {
        let wanted = statements().zip(&fates).filter(|(statement, _)| wanted(statement.kind));
        wanted.map(|(statement, fate)| said::description(context, statement, *fate)).collect()
    };
    let (media, mismatches) = agreed(first);
    let outcome =
        call.exchanges().map(Exchange::outcome).find(|outcome| *outcome != Outcome::NotSeen).unwrap_or_default();
    Signalling {
        status: status(outcome),
        transport: Some(main.via.map_or("file", |via| via.name()).to_owned()),
        answer_duration: main.answer_time().map(seconds),
        offers: list(|kind| kind == DescriptionKind::Offer),
        answers: list(|kind| kind != DescriptionKind::Offer),
        media,
        changes: call.conversations.iter().flat_map(|one| &one.changes).map(|one| change(context, one)).collect(),
        mismatches,
        candidates: call
            .conversations
            .iter()
            .flat_map(|conversation| said::candidates(context, conversation, pairs))
            .take(CANDIDATES)
            .collect(),
        end_of_candidates: call.conversations.iter().flat_map(|one| said::ends(context, one)).collect(),
        message_integrity: message_integrity(context, &call.integrity),
        fingerprints: fingerprints(context, call),
        sip: call
            .exchanges()
            .find_map(|exchange| exchange.dialog.as_ref())
            .map(|dialog| sip::sip(context, call, dialog)),
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

fn agreed(conversation: &Conversation<'_>) -> (Vec<AgreedMedia>, Vec<Mismatch>) {
    let Some(Settled { offer: (_, offer), answer }) = conversation.settled() else { return (Vec::new(), Vec::new()) };
    let Some(((_, answer), negotiation)) = answer else {
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

fn message_integrity(context: &Context<'_>, found: &Integrity) -> Option<MessageIntegrity> {
    let &Integrity { verified, failed, refused, unknown, unchecked, ref failures, ref refusals } = found;
    (verified + failed > 0).then(|| MessageIntegrity {
        verified,
        failed,
        refused,
        unknown,
        unchecked,
        failed_packets: failures.iter().map(|(packet, _)| context.packet(*packet)).collect(),
        refused_packets: refusals.iter().map(|(packet, _)| context.packet(*packet)).collect(),
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
                hash_function: proof.function.name(),
                matches: proof.matches,
                packet: certificate.at.map(|step| context.packet(step.packet)),
            };
            if !list.iter().any(|known| known.party == check.party && known.fingerprint == check.fingerprint) {
                list.push(check);
            }
        }
    }
    list
}

fn change(context: &Context<'_>, change: &session::Change) -> Change {
    let (what, direction, codec) = match &change.what {
        What::Held(direction) => ("hold", Some(direction.name()), None),
        What::Added => ("media-added", None, None),
        What::Removed => ("media-removed", None, None),
        What::Directed(direction) => ("direction", Some(direction.name()), None),
        What::Codec(codec) => ("codec", None, Some(codec.clone())),
        What::IceRestarted => ("ice-restart", None, None),
    };
    Change {
        what,
        by: party_name(change.by),
        media: change.media.as_ref().map(|(index, _)| *index),
        mid: change.mid.clone(),
        kind: change.media.as_ref().map(|(_, kind)| kind.name().to_owned()),
        time: change.at.map(|(time, _)| context.seconds(time)),
        end_time: change.until.map(|(time, _)| context.seconds(time)),
        packet: change.at.map(|(_, packet)| context.packet(packet)),
        direction,
        codec,
    }
}
