//! What header extensions add to the streams: only where they tell something.

use std::io;

use super::{
    super::document::{
        AudioLevel, DependencyDescriptor, ExtensionDetails, RtpStream, StreamRole, TransportWide, VideoContentType,
    },
    number::{counted, duration, grouped, moment, percent},
    page::{Label, Page, Tone},
    stream::loss_tone,
};

/// A shorter silence is a pause in a talk.
const NOTABLE_SILENCE: f64 = 2.0;

/// Packets longer than this on their way than others say that a queue grew.
const NOTABLE_QUEUE: f64 = 0.2;

/// What the extensions of a stream tell.
pub(super) fn words(stream: &RtpStream) -> Vec<String> {
    if stream.role != StreamRole::Media {
        return Vec::new();
    }
    let words = stream.header_extensions.iter().filter_map(|extension| match extension.details.as_ref()? {
        ExtensionDetails::AudioLevel(level) => silence(level),
        ExtensionDetails::AbsSendTime(times) if times.queueing_delay_max >= NOTABLE_QUEUE => Some(format!(
            "up to {} in queues between the sender and the tap (packet {})",
            duration(times.queueing_delay_max),
            times.queueing_delay_max_packet
        )),
        ExtensionDetails::DependencyDescriptor(frames) => layers(frames),
        ExtensionDetails::VideoContentType(types) => {
            let is_screen = |value: &VideoContentType| value.content_type == "screenshare";
            types.values.last().filter(|last| is_screen(&last.value)).map(|_| "a screen is shared".to_owned())
        }
        _ => None,
    });
    words.collect()
}

/// How long nothing was to be heard.
fn silence(level: &AudioLevel) -> Option<String> {
    if level.silent {
        return Some("silent throughout, as its audio level says".to_owned());
    }
    let silence = level.longest_silence.as_ref().filter(|silence| silence.duration >= NOTABLE_SILENCE)?;
    let (length, start) = (duration(silence.duration), moment(silence.start_time));
    Some(format!(
        "digital silence for {length} from {start} (packets {} to {})",
        silence.first_packet, silence.last_packet
    ))
}

/// The frames of each layer, and those that never came.
fn layers(frames: &DependencyDescriptor) -> Option<String> {
    let mut words = Vec::new();
    if frames.layers.len() > 1 {
        let each = frames
            .layers
            .iter()
            .map(|layer| format!("S{}T{} {}", layer.spatial, layer.temporal, grouped(layer.frames)));
        words.push(format!("frames by layer {}", each.collect::<Vec<_>>().join(", ")));
    }
    if let Some(missing) = frames.frames_missing.filter(|missing| *missing > 0) {
        words.push(format!("{} lost or left out", counted(missing, "frame")));
    }
    (!words.is_empty()).then(|| words.join("; "))
}

/// Writes what was lost over all streams of a path; nothing where nothing was.
pub(super) fn write(ways: &[TransportWide], page: &mut Page<'_>) -> io::Result<()> {
    let lossy: Vec<&TransportWide> = ways.iter().filter(|way| way.packets_lost > 0).collect();
    if !lossy.is_empty() {
        page.blank()?;
    }
    for way in lossy {
        let inferred = if way.uri_inferred { " (inferred)" } else { "" };
        let mut text = format!(
            "{} to {}: {} of {} lost between the sender and the tap ({}) by transport-wide sequence numbers{inferred}; {} \
             by those of the streams",
            way.source,
            way.destination,
            grouped(way.packets_lost),
            counted(way.packets_expected, "packet"),
            percent(way.fraction_lost.unwrap_or(0.0)),
            grouped(way.sequence_packets_lost),
        );
        if way.packets_lost > way.sequence_packets_lost {
            text.push_str(" (the others were of streams of which no packet came, or were not captured)");
        }
        if way.longest_loss_burst > 1 {
            text.push_str(&format!("; the longest run {}", counted(way.longest_loss_burst, "packet")));
            if let [before, behind] = way.longest_loss_burst_packets.as_slice() {
                text.push_str(&format!(", between packets {before} and {behind}"));
            }
        }
        let label = Label { indent: 2, text: "Transport", width: 10, tone: Tone::Strong };
        page.paragraph(&label, loss_tone(way.fraction_lost.unwrap_or(0.0)), &text)?;
    }
    Ok(())
}
