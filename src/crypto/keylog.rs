//! Key logs in the NSS format (`SSLKEYLOGFILE`, RFC 9850): what Firefox, Chromium, OpenSSL, pion and others write, and
//! what a pcapng decryption secrets block holds.
//!
//! A line is a label, the client random and a secret, the last two in hex. Lines that are none are counted and never
//! shown: what is broken about them may be a key.

use std::collections::{HashMap, VecDeque};

use zeroize::Zeroizing;

use crate::crypto::{secret::Secret, tls::Side};

/// Connections whose secrets are kept. One more takes the place of the oldest: a live log is long and its end matters.
/// 200,000 are some 60 MB.
pub const CONNECTIONS: usize = 200_000;

/// Bytes of the longest line that is read: the longest label, a random and 48 bytes in hex are 200.
const LONGEST_LINE: usize = 512;

/// Bytes of a master secret (RFC 5246 section 8.1).
const MASTER_LENGTH: usize = 48;

/// What a secret is for: the labels that records and exporters need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Label {
    /// `CLIENT_RANDOM`.
    Master,
    /// `CLIENT_EARLY_TRAFFIC_SECRET`.
    EarlyTraffic,
    /// `CLIENT_HANDSHAKE_TRAFFIC_SECRET`, `SERVER_HANDSHAKE_TRAFFIC_SECRET`.
    HandshakeTraffic(Side),
    /// `CLIENT_TRAFFIC_SECRET_n`, `SERVER_TRAFFIC_SECRET_n`.
    Traffic(Side),
    /// `EXPORTER_SECRET`.
    Exporter,
}

impl Label {
    /// The label, and the n of a traffic secret.
    fn read(text: &[u8]) -> Option<(Self, u16)> {
        let label = match text {
            b"CLIENT_RANDOM" => Self::Master,
            b"CLIENT_EARLY_TRAFFIC_SECRET" => Self::EarlyTraffic,
            b"CLIENT_HANDSHAKE_TRAFFIC_SECRET" => Self::HandshakeTraffic(Side::Client),
            b"SERVER_HANDSHAKE_TRAFFIC_SECRET" => Self::HandshakeTraffic(Side::Server),
            b"EXPORTER_SECRET" => Self::Exporter,
            _ => {
                let generation = |digits: &[u8]| str::from_utf8(digits).ok()?.parse().ok();
                return match text.strip_prefix(b"CLIENT_TRAFFIC_SECRET_") {
                    Some(digits) => Some((Self::Traffic(Side::Client), generation(digits)?)),
                    None => {
                        let digits = text.strip_prefix(b"SERVER_TRAFFIC_SECRET_")?;
                        Some((Self::Traffic(Side::Server), generation(digits)?))
                    }
                };
            }
        };
        Some((label, 0))
    }

    /// Whether a secret of it may have so many bytes: those of a master secret, or of SHA-256 or SHA-384.
    const fn fits(self, length: usize) -> bool {
        match self {
            Self::Master => length == MASTER_LENGTH,
            _ => matches!(length, 32 | 48),
        }
    }
}

/// The secrets of one connection.
#[derive(Clone, Debug, Default)]
pub struct Secrets(Vec<Known>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    label: Label,
    /// The n of a traffic secret; 0 of others.
    generation: u16,
    secret: Secret,
}

impl Secrets {
    /// The master secret of TLS 1.2, DTLS 1.2 and before.
    #[must_use]
    pub fn master(&self) -> Option<&Secret> {
        self.find(Label::Master).map(|known| &known.secret)
    }

    /// The secret of the client's 0-RTT data (RFC 8446 section 7.1, as the rest).
    #[must_use]
    pub fn early_traffic(&self) -> Option<&Secret> {
        self.find(Label::EarlyTraffic).map(|known| &known.secret)
    }

    /// The secret of one side's handshake messages.
    #[must_use]
    pub fn handshake_traffic(&self, side: Side) -> Option<&Secret> {
        self.find(Label::HandshakeTraffic(side)).map(|known| &known.secret)
    }

    /// The first secret of one side's application data that was logged, and how many key updates came before it. The
    /// later ones follow from it.
    #[must_use]
    pub fn traffic(&self, side: Side) -> Option<(u16, &Secret)> {
        self.find(Label::Traffic(side)).map(|known| (known.generation, &known.secret))
    }

    /// The secret that keys for other protocols are exported from.
    #[must_use]
    pub fn exporter(&self) -> Option<&Secret> {
        self.find(Label::Exporter).map(|known| &known.secret)
    }

