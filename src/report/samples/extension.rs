//! Header extensions of the samples.

use super::packet;
use crate::report::document::*;

/// A stream of two temporal layers.
pub(super) fn layers() -> HeaderExtension {
    extension(
        12,
        ExtensionDetails::DependencyDescriptor(DependencyDescriptor {
            frames: 1_108,
            frames_missing: Some(9),
            key_frames: 3,
            key_frame_packets: vec![packet(60)],
            layers: vec![
                LayerFrames { spatial: 0, temporal: 0, frames: 560 },
                LayerFrames { spatial: 0, temporal: 1, frames: 548 },
            ],
            spatial_layers: Some(1),
            temporal_layers: Some(2),
            decode_targets: Some(2),
            active_decode_targets: None,
            chains: Some(0),
            resolutions: vec![Resolution { width: 640, height: 360 }],
        }),
    )
}

/// Packets that waited in queues.
pub(super) fn queues() -> HeaderExtension {
    extension(
        2,
        ExtensionDetails::AbsSendTime(AbsSendTime {
            delay_variation: 0.004,
            delay_variation_max: 0.09,
            queueing_delay: 0.02,
            queueing_delay_max: 0.412,
            queueing_delay_max_packet: packet(2_042),
            send_gap_max: 0.034,
        }),
    )
}

/// Audio that was silent for some time.
pub(super) fn silence() -> HeaderExtension {
    extension(
        1,
        ExtensionDetails::AudioLevel(AudioLevel {
            level: Some(-31.4),
            level_max: Some(-12.0),
            silent_packets: 410,
            voice_activity_packets: 1_200,
            silent: false,
            longest_silence: Some(Silence {
                packets: 300,
                start_time: 12.5,
                duration: 6.0,
                first_packet: packet(3_001),
                last_packet: packet(3_777),
            }),
        }),
    )
}

/// Numbers over all streams from one end to the other.
pub(super) fn transport_wide(source: &str, destination: &str) -> TransportWide {
    TransportWide {
        source: source.to_owned(),
        destination: destination.to_owned(),
        transport: "udp".to_owned(),
        relay: None,
        id: 3,
        uri: "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01".to_owned(),
        uri_inferred: true,
        streams: 3,
        packets_received: 14_460,
        packets_expected: 14_979,
        packets_lost: 519,
        fraction_lost: Some(519.0 / 14_979.0),
        sequence_packets_lost: 518,
        packets_duplicated: 3,
        packets_reordered: 12,
        burst_loss_count: 230,
        longest_loss_burst: 14,
        longest_loss_burst_packets: vec![packet(1_041), packet(1_055)],
        packets_elsewhere: 0,
        restarts: 0,
        first_sequence_number: 1,
        first_packet: packet(60),
        last_packet: packet(7_200),
    }
}

fn extension(id: u8, details: ExtensionDetails) -> HeaderExtension {
    HeaderExtension { id, packets: 1_862, uri: None, uri_inferred: false, details: Some(details) }
}
