//! The signalling step in words.

use super::{
    super::document::{AgreedMedia, Change, Severity, Signalling, StepStatus},
    number::{counted, short_time},
};

/// Codecs of one media that are named.
const FEW_CODECS: usize = 2;

/// Changes that are told one by one.
const FEW_CHANGES: usize = 4;

/// Who offered, over what, how soon it was answered, what was agreed, and what is wrong with it.
pub(super) fn words(signalling: &Signalling, connecting: StepStatus) -> Vec<String> {
    let mut words = Vec::new();
    for hello in &signalling.encrypted {
        let name = hello.server_name.as_ref().map_or_else(String::new, |name| format!("{name}, "));
        words.push(format!("perhaps inside TLS to {name}{}", hello.server));
    }
    if signalling.status == StepStatus::Failed {
        words.extend(failure(signalling));
    }
    words.extend(opening(signalling));
    words.extend(answered(signalling));
    if signalling.answers.is_empty() && !signalling.offers.is_empty() && signalling.status == StepStatus::NotSeen {
        words.push("its answer is not in the capture".to_owned());
    }
    words.extend(signalling.media.iter().filter(|media| media.rejected_by.is_none()).map(media));
    words.extend(signalling.media.iter().filter_map(refused));
    words.extend(later(signalling));
    words.extend(problems(signalling));
    if connecting == StepStatus::Failed {
        words.extend(candidates(signalling));
    }
    if let Some(sip) = &signalling.sip {
        let forks = sip.forks.len();
        words.extend((forks > 1).then(|| format!("forked to {forks} ends, of which {} accepted", sip.branches)));
        words.extend(sip.ended.as_ref().filter(|_| sip.accepted).map(|ended| format!("ended by {ended}")));
    }
    words
}

/// `answered after 4.2 s (rang after 0.3 s, credentials asked for once)`.
fn answered(signalling: &Signalling) -> Option<String> {
    let duration = short_time(signalling.answer_duration?);
    let sip = signalling.sip.as_ref();
    let rang = sip.and_then(|sip| sip.ring_duration).map(|seconds| format!("rang after {}", short_time(seconds)));
    let asked = sip.map_or(0, |sip| sip.challenges);
    let asked = match asked {
        0 => None,
        1 => Some("credentials asked for once".to_owned()),
        times => Some(format!("credentials asked for {times} times")),
    };
    let more: Vec<String> = rang.into_iter().chain(asked).collect();
    let more = if more.is_empty() { String::new() } else { format!(" ({})", more.join(", ")) };
    Some(format!("answered after {duration}{more}"))
}

/// What the two agreed to change later, and offers that came to nothing.
fn later(signalling: &Signalling) -> Vec<String> {
    let is_sip = signalling.sip.is_some();
    let mut words: Vec<String> = signalling.changes.iter().filter_map(|one| change(one, is_sip)).collect();
    words.dedup();
    let more = words.len().saturating_sub(FEW_CHANGES) as u64;
    words.truncate(FEW_CHANGES);
    words.extend((more > 0).then(|| counted(more, "more change")));
    let of = |outcome: &str| signalling.offers.iter().filter(|offer| offer.outcome == Some(outcome)).count() as u64;
    let (taken_back, refused) = (of("rolled-back"), of("refused"));
    words.extend(
        (taken_back > 0)
            .then(|| format!("{} taken back{}", counted(taken_back, "offer"), crossed(signalling, "rolled-back"))),
    );
    let status =
        signalling.offers.iter().find_map(|offer| offer.refused_status.filter(|_| offer.outcome == Some("refused")));
    let status = status.map_or_else(String::new, |status| format!(" with {status}"));
    let is_failed = signalling.status == StepStatus::Failed;
    let more = crossed(signalling, "refused");
    words.extend((refused > 0 && !is_failed).then(|| format!("{} refused{status}{more}", counted(refused, "offer"))));
    let rest = (signalling.offers.len() as u64).saturating_sub(1 + taken_back + refused);
    words.extend((signalling.changes.is_empty() && rest > 0).then(|| counted(rest, "new offer")));
    words
}

fn crossed(signalling: &Signalling, outcome: &str) -> &'static str {
    let is_crossed = signalling.offers.iter().any(|offer| offer.crossed && offer.outcome == Some(outcome));
    if is_crossed { ", as those of both crossed" } else { "" }
}

/// `held 10.8-14.8 s by the caller (a=sendonly)`, `video added at 12.4 s`.
fn change(change: &Change, is_sip: bool) -> Option<String> {
    let by = match (change.by, is_sip) {
        ("offerer", true) => "caller",
        (_, true) => "called",
        (party, false) => party,
    };
    let at = change.time.map_or_else(String::new, |time| format!(" at {time:.1} s"));
    let kind = change.kind.as_deref().unwrap_or_default();
    Some(match change.what {
        "hold" => {
            let span = match (change.time, change.end_time) {
                (Some(from), Some(to)) => format!(" {from:.1}-{to:.1} s"),
                (Some(from), None) => format!(" from {from:.1} s on"),
                (None, _) => String::new(),
            };
            format!("{kind} held{span} by the {by} (a={})", change.direction?)
        }
        "media-added" => format!("{kind} added{at} by the {by}"),
        "media-removed" => format!("{kind} removed{at} by the {by}"),
        "direction" => format!("{kind} {}{at}", change.direction?),
        "codec" => format!("{kind} {}{at}", change.codec.as_deref()?.split('/').next()?),
        "ice-restart" => format!("ICE restarted{at} by the {by}"),
        _ => return None,
    })
}

