//! Keys that the user gives: key logs, and keys of SRTP as text.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, bail};

use crate::{
    crypto::{keylog::KeyLog, srtp::text::GivenKey},
    engine::keys::Given,
};

/// The longest key log that is read.
const LONGEST_LOG: u64 = 1 << 30;

/// Where keys are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeySources {
    /// Key logs.
    pub logs: Vec<PathBuf>,
    /// Keys of SRTP.
    pub srtp: Vec<String>,
}

impl KeySources {
    /// Reads them.
    ///
    /// # Errors
    /// A sentence where a file cannot be read or holds no secret, or a text gives no key; it never quotes the key.
    pub fn read(&self) -> anyhow::Result<Given> {
        let mut given = Given::default();
        given.has_log = !self.logs.is_empty();
        for path in &self.logs {
            take_log(path, &mut given.log)?;
        }
        for (text, number) in self.srtp.iter().zip(1..) {
            let key = GivenKey::parse(text).with_context(|| match self.srtp.len() {
                1 => "--srtp-key".to_owned(),
                _ => format!("--srtp-key (the {number}. of them)"),
            })?;
            given.srtp.push(key);
        }
        Ok(given)
    }
}

fn take_log(path: &PathBuf, log: &mut KeyLog) -> anyhow::Result<()> {
    let name = path.display();
    let length = fs::metadata(path).with_context(|| format!("cannot read the key log {name}"))?.len();
    if length > LONGEST_LOG {
        bail!("the key log {name} is longer than 1 GiB: take out the lines of this call");
    }
    let bytes = zeroize::Zeroizing::new(fs::read(path).with_context(|| format!("cannot read the key log {name}"))?);
    let before = log.tally();
    log.take(&bytes);
    let after = log.tally();
    if after.secrets == before.secrets && after.broken > before.broken {
        bail!(
            "{name} is no key log: not one line is LABEL RANDOM SECRET, as SSLKEYLOGFILE has them \
             (CLIENT_RANDOM, EXPORTER_SECRET ...)"
        );
    }
    Ok(())
}
