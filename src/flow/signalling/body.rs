//! The body of a message, by its media type.

use super::{
    Content, Context, Description,
    events::events,
    head::{Head, parameter},
    json,
    out::{Origin, Out},
};
use crate::sdp::DescriptionKind;

/// Multipart bodies inside of multipart bodies that are looked into, and parts of each.
const DEPTH: usize = 3;
const PARTS: usize = 64;

/// Session descriptions (RFC 8866 section 8.1).
pub const SDP: &str = "application/sdp";

/// Candidates (RFC 8840 section 9).
pub const SDP_FRAGMENT: &str = "application/trickle-ice-sdpfrag";

/// A body and what is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Body<'a> {
    /// Its bytes.
    pub bytes: &'a [u8],
    /// Content-Type as it stands.
    pub content_type: Option<&'a str>,
    /// What a description in it is.
    pub kind: Option<DescriptionKind>,
}

/// Whether a body of this type may hold signalling.
pub fn may_hold_signalling(media_type: Option<&str>) -> bool {
    media_type.is_none_or(|name| {
        matches!(name, SDP | SDP_FRAGMENT | "text/plain" | "text/event-stream" | "application/x-ndjson")
            || name.contains("json")
            || name.ends_with("/xml")
            || name.starts_with("multipart/")
    })
}

/// Finds the descriptions and candidates of a body.
pub fn read(body: Body<'_>, context: &Context, origin: Origin, out: &mut Out) {
    read_part(body, context, origin, out, DEPTH);
}

fn read_part(body: Body<'_>, context: &Context, origin: Origin, out: &mut Out, depth: usize) {
    let media_type =
        body.content_type.and_then(|value| value.split(';').next()).map(|name| name.trim().to_ascii_lowercase());
    let kind = match media_type.as_deref() {
        Some(SDP) => body.kind,
        Some(SDP_FRAGMENT) => Some(DescriptionKind::Fragment),
        Some(name) if name.starts_with("multipart/") && depth > 0 => {
            let Some(boundary) = body.content_type.and_then(|value| parameter(value, "boundary")) else { return };
            for part in parts(body.bytes, boundary) {
                // A part may start with its empty line at once.
                let is_bare = part.starts_with(b"\n") || part.starts_with(b"\r\n");
                let length = if is_bare {
                    Some(part.iter().position(|byte| *byte == b'\n').unwrap_or(0) + 1)
                } else {
                    super::head::end(part)
                };
                let Some((head, bytes)) = length.and_then(|length| part.split_at_checked(length)) else { continue };
                let head = Head::parse_lines(head, false);
                let content_type = head.first("content-type");
                read_part(Body { bytes, content_type, kind: body.kind }, context, origin, out, depth - 1);
            }
            return;
        }
        Some("text/event-stream") => {
            for event in events(&String::from_utf8_lossy(body.bytes)) {
                let kind = event.name.as_deref().and_then(json::kind_named).or(body.kind);
                json::search(&event.data, context, kind, origin, out);
            }
            return;
        }
        name if may_hold_signalling(name) => {
            if let Ok(text) = str::from_utf8(body.bytes) {
                json::search(text, context, body.kind, origin, out);
            }
            return;
        }
        _ => return,
    };
    if !body.bytes.is_empty() {
        let sdp = String::from_utf8_lossy(body.bytes).into_owned();
        out.add(origin, Content::Description(Description { kind, sdp, context: context.clone() }));
    }
}

/// The parts between the lines of a boundary (RFC 2046 section 5.1).
fn parts<'a>(bytes: &'a [u8], boundary: &str) -> Vec<&'a [u8]> {
    let line = [b"--", boundary.as_bytes()].concat();
    let mut parts = Vec::new();
    let (mut at, mut start) = (0, None);
    while at < bytes.len() && parts.len() < PARTS {
        let rest = bytes.get(at..).unwrap_or_default();
        let next = rest.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |end| at + end + 1);
        if rest.starts_with(&line) {
            if let Some(part) = start.and_then(|start| bytes.get(start..at)) {
                // The line break before a boundary belongs to the boundary.
                let part = part.strip_suffix(b"\n").map_or(part, |part| part.strip_suffix(b"\r").unwrap_or(part));
                parts.push(part);
            }
            start = Some(next);
        }
        at = next;
    }
    parts
}
