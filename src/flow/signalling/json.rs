//! Descriptions and candidates anywhere in a text: plain, in JSON of any shape, in JSON inside of strings of JSON, and
//! behind the prefixes of what carries JSON (Socket.IO, SockJS, STOMP, SignalR, server-sent events).

use serde_json::{Map, Value};

use super::{
    Candidate, Content, Context, Description, base64,
    out::{Origin, Out},
};
use crate::sdp::DescriptionKind;

/// Strings inside of strings that are looked into.
const DEPTH: usize = 4;

/// Places in a text where JSON may begin that are tried in vain.
const ATTEMPTS: usize = 16;

/// Identifying members that are kept around one text, and bytes of a value.
const KEYS: usize = 16;
const KEY_BYTES: usize = 256;

/// Names of members that identify an exchange, in lower case and without `_` and `-`.
const IDENTIFYING: [&str; 49] = [
    "call",
    "callid",
    "channel",
    "channelid",
    "client",
    "clientid",
    "conference",
    "conferenceid",
    "confid",
    "connection",
    "connectionid",
    "conversationid",
    "destination",
    "dst",
    "feed",
    "feedid",
    "from",
    "handle",
    "handleid",
    "id",
    "participant",
    "participantid",
    "partyid",
    "pc",
    "pcid",
    "peer",
    "peerconnectionid",
    "peerid",
    "publisherid",
    "receiver",
    "recipient",
    "requestid",
    "room",
    "roomid",
    "sender",
    "senderid",
    "session",
    "sessionid",
    "sid",
    "source",
    "src",
    "stream",
    "streamid",
    "subscriberid",
    "target",
    "to",
    "transaction",
    "user",
    "userid",
];

/// Names of members whose value says what a message is.
const KINDS: [&str; 10] = ["type", "event", "action", "kind", "method", "request", "cmd", "command", "op", "msgtype"];

/// What Base64 of a description or of an object starts with: `v=0`, `{"`.
const ENCODED: [&str; 2] = ["dj0w", "eyJ"];

/// The element of Jingle in a message of XMPP (XEP-0166), which is not read.
const JINGLE: &str = "<jingle";

/// Whether a text may hold any of what is looked for: most do not, and cost no more than this.
pub fn may_hold_signalling(text: &str) -> bool {
    // Some encoders write `=` as \u003d.
    const WORDS: [&str; 6] = ["v=0", "sdp", "SDP", "andidate", "v\\u003d0", "\"rollback\""];
    WORDS.iter().chain(&ENCODED).any(|word| text.contains(word))
}

/// The kind of description that a name or a word is of.
pub fn kind_named(word: &str) -> Option<DescriptionKind> {
    Around::default().named(word).kind
}

/// Finds what is in `text`.
pub fn search(text: &str, context: &Context, hint: Option<DescriptionKind>, origin: Origin, out: &mut Out) {
    if text.contains(JINGLE) {
        out.missing.jingle += 1;
    } else if may_hold_signalling(text) {
        let mut search = Search { origin, out, context: context.clone(), depth: 0 };
        search.text(text, hint);
    }
}

struct Search<'o> {
    origin: Origin,
    out: &'o mut Out,
    /// What the text at hand belongs to; its keys come and go with the objects around it.
    context: Context,
    depth: usize,
}

/// The object that a value is a member of.
#[derive(Clone, Copy, Debug, Default)]
struct Around<'v> {
    object: Option<&'v Map<String, Value>>,
    /// What the names and types around it say of a description.
    kind: Option<DescriptionKind>,
    /// Whether they say that it is about candidates.
    is_ice: bool,
}

