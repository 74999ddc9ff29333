//! An offer and its answer: what was agreed, and where the answer does not fit the offer (RFC 3264, 8829, 8842, 8843).

mod codecs;
mod rules;

use super::{
    description::{Description, Direction, Kind, Layer, Media},
    note::Severity,
    security::Setup,
};

/// One of the two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Who made the offer.
    Offerer,
    /// Who answered.
    Answerer,
}

/// What came of an offer and an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Negotiation {
    /// The media, in the order of the offer.
    pub media: Vec<Agreed>,
    /// The identification tags that share one transport.
    pub bundle: Vec<String>,
    /// Who has the controlling role in ICE (RFC 8445 section 6.1.1); `None` where not both do ICE.
    pub controlling: Option<Side>,
    /// Whether each side is an ICE lite agent: offerer, answerer.
    pub lite: (bool, bool),
    /// What does not fit.
    pub mismatches: Vec<Mismatch>,
}

/// What was agreed for one media.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// Its place, from 0.
    pub index: usize,
    /// Its identification tag.
    pub mid: Option<String>,
    /// What it is.
    pub kind: Kind,
    /// Who refused it; `None` where it was agreed.
    pub rejected_by: Option<Side>,
    /// Codecs of both, in the order of the answer.
    pub codecs: Vec<AgreedCodec>,
    /// Which way it flows, as the offerer sees it.
    pub direction: Direction,
    /// Header extensions of both.
    pub extensions: Vec<AgreedExtension>,
    /// Whether RTP and RTCP share a port.
    pub rtcp_mux: bool,
    /// Whether it uses the transport of its BUNDLE group.
    pub bundled: bool,
    /// Who sends the DTLS `ClientHello`; `None` where there is no DTLS or nothing tells.
    pub dtls_client: Option<Side>,
    /// How it is secured.
    pub security: Security,
    /// Simulcast streams that the offerer sends, and that it receives.
    pub simulcast: (Vec<Layer>, Vec<Layer>),
    /// Data channels.
    pub data_channel: Option<DataChannel>,
    /// Who put the other on hold.
    pub hold: Option<Side>,
}

/// A codec that both have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgreedCodec {
    /// Name, clock rate and channels as the answer has them: `opus/48000/2`.
    pub encoding: String,
    /// The payload type in packets to the offerer.
    pub offer_payload_type: u8,
    /// The payload type in packets to the answerer.
    pub answer_payload_type: u8,
    /// Format parameters of the offer.
    pub offer_fmtp: Option<String>,
    /// Format parameters of the answer.
    pub answer_fmtp: Option<String>,
}

/// A header extension that both have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgreedExtension {
    /// Its number in packets.
    pub id: u16,
    /// Its URI.
    pub uri: String,
}

/// How a media is secured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Security {
    /// Not at all.
    None,
    /// Keys come from a DTLS handshake (RFC 5764).
    Dtls,
    /// Keys stand in the descriptions (RFC 4568); the suite.
    Sdes(String),
}

/// Data channels (RFC 8841).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataChannel {
    /// SCTP ports: of the offerer, of the answerer.
    pub ports: (Option<u16>, Option<u16>),
    /// The greatest message to each, in bytes, 64 KiB where nothing is said: to the offerer, to the answerer.
    pub max_message_sizes: (u64, u64),
}

/// Where an answer does not fit its offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The rule's code, `NEG` and three digits.
    pub code: &'static str,
    /// How much it weighs.
    pub severity: Severity,
    /// The index of the media, from 0; `None` of the session.
    pub media: Option<usize>,
    /// The line of the offer.
    pub offer_line: Option<usize>,
    /// The line of the answer.
    pub answer_line: Option<usize>,
    /// What is so, in one sentence.
    pub message: String,
    /// Where that is written.
    pub reference: &'static str,
}

/// What a side takes where it says nothing (RFC 8841 section 6.1).
const MESSAGE_SIZE: u64 = 65_536;

/// Puts an offer and its answer together.
#[must_use]
pub fn negotiate(offer: &Description, answer: &Description) -> Negotiation {
    let mut mismatches = rules::session(offer, answer);
    let bundle = bundle(offer, answer);
    let mut media = Vec::new();
    for (offered, answered) in offer.media.iter().zip(&answer.media) {
        let agreed = agree((offer, offered), (answer, answered), &bundle);
        rules::media((offer, offered), (answer, answered), &agreed, &mut mismatches);
        media.push(agreed);
    }
    let does_ice = |description: &Description| description.media.iter().any(|media| media.ice_ufrag.is_some());
    let controlling = (does_ice(offer) && does_ice(answer)).then_some(match (offer.ice_lite, answer.ice_lite) {
        (true, false) => Side::Answerer,
        _ => Side::Offerer,
    });
    mismatches.sort_by_key(|mismatch| (mismatch.severity, mismatch.media, mismatch.code));
    Negotiation { media, bundle, controlling, lite: (offer.ice_lite, answer.ice_lite), mismatches }
}

