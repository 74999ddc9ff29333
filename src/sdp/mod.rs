//! The Session Description Protocol (RFC 8866): a text to what it describes, to what is wrong with it, and with its
//! answer to what was agreed.
//!
//! `webrtc-sdp` reads each line by itself. What it does not know or refuses is kept, named in a [`Lint`] at its line and
//! column, and read once more with more patience: a description of which one line is odd is still a description.
//!
//! No input makes anything here fail but one without a single line of SDP. All that grows has a cap, and a counter of
//! what it left out.

pub mod candidate;
pub mod codec;
pub mod description;
pub mod fragment;
pub mod input;

mod jsep;
mod line;
pub mod lint;
pub mod negotiation;
mod note;
mod read;
pub mod security;
mod text;
mod tolerant;

pub use candidate::{Address, Candidate, CandidateType, TcpType, Transport};
pub use codec::{Codec, CodecRole, Feedback};
pub use description::{
    Bandwidth, Connection, Description, Direction, Extension, Group, Kind, Layer, Media, Msid, NotSdp, Origin, Rid,
    RtcpPort, SctpInit, Sctpmap, Simulcast, Source, SourceGroup,
};
pub use fragment::{Fragment, FragmentMedia};
pub use jsep::DescriptionKind;
pub use line::{Line, without_key};
pub use lint::{Dialect, Role, lint};
pub use note::{Lint, Severity};
pub use security::{Crypto, Fingerprint, HashFunction, Secret, Setup};