impl Search<'_> {
    fn text(&mut self, text: &str, hint: Option<DescriptionKind>) {
        let around = Around { kind: hint, ..Around::default() };
        if self.plain(text, around) || self.encoded(text, around) {
            return;
        }
        let (mut at, mut attempts) = (0, 0);
        while attempts < ATTEMPTS
            && let Some(rest) = text.get(at..)
            && let Some(start) = rest.find(['{', '[', '"'])
            && let Some(rest) = rest.get(start..)
        {
            let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
            match values.next() {
                Some(Ok(value)) => {
                    at += start + values.byte_offset();
                    self.value(&value, "", around);
                }
                _ => {
                    attempts += 1;
                    at += start + 1;
                }
            }
        }
    }

    /// Takes a text that is a description, or candidates.
    fn plain(&mut self, text: &str, around: Around<'_>) -> bool {
        let start = text.trim_start();
        if start.starts_with("v=0\r") || start.starts_with("v=0\n") {
            self.description(around.kind, start);
        } else if start.starts_with("candidate:") || start.starts_with("a=candidate:") {
            for line in start.lines().map(str::trim).filter(|line| !line.is_empty()) {
                let line = line.strip_prefix("a=").unwrap_or(line);
                match line {
                    "end-of-candidates" => self.end_of_candidates(),
                    _ if line.starts_with("candidate:") => self.candidate(line, around.object),
                    _ => {}
                }
            }
        } else if matches!(start.trim_end(), "a=end-of-candidates" | "end-of-candidates") {
            self.end_of_candidates();
        } else if start.starts_with("a=ice-ufrag:") || start.starts_with("a=ice-pwd:") {
            self.description(Some(DescriptionKind::Fragment), start);
        } else {
            return false;
        }
        true
    }

    /// Takes a text that is Base64 of one.
    fn encoded(&mut self, text: &str, around: Around<'_>) -> bool {
        let start = text.trim_start();
        if self.depth >= DEPTH || !ENCODED.iter().any(|word| start.starts_with(word)) {
            return false;
        }
        let Some(inner) = base64::decode(start).and_then(|bytes| String::from_utf8(bytes).ok()) else { return false };
        self.depth += 1;
        if !self.plain(&inner, around) {
            self.text(&inner, around.kind);
        }
        self.depth -= 1;
        true
    }

    fn value(&mut self, value: &Value, name: &str, around: Around<'_>) {
        match value {
            Value::String(text) => self.string(text, name, around),
            Value::Array(values) => {
                // `["offer", {...}]`: the name of an event and what it is about.
                let event = values.first().and_then(Value::as_str);
                let around = event.map_or(around, |event| around.named(event));
                values.iter().for_each(|value| self.value(value, name, around));
            }
            Value::Object(object) => self.object(object, around),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn string(&mut self, text: &str, name: &str, around: Around<'_>) {
        if self.plain(text, around) || !may_hold_signalling(text) || self.encoded(text, around) {
            return;
        }
        let is_nested = text.trim_start().starts_with(['{', '[', '"']) || name == "data" || name == "body";
        if is_nested && self.depth < DEPTH {
            self.depth += 1;
            self.text(text, around.kind);
            self.depth -= 1;
        }
    }

    fn object(&mut self, object: &Map<String, Value>, around: Around<'_>) {
        let words = || KINDS.iter().filter_map(|name| object.get(*name).and_then(Value::as_str));
        let is_exact = |word: &&str| DescriptionKind::of(word).is_some();
        let word = words().find(is_exact).or_else(|| words().find(|word| around.named(word).kind != around.kind));
        let mut inner = word.map_or(around, |word| around.named(word));
        inner.is_ice |= words().any(|word| around.named(word).is_ice);
        inner.object = Some(object);
        let known = self.context.keys.len();
        self.note_keys(object);
        if object.get("type").and_then(Value::as_str) == Some("rollback") && !has_sdp(object) {
            self.description(Some(DescriptionKind::Rollback), "");
        }
        let is_candidate_of_ice = |name: &str| {
            let has_place = ["sdpMid", "sdpMLineIndex", "sdp_mid"].iter().any(|place| object.contains_key(*place));
            is_candidate(name) && (inner.is_ice || has_place || name.starts_with("ice"))
        };
        for (name, value) in object {
            let is_of_type = object.contains_key("type") && inner.kind.is_some();
            let mut member = inner.named(name);
            if is_of_type && matches!(value, Value::String(_)) {
                member.kind = inner.kind;
            }
            match value {
                Value::Null if is_candidate_of_ice(name) => self.end_of_candidates(),
                Value::String(text) if text.is_empty() && is_candidate_of_ice(name) => self.end_of_candidates(),
                Value::Object(state) if is_candidate(name) && state.get("completed") == Some(&Value::Bool(true)) => {
                    self.end_of_candidates();
                }
                _ => self.value(value, name, member),
            }
        }
        self.context.keys.truncate(known);
    }

    fn note_keys(&mut self, object: &Map<String, Value>) {
        // Mobile libraries call the mid "id", beside a "label".
        let is_mid = object.contains_key("label");
        for (name, value) in object {
            let plain: String = name.chars().filter(|letter| !matches!(letter, '_' | '-')).collect();
            let plain = plain.to_ascii_lowercase();
            if !IDENTIFYING.contains(&plain.as_str()) || is_mid && plain == "id" || self.context.keys.len() >= KEYS {
                continue;
            }
            let value = match value {
                Value::String(text) if text.len() <= KEY_BYTES => text.clone(),
                Value::Number(number) => number.to_string(),
                _ => continue,
            };
            self.context.keys.push((name.clone(), value));
        }
    }

    fn description(&mut self, kind: Option<DescriptionKind>, sdp: &str) {
        let description = Description { kind, sdp: sdp.to_owned(), context: self.context.clone() };
        self.out.add(self.origin, Content::Description(description));
    }

    fn candidate(&mut self, candidate: &str, object: Option<&Map<String, Value>>) {
        let text = |names: &[&str]| {
            let value = names.iter().find_map(|name| object?.get(*name))?;
            match value {
                Value::String(text) => Some(text.clone()),
                Value::Number(number) => Some(number.to_string()),
                _ => None,
            }
        };
        let is_mobile = object.is_some_and(|object| object.contains_key("label"));
        let mid = text(&["sdpMid", "sdp_mid", "sdpmid", "mid"]).or_else(|| text(&["id"]).filter(|_| is_mobile));
        let index = text(&["sdpMLineIndex", "sdp_mline_index", "sdpMlineIndex", "sdpMLineindex", "label", "mline"]);
        let candidate = Candidate {
            candidate: candidate.to_owned(),
            sdp_mid: mid,
            sdp_m_line_index: index.and_then(|index| index.parse().ok()),
            username_fragment: text(&["usernameFragment", "username_fragment", "ufrag"]),
            context: self.context.clone(),
        };
        self.out.add(self.origin, Content::Candidate(candidate));
    }

    fn end_of_candidates(&mut self) {
        self.out.add(self.origin, Content::EndOfCandidates(self.context.clone()));
    }
}

impl Around<'_> {
    /// What a name or the word of a type adds.
    fn named(self, word: &str) -> Self {
        let lower = word.to_ascii_lowercase();
        let kind = DescriptionKind::of(word).or_else(|| match lower.as_str() {
            "m.call.invite" => Some(DescriptionKind::Offer),
            _ if lower.contains("pranswer") => Some(DescriptionKind::Pranswer),
            _ if lower.contains("offer") => Some(DescriptionKind::Offer),
            _ if lower.contains("answer") => Some(DescriptionKind::Answer),
            _ => None,
        });
        let is_ice = self.is_ice || lower.contains("candidate") || lower == "ice" || lower == "trickle";
        Self { kind: kind.or(self.kind), is_ice, ..self }
    }
}

fn has_sdp(object: &Map<String, Value>) -> bool {
    object.get("sdp").and_then(Value::as_str).is_some_and(|sdp| !sdp.is_empty())
}

fn is_candidate(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    matches!(lower.as_str(), "candidate" | "icecandidate" | "ice_candidate" | "ice")
}
