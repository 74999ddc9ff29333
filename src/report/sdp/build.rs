//! Descriptions to the document.

use super::{Input, Read, document::*};
use crate::{
    report::document::{Severity, Tool, Verdict},
    sdp::{
        self, Candidate, Codec, DescriptionKind, Dialect, Layer, Media, Role,
        input::By,
        lint::lint,
        negotiation::{Agreed, Mismatch, Security, Side, negotiate},
    },
};

/// The version of the document's shape.
const SCHEMA_VERSION: u32 = 1;

/// Judges what was read, and puts each answer to the last offer of its connection.
#[must_use]
pub fn build(input: &Input) -> SdpReport {
    let descriptions: Vec<DescriptionEntry> =
        input.descriptions.iter().map(|read| description(read, input.dialect)).collect();
    let negotiations = negotiations(&input.descriptions);
    let lints = descriptions.iter().flat_map(|entry| entry.lints.iter().map(|lint| lint.severity));
    let mismatches = negotiations.iter().flat_map(|entry| entry.mismatches.iter().map(|mismatch| mismatch.severity));
    let verdict = match lints.chain(mismatches).min() {
        Some(Severity::Error) => Verdict::Fail,
        Some(Severity::Warning) => Verdict::Warn,
        Some(Severity::Info) | None => Verdict::Pass,
    };
    let candidates = input.candidates.iter().filter_map(|given| {
        Some(TrickledCandidate {
            connection: named(&given.connection),
            by: by(given.by),
            mid: given.mid.clone(),
            candidate: candidate(given.candidate.as_ref()?),
        })
    });
    SdpReport {
        schema_version: SCHEMA_VERSION,
        tool: Tool { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") },
        verdict,
        descriptions,
        negotiations,
        candidates: candidates.collect(),
    }
}

fn named(name: &str) -> Option<String> {
    Some(name.to_owned()).filter(|name| !name.is_empty())
}

const fn by(by: By) -> Option<&'static str> {
    match by {
        By::Local => Some("local"),
        By::Remote => Some("remote"),
        By::Unknown => None,
    }
}

fn description(read: &Read, dialect: Option<Dialect>) -> DescriptionEntry {
    let own = &read.description;
    let dialect = dialect.unwrap_or_else(|| Dialect::of(own));
    let role = read.kind.and_then(|kind| match kind {
        DescriptionKind::Offer => Some(Role::Offer),
        DescriptionKind::Answer | DescriptionKind::Pranswer => Some(Role::Answer),
        DescriptionKind::Rollback | DescriptionKind::Fragment => None,
    });
    let groups =
        own.groups.iter().map(|group| GroupEntry { semantics: group.semantics.clone(), mids: group.mids.clone() });
    let lints = lint(own, dialect, role).into_iter().map(|lint| LintEntry {
        rule: lint.code,
        severity: lint.severity.into(),
        line: lint.line,
        column: lint.column,
        media: lint.media,
        message: lint.message,
        reference: lint.reference,
    });
    DescriptionEntry {
        source: read.source.clone(),
        connection: named(&read.connection),
        kind: read.kind.map(DescriptionKind::name),
        by: by(read.by),
        dialect: match dialect {
            Dialect::Webrtc => "webrtc",
            Dialect::Whip => "whip",
            Dialect::Sip => "sip",
            Dialect::Rtsp => "rtsp",
        },
        origin: own.origin.as_ref().map(|origin| OriginEntry {
            username: origin.username.clone(),
            session_id: origin.session_id.clone(),
            session_version: origin.session_version.clone(),
            address: origin.address.to_string(),
        }),
        session_name: own.session_name.clone(),
        groups: groups.collect(),
        ice_lite: own.ice_lite,
        media: own.media.iter().map(media).collect(),
        lints: lints.collect(),
        lines: own.lines.len(),
        lines_omitted: own.lines_omitted,
    }
}

