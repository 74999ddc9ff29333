//! Containers to frames: pcap and pcapng files, compressed or piped, one or many.
//!
//! A file on its own is read block by block into the [`Batch`] that holds its frames. Several files are memory-mapped
//! and their frames are places in the maps. Pipes and compressed files are read in pieces of a mebibyte, and the frames
//! of a batch are copied into it. Memory does not grow with the input.

mod blocks;
mod error;
mod filter;
mod pcap;
mod pcapng;
mod pcapng_options;
mod recognise;
#[cfg(test)]
mod samples;
mod source;
mod summary;
mod timescale;
mod walker;
mod window;

use std::{cmp::Reverse, collections::BinaryHeap, io::Read, path::PathBuf, sync::Arc};

use memmap2::Mmap;

use crate::time::Timestamp;

pub use crate::wire::LinkType;
pub use error::{OpenError, ReadError};
pub use summary::{Compression, Fault, FileSummary, Format, Interface, Resolution, Secrets, StepBack, Stop, Why};
pub use walker::Walker;
pub use window::{NotATime, When};

use blocks::Block;
use filter::Filter;
use source::{Source, slice};
use window::Window;

/// One captured frame: where its bytes are and what the container said of it. 40 bytes, `Copy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// When it was captured.
    pub time: Timestamp,
    /// Its place in its file, counted from 1 as Wireshark counts.
    pub number: u64,
    /// Where its bytes start, in its file or in the batch's own buffer.
    pub(crate) offset: u64,
    /// Bytes captured.
    pub captured: u32,
    /// Bytes the frame had on the wire; more than `captured` where it was snapped, never fewer.
    pub original: u32,
    /// Which interface of the whole analysis it was captured on (an index into [`Interface`]s over all files).
    pub interface: u32,
    /// Which file, counted from 0 in the order given.
    pub file: u16,
    /// The link type of that interface.
    pub link: LinkType,
}

/// Frames that were read together. Filling it again reuses its memory.
#[derive(Debug, Default)]
pub struct Batch {
    /// The frames, in order.
    pub frames: Vec<Frame>,
    maps: Option<Arc<[Option<Mmap>]>>,
    arena: Vec<u8>,
    /// What was read of a file on its own.
    block: Option<Block>,
}

impl Batch {
    /// The captured bytes of one of this batch's frames. For a frame of another batch: some bytes or none.
    #[must_use]
    #[inline]
    pub fn bytes(&self, frame: &Frame) -> &[u8] {
        if let Some(block) = &self.block {
            return block.bytes(frame);
        }
        let map = self.maps.as_ref().and_then(|maps| maps.get(usize::from(frame.file))?.as_ref());
        slice(map.map_or(self.arena.as_slice(), |map| map), frame.offset, frame.captured)
    }

    fn push(&mut self, frame: Frame, bytes: &[u8], copied: bool) {
        if copied {
            let offset = self.arena.len() as u64;
            self.arena.extend_from_slice(bytes);
            self.frames.push(Frame { offset, ..frame });
        } else {
            self.frames.push(frame);
        }
    }
}

/// Which packets are delivered.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// None before this.
    pub from: Option<When>,
    /// None after this.
    pub to: Option<When>,
    /// A BPF expression (pcap-filter(7)) that packets must match.
    pub filter: Option<String>,
}

/// How far reading has come, in bytes of the files as they lie on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes read.
    pub bytes_read: u64,
    /// Bytes there are; `None` where one of the inputs is a pipe.
    pub bytes_total: Option<u64>,
}

/// The frames of one or many files, in order.
pub struct Capture {
    sources: Vec<Source>,
    maps: Arc<[Option<Mmap>]>,
    interfaces: Vec<Interface>,
    /// Sources with a pending frame, by its time and then by their order.
    heads: BinaryHeap<Reverse<(Timestamp, u16)>>,
    /// Sources of which nothing is pending, and that may have to wait for more.
    starved: Vec<u16>,
    window: Option<Window>,
    filter: Option<Filter>,
    /// Blocks of decryption secrets that were taken, by source.
    secrets_taken: Vec<usize>,
}

