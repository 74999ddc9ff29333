//! Files that hold descriptions: SDP itself, one after the other, JSON with SDP anywhere inside, a dump of
//! `chrome://webrtc-internals` and one of rtcstats. The content tells which it is.

use std::io::Read;

use flate2::read::MultiGzDecoder;
use serde_json::{Map, Value};

use super::{DescriptionKind, candidate::Candidate, read::is_plausible};
use crate::time::{NANOS_PER_MILLI, Timestamp};

/// Bytes of a file that are read, uncompressed.
pub const MOST_BYTES: usize = 256 << 20;

/// Descriptions that are kept.
const MOST_GIVEN: usize = 4096;

/// Candidates that are kept.
const MOST_CANDIDATES: usize = 65_536;

/// The first bytes of gzip (RFC 1952 section 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// What a file gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Input {
    /// Its descriptions, in the order of each connection.
    pub descriptions: Vec<Given>,
    /// Candidates that were sent later.
    pub candidates: Vec<GivenCandidate>,
    /// Descriptions and candidates beyond the caps.
    pub omitted: usize,
}

/// A description as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// What it is; `None` where nothing tells.
    pub kind: Option<DescriptionKind>,
    /// Whose it is.
    pub by: By,
    /// The peer connection; empty where there is but one.
    pub connection: String,
    /// When it was applied.
    pub time: Option<Timestamp>,
    /// Its text; empty of a rollback.
    pub sdp: String,
}

/// A candidate as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenCandidate {
    /// Whose it is.
    pub by: By,
    /// The peer connection.
    pub connection: String,
    /// When it was found or came.
    pub time: Option<Timestamp>,
    /// The identification tag of its media.
    pub mid: Option<String>,
    /// The index of its media.
    pub index: Option<u64>,
    /// Its text.
    pub text: String,
    /// The candidate; `None` where there are no more (RFC 8838 section 8.2).
    pub candidate: Option<Candidate>,
}

/// Whose a description is, seen from who recorded it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    /// The recorder's own.
    Local,
    /// Its peer's.
    Remote,
    /// Nothing tells.
    #[default]
    Unknown,
}

/// Why a file gives no description: what, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InputError(String);

/// Reads a file's descriptions.
///
/// # Errors
/// One sentence when there is none.
pub fn read(bytes: &[u8]) -> Result<Input, InputError> {
    let unpacked;
    let bytes = if bytes.starts_with(&GZIP) {
        unpacked = unpack(bytes)?;
        &unpacked
    } else {
        bytes
    };
    if bytes.len() > MOST_BYTES {
        let most = MOST_BYTES >> 20;
        return Err(InputError(format!(
            "it has more than {most} MiB, which no description has; give the dump of one call"
        )));
    }
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_start_matches('\u{feff}');
    let mut input = Input::default();
    if text.trim_start().starts_with(['{', '[', '"']) {
        input.json(text)?;
    } else {
        input.texts(text);
    }
    if input.descriptions.is_empty() && input.candidates.is_empty() {
        return Err(InputError(
            "it holds no SDP: give the text of an offer or answer (it begins with v=0), JSON with one inside, or a \
             dump of chrome://webrtc-internals or rtcstats"
                .to_owned(),
        ));
    }
    Ok(input)
}

fn unpack(bytes: &[u8]) -> Result<Vec<u8>, InputError> {
    let mut unpacked = Vec::new();
    let most = u64::try_from(MOST_BYTES).unwrap_or(u64::MAX);
    match MultiGzDecoder::new(bytes).take(most.saturating_add(1)).read_to_end(&mut unpacked) {
        Ok(_) => Ok(unpacked),
        Err(error) => Err(InputError(format!("its gzip is damaged ({error}); unpack it by hand, or save it again"))),
    }
}

/// Where in a dump something stands.
#[derive(Clone, Copy, Debug, Default)]
struct Context<'a> {
    kind: Option<DescriptionKind>,
    by: By,
    connection: &'a str,
    time: Option<Timestamp>,
}

impl Input {
    /// Texts of SDP, each beginning with its `v=` line.
    fn texts(&mut self, text: &str) {
        let mut texts: Vec<String> = vec![String::new()];
        for line in text.split_inclusive(['\n', '\r']) {
            let current = texts.last_mut();
            let begins = line.trim_start().starts_with("v=") && current.as_ref().is_some_and(|text| has_sdp(text));
            match current {
                Some(text) if !begins => text.push_str(line),
                _ => texts.push(line.to_owned()),
            }
        }
        texts.retain(|text| has_sdp(text));
        let is_pair = texts.len() == 2;
        for (place, sdp) in texts.into_iter().enumerate() {
            let kind = match place {
                0 if is_pair => Some(DescriptionKind::Offer),
                1 if is_pair => Some(DescriptionKind::Answer),
                _ => None,
            };
            self.add(sdp, Context { kind, ..Context::default() });
        }
    }

