//! Any bytes as SCTP packets of one flow: each starts with its direction and length.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rtcscope::{
    flow::sctp::{Association, MAX_ABORTS, MAX_STREAMS},
    time::{PacketId, Timestamp},
    wire::sctp::{Content, Packet, looks_like_sctp_over_udp},
};

fuzz_target!(|data: &[u8]| {
    walk(data);
    let (mut association, mut rest, mut number) = (Association::new(), data, 0);
    while let [direction, length, tail @ ..] = rest {
        let (packet, tail) = tail.split_at(usize::from(*length).min(tail.len()));
        number += 1;
        let _ = association.packet(
            packet,
            packet.len(),
            *direction,
            Timestamp(number * 1_000),
            PacketId::new(0, number.cast_unsigned()),
        );
        rest = tail;
    }
    let record = association.finish();
    assert!(record.first_aborts.len() <= MAX_ABORTS);
    assert!(record.directions.iter().all(|direction| direction.streams.len() <= MAX_STREAMS));
});

fn walk(bytes: &[u8]) {
    let _ = looks_like_sctp_over_udp(bytes);
    let Ok(packet) = Packet::parse(bytes) else { return };
    let _ = packet.verify_checksum();
    for chunk in packet.chunks() {
        match chunk.content() {
            Ok(Content::Init(init) | Content::InitAck(init)) => {
                init.parameters.for_each(|parameter| _ = parameter.content());
            }
            Ok(Content::Sack(sack)) => drop((sack.gap_blocks.count(), sack.duplicate_tsns.count())),
            Ok(Content::Abort { causes, .. } | Content::Error(causes)) => causes.for_each(|cause| _ = cause.text()),
            Ok(
                Content::Reconfiguration(parameters)
                | Content::AddressConfiguration { parameters, .. }
                | Content::AddressConfigurationAck { parameters, .. },
            ) => parameters.for_each(|parameter| _ = parameter.content()),
            Ok(Content::ForwardTsn { streams, .. }) => drop(streams.count()),
            Ok(Content::InterleavedForwardTsn { streams, .. }) => drop(streams.count()),
            _ => {}
        }
    }
}
