//! The report of `sdp`: its document, and what is made of it.

mod build;
mod document;

use crate::sdp::{
    Description, DescriptionKind, Dialect,
    input::{By, GivenCandidate},
};

pub use self::{build::build, document::*};

/// A description that was read.
#[derive(Clone, Debug)]
pub struct Read {
    /// Where it is from: a file's name.
    pub source: String,
    /// The peer connection; empty where there is but one.
    pub connection: String,
    /// What it is.
    pub kind: Option<DescriptionKind>,
    /// Whose it is.
    pub by: By,
    /// What it says.
    pub description: Description,
}

/// What was read.
#[derive(Clone, Debug, Default)]
pub struct Input {
    /// The descriptions, in order.
    pub descriptions: Vec<Read>,
    /// Candidates that were sent later.
    pub candidates: Vec<GivenCandidate>,
    /// The dialect to hold them to; what each seems to be in where it is `None`.
    pub dialect: Option<Dialect>,
}
