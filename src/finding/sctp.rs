//! SCTP associations that were refused, and data channels that did not do what they were opened for.

use crate::{
    finding::{
        Finding, Severity,
        words::{counted, span},
    },
    flow::sctp::{Channel, Opening, SctpRecord, State},
    session::{Call, SctpAssociation},
    time::NANOS_PER_SECOND,
    wire::sctp::cause_name,
};

/// An end that was there for so long after a channel was opened has seen that, however much was lost.
const ACKNOWLEDGEMENT: i64 = 5 * NANOS_PER_SECOND;

/// Error cause *User-Initiated Abort* (RFC 9260 section 3.3.10.12): how some stacks close.
const USER_INITIATED: u16 = 12;

/// The rules about the associations of a call.
pub(super) fn judge(number: u32, call: &Call<'_>) -> Vec<Finding> {
    if call.steps.only_sender().is_some() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for association in &call.associations {
        findings.extend(aborted(number, association));
        findings.extend(unacknowledged(number, association));
        findings.extend(abandoned(number, association));
    }
    findings
}

/// "10.1.0.2:5000 aborted the SCTP association before any data was sent: Protocol Violation (no cookie)". One that carried
/// data and is ended by its user is only closed.
fn aborted(number: u32, association: &SctpAssociation<'_>) -> Option<Finding> {
    let SctpAssociation { flow, record, .. } = association;
    let abort = record.first_aborts.last().filter(|_| record.state == State::Aborted)?;
    let is_empty = record.directions.iter().all(|side| side.user_bytes == 0);
    let cause = abort.cause.filter(|cause| *cause != USER_INITIATED);
    if !is_empty && cause.is_none() {
        return None;
    }
    let when = if is_empty { " before any data was sent" } else { "" };
    let text = abort.text.as_ref().map_or_else(String::new, |text| format!(" ({text})"));
    let why = abort.cause.map_or_else(|| "without a cause".to_owned(), |cause| cause_name(cause).to_owned());
    Some(Finding {
        rule: "COM004",
        severity: if is_empty { Severity::Error } else { Severity::Warning },
        session: Some(number),
        message: format!(
            "{} aborted the SCTP association{when}: {why}{text}",
            flow.key.name_of(flow.key.source(usize::from(abort.direction)))
        ),
        advice: Some("All data channels end with it; the log of the end that sent the ABORT says more."),
        packets: vec![abort.at.packet],
    })
}

/// "2 of 5 data channels were not acknowledged, the first ("chat" on stream 1, opened by 10.1.0.2:5000) in 12.0 s though
/// the other end went on sending".
fn unacknowledged(number: u32, association: &SctpAssociation<'_>) -> Option<Finding> {
    let SctpAssociation { flow, record, .. } = association;
    let silent: Vec<_> =
        record.channels.iter().filter_map(|channel| Some((channel, silence(record, channel)?))).collect();
    let (channel, (opening, waited)) = silent.first()?;
    Some(Finding {
        rule: "COM005",
        severity: Severity::Warning,
        session: Some(number),
        message: format!(
            "{} not acknowledged, the first (\"{}\" on stream {}, opened by {}) in {} though the other end went on \
             sending",
            match silent.len() {
                1 => "1 data channel was".to_owned(),
                count => format!("{} were", counted(count as u64, "data channel")),
            },
            opening.label,
            channel.stream,
            flow.key.name_of(flow.key.source(usize::from(opening.direction))),
            span(*waited)
        ),
        advice: Some("The other end does not serve data channels opened by DCEP (RFC 8832), or refused this one."),
        packets: silent.iter().map(|(_, (opening, _))| opening.at.packet).collect(),
    })
}

/// The opening of a channel that nothing answered, and how long its other end was there after it.
fn silence<'a>(record: &SctpRecord, channel: &'a Channel) -> Option<(&'a Opening, i64)> {
    let opening = channel.opening.as_ref()?;
    let other = usize::from(opening.direction ^ 1);
    let is_answered = channel.acknowledged.is_some()
        || channel.closing.is_some()
        || channel.is_over()
        || channel.carried.get(other)?.first.is_some();
    let waited = record.directions.get(other)?.last?.time.since(opening.at.time);
    (!is_answered && waited >= ACKNOWLEDGEMENT).then_some((opening, waited))
}

/// "10.1.0.2:5000 gave up 12 messages that were not acknowledged (partial reliability)".
fn abandoned(number: u32, association: &SctpAssociation<'_>) -> Option<Finding> {
    let SctpAssociation { flow, record, .. } = association;
    let sides = || record.directions.iter().enumerate().filter(|(_, side)| side.abandoned_messages > 0);
    let ends: Vec<String> = sides()
        .map(|(direction, side)| {
            format!(
                "{} gave up {}",
                flow.key.name_of(flow.key.source(direction)),
                counted(side.abandoned_messages, "message")
            )
        })
        .collect();
    (!ends.is_empty()).then(|| Finding {
        rule: "COM006",
        severity: Severity::Info,
        session: Some(number),
        message: format!("{} that the other end had not acknowledged (partial reliability)", ends.join(" and ")),
        advice: Some("This is what a limit to retransmissions or lifetime asks for; without one nothing is given up."),
        packets: sides().filter_map(|(_, side)| side.first_abandoned).map(|step| step.packet).collect(),
    })
}
