//! The document of a check.

use std::time::Duration;

use super::{
    Attempt, Authentication, FAILED_STEP, Flow, Input, Server, Step, TurnReport,
    problem::{Told, name_of, told},
};
use crate::{
    probe::{
        Failure,
        turn::{self, CheckStep, Fallback, Outcome, Peer, Problem, message::Family},
    },
    report::document::{Finding, SCHEMA_VERSION, Severity, Tool},
};

/// Loss through the relay that is worth a warning.
const LOSS_WARNING: f64 = 0.01;

/// Loss that is no relaying as asked.
const LOSS_FAILURE: f64 = 0.2;

/// Makes the document.
#[must_use]
pub fn build(input: &Input) -> TurnReport {
    let last = input.attempts.last();
    let empty = Outcome::default();
    let outcome = last.map_or(&empty, |attempt| &attempt.outcome);
    let failure = failure(input);
    let verdict = verdict(outcome, failure.is_some(), input.interrupted);
    let error = error(input, outcome, failure.as_ref(), verdict);
    let relay = flows(outcome);
    let channel = || relay.iter().filter(|flow| flow.kind == CHANNEL_DATA);
    let most = |values: &mut dyn Iterator<Item = Option<f64>>| values.flatten().reduce(f64::max);
    TurnReport {
        schema_version: SCHEMA_VERSION,
        tool: Tool { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") },
        verdict,
        advice: advice(input, failure.as_ref(), verdict),
        server: server(input, last),
        authentication: authentication(input, outcome),
        local_address: outcome.local.map(|address| address.to_string()),
        mapped_address: outcome.mapped.map(|address| address.to_string()),
        relayed_address: outcome.relayed.first().map(ToString::to_string),
        relayed_addresses: outcome.relayed.iter().map(ToString::to_string).collect(),
        lifetime: outcome.lifetime.map(|lifetime| lifetime.as_secs_f64()),
        peer: outcome.peer.map(|peer| match peer {
            Peer::Allocation => "allocation",
            Peer::Socket(_) => "socket",
        }),
        latency: most(&mut channel().map(|flow| flow.latency)),
        jitter: most(&mut channel().map(|flow| flow.jitter)),
        fraction_lost: most(&mut channel().map(|flow| flow.fraction_lost)),
        bitrate: channel().filter_map(|flow| flow.bitrate).reduce(f64::min),
        target_bitrate: last.map_or(0.0, |attempt| attempt.config.bitrate as f64),
        steps: steps(input, last),
        findings: findings(input, failure),
        relay,
        duration: input.duration.as_secs_f64(),
        interrupted: input.interrupted,
        error,
    }
}

const CHANNEL_DATA: &str = "channel-data";

fn verdict(outcome: &Outcome, failed: bool, interrupted: bool) -> &'static str {
    let lossy = [&outcome.indications, &outcome.channel].into_iter().flatten().flatten().any(|flow| {
        let finished = !outcome.interrupted;
        finished && fraction_lost(flow).is_some_and(|lost| lost > LOSS_FAILURE)
    });
    match outcome.step(CheckStep::Release) {
        _ if failed || lossy => "fail",
        Some(_) if !interrupted => "pass",
        _ if interrupted => "unknown",
        _ => "fail",
    }
}

/// What failed, and why.
fn failure(input: &Input) -> Option<Told> {
    if let Some(why) = &input.unresolved {
        return Some(Told { message: why.clone(), advice: "Check the server's name.".to_owned() });
    }
    let attempt = input.attempts.last()?;
    let (step, problem) = attempt.outcome.failure()?;
    Some(told(step, problem, attempt, input))
}

/// Why nothing could be measured, where the server never said anything.
fn error(input: &Input, outcome: &Outcome, failure: Option<&Told>, verdict: &str) -> Option<String> {
    // A server whose certificate is refused was there and failed.
    let refused_tls = matches!(outcome.failure(), Some((_, Problem::Socket(Failure::Tls(_)))));
    match failure {
        Some(told) if !outcome.answered && !refused_tls => Some(told.message.clone()),
        None if input.interrupted && verdict == "unknown" => Some("the check was ended early".to_owned()),
        _ => None,
    }
}