impl Capture {
    /// Opens files and reads each up to its first packet. `-` is standard input. Nothing is opened if anything fails.
    ///
    /// # Errors
    /// Says of the first input that cannot be used which it is, why, and what can be done.
    pub fn open(paths: &[PathBuf], options: &Options) -> Result<Self, OpenError> {
        if paths.is_empty() {
            return Err(OpenError::NoFile);
        }
        if paths.len() > MAX_FILES {
            return Err(OpenError::TooManyFiles { count: paths.len() });
        }
        if paths.iter().filter(|path| path.as_os_str() == "-").count() > 1 {
            return Err(OpenError::StandardInputTwice);
        }
        let mut sources = Vec::with_capacity(paths.len());
        for (file, path) in (0_u16..).zip(paths) {
            sources.push(Source::open(path, file, paths.len() == 1)?);
        }
        Self::begin(sources, options)
    }

    /// Reads a capture, compressed or not, from `input` instead of a file; `path` is what reports call it.
    ///
    /// # Errors
    /// As [`Capture::open`].
    pub fn from_reader(path: &str, input: Box<dyn Read + Send>, options: &Options) -> Result<Self, OpenError> {
        Self::begin(vec![(Source::from_reader(path, input)?, None)], options)
    }

    /// Reads each source up to its first packet.
    fn begin(opened: Vec<(Source, Option<Mmap>)>, options: &Options) -> Result<Self, OpenError> {
        let mut sources = Vec::with_capacity(opened.len());
        let mut maps = Vec::with_capacity(opened.len());
        let mut interfaces = Vec::new();
        let mut heads = BinaryHeap::with_capacity(opened.len());
        for (file, (mut source, map)) in (0_u16..).zip(opened) {
            source
                .refill(map.as_ref(), &mut interfaces, 1)
                .map_err(|ReadError::Io { path, source, .. }| OpenError::Io { path, source })?;
            if let Some(refusal) = source.refusal() {
                return Err(refusal);
            }
            heads.extend(source.head().map(|frame| Reverse((frame.time, file))));
            sources.push(source);
            maps.push(map);
        }
        let filter = match &options.filter {
            Some(expression) => {
                let mut links: Vec<LinkType> = interfaces.iter().map(|interface| interface.link).collect();
                links.sort_unstable();
                links.dedup();
                Some(Filter::new(expression, &links)?)
            }
            None => None,
        };
        let origin = heads.peek().map_or(Timestamp(0), |Reverse((time, _))| *time);
        let window = (options.from.is_some() || options.to.is_some()).then(|| Window {
            from: options.from.map_or(Timestamp(i64::MIN), |when| when.from_origin(origin)),
            to: options.to.map_or(Timestamp(i64::MAX), |when| when.from_origin(origin)),
        });
        Ok(Self {
            sources,
            maps: maps.into(),
            interfaces,
            heads,
            starved: Vec::new(),
            window,
            filter,
            secrets_taken: Vec::new(),
        })
    }

    /// The blocks of decryption secrets that were read since this was asked last: they come before what they open.
    pub fn take_secrets(&mut self) -> Vec<Secrets> {
        self.secrets_taken.resize(self.sources.len(), 0);
        let new = self.sources.iter().zip(&mut self.secrets_taken).flat_map(|(source, taken)| {
            let secrets = source.secrets();
            let before = std::mem::replace(taken, secrets.len());
            secrets.get(before..).unwrap_or_default()
        });
        new.cloned().collect()
    }

    /// Empties `batch` and fills it with the next frames, at most `limit`: of several files by time, each file in its
    /// own order, the file given first where times are equal. `Ok(false)`: there are no more. A batch may hold fewer
    /// than `limit`, or none where nothing passed the filter, and yet not be the last: a pipe is not waited for while
    /// there is something to deliver.
    ///
    /// # Errors
    /// When a file cannot be read on. The frames in `batch` are good, the rest of that file is given up, and the other
    /// files can be read on.
    pub fn fill(&mut self, batch: &mut Batch, limit: usize) -> Result<bool, ReadError> {
        batch.frames.clear();
        batch.arena.clear();
        if !batch.maps.as_ref().is_some_and(|maps| Arc::ptr_eq(maps, &self.maps)) {
            batch.maps = Some(Arc::clone(&self.maps));
        }
        let limit = limit.max(1);
        match self.sources.as_mut_slice() {
            [source] if source.is_read_in_blocks() => {
                let result =
                    source.fill(&mut self.interfaces, batch.block.get_or_insert_default(), &mut batch.frames, limit);
                let more = !batch.frames.is_empty();
                if self.window.is_some() || self.filter.is_some() {
                    let mut frames = std::mem::take(&mut batch.frames);
                    frames.retain(|frame| {
                        admits(self.window, self.filter.as_mut(), frame, batch.bytes(frame)).unwrap_or_else(|| {
                            source.count_unfiltered(frame);
                            false
                        })
                    });
                    batch.frames = frames;
                }
                source.count(&batch.frames);
                result.map(|()| more)
            }
            _ => {
                batch.block = None;
                self.merge(batch, limit)
            }
        }
    }

