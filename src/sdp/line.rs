//! One line, as it was written.

use std::fmt;

/// What stands in place of a key.
pub(crate) const REDACTED: &str = "(redacted)";

/// A line of a description, known or not.
#[derive(Clone, PartialEq, Eq)]
pub struct Line {
    /// Its number, counted from 1, blank lines counted too.
    pub number: usize,
    /// The index of the media section it stands in; `None` at session level.
    pub media: Option<usize>,
    text: String,
}

/// A line's text with its key left out, where it has one: see [`Line::shown`].
#[must_use]
pub fn without_key(text: &str) -> String {
    Line::new(0, None, text.to_owned()).shown()
}

impl Line {
    pub(super) fn new(number: usize, media: Option<usize>, text: String) -> Self {
        Self { number, media, text }
    }

    /// The text as written, without its line end. It may hold a key: show [`Line::shown`] instead.
    #[must_use]
    pub fn raw(&self) -> &str {
        &self.text
    }

    /// The text with the keys of `a=crypto` (RFC 4568), `a=key-mgmt` (RFC 4567) and `k=` lines left out.
    #[must_use]
    pub fn shown(&self) -> String {
        let secret = match (self.kind(), self.attribute()) {
            (Some('k' | 'K'), _) => self.text.split_once(':').map(|(_, key)| key),
            (_, Some((name, value))) if name.eq_ignore_ascii_case("crypto") => crypto_key(value),
            (_, Some((name, value))) if name.eq_ignore_ascii_case("key-mgmt") => {
                value.split_once(char::is_whitespace).map(|(_, key)| key)
            }
            _ => None,
        };
        let shown = secret.and_then(|secret| self.text.trim_end().strip_suffix(secret));
        shown.map_or_else(|| self.text.clone(), |shown| format!("{shown}{REDACTED}"))
    }

    /// The letter before `=`; `None` where there is none.
    #[must_use]
    pub fn kind(&self) -> Option<char> {
        let (kind, _) = self.text.split_once('=')?;
        let mut letters = kind.trim().chars();
        letters.next().filter(|_| letters.next().is_none())
    }

    /// What stands behind `=`.
    #[must_use]
    pub fn value(&self) -> &str {
        self.text.split_once('=').map_or("", |(_, value)| value.trim())
    }

    /// Name and value of an `a=` line; the value is empty where there is none.
    #[must_use]
    pub fn attribute(&self) -> Option<(&str, &str)> {
        self.kind().filter(|kind| matches!(kind, 'a' | 'A'))?;
        let value = self.value();
        Some(value.split_once(':').map_or((value, ""), |(name, value)| (name.trim(), value.trim())))
    }

    /// The column of a part of the text, counted from 1; 1 where it is no part of it.
    pub(super) fn column_of(&self, part: &str) -> usize {
        let offset = (part.as_ptr() as usize).checked_sub(self.text.as_ptr() as usize);
        let before = offset.and_then(|offset| self.text.get(..offset));
        before.map_or(0, |before| before.chars().count()) + 1
    }
}

/// Where the key of an `a=crypto` begins: behind the suite, or, of a line that is out of order, at its first `inline:`.
fn crypto_key(value: &str) -> Option<&str> {
    let lower = value.to_ascii_lowercase();
    let second = value.split_whitespace().nth(2).and_then(|key| value.find(key));
    let key = [lower.find("inline:"), second].into_iter().flatten().min()?;
    value.get(key..)
}

/// Without keys.
impl fmt::Debug for Line {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.number, self.shown())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_not_shown() {
        let shown = |text: &str| format!("{:?}", Line::new(3, None, text.to_owned()));
        let line = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:4";
        assert_eq!(shown(line), "3: a=crypto:1 AES_CM_128_HMAC_SHA1_80 (redacted)");
        assert_eq!(shown("a=crypto:inline:c2VjcmV0"), "3: a=crypto:(redacted)");
        assert_eq!(shown("a=key-mgmt:mikey AQAFgM0XflABAAAA"), "3: a=key-mgmt:mikey (redacted)");
        assert_eq!(shown("k=base64:c2VjcmV0"), "3: k=base64:(redacted)");
        assert_eq!(shown("a=mid:0"), "3: a=mid:0");
    }

    #[test]
    fn columns_are_characters() {
        let line = Line::new(1, None, "a=x:ü 1".to_owned());
        let part = line.raw().split(' ').nth(1).unwrap();
        assert_eq!(line.column_of(part), 7);
        assert_eq!(line.column_of("elsewhere"), 1);
    }
}
