//! What STUN servers were asked.

use crate::{
    flow::{FlowRecord, transaction::Requests},
    report::{build::Context, document::StunServer},
    time::seconds,
};

/// Servers that are listed; a scanner asks many.
pub(super) const SERVERS: usize = 64;

/// The servers at the ends of one flow: none where it is a path of the call itself, whose ends keep it alive so.
pub(super) fn servers<'a>(context: &'a Context<'_>, flow: &'a FlowRecord) -> impl Iterator<Item = StunServer> + 'a {
    let is_path = flow.path.ice || flow.key.relay.is_some() || flow.carried().is_some();
    let ice = flow.ice.as_deref().filter(|_| !is_path);
    let asked = ice.into_iter().flat_map(|ice| ice.questions.iter().enumerate());
    asked
        .filter(|(_, questions)| questions.sent > 0)
        .map(|(direction, questions)| server(context, flow, direction, questions))
}

fn server(context: &Context<'_>, flow: &FlowRecord, direction: usize, questions: &Requests) -> StunServer {
    let times = questions.round_trip;
    StunServer {
        server: flow.key.destination(direction).to_string(),
        client: flow.key.source(direction).to_string(),
        transport: flow.key.transport.name(),
        requests: questions.sent,
        retransmissions: questions.retransmitted,
        responses: questions.succeeded + questions.failed,
        unanswered: questions.unanswered,
        round_trip_time: (times.count > 0).then(|| seconds(times.last)),
        first_packet: questions.first.map(|(_, id)| context.packet(id)),
    }
}
