//! Candidates that are sent later: `application/trickle-ice-sdpfrag` (RFC 8840 section 9, RFC 9725 section 4.3).

use super::{
    candidate::Candidate,
    description::{Description, Media, NotSdp},
    note::Lint,
};

/// A part of a description with what ICE learned since.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fragment {
    /// The user fragment, of the session or of its first media.
    pub ice_ufrag: Option<String>,
    /// The password.
    pub ice_pwd: Option<String>,
    /// Candidates by media.
    pub media: Vec<FragmentMedia>,
    /// Whether there will be no more candidates for any media.
    pub end_of_candidates: bool,
    /// What was odd in reading it.
    pub lints: Vec<Lint>,
}

/// The candidates of one media section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FragmentMedia {
    /// The identification tag; `None` of candidates before any `m=` line.
    pub mid: Option<String>,
    /// The user fragment.
    pub ice_ufrag: Option<String>,
    /// The password.
    pub ice_pwd: Option<String>,
    /// The candidates.
    pub candidates: Vec<Candidate>,
    /// Whether there will be no more of them.
    pub end_of_candidates: bool,
}

impl Fragment {
    /// Reads a fragment.
    ///
    /// # Errors
    /// Where and why a text is none: not one of its lines could be a description's.
    pub fn parse(text: impl AsRef<[u8]>) -> Result<Self, NotSdp> {
        let description = Description::parse(text)?;
        let mut media: Vec<FragmentMedia> = Vec::new();
        if !description.candidates.is_empty() {
            media.push(FragmentMedia { candidates: description.candidates, ..FragmentMedia::default() });
        }
        let session = |name: &str| {
            let of_session = description.lines.iter().filter(|line| line.media.is_none());
            let mut values = of_session.filter_map(|line| line.attribute().filter(|(own, _)| *own == name));
            values.next().map(|(_, value)| value.to_owned())
        };
        let of_media =
            |pick: fn(&Media) -> &Option<String>| description.media.iter().find_map(|media| pick(media).clone());
        let (ice_ufrag, ice_pwd) = (session("ice-ufrag"), session("ice-pwd"));
        let end_of_candidates = session("end-of-candidates").is_some();
        let ice_ufrag = ice_ufrag.or_else(|| of_media(|media| &media.ice_ufrag));
        let ice_pwd = ice_pwd.or_else(|| of_media(|media| &media.ice_pwd));
        media.extend(description.media.into_iter().map(|media| FragmentMedia {
            mid: media.mid,
            ice_ufrag: media.ice_ufrag,
            ice_pwd: media.ice_pwd,
            candidates: media.candidates,
            end_of_candidates: media.end_of_candidates,
        }));
        Ok(Self { ice_ufrag, ice_pwd, media, end_of_candidates, lints: description.lints })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sdp::CandidateType;

    /// After the request of RFC 9725 section 4.3.2, shortened.
    #[test]
    fn a_patch_of_whip() {
        let fragment = Fragment::parse(
            "a=group:BUNDLE 0 1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=ice-ufrag:EsAw\r\n\
             a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n\
             a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag EsAw network-id 1\r\n\
             a=candidate:473322822 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active generation 0 ufrag EsAw \
             network-id 1\r\na=end-of-candidates\r\n",
        )
        .unwrap();
        assert_eq!(fragment.ice_ufrag.as_deref(), Some("EsAw"));
        assert_eq!(fragment.ice_pwd.as_deref(), Some("P2uYro0UCOQ4zxjKXaWCBui1"));
        let [media] = &fragment.media[..] else { panic!("{fragment:?}") };
        assert_eq!((media.mid.as_deref(), media.end_of_candidates), (Some("0"), true));
        let [udp, tcp] = &media.candidates[..] else { panic!("{media:?}") };
        assert_eq!((udp.port, &udp.kind, udp.network_id), (61_764, &CandidateType::Host, Some(1)));
        assert_eq!((tcp.port, tcp.tcp_type.map(|kind| kind.name())), (9, Some("active")));
    }
}