fn advice(input: &Input, failure: Option<&Told>, verdict: &str) -> String {
    match (failure, verdict) {
        (Some(told), _) => told.advice.clone(),
        (None, "pass") => "Calls can go over this server with these credentials.".to_owned(),
        (None, "fail") => {
            "Look for loss between here and the server (rtcscope nat-check), and at the server's load and \
                           bandwidth limits (coturn: max-bps, bps-capacity); or ask for less with --bitrate."
                .to_owned()
        }
        (None, _) => format!("Check {} again and let it end.", input.server),
    }
}

fn server(input: &Input, last: Option<&Attempt>) -> Server {
    Server {
        uri: input.server.to_string(),
        address: last.map(|attempt| attempt.config.server.to_string()),
        transport: input.server.transport.name(),
        software: last.and_then(|attempt| attempt.outcome.facts.software.clone()),
        round_trip_time: last.and_then(|attempt| seconds(attempt.outcome.facts.round_trip)),
    }
}

fn authentication(input: &Input, outcome: &Outcome) -> Authentication {
    let challenge = outcome.facts.challenge.as_ref();
    let sha256 = challenge.map(|challenge| challenge.uses_sha256());
    Authentication {
        required: match (challenge, outcome.step(CheckStep::Allocate)) {
            (Some(_), _) => Some(true),
            (None, Some(allocate)) if allocate.problem.is_none() => Some(false),
            _ => None,
        },
        username: input.username.clone(),
        realm: challenge.map(|challenge| challenge.realm.clone()),
        password_algorithm: challenge.map(|challenge| challenge.algorithm().name()),
        message_integrity: sha256.map(|sha256| if sha256 { "hmac-sha256" } else { "hmac-sha1" }),
        userhash: challenge.map(|challenge| challenge.userhash),
        nonce_renewals: outcome.facts.renewals,
        answers_rejected: outcome.facts.forged,
    }
}

fn flows(outcome: &Outcome) -> Vec<Flow> {
    let kinds = [("indications", &outcome.indications), (CHANNEL_DATA, &outcome.channel)];
    let of_kind = |(kind, flows): (&'static str, &Option<[turn::Flow; 2]>)| {
        let flows: Vec<turn::Flow> = flows.iter().flatten().cloned().collect();
        ["out", "back"].into_iter().zip(flows).map(move |(direction, flow)| of_flow(kind, direction, &flow))
    };
    kinds.into_iter().flat_map(of_kind).collect()
}

fn of_flow(kind: &'static str, direction: &'static str, flow: &turn::Flow) -> Flow {
    let spread = flow.arrivals.map(|(first, last)| last.saturating_sub(first)).filter(|spread| !spread.is_zero());
    let between = flow.received.saturating_sub(1);
    // The first one to arrive opens the time that is measured, and is not in it.
    let bits = (flow.bytes as f64) * 8.0 * f64::from(between) / f64::from(flow.received.max(1));
    Flow {
        kind,
        direction,
        packets_sent: flow.sent,
        packets_received: flow.received,
        packets_lost: flow.lost(),
        packets_duplicated: flow.duplicates,
        fraction_lost: fraction_lost(flow),
        latency: seconds(flow.latency()),
        latency_min: seconds(flow.latency_min),
        latency_max: seconds(flow.latency_max),
        jitter: (flow.received > 1).then_some(flow.jitter as f64 / 1e9),
        bytes_received: flow.bytes,
        bitrate: spread.map(|spread| bits / spread.as_secs_f64()),
    }
}

fn fraction_lost(flow: &turn::Flow) -> Option<f64> {
    (flow.sent > 0).then(|| f64::from(flow.lost()) / f64::from(flow.sent))
}

fn seconds(time: Option<Duration>) -> Option<f64> {
    time.map(|time| time.as_secs_f64())
}

fn steps(input: &Input, last: Option<&Attempt>) -> Vec<Step> {
    let of_step = |step: CheckStep| {
        let outcome = last.and_then(|attempt| attempt.outcome.step(step));
        let problem = outcome.and_then(|outcome| outcome.problem.as_ref());
        let open = step == CheckStep::Authenticate
            && last.is_some_and(|attempt| authentication(input, &attempt.outcome).required == Some(false));
        Step {
            name: step.name(),
            status: match (outcome, problem) {
                (_, Some(_)) => "failed",
                (Some(_), None) => "ok",
                (None, None) if open => "not-required",
                (None, None) => "not-reached",
            },
            duration: seconds(outcome.map(|outcome| outcome.took)),
            error_code: problem.and_then(|problem| match problem {
                Problem::Refused { code, .. } => Some(*code),
                Problem::NoCredentials => Some(401),
                Problem::NonceLoop => Some(438),
                _ => None,
            }),
            error: problem.zip(last).map(|(problem, attempt)| told(step, problem, attempt, input).message),
        }
    };
    CheckStep::ALL.into_iter().map(of_step).collect()
}

