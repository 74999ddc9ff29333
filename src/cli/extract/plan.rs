//! What is to be made of each stream, by what the analysis found of it.

use std::{collections::BTreeMap, fmt::Write as _};

use rustc_hash::{FxHashMap, FxHashSet};

use super::CodecChoice;
use crate::{
    engine::Analysis,
    extract::{self, Format},
    flow::{dtls, key::FlowKey, keyring::Closed},
    report::document::{Report, RtpStream},
    sdp,
    session::{Call, CallStream, Repair, Sessions, Sides, Signalled, StreamRole},
    wire::{Endpoint, payload::Codec, rtp::static_payload_type},
};

/// Payload types of a stream.
const PAYLOAD_TYPES: std::ops::Range<u8> = 0..128;

/// Data-channel messages of a call that get a file each. Of more, all of a channel and a direction share one.
pub(super) const FILES_OF_MESSAGES: u64 = 1000;

/// All streams of all calls.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) streams: Vec<Stream>,
    /// The stream of a flow, a direction and an SSRC.
    pub(super) places: FxHashMap<(FlowKey, usize, u32), usize>,
    /// The call of a flow, an index into `calls`.
    pub(super) flows: FxHashMap<FlowKey, usize>,
    pub(super) calls: Vec<PlannedCall>,
    /// Flows whose DTLS was opened.
    pub(super) opened: FxHashSet<FlowKey>,
}

/// A call.
#[derive(Debug)]
pub(super) struct PlannedCall {
    /// Its number in the report.
    pub(super) number: usize,
    /// Messages of its data channels, as far as they were seen.
    pub(super) messages: u64,
    /// Why its DTLS is not opened.
    pub(super) closed: Option<String>,
}

/// A stream.
#[derive(Debug)]
pub(super) struct Stream {
    /// What its files are called.
    pub(super) name: String,
    /// An index into [`Plan::calls`].
    pub(super) call: usize,
    pub(super) ssrc: u32,
    pub(super) source: Endpoint,
    /// Whether it is pictures, where something tells.
    pub(super) is_video: bool,
    pub(super) use_: Use,
    /// Whether it is SRTP, where something tells.
    pub(super) is_encrypted: Option<bool>,
    /// Payload types that came and of which nothing says what they are.
    pub(super) undescribed: Vec<u8>,
}

/// What is made of it.
#[derive(Debug)]
pub(super) enum Use {
    /// Files, its payload types being these.
    Media(BTreeMap<u8, Format>),
    /// It fills gaps of another, by its index: its payload types and what they retransmit.
    Retransmission(usize, BTreeMap<u8, u8>),
    /// No media: it probes the path, or nothing tells what it retransmits.
    Nothing,
    /// The same packets were captured at another place.
    SeenBefore,
}

impl Plan {
    pub(super) fn new(analysis: &Analysis, sessions: &Sessions, report: &Report, codecs: &[CodecChoice]) -> Self {
        let mut plan = Self::default();
        for ((session, reported), number) in sessions.calls.iter().zip(&report.sessions).zip(1..) {
            let call = Call::new(analysis, sessions, session);
            let records = || call.flows.iter().flat_map(|flow| &flow.dtls);
            let channels = call.flows.iter().filter_map(|flow| flow.sctp.as_deref()).flat_map(|sctp| &sctp.channels);
            let messages = channels.flat_map(|channel| &channel.carried).map(|carried| carried.messages).sum();
            let index = plan.calls.len();
            plan.calls.push(PlannedCall { number, messages, closed: records().find_map(closed) });
            plan.flows.extend(call.flows.iter().map(|flow| (flow.key, index)));
            let opened = call.flows.iter().filter(|flow| flow.dtls.iter().any(is_opened));
            plan.opened.extend(opened.map(|flow| flow.key));
            plan.add(&call, index, number, &reported.communicating.rtp_streams, codecs);
        }
        plan
    }

    fn add(&mut self, call: &Call<'_>, index: usize, number: usize, reported: &[RtpStream], codecs: &[CodecChoice]) {
        let first = self.streams.len();
        for ((found, repair), reported) in call.streams.iter().zip(&call.repairs).zip(reported) {
            let place = self.streams.len();
            for (flow, part) in &found.parts {
                self.places.entry((flow.key, part.direction & 1, part.ssrc)).or_insert(place);
            }
            let said =
                Sides::of(found.flow, &call.conversations).and_then(|sides| sides.stream(found, found.direction()));
            let known = Known { said, call, ssrc: found.stream.ssrc, codecs };
            let kind = reported.kind.unwrap_or("rtp");
            let source = found.source();
            let address = source.ip().to_string().replace(':', "_");
            let sees = |count: u8| known.format(count).is_none() && known.codec(count).is_none();
            let types = found.stream.payload_types();
            self.streams.push(Stream {
                name: format!("call{number}-{address}-{kind}-0x{:08x}", reported.ssrc),
                call: index,
                ssrc: reported.ssrc,
                source,
                is_video: reported.kind == Some("video"),
                use_: known.use_of(found, repair, first, call),
                is_encrypted: reported.encrypted.or(known.is_secured()),
                undescribed: types.iter().map(|count| count.payload_type).filter(|count| sees(*count)).collect(),
            });
        }
    }
}

