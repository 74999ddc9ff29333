//! RTP header extensions (RFC 8285): what their elements said. They are in clear under SRTP.

use serde::Serialize;

use super::PacketRef;

/// A header-extension element in use.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HeaderExtension {
    /// Its local identifier; 0 for a profile that is not RFC 8285.
    pub id: u8,
    /// Packets with it.
    pub packets: u64,
    /// What it is, where signalling tells (`a=extmap`) or its behaviour leaves no doubt.
    pub uri: Option<String>,
    /// Whether that was inferred from its behaviour.
    pub uri_inferred: bool,
    /// What it said, by what it is: one more field, or none.
    #[serde(flatten)]
    pub details: Option<ExtensionDetails>,
}

/// What elements said, by what they are.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ExtensionDetails {
    /// RFC 6464.
    AudioLevel(AudioLevel),
    /// webrtc.org/experiments/rtp-hdrext/abs-send-time.
    AbsSendTime(AbsSendTime),
    /// webrtc.org/experiments/rtp-hdrext/abs-capture-time.
    AbsCaptureTime(AbsCaptureTime),
    /// AV1 RTP specification, appendix A.
    DependencyDescriptor(DependencyDescriptor),
    /// webrtc.org/experiments/rtp-hdrext/video-layers-allocation00.
    VideoLayersAllocation(Changes<VideoLayersAllocation>),
    /// 3GPP TS 26.114 section 7.4.5.
    VideoOrientation(Changes<VideoOrientation>),
    /// webrtc.org/experiments/rtp-hdrext/video-content-type.
    VideoContentType(Changes<VideoContentType>),
    /// webrtc.org/experiments/rtp-hdrext/playout-delay.
    PlayoutDelay(Changes<PlayoutDelay>),
    /// webrtc.org/experiments/rtp-hdrext/color-space.
    ColorSpace(Changes<ColorSpace>),
    /// RFC 5450.
    TransmissionOffset(TransmissionOffset),
}

/// Values that change seldom.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Changes<T> {
    /// How often the value changed.
    pub changes: u64,
    /// The values in order: the first fifteen of them and the last.
    pub values: Vec<Changed<T>>,
}

/// A value, from when on it was sent.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Changed<T> {
    /// When it was first sent after another, in seconds from the first packet.
    pub time: f64,
    /// In which packet.
    pub packet: PacketRef,
    /// What it says.
    #[serde(flatten)]
    pub value: T,
}

/// How loud a stream was.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AudioLevel {
    /// The mean of the packets' energies in dBov: 0 is the loudest that there can be, -127 silence.
    pub level: Option<f64>,
    /// The loudest packet, in dBov.
    pub level_max: Option<f64>,
    /// Packets of digital silence.
    pub silent_packets: u64,
    /// Packets in which the sender heard a voice, if it listens for any.
    pub voice_activity_packets: u64,
    /// Whether all packets are silent.
    pub silent: bool,
    /// The longest time of digital silence; `null` without any.
    pub longest_silence: Option<Silence>,
}

/// Packets of digital silence in a row.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Silence {
    /// How many.
    pub packets: u64,
    /// When the first came, in seconds from the first packet.
    pub start_time: f64,
    /// Seconds from the first to the last.
    pub duration: f64,
    /// The first.
    pub first_packet: PacketRef,
    /// The last.
    pub last_packet: PacketRef,
}

/// When packets were sent, against when they came to the tap. The clocks of both need not agree: only differences count.
/// Of a video frame in many packets it is the first that counts, and those with other header extensions than the one before.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AbsSendTime {
    /// What the delays from sender to tap of two such packets in a row differ by, in seconds: the mean. Unlike `jitter` it
    /// does not count what the sender waits with a packet.
    pub delay_variation: f64,
    /// The most.
    pub delay_variation_max: f64,
    /// What packets took longer from sender to tap than the fastest of the last seconds, in seconds: the mean.
    pub queueing_delay: f64,
    /// The most.
    pub queueing_delay_max: f64,
    /// The packet that took the most.
    pub queueing_delay_max_packet: PacketRef,
    /// The longest time between the sending of two such packets in a row, in seconds: what `maxGap` has more than this is the network's.
    pub send_gap_max: f64,
}

/// When media was captured.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AbsCaptureTime {
    /// When the media of the first packet was captured, by the capturing clock.
    pub first_captured_at: String,
    /// How old it was at the tap, in seconds, if the clocks agree.
    pub age: f64,
    /// The least age of all packets.
    pub age_min: f64,
    /// The highest.
    pub age_max: f64,
    /// What the sender thinks that the capturing clock is ahead of its own by, in seconds.
    pub clock_offset: Option<f64>,
}

