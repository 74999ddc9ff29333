//! Data channels of a call.

use crate::{
    flow::sctp::{Channel, State},
    report::{
        build::Context,
        document::{DataChannel, DataChannelDirection, DataChannelState},
    },
    session::SctpAssociation,
    wire::sctp::Reliability,
};

/// The channels of an association by their first message.
pub fn data_channels(context: &Context<'_>, association: &SctpAssociation<'_>) -> Vec<DataChannel> {
    let channels = &association.record.channels;
    channels.iter().map(|channel| data_channel(context, association, channel)).collect()
}

fn data_channel(context: &Context<'_>, association: &SctpAssociation<'_>, channel: &Channel) -> DataChannel {
    let key = &association.flow.key;
    let name = |direction: u8| key.name_of(key.source(usize::from(direction)));
    let opening = channel.opening.as_ref();
    let first = opening.map_or(0, |opening| usize::from(opening.direction));
    let directions: Vec<_> =
        [first, first ^ 1].map(|direction| direction_of(context, association, channel, direction)).into();
    let (max_retransmits, max_packet_life_time) = match opening.map(|opening| opening.reliability) {
        Some(Reliability::Retransmissions(count)) => (Some(count), None),
        Some(Reliability::Lifetime(milliseconds)) => (None, Some(milliseconds)),
        _ => (None, None),
    };
    let delay = opening.zip(channel.acknowledged).map(|(open, ack)| ack.time.seconds_since(open.at.time));
    DataChannel {
        data_channel_identifier: channel.stream,
        label: opening.map(|opening| opening.label.clone()),
        protocol: opening.map(|opening| opening.protocol.clone()),
        negotiated: if opening.is_some() { Some(false) } else { channel.from_start.then_some(true) },
        ordered: opening.map(|opening| opening.ordered),
        max_retransmits,
        max_packet_life_time,
        priority: opening.map(|opening| opening.priority),
        state: state(association, channel),
        opened_by: opening.map(|opening| name(opening.direction)),
        open_time: opening.map(|opening| context.seconds(opening.at.time)),
        open_packet: opening.map(|opening| context.packet(opening.at.packet)),
        acknowledgement_delay: delay.filter(|delay| *delay >= 0.0),
        closed_by: channel.closing.map(|(direction, _)| name(direction)),
        close_time: channel.closing.map(|(_, step)| context.seconds(step.time)),
        close_packet: channel.closing.map(|(_, step)| context.packet(step.packet)),
        messages: directions.iter().map(|direction| direction.messages).sum(),
        bytes: directions.iter().map(|direction| direction.bytes).sum(),
        directions,
    }
}

fn direction_of(
    context: &Context<'_>,
    association: &SctpAssociation<'_>,
    channel: &Channel,
    direction: usize,
) -> DataChannelDirection {
    let key = &association.flow.key;
    let carried = channel.carried.get(direction).copied().unwrap_or_default();
    DataChannelDirection {
        source: key.name_of(key.source(direction)),
        destination: key.name_of(key.destination(direction)),
        messages: carried.messages,
        bytes: carried.bytes,
        string_messages: carried.strings,
        unordered_messages: carried.unordered,
        messages_abandoned: carried.abandoned,
        retransmitted_chunks: carried.retransmitted_chunks,
        first_packet: carried.first.map(|step| context.packet(step.packet)),
        last_packet: carried.last.map(|step| context.packet(step.packet)),
    }
}

fn state(association: &SctpAssociation<'_>, channel: &Channel) -> DataChannelState {
    let is_answered = channel.acknowledged.is_some()
        || channel.opening.as_ref().is_none_or(|opening| {
            channel.carried.get(usize::from(opening.direction ^ 1)).is_some_and(|carried| carried.first.is_some())
        });
    match () {
        () if channel.is_over() || association.record.state >= State::ShuttingDown => DataChannelState::Closed,
        () if channel.closing.is_some() => DataChannelState::Closing,
        () if is_answered => DataChannelState::Open,
        () => DataChannelState::Connecting,
    }
}
