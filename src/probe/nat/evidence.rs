//! The proof: each test and what came of it.

use std::{net::SocketAddr, time::Duration};

use super::{
    Kind,
    probes::{Probes, State, TestId},
};
use crate::probe::Transport;

/// A test and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// What it was for.
    pub kind: Kind,
    /// What carried it.
    pub transport: Transport,
    /// The socket's own address.
    pub local: Option<SocketAddr>,
    /// Where it was sent to.
    pub to: SocketAddr,
    /// Where its answer was to come from.
    pub answer_from: SocketAddr,
    /// How often it was sent.
    pub sent: u32,
    /// What came of it.
    pub arrival: Arrival,
    /// What the server saw.
    pub mapped: Option<SocketAddr>,
    /// From sending to the answer, where it is certain which transmission was answered.
    pub round_trip: Option<Duration>,
    /// Answers that came from elsewhere than they should, and from where the last one did.
    pub rejected: Option<(u32, SocketAddr)>,
}

/// What came of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// The answer.
    Answered,
    /// An error, with its code.
    Refused(u16),
    /// Nothing.
    Silent,
    /// Nothing yet when the check was ended.
    Unfinished,
}

/// All tests that were sent.
pub(super) fn all(probes: &Probes) -> Vec<Evidence> {
    probes.iter().filter_map(|(id, _)| one(id, probes)).collect()
}

fn one(id: TestId, probes: &Probes) -> Option<Evidence> {
    let (test, exchange) = (probes.test(id)?, probes.exchange(id)?);
    exchange.sent_at?;
    Some(Evidence {
        kind: test.probe.kind,
        transport: probes.transport(test.probe.socket)?,
        local: probes.local(test.probe.socket),
        to: test.probe.to,
        answer_from: test.probe.answer_from,
        sent: exchange.transmissions,
        arrival: match probes.state(id) {
            State::Answered => Arrival::Answered,
            State::Refused(code) => Arrival::Refused(code),
            State::Silent => Arrival::Silent,
            State::Pending => Arrival::Unfinished,
        },
        mapped: probes.mapped(id),
        round_trip: exchange.round_trip(),
        rejected: exchange.rejected_from.map(|from| (exchange.rejected, from)),
    })
}