/// The frames of a scalable stream.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DependencyDescriptor {
    /// Frames of which a packet came.
    pub frames: u64,
    /// Frame numbers in between of which no packet came: lost before the tap, or left out by a server. `null` where that
    /// cannot be told.
    pub frames_missing: Option<u64>,
    /// Frames that began a coded sequence: key frames.
    pub key_frames: u64,
    /// The first packets of the first of them.
    pub key_frame_packets: Vec<PacketRef>,
    /// Frames by layer. Without the structure of a key frame no layer is known.
    pub layers: Vec<LayerFrames>,
    /// Spatial layers that the structure has; `null` without one.
    pub spatial_layers: Option<u8>,
    /// Temporal layers that it has.
    pub temporal_layers: Option<u8>,
    /// Qualities that may be had of the stream.
    pub decode_targets: Option<u8>,
    /// Those of them that are sent, from 0; `null` where that is not said.
    pub active_decode_targets: Option<Vec<u8>>,
    /// Chains that protect them.
    pub chains: Option<u8>,
    /// The size of each spatial layer, where that is said.
    pub resolutions: Vec<Resolution>,
}

/// Frames of a layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LayerFrames {
    /// Its place by size, from 0.
    pub spatial: u8,
    /// Its place by frame rate, from 0.
    pub temporal: u8,
    /// Frames of which a packet came.
    pub frames: u64,
}

/// The size of a picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Resolution {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
}

/// What a sender sends of its video, in all simulcast streams.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VideoLayersAllocation {
    /// Which of the streams this one is, from 0.
    pub stream: u8,
    /// How many there are; 0 where nothing is sent.
    pub streams: u8,
    /// What is sent, by stream and then by spatial layer.
    pub layers: Vec<AllocatedLayer>,
}

/// A spatial layer that is sent.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AllocatedLayer {
    /// The simulcast stream that it is in, from 0.
    pub stream: u8,
    /// Its place by size, from 0.
    pub spatial: u8,
    /// The target of each temporal layer in bits a second, those below it included.
    pub target_bitrates: Vec<u64>,
    /// Pixels across, where they are said.
    pub width: Option<u32>,
    /// Pixels down.
    pub height: Option<u32>,
    /// The highest frame rate.
    pub max_frame_rate: Option<u8>,
}

/// How the picture is to be turned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VideoOrientation {
    /// `front` or `back`.
    pub camera: &'static str,
    /// Whether the picture is mirrored.
    pub flipped: bool,
    /// Degrees clockwise that it is to be turned by.
    pub rotation: u16,
}

/// What the picture shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VideoContentType {
    /// `screenshare`, or `unspecified` for all else.
    pub content_type: &'static str,
}

/// The delay that the receiver shall play with.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlayoutDelay {
    /// At least, in seconds.
    pub min: f64,
    /// At most, in seconds.
    pub max: f64,
}

/// How numbers become colours, as ISO/IEC 23091-2 numbers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ColorSpace {
    /// Colour primaries.
    pub primaries: u8,
    /// Transfer characteristics.
    pub transfer: u8,
    /// Matrix coefficients.
    pub matrix: u8,
    /// `limited`, `full`, `derived` or `invalid`.
    pub range: &'static str,
    /// Whether metadata for a high dynamic range follow.
    pub high_dynamic_range: bool,
}

/// How long after the moment of their timestamps packets were sent.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TransmissionOffset {
    /// The least, in units of the RTP clock.
    pub min: i32,
    /// The most, in units of the RTP clock.
    pub max: i32,
}

/// Sequence numbers over all streams that one end sends on a path: what was lost between sender and tap, whatever stream
/// it was of. Packets without such a number are in none of these counts.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TransportWide {
    /// Who sent them: `address:port`.
    pub source: String,
    /// Who they were sent to.
    pub destination: String,
    /// `udp` or `tcp`.
    pub transport: String,
    /// The TURN server that carried them; `null` when they were not relayed.
    pub relay: Option<String>,
    /// The local identifier of the elements.
    pub id: u8,
    /// What they are.
    pub uri: String,
    /// Whether that was inferred from their behaviour.
    pub uri_inferred: bool,
    /// Streams with such numbers.
    pub streams: u64,
    /// Packets with a number that arrived at the tap, duplicates included.
    pub packets_received: u64,
    /// Packets that the numbers say were sent.
    pub packets_expected: u64,
    /// Numbers that never arrived at the tap: lost between the sender and the tap. Where they are more than
    /// `sequencePacketsLost`, the others were of streams of which no packet came, or went where nobody captured.
    pub packets_lost: u64,
    /// `packetsLost / packetsExpected`.
    pub fraction_lost: Option<f64>,
    /// What the sequence numbers of these streams say was lost, for comparison.
    pub sequence_packets_lost: u64,
    /// Packets that arrived more than once.
    pub packets_duplicated: u64,
    /// Packets that arrived after one with a higher number.
    pub packets_reordered: u64,
    /// Runs of lost numbers.
    pub burst_loss_count: u64,
    /// Numbers in the longest run.
    pub longest_loss_burst: u64,
    /// The packets before and behind the longest run, where they are known.
    pub longest_loss_burst_packets: Vec<PacketRef>,
    /// Numbers that went over another path of the call, by the time in which they are missing here.
    pub packets_elsewhere: u64,
    /// Times the numbers started anew.
    pub restarts: u64,
    /// The number of the first packet.
    pub first_sequence_number: u16,
    /// The first packet with a number.
    pub first_packet: PacketRef,
    /// The last.
    pub last_packet: PacketRef,
}