    fn find(&self, label: Label) -> Option<&Known> {
        self.0.iter().find(|known| known.label == label)
    }

    /// Takes a secret: whether it was not known. A line that contradicts an earlier one wins, as a log is appended to.
    fn take(&mut self, new: Known) -> bool {
        let Some(known) = self.0.iter_mut().find(|known| known.label == new.label) else {
            // Most have one secret, or five.
            self.0.reserve_exact(if new.label == Label::Master { 1 } else { 5 });
            self.0.push(new);
            return true;
        };
        let is_news = new.generation < known.generation || new.generation == known.generation && *known != new;
        if is_news {
            *known = new;
        }
        is_news
    }
}

/// What the lines of all logs came to. Comments and blank lines are not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Secrets taken; those that were known are not counted again. Where this has grown, what could not be opened
    /// before may be tried once more.
    pub secrets: u64,
    /// Lines in form, with a label that is not for records: `RSA`, `ECH_SECRET`, `EARLY_EXPORTER_MASTER_SECRET`.
    pub foreign: u64,
    /// Lines that are not in form.
    pub broken: u64,
    /// Connections that gave way to others: see [`CONNECTIONS`].
    pub forgotten: u64,
}

/// The secrets of all logs, by client random.
#[derive(Clone, Debug, Default)]
pub struct KeyLog {
    connections: HashMap<[u8; 32], Secrets>,
    /// Client randoms in the order they came in.
    order: VecDeque<[u8; 32]>,
    tally: Tally,
}

impl KeyLog {
    /// The secrets of the connection that a ClientHello with this random opened.
    #[must_use]
    pub fn secrets(&self, client_random: &[u8; 32]) -> Option<&Secrets> {
        self.connections.get(client_random)
    }

    /// The connections that are known, those that were logged last first.
    pub fn newest(&self) -> impl Iterator<Item = (&[u8; 32], &Secrets)> {
        self.order.iter().rev().filter_map(|random| self.connections.get_key_value(random))
    }

    /// What was read.
    #[must_use]
    pub const fn tally(&self) -> Tally {
        self.tally
    }

    /// Takes a whole log, as a decryption secrets block holds it.
    pub fn take(&mut self, bytes: &[u8]) {
        let mut lines = Lines::default();
        lines.feed(bytes, self);
        lines.finish(self);
    }

    fn line(&mut self, line: &[u8]) {
        match Line::read(line) {
            Line::Empty => {}
            Line::Broken => self.tally.broken += 1,
            Line::Foreign => self.tally.foreign += 1,
            Line::Secret { client_random, known } => {
                self.make_place(client_random);
                let secrets = self.connections.entry(client_random).or_default();
                self.tally.secrets += u64::from(secrets.take(known));
            }
        }
    }

    fn make_place(&mut self, client_random: [u8; 32]) {
        if self.connections.contains_key(&client_random) {
            return;
        }
        if self.order.len() >= CONNECTIONS
            && let Some(oldest) = self.order.pop_front()
        {
            self.connections.remove(&oldest);
            self.tally.forgotten += 1;
        }
        self.order.push_back(client_random);
    }
}

/// The lines of one log that may still grow: what it has of the last is kept until the rest comes.
#[derive(Debug, Default)]
pub struct Lines {
    /// The beginning of a line that has not ended.
    partial: Zeroizing<Vec<u8>>,
    /// Whether that line is too long to be one.
    is_too_long: bool,
}

impl Lines {
    /// Takes the next bytes of the log, cut anywhere, into `log`.
    pub fn feed(&mut self, bytes: &[u8], log: &mut KeyLog) {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            let (line, behind) = rest.split_at(end);
            self.end_line(line, log);
            rest = behind.get(1..).unwrap_or_default();
        }
        self.keep(rest);
    }

    /// Takes what is left as a line: the log does not grow any more.
    pub fn finish(mut self, log: &mut KeyLog) {
        self.end_line(&[], log);
    }

    fn end_line(&mut self, line: &[u8], log: &mut KeyLog) {
        if self.partial.is_empty() {
            log.line(line);
        } else {
            self.keep(line);
            log.line(if self.is_too_long { TOO_LONG } else { &self.partial });
        }
        self.partial.clear();
        self.is_too_long = false;
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.partial.is_empty() && !bytes.is_empty() {
            // Once and for all: a vector that grows leaves its bytes behind.
            self.partial.reserve_exact(LONGEST_LINE);
        }
        let room = LONGEST_LINE.saturating_sub(self.partial.len());
        // A long comment is still one.
        self.is_too_long |= bytes.len() > room && self.partial.first().or(bytes.first()) != Some(&b'#');
        self.partial.extend(bytes.iter().take(room));
    }
}

