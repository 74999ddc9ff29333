//! What the two sides said to each other, against what they did.

use std::collections::BTreeSet;

use crate::{
    finding::{Finding, Severity, words::counted},
    sdp::negotiation::Mismatch,
    session::{Call, Conversation, Exchange, Integrity, Outcome, Sessions, Settled, Sides},
    time::PacketId,
};

/// The rules about the signalling of a call.
pub(super) fn judge(number: u32, call: &Call<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = call.exchanges().filter_map(refusal).collect();
    findings.extend(password(&call.integrity));
    findings.extend(certificate(call));
    findings.extend(call.conversations.iter().flat_map(mismatches));
    findings.extend(payload_types(call));
    for finding in &mut findings {
        finding.session = Some(number);
    }
    findings
}

/// "2 descriptions that were given with --sdp are of no call in the capture."
pub(super) fn unused(sessions: &Sessions) -> Option<Finding> {
    let used: BTreeSet<usize> = sessions.calls.iter().flat_map(|call| call.exchanges.iter().copied()).collect();
    let given = sessions.exchanges.iter().enumerate().filter(|(_, exchange)| exchange.is_given());
    let unused = given.filter(|(number, _)| !used.contains(number));
    let count: usize = unused.map(|(_, exchange)| exchange.statements.len()).sum();
    (count > 0).then(|| {
        let message = format!(
            "{} given beside the capture {} of no call in it: neither ICE user fragments, addresses nor SSRCs are the same",
            counted(count as u64, "description"),
            if count == 1 { "is" } else { "are" }
        );
        finding("SIG005", Severity::Info, message, "Give the offer and answer of the call that was captured.", Vec::new())
    })
}

/// "The call was refused with 486 Busy Here."
fn refusal(exchange: &Exchange) -> Option<Finding> {
    if exchange.outcome() != Outcome::Failed {
        return None;
    }
    let sip = exchange.dialog.as_ref().and_then(|dialog| dialog.refused.as_ref());
    let (message, advice, severity, packet) = match (sip, &exchange.refused) {
        (Some((status, phrase, reason, (_, packet))), _) => {
            let reason = reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"));
            let message = format!("The call was refused: SIP {status} {phrase}{reason}");
            // What a person decides, or a caller who gives up, is no fault.
            let severity =
                if matches!(status, 480 | 486 | 487 | 600 | 603) { Severity::Warning } else { Severity::Error };
            (message, sip_advice(*status), severity, *packet)
        }
        (None, _) if exchange.dialog.as_ref().is_some_and(|dialog| dialog.is_unanswered()) => {
            let dialog = exchange.dialog.as_ref()?;
            let invites = dialog.requests.get("INVITE").copied().unwrap_or_default();
            let message = format!("Nobody answered the call: the INVITE was sent {invites} times");
            let (_, packet) = dialog.last_invite?;
            (message, "The address is wrong, its server is down, or a firewall drops SIP.", Severity::Error, packet)
        }
        (None, Some((method, status, (_, packet)))) => (
            format!("The {method} that was to set up the call was refused with status {status}"),
            "The server's log says why; 401 and 403 are about its credentials, 404 about its address, 406 and 415 about the offer.",
            Severity::Error,
            *packet,
        ),
        (None, None) => {
            let (_, packet) = exchange.settled_answer()?.mark()?;
            (
                "The answer refuses every media of the offer".to_owned(),
                "Compare their codecs and protocols.",
                Severity::Error,
                packet,
            )
        }
    };
    Some(finding("SIG001", severity, message, advice, vec![packet]))
}

const fn sip_advice(status: u16) -> &'static str {
    match status {
        401 | 403 | 407 => "The server does not accept the caller's credentials, or does not let it call there.",
        404 | 410 | 484 | 604 => "Nobody is known under the address that was called.",
        408 | 480 => "The called end did not answer in time, or is not registered.",
        415 | 488 | 606 => "The called end takes none of the offered media: compare codecs and protocols.",
        486 | 600 | 603 => "The called end is busy or declined.",
        487 => "The caller gave up before the call was accepted.",
        500..=599 => "The server failed: its log says why.",
        _ => "RFC 3261 section 21 says what this status means.",
    }
}

