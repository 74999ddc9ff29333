//! The report of `turn-check`: its document, and what is made of it.

mod build;
mod document;
mod problem;

use std::{net::SocketAddr, time::Duration};

pub use self::{build::build, document::*};
use crate::probe::{
    turn::{Config, Outcome},
    uri::ServerUri,
};

/// What a check was asked for and what came of it.
#[derive(Clone, Debug)]
pub struct Input {
    /// The server as the user names it.
    pub server: ServerUri,
    /// Why it has no address.
    pub unresolved: Option<String>,
    /// The addresses that were tried, in this order; the last one counts.
    pub attempts: Vec<Attempt>,
    /// The user's name, where one was given or made.
    pub username: Option<String>,
    /// Whether the credentials were made of a shared secret.
    pub by_secret: bool,
    /// How long all of it took.
    pub duration: Duration,
    /// Whether the user ended it.
    pub interrupted: bool,
}

/// One address of the server.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The server that named this one (300), where it is not the user's.
    pub sent_by: Option<SocketAddr>,
    /// What was checked.
    pub config: Config,
    /// What was found.
    pub outcome: Outcome,
}