/// Stands for a line that is too long: it is broken.
const TOO_LONG: &[u8] = b"?";

/// What a line says.
enum Line {
    Empty,
    Broken,
    Foreign,
    Secret { client_random: [u8; 32], known: Known },
}

impl Line {
    fn read(line: &[u8]) -> Self {
        let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line).trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            return Self::Empty;
        }
        let mut fields = line.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
        let (Some(label), Some(random), Some(secret), None) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return Self::Broken;
        };
        let Some((label, generation)) = Label::read(label) else { return Self::unknown(label, random, secret) };
        let mut client_random = [0; 32];
        let Some(secret) = decode(secret).filter(|secret| label.fits(secret.len())) else { return Self::Broken };
        if !decode_into(random, &mut client_random) {
            return Self::Broken;
        }
        Self::Secret { client_random, known: Known { label, generation, secret } }
    }

    /// A label that is not known here: foreign where the line has the form.
    fn unknown(label: &[u8], random: &[u8], secret: &[u8]) -> Self {
        let is_label = label.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_');
        let is_hex = |text: &[u8]| text.len().is_multiple_of(2) && text.iter().all(u8::is_ascii_hexdigit);
        if is_label && is_hex(random) && is_hex(secret) { Self::Foreign } else { Self::Broken }
    }
}

fn decode(text: &[u8]) -> Option<Secret> {
    let mut bytes = Zeroizing::new([0; MASTER_LENGTH]);
    let decoded = bytes.get_mut(..text.len() / 2)?;
    decode_into(text, decoded).then(|| Secret::from(&*decoded))
}

