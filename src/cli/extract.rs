//! `rtcscope extract`: captures to files with their media and messages, and to a capture in clear.
//!
//! The capture is read twice. First it is analyzed: then it is known which streams there are, what they carry and which
//! of them retransmit others. Then it is read again, each packet is opened, and given to the file that it belongs into.

mod channels;
mod folder;
mod media;
mod opened;
mod plan;
mod summary;

use std::{
    cell::RefCell,
    fs::{self, OpenOptions},
    io::{Write as _, stderr, stdout},
    num::NonZeroUsize,
    path::{Path, PathBuf},
    process::ExitCode,
    rc::Rc,
    str::FromStr,
    thread::available_parallelism,
};

use anyhow::{Context as _, bail};

use super::{
    Input, Progress,
    gate::{Gate, Pass},
    given,
    keys::KeySources,
    output::same_file,
    spool::Spooled,
};
use crate::{
    capture::Capture,
    engine::{self, Analysis, Found, Revisit, Visit, keys::Given},
    extract::{Error, Mended},
    flow::{Protocol, datagram::Datagram, decrypt::Decrypter, identify::Identity, key::FlowKey},
    report, session,
    time::PacketId,
    wire::{dtls::content_type, payload::Codec, rtp::FixedHeader, sctp},
};
use channels::Channels;
use folder::Folder;
use media::{Captured, Media};
use opened::{Instead, OpenedCapture, in_place_of};
use plan::Plan;
use summary::Summary;

/// Frames between two looks at how far the reading is.
const STRIDE: u64 = 4096;

/// All that an extraction must know.
#[derive(Clone, Debug)]
pub struct ExtractConfig {
    /// What to read.
    pub input: Input,
    /// Files with descriptions that belong to it.
    pub descriptions: Vec<PathBuf>,
    /// Keys to open it with.
    pub keys: KeySources,
    /// What payload types stand for, whatever was signalled.
    pub codecs: Vec<CodecChoice>,
    /// The folder to write media and messages into; `None` for none.
    pub folder: Option<PathBuf>,
    /// The capture to write, its packets opened.
    pub capture: Option<PathBuf>,
    /// Whether to write RTP as it is, too.
    pub dumps: bool,
    /// Whether files that are there may be replaced.
    pub force: bool,
    /// Whether to overwrite the keys that packets of the written capture hold.
    pub strip_secrets: bool,
    /// Whether to show how far the reading is.
    pub progress: bool,
}

/// What a payload type stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodecChoice {
    /// The payload type.
    pub payload_type: u8,
    /// The codec.
    pub codec: Codec,
    /// Units of the RTP timestamp a second.
    pub clock_rate: u32,
}

impl FromStr for CodecChoice {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let form = || "a codec is given as PAYLOADTYPE=NAME or PAYLOADTYPE=NAME/CLOCKRATE, such as 111=opus/48000";
        let (number, name) = text.split_once('=').with_context(form)?;
        let (name, rate) = name.split_once('/').map_or((name, None), |(name, rate)| (name, Some(rate)));
        let payload_type = number.parse().ok().filter(|number| *number < 128).with_context(form)?;
        let Some(codec) = Codec::named(name) else {
            bail!("no codec that can be extracted is called {name}");
        };
        let rate = rate.map(str::parse).transpose().ok().with_context(form)?;
        let clock_rate = rate.filter(|rate| *rate > 0).unwrap_or_else(|| plan::usual_clock_rate(codec));
        Ok(Self { payload_type, codec, clock_rate })
    }
}

/// Extracts, and tells by the status whether there was anything.
///
/// # Errors
/// What kept the input from being read or files from being written, as sentences.
pub fn run(config: &ExtractConfig) -> anyhow::Result<ExitCode> {
    let folder = config.folder.as_deref().map(|path| Folder::new(path, config.force)).transpose()?;
    let folder = folder.map(|folder| Rc::new(RefCell::new(folder)));
    if let Some(path) = &config.capture {
        check_capture(path, config)?;
    }
    let given = config.descriptions.iter().map(|path| given::read(path)).collect::<anyhow::Result<Vec<_>>>()?;
    let mut keys = config.keys.read()?;
    given.iter().flat_map(|(_, input)| &input.descriptions).for_each(|given| keys.take_description(&given.sdp));
    let spooled = Spooled::new(&config.input)?;
    let analyzed = analyze(config, &spooled.input, &keys).map_err(|error| spooled.named(&error))?;
    let analysis = Analysis { given, ..analyzed };
    let sessions = session::assemble(&analysis);
    let plan = Plan::new(&analysis, &sessions, &report::build(&analysis, &sessions), &config.codecs);

    let capture = config.capture.as_deref().map(|path| create_capture(path, &analysis, config)).transpose()?;
    let mut extraction = Extraction {
        media: Media::new(&plan, folder.as_ref(), config.dumps),
        channels: Channels::new(&plan, folder.as_ref()),
        plan: &plan,
        capture,
        has_srtp_keys: !keys.srtp.is_empty(),
        has_keys: !keys.is_empty(),
    };
    extraction.read(config, &spooled, &analysis, keys)?;
    finish(extraction.finish(config)?, config)
}

