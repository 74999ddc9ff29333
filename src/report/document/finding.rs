//! What is worth knowing.

use serde::Serialize;

use super::PacketRef;
use crate::sdp;

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The call, or the reading of the capture, failed.
    Error,
    /// Quality or trust suffers.
    Warning,
    /// Worth knowing.
    Info,
}

impl From<sdp::Severity> for Severity {
    fn from(severity: sdp::Severity) -> Self {
        match severity {
            sdp::Severity::Error => Self::Error,
            sdp::Severity::Warning => Self::Warning,
            sdp::Severity::Info => Self::Info,
        }
    }
}

/// One thing worth knowing, with its proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The rule's code (`rtcscope explain CODE`).
    pub rule: &'static str,
    /// How much it weighs.
    pub severity: Severity,
    /// The call it is about; `null` when it is about the capture.
    pub session: Option<u32>,
    /// One sentence: what happened.
    pub message: String,
    /// One sentence: what to do.
    pub advice: Option<String>,
    /// The packets that prove it, the first few.
    pub packets: Vec<PacketRef>,
}
