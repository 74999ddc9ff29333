//! The folder that files are extracted into: made with the first of them, and nothing in it is replaced unasked.

use std::{
    collections::BTreeSet,
    fs::{self, OpenOptions},
    io::{self, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};

use crate::extract::{Error, Sink};

/// Bytes of a file that are held before they are written.
const HELD: usize = 32 << 10;

/// The folder.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    replace: bool,
    names: BTreeSet<String>,
}

impl Folder {
    /// A folder that is not there yet, or empty; or any, if files in it may be replaced.
    ///
    /// # Errors
    /// A sentence when it cannot be used.
    pub(super) fn new(path: &Path, replace: bool) -> anyhow::Result<Self> {
        let name = path.display();
        match fs::read_dir(path) {
            Ok(mut entries) => {
                if !replace && entries.next().is_some() {
                    bail!("{name} is not empty: name another folder, or have its files replaced with --force");
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) if path.is_file() => {
                return Err(error).with_context(|| format!("{name} is a file: name a folder"));
            }
            Err(error) => return Err(error).with_context(|| format!("cannot write into {name}")),
        }
        Ok(Self { path: path.to_owned(), replace, names: BTreeSet::new() })
    }

    /// A name in the folder that nothing else has: `stem.extension`, or with a number.
    pub(super) fn name(&mut self, stem: &str, extension: &str) -> PathBuf {
        let numbered = (1..).map(|number: u64| match number {
            1 => format!("{stem}{extension}"),
            _ => format!("{stem}-{number}{extension}"),
        });
        let name = numbered.into_iter().find(|name| !self.names.contains(name)).unwrap_or_default();
        self.names.insert(name.clone());
        self.path.join(name)
    }

    /// Makes a file.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) fn create(&mut self, stem: &str, extension: &str) -> Result<Sink<Spill>, Error> {
        let path = self.name(stem, &format!(".{extension}"));
        let made = fs::create_dir_all(&self.path).and_then(|()| Spill::create(&path, self.replace));
        match made {
            Ok(spill) => Ok(Sink::new(path, spill)),
            Err(source) => Err(Error { path, source }),
        }
    }
}

/// A file that is open only while it is written to: there may be more of them than the system lets a process have open.
#[derive(Debug)]
pub(super) struct Spill {
    path: PathBuf,
    held: Vec<u8>,
    /// Where what is held belongs.
    position: u64,
    length: u64,
}

impl Spill {
    fn create(path: &Path, replace: bool) -> io::Result<Self> {
        OpenOptions::new().write(true).create(replace).create_new(!replace).truncate(replace).open(path)?;
        Ok(Self { path: path.to_owned(), held: Vec::new(), position: 0, length: 0 })
    }
}

impl Write for Spill {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.held.extend_from_slice(bytes);
        if self.held.len() >= HELD {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.held.is_empty() {
            return Ok(());
        }
        let mut file = OpenOptions::new().write(true).open(&self.path)?;
        file.seek(SeekFrom::Start(self.position))?;
        file.write_all(&self.held)?;
        self.position += self.held.len() as u64;
        self.length = self.length.max(self.position);
        self.held.clear();
        Ok(())
    }
}

impl Seek for Spill {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.flush()?;
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::End(offset) => self.length.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = place.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_and_patched() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let mut spill = Spill::create(&path, false).unwrap();
        spill.write_all(&[1; HELD + 5]).unwrap();
        spill.seek(SeekFrom::Start(2)).unwrap();
        spill.write_all(&[2; 3]).unwrap();
        spill.seek(SeekFrom::End(0)).unwrap();
        spill.write_all(&[3]).unwrap();
        spill.flush().unwrap();
        let expected = [&[1; 2][..], &[2; 3], &[1; HELD], &[3]].concat();
        assert_eq!(fs::read(&path).unwrap(), expected);
        assert_eq!(Spill::create(&path, false).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        Spill::create(&path, true).unwrap();
        assert!(fs::read(&path).unwrap().is_empty());
    }

    #[test]
    fn nothing_is_replaced_unasked() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out");
        let mut folder = Folder::new(&path, false).unwrap();
        assert!(!path.exists(), "a folder is made for files only");
        let names = ["a.opus", "a-2.opus"].map(|name| path.join(name));
        for name in &names {
            assert_eq!(folder.create("a", "opus").unwrap().path(), name);
        }
        let refused = format!("{:#}", Folder::new(&path, false).unwrap_err());
        assert!(refused.contains("--force"), "{refused}");
        let mut folder = Folder::new(&path, true).unwrap();
        assert_eq!(folder.create("a", "opus").unwrap().path(), names[0]);
        assert!(Folder::new(&names[0], true).is_err());
    }
}
