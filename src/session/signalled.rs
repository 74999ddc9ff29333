//! What the descriptions say of the flows and streams of a call: who is who, and what each stream is.

use crate::{
    flow::{FlowRecord, dtls},
    sdp::{Codec, Description, Fingerprint, HashFunction, Media},
    session::{At, CallStream, Conversation, Party},
};

/// Header extensions that name a stream (RFC 8843 section 15, RFC 8852).
const MID: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";
const RID: &str = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id";
const REPAIRED_RID: &str = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id";

/// A flow whose ends are known as the parties of an exchange.
#[derive(Clone, Copy, Debug)]
pub struct Sides<'a> {
    /// What they said.
    pub conversation: &'a Conversation<'a>,
    /// The party at the flow's lower endpoint.
    pub low: Party,
    /// The tag of the called end, where SIP forked the call.
    pub branch: Option<&'a str>,
    /// Whether user fragments or ports tell, and not only hosts, which may have several calls.
    pub is_exact: bool,
}

/// What was signalled of one stream.
#[derive(Clone, Debug)]
pub struct Signalled<'a> {
    /// The sender's media section.
    pub media: &'a Media,
    /// What its main payload type stands for.
    pub codec: Option<&'a Codec>,
    /// Its restriction identifier, or that of the stream it repairs.
    pub rid: Option<String>,
    /// The stream and track that the sender announced for it.
    pub msid: Option<String>,
    sides: Sides<'a>,
    sender: Party,
}

/// What comparing a certificate with the descriptions gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Whether its sender announced it.
    pub matches: bool,
    /// The hash function that it was compared by.
    pub function: HashFunction,
}

