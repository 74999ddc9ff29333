//! What descriptions are to each other.

/// What a description is in the exchange: the types of JSEP (RFC 8829 section 4.1.10), and a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DescriptionKind {
    /// An offer.
    Offer,
    /// A final answer.
    Answer,
    /// A provisional answer.
    Pranswer,
    /// The last offer is withdrawn; the text may be empty.
    Rollback,
    /// Candidates and ICE credentials only: `application/trickle-ice-sdpfrag` (RFC 8840).
    Fragment,
}

impl DescriptionKind {
    /// Its name in JSEP; a fragment has none there.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Offer => "offer",
            Self::Answer => "answer",
            Self::Pranswer => "pranswer",
            Self::Rollback => "rollback",
            Self::Fragment => "fragment",
        }
    }

    /// The kind that a word of a message names, in any case: `offer`, `Answer`, `PRANSWER`.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        let all = [Self::Offer, Self::Answer, Self::Pranswer, Self::Rollback];
        all.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(word))
    }
}
