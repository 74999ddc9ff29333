//! Any bytes as a description, a fragment, a candidate and a file of descriptions: read, judged, put to one another.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rtcscope::sdp::{Candidate, Description, Dialect, Fragment, Role, input, lint::lint, negotiation::negotiate};

fuzz_target!(|data: &[u8]| {
    drop((Fragment::parse(data), input::read(data)));
    drop(Candidate::parse(&String::from_utf8_lossy(data)));
    let half = data.len() / 2;
    let (one, other) = data.split_at(half);
    if let (Ok(offer), Ok(answer)) = (Description::parse(one), Description::parse(other)) {
        let negotiation = negotiate(&offer, &answer);
        assert!(negotiation.media.len() <= offer.media.len().min(answer.media.len()));
    }
    let Ok(description) = Description::parse(data) else { return };
    for dialect in [Dialect::Webrtc, Dialect::Whip, Dialect::Sip, Dialect::Rtsp] {
        for role in [None, Some(Role::Offer), Some(Role::Answer)] {
            for lint in lint(&description, dialect, role) {
                assert!(lint.media.is_none_or(|media| media < description.media.len()));
            }
        }
    }
    for media in &description.media {
        let _ = (description.bundle_of(media), description.transport_of(media));
    }
});
