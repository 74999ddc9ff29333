//! What arrived: loss and silence that everybody would hear or see, and calls in which nothing arrived at all.

use crate::{
    engine::Analysis,
    finding::{Finding, Severity, words::grouped},
    flow::{FlowRecord, Protocol},
    session::{CallStream, Session, StreamRole, repairs, streams},
    time::{NANOS_PER_SECOND, seconds},
};

/// Loss of one packet in a hundred is heard in speech and seen in video.
const NOTABLE_LOSS_PERCENT: u64 = 1;

/// Fewer lost packets than this are chance.
const NOTABLE_LOST_PACKETS: u64 = 5;

/// As many datagrams that nobody here knows are no accident.
const UNKNOWN_DATAGRAMS: u64 = 16;

/// As many requests without an answer are no accident of where the capture ends.
const MANY_REQUESTS: u64 = 5;

/// A second of silence is an outage to everyone.
const NOTABLE_OUTAGE: i64 = NANOS_PER_SECOND;

/// The rules about what a call carried, each on its own. `number` is the call's.
pub fn judge(analysis: &Analysis, number: u32, session: &Session) -> Vec<Finding> {
    let mut findings: Vec<Finding> = no_media(analysis, number, session).into_iter().collect();
    let streams = streams(session.flows(analysis));
    for (found, _) in streams.iter().zip(repairs(&streams)).filter(|(_, repair)| repair.role == StreamRole::Media) {
        findings.extend(outage(number, found));
        findings.extend(loss(number, found));
    }
    findings
}

/// "Neither media nor data was carried: 240 STUN and TURN requests were sent and none was answered."
fn no_media(analysis: &Analysis, number: u32, session: &Session) -> Option<Finding> {
    // Some applications put a protocol of their own on the path that ICE found.
    let unknown = |flow: &FlowRecord| flow.path.ice && flow.count(Protocol::Unknown) >= UNKNOWN_DATAGRAMS;
    let carries = |flow: &FlowRecord| {
        let media = !flow.streams.is_empty() || flow.rtcp.is_some();
        media || flow.sctp.is_some() || flow.carries_data() || unknown(flow)
    };
    let asks = |flow: &FlowRecord| flow.path.ice || flow.is_turn() || flow.path.dtls;
    if session.flows(analysis).any(carries) || !session.flows(analysis).any(asks) {
        return None;
    }
    let (failed, reached) = reached(analysis, session);
    Some(Finding {
        rule: "COM001",
        severity: if failed { Severity::Error } else { Severity::Warning },
        session: Some(number),
        message: format!("Neither media nor data was carried: {reached}"),
        advice: Some("The step named here is where the call ended; its line below says more."),
        packets: session.flows(analysis).find(|flow| asks(flow)).map(|flow| flow.first.1).into_iter().collect(),
    })
}

/// How far a call without media came, and whether that is a failure beyond doubt: asked often enough, or refused.
fn reached(analysis: &Analysis, session: &Session) -> (bool, String) {
    let count = |class: u16| -> u64 {
        let types = session.flows(analysis).flat_map(|flow| &flow.stun_types);
        types.filter(|(kind, _)| **kind & 0x0110 == class).map(|(_, count)| count).sum()
    };
    let (requests, answers, errors) = (count(0x0000), count(0x0100), count(0x0110));
    let asked = match requests {
        1 => "one STUN or TURN request was sent".to_owned(),
        _ => format!("{} STUN and TURN requests were sent", grouped(requests)),
    };
    let is_ice = session.flows(analysis).any(|flow| flow.path.ice);
    let connected = session.flows(analysis).any(|flow| flow.ice.as_ref().is_some_and(|ice| ice.may_be_used()));
    if session.flows(analysis).any(|flow| flow.count(Protocol::Dtls) > 0) {
        let alert = session.flows(analysis).any(|flow| flow.dtls.iter().any(|dtls| dtls.fatal_alert().is_some()));
        let why = if alert { "failed with an alert" } else { "was started, but no media or data followed" };
        return (alert, format!("a DTLS handshake {why}"));
    }
    match (answers, errors) {
        (0, 0) => (requests >= MANY_REQUESTS, format!("{asked} and none was answered")),
        (0, _) => (true, format!("{asked}, and all answers were errors ({})", grouped(errors))),
        (_, 1..) if is_ice && !connected => {
            (true, format!("{asked}, {} were answered with an error, and no pair of addresses worked", grouped(errors)))
        }
        (_, 1..) if !is_ice => {
            let mut turns = session.flows(analysis).filter_map(|flow| flow.turn.as_deref());
            let refused = turns.clone().next().is_some() && !turns.any(|turn| turn.is_allocated());
            let granted = if refused { "nothing was allocated" } else { "no call followed" };
            (refused, format!("{asked}, {} were answered with an error, and {granted}", grouped(errors)))
        }
        _ if is_ice && !connected => (requests >= MANY_REQUESTS, format!("{asked}, and no pair of addresses worked")),
        _ => (false, "STUN was answered, but no DTLS handshake and no media followed".to_owned()),
    }
}

/// "Stream 0x8a2b7d32 of call 1 stopped for 6.0 s: packets were lost and none arrived."
fn outage(number: u32, found: &CallStream<'_>) -> Option<Finding> {
    let stream = &found.stream;
    (stream.outages.longest >= NOTABLE_OUTAGE).then(|| Finding {
        rule: "COM002",
        severity: Severity::Warning,
        session: Some(number),
        message: format!(
            "Stream 0x{:08x} from {} stopped for {:.1} s: packets were lost and none arrived",
            stream.ssrc,
            found.source(),
            seconds(stream.outages.longest)
        ),
        advice: Some("The path before the tap was down; compare with a capture nearer to the sender."),
        packets: stream.outage_end.into_iter().collect(),
    })
}

/// "4.7 % of stream 0x849b1400 from 10.21.0.2:5004 was lost before the tap (47 of 1001 packets)."
fn loss(number: u32, found: &CallStream<'_>) -> Option<Finding> {
    let stream = &found.stream;
    let counters = stream.sequence();
    let notable =
        counters.lost >= NOTABLE_LOST_PACKETS && counters.lost * 100 >= counters.expected * NOTABLE_LOSS_PERCENT;
    let permille = (counters.lost * 1000 + counters.expected / 2) / counters.expected.max(1);
    notable.then(|| Finding {
        rule: "COM003",
        severity: Severity::Warning,
        session: Some(number),
        message: format!(
            "{}.{} % of stream 0x{:08x} from {} was lost before the tap ({} of {} packets)",
            permille / 10,
            permille % 10,
            stream.ssrc,
            found.source(),
            counters.lost,
            counters.expected
        ),
        advice: Some("Look for the loss between the sender and the place of the capture."),
        packets: vec![stream.widest_step.1],
    })
}