/// `candidates sent: 7 of the offerer (all), 2 of the answerer`.
fn candidates(signalling: &Signalling) -> Option<String> {
    let of = |party: &str| {
        let own = signalling.candidates.iter().filter(|candidate| candidate.party == party).count();
        let is_over = signalling.end_of_candidates.iter().any(|end| end.party == party);
        format!("{own} of the {party}{}", if is_over { " (all)" } else { "" })
    };
    let any = !signalling.candidates.is_empty() || !signalling.end_of_candidates.is_empty();
    any.then(|| format!("candidates sent: {}, {}", of("offerer"), of("answerer")))
}

/// `486 Busy Here`, `POST 403`.
fn failure(signalling: &Signalling) -> Option<String> {
    let sip = signalling.sip.as_ref();
    let refused = sip.and_then(|sip| sip.refused.clone()).or_else(|| signalling.refused.clone());
    let reason = sip.and_then(|sip| sip.reason.as_ref()).map_or_else(String::new, |reason| format!(" ({reason})"));
    let rejected = || {
        let all = !signalling.media.is_empty() && signalling.media.iter().all(|media| media.rejected_by.is_some());
        all.then(|| "every media was refused".to_owned())
    };
    let unanswered = || sip.filter(|sip| sip.unanswered).map(|_| "nobody answered the INVITE".to_owned());
    refused.map(|refused| format!("{refused}{reason}")).or_else(unanswered).or_else(rejected)
}

/// `10.1.0.2:34668 offered over WebSocket`.
fn opening(signalling: &Signalling) -> Option<String> {
    let transport = signalling.transport.as_deref()?;
    let over = match transport {
        "sip-udp" => "SIP over UDP",
        "sip-tcp" => "SIP over TCP",
        "sip-ws" => "SIP over WebSocket",
        "http" => "HTTP",
        "websocket" => "WebSocket",
        "rtsp" => "RTSP",
        "sip-tls" => "SIP over TLS",
        "sip-wss" => "SIP over WebSocket and TLS",
        "https" => "HTTPS",
        "wss" => "WebSocket over TLS",
        "rtsps" => "RTSP over TLS",
        "file" => "a file",
        other => other,
    };
    let caller =
        || signalling.sip.as_ref().map(|sip| format!("{} called {} over {over}", uri(&sip.from), uri(&sip.to)));
    let offerer = signalling.offers.first().and_then(|offer| offer.source.as_ref());
    Some(match offerer {
        _ if transport == "file" => "from a file".to_owned(),
        Some(_) | None if signalling.sip.is_some() => caller().unwrap_or_default(),
        Some(source) => format!("{source} offered over {over}"),
        None => format!("over {over}"),
    })
}

/// The URI of an address: `sip:alice@example.org` of `Alice <sip:alice@example.org>`.
fn uri(address: &str) -> &str {
    let inner = address.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inner.map_or(address, |(uri, _)| uri).trim()
}

/// `audio opus and G722`, `video VP8 sendonly`, `data channels`.
fn media(media: &AgreedMedia) -> String {
    if media.kind == "application" {
        return "data channels".to_owned();
    }
    let helpers = ["rtx", "red", "ulpfec", "flexfec-03", "telephone-event", "CN"];
    let names = media.codecs.iter().map(|codec| codec.split('/').next().unwrap_or(codec));
    let mut names: Vec<&str> =
        names.filter(|name| !helpers.iter().any(|helper| helper.eq_ignore_ascii_case(name))).collect();
    names.dedup();
    let more = names.len().saturating_sub(FEW_CODECS);
    names.truncate(FEW_CODECS);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let direction = if media.direction == "sendrecv" { String::new() } else { format!(" {}", media.direction) };
    let mut text = media.kind.clone();
    if !names.is_empty() {
        text.push_str(&format!(" {}{more}", names.join("/")));
    }
    text + &direction
}

fn refused(media: &AgreedMedia) -> Option<String> {
    Some(format!("{} refused by the {}", media.kind, media.rejected_by?))
}

/// What proves that the two did not understand each other.
fn problems(signalling: &Signalling) -> Vec<String> {
    let mut problems = Vec::new();
    if let Some(integrity) = &signalling.message_integrity {
        if integrity.failed > 0 {
            problems
                .push(format!("{} not signed with the ICE password that was sent", counted(integrity.failed, "check")));
        }
        if integrity.refused > 0 {
            let checks = counted(integrity.refused, "check");
            problems.push(format!("{checks} signed with the ICE password that was sent, and refused as wrong"));
        }
    }
    let wrong = signalling.fingerprints.iter().filter(|check| !check.matches);
    problems.extend(wrong.map(|check| format!("the {}'s certificate is not the one it announced", check.party)));
    let errors = signalling.mismatches.iter().filter(|mismatch| mismatch.severity == Severity::Error);
    problems.extend(errors.map(|mismatch| mismatch.message.trim_end_matches('.').to_owned()));
    problems
}