fn media(own: &Media) -> MediaEntry {
    let extension = |one: &sdp::Extension| ExtensionEntry {
        id: one.id,
        name: short_name(&one.uri),
        uri: one.uri.clone(),
        direction: one.direction.map(sdp::Direction::name),
    };
    let rid = |one: &sdp::Rid| RidEntry {
        id: one.id.clone(),
        direction: if one.sends { "send" } else { "recv" },
        restrictions: one.restrictions.clone(),
    };
    let source = |one: &sdp::Source| SourceEntry { ssrc: one.ssrc, cname: one.cname.clone(), msid: one.msid.clone() };
    let msid = |one: &sdp::Msid| match &one.track {
        Some(track) => format!("{} {track}", one.stream),
        None => one.stream.clone(),
    };
    MediaEntry {
        index: own.index,
        line: own.line,
        mid: own.mid.clone(),
        kind: own.kind.name().to_owned(),
        port: own.port,
        protocol: own.protocol.clone(),
        rejected: own.rejected,
        bundle_only: own.bundle_only,
        connection_address: own.connection.as_ref().map(|connection| connection.address.to_string()),
        direction: own.direction.name(),
        codecs: own.codecs.iter().map(codec).collect(),
        ptime: own.ptime,
        maxptime: own.maxptime,
        ice_ufrag: own.ice_ufrag.clone(),
        ice_pwd_length: own.ice_pwd.as_ref().map(|password| password.chars().count()),
        ice_options: own.ice_options.clone(),
        candidates: own.candidates.iter().map(candidate).collect(),
        end_of_candidates: own.end_of_candidates,
        fingerprints: own
            .fingerprints
            .iter()
            .map(|one| FingerprintEntry { algorithm: one.hash.clone(), value: one.to_string() })
            .collect(),
        setup: own.setup.map(sdp::Setup::name),
        tls_id: own.tls_id.clone(),
        crypto: own.crypto.iter().map(|one| CryptoEntry { tag: one.tag, suite: one.suite.clone() }).collect(),
        header_extensions: own.extensions.iter().map(extension).collect(),
        extmap_allow_mixed: own.extmap_allow_mixed,
        rtcp_port: own.rtcp.as_ref().map(|rtcp| rtcp.port),
        rtcp_mux: own.rtcp_mux || own.rtcp_mux_only,
        rtcp_rsize: own.rtcp_rsize,
        rids: own.rids.iter().map(rid).collect(),
        simulcast: own.simulcast.as_ref().map(|simulcast| SimulcastEntry {
            send: simulcast.send.iter().map(|versions| alternatives(versions)).collect(),
            receive: simulcast.receive.iter().map(|versions| alternatives(versions)).collect(),
        }),
        ssrcs: own.sources.iter().map(source).collect(),
        ssrc_groups: own
            .source_groups
            .iter()
            .map(|group| SourceGroupEntry { semantics: group.semantics.clone(), ssrcs: group.ssrcs.clone() })
            .collect(),
        msids: own.msids.iter().map(msid).collect(),
        sctp_port: own.sctp_port.or(own.sctpmap.as_ref().map(|map| map.port)),
        sctp_initiate_tag: own.sctp_init.map(|init| init.initiate_tag),
        max_message_size: own.max_message_size,
        bandwidths: own.bandwidths.iter().map(|one| format!("{}:{}", one.kind, one.value)).collect(),
    }
}

fn codec(own: &Codec) -> CodecEntry {
    let feedback = own.feedback.iter().map(|one| match &one.parameter {
        Some(parameter) => format!("{} {parameter}", one.kind),
        None => one.kind.clone(),
    });
    CodecEntry {
        payload_type: own.payload_type,
        name: own.name.clone(),
        clock_rate: own.clock_rate,
        channels: own.channels,
        fmtp: own.fmtp.clone(),
        apt: own.apt,
        feedback: feedback.collect(),
    }
}

fn candidate(own: &Candidate) -> CandidateEntry {
    let related = own.related_address.as_ref().map(|address| match own.related_port {
        Some(port) if address.ip().is_some_and(|ip| ip.is_ipv6()) => format!("[{address}]:{port}"),
        Some(port) => format!("{address}:{port}"),
        None => address.to_string(),
    });
    CandidateEntry {
        kind: own.kind.name().to_owned(),
        transport: own.transport.name().to_owned(),
        address: own.address.to_string(),
        port: own.port,
        scope: own.address.scope(),
        component: own.component,
        priority: own.priority,
        foundation: own.foundation.clone(),
        related,
        tcp_type: own.tcp_type.map(sdp::TcpType::name),
    }
}

