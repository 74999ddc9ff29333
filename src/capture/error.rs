//! Why captures cannot be opened or read on: one sentence each.

use std::io;

/// Why a capture could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No path was given.
    #[error("no capture was given; name a pcap or pcapng file, or - for standard input")]
    NoFile,
    /// Nothing of that name.
    #[error("cannot open {path}: there is no such file; check its name and folder")]
    NotFound {
        /// The path as given.
        path: String,
    },
    /// The operating system refused.
    #[error("cannot open {path}: permission denied; its owner or root can read it")]
    Permission {
        /// The path as given.
        path: String,
    },
    /// A directory.
    #[error("cannot read {path}: it is a directory; name the capture files in it")]
    Directory {
        /// The path as given.
        path: String,
    },
    /// Nothing in it.
    #[error("cannot analyze {path}: it is empty, not even a capture's header was written; capture or copy it again")]
    Empty {
        /// The path as given.
        path: String,
    },
    /// Something else than a capture, or a capture of another kind.
    #[error("cannot analyze {path}: not a pcap or pcapng capture; it looks like {looks}")]
    NotACapture {
        /// The path as given.
        path: String,
        /// What it looks like, and what to do where something can be done.
        looks: String,
    },
    /// Any other failure of the operating system.
    #[error("cannot read {path}: {source}")]
    Io {
        /// The path as given.
        path: String,
        /// What it said.
        source: io::Error,
    },
    /// `-` more than once.
    #[error("standard input (-) can be given only once")]
    StandardInputTwice,
    /// More files than frames can name.
    #[error("too many captures at once ({count}); the most is {}", super::MAX_FILES)]
    TooManyFiles {
        /// How many were given.
        count: usize,
    },
    /// libpcap did not accept the filter.
    #[error("cannot use the filter \"{expression}\": {message}; see pcap-filter(7) for its language")]
    Filter {
        /// The filter expression.
        expression: String,
        /// libpcap's message.
        message: String,
    },
    /// Built without libpcap.
    #[error(
        "cannot use the filter \"{expression}\": this rtcscope was built without libpcap; build it with --features pcap"
    )]
    FilterUnavailable {
        /// The filter expression.
        expression: String,
    },
}

/// Why a capture could not be read to its end. What was delivered before stays good.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The operating system failed in the middle of a file.
    #[error("cannot read on in {path} after {bytes} bytes: {source}")]
    Io {
        /// The path as given.
        path: String,
        /// Bytes read before.
        bytes: u64,
        /// What it said.
        source: io::Error,
    },
}
