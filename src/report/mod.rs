//! The report document and what is made of it: JSON for programs, text for people.
//!
//! Each renderer is a pure function of the [`document::Report`] and writes to whatever it is given.

mod build;
pub mod document;
pub mod json;
pub mod nat;
pub mod packet;
pub mod sdp;
pub mod text;
pub mod turn;

#[cfg(test)]
pub(crate) mod samples;

pub use build::build;
