//! Where a command writes: standard output, or a file that is either whole or not touched.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use anyhow::bail;
use clap::ValueEnum;
use serde::Serialize;

use crate::report::json::write_document;

/// The forms of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DocumentFormat {
    /// Text for people.
    Text,
    /// One JSON document.
    Json,
}

/// A destination. A file is opened at once, so that one that cannot be written is known before the work; what it held is
/// kept until the first byte of the new; a file made for nothing is removed.
pub(super) struct Output {
    writer: BufWriter<Box<dyn Write>>,
    /// The file that was made and is not finished.
    unfinished: Option<PathBuf>,
    name: String,
}

impl Output {
    /// Opens `path`, or standard output.
    ///
    /// # Errors
    /// A sentence when the file cannot be written or is one of the `inputs`.
    pub(super) fn open(path: Option<&Path>, inputs: &[PathBuf]) -> anyhow::Result<Self> {
        let Some(path) = path else {
            let writer: Box<dyn Write> = Box::new(io::stdout().lock());
            return Ok(Self { writer: buffered(writer), unfinished: None, name: "standard output".to_owned() });
        };
        let name = path.display().to_string();
        if let Some(input) = inputs.iter().find(|input| same_file(input, path)) {
            bail!("cannot write to {name}: it is the input {}; name another file", input.display());
        }
        let is_new = !path.exists();
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path);
        let file = file.map_err(|error| explained(error, &name))?;
        let unfinished = is_new.then(|| path.to_owned());
        Ok(Self { writer: buffered(Box::new(Replacement { file, begun: false })), unfinished, name })
    }

    /// Writes a document to its end: as JSON, or as `text` does.
    ///
    /// # Errors
    /// A sentence when it could not be written.
    pub(super) fn deliver(
        mut self,
        document: &impl Serialize,
        format: DocumentFormat,
        text: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> anyhow::Result<()> {
        let written = match format {
            DocumentFormat::Text => text(&mut self),
            DocumentFormat::Json => write_document(document, &mut self),
        };
        written.map_err(|error| self.failed(error))?;
        self.finish()
    }

    /// What to tell the user of a failed write.
    pub(super) fn failed(&self, error: io::Error) -> anyhow::Error {
        explained(error, &self.name)
    }

    /// Makes sure that all is written.
    ///
    /// # Errors
    /// A sentence when it could not be.
    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        self.writer.flush().map_err(|error| explained(error, &self.name))?;
        self.unfinished = None;
        Ok(())
    }
}

/// Why `name` cannot be written, and what to do.
fn explained(error: io::Error, name: &str) -> anyhow::Error {
    let why = match error.kind() {
        io::ErrorKind::NotFound => "its folder does not exist; make it, or name another file",
        io::ErrorKind::PermissionDenied => "permission denied; name a file in a folder of yours",
        io::ErrorKind::IsADirectory => "it is a directory; name a file in it",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "no space is left there; free some, or name a file elsewhere with -o"
        }
        io::ErrorKind::ReadOnlyFilesystem => "that filesystem can only be read; name a file elsewhere",
        // A broken pipe is told by its cause.
        _ => return anyhow::Error::new(error).context(format!("cannot write to {name}")),
    };
    anyhow::anyhow!("cannot write to {name}: {why}")
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if let Some(path) = self.unfinished.take() {
            // The work failed and its error is on its way to the user; there is none to add.
            let _ = fs::remove_file(path);
        }
    }
}

/// A file whose old content goes when the first new byte comes.
struct Replacement {
    file: File,
    begun: bool,
}

impl Write for Replacement {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.begun {
            self.begun = true;
            // Pipes and devices have no length.
            if self.file.metadata()?.is_file() {
                self.file.set_len(0)?;
            }
        }
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn buffered(writer: Box<dyn Write>) -> BufWriter<Box<dyn Write>> {
    BufWriter::with_capacity(1 << 16, writer)
}

/// Whether both names are of one file that is no device.
pub(super) fn same_file(one: &Path, other: &Path) -> bool {
    let (Ok(first), Ok(second)) = (fs::metadata(one), fs::metadata(other)) else { return false };
    if !first.is_file() || !second.is_file() {
        return false;
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        (first.dev(), first.ino()) == (second.dev(), second.ino())
    }
    #[cfg(not(unix))]
    {
        matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_whole_or_untouched() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report");
        drop(Output::open(Some(&path), &[]).unwrap());
        assert!(!path.exists(), "a file made for nothing is removed");
        let mut output = Output::open(Some(&path), &[]).unwrap();
        output.write_all(b"a long first text").unwrap();
        output.finish().unwrap();
        drop(Output::open(Some(&path), &[]).unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"a long first text");
        let mut output = Output::open(Some(&path), &[]).unwrap();
        output.write_all(b"short").unwrap();
        output.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"short");
    }

    #[test]
    fn the_input_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("call.pcap");
        fs::write(&path, b"capture").unwrap();
        let around = folder.path().join(".").join("call.pcap");
        let error = Output::open(Some(&around), std::slice::from_ref(&path)).err().unwrap();
        assert!(error.to_string().contains("it is the input"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"capture");
    }

    #[test]
    fn what_cannot_be_written_is_said_before_the_work() {
        let error = Output::open(Some(Path::new("/nonexistent/report")), &[]).err().unwrap();
        assert!(format!("{error:#}").starts_with("cannot write to /nonexistent/report: "), "{error:#}");
    }
}