    /// How far reading has come.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let of_each = || self.sources.iter().map(Source::progress);
        Progress {
            bytes_read: of_each().map(|(read, _)| read).sum(),
            bytes_total: of_each().map(|(_, total)| total).sum(),
        }
    }

    /// What is known of each file so far, in the order given; final once [`Capture::fill`] has returned `false`.
    #[must_use]
    pub fn files(&self) -> Vec<FileSummary> {
        self.sources.iter().map(|source| source.summary(&self.interfaces)).collect()
    }

    /// The interfaces of all files, as far as they were declared. [`Frame::interface`] is an index into them.
    #[must_use]
    pub fn interfaces(&self) -> &[Interface] {
        &self.interfaces
    }

    fn merge(&mut self, batch: &mut Batch, limit: usize) -> Result<bool, ReadError> {
        for file in std::mem::take(&mut self.starved) {
            self.refill(file, limit)?;
        }
        let mut scanned = 0;
        while scanned < limit && batch.arena.len() < LARGEST_ARENA {
            let Some(Reverse((_, file))) = self.heads.pop() else { break };
            let Some(source) = self.sources.get_mut(usize::from(file)) else { continue };
            let map = self.maps.get(usize::from(file)).and_then(Option::as_ref);
            let Some(frame) = source.pop() else { continue };
            scanned += 1;
            let bytes = source.bytes(&frame, map);
            match admits(self.window, self.filter.as_mut(), &frame, bytes) {
                Some(true) => {
                    batch.push(frame, bytes, map.is_none());
                    source.count(&[frame]);
                }
                Some(false) => {}
                None => source.count_unfiltered(&frame),
            }
            if let Some(head) = source.head() {
                self.heads.push(Reverse((head.time, file)));
            } else if source.may_wait() {
                self.starved.push(file);
                break;
            } else {
                self.refill(file, limit)?;
            }
        }
        Ok(scanned > 0 || !self.heads.is_empty())
    }

    /// Reads on in a source of which nothing is pending.
    fn refill(&mut self, file: u16, limit: usize) -> Result<(), ReadError> {
        let map = self.maps.get(usize::from(file)).and_then(Option::as_ref);
        let Some(source) = self.sources.get_mut(usize::from(file)) else { return Ok(()) };
        source.refill(map, &mut self.interfaces, limit.min(READ_AHEAD))?;
        self.heads.extend(source.head().map(|frame| Reverse((frame.time, file))));
        Ok(())
    }
}

/// Whether a frame is delivered; `None` where the filter makes no sense for its link type.
fn admits(window: Option<Window>, filter: Option<&mut Filter>, frame: &Frame, bytes: &[u8]) -> Option<bool> {
    if window.is_some_and(|window| !window.contains(frame.time)) {
        return Some(false);
    }
    filter.map_or(Some(true), |filter| filter.accepts(frame.link, bytes))
}

/// The most files of one analysis.
pub const MAX_FILES: usize = 1 << 16;

/// The most interfaces of one analysis; packets on others are counted as faults.
pub const MAX_INTERFACES: usize = 1 << 14;

/// Decryption secrets kept of a file, in bytes.
pub const MAX_SECRETS: usize = 16 << 20;

/// The largest captured length libpcap believes (its `MAXIMUM_SNAPLEN`), except where the file says that it snaps later.
pub const MAXIMUM_SNAPLEN: u32 = 1 << 18;

/// Frames read ahead of each of several files.
const READ_AHEAD: usize = 4096;

/// Bytes copied into a batch after which it is full.
const LARGEST_ARENA: usize = 8 << 20;
