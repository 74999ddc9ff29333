//! Where writers write to, and what goes wrong there.

use std::{
    io::{self, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

/// A file could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}", path.display())]
pub struct Error {
    /// The file.
    pub path: PathBuf,
    /// What the system says.
    #[source]
    pub source: io::Error,
}

/// An output that knows its name, so that errors can tell it.
#[derive(Debug)]
pub struct Sink<W> {
    path: PathBuf,
    inner: W,
}

impl<W: Write> Sink<W> {
    /// Writes to `inner`, which errors call `path`.
    pub fn new(path: impl Into<PathBuf>, inner: W) -> Self {
        Self { path: path.into(), inner }
    }

    /// The name.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.inner.write_all(bytes).map_err(|source| self.failed(source))
    }

    /// Makes sure that all is written; the output, for whoever wants it back.
    pub(super) fn finish(mut self) -> Result<W, Error> {
        match self.inner.flush() {
            Ok(()) => Ok(self.inner),
            Err(source) => Err(self.failed(source)),
        }
    }

    pub(super) fn failed(&self, source: io::Error) -> Error {
        Error { path: self.path.clone(), source }
    }
}

impl<W: Write + Seek> Sink<W> {
    /// Overwrites what stands at `position` from the start; goes on at the end afterwards.
    pub(super) fn patch(&mut self, position: u64, bytes: &[u8]) -> Result<(), Error> {
        let written = self
            .inner
            .seek(SeekFrom::Start(position))
            .and_then(|_| self.inner.write_all(bytes))
            .and_then(|()| self.inner.seek(SeekFrom::End(0)));
        written.map(|_| ()).map_err(|source| self.failed(source))
    }
}
