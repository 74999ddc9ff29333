//! What arrived in a call.

use crate::{
    report::{
        build::{Context, data_channel, rtcp, sctp, status, streams},
        document::Communicating,
    },
    session::{Call, SctpAssociation},
};

/// Media, RTCP and SCTP of the call's flows.
pub fn communicating(context: &Context<'_>, call: &Call<'_>) -> Communicating {
    let Call { flows, steps, associations, .. } = call;
    let (rtp_streams, transport_wide) = streams::streams(context, call);
    let rtcp = rtcp::rtcp(context, flows);
    let packets = |one: &&SctpAssociation<'_>| one.record.directions.iter().map(|side| side.packets).sum::<u64>();
    let busiest = associations.iter().max_by_key(packets);
    let sctp = busiest.map(|association| sctp::sctp(context, call, association));
    let data_channels = associations.iter().flat_map(|one| data_channel::data_channels(context, one)).collect();
    Communicating { status: status(steps.communicating()), rtp_streams, transport_wide, rtcp, sctp, data_channels }
}
