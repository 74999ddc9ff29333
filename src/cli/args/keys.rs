//! The keys that a user may give.

use std::path::PathBuf;

use crate::cli::keys::KeySources;

/// Where keys are.
#[derive(Debug, clap::Args)]
pub(super) struct KeyArgs {
    /// Secrets of DTLS and TLS as SSLKEYLOGFILE logs them (Firefox, OpenSSL, aiortc, pion ...). May be given more than
    /// once.
    #[arg(long = "keylog", value_name = "FILE")]
    logs: Vec<PathBuf>,
    /// A master key of SRTP: PROFILE:KEY with key and salt in base64 or hexadecimal digits, an a=crypto line, or a line
    /// of a log of rtpengine or libsrtp. May be given more than once.
    #[arg(long = "srtp-key", value_name = "KEY")]
    srtp: Vec<String>,
}

impl KeyArgs {
    pub(super) fn into_sources(self) -> KeySources {
        KeySources { logs: self.logs, srtp: self.srtp }
    }
}
