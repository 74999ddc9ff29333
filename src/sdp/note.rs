//! What is worth saying about a description.

/// How much a lint, a mismatch or a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It fails: a peer will refuse the description, no media flows, the capture cannot be read.
    Error,
    /// It may fail, or quality or trust suffers.
    Warning,
    /// Worth knowing.
    Info,
}

/// One thing that is wrong, or worth knowing, in a description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lint {
    /// The rule's code, `SDP` and three digits.
    pub code: &'static str,
    /// How much it weighs.
    pub severity: Severity,
    /// The line it is about, counted from 1; `None` when something is missing.
    pub line: Option<usize>,
    /// The character of the line, counted from 1.
    pub column: Option<usize>,
    /// The index of the media section it is about, from 0; `None` for the session.
    pub media: Option<usize>,
    /// What is so, in one sentence.
    pub message: String,
    /// Where that is written.
    pub reference: &'static str,
}
