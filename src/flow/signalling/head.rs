//! The head of a text message: a start line and header fields, as SIP (RFC 3261 section 7), RTSP (RFC 7826 section 5)
//! and the parts of a multipart body (RFC 2046) have it.

/// The compact names of SIP headers that are read here (RFC 3261 section 7.3.3) and what they stand for.
const COMPACT: [(&str, &str); 9] = [
    ("c", "content-type"),
    ("e", "content-encoding"),
    ("f", "from"),
    ("i", "call-id"),
    ("l", "content-length"),
    ("m", "contact"),
    ("o", "event"),
    ("t", "to"),
    ("v", "via"),
];

/// A start line and header fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The start line; empty for a part of a multipart body.
    pub start: String,
    /// Names in lower case and unfolded values, in their order.
    fields: Vec<(String, String)>,
    held_bytes: usize,
}

impl Head {
    /// The head that starts `bytes` and how long it is, its empty line included; `None` where that line is not there.
    pub fn parse(bytes: &[u8]) -> Option<(Self, usize)> {
        let length = end(bytes)?;
        Some((Self::parse_lines(bytes.get(..length)?, true), length))
    }

    /// What the lines of `bytes` say, of a head that may end early.
    pub fn parse_lines(bytes: &[u8], has_start: bool) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let mut head = Self::default();
        let mut lines = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
        if has_start {
            head.start = lines.next().unwrap_or_default().to_owned();
        }
        for line in lines {
            if line.is_empty() {
                break;
            }
            if line.starts_with([' ', '\t']) {
                // A folded header goes on (RFC 3261 section 7.3.1).
                if let Some((_, value)) = head.fields.last_mut() {
                    value.push(' ');
                    value.push_str(line.trim());
                }
            } else if let Some((name, value)) = line.split_once(':') {
                head.push(name, value);
            }
        }
        head
    }

    /// Bytes that are held.
    pub const fn held_bytes(&self) -> usize {
        self.start.len() + self.held_bytes
    }

    /// Adds a header field.
    pub fn push(&mut self, name: &str, value: &str) {
        self.held_bytes += size_of::<(String, String)>() + name.len() + value.len();
        self.fields.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
    }

    /// The first value of a header, by its full name in lower case; its compact form counts too.
    pub fn first(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// All values of a header.
    pub fn all<'h, 'n>(&'h self, name: &'n str) -> impl Iterator<Item = &'h str> + use<'h, 'n> {
        let compact = COMPACT.iter().find(|(_, full)| *full == name).map(|(compact, _)| *compact);
        let is_it = move |of: &str| of == name || Some(of) == compact;
        self.fields.iter().filter(move |(of, _)| is_it(of)).map(|(_, value)| value.as_str())
    }

    /// Content-Length; none where it is missing or no number.
    pub fn content_length(&self) -> Option<u64> {
        self.first("content-length")?.parse().ok()
    }

    /// The media type of the body, in lower case and without parameters.
    pub fn media_type(&self) -> Option<String> {
        let value = self.first("content-type")?.split(';').next()?.trim();
        (!value.is_empty()).then(|| value.to_ascii_lowercase())
    }
}

/// Where the empty line behind a head ends.
pub fn end(bytes: &[u8]) -> Option<usize> {
    end_behind(bytes, 0)
}

/// Where the empty line behind a head ends that does not end in its first `known` bytes.
pub fn end_behind(bytes: &[u8], known: usize) -> Option<usize> {
    let mut at = known.saturating_sub(2);
    while let Some(line) = bytes.get(at..).and_then(|rest| rest.iter().position(|byte| *byte == b'\n')) {
        at += line + 1;
        match bytes.get(at..) {
            Some([b'\n', ..]) => return Some(at + 1),
            Some([b'\r', b'\n', ..]) => return Some(at + 2),
            _ => {}
        }
    }
    None
}

/// A parameter behind the first `;` of a header value, without quotes: `boundary`, `tag`, `branch`.
pub fn parameter<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    let parameters = split_outside(value, ';').skip(1);
    parameters
        .map(|part| part.split_once('=').unwrap_or((part, "")))
        .find_map(|(key, value)| key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"')))
}

/// Splits at a character where that is neither inside of quotes nor of angle brackets.
pub fn split_outside(value: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_escaped, mut is_bracketed) = (false, false, false);
    value.split(move |character| {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            '<' if !is_quoted => is_bracketed = true,
            '>' if !is_quoted => is_bracketed = false,
            _ => return character == separator && !is_quoted && !is_bracketed,
        }
        false
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folded_compact_and_repeated_headers() {
        let text = b"INVITE sip:b@example.org SIP/2.0\r\nv: SIP/2.0/UDP a;branch=z9hG4bK1\r\nVia: SIP/2.0/UDP c\r\n\
            f: \"A;B\" <sip:a@example.org;x=1>\r\n ;tag=88\r\nl: 4\r\n\r\nbody";
        let (head, length) = Head::parse(text).unwrap();
        assert_eq!(&text[length..], b"body");
        assert_eq!(head.start, "INVITE sip:b@example.org SIP/2.0");
        assert_eq!(head.all("via").count(), 2);
        assert_eq!(parameter(head.first("via").unwrap(), "branch"), Some("z9hG4bK1"));
        assert_eq!(parameter(head.first("from").unwrap(), "tag"), Some("88"));
        assert_eq!(head.content_length(), Some(4));
        assert_eq!(Head::parse(&text[..length - 1]), None);
    }
}
