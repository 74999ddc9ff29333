//! What arrived: loss and silence that everybody would hear or see, and calls in which nothing arrived at all.

use crate::{
    finding::{Finding, Severity, connecting, outcome, sctp, securing},
    flow::FlowRecord,
    session::{Call, CallStream, Steps, StreamRole},
    time::{NANOS_PER_SECOND, seconds},
};

/// Loss of one packet in a hundred is heard in speech and seen in video.
const NOTABLE_LOSS_PERCENT: u64 = 1;

/// Fewer lost packets than this are chance.
const NOTABLE_LOST_PACKETS: u64 = 5;

/// A second of silence is an outage to everyone.
const NOTABLE_OUTAGE: i64 = NANOS_PER_SECOND;

/// The rules about what a call carried, each on its own. `number` is the call's.
pub fn judge(number: u32, call: &Call<'_>) -> Vec<Finding> {
    let Call { steps, flows, .. } = call;
    let mut findings: Vec<Finding> = outcome::judge(number, steps, flows).into_iter().collect();
    findings.extend(securing::judge(number, steps, flows));
    findings.extend(one_direction(number, steps, flows));
    findings.extend(connecting::judge(number, steps, flows));
    findings.extend(sctp::judge(number, call));
    let media = call.streams.iter().zip(&call.repairs).filter(|(_, repair)| repair.role == StreamRole::Media);
    for (found, _) in media.filter(|(found, _)| !found.is_seen_before) {
        findings.extend(outage(number, found));
        findings.extend(loss(number, found));
    }
    findings
}

/// "Only packets from 10.1.0.2 are in the capture, though the other side answered."
fn one_direction(number: u32, steps: &Steps<'_>, flows: &[&FlowRecord]) -> Option<Finding> {
    let only = steps.only_sender()?;
    Some(Finding {
        rule: "CAP012",
        severity: Severity::Warning,
        session: Some(number),
        message: format!(
            "Only packets from {only} are in the capture, though the other side answered: of that side, of round trips and \
             of handshakes nothing can be told"
        ),
        advice: Some("Capture both directions: without a source or destination filter, at a port that sees both."),
        packets: flows.first().map(|flow| flow.first.1).into_iter().collect(),
    })
}

/// "Stream 0x8a2b7d32 of call 1 stopped for 6.0 s: packets were lost and none arrived."
fn outage(number: u32, found: &CallStream<'_>) -> Option<Finding> {
    let stream = &found.stream;
    (stream.outages().longest >= NOTABLE_OUTAGE).then(|| Finding {
        rule: "COM002",
        severity: Severity::Warning,
        session: Some(number),
        message: format!(
            "Stream 0x{:08x} from {} stopped for {:.1} s: packets were lost and none arrived",
            stream.ssrc,
            found.source(),
            seconds(stream.outages().longest)
        ),
        advice: Some("The path before the tap was down; compare with a capture nearer to the sender."),
        packets: stream.outage_end().into_iter().collect(),
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
        packets: vec![stream.widest_step().1],
    })
}