    fn add(&mut self, sdp: String, context: Context<'_>) {
        if self.descriptions.len() >= MOST_GIVEN {
            self.omitted += 1;
            return;
        }
        let Context { kind, by, connection, time } = context;
        self.descriptions.push(Given { kind, by, connection: connection.to_owned(), time, sdp });
    }

    fn json(&mut self, text: &str) -> Result<(), InputError> {
        match serde_json::from_str::<Value>(text) {
            Ok(value) => self.document(&value),
            Err(error) => {
                let mut lines = text.lines().filter(|line| !line.trim().is_empty());
                let values = lines.by_ref().map_while(|line| serde_json::from_str::<Value>(line).ok());
                let mut read = 0;
                for value in values {
                    self.line(&value);
                    read += 1;
                }
                if read == 0 {
                    return Err(InputError(format!(
                        "it is no JSON (line {}, column {}: damaged or cut); save it again",
                        error.line(),
                        error.column()
                    )));
                }
            }
        }
        Ok(())
    }

    fn document(&mut self, value: &Value) {
        match value.get("PeerConnections").and_then(Value::as_object) {
            Some(connections) => connections.iter().for_each(|(name, connection)| self.internals(name, connection)),
            // One line of rtcstats alone looks like this too.
            None => self.line(value),
        }
    }

    /// A connection of `chrome://webrtc-internals`.
    fn internals(&mut self, name: &str, connection: &Value) {
        for event in connection.get("updateLog").and_then(Value::as_array).into_iter().flatten() {
            let Some(kind) = event.get("type").and_then(Value::as_str) else { continue };
            let time = event.get("timestamp").or_else(|| event.get("time")).and_then(time);
            let value = event.get("value").cloned().unwrap_or_default();
            let parsed = value.as_str().and_then(|text| serde_json::from_str(text).ok());
            self.event(kind, name, time, &parsed.unwrap_or(value));
        }
    }

    /// A line of rtcstats: `[method, connection, value, milliseconds]`; anything else is searched.
    fn line(&mut self, value: &Value) {
        if let Some([Value::String(kind), connection, value, rest @ ..]) = value.as_array().map(Vec::as_slice)
            && (connection.is_string() || connection.is_null())
        {
            self.event(kind, connection.as_str().unwrap_or_default(), rest.first().and_then(time), value);
            return;
        }
        self.search(value, Context::default());
    }

    /// An event of a dump, by the name of the method of `RTCPeerConnection`.
    fn event(&mut self, method: &str, connection: &str, time: Option<Timestamp>, value: &Value) {
        let by = match method {
            "setLocalDescription" | "onicecandidate" | "icecandidate" => By::Local,
            "setRemoteDescription" | "addIceCandidate" => By::Remote,
            // What createOffer made is applied by setLocalDescription, if at all.
            _ => return,
        };
        let context = Context { kind: None, by, connection, time };
        match value {
            Value::String(text) => self.legacy(text, context),
            // rtcstats has the arguments as a list where they are more than one.
            Value::Array(list) => list.iter().take(1).for_each(|value| self.search(value, context)),
            value => self.search(value, context),
        }
    }

    /// What Chrome wrote before it wrote JSON: `type: offer, sdp: v=0...`, `sdpMid: 0, ..., candidate: candidate:...`.
    fn legacy(&mut self, text: &str, context: Context<'_>) {
        if let Some((head, sdp)) = text.split_once("sdp: ") {
            let kind =
                head.split_once("type: ").and_then(|(_, kind)| DescriptionKind::of(kind.trim_end_matches([',', ' '])));
            if has_sdp(sdp) || kind == Some(DescriptionKind::Rollback) {
                self.add(sdp.to_owned(), Context { kind, ..context });
            }
        } else if let Some((head, candidate)) = text.split_once("candidate: ") {
            let mid = head.split_once("sdpMid: ").map(|(_, mid)| mid.split(',').next().unwrap_or_default().to_owned());
            let candidate = candidate.split(", url:").next().unwrap_or_default();
            self.candidate(candidate, mid, None, context);
        }
    }

