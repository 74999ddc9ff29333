//! What a command reads.

use std::{
    io::{IsTerminal, stdin},
    path::{Path, PathBuf},
};

use anyhow::bail;

use super::TimePoint;

/// The files of one analysis and the part of them that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// The files, in the order given; `-` is standard input, at most once.
    pub paths: Vec<PathBuf>,
    /// A capture filter in libpcap's language.
    pub filter: Option<String>,
    /// The first moment that counts.
    pub from: Option<TimePoint>,
    /// The last moment that counts.
    pub to: Option<TimePoint>,
}

impl Input {
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
            (Some(TimePoint::Offset(from)), Some(TimePoint::Offset(to))) => from > to,
            (Some(TimePoint::At(from)), Some(TimePoint::At(to))) => from > to,
            _ => false,
        };
        if backwards {
            bail!("--from is later than --to, which leaves no packet");
        }
        Ok(self)
    }
}