/// The tags in the answer's BUNDLE groups that the offer's have too.
fn bundle(offer: &Description, answer: &Description) -> Vec<String> {
    let bundled = |media: &&Media| {
        let offered = media.mid.as_deref().and_then(|mid| offer.by_mid(mid));
        !media.rejected
            && answer.bundle_of(media).is_some()
            && offered.is_some_and(|own| offer.bundle_of(own).is_some())
    };
    answer.media.iter().filter(bundled).filter_map(|media| media.mid.clone()).collect()
}

fn agree(
    (offer, offered): (&Description, &Media),
    (answer, answered): (&Description, &Media),
    bundle: &[String],
) -> Agreed {
    let codecs = codecs::common(offered, answered);
    let offer_transport = offer.transport_of(offered);
    let answer_transport = answer.transport_of(answered);
    let is_dtls = answered.is_dtls() || !answer_transport.fingerprints.is_empty();
    let dtls_client = match (offer_transport.setup, answer_transport.setup) {
        _ if !is_dtls => None,
        (_, Some(Setup::Active)) => Some(Side::Answerer),
        (Some(Setup::Actpass | Setup::Active), Some(Setup::Passive)) => Some(Side::Offerer),
        // Without a=setup the offerer is the active one (RFC 4145 section 4.1).
        _ => None,
    };
    let security = if is_dtls {
        Security::Dtls
    } else if let Some(crypto) = answered.crypto.first() {
        Security::Sdes(crypto.suite.clone())
    } else {
        Security::None
    };
    let extensions = answered.extensions.iter().filter(|extension| {
        let same = |other: &&crate::sdp::Extension| other.uri == extension.uri && other.id == extension.id;
        offered.extensions.iter().find(same).is_some()
    });
    let rejected_by = if offered.rejected { Some(Side::Offerer) } else { answered.rejected.then_some(Side::Answerer) };
    let sends = offered.direction.sends() && answered.direction.receives();
    let receives = offered.direction.receives() && answered.direction.sends();
    let is_data = offered.is_data_channel() && answered.is_data_channel();
    let port = |media: &Media| media.sctp_port.or(media.sctpmap.as_ref().map(|map| map.port));
    let size = |media: &Media| match media.max_message_size {
        Some(0) => u64::MAX,
        Some(size) => size,
        None => MESSAGE_SIZE,
    };
    Agreed {
        index: offered.index,
        mid: answered.mid.clone().or_else(|| offered.mid.clone()),
        kind: offered.kind.clone(),
        rejected_by,
        codecs,
        direction: Direction::of(sends, receives),
        extensions: extensions.map(|one| AgreedExtension { id: one.id, uri: one.uri.clone() }).collect(),
        rtcp_mux: (offered.rtcp_mux || offered.rtcp_mux_only) && (answered.rtcp_mux || answered.rtcp_mux_only),
        bundled: answered.mid.as_ref().is_some_and(|mid| bundle.contains(mid)),
        dtls_client,
        security,
        simulcast: (layers(offered, answered, true), layers(offered, answered, false)),
        data_channel: is_data.then(|| DataChannel {
            ports: (port(offered), port(answered)),
            max_message_sizes: (size(offered), size(answered)),
        }),
        hold: hold(offered, answered),
    }
}

/// Simulcast streams that one side sends and the other takes (RFC 8853 section 5.3).
fn layers(offered: &Media, answered: &Media, offerer_sends: bool) -> Vec<Layer> {
    let (Some(offer), Some(answer)) = (&offered.simulcast, &answered.simulcast) else { return Vec::new() };
    let (sent, taken) = if offerer_sends { (&offer.send, &answer.receive) } else { (&answer.send, &offer.receive) };
    let is_taken = |layer: &&Layer| taken.iter().flatten().any(|other| other.rid == layer.rid);
    sent.iter().flatten().filter(is_taken).cloned().collect()
}

/// Who holds: the address 0.0.0.0 of RFC 2543 without ICE, `sendonly` and `inactive` of RFC 3264 section 8.4.
fn hold(offered: &Media, answered: &Media) -> Option<Side> {
    let is_null = |media: &Media| {
        let address = media.connection.as_ref().and_then(|connection| connection.address.ip());
        media.ice_ufrag.is_none() && media.port != 0 && address.is_some_and(|address| address.is_unspecified())
    };
    let holds =
        |media: &Media| is_null(media) || media.ice_ufrag.is_none() && media.is_rtp() && !media.direction.receives();
    if offered.rejected || answered.rejected {
        None
    } else if holds(offered) {
        Some(Side::Offerer)
    } else if holds(answered) && offered.direction.sends() {
        Some(Side::Answerer)
    } else {
        None
    }
}

impl Side {
    /// `offerer` or `answerer`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Offerer => "offerer",
            Self::Answerer => "answerer",
        }
    }
}
