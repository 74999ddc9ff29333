//! `--sdp`: descriptions that the user has beside the capture.

use std::path::Path;

use anyhow::Context as _;

use crate::sdp::input::{self, Input};

/// Reads the descriptions of a file, and its name: SDP, JSON with SDP inside, a dump of webrtc-internals or rtcstats.
///
/// # Errors
/// A sentence when it cannot be read or has none.
pub fn read(path: &Path) -> anyhow::Result<(String, Input)> {
    let name = path.display().to_string();
    let bytes = super::sdp::bytes(path).with_context(|| format!("cannot read {name}"))?;
    let given = input::read(&bytes).with_context(|| name.clone())?;
    Ok((name, given))
}
