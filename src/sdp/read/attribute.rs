//! `a=` lines to what they say: by `webrtc-sdp` where it keeps all there is, else by our own reading.

use webrtc_sdp::{
    SdpType,
    attribute_type::{SdpAttribute, SdpAttributeSetup, SdpAttributeSimulcastVersion},
};

use super::{MOST_GROUPS, MOST_MEMBERS, Reader, push};
use crate::sdp::{
    candidate::{Address, Candidate},
    codec::{Codec, CodecRole},
    description::{Direction, Layer, Media, Msid, RtcpPort, Simulcast, Source},
    line::Line,
    note::Severity,
    security::Setup,
    tolerant::{self, Fault},
};

/// Alternatives of one simulcast stream.
const MOST_LAYERS: usize = 16;

impl Reader {
    /// Reads an `a=` line; whether it is known.
    pub(super) fn attribute<'a>(&mut self, line: &'a Line, parsed: Option<SdpType>) -> Result<bool, Fault<'a>> {
        let Some((name, value)) = line.attribute() else { return Ok(false) };
        let number = line.number;
        let name = name.to_ascii_lowercase();
        if let Some(SdpType::Attribute(attribute)) = parsed
            && self.parsed(attribute, number)
        {
            return Ok(true);
        }
        match name.as_str() {
            "group" => {
                let mut group = tolerant::group(value, number)?;
                group.mids.truncate(MOST_MEMBERS);
                if self.description.groups.len() < MOST_GROUPS {
                    self.description.groups.push(group);
                }
            }
            "candidate" => {
                let (candidate, fault) = Candidate::read(value);
                let candidates = if self.description.media.is_empty() {
                    &mut self.description.candidates
                } else {
                    &mut self.media().candidates
                };
                match (candidate, fault) {
                    (Some(candidate), _) => push(candidates, Candidate { line: number, ..candidate }),
                    (None, Some(fault)) => return Err(fault),
                    (None, None) => return Ok(false),
                }
            }
            "rtpmap" => self.rtpmap(tolerant::rtpmap(value)?, number),
            "fmtp" => {
                let (format, parameters) = tolerant::format(value)?;
                let fmtp = format.map(|format| (format, parameters.to_owned(), number));
                self.fmtp.extend(fmtp.filter(|_| self.fmtp.len() < MOST_MEMBERS));
            }
            "rtcp-fb" => {
                let (format, rest) = tolerant::format(value)?;
                let Some(feedback) = tolerant::feedback(rest) else {
                    return Err(Fault::new(value, "it has no feedback type"));
                };
                if self.feedback.len() < MOST_MEMBERS {
                    self.feedback.push((format, feedback));
                }
            }
            "fingerprint" => {
                let fingerprint = tolerant::fingerprint(value, number)?;
                push(&mut self.media().fingerprints, fingerprint);
            }
            "extmap" => {
                let extension = tolerant::extension(value, number)?;
                push(&mut self.media().extensions, extension);
            }
            "rid" => {
                let rid = tolerant::rid(value, number)?;
                push(&mut self.media().rids, rid);
            }
            "ssrc-group" => {
                let group = tolerant::source_group(value, number)?;
                push(&mut self.media().source_groups, group);
            }
            "sctpmap" => self.media().sctpmap = Some(tolerant::sctpmap(value)?),
            "sctp-init" => self.media().sctp_init = Some(tolerant::sctp_init(value)?),
            "crypto" => {
                let crypto = tolerant::crypto(value, number)?;
                push(&mut self.media().crypto, crypto);
            }
            "tls-id" => self.media().tls_id = Some(value.to_owned()),
            "content" => self.media().content = Some(value.to_owned()),
            "ptime" | "maxptime" => {
                // RFC 8866 has whole milliseconds here; some write 2.5.
                let milliseconds: Option<f64> = value.parse().ok().filter(|milliseconds: &f64| *milliseconds >= 0.0);
                let milliseconds = milliseconds.ok_or_else(|| Fault::new(value, "it is no number of milliseconds"))?;
                let whole = std::time::Duration::try_from_secs_f64(milliseconds / 1000.0).ok();
                let whole = whole.and_then(|duration| u64::try_from(duration.as_millis()).ok());
                if name == "ptime" { self.media().ptime = whole } else { self.media().maxptime = whole }
            }
            name if name.starts_with("t38") || name.starts_with("udptl") => {
                let pair = line.attribute().map(|(name, value)| (name.to_owned(), value.to_owned()));
                self.media().t38.extend(pair);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Takes what `webrtc-sdp` made of a line, where that holds all there is; whether it did.
    fn parsed(&mut self, attribute: SdpAttribute, number: usize) -> bool {
        let is_session = self.description.media.is_empty();
        let media = self.media();
        match attribute {
            SdpAttribute::BundleOnly => media.bundle_only = true,
            SdpAttribute::EndOfCandidates => media.end_of_candidates = true,
            SdpAttribute::ExtmapAllowMixed => media.extmap_allow_mixed = true,
            SdpAttribute::IceLite => self.description.ice_lite = true,
            SdpAttribute::IceOptions(options) if is_session => self.description.ice_options.extend(options),
            SdpAttribute::IceOptions(options) => media.ice_options.extend(options),
            SdpAttribute::IcePwd(password) => media.ice_pwd = Some(password),
            SdpAttribute::IceUfrag(ufrag) => media.ice_ufrag = Some(ufrag),
            SdpAttribute::Label(label) => media.label = Some(label),
            SdpAttribute::MaxMessageSize(size) => media.max_message_size = Some(size),
            SdpAttribute::MaxPtime(milliseconds) => media.maxptime = Some(milliseconds),
            SdpAttribute::Ptime(milliseconds) => media.ptime = Some(milliseconds),
            SdpAttribute::Mid(mid) => media.mid = Some(mid),
            SdpAttribute::Msid(msid) => {
                push(&mut media.msids, Msid { stream: msid.id, track: msid.appdata });
            }
            SdpAttribute::Inactive => turn(media, Direction::Inactive),
            SdpAttribute::Recvonly => turn(media, Direction::Recvonly),
            SdpAttribute::Sendonly => turn(media, Direction::Sendonly),
            SdpAttribute::Sendrecv => turn(media, Direction::Sendrecv),
            SdpAttribute::Rtcp(rtcp) => {
                let address = rtcp.unicast_addr.map(|address| Address::read(&address_text(&address.to_string())));
                media.rtcp = Some(RtcpPort { port: rtcp.port, address });
            }
            SdpAttribute::RtcpMux => media.rtcp_mux = true,
            SdpAttribute::RtcpMuxOnly => media.rtcp_mux_only = true,
            SdpAttribute::RtcpRsize => media.rtcp_rsize = true,
            SdpAttribute::SctpPort(port) => media.sctp_port = u16::try_from(port).ok(),
            SdpAttribute::Setup(setup) => {
                media.setup = Some(match setup {
                    SdpAttributeSetup::Active => Setup::Active,
                    SdpAttributeSetup::Actpass => Setup::Actpass,
                    SdpAttributeSetup::Holdconn => Setup::Holdconn,
                    SdpAttributeSetup::Passive => Setup::Passive,
                });
            }
            SdpAttribute::Simulcast(simulcast) => {
                let (send, receive) = (layers(simulcast.send), layers(simulcast.receive));
                media.simulcast = Some(Simulcast { send, receive });
            }
            SdpAttribute::Ssrc(ssrc) => self.source(ssrc.id, ssrc.attribute.as_deref(), ssrc.value, number),
            SdpAttribute::FrameRate(_)
            | SdpAttribute::Identity(_)
            | SdpAttribute::IceMismatch
            | SdpAttribute::IcePacing(_)
            | SdpAttribute::MsidSemantic(_)
            | SdpAttribute::RemoteCandidate(_)
            | SdpAttribute::DtlsMessage(_)
            | SdpAttribute::ImageAttr(_) => {}
            // Their words are kept as written, which the crate's types do not do.
            _ => return false,
        }
        true
    }

    fn source(&mut self, ssrc: u32, attribute: Option<&str>, value: Option<String>, line: usize) {
        let is_new = self.sources.insert(ssrc);
        let media = self.media();
        if is_new {
            push(&mut media.sources, Source { ssrc, line, ..Source::default() });
        }
        let Some(source) = media.sources.iter_mut().find(|source| source.ssrc == ssrc) else { return };
        match attribute {
            Some("cname") => source.cname = value,
            Some("msid") => source.msid = value,
            _ => {}
        }
    }

    fn rtpmap(&mut self, (payload_type, name, rate, channels): (u8, &str, Option<u32>, Option<u32>), line: usize) {
        let named = Codec {
            name: Some(name.to_owned()),
            clock_rate: rate,
            channels,
            role: CodecRole::of(name),
            ..Codec::new(payload_type, line)
        };
        let media = self.media();
        let Some(codec) = media.codecs.iter_mut().find(|codec| codec.payload_type == payload_type) else {
            push(&mut media.unlisted_codecs, named);
            return;
        };
        if codec.name.is_none() {
            *codec = named;
        } else if codec.encoding() != named.encoding() {
            let message = format!("payload type {payload_type} is {} and {}", codec.encoding(), named.encoding());
            self.lint("SDP020", Severity::Error, (line, 1), message, "RFC 8866 section 6.6");
        }
    }
}

fn turn(media: &mut Media, direction: Direction) {
    (media.direction, media.direction_written) = (direction, true);
}

/// `webrtc-sdp` prints the type before the address.
fn address_text(text: &str) -> String {
    text.rsplit(' ').next().unwrap_or(text).to_owned()
}

fn layers(versions: Vec<SdpAttributeSimulcastVersion>) -> Vec<Vec<Layer>> {
    let layer = |id: webrtc_sdp::attribute_type::SdpAttributeSimulcastId| Layer { rid: id.id, paused: id.paused };
    let versions = versions.into_iter().take(MOST_MEMBERS);
    versions.map(|version| version.ids.into_iter().take(MOST_LAYERS).map(layer).collect()).collect()
}