/// "277 checks that were signed with the password of the description were refused as wrong: ..."
fn password(integrity: &Integrity) -> Option<Finding> {
    // One bad message among good ones is damage, not a wrong password.
    if integrity.refused > 0 {
        let fragments: Vec<&str> = integrity.refusals.iter().map(|(_, fragment)| fragment.as_str()).collect();
        let message = format!(
            "The ICE password that was sent for user fragment {} is not the one its owner has: {} signed with it {} refused with 401",
            fragments.first()?,
            counted(integrity.refused, "check"),
            if integrity.refused == 1 { "was" } else { "were" },
        );
        let packets = integrity.refusals.iter().map(|(packet, _)| *packet).collect();
        return Some(finding("SIG002", Severity::Error, message, PASSWORD_ADVICE, packets));
    }
    if integrity.failed == 0 {
        return None;
    }
    let (packet, fragment) = integrity.failures.first()?;
    let severity = if integrity.failed > integrity.verified { Severity::Error } else { Severity::Warning };
    let message = format!(
        "{} for user fragment {fragment} {} not signed with the ICE password that was sent for it",
        counted(integrity.failed, "check"),
        if integrity.failed == 1 { "is" } else { "are" },
    );
    Some(finding("SIG002", severity, message, PASSWORD_ADVICE, vec![*packet]))
}

const PASSWORD_ADVICE: &str = "The description was altered on its way, or is of another call: compare a=ice-pwd where it is made and where it arrives.";

/// "The certificate that 10.1.0.2:5000 presented is not the one announced."
fn certificate(call: &Call<'_>) -> Option<Finding> {
    call.flows.iter().find_map(|flow| {
        let sides = Sides::of(flow, &call.conversations)?;
        let mut leaves = flow.dtls.iter().flat_map(|record| record.leaves());
        let wrong = leaves.find(|certificate| sides.proof(certificate).is_some_and(|proof| !proof.matches))?;
        let sender = flow.key.name_of(flow.key.source(usize::from(wrong.direction)));
        let packets: Vec<PacketId> = wrong.at.iter().map(|step| step.packet).collect();
        Some(finding(
            "SIG003",
            Severity::Error,
            format!("The certificate of {sender} is not one that its description announces (a=fingerprint)"),
            "Somebody stands between the two, or the description is of another certificate: never ignore this.",
            packets,
        ))
    })
}

/// What the answer has that the offer does not allow.
fn mismatches(conversation: &Conversation<'_>) -> Vec<Finding> {
    let Some(Settled { offer: (offer, _), answer: Some(((answer, _), negotiation)) }) = conversation.settled() else {
        return Vec::new();
    };
    let packets: Vec<PacketId> =
        [offer, answer].iter().filter_map(|said| said.mark()).map(|(_, packet)| packet).collect();
    let errors = negotiation.mismatches.iter().filter(|mismatch| mismatch.severity == Severity::Error);
    let describe = |mismatch: &Mismatch| {
        let message = format!("Offer and answer do not fit: {}", mismatch.message.trim_end_matches('.'));
        finding(
            "SIG004",
            Severity::Warning,
            message,
            "`rtcscope sdp OFFER ANSWER` shows both side by side.",
            packets.clone(),
        )
    };
    errors.map(describe).collect()
}

/// "Stream 0x8a2b7d32 from 10.1.0.2:5004 has payload type 96, which neither side listed: 120 packets."
fn payload_types(call: &Call<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for found in call.streams.iter().filter(|found| !found.is_seen_before) {
        let Some(sides) = Sides::of(found.flow, &call.conversations) else { continue };
        for count in found.stream.payload_types() {
            if sides.is_negotiated(found, found.direction(), count.payload_type) != Some(false) {
                continue;
            }
            let message = format!(
                "Stream 0x{:08x} from {} has payload type {}, which neither description lists: {}",
                found.stream.ssrc,
                found.source(),
                count.payload_type,
                counted(count.packets, "packet"),
            );
            findings.push(finding("SIG006", Severity::Warning, message, PAYLOAD_TYPE_ADVICE, vec![count.first]));
        }
    }
    findings.truncate(PAYLOAD_TYPES);
    findings
}

/// Findings about payload types of one call.
const PAYLOAD_TYPES: usize = 16;

const PAYLOAD_TYPE_ADVICE: &str =
    "Its receiver drops what it does not know: the sender must keep to the payload types of the other's description.";

const fn finding(
    rule: &'static str,
    severity: Severity,
    message: String,
    advice: &'static str,
    packets: Vec<PacketId>,
) -> Finding {
    Finding { rule, severity, session: None, message, advice: Some(advice), packets }
}
