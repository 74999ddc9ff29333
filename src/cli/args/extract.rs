//! `rtcscope extract`: what a user may type.

use std::{
    io::{IsTerminal, stderr},
    path::PathBuf,
};

use anyhow::bail;

use super::{InputArgs, keys::KeyArgs};
use crate::cli::extract::{CodecChoice, ExtractConfig};

pub(super) const EXAMPLES: &str = "\
Examples:
  rtcscope extract call.pcap -o media              media of calls in clear: RTP of SIP phones, say
  rtcscope extract --keylog keys.log call.pcapng -o media
  rtcscope extract --sdp offer.sdp --sdp answer.sdp --keylog keys.log call.pcapng -o media
  rtcscope extract --srtp-key AEAD_AES_128_GCM:KEYANDSALT call.pcap -o media
  rtcscope extract --keylog keys.log --pcapng clear.pcapng call.pcapng

Sound becomes Ogg Opus or WAV, pictures IVF (VP8, VP9, AV1) or Annex B (H.264, H.265), one file a
stream, named by call, sender, kind and SSRC. Messages of data channels become files with an
index.json: one a message, or one a channel and direction where a call has more than 1000. What is
lost is silence, or a picture that stands still. Captures are read twice, so that standard input
and pipes are read into a temporary file first.

Wireshark needs its heuristics rtp_udp and rtcp_udp for --pcapng where no description is in it.

Exit status: 0 something was extracted, 1 nothing could be, 2 rtcscope could not do its job.";

/// What to extract, and where to.
#[derive(Debug, clap::Args)]
pub(super) struct ExtractArgs {
    #[command(flatten)]
    input: InputArgs,
    /// Write media and messages into this folder. It is made if it is not there, and must be empty if it is.
    #[arg(short = 'o', long = "output", value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Write the capture to this file with its packets opened: RTP, RTCP and SCTP in clear, and the DTLS
    /// around them left out. It holds no secrets block.
    #[arg(long = "pcapng", value_name = "FILE")]
    capture: Option<PathBuf>,
    /// Write each stream as an rtpdump file too: its RTP packets, opened.
    #[arg(long)]
    rtpdump: bool,
    #[command(flatten)]
    keys: KeyArgs,
    /// Descriptions that belong to the capture, as of analyze: they say what payload types stand for. May be given more
    /// than once.
    #[arg(long = "sdp", value_name = "FILE")]
    descriptions: Vec<PathBuf>,
    /// What a payload type stands for, where no description tells: 111=opus or 96=H264/90000. May be given more than
    /// once.
    #[arg(long = "codec", value_name = "PT=NAME")]
    codecs: Vec<CodecChoice>,
    /// In the capture that is written, overwrite the keys in descriptions (a=crypto) too. One that is split over two
    /// packets stays.
    #[arg(long)]
    strip_secrets: bool,
    /// Replace files that are there already.
    #[arg(long)]
    force: bool,
    /// Show no progress bar.
    #[arg(short, long)]
    quiet: bool,
}

impl ExtractArgs {
    pub(super) fn into_config(self) -> anyhow::Result<ExtractConfig> {
        if self.folder.is_none() && self.capture.is_none() {
            bail!("nowhere to write to: give a folder with -o, or a capture to write with --pcapng");
        }
        if self.rtpdump && self.folder.is_none() {
            bail!("--rtpdump writes into the folder that -o names: give one");
        }
        if self.strip_secrets && self.capture.is_none() {
            bail!("--strip-secrets is about the capture that --pcapng names: give one");
        }
        Ok(ExtractConfig {
            folder: self.folder,
            capture: self.capture,
            dumps: self.rtpdump,
            keys: self.keys.into_sources(),
            descriptions: self.descriptions,
            codecs: self.codecs,
            strip_secrets: self.strip_secrets,
            force: self.force,
            progress: !self.quiet && stderr().is_terminal(),
            input: self.input.into_input()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{
        Command,
        args::{Args, examples},
    };

    fn command(line: &str) -> anyhow::Result<ExtractConfig> {
        match Args::try_parse_from(line.split_whitespace())?.into_command()? {
            Command::Extract(config) => Ok(config),
            _ => bail!("{line} is another command"),
        }
    }

    #[test]
    fn arguments_become_a_configuration() {
        let config = command("rtcscope extract a b -o d --rtpdump --keylog k --codec 96=VP8 --force").unwrap();
        assert_eq!((config.input.paths.len(), config.folder), (2, Some("d".into())));
        assert!(config.dumps && config.force && !config.strip_secrets && config.capture.is_none());
        assert_eq!((config.codecs.len(), config.keys.logs.len()), (1, 1));
        for (line, said) in [
            ("rtcscope extract a", "-o"),
            ("rtcscope extract a --pcapng p --rtpdump", "-o"),
            ("rtcscope extract a -o d --strip-secrets", "--pcapng"),
            ("rtcscope extract a -o d --codec 96", "PAYLOADTYPE=NAME"),
        ] {
            let error = format!("{:#}", command(line).unwrap_err());
            assert!(error.contains(said), "{line}: {error}");
        }
    }

    #[test]
    fn examples_work() {
        let lines = examples(EXAMPLES);
        for words in &lines {
            Args::try_parse_from(words).unwrap().into_command().unwrap();
        }
        assert_eq!(lines.len(), 5);
    }
}
