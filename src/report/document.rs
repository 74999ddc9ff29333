//! The report: the one document that every renderer reads, and the JSON contract (`schemaVersion` 1).
//!
//! Names are those of the W3C *Identifiers for WebRTC's Statistics API* where it has one. Times are seconds from the
//! first packet of the analysis unless the name ends in `At` (RFC 3339, UTC). What is not known is `null`, never 0.
//! Lists are in a fixed order. A packet is cited by [`PacketRef`].

mod call;
mod capture;
mod connecting;
mod data_channel;
mod extension;
mod finding;
mod media;
mod other;
mod rtcp;
mod sctp;
mod securing;
mod signalling;
mod turn;

use std::fmt;

use serde::Serialize;

pub use call::*;
pub use capture::*;
pub use connecting::*;
pub use data_channel::*;
pub use extension::*;
pub use finding::*;
pub use media::*;
pub use other::*;
pub use rtcp::*;
pub use sctp::*;
pub use securing::*;
pub use signalling::*;
pub use turn::*;

/// The version of this document's shape; a breaking change raises it.
pub const SCHEMA_VERSION: u32 = 1;

/// Everything rtcscope found in one analysis.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The version of this document's shape.
    pub schema_version: u32,
    /// What made the report.
    pub tool: Tool,
    /// The whole in one word: the worst of the findings.
    pub verdict: Verdict,
    /// The files that were read, in the order given.
    pub captures: Vec<Capture>,
    /// The calls, by their first packet.
    pub sessions: Vec<Session>,
    /// Traffic that is no call, most packets first.
    pub other_flows: Vec<OtherFlow>,
    /// Flows of no call that are not listed one by one, and their packets; `null` when all are listed.
    pub other_flows_omitted: Option<Omitted>,
    /// What is worth knowing, by severity, then root cause first.
    pub findings: Vec<Finding>,
}

/// The program that made a report.
#[derive(Clone, Debug, Serialize)]
pub struct Tool {
    /// Always `rtcscope`.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
}

/// The judgement on a report, a call or a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Nothing of weight was found.
    Pass,
    /// Something is worth a look.
    Warn,
    /// Something failed.
    Fail,
}

/// Whether a step of a call was seen and worked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepStatus {
    /// Seen, and it worked.
    Ok,
    /// Seen, and it failed.
    Failed,
    /// Nothing of it is in the capture.
    #[default]
    NotSeen,
}

/// A packet: its number in its file, counted from 1; with more than one file, the file too (`2:1041`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PacketRef {
    /// The file, counted from 1 in the order given; 0 when only one file is analyzed.
    pub file: u16,
    /// The packet's number in that file.
    pub number: u64,
}

impl fmt::Display for PacketRef {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.file == 0 {
            write!(formatter, "{}", self.number)
        } else {
            write!(formatter, "{}:{}", self.file, self.number)
        }
    }
}

/// A number with one file, a string `file:number` with several.
impl Serialize for PacketRef {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.file == 0 { serializer.serialize_u64(self.number) } else { serializer.collect_str(self) }
    }
}
