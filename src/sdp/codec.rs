//! Payload formats: what `m=`, `a=rtpmap`, `a=fmtp` and `a=rtcp-fb` say of one payload type.

/// What one RTP payload type of a media section stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Codec {
    /// The payload type, 0 to 127 (what is greater is linted).
    pub payload_type: u8,
    /// The encoding name as written, or as RFC 3551 has it for a static type; `None` where nothing tells.
    pub name: Option<String>,
    /// Units of the RTP timestamp a second.
    pub clock_rate: Option<u32>,
    /// Channels, where written.
    pub channels: Option<u32>,
    /// Whether name and clock rate are those of RFC 3551, there being no `a=rtpmap`.
    pub is_static: bool,
    /// The format parameters as written.
    pub fmtp: Option<String>,
    /// The format parameters one by one; the value is `None` of those that are a value alone.
    pub parameters: Vec<(String, Option<String>)>,
    /// Feedback that may be sent, that of `*` included.
    pub feedback: Vec<Feedback>,
    /// The payload type that this one retransmits (RFC 4588 section 8.1).
    pub apt: Option<u8>,
    /// What it is for.
    pub role: CodecRole,
    /// The line that names it: `a=rtpmap`, or `m=`.
    pub line: usize,
}

/// What a payload format is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodecRole {
    /// Sound or pictures.
    Media,
    /// Retransmission (RFC 4588).
    Rtx,
    /// Redundancy (RFC 2198).
    Red,
    /// Forward error correction of RFC 5109.
    Ulpfec,
    /// Forward error correction of RFC 8627.
    Flexfec,
    /// Telephone events (RFC 4733).
    TelephoneEvent,
    /// Comfort noise (RFC 3389).
    ComfortNoise,
}

impl CodecRole {
    pub(super) fn of(name: &str) -> Self {
        match name.to_ascii_lowercase().as_str() {
            "rtx" => Self::Rtx,
            "red" => Self::Red,
            "ulpfec" | "parityfec" => Self::Ulpfec,
            "telephone-event" => Self::TelephoneEvent,
            "cn" => Self::ComfortNoise,
            name if name.starts_with("flexfec") => Self::Flexfec,
            _ => Self::Media,
        }
    }
}

/// A kind of feedback (RFC 4585 section 4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feedback {
    /// `nack`, `ccm`, `goog-remb`, `transport-cc` ...
    pub kind: String,
    /// What stands behind it: `pli`, `fir`.
    pub parameter: Option<String>,
}

impl Codec {
    pub(super) fn new(payload_type: u8, line: usize) -> Self {
        Self {
            payload_type,
            name: None,
            clock_rate: None,
            channels: None,
            is_static: false,
            fmtp: None,
            parameters: Vec::new(),
            feedback: Vec::new(),
            apt: None,
            role: CodecRole::Media,
            line,
        }
    }

    /// The value of a format parameter, its name compared without case.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let named = self.parameters.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        named.and_then(|(_, value)| value.as_deref())
    }

    /// Whether it is called that, without case (RFC 8866 section 6.6).
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        self.name.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(name))
    }

    /// The name as `a=rtpmap` has it: `opus/48000/2`; the payload type where nothing tells its name.
    #[must_use]
    pub fn encoding(&self) -> String {
        let Some(name) = &self.name else { return self.payload_type.to_string() };
        let mut encoding = name.clone();
        encoding.extend(self.clock_rate.map(|rate| format!("/{rate}")));
        encoding.extend(self.channels.filter(|_| !self.is_static).map(|channels| format!("/{channels}")));
        encoding
    }

    pub(super) fn set_fmtp(&mut self, text: &str) {
        // A second line adds to the first: some senders split them.
        match &mut self.fmtp {
            Some(fmtp) => *fmtp = format!("{fmtp};{text}"),
            None => self.fmtp = Some(text.to_owned()),
        }
        let parts = text.split(';').map(str::trim).filter(|part| !part.is_empty());
        self.parameters.extend(parts.map(|part| match part.split_once('=') {
            Some((name, value)) => (name.trim().to_owned(), Some(value.trim().to_owned())),
            None => (part.to_owned(), None),
        }));
        self.apt = self.parameter("apt").and_then(|apt| apt.parse().ok());
    }
}
