//! Lines to a [`Description`].

mod attribute;

use std::collections::HashSet;

use webrtc_sdp::{error::SdpParserError, parse_sdp_line};

use super::{
    codec::{Codec, CodecRole, Feedback},
    description::{Description, Kind, Media, NotSdp},
    line::Line,
    note::{Lint, Severity},
    text::{Lines, Oddity},
    tolerant::{self, Fault, MediaLine},
};
use crate::wire::rtp::static_payload_type;

/// Lints that are kept.
const MOST_LINTS: usize = 1000;

/// Media sections that are read; an SFU's description of a large conference has some hundreds.
const MOST_MEDIA: usize = 512;

/// Groups that are kept.
const MOST_GROUPS: usize = 64;

/// Members of any list of one section.
const MOST_MEMBERS: usize = 512;

/// Kinds of feedback of one codec; browsers have five.
const MOST_FEEDBACK: usize = 12;

/// Members of a list of the session that each of its media is given.
const MOST_INHERITED: usize = 32;

/// Letters that a line of a description may begin with (RFC 8866 section 5).
const LETTERS: &str = "vosiuepcbtrzkam";

/// Attributes that `webrtc-sdp` does not know and that are read here, or need no reading.
const KNOWN: &[&str] = &[
    "accept-types",
    "bfcpver",
    "cat",
    "charset",
    "confid",
    "connection",
    "content",
    "control",
    "crypto",
    "floorctrl",
    "floorid",
    "framesize",
    "key-mgmt",
    "keywds",
    "lang",
    "mediaclk",
    "orient",
    "packetization-supported",
    "path",
    "quality",
    "range",
    "rtcp-xr",
    "sdplang",
    "source-filter",
    "sprop-source",
    "tls-id",
    "tool",
    "ts-refclk",
    "type",
    "userid",
    "x-google-flag",
    "zrtp-hash",
];

impl Description {
    /// Reads a description, or as much of it as there is.
    ///
    /// # Errors
    /// Where and why a text is no description: not one of its lines could be a description's.
    pub fn parse(text: impl AsRef<[u8]>) -> Result<Self, NotSdp> {
        let read = Lines::of(text.as_ref());
        let plausible = |(_, line): &(usize, String)| is_plausible(line);
        if !read.lines.iter().any(plausible) {
            return Err(not_sdp(&read));
        }
        let mut reader = Reader::default();
        reader.description.lines_omitted = read.omitted;
        for (line, oddity) in read.oddities {
            reader.oddity(line, oddity);
        }
        for (number, text) in read.lines {
            reader.line(number, text);
        }
        Ok(reader.finish())
    }
}

/// Whether a line could be one of a description.
pub(super) fn is_plausible(line: &str) -> bool {
    let mut letters = line.chars();
    letters.next().is_some_and(|letter| LETTERS.contains(letter)) && letters.next() == Some('=')
}

fn not_sdp(read: &Lines) -> NotSdp {
    let (line, reason) = match read.lines.first() {
        None => (1, "the text is empty".to_owned()),
        Some((number, text)) if text.starts_with(['{', '[']) => {
            (*number, "it is JSON without a description".to_owned())
        }
        Some((number, _)) => (*number, "no line is a letter, \"=\" and a value".to_owned()),
    };
    NotSdp { line, column: 1, reason }
}

#[derive(Debug, Default)]
struct Reader {
    description: Description,
    /// What the session says for all media.
    session: Media,
    /// Feedback of all payload types of the current section.
    feedback: Vec<(Option<u8>, Feedback)>,
    /// Format parameters that came before their format was known.
    fmtp: Vec<(u8, String, usize)>,
    sources: HashSet<u32>,
}

impl Reader {
    fn media(&mut self) -> &mut Media {
        self.description.media.last_mut().unwrap_or(&mut self.session)
    }

    fn place(&self) -> Option<usize> {
        self.description.media.len().checked_sub(1)
    }

    fn lint(
        &mut self,
        code: &'static str,
        severity: Severity,
        at: (usize, usize),
        message: String,
        reference: &'static str,
    ) {
        let lint =
            Lint { code, severity, line: Some(at.0), column: Some(at.1), media: self.place(), message, reference };
        if self.description.lints.len() < MOST_LINTS {
            self.description.lints.push(lint);
        } else {
            self.description.lints_omitted += 1;
        }
    }

    fn oddity(&mut self, line: usize, oddity: Oddity) {
        let (severity, message) = match oddity {
            Oddity::LineFeed => (Severity::Info, "from here on lines end in LF alone, not in CR LF"),
            Oddity::CarriageReturn => (Severity::Warning, "from here on lines end in CR alone, not in CR LF"),
            Oddity::NoEnd => (Severity::Info, "the last line has no CR LF at its end"),
            Oddity::Blank => (Severity::Warning, "a blank line stands among the others"),
            Oddity::ByteOrderMark => (Severity::Warning, "a byte order mark stands before the first line"),
            Oddity::Zeros => (Severity::Warning, "zero bytes stand behind the last line"),
            Oddity::Escaped => (Severity::Info, "line ends are spelled \\r\\n, as in a JSON string"),
            Oddity::NotUtf8 => (Severity::Warning, "some bytes are no UTF-8"),
            Oddity::Spaces => (Severity::Info, "spaces stand around a line"),
        };
        self.lint("SDP003", severity, (line, 1), message.to_owned(), "RFC 8866 section 5");
    }

