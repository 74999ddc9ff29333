//! SRTP and SRTCP opened by an observer who has the master keys (RFC 3711; suites of RFC 4568, 5764, 6188 and 7714).
//!
//! [`Keying`] is what protects one direction: a profile and master keys, out of [`sdes`], a [`text`] of the user, or what
//! DTLS exported ([`Keying::from_exported`]). A [`Context`] has its session keys ready; [`Rollover`] follows one SSRC and
//! finds the part of a packet's index that is not sent, by the tag, wherever the capture starts. A packet becomes
//! [`Authentic`] by its tag alone, and only such a one can be opened.
//!
//! An observer does not refuse replays: what a network doubles authenticates twice.

mod cipher;
mod context;
mod derive;
mod header;
mod master;
mod parts;
mod profile;
mod rollover;
pub mod sdes;
pub mod text;

pub use context::{Context, OpenedRtcp, Wanted};
pub use master::{KeyLength, Keying, Protection};
pub use parts::Authentic;
pub use profile::{GcmKeySize, KeySize, Profile, ShaTag};
pub use rollover::Rollover;

use master::MasterKey;

/// Why a packet was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum OpenError {
    /// The version is not 2, or CSRCs and header extension exceed the packet.
    #[error("no SRTP packet")]
    NotSrtp,
    /// There is no room for header, index, key identifier and tag.
    #[error("too short for its tag")]
    TooShort,
    /// No master key has the identifier that the packet names.
    #[error("no master key has the identifier it names")]
    UnknownMki,
    /// The key is another one, the rollover counter is not the one tried, or the packet was changed.
    #[error("the tag does not match")]
    TagMismatch,
}

#[cfg(test)]
mod tests;