impl<'a> Sides<'a> {
    /// Who is who in a flow: by ICE user fragments, else by addresses.
    #[must_use]
    pub fn of(flow: &FlowRecord, conversations: &'a [Conversation<'a>]) -> Option<Self> {
        let by_fragments = |conversation: &'a Conversation<'a>| {
            let exchange = conversation.exchange;
            let mut generations = flow.ice.iter().flat_map(|ice| ice.generations.iter().rev());
            let low = generations.find_map(|generation| {
                let high = || exchange.party_of(&generation.high).map(|party| party ^ 1);
                exchange.party_of(&generation.low).or_else(high)
            })?;
            Some(Self { conversation, low, branch: None, is_exact: true })
        };
        let by_addresses = |conversation: &'a Conversation<'a>| {
            let at = |end| conversation.exchange.party_at(end);
            let low = at(flow.key.low);
            let high = at(flow.key.high).map(|high| At { party: high.party ^ 1, ..high });
            let ends = || low.into_iter().chain(high);
            let At { party, is_exact, .. } = ends().find(|end| end.is_exact).or_else(|| ends().next())?;
            // Of a fork the address of the called end tells which: the caller has one for all.
            let called = if party == 1 { low } else { high };
            Some(Self { conversation, low: party, branch: called.and_then(|called| called.branch), is_exact })
        };
        conversations.iter().find_map(by_fragments).or_else(|| conversations.iter().find_map(by_addresses))
    }

    /// The party that sends in a direction of the flow.
    #[must_use]
    pub const fn sender(&self, direction: usize) -> Party {
        self.low ^ (direction & 1)
    }

    /// What was signalled of a stream that is sent in `direction`.
    #[must_use]
    pub fn stream(&self, found: &CallStream<'_>, direction: usize) -> Option<Signalled<'a>> {
        let sender = self.sender(direction);
        let payload_types = found.stream.payload_types();
        let payload_type = payload_types.first()?.payload_type;
        let media = self.media_of(found, sender, payload_type)?;
        let value = |uris: &[&str]| {
            let mut wanted = media.extensions.iter().filter(|extension| uris.contains(&&*extension.uri));
            wanted.find_map(|extension| value_of(found, extension.id))
        };
        let source = media.sources.iter().find(|source| source.ssrc == found.stream.ssrc);
        let track = || {
            let msid = media.msids.first()?;
            Some(msid.track.as_ref().map_or_else(|| msid.stream.clone(), |track| format!("{} {track}", msid.stream)))
        };
        let signalled = Signalled {
            media,
            codec: None,
            rid: value(&[RID, REPAIRED_RID]),
            msid: source.and_then(|source| source.msid.clone()).or_else(track),
            sides: *self,
            sender,
        };
        Some(Signalled { codec: signalled.codec_of(payload_type), ..signalled })
    }

    /// The media section of its sender that a stream belongs to: by its SSRC, by its MID, by the port it is sent to, else
    /// the only one with its payload type.
    fn media_of(&self, found: &CallStream<'_>, sender: Party, payload_type: u8) -> Option<&'a Media> {
        let conversation = self.conversation;
        let sections = || conversation.of_party(sender, self.branch).flat_map(|said| &said.media);
        let announces = |media: &Media| media.sources.iter().any(|source| source.ssrc == found.stream.ssrc);
        let named = |media: &Media| {
            let mids = media.extensions.iter().filter(|extension| extension.uri == MID);
            let mut values = mids.filter_map(|extension| value_of(found, extension.id));
            values.any(|value| media.mid.as_ref() == Some(&value))
        };
        let own = sections().find(|media| announces(media)).or_else(|| sections().find(|media| named(media)));
        if own.is_some() {
            return own;
        }
        // What the receiver says of its port and of payload types counts for what it is sent.
        let theirs: Option<&Description> = conversation.of_party(sender ^ 1, self.branch).next();
        let wanted = theirs.and_then(|theirs| {
            let media = &theirs.media;
            let at_port = |media: &&Media| media.port > 9 && media.port == found.destination().port();
            let fits = |media: &&Media| media.is_rtp() && has_codec(media, payload_type);
            let mut by_type = media.iter().filter(fits);
            media.iter().find(at_port).or_else(|| by_type.next().filter(|_| by_type.next().is_none()))
        });
        let index = wanted.map(|media| media.index);
        if let Some(own) = sections().find(|media| Some(media.index) == index) {
            return Some(own);
        }
        let fits = |media: &Media| media.is_rtp() && has_codec(media, payload_type);
        conversation.of_party(sender, self.branch).find_map(|said| {
            let mut fitting = said.media.iter().filter(|media| fits(media));
            fitting.next().filter(|_| fitting.next().is_none())
        })
    }

    /// Whether a certificate that was sent in `direction` is one that its sender announced: of each section's fingerprints
    /// those of the strongest function count, and one of them must match (RFC 8122 section 5). `None` where none was
    /// announced that can be compared.
    #[must_use]
    pub fn proof(&self, certificate: &dtls::Certificate) -> Option<Proof> {
        let party = self.sender(usize::from(certificate.direction));
        let media = self.conversation.of_party(party, self.branch).flat_map(|said| &said.media);
        let proofs = media.filter_map(|media| {
            let function = media.fingerprints.iter().filter_map(Fingerprint::function).max()?;
            let hash = certificate.hash(function)?;
            let mut set = media.fingerprints.iter().filter(|one| one.function() == Some(function));
            Some(Proof { matches: set.any(|one| one.value == hash), function })
        });
        proofs.max_by_key(|proof| (proof.matches, proof.function))
    }

    /// Whether a payload type of a stream that is sent in `direction` stands in a description of either side; `None` where
    /// not both are known, or the stream may be of another call. Each says what it wants to be sent; some send what they themselves offered.
    #[must_use]
    pub fn is_negotiated(&self, found: &CallStream<'_>, direction: usize, payload_type: u8) -> Option<bool> {
        self.conversation.settled()?.answer.filter(|_| self.is_exact)?;
        let section = self.stream(found, direction).map(|signalled| signalled.media.index);
        let parties = || (0..2).flat_map(|party| self.conversation.of_party(party, self.branch));
        let media = parties().flat_map(|said| &said.media);
        let mut own = media.filter(|media| section.is_none_or(|section| section == media.index));
        let is_listed = |media: &Media| {
            let number = payload_type.to_string();
            has_codec(media, payload_type)
                || media.unlisted_codecs.iter().any(|codec| codec.payload_type == payload_type)
                || media.formats.contains(&number)
        };
        Some(own.any(is_listed))
    }
}

impl<'a> Signalled<'a> {
    /// What a payload type of the stream stands for: its receiver says what it wants to be sent (RFC 3264 section 5.1).
    #[must_use]
    pub fn codec_of(&self, payload_type: u8) -> Option<&'a Codec> {
        let Sides { conversation, branch, .. } = self.sides;
        let of_party = |party: Party| {
            let same = |said: &'a Description| said.media.get(self.media.index);
            conversation.of_party(party, branch).filter_map(same).find_map(|media| media.codec(payload_type))
        };
        of_party(self.sender ^ 1).or_else(|| of_party(self.sender))
    }

    /// Codecs that its receiver wants to be sent, the most wanted first.
    pub fn agreed(&self) -> impl Iterator<Item = &'a Codec> {
        let Sides { conversation, branch, .. } = self.sides;
        let index = self.media.index;
        let theirs = conversation.of_party(self.sender ^ 1, branch).find_map(|said| said.media.get(index));
        let own = self.media;
        let both = move |codec: &&Codec| {
            own.codecs.iter().any(|known| codec.name.as_deref().is_some_and(|name| known.is_named(name)))
        };
        theirs.into_iter().flat_map(|media| &media.codecs).filter(both)
    }

    /// What a header-extension element of the stream is.
    #[must_use]
    pub fn extension(&self, id: u8) -> Option<&'a str> {
        let known = self.media.extensions.iter().find(|extension| extension.id == u16::from(id));
        known.map(|extension| extension.uri.as_str())
    }
}

fn has_codec(media: &Media, payload_type: u8) -> bool {
    media.codec(payload_type).is_some()
}

/// The text of a header-extension element, where it is text.
fn value_of(found: &CallStream<'_>, id: u16) -> Option<String> {
    let value =
        found.stream.extension_values.iter().find(|(known, _)| u16::from(*known) == id).map(|(_, value)| value)?;
    let text = std::str::from_utf8(value).ok()?.trim_end_matches('\0');
    let is_token = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    is_token.then(|| text.to_owned())
}