    fn line(&mut self, number: usize, text: String) {
        let is_media = text.strip_prefix(['m', 'M']).is_some_and(|rest| rest.trim_start().starts_with('='));
        if is_media {
            self.close();
            if self.description.media.len() >= MOST_MEDIA {
                self.description.lines_omitted += 1;
                return;
            }
            let index = self.description.media.len();
            self.description.media.push(Media { index, line: number, ..Media::default() });
        }
        let line = Line::new(number, self.place(), text);
        let parsed = if is_panicking(&line) { Ok(None) } else { parse_sdp_line(line.raw(), number).map(Some) };
        let (parsed, refusal) = match parsed {
            Ok(parsed) => (parsed.map(|line| line.sdp_type), None),
            Err(error) => (None, Some(error)),
        };
        let outcome = match line.kind() {
            Some('a') => self.attribute(&line, parsed),
            Some(kind) => self.field(kind, &line),
            None => Err(Fault::new(line.raw(), "it is no letter, \"=\" and a value")),
        };
        self.judge(&line, refusal, outcome);
        self.description.lines.push(line);
    }

    /// Says what is wrong with a line, by what `webrtc-sdp` and we make of it.
    fn judge(&mut self, line: &Line, refusal: Option<SdpParserError>, outcome: Result<bool, Fault<'_>>) {
        let column = |part: &str| (line.number, line.column_of(part));
        let start =
            line.attribute().map_or_else(|| line.value(), |(name, value)| if value.is_empty() { name } else { value });
        match (outcome, refusal) {
            (Err(fault), _) => {
                let severity = if line.kind() == Some('m') { Severity::Error } else { Severity::Warning };
                let message = format!("the line cannot be read: {}", fault.reason);
                self.lint("SDP001", severity, column(fault.at), message, "RFC 8866 section 9");
            }
            (Ok(true), Some(refusal)) if !is_known(line) => {
                if let Some(reason) = reason(&refusal, line) {
                    let message = format!("webrtc-sdp refuses the line ({reason}); it is read nonetheless");
                    self.lint("SDP002", Severity::Info, column(start), message, "RFC 8866 section 5.13");
                }
            }
            (Ok(false), Some(refusal)) => {
                let known = is_known(line);
                let is_attribute = line.attribute().is_some();
                match reason(&refusal, line) {
                    _ if known => {}
                    Some(reason) if matches!(refusal, SdpParserError::Unsupported { .. }) || !is_attribute => {
                        let message = format!("the line is not known and has no effect ({reason})");
                        self.lint("SDP004", Severity::Info, column(start), message, "RFC 8866 section 5.13");
                    }
                    Some(reason) => {
                        let message = format!("the line cannot be read: {reason}");
                        self.lint("SDP001", Severity::Warning, column(start), message, "RFC 8866 section 9");
                    }
                    None => {}
                }
            }
            (Ok(_), _) => {}
        }
    }

