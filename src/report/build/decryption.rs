//! How far keys opened a call, and why not further.

use std::collections::BTreeSet;

use crate::{
    crypto::tls::{Failure, Unusable},
    flow::{FlowRecord, dtls::Opening, keyring::Closed},
    report::{
        build::Context,
        document::{Decryption, DecryptionFailure},
    },
    session::{self, Association, Call},
    wire::dtls::cipher_suite_name,
};

/// How far the call was opened; `None` where no key was given and nothing opened by itself.
pub fn decryption(context: &Context<'_>, call: &Call<'_>) -> Option<Decryption> {
    let found = session::associations(&call.flows);
    let unopened = Opening::default();
    let openings = found.iter().map(|one| (one, one.record.opening.as_ref().unwrap_or(&unopened)));
    let mut sum = Decryption::default();
    for (_, opening) in openings.clone() {
        sum.dtls_records += opening.records.iter().sum::<u64>();
        sum.dtls_failures += opening.failures.iter().sum::<u64>();
    }
    for flow in &call.flows {
        let Some(srtp) = &flow.srtp else { continue };
        sum.srtp_checked += srtp.checked;
        sum.srtp_authentic += srtp.authentic;
        sum.srtcp_failures += srtp.rtcp_failures;
        sum.profiles.extend(srtp.profiles.iter().copied());
    }
    sum.srtcp_packets = call.flows.iter().filter_map(|flow| flow.rtcp.as_deref()).map(|rtcp| rtcp.decrypted).sum();
    sum.profiles.sort_unstable();
    sum.profiles.dedup();
    let is_secured = !found.is_empty() || call.sdes().is_some() || sum.srtp_authentic + sum.srtcp_packets > 0;
    if !is_secured || !context.has_keys() {
        return None;
    }
    let mut told = BTreeSet::new();
    let failures = openings.filter_map(|(one, opening)| failure(context, one, opening));
    let failures = failures.chain(media_failure(context, &sum, &call.flows));
    sum.failures = failures.filter(|failure| told.insert(failure.reason.clone())).collect();
    Some(sum)
}

fn failure(context: &Context<'_>, one: &Association<'_>, opening: &Opening) -> Option<DecryptionFailure> {
    let record = &*one.record;
    let hello = record.first.map(|step| context.packet(step.packet));
    let nothing = opening.records.iter().all(|count| *count == 0);
    let reason = match (opening.closed, opening.first_failure) {
        (Some(Closed::NoLine), _) => "the key log has no line for the random of its ClientHello".to_owned(),
        (Some(Closed::Unusable(why)), _) => unusable(why),
        (None, None) if nothing && record.offer.is_none() => {
            "its handshake is not in the capture, so that no key can be told to be its own".to_owned()
        }
        (None, None)
            if nothing
                && record.choice.is_none()
                && record.directions.iter().any(|side| side.first_encrypted.is_some()) =>
        {
            "its hellos are not whole in the capture, so that no key can be told to be its own".to_owned()
        }
        (None, Some((why, step))) => {
            let reason = match why {
                Failure::NoSecret => "the key log does not have all of its secrets",
                Failure::TagMismatch if nothing => {
                    "its tags match none of the secrets: these are of another association"
                }
                Failure::TagMismatch => "the tags of some records do not match: they are damaged, or keys are missing",
                Failure::Cut => "the capture has only the beginning of its packets",
                Failure::TooShort | Failure::NoContentType | Failure::Clear => "some records are not in form",
            };
            return Some(DecryptionFailure { reason: reason.to_owned(), packet: Some(context.packet(step.packet)) });
        }
        _ => return None,
    };
    Some(DecryptionFailure { reason, packet: hello })
}

fn unusable(why: Unusable) -> String {
    match why {
        Unusable::Suite(suite) => {
            let name = cipher_suite_name(suite).map_or_else(|| format!("{suite:#06x}"), str::to_owned);
            format!("its cipher suite {name} cannot be opened")
        }
        Unusable::Version(version) => format!("its version {version:#06x} cannot be opened"),
        Unusable::SecretLength(length) => {
            format!("its secret in the key log has {length} bytes, which its cipher suite does not have")
        }
    }
}

/// What is left of the media, where keys opened something.
fn media_failure(context: &Context<'_>, sum: &Decryption, flows: &[&FlowRecord]) -> Option<DecryptionFailure> {
    let opened = sum.srtp_authentic + sum.srtcp_packets > 0;
    let first = flows.iter().filter_map(|flow| flow.srtp.as_ref()?.first_failure).min();
    let failures = sum.srtp_checked - sum.srtp_authentic + sum.srtcp_failures;
    (opened && failures > 0).then(|| DecryptionFailure {
        reason: "the tags of some SRTP or SRTCP packets match no key: damaged, or of a key that is missing".to_owned(),
        packet: first.map(|id| context.packet(id)),
    })
}
