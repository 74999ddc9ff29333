//! Inputs that can be read only once, kept in temporary files to be read again.

use std::{
    fs::{self, File},
    io::{self, stdin},
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow};

use super::Input;

/// An input whose every file can be read twice. Dropping it removes what was kept.
pub(super) struct Spooled {
    /// The input, with the kept files in the place of pipes.
    pub(super) input: Input,
    kept: Vec<Kept>,
}

struct Kept {
    /// As the user named it.
    name: PathBuf,
    path: PathBuf,
    /// Open as long as it is needed: it has no name that would outlive us.
    #[cfg(target_os = "linux")]
    _file: File,
    #[cfg(not(target_os = "linux"))]
    _file: tempfile::NamedTempFile,
}

impl Spooled {
    /// Reads standard input and named pipes to their ends; files stay where they are.
    ///
    /// # Errors
    /// A sentence when one cannot be read or kept.
    pub(super) fn new(input: &Input) -> anyhow::Result<Self> {
        let mut spooled = Self { input: input.clone(), kept: Vec::new() };
        for path in &mut spooled.input.paths {
            let standard = path == Path::new("-");
            // What is not there, or is a directory, is for the reader to refuse.
            let pipe = || fs::metadata(&*path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir());
            if standard || pipe() {
                let name = path.clone();
                let context =
                    || format!("cannot keep {} in a temporary file (TMPDIR names its folder)", name.display());
                let kept = if standard { Kept::new(&name, &mut stdin().lock()) } else { Kept::of_pipe(&name) };
                let kept = kept.with_context(context)?;
                path.clone_from(&kept.path);
                spooled.kept.push(kept);
            }
        }
        Ok(spooled)
    }

    /// An error that names inputs as the user did.
    pub(super) fn named(&self, error: &anyhow::Error) -> anyhow::Error {
        let mut text = format!("{error:#}");
        for kept in &self.kept {
            text = text.replace(&kept.path.display().to_string(), &kept.name.display().to_string());
        }
        anyhow!(text)
    }
}

impl Kept {
    fn of_pipe(name: &Path) -> io::Result<Self> {
        Self::new(name, &mut File::open(name)?)
    }

    #[cfg(target_os = "linux")]
    fn new(name: &Path, from: &mut dyn io::Read) -> io::Result<Self> {
        use std::os::fd::AsRawFd;
        let mut file = tempfile::tempfile()?;
        io::copy(from, &mut file)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
        Ok(Self { name: name.to_owned(), path, _file: file })
    }

    #[cfg(not(target_os = "linux"))]
    fn new(name: &Path, from: &mut dyn io::Read) -> io::Result<Self> {
        let mut file = tempfile::NamedTempFile::new()?;
        io::copy(from, &mut file)?;
        let path = file.path().to_owned();
        Ok(Self { name: name.to_owned(), path, _file: file })
    }
}
