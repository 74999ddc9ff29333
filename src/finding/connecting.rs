//! Paths that broke.

use crate::{
    finding::{
        Finding, Severity,
        words::{counted, span},
    },
    flow::{FlowRecord, ice::Checks},
    session::Steps,
    time::NANOS_PER_SECOND,
};

/// Silence that ends a path: browsers call it disconnected after less.
const DEAD: i64 = 10 * NANOS_PER_SECOND;

/// As many checks without an answer are no loss of single packets.
const UNANSWERED: u64 = 4;

/// The rules about the paths of a call.
pub(super) fn judge(number: u32, steps: &Steps<'_>, flows: &[&FlowRecord]) -> Vec<Finding> {
    let latest = flows.iter().filter_map(|flow| flow.carried()).map(|(_, last)| last).max();
    // What another path carried on is a switch, and no end.
    let is_last =
        |flow: &&&FlowRecord| flow.carried().zip(latest).is_some_and(|((_, last), latest)| latest.since(last) < DEAD);
    if steps.only_sender().is_some() {
        return Vec::new();
    }
    let consents = flows.iter().filter(is_last).filter_map(|flow| consent(number, flow));
    consents.chain(flows.iter().filter_map(|flow| lapse(number, flow))).collect()
}

/// "The permission for 10.2.0.2 at the TURN server 10.3.0.2:3478 ended 5 min after it was granted last: nothing came from
/// there any more."
fn lapse(number: u32, flow: &FlowRecord) -> Option<Finding> {
    let turn = flow.turn.as_deref()?;
    let permission = turn.permissions.iter().find(|one| turn.lapse_of_permission(one).is_some());
    let channel = turn.channels.iter().find(|one| turn.lapse_of_channel(one).is_some());
    let (what, packet, life) = match (permission, channel) {
        (Some(one), _) => (format!("permission for {}", one.peer.ip()), one.granted.1, one.until().since(one.last)),
        (None, Some(one)) => {
            (format!("channel 0x{:04x} to {}", one.number, one.peer), one.bound.1, one.until().since(one.last))
        }
        (None, None) => return None,
    };
    let server = flow.key.destination(turn.client?);
    Some(Finding {
        rule: "CON002",
        severity: Severity::Warning,
        session: Some(number),
        message: format!(
            "The {what} at the TURN server {server} ended {} after it was granted last: nothing came from there any more",
            span(life)
        ),
        advice: Some("The client must ask again in time: for permissions within 5 minutes, for channels within 10."),
        packets: vec![packet],
    })
}

/// "From 8.2 s on 10.1.0.2:5000 got no answer to 12 checks from 10.2.0.2:6000, for 17.0 s: the path broke, or the other
/// end left without a word."
fn consent(number: u32, flow: &FlowRecord) -> Option<Finding> {
    let ice = flow.ice.as_deref()?;
    let dead = |checks: &Checks| {
        let (success, packet) = checks.requests.last_success?;
        let (last, _) = checks.requests.last?;
        let silence = last.since(success);
        (silence >= DEAD && checks.unanswered_in_row() >= UNANSWERED).then_some((silence, packet))
    };
    let (direction, (silence, packet)) =
        ice.checks.iter().enumerate().find_map(|(direction, checks)| Some((direction, dead(checks)?)))?;
    let checks = ice.checks.get(direction)?.unanswered_in_row();
    let (asker, silent) = (flow.key.source(direction), flow.key.destination(direction));
    Some(Finding {
        rule: "CON001",
        severity: Severity::Warning,
        session: Some(number),
        message: format!(
            "{silent} stopped answering {asker}: {} in {} got no answer after this packet, to the last one",
            counted(checks, "check"),
            span(silence)
        ),
        advice: Some(
            "The path broke here, or the other end left without a word; its consent (RFC 7675) is lost after 30 s.",
        ),
        packets: vec![packet],
    })
}
