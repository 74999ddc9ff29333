//! Calls that came to nothing: where they ended, and at whose packets.

use std::net::IpAddr;

use crate::{
    finding::{
        Finding, Severity,
        words::{counted, grouped, was},
    },
    flow::{FlowRecord, Protocol, ice},
    session::{Outcome, Steps, association, associations},
    time::{NANOS_PER_SECOND, Timestamp, seconds},
    wire::Endpoint,
};

/// As many datagrams that nobody here knows are no accident.
const UNKNOWN_DATAGRAMS: u64 = 16;

/// As many requests without an answer are no accident of where the capture ends.
const MANY_REQUESTS: u64 = 5;

/// Media follows a handshake, and a handshake follows ICE, within this time, where it does at all.
const NEXT_STEP: i64 = 3 * NANOS_PER_SECOND;

/// How a call ended, and how sure that is.
struct Ending {
    severity: Severity,
    text: String,
}

impl Ending {
    const fn failed(text: String) -> Self {
        Self { severity: Severity::Error, text }
    }

    const fn doubtful(text: String) -> Self {
        Self { severity: Severity::Warning, text }
    }
}

/// "Neither media nor data was carried: 240 STUN and TURN requests were sent and none was answered."
pub(super) fn judge(number: u32, steps: &Steps<'_>, flows: &[&FlowRecord]) -> Option<Finding> {
    // Some applications put a protocol of their own on the path that ICE found.
    let unknown = |flow: &FlowRecord| flow.path.ice && flow.count(Protocol::Unknown) >= UNKNOWN_DATAGRAMS;
    let carries = |flow: &FlowRecord| {
        let media = !flow.streams.is_empty() || flow.rtcp.is_some();
        media || flow.sctp.is_some() || flow.carries_data() || unknown(flow)
    };
    let asks = |flow: &&&FlowRecord| flow.path.ice || flow.is_turn() || flow.path.dtls;
    if flows.iter().any(|flow| carries(flow)) {
        return None;
    }
    let first = flows.iter().find(asks)?;
    let is_secured = flows.iter().any(|flow| flow.path.dtls);
    let ending = if is_secured { securing(steps, flows) } else { connecting(steps, flows) }?;
    Some(Finding {
        rule: "COM001",
        severity: ending.severity,
        session: Some(number),
        message: format!("Neither media nor data was carried: {}", ending.text),
        advice: Some("The step named here is where the call ended; its line below says more."),
        packets: vec![first.first.1],
    })
}

/// Of a call that came as far as DTLS.
fn securing(steps: &Steps<'_>, flows: &[&FlowRecord]) -> Option<Ending> {
    let all = associations(flows);
    let record = &association(&all)?.record;
    Some(match steps.securing() {
        Outcome::Failed if record.fatal_alert().is_some() => {
            Ending::failed("a DTLS handshake failed with an alert".to_owned())
        }
        Outcome::Failed => Ending::failed("a DTLS handshake was started and not finished".to_owned()),
        Outcome::Ok => {
            let finish = record.finish?.time;
            let wait = steps.until_end(finish);
            if wait < NEXT_STEP {
                return None;
            }
            Ending::doubtful(format!("nothing followed the DTLS handshake in {:.1} s", seconds(wait)))
        }
        Outcome::NotSeen => return None,
    })
}

/// Of a call that came as far as ICE, or only to a TURN server.
fn connecting(steps: &Steps<'_>, flows: &[&FlowRecord]) -> Option<Ending> {
    match steps.connecting() {
        Outcome::NotSeen => None,
        Outcome::Failed => Some(Ending::failed(unreached(flows))),
        Outcome::Ok => {
            let last = flows.iter().map(|flow| flow.last.0).max()?;
            let Some(connected) = connected_at(flows) else {
                let first = flows.iter().map(|flow| flow.first.0).min()?;
                let text = "a TURN server lent an address, but no check and no media followed".to_owned();
                return (steps.until_end(first) >= NEXT_STEP).then(|| Ending::doubtful(text));
            };
            let wait = seconds(last.since(connected));
            let text = format!("ICE connected, but nobody began a DTLS handshake or sent media in {wait:.1} s");
            (steps.until_end(connected) >= NEXT_STEP).then(|| Ending::failed(text))
        }
    }
}

/// When the first check of a pair was answered.
fn connected_at(flows: &[&FlowRecord]) -> Option<Timestamp> {
    let checks = flows.iter().filter_map(|flow| flow.ice.as_deref()).flat_map(|ice| &ice.checks);
    checks.filter_map(|checks| checks.requests.first_success).map(|(time, _)| time).min()
}

/// Why no path was found.
fn unreached(flows: &[&FlowRecord]) -> String {
    if let Some(text) = one_way(flows) {
        return text;
    }
    let count = |class: u16| -> u64 {
        let types = flows.iter().flat_map(|flow| &flow.stun_types);
        types.filter(|(kind, _)| **kind & 0x0110 == class).map(|(_, count)| count).sum()
    };
    let (requests, answers, errors) = (count(0x0000), count(0x0100), count(0x0110));
    let asked = match requests {
        1 => "one STUN or TURN request was sent".to_owned(),
        _ => format!("{} STUN and TURN requests were sent", grouped(requests)),
    };
    let refused = format!("{} {} answered with an error", grouped(errors), was(errors));
    let is_ice = flows.iter().any(|flow| flow.path.ice);
    match (answers, errors) {
        (0, 0) => format!("{asked} and none was answered"),
        (0, _) => format!("{asked}, and all answers were errors ({})", grouped(errors)),
        (_, 1..) if is_ice => format!("{asked}, {refused}, and no pair of addresses worked"),
        (_, 1..) if flows.iter().any(|flow| flow.turn.is_some()) => {
            format!("{asked}, {refused}, and nothing was allocated")
        }
        (_, 1..) => format!("{asked}, {refused}, and no call followed"),
        _ => format!("{asked}, and no pair of addresses worked"),
    }
}

/// "10.1.0.2 sent 10.2.0.2 242 checks without an answer, and answered all its 240: ...". Of several pairs the one with
/// most checks.
fn one_way(flows: &[&FlowRecord]) -> Option<String> {
    let pairs = flows.iter().filter_map(|flow| flow.ice.as_deref().map(|ice| (*flow, ice)));
    let asked = |ice: &ice::Record| ice.checks.iter().map(|checks| checks.requests.sent).sum::<u64>();
    let (flow, ice) = pairs.filter(|(_, ice)| ice.is_ice()).max_by_key(|(_, ice)| asked(ice))?;
    let direction = (0..2).find(|direction| {
        let side = |direction: usize| ice.checks.get(direction).map(|checks| &checks.requests);
        side(*direction).zip(side(direction ^ 1)).is_some_and(|(own, other)| {
            own.sent >= MANY_REQUESTS && own.succeeded + own.failed == 0 && other.succeeded > 0
        })
    })?;
    let host = |end: Endpoint| -> IpAddr { end.ip() };
    let (from, to) = (host(flow.key.source(direction)), host(flow.key.destination(direction)));
    let sent = ice.checks.get(direction)?.requests.sent;
    Some(format!(
        "{from} sent {} to {to} without an answer, while it answered those of {to}: what {from} sends does not arrive, or \
         {to} ignores it",
        counted(sent, "check")
    ))
}