/// All of the input, whatever part of it is asked for: keys and codecs may be told before.
fn all_of(input: &Input) -> Input {
    Input { filter: None, from: None, to: None, ..input.clone() }
}

fn analyze(config: &ExtractConfig, input: &Input, keys: &Given) -> anyhow::Result<Analysis> {
    let mut capture = all_of(input).open()?;
    let progress = Progress::new(config.progress);
    let threads = available_parallelism().unwrap_or(NonZeroUsize::MIN).get();
    let settings = engine::Config { threads, keys: keys.clone() };
    let analysis = engine::analyze(&mut capture, settings, |read| progress.update(read.bytes_read, read.bytes_total));
    progress.finish();
    Ok(analysis?)
}

/// Tells what was done. What was made for nothing is removed.
fn finish(summary: Summary<'_>, config: &ExtractConfig) -> anyhow::Result<ExitCode> {
    if summary.is_something() {
        summary.write(&mut stdout().lock())?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(path) = &config.capture {
        // It was whole, but of no use: that it stays is no error.
        let _ = fs::remove_file(path);
    }
    // Nothing is left to do where stderr is closed.
    let _ = writeln!(stderr(), "rtcscope: {}", summary.why_nothing());
    Ok(ExitCode::from(1))
}

fn check_capture(path: &Path, config: &ExtractConfig) -> anyhow::Result<()> {
    let name = path.display();
    if let Some(input) = config.input.paths.iter().find(|input| same_file(input, path)) {
        bail!("cannot write to {name}: it is the input {}; name another file", input.display());
    }
    if path.exists() && !config.force {
        bail!("{name} is there already: name another file, or have it replaced with --force");
    }
    Ok(())
}

fn create_capture<'a>(
    path: &Path,
    analysis: &'a Analysis,
    config: &ExtractConfig,
) -> anyhow::Result<OpenedCapture<'a>> {
    let mut options = OpenOptions::new();
    options.write(true).create(config.force).create_new(!config.force).truncate(config.force);
    let file = options.open(path).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(OpenedCapture::new(path, file, &analysis.interfaces, config.strip_secrets)?)
}

/// What is on its way to files.
struct Extraction<'a> {
    plan: &'a Plan,
    media: Media<'a>,
    channels: Channels<'a>,
    capture: Option<OpenedCapture<'a>>,
    /// Whether there are keys of SRTP from descriptions or the user, which need no DTLS.
    has_srtp_keys: bool,
    has_keys: bool,
}

impl<'a> Extraction<'a> {
    /// Reads the input again.
    fn read(
        &mut self,
        config: &ExtractConfig,
        spooled: &Spooled,
        analysis: &Analysis,
        keys: Given,
    ) -> anyhow::Result<()> {
        let all = all_of(&spooled.input);
        let mut gate = if spooled.input == all { None } else { Some(Gate::new(spooled.input.open()?)) };
        let mut capture: Capture = all.open()?;
        let mut revisit = Revisit::with_keys(analysis, keys);
        let mut decrypter = Decrypter::new(revisit.keys());
        let progress = Progress::new(config.progress);
        let mut count = 0_u64;
        while let Some(visit) = revisit.next(&mut capture)? {
            let id = PacketId::new(visit.frame.file, visit.frame.number);
            let pass = gate.as_mut().map_or(Ok(Pass::Yes), |gate| gate.pass(id))?;
            if matches!(pass, Pass::NoMore) {
                break;
            }
            self.take(&visit, &mut decrypter, matches!(pass, Pass::Yes))?;
            count += 1;
            if count.is_multiple_of(STRIDE) {
                let read = capture.progress();
                progress.update(read.bytes_read, read.bytes_total);
            }
        }
        progress.finish();
        self.has_keys |= !revisit.keys().is_empty();
        Ok(())
    }