/// What is known of a stream's payload types.
struct Known<'a> {
    said: Option<Signalled<'a>>,
    call: &'a Call<'a>,
    ssrc: u32,
    codecs: &'a [CodecChoice],
}

impl Known<'_> {
    fn use_of(&self, found: &CallStream<'_>, repair: &Repair, first: usize, call: &Call<'_>) -> Use {
        if found.is_seen_before {
            return Use::SeenBefore;
        }
        match (repair.role, repair.of) {
            (StreamRole::Media, _) => {
                Use::Media(PAYLOAD_TYPES.filter_map(|number| Some((number, self.format(number)?))).collect())
            }
            (StreamRole::Retransmission, Some(of)) => {
                let original = call.streams.get(of).map(|original| original.stream.payload_types());
                let main = original.and_then(|counts| Some(counts.first()?.payload_type));
                let types = found.stream.payload_types().into_iter().map(|count| count.payload_type);
                let apt = |number: u8| self.codec(number).and_then(|codec| codec.apt).or(main);
                Use::Retransmission(first + of, types.filter_map(|number| Some((number, apt(number)?))).collect())
            }
            _ => Use::Nothing,
        }
    }

    fn codec(&self, payload_type: u8) -> Option<&sdp::Codec> {
        let said = self.said.as_ref().and_then(|said| said.codec_of(payload_type));
        said.or_else(|| self.codec_anywhere(payload_type))
    }

    /// What a payload type is in the descriptions of the call, where they do not tell which of them is of the stream:
    /// in a section that has its SSRC, else in any.
    fn codec_anywhere(&self, payload_type: u8) -> Option<&sdp::Codec> {
        let said = || self.call.conversations.iter().flat_map(|conversation| conversation.said().rev());
        let media = || said().flat_map(|(_, description)| &description.media);
        let has_ssrc = |media: &&sdp::Media| media.sources.iter().any(|source| source.ssrc == self.ssrc);
        let own = media().filter(has_ssrc).find_map(|media| media.codec(payload_type));
        own.or_else(|| media().find_map(|media| media.codec(payload_type)))
    }

    /// What a payload type stands for: by the user, by what was signalled, else by its number (RFC 3551).
    fn format(&self, payload_type: u8) -> Option<Format> {
        if let Some(choice) = self.codecs.iter().find(|choice| choice.payload_type == payload_type) {
            return Some(Format::new(choice.codec, choice.clock_rate));
        }
        if let Some(said) = self.codec(payload_type) {
            let codec = Codec::named(said.name.as_deref()?)?;
            let format = Format::new(codec, said.clock_rate.unwrap_or_else(|| usual_clock_rate(codec)));
            return Some(Format { parameter_sets: self.parameter_sets(payload_type, said), ..format });
        }
        let known = static_payload_type(payload_type)?;
        let codec = Codec::named(known.name)?;
        Some(Format::new(codec, usual_clock_rate(codec)))
    }

    /// Parameter sets as their sender announced them.
    fn parameter_sets(&self, payload_type: u8, said: &sdp::Codec) -> Vec<Vec<u8>> {
        let sender = self.said.as_ref().and_then(|signalled| signalled.media.codec(payload_type));
        let sets = ["sprop-vps", "sprop-sps", "sprop-pps", "sprop-parameter-sets"].into_iter().flat_map(|wanted| {
            let parameters = &sender.unwrap_or(said).parameters;
            parameters.iter().filter(move |(name, _)| name.eq_ignore_ascii_case(wanted))
        });
        sets.filter_map(|(_, value)| value.as_deref()).flat_map(extract::parameter_sets).collect()
    }

    /// Whether the descriptions have it secured.
    fn is_secured(&self) -> Option<bool> {
        let media = self.said.as_ref()?.media;
        (media.protocol.contains("SAVP") || !media.crypto.is_empty()).then_some(true)
    }
}

/// The clock rate that all use.
pub(super) const fn usual_clock_rate(codec: Codec) -> u32 {
    match codec {
        Codec::Opus => 48_000,
        Codec::Vp8 | Codec::Vp9 | Codec::Av1 | Codec::H264 | Codec::H265 => 90_000,
        _ => 8000,
    }
}

/// Whether records of an association were opened.
fn is_opened(record: &dtls::Record) -> bool {
    record.opening.as_ref().is_some_and(|opening| opening.records != [0, 0])
}

/// Why an association is not opened.
fn closed(record: &dtls::Record) -> Option<String> {
    let opening = record.opening.as_ref()?;
    match opening.closed? {
        Closed::NoLine => {
            let random = record.offer.as_ref()?.random;
            let digits = random.iter().fold(String::new(), |mut digits, byte| {
                // Writing to a String does not fail.
                let _ = write!(digits, "{byte:02x}");
                digits
            });
            Some(format!("no key log has the line of its client random {digits}"))
        }
        Closed::Unusable(_) => {
            Some("the secrets for its DTLS are of a version or cipher suite that is not opened".into())
        }
    }
}
