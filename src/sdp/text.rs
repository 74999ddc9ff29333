//! Bytes as they come from files, logs and packets to lines.

/// Bytes that are looked at: a description of a conference of hundreds has a few hundred kilobytes.
pub(super) const MOST_BYTES: usize = 1 << 20;

/// Lines that are kept.
pub(super) const MOST_LINES: usize = 20_000;

/// A text as lines, and what was odd about it.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// Number and text of each line that is not blank.
    pub(super) lines: Vec<(usize, String)>,
    /// Lines beyond the caps.
    pub(super) omitted: usize,
    /// What was odd: where, and what.
    pub(super) oddities: Vec<(usize, Oddity)>,
}

/// What is forgiven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Oddity {
    /// Lines end in LF alone.
    LineFeed,
    /// Lines end in CR alone.
    CarriageReturn,
    /// The last line has no end.
    NoEnd,
    /// There is a blank line among the others.
    Blank,
    /// The text begins with a byte order mark.
    ByteOrderMark,
    /// There are zero bytes at its end.
    Zeros,
    /// Line ends are written as `\r\n`, as in a JSON string.
    Escaped,
    /// It is no UTF-8.
    NotUtf8,
    /// A line begins or ends with a space.
    Spaces,
}

impl Lines {
    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut read = Self::default();
        let (bytes, beyond) = bytes.split_at_checked(MOST_BYTES).unwrap_or((bytes, &[]));
        let text = String::from_utf8_lossy(bytes);
        if std::str::from_utf8(bytes).is_err() {
            read.oddities.push((1, Oddity::NotUtf8));
        }
        let mut text: &str = &text;
        if let Some(marked) = text.strip_prefix('\u{feff}') {
            read.oddities.push((1, Oddity::ByteOrderMark));
            text = marked;
        }
        let unescaped;
        if is_escaped(text) {
            read.oddities.push((1, Oddity::Escaped));
            unescaped = unescape(text);
            text = &unescaped;
        }
        let whole = text.trim_end_matches('\0');
        let has_zeros = whole.len() < text.len();
        read.split(whole);
        if has_zeros {
            read.oddities.push((read.lines.last().map_or(1, |(number, _)| *number), Oddity::Zeros));
        }
        if !beyond.is_empty() {
            read.omitted += beyond.split(|byte| *byte == b'\n').count();
        }
        read
    }

    fn split(&mut self, text: &str) {
        let mut rest = text;
        let (mut number, mut blank, mut last_end) = (0, None, "\r\n");
        let (mut line_feed, mut carriage_return, mut spaces) = (None, None, None);
        while !rest.is_empty() {
            number += 1;
            let end = rest.find(['\r', '\n']).unwrap_or(rest.len());
            let (line, behind) = rest.split_at_checked(end).unwrap_or((rest, ""));
            last_end = ["\r\n", "\n", "\r"].into_iter().find(|end| behind.starts_with(end)).unwrap_or("");
            rest = behind.get(last_end.len()..).unwrap_or_default();
            match last_end {
                "\n" => line_feed = line_feed.or(Some(number)),
                "\r" => carriage_return = carriage_return.or(Some(number)),
                _ => {}
            }
            let trimmed = line.trim_matches([' ', '\t', '\0']);
            if trimmed.is_empty() {
                blank = blank.or(Some(number));
                continue;
            }
            // Blank lines at the end are no more than a generous end.
            if let Some(blank) = blank.take() {
                self.oddities.push((blank, Oddity::Blank));
            }
            // The name of a session may be a space.
            if trimmed.len() < line.len() && trimmed != "s=" {
                spaces = spaces.or(Some(number));
            }
            if self.lines.len() < MOST_LINES {
                self.lines.push((number, trimmed.to_owned()));
            } else {
                self.omitted += 1;
            }
        }
        self.oddities.extend(spaces.map(|line| (line, Oddity::Spaces)));
        self.oddities.extend(line_feed.map(|line| (line, Oddity::LineFeed)));
        self.oddities.extend(carriage_return.map(|line| (line, Oddity::CarriageReturn)));
        if last_end.is_empty() {
            self.oddities.push((number, Oddity::NoEnd));
        }
    }
}

/// Whether a text was copied out of a JSON string: one line that spells line ends.
fn is_escaped(text: &str) -> bool {
    let text = text.trim_matches(|letter: char| letter.is_whitespace() || letter == '\0');
    !text.contains(['\r', '\n']) && (text.contains("\\r\\n") || text.contains("\\n"))
}

/// What the escapes stand for; quotation marks around the text go too.
fn unescape(text: &str) -> String {
    let text = text.trim_matches(|letter: char| letter.is_whitespace() || matches!(letter, '\0' | '"' | '\'' | ','));
    let mut unescaped = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (letter, letter == '\\') {
            (_, true) => match letters.next() {
                Some('r') => unescaped.push('\r'),
                Some('n') => unescaped.push('\n'),
                Some('t') => unescaped.push('\t'),
                Some(other) => unescaped.push(other),
                None => {}
            },
            (letter, false) => unescaped.push(letter),
        }
    }
    unescaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<(usize, String)>, Vec<Oddity>) {
        let lines = Lines::of(text.as_bytes());
        (lines.lines, lines.oddities.into_iter().map(|(_, oddity)| oddity).collect())
    }

    #[test]
    fn line_ends_are_forgiven_and_named() {
        let expected = vec![(1, "v=0".to_owned()), (2, "s=-".to_owned())];
        assert_eq!(read("v=0\r\ns=-\r\n"), (expected.clone(), vec![]));
        assert_eq!(read("v=0\r\ns=-\r\n\r\n"), (expected.clone(), vec![]));
        assert_eq!(read("v=0\ns=-\n"), (expected.clone(), vec![Oddity::LineFeed]));
        assert_eq!(read("v=0\rs=-\r"), (expected.clone(), vec![Oddity::CarriageReturn]));
        assert_eq!(read("v=0\r\ns=-"), (expected.clone(), vec![Oddity::NoEnd]));
        assert_eq!(read("\u{feff}v=0\r\ns=-\r\n\0\0"), (expected.clone(), vec![Oddity::ByteOrderMark, Oddity::Zeros]));
        assert_eq!(read("\"v=0\\r\\ns=-\\r\\n\""), (expected, vec![Oddity::Escaped]));
        assert_eq!(read("v=0\r\n\r\ns=-\r\n").1, [Oddity::Blank]);
    }

    #[test]
    fn what_is_too_much_is_counted() {
        let lines = Lines::of("a=x\r\n".repeat(MOST_LINES + 7).as_bytes());
        assert_eq!((lines.lines.len(), lines.omitted), (MOST_LINES, 7));
    }
}