    /// Takes a frame. What does not pass is opened only, for what comes after it.
    fn take(&mut self, visit: &Visit<'_>, decrypter: &mut Decrypter, passes: bool) -> Result<(), Error> {
        let mut instead: Instead = None;
        for found in &visit.datagrams {
            let (key, datagram, identity) = match &found.inner {
                Some(inner) => (inner.key, inner.datagram, inner.identity),
                None => (found.key, found.datagram, found.identity),
            };
            let one = One { visit, found, key, datagram, identity, passes };
            let clear: Instead = match identity.protocol {
                Protocol::Rtp => self.take_rtp(&one, decrypter)?.map(|clear| vec![clear]),
                Protocol::Rtcp if identity.encrypted => {
                    let clear = decrypter.rtcp(key, &datagram).filter(|_| self.capture.is_some());
                    clear.and_then(|clear| Some(vec![one.in_place(clear)?]))
                }
                Protocol::Dtls => self.take_dtls(&one, decrypter)?,
                Protocol::Sctp if one.counts() => {
                    self.channels.push(key, &datagram, datagram.bytes)?;
                    None
                }
                _ => None,
            };
            if let Some(clear) = clear {
                instead.get_or_insert_default().extend(clear);
            }
        }
        match &mut self.capture {
            Some(capture) if passes => capture.write(visit, &instead),
            _ => Ok(()),
        }
    }

    fn take_rtp(&mut self, one: &One<'_, '_>, decrypter: &mut Decrypter) -> Result<Option<Mended>, Error> {
        let One { key, datagram, .. } = *one;
        let Ok(fixed) = FixedHeader::parse(datagram.bytes) else { return Ok(None) };
        let place = self.plan.places.get(&(key, datagram.direction & 1, fixed.ssrc)).copied();
        let stream = place.and_then(|place| self.plan.streams.get(place));
        let opened = decrypter.rtp(key, &datagram);
        let is_opened = opened.is_ok();
        let is_encrypted = stream.map_or(Some(one.identity.encrypted), |stream| stream.is_encrypted);
        let clear = match opened {
            Ok(clear) => Ok(clear),
            Err(unopened) if is_encrypted.unwrap_or(self.has_srtp_keys) => Err(unopened),
            Err(_) => Ok(datagram.bytes),
        };
        if let Some(place) = place.filter(|_| one.counts()) {
            self.media.push(place, &Captured { at: datagram.time, clear, is_opened, length: datagram.length })?;
        }
        let clear = clear.ok().filter(|_| is_opened && self.capture.is_some());
        Ok(clear.and_then(|clear| one.in_place(clear)))
    }

    /// Of DTLS that was opened only the SCTP inside is left: its handshake would have readers take the RTP beside it for
    /// SRTP.
    fn take_dtls(&mut self, one: &One<'_, '_>, decrypter: &mut Decrypter) -> Result<Instead, Error> {
        let One { key, datagram, .. } = *one;
        let mut clear = Vec::new();
        for record in decrypter.dtls(key, &datagram) {
            let is_sctp = record.content_type == content_type::APPLICATION_DATA
                && sctp::Packet::parse_snapped(&record.plaintext, record.plaintext.len()).is_ok();
            if !is_sctp {
                continue;
            }
            if one.counts() {
                self.channels.push(key, &datagram, &record.plaintext)?;
            }
            if self.capture.is_some() {
                let (from, to) = (key.source(datagram.direction), key.destination(datagram.direction));
                clear.extend(Mended::sctp(from, to, &record.plaintext));
            }
        }
        let is_replaced = self.capture.is_some() && (!clear.is_empty() || self.plan.opened.contains(&key));
        Ok(is_replaced.then_some(clear))
    }

    fn finish(self, config: &'a ExtractConfig) -> anyhow::Result<Summary<'a>> {
        let opened = self.capture.map(OpenedCapture::finish).transpose()?;
        Ok(Summary {
            plan: self.plan,
            streams: self.media.finish()?,
            channels: self.channels.finish()?,
            capture: config.capture.as_deref().zip(opened),
            has_keys: self.has_keys,
        })
    }
}

/// A datagram of a frame: the innermost.
struct One<'v, 'a> {
    visit: &'v Visit<'a>,
    found: &'v Found<'a>,
    key: FlowKey,
    datagram: Datagram<'a>,
    identity: Identity,
    passes: bool,
}

impl One<'_, '_> {
    /// Whether it is asked for, and not a copy of one that was captured at another place.
    const fn counts(&self) -> bool {
        self.passes && !self.visit.copy
    }

    fn in_place(&self, clear: &[u8]) -> Option<Mended> {
        in_place_of(self.visit, self.found, self.key, self.datagram.direction & 1, clear)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codecs_that_are_given() {
        let codec: CodecChoice = "111=opus".parse().unwrap();
        assert_eq!(codec, CodecChoice { payload_type: 111, codec: Codec::Opus, clock_rate: 48_000 });
        let codec: CodecChoice = "9=G722/16000".parse().unwrap();
        assert_eq!((codec.codec, codec.clock_rate), (Codec::G722, 16_000));
        for wrong in ["opus", "128=opus", "1=speex", "1=opus/fast", "x=opus"] {
            assert!(wrong.parse::<CodecChoice>().is_err(), "{wrong}");
        }
    }
}