/// Whether `text` is the hex digits of exactly as many bytes as `output` holds.
fn decode_into(text: &[u8], output: &mut [u8]) -> bool {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, odd) = text.as_chunks();
    if !odd.is_empty() || pairs.len() != output.len() {
        return false;
    }
    for (byte, [high, low]) in output.iter_mut().zip(pairs) {
        let (Some(high), Some(low)) = (digit(*high), digit(*low)) else { return false };
        *byte = high << 4 | low;
    }
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RANDOM: [u8; 32] = [0xab; 32];

    fn line(label: &str, secret: &str) -> String {
        format!("{label} {} {secret}\n", "ab".repeat(32))
    }

    fn read(text: &str) -> KeyLog {
        let mut log = KeyLog::default();
        log.take(text.as_bytes());
        log
    }

    #[test]
    fn labels_say_what_secrets_are_for() {
        let log = read(
            &[
                line("CLIENT_RANDOM", &"01".repeat(48)),
                line("CLIENT_EARLY_TRAFFIC_SECRET", &"02".repeat(32)),
                line("CLIENT_HANDSHAKE_TRAFFIC_SECRET", &"03".repeat(32)),
                line("SERVER_HANDSHAKE_TRAFFIC_SECRET", &"04".repeat(48)),
                line("CLIENT_TRAFFIC_SECRET_0", &"05".repeat(32)),
                line("SERVER_TRAFFIC_SECRET_3", &"06".repeat(32)),
                line("EXPORTER_SECRET", &"07".repeat(32)),
            ]
            .concat(),
        );
        let secrets = log.secrets(&RANDOM).unwrap();
        let of = |byte: u8, length: usize| Secret::new(vec![byte; length]);
        assert_eq!(secrets.master(), Some(&of(1, 48)));
        assert_eq!(secrets.early_traffic(), Some(&of(2, 32)));
        assert_eq!(secrets.handshake_traffic(Side::Client), Some(&of(3, 32)));
        assert_eq!(secrets.handshake_traffic(Side::Server), Some(&of(4, 48)));
        assert_eq!(secrets.traffic(Side::Client), Some((0, &of(5, 32))));
        assert_eq!(secrets.traffic(Side::Server), Some((3, &of(6, 32))));
        assert_eq!(secrets.exporter(), Some(&of(7, 32)));
        assert_eq!(log.tally(), Tally { secrets: 7, ..Tally::default() });
        assert!(log.secrets(&[0; 32]).is_none());
        assert!(!format!("{log:?}").contains("5, 5"), "secrets are shown");
    }

    #[test]
    fn what_is_no_secret_is_counted() {
        let secret = "CD".repeat(48);
        let log = read(&format!(
            "\u{feff}# a comment\r\n\r\n{}\r\n  \nRSA 0123456789abcdef {secret}\nECH_SECRET {random} {secret}\n\
             CLIENT_RANDOM {random}\nCLIENT_RANDOM {random} {secret} more\nCLIENT_RANDOM {random} {short}\n\
             CLIENT_RANDOM {random}0 {secret}\nclient_random {random} {secret}\nCLIENT_TRAFFIC_SECRET_x {random} xyz\n{}\
             EXPORTER_SECRET {random} zz",
            line("CLIENT_RANDOM", &secret).trim_end().replace(' ', "\t"),
            "#".repeat(3000) + "\n",
            random = "AB".repeat(32),
            short = "cd".repeat(47),
        ));
        assert_eq!(log.tally(), Tally { secrets: 1, foreign: 2, broken: 7, forgotten: 0 });
        assert_eq!(log.secrets(&RANDOM).unwrap().master(), Some(&Secret::new(vec![0xcd; 48])));
    }

    #[test]
    fn a_log_grows() {
        let (mut log, mut lines) = (KeyLog::default(), Lines::default());
        let text = line("CLIENT_RANDOM", &"01".repeat(48)) + &line("EXPORTER_SECRET", &"02".repeat(32));
        let (first, second) = text.split_at(250);
        lines.feed(first.as_bytes(), &mut log);
        assert_eq!(log.tally().secrets, 1);
        lines.feed(second.trim_end().as_bytes(), &mut log);
        assert_eq!((log.tally().secrets, log.secrets(&RANDOM).unwrap().exporter()), (1, None));
        lines.finish(&mut log);
        assert_eq!(log.tally(), Tally { secrets: 2, ..Tally::default() });
    }

    #[test]
    fn lines_that_are_too_long_are_broken() {
        for cut in [1, 100, 100_000] {
            let (mut log, mut lines) = (KeyLog::default(), Lines::default());
            let text = format!("{}\n{}", "a".repeat(5000), line("CLIENT_RANDOM", &"01".repeat(48)));
            for part in text.as_bytes().chunks(cut) {
                lines.feed(part, &mut log);
                assert!(lines.partial.len() <= LONGEST_LINE);
            }
            assert_eq!(log.tally(), Tally { secrets: 1, broken: 1, ..Tally::default() });
        }
    }

    #[test]
    fn of_contradicting_lines_the_last_counts_and_of_generations_the_first() {
        let master = |byte: &str| line("CLIENT_RANDOM", &byte.repeat(48));
        let log = read(&(master("01") + &master("01") + &master("02")));
        assert_eq!(log.secrets(&RANDOM).unwrap().master(), Some(&Secret::new(vec![2; 48])));
        assert_eq!(log.tally().secrets, 2);
        let traffic =
            |generation: u8| line(&format!("CLIENT_TRAFFIC_SECRET_{generation}"), &format!("0{generation}").repeat(32));
        let log = read(&(traffic(2) + &traffic(1) + &traffic(3)));
        assert_eq!(log.secrets(&RANDOM).unwrap().traffic(Side::Client), Some((1, &Secret::new(vec![1; 32]))));
    }

    #[test]
    fn the_oldest_connection_gives_way() {
        let mut log = KeyLog::default();
        let secret = "01".repeat(48);
        for number in 0..CONNECTIONS + 2 {
            log.line(format!("CLIENT_RANDOM {number:064x} {secret}").as_bytes());
        }
        assert_eq!((log.connections.len(), log.order.len(), log.tally().forgotten), (CONNECTIONS, CONNECTIONS, 2));
        let random = |number: u8| {
            let mut random = [0; 32];
            random[31] = number;
            random
        };
        assert!(log.secrets(&random(1)).is_none() && log.secrets(&random(2)).is_some());
    }

    proptest! {
        #[test]
        fn a_log_is_the_same_however_it_is_cut(
            lines in prop::collection::vec("(CLIENT_RANDOM|EXPORTER_SECRET|#|RSA)? ?[0-9a-f]{0,70} ?[0-9a-fG]{0,100}(\r\n|\n)", 0..10),
            cut in 1_usize..300,
        ) {
            let text = lines.concat();
            let (mut log, mut lines) = (KeyLog::default(), Lines::default());
            for part in text.as_bytes().chunks(cut) {
                lines.feed(part, &mut log);
            }
            lines.finish(&mut log);
            prop_assert_eq!(log.tally(), read(&text).tally());
        }

        #[test]
        fn any_bytes_are_a_log(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            let mut log = KeyLog::default();
            log.take(&bytes);
            prop_assert_eq!(log.tally().secrets, 0);
        }
    }
}
