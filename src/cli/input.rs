//! What a command reads.

use std::{
    io::{IsTerminal, stdin},
    path::{Path, PathBuf},
};

use anyhow::bail;

use crate::capture::{Capture, Options, When};

/// The files of one analysis and the part of them that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// The files, in the order given; `-` is standard input, at most once.
    pub paths: Vec<PathBuf>,
    /// A capture filter in libpcap's language.
    pub filter: Option<String>,
    /// The first moment that counts.
    pub from: Option<When>,
    /// The last moment that counts.
    pub to: Option<When>,
}

impl Input {
    /// Opens the files.
    ///
    /// # Errors
    /// Why one of them cannot be read, or what is wrong with the filter.
    pub fn open(&self) -> anyhow::Result<Capture> {
        let options = Options { from: self.from, to: self.to, filter: self.filter.clone() };
        Ok(Capture::open(&self.paths, &options)?)
    }

    /// The input, if it is one.
    pub(super) fn checked(self) -> anyhow::Result<Self> {
        let standard_inputs = self.paths.iter().filter(|path| *path == Path::new("-")).count();
        if standard_inputs > 1 {
            bail!("standard input (-) is given more than once, but can be read only once");
        }
        if standard_inputs == 1 && stdin().is_terminal() {
            bail!("standard input is a terminal: pipe a capture into it (tcpdump -w - | rtcscope analyze -)");
        }
        if self.filter.is_some() && cfg!(not(feature = "pcap")) {
            bail!("this build has no capture filters (built without libpcap): leave out --filter");
        }
        let backwards = match (self.from, self.to) {
            (Some(When::AfterFirst(from)), Some(When::AfterFirst(to))) => from > to,
            (Some(When::At(from)), Some(When::At(to))) => from > to,
            _ => false,
        };
        if backwards {
            bail!("--from is later than --to, which leaves no packet");
        }
        Ok(self)
    }
}
