//! Transports of a call that were not secured while others were.

use crate::{
    finding::{Finding, Severity},
    flow::FlowRecord,
    session::{Outcome, Steps, associations},
    time::PacketId,
};

/// "Of 2 DTLS associations 1 came to nothing: between 10.1.0.2:5002 and 10.2.0.2:6002 nothing can be sent." Where all of
/// the call failed, its end is told already.
pub(super) fn judge(number: u32, steps: &Steps<'_>, flows: &[&FlowRecord]) -> Option<Finding> {
    if steps.securing() != Outcome::Failed {
        return None;
    }
    let all = associations(flows);
    let failed: Vec<_> = all.iter().filter(|one| steps.secured(one) == Outcome::Failed).collect();
    let works = all.iter().any(|one| steps.secured(one) == Outcome::Ok);
    let first = failed.first().filter(|_| works)?;
    let packets: Vec<PacketId> = failed.iter().filter_map(|one| Some(one.record.first?.packet)).collect();
    Some(Finding {
        rule: "SEC001",
        severity: Severity::Error,
        session: Some(number),
        message: format!(
            "Of {} DTLS associations {} came to nothing: what {} and {} were to exchange was not secured",
            all.len(),
            failed.len(),
            first.flow.key.name_of(first.flow.key.low),
            first.flow.key.name_of(first.flow.key.high)
        ),
        advice: Some("Without BUNDLE each medium has a handshake of its own, and needs its own open path."),
        packets,
    })
}