fn alternatives(versions: &[Layer]) -> String {
    versions.iter().map(layer).collect::<Vec<_>>().join(",")
}

fn layer(layer: &Layer) -> String {
    let paused = if layer.paused { "~" } else { "" };
    format!("{paused}{}", layer.rid)
}

/// The last part of a URI that says something, without the draft's number and author around it.
fn short_name(uri: &str) -> String {
    let last = uri.rsplit([':', '/', '#']).find(|part| !part.is_empty()).unwrap_or(uri);
    let bare = last.strip_prefix("draft-holmer-rmcat-").unwrap_or(last);
    bare.strip_suffix("-extensions-01").unwrap_or(bare).to_owned()
}

/// Each answer with the last offer of its connection.
fn negotiations(descriptions: &[Read]) -> Vec<NegotiationEntry> {
    let mut entries = Vec::new();
    for (place, answer) in descriptions.iter().enumerate() {
        if !matches!(answer.kind, Some(DescriptionKind::Answer | DescriptionKind::Pranswer)) {
            continue;
        }
        let before = descriptions.iter().enumerate().take(place).rev();
        let mut offers = before
            .filter(|(_, read)| read.kind == Some(DescriptionKind::Offer) && read.connection == answer.connection);
        if let Some((offer_place, offer)) = offers.next() {
            entries.push(negotiation((offer_place, offer), (place, answer)));
        }
    }
    entries
}

fn negotiation((offer, offered): (usize, &Read), (answer, answered): (usize, &Read)) -> NegotiationEntry {
    let own = negotiate(&offered.description, &answered.description);
    let mismatch = |one: Mismatch| MismatchEntry {
        rule: one.code,
        severity: one.severity.into(),
        media: one.media,
        offer_line: one.offer_line,
        answer_line: one.answer_line,
        message: one.message,
        reference: one.reference,
    };
    NegotiationEntry {
        connection: named(&answered.connection),
        offer,
        answer,
        bundle: own.bundle,
        ice_controlling: own.controlling.map(Side::name),
        media: own.media.into_iter().map(agreed).collect(),
        mismatches: own.mismatches.into_iter().map(mismatch).collect(),
    }
}

fn agreed(own: Agreed) -> AgreedEntry {
    let (security, srtp_suite) = match own.security {
        Security::None => ("none", None),
        Security::Dtls => ("dtls", None),
        Security::Sdes(suite) => ("sdes", Some(suite)),
    };
    let limit = |size: u64| Some(size).filter(|size| *size != u64::MAX);
    let (send, receive) = own.simulcast;
    AgreedEntry {
        index: own.index,
        mid: own.mid,
        kind: own.kind.name().to_owned(),
        rejected_by: own.rejected_by.map(Side::name),
        codecs: own
            .codecs
            .into_iter()
            .map(|codec| AgreedCodecEntry {
                encoding: codec.encoding,
                offer_payload_type: codec.offer_payload_type,
                answer_payload_type: codec.answer_payload_type,
                offer_fmtp: codec.offer_fmtp,
                answer_fmtp: codec.answer_fmtp,
            })
            .collect(),
        direction: own.direction.name(),
        answerer_direction: own.direction.reversed().name(),
        header_extensions: own
            .extensions
            .into_iter()
            .map(|one| ExtensionEntry { id: one.id, name: short_name(&one.uri), uri: one.uri, direction: None })
            .collect(),
        rtcp_mux: own.rtcp_mux,
        bundled: own.bundled,
        security,
        srtp_suite,
        dtls_client: own.dtls_client.map(Side::name),
        simulcast_send: send.iter().map(layer).collect(),
        simulcast_receive: receive.iter().map(layer).collect(),
        data_channel: own.data_channel.map(|channel| DataChannelEntry {
            offer_port: channel.ports.0,
            answer_port: channel.ports.1,
            offer_max_message_size: limit(channel.max_message_sizes.0),
            answer_max_message_size: limit(channel.max_message_sizes.1),
        }),
        hold: own.hold.map(Side::name),
    }
}