    /// Reads a line that is no attribute; whether it is known.
    fn field<'a>(&mut self, kind: char, line: &'a Line) -> Result<bool, Fault<'a>> {
        let value = line.value();
        let is_session = self.description.media.is_empty();
        match kind.to_ascii_lowercase() {
            'o' if is_session => self.description.origin = Some(tolerant::origin(value)?),
            's' if is_session => self.description.session_name = Some(value.to_owned()),
            't' if is_session => self.description.timing = Some(value.to_owned()),
            'c' => self.media().connection = Some(tolerant::connection(value)?),
            'b' => {
                let bandwidth = tolerant::bandwidth(value)?;
                push(&mut self.media().bandwidths, bandwidth);
            }
            'm' => self.open(line)?,
            'v' if value != "0" => return Err(Fault::new(value, format!("the version is \"{value}\" and not 0"))),
            'v' | 'u' | 'e' | 'p' | 'r' | 'z' | 'i' | 'k' => {}
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn open<'a>(&mut self, line: &'a Line) -> Result<(), Fault<'a>> {
        let MediaLine { kind, port, port_count, protocol, formats } = tolerant::media(line.value())?;
        let omitted = formats.len().saturating_sub(MOST_MEMBERS);
        let media = self.media();
        (media.kind, media.port, media.port_count) = (Kind::read(kind), port, port_count);
        protocol.clone_into(&mut media.protocol);
        media.formats = formats.into_iter().take(MOST_MEMBERS).map(str::to_owned).collect();
        if media.is_rtp() {
            // RTP has no payload types from 128 on (RFC 3550 section 5.1).
            let types =
                media.formats.iter().filter_map(|format| format.parse().ok().filter(|number: &u8| *number < 128));
            let types: Vec<u8> = types.collect();
            for payload_type in types {
                if media.codec(payload_type).is_none() {
                    media.codecs.push(Codec::new(payload_type, line.number));
                }
            }
        }
        if omitted > 0 {
            let message = format!("{omitted} formats beyond {MOST_MEMBERS} were not looked at");
            self.lint("SDP005", Severity::Warning, (line.number, 1), message, "RFC 8866 section 5.14");
        }
        Ok(())
    }

    /// Ends a section: what was said of its formats is given to them.
    fn close(&mut self) {
        let (feedback, fmtp) = (std::mem::take(&mut self.feedback), std::mem::take(&mut self.fmtp));
        self.sources.clear();
        let Some(media) = self.description.media.last_mut() else { return };
        for (payload_type, parameters, _) in fmtp {
            let of_type = |codec: &&mut Codec| codec.payload_type == payload_type;
            if let Some(codec) = media.codecs.iter_mut().chain(&mut media.unlisted_codecs).find(of_type) {
                codec.set_fmtp(&parameters);
            }
        }
        for codec in &mut media.codecs {
            let own = feedback.iter().filter(|(format, _)| format.is_none_or(|format| format == codec.payload_type));
            codec.feedback = own.take(MOST_FEEDBACK).map(|(_, feedback)| feedback.clone()).collect();
            if let (None, Some(known)) = (&codec.name, static_payload_type(codec.payload_type)) {
                codec.name = Some(known.name.to_owned());
                codec.role = CodecRole::of(known.name);
                codec.clock_rate = Some(known.clock_rate);
                codec.channels = Some(u32::from(known.channels)).filter(|channels| *channels > 0);
                codec.is_static = true;
            }
        }
    }

    fn finish(mut self) -> Description {
        self.close();
        let session = self.session;
        for media in &mut self.description.media {
            inherit(media, &session, &self.description.ice_options);
        }
        self.description.connection = session.connection;
        self.description.bandwidths = session.bandwidths;
        self.description
    }
}

/// Gives a section what the session says for all.
fn inherit(media: &mut Media, session: &Media, ice_options: &[String]) {
    media.rejected = media.port == 0 && !media.bundle_only;
    media.connection = media.connection.take().or_else(|| session.connection.clone());
    if !media.direction_written {
        (media.direction, media.direction_written) = (session.direction, session.direction_written);
    }
    media.ice_ufrag = media.ice_ufrag.take().or_else(|| session.ice_ufrag.clone());
    media.ice_pwd = media.ice_pwd.take().or_else(|| session.ice_pwd.clone());
    if media.ice_options.is_empty() {
        media.ice_options = ice_options.iter().take(MOST_INHERITED).cloned().collect();
    }
    if media.fingerprints.is_empty() {
        media.fingerprints = session.fingerprints.iter().take(MOST_INHERITED).cloned().collect();
    }
    media.setup = media.setup.or(session.setup);
    media.tls_id = media.tls_id.take().or_else(|| session.tls_id.clone());
    media.end_of_candidates |= session.end_of_candidates;
    media.extmap_allow_mixed |= session.extmap_allow_mixed;
    media.extensions.extend(session.extensions.iter().take(MOST_INHERITED).cloned());
    media.rtcp_mux |= session.rtcp_mux;
}

fn push<T>(list: &mut Vec<T>, member: T) {
    if list.len() < MOST_MEMBERS {
        list.push(member);
    }
}

/// Why `webrtc-sdp` refuses a line. It knows no `u=`, `e=`, `p=`, `r=`, `z=` and `k=` lines, which is no fault of
/// theirs, and its reasons for `a=crypto` and `k=` lines might quote keys.
fn reason(refusal: &SdpParserError, line: &Line) -> Option<String> {
    if matches!(line.kind(), Some('u' | 'e' | 'p' | 'r' | 'z' | 'i')) {
        return None;
    }
    if line.shown() != line.raw() {
        return (line.kind() == Some('k')).then(|| "keys in k= lines are obsolete".to_owned());
    }
    Some(match refusal {
        SdpParserError::Line { error, .. } | SdpParserError::Unsupported { error, .. } => error.to_string(),
        SdpParserError::Sequence { message, .. } => message.clone(),
    })
}

/// Whether a line is an attribute that `webrtc-sdp` does not know, and we do.
fn is_known(line: &Line) -> bool {
    let Some((name, _)) = line.attribute() else { return false };
    let name = name.to_ascii_lowercase();
    KNOWN.contains(&name.as_str()) || name.starts_with("t38") || name.starts_with("udptl")
}

/// Whether `webrtc-sdp` may panic on a line: its `a=imageattr` slices text at fixed bytes.
fn is_panicking(line: &Line) -> bool {
    line.attribute().is_some_and(|(name, _)| name.eq_ignore_ascii_case("imageattr"))
}
