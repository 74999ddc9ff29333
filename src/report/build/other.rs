//! STUN and DTLS of flows that make no call.

use super::{Context, connecting, securing};
use crate::{
    flow::FlowRecord,
    report::document::{OtherStun, Securing},
    session::Steps,
    time::seconds,
    wire::Endpoint,
};

/// The STUN messages of a flow.
pub(super) fn stun(flow: &FlowRecord) -> Option<OtherStun> {
    let counts = connecting::counts(&[flow]).filter(|counts| counts.messages > 0)?;
    let ice = flow.ice.as_deref();
    let mapped = ice.and_then(|ice| ice.mapped.first()).map(|(_, address, _)| *address);
    let asked = || ice.into_iter().flat_map(|ice| &ice.questions);
    let times = asked().map(|questions| questions.round_trip).find(|times| times.count > 0);
    Some(OtherStun {
        messages: counts.messages,
        by_type: counts.by_type,
        mapped_address: mapped.map(|address| address.ip().to_string()),
        mapped_port: mapped.map(Endpoint::port),
        round_trip_time: times.map(|times| seconds(times.last)),
        unanswered: asked().map(|questions| questions.unanswered).sum(),
    })
}

/// The DTLS of a flow.
pub(super) fn dtls(context: &Context<'_>, flow: &FlowRecord) -> Option<Box<Securing>> {
    let securing = || securing::securing(context, &Steps::new(context.analysis, [flow]), &[flow]);
    (!flow.dtls.is_empty()).then(|| Box::new(securing()))
}
