//! Judgement: what in an analysis is worth a sentence. One rule, one place: its code, its weight, its words, its proof.

mod communicating;
mod connecting;
mod input;
mod outcome;
mod sctp;
mod securing;
mod signalling;
pub(crate) mod words;

use crate::{
    engine::Analysis,
    session::{Call, Sessions},
    time::PacketId,
};

pub use crate::sdp::Severity;

/// One thing worth knowing, with its proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule's code.
    pub rule: &'static str,
    /// How much it weighs.
    pub severity: Severity,
    /// The number of the call that it is about, counted from 1; `None` when it is about the capture.
    pub session: Option<u32>,
    /// What happened, in one sentence.
    pub message: String,
    /// What to do, in one sentence.
    pub advice: Option<&'static str>,
    /// The packets that prove it.
    pub packets: Vec<PacketId>,
}

/// The findings about the capture.
#[must_use]
pub fn judge(analysis: &Analysis, sessions: &Sessions) -> Vec<Finding> {
    let mut findings = input::judge(analysis, sessions);
    findings.extend(signalling::unused(sessions));
    findings
}

/// The findings about one call, by its number, counted from 1.
#[must_use]
pub fn judge_call(number: u32, call: &Call<'_>) -> Vec<Finding> {
    let mut findings = signalling::judge(number, call);
    findings.extend(communicating::judge(number, call));
    findings
}

/// Puts findings in their order: by severity; those about calls before those about the capture; else as they are.
pub fn sort(findings: &mut [Finding]) {
    findings.sort_by_key(|finding| (finding.severity, finding.session.is_none()));
}
