//! The page that the text renderer writes on: lines of at most so many columns, in colour or not.

use std::io::{self, Write};

use tabled::grid::util::string::get_char_width;

use super::TextOptions;

/// The narrowest page; a narrower terminal wraps by itself.
pub(super) const MIN_WIDTH: usize = 60;

/// What a piece of text says about what it names; a colour where there is colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tone {
    #[default]
    Plain,
    /// A heading.
    Strong,
    /// Small print.
    Faint,
    Good,
    Doubtful,
    Bad,
}

impl Tone {
    /// The number of its SGR sequence (ECMA-48 section 8.3.117).
    const fn sgr(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Strong => Some("1"),
            Self::Faint => Some("2"),
            Self::Good => Some("32"),
            Self::Doubtful => Some("33"),
            Self::Bad => Some("31"),
        }
    }
}

/// The signs of a page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signs {
    pub(super) good: &'static str,
    pub(super) doubtful: &'static str,
    pub(super) bad: &'static str,
    pub(super) absent: &'static str,
    pub(super) both_ways: &'static str,
    pub(super) to: &'static str,
    pub(super) rule: char,
}

const UNICODE: Signs =
    Signs { good: "✓", doubtful: "!", bad: "✗", absent: "·", both_ways: "⇄", to: "→", rule: '─' };

const ASCII: Signs = Signs { good: "+", doubtful: "!", bad: "x", absent: "-", both_ways: "<->", to: "->", rule: '-' };

/// Lines on their way to a writer.
pub(super) struct Page<'a> {
    out: &'a mut dyn Write,
    options: &'a TextOptions,
}

impl<'a> Page<'a> {
    pub(super) fn new(options: &'a TextOptions, out: &'a mut dyn Write) -> Self {
        Self { out, options }
    }

    /// Columns of the page.
    pub(super) fn width(&self) -> usize {
        self.options.width.max(MIN_WIDTH)
    }

    pub(super) const fn options(&self) -> &'a TextOptions {
        self.options
    }

    pub(super) const fn signs(&self) -> &'static Signs {
        if self.options.unicode { &UNICODE } else { &ASCII }
    }

    /// The text in its tone.
    pub(super) fn painted(&self, tone: Tone, text: &str) -> String {
        match tone.sgr() {
            Some(sgr) if self.options.color && !text.is_empty() => format!("\x1b[{sgr}m{text}\x1b[0m"),
            _ => text.to_owned(),
        }
    }

    pub(super) fn blank(&mut self) -> io::Result<()> {
        writeln!(self.out)
    }

    /// One line as it is: the caller has measured it.
    pub(super) fn line(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.out, "{}", line.trim_end())
    }

    /// A paragraph: `label` in its tone, then `text` folded to the page, further lines indented to where it began.
    pub(super) fn paragraph(&mut self, label: &Label<'_>, tone: Tone, text: &str) -> io::Result<()> {
        let hang = label.indent + label.width;
        let lines = fold(&clean(text), self.width().saturating_sub(hang));
        let head = format!("{:label_width$}", label.text, label_width = label.width);
        let head = self.painted(label.tone, &head);
        for (number, line) in lines.iter().enumerate() {
            let body = self.painted(tone, line);
            if number == 0 {
                self.line(&format!("{:indent$}{head}{body}", "", indent = label.indent))?;
            } else {
                self.line(&format!("{:hang$}{body}", ""))?;
            }
        }
        Ok(())
    }
}

/// What stands before a paragraph, and how far it is indented. `width` is that of the label with its space behind.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Label<'a> {
    pub(super) indent: usize,
    pub(super) text: &'a str,
    pub(super) width: usize,
    pub(super) tone: Tone,
}

impl<'a> Label<'a> {
    /// No label, only an indent.
    pub(super) fn indent(indent: usize) -> Self {
        Self { indent, ..Self::default() }
    }

    /// A label and one space.
    pub(super) fn new(indent: usize, text: &'a str, tone: Tone) -> Self {
        Self { indent, text, width: width(text) + 1, tone }
    }
}

/// Columns that a text takes.
pub(super) fn width(text: &str) -> usize {
    if is_plain(text) { text.len() } else { text.chars().map(get_char_width).sum() }
}

/// Whether every character is a printable one of ASCII, as nearly always.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// The text with every control character written out. Captures hold what strangers put into them, and a terminal obeys.
pub(super) fn clean(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    let mut cleaned = String::with_capacity(text.len());
    for char in text.chars() {
        if char.is_control() || is_format(char) {
            cleaned.extend(char.escape_unicode());
        } else {
            cleaned.push(char);
        }
    }
    cleaned
}

/// Characters that turn the direction of writing or have no width.
const fn is_format(char: char) -> bool {
    matches!(char, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Folds a text to lines of at most `columns`: at spaces, and inside a word that is longer than a line behind `:`, `/`
/// and `.` where there is one (addresses, paths), else anywhere. Never empty.
pub(super) fn fold(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(2);
    let mut lines = Vec::new();
    let (mut line, mut used) = (String::new(), 0);
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let needed = width(word);
        if !line.is_empty() && used + 1 + needed > columns {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        if !line.is_empty() {
            line.push(' ');
            used += 1;
        }
        line.push_str(word);
        used += needed;
        while used > columns {
            let (head, tail) = split_word(&line, columns);
            lines.push(head);
            used = width(&tail);
            line = tail;
        }
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

/// Splits a word that is wider than `columns`. The first part is never empty.
fn split_word(word: &str, columns: usize) -> (String, String) {
    let mut used = 0;
    let mut end = 0;
    let mut joint = 0;
    for (start, char) in word.char_indices() {
        used += get_char_width(char);
        if used > columns && start > 0 {
            break;
        }
        end = start + char.len_utf8();
        if matches!(char, ':' | '/' | '.') {
            joint = end;
        }
    }
    let at = if joint > end / 2 { joint } else { end };
    let (head, tail) = word.split_at_checked(at).unwrap_or((word, ""));
    (head.to_owned(), tail.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_keeps_every_word_and_the_width() {
        assert_eq!(fold("one two three", 7), ["one two", "three"]);
        assert_eq!(fold("", 7), [""]);
        assert_eq!(fold("[2001:db8:1234:5678::1]:50000", 16), ["[2001:db8:1234:", "5678::1]:50000"]);
        let long = "a/".repeat(500) + &"b".repeat(300);
        for columns in 2..40 {
            let lines = fold(&long, columns);
            assert!(lines.iter().all(|line| width(line) <= columns));
            assert_eq!(lines.concat(), long);
        }
    }

    #[test]
    fn a_capture_cannot_speak_to_the_terminal() {
        assert_eq!(clean("a\x1b[31mb\u{202e}c"), "a\\u{1b}[31mb\\u{202e}c");
    }
}
