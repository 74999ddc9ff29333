//! The report of `nat-check`: its document, and what is made of it.

mod build;
mod document;
mod findings;

pub use build::{Checked, Input, Unresolved, build};
pub use document::*;

#[cfg(test)]
mod tests;