fn findings(input: &Input, failure: Option<Told>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(Told { message, advice }) = failure {
        findings.push(finding(FAILED_STEP, Severity::Error, message, Some(advice)));
    }
    for (attempt, next) in input.attempts.iter().zip(input.attempts.iter().skip(1)) {
        findings.push(skipped(attempt, next, input));
    }
    if let Some(last) = input.attempts.last() {
        findings.extend(of_outcome(&last.outcome, last.config.family == Family::Both));
    }
    findings.sort_by_key(|finding| finding.severity);
    findings
}

/// An address after which another one was tried.
fn skipped(attempt: &Attempt, next: &Attempt, input: &Input) -> Finding {
    if let Some(by) = next.sent_by {
        let message = format!("{by} sent us to {} (300 Try Alternate)", next.config.server);
        return finding("TRN002", Severity::Info, message, None);
    }
    let why = attempt.outcome.failure().map(|(step, problem)| told(step, problem, attempt, input).message);
    let transport = name_of(attempt.config.transport);
    let why = why.unwrap_or_else(|| format!("{} over {transport} was left", attempt.config.server));
    finding("TRN003", Severity::Warning, format!("another address of the server failed: {why}"), None)
}

fn of_outcome(outcome: &Outcome, both: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut add = |rule, severity, message: String, advice: Option<&str>| {
        findings.push(finding(rule, severity, message, advice.map(str::to_owned)));
    };
    if outcome.facts.challenge.is_none() && !outcome.relayed.is_empty() {
        let advice = "Have it ask for credentials: anybody can send through it in its name.";
        add("TRN004", Severity::Warning, "the server relays for everybody".to_owned(), Some(advice));
    }
    if outcome.facts.forged > 0 {
        let message = format!("{} answers with a wrong MESSAGE-INTEGRITY were rejected", outcome.facts.forged);
        add("TRN005", Severity::Warning, message, Some("Somebody on the way may answer in the server's place."));
    }
    if outcome.facts.renewals > 0 {
        let message = format!("the server's nonce went stale {} times and was renewed (438)", outcome.facts.renewals);
        add("TRN006", Severity::Info, message, None);
    }
    if both && outcome.relayed.len() == 1 {
        let code = outcome.family_error.map_or_else(String::new, |code| format!(" ({code})"));
        let message = format!("the server lends one address, though one of each family was asked for{code}");
        add("TRN007", Severity::Warning, message, Some("Ask for IPv6 alone (--relay ipv6) to see whether it has any."));
    }
    match outcome.peer {
        Some(Peer::Socket(Fallback::NoSecondAllocation(code))) => {
            let why = code.map_or_else(|| "does not answer a second time".to_owned(), |code| format!("says {code}"));
            let message =
                format!("a second allocation failed (the server {why}), so a socket of this machine is the peer");
            add("TRN008", Severity::Info, message, None);
        }
        Some(Peer::Socket(Fallback::Forbidden(peer))) => {
            let message = format!(
                "the server forbids its own address {peer} as a peer (403), so a socket of this machine is the peer"
            );
            let advice = "Two clients of this server cannot reach each other through it, which calls between two such \
                          networks need.";
            add("TRN009", Severity::Warning, message, Some(advice));
        }
        _ => {}
    }
    for flow in flows(outcome).iter().filter(|flow| flow.fraction_lost.is_some_and(|lost| lost > LOSS_WARNING)) {
        let lost = flow.fraction_lost.unwrap_or_default();
        let severity = if lost > LOSS_FAILURE { Severity::Error } else { Severity::Warning };
        let message = format!(
            "{:.1} % was lost through the relay ({}, {}: {} of {})",
            lost * 100.0,
            flow.kind,
            flow.direction,
            flow.packets_lost,
            flow.packets_sent
        );
        add("TRN010", severity, message, None);
    }
    findings
}

fn finding(rule: &'static str, severity: Severity, message: String, advice: Option<String>) -> Finding {
    Finding { rule, severity, session: None, message, advice, packets: Vec::new() }
}