    /// Finds SDP and candidates anywhere in a value. `serde_json` bounds how deep it is.
    fn search(&mut self, value: &Value, context: Context<'_>) {
        match value {
            Value::Object(object) => self.object(object, context),
            Value::Array(list) => list.iter().for_each(|value| self.search(value, context)),
            Value::String(text) if text.starts_with("v=") && has_sdp(text) => self.add(text.clone(), context),
            // A JSON text in a string.
            Value::String(text) if text.trim_start().starts_with(['{', '[']) => {
                if let Ok(value @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str(text) {
                    self.search(&value, context);
                }
            }
            _ => {}
        }
    }

    fn object(&mut self, object: &Map<String, Value>, context: Context<'_>) {
        let text = |name: &str| object.get(name).and_then(Value::as_str);
        let kind = text("type").and_then(DescriptionKind::of).or(context.kind);
        if let Some(candidate) = text("candidate") {
            let mid = text("sdpMid").map(str::to_owned);
            self.candidate(candidate, mid, object.get("sdpMLineIndex").and_then(Value::as_u64), context);
            return;
        }
        if kind == Some(DescriptionKind::Rollback) {
            self.add(String::new(), Context { kind, ..context });
            return;
        }
        for (name, value) in object {
            let lower = name.to_ascii_lowercase();
            let by = match lower.as_str() {
                name if name.contains("local") => By::Local,
                name if name.contains("remote") => By::Remote,
                _ => context.by,
            };
            self.search(value, Context { kind: DescriptionKind::of(&lower).or(kind), by, ..context });
        }
    }

    fn candidate(&mut self, text: &str, mid: Option<String>, index: Option<u64>, context: Context<'_>) {
        // An empty one is the end of candidates; one that cannot be read is none.
        let candidate = match Candidate::parse(text) {
            Ok(candidate) => Some(candidate),
            Err(_) if text.trim().is_empty() => None,
            Err(_) => return,
        };
        if self.candidates.len() >= MOST_CANDIDATES {
            self.omitted += 1;
            return;
        }
        let Context { by, connection, time, .. } = context;
        let (connection, text) = (connection.to_owned(), text.trim().to_owned());
        self.candidates.push(GivenCandidate { by, connection, time, mid, index, text, candidate });
    }
}

/// Whether a text is SDP: one of its first lines could be.
fn has_sdp(text: &str) -> bool {
    text.split(['\n', '\r']).map(str::trim_start).filter(|line| !line.is_empty()).take(64).any(is_plausible)
}

/// Milliseconds since 1970, as JavaScript has them.
fn time(value: &Value) -> Option<Timestamp> {
    let milliseconds = value.as_f64().filter(|milliseconds| (0.0..9.0e12).contains(milliseconds))?;
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked; less than a nanosecond is cut")]
    let nanos = (milliseconds * NANOS_PER_MILLI as f64) as i64;
    Some(Timestamp(nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SDP: &str = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n";

    fn kinds(text: &str) -> Vec<(Option<DescriptionKind>, By)> {
        read(text.as_bytes()).unwrap().descriptions.into_iter().map(|given| (given.kind, given.by)).collect()
    }

    #[test]
    fn the_content_tells_the_format() {
        use DescriptionKind::{Answer, Offer};
        let quoted = serde_json::to_string(SDP).unwrap();
        assert_eq!(kinds(SDP), [(None, By::Unknown)]);
        let pair = [(Some(Offer), By::Unknown), (Some(Answer), By::Unknown)];
        assert_eq!(kinds(&format!("{SDP}\r\n{SDP}")), pair);
        let json = format!("[{{\"type\":\"offer\",\"sdp\":{quoted}}},{{\"type\":\"answer\",\"sdp\":{quoted}}}]");
        assert_eq!(kinds(&json), pair);
        let nested = format!("{{\"data\":{}}}", serde_json::to_string(&json).unwrap());
        assert_eq!(kinds(&nested), pair);
        let local = format!("{{\"localDescription\":{{\"type\":\"offer\",\"sdp\":{quoted}}}}}");
        assert_eq!(kinds(&local), [(Some(Offer), By::Local)]);
        let legacy = format!("[\"setRemoteDescription\",\"PC_0\",\"type: answer, sdp: v=0\",1605198591047]\n{json}\n");
        assert_eq!(kinds(&legacy)[0], (Some(Answer), By::Remote));
        assert_eq!(kinds(&quoted), [(None, By::Unknown)]);
    }

    #[test]
    fn what_is_none_is_said() {
        let error = |text: &[u8]| read(text).unwrap_err().to_string();
        assert!(error(b"").starts_with("it holds no SDP: "));
        assert!(error(b"{\"a\":1}").starts_with("it holds no SDP: "));
        assert_eq!(error(b"{\"sdp\": \"v=0"), "it is no JSON (line 1, column 12: damaged or cut); save it again");
        assert!(error(&[0x1f, 0x8b, 8]).contains("gzip is damaged"));
    }
}
