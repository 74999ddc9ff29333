//! `--sdp`: descriptions that the user has beside the capture.

use std::path::Path;

use anyhow::Context as _;

use crate::{
    flow::signalling::{Context, Description},
    sdp::input,
};

/// Reads the descriptions of a file: SDP, JSON with SDP inside, a dump of webrtc-internals or rtcstats.
///
/// # Errors
/// A sentence when it cannot be read or has none.
pub fn read(path: &Path) -> anyhow::Result<Vec<Description>> {
    let name = path.display();
    let bytes = super::sdp::bytes(path).with_context(|| format!("cannot read {name}"))?;
    let given = input::read(&bytes).with_context(|| name.to_string())?;
    let describe = |given: input::Given| Description {
        kind: given.kind,
        sdp: given.sdp,
        context: Context {
            // What tells the peer connections of one dump apart.
            keys: if given.connection.is_empty() { Vec::new() } else { vec![(name.to_string(), given.connection)] },
            ..Context::default()
        },
    };
    Ok(given.descriptions.into_iter().map(describe).collect())
}
