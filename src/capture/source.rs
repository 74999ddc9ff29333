//! One file, pipe or compressed file: where its bytes come from, and the frames that were read ahead.

use std::{
    fs::File,
    io::{self, BufReader, Cursor, Read, Seek},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use memmap2::{Advice, Mmap};

use super::{
    Compression, Fault, FileSummary, Format, Frame, Interface, LinkType, OpenError, ReadError, Why,
    blocks::{Block, Blocks},
    summary::{Secrets, Tally},
    walker::Walker,
};

/// One input and how far it was read.
pub(super) struct Source {
    path: String,
    compression: Option<Compression>,
    /// Bytes of the file as it lies on disk; `None` for a pipe.
    size: Option<u64>,
    bytes: Bytes,
    walker: Walker,
    pending: Vec<Frame>,
    next: usize,
    tally: Tally,
    unfiltered: Option<Fault>,
}

/// Where the bytes are.
enum Bytes {
    /// In blocks that batches hold; here, the first, while the frame in it is pending.
    Blocks(Blocks, Block),
    /// In a memory map, which lives beside the source, read up to this position.
    Mapped(usize),
    /// In a buffer that moves along.
    Streamed(Stream),
}

impl Source {
    /// Opens a path, `-` being standard input. The map, if one was made, is for the caller to keep; a file that is
    /// `alone` needs none.
    pub fn open(path: &Path, file: u16, alone: bool) -> Result<(Self, Option<Mmap>), OpenError> {
        let name = path.display().to_string();
        let failed = |error: io::Error| open_error(name.clone(), error);
        if path.as_os_str() == "-" {
            let stream = Stream::new(Box::new(io::stdin()), true);
            return Self::streamed(name, file, None, stream).map(|source| (source, None));
        }
        let metadata = std::fs::metadata(path).map_err(failed)?;
        if metadata.is_dir() {
            return Err(OpenError::Directory { path: name });
        }
        let mut input = File::open(path).map_err(failed)?;
        if !metadata.is_file() {
            return Self::streamed(name, file, None, Stream::new(Box::new(input), true)).map(|source| (source, None));
        }
        if metadata.len() == 0 {
            return Err(OpenError::Empty { path: name });
        }
        if alone && !is_compressed(&mut input).map_err(failed)? {
            let bytes = Bytes::Blocks(Blocks::new(input), Block::default());
            return Ok((Self::new(name, file, Some(metadata.len()), None, bytes), None));
        }
        let map = map(&input).ok().filter(|map| compression_of(map).is_none());
        if map.is_none() {
            let stream = Stream::new(Box::new(input), false);
            return Self::streamed(name, file, Some(metadata.len()), stream).map(|source| (source, None));
        }
        Ok((Self::new(name, file, Some(metadata.len()), None, Bytes::Mapped(0)), map))
    }

    /// A source that reads from `input`.
    pub fn from_reader(path: &str, input: Box<dyn Read + Send>) -> Result<Self, OpenError> {
        Self::streamed(path.to_owned(), 0, None, Stream::new(input, false))
    }

    fn streamed(path: String, file: u16, size: Option<u64>, mut stream: Stream) -> Result<Self, OpenError> {
        let compression = match stream.decompress() {
            Ok(compression) => compression,
            Err(error) => return Err(open_error(path, error)),
        };
        if stream.ended && stream.gauge.read.load(Ordering::Relaxed) == 0 {
            return Err(OpenError::Empty { path: title(path) });
        }
        Ok(Self::new(path, file, size, compression, Bytes::Streamed(stream)))
    }

    fn new(path: String, file: u16, size: Option<u64>, compression: Option<Compression>, bytes: Bytes) -> Self {
        Self {
            path,
            compression,
            size,
            bytes,
            walker: Walker::new(file),
            pending: Vec::new(),
            next: 0,
            tally: Tally::default(),
            unfiltered: None,
        }
    }

    /// Reads until at least one frame is pending or the source is at its end. `map` is the source's own.
    pub fn refill(
        &mut self,
        map: Option<&Mmap>,
        interfaces: &mut Vec<Interface>,
        limit: usize,
    ) -> Result<(), ReadError> {
        self.next = 0;
        self.pending.clear();
        match &mut self.bytes {
            Bytes::Blocks(blocks, first) => blocks
                .fill(first, &mut self.walker, interfaces, &mut self.pending, limit)
                .map_err(|source| ReadError::Io { path: self.path.clone(), bytes: self.walker.position(), source }),
            Bytes::Mapped(position) => {
                let rest = map.and_then(|map| map.get(*position..)).unwrap_or_default();
                *position += self.walker.walk(rest, true, interfaces, &mut self.pending, limit);
                Ok(())
            }
            Bytes::Streamed(stream) => loop {
                stream.walk(&mut self.walker, interfaces, &mut self.pending, limit);
                if !self.pending.is_empty() || self.walker.stop().is_some() || stream.ended {
                    return Ok(());
                }
                if let Err(source) = stream.read() {
                    stream.ended = true;
                    let bytes = stream.gauge.read.load(Ordering::Relaxed);
                    return Err(ReadError::Io { path: title(self.path.clone()), bytes, source });
                }
            },
        }
    }

    /// Whether [`Source::fill`] reads it.
    pub const fn is_read_in_blocks(&self) -> bool {
        matches!(self.bytes, Bytes::Blocks(..))
    }

    /// Reads the next block, and up to `limit` frames of it; first of all the block that was read when it was opened.
    pub fn fill(
        &mut self,
        interfaces: &mut Vec<Interface>,
        block: &mut Block,
        frames: &mut Vec<Frame>,
        limit: usize,
    ) -> Result<(), ReadError> {
        let Bytes::Blocks(blocks, first) = &mut self.bytes else { return Ok(()) };
        if !self.pending.is_empty() {
            std::mem::swap(block, first);
            frames.append(&mut self.pending);
            return Ok(());
        }
        blocks.fill(block, &mut self.walker, interfaces, frames, limit).map_err(|source| ReadError::Io {
            path: self.path.clone(),
            bytes: self.walker.position(),
            source,
        })
    }

    /// The frame that is next.
    pub fn head(&self) -> Option<&Frame> {
        self.pending.get(self.next)
    }

    /// Takes the frame that is next.
    pub fn pop(&mut self) -> Option<Frame> {
        let frame = self.pending.get(self.next).copied();
        self.next += 1;
        frame
    }

    /// The bytes of a pending frame; `map` is the source's own.
    pub fn bytes<'a>(&'a self, frame: &Frame, map: Option<&'a Mmap>) -> &'a [u8] {
        let (bytes, base) = match &self.bytes {
            Bytes::Blocks(_, first) => return first.bytes(frame),
            Bytes::Mapped(_) => (map.map(|map| &**map).unwrap_or_default(), 0),
            Bytes::Streamed(stream) => {
                (stream.buffer.as_slice(), self.walker.position().saturating_sub(stream.start as u64))
            }
        };
        slice(bytes, frame.offset.wrapping_sub(base), frame.captured)
    }

    /// Whether reading on may wait for somebody to write.
    pub const fn may_wait(&self) -> bool {
        matches!(&self.bytes, Bytes::Streamed(stream) if stream.may_wait && !stream.ended)
    }

    /// Bytes read so far, as they lie on disk, and bytes there are.
    pub fn progress(&self) -> (u64, Option<u64>) {
        match &self.bytes {
            Bytes::Blocks(..) => (self.walker.position(), self.size),
            Bytes::Mapped(position) => (*position as u64, self.size),
            Bytes::Streamed(stream) => (stream.gauge.read.load(Ordering::Relaxed), self.size),
        }
    }

    /// Why nothing of this source can be read, once it was read ahead for the first time.
    pub fn refusal(&self) -> Option<OpenError> {
        if self.walker.format().is_some() {
            return None;
        }
        let looks = self.walker.looks().unwrap_or("a capture that was cut inside its header");
        let looks = match self.compression {
            Some(Compression::Gzip) => format!("gzip-compressed data, and inside of it {looks}"),
            Some(Compression::Zstd) => format!("Zstandard-compressed data, and inside of it {looks}"),
            None => looks.to_owned(),
        };
        Some(OpenError::NotACapture { path: title(self.path.clone()), looks })
    }

    /// Counts delivered frames.
    pub fn count(&mut self, frames: &[Frame]) {
        self.tally.add(frames, self.walker.ledger().untimed > 0);
    }

    /// Counts a frame whose link type the filter could not be compiled for.
    pub fn count_unfiltered(&mut self, frame: &Frame) {
        let fault = self.unfiltered.get_or_insert(Fault {
            kind: crate::wire::Kind::Unsupported,
            count: 0,
            first_packet: frame.number,
            first_byte: 0,
        });
        fault.count += 1;
    }

    /// Its blocks of decryption secrets, as far as it was read.
    pub fn secrets(&self) -> &[Secrets] {
        &self.walker.ledger().secrets
    }

    /// What is known so far.
    pub fn summary(&self, interfaces: &[Interface]) -> FileSummary {
        let ledger = self.walker.ledger();
        let own = || ledger.interfaces.iter().filter_map(|id| interfaces.get(*id as usize));
        let mut link_types: Vec<LinkType> = Vec::new();
        for interface in own() {
            if !link_types.contains(&interface.link) {
                link_types.push(interface.link);
            }
        }
        let timed = ledger.untimed == 0 || ledger.untimed < ledger.packets;
        FileSummary {
            path: self.path.clone(),
            format: self.walker.format().unwrap_or(Format::Pcap),
            compression: self.compression,
            packets: self.tally.packets,
            total_packets: ledger.packets,
            bytes: self.tally.bytes,
            captured_bytes: self.tally.captured_bytes,
            first: self.tally.first.filter(|_| timed),
            last: self.tally.last.filter(|_| timed),
            link_types,
            truncated: ledger.stop.is_some_and(|stop| matches!(stop.why, Why::Cut | Why::CutCompression)),
            stop: ledger.stop,
            snapped: self.tally.snapped,
            snaplen: own().map(|interface| interface.snaplen).max().unwrap_or(0),
            interfaces: ledger.interfaces.clone(),
            faults: ledger.faults.iter().copied().chain(self.unfiltered).collect(),
            time_backwards: self.tally.backwards,
            first_backwards: self.tally.first_backwards,
            largest_step_back: self.tally.largest_step_back,
            untimed: ledger.untimed,
            drops: own().filter_map(|interface| interface.dropped).reduce(u64::saturating_add),
            secrets: ledger.secrets.clone(),
            unknown_blocks: ledger.unknown_blocks.clone(),
        }
    }
}

/// `captured` bytes of `bytes` from `offset` on; none where they are not there.
pub(super) fn slice(bytes: &[u8], offset: u64, captured: u32) -> &[u8] {
    usize::try_from(offset).ok().and_then(|start| bytes.get(start..)?.get(..captured as usize)).unwrap_or_default()
}

/// What errors call a path.
fn title(path: String) -> String {
    if path == "-" { "standard input".to_owned() } else { path }
}

fn open_error(path: String, error: io::Error) -> OpenError {
    let path = title(path);
    match error.kind() {
        io::ErrorKind::NotFound => OpenError::NotFound { path },
        io::ErrorKind::PermissionDenied => OpenError::Permission { path },
        io::ErrorKind::IsADirectory => OpenError::Directory { path },
        _ => OpenError::Io { path, source: error },
    }
}

/// Maps a file. It is read front to back once, which the operating system is told.
#[expect(unsafe_code, reason = "a file can only be mapped by an unsafe function")]
fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: the map is only read. Somebody else may write to the file meanwhile: bytes then change under us, which
    // parsers that trust no byte twice survive. Somebody may also shrink the file: reading behind its new end raises
    // SIGBUS, which ends the process; every reader of mapped files has that, and captures are appended to, not cut.
    let map = unsafe { Mmap::map(file)? };
    #[cfg(unix)]
    // Advice may be refused; nothing depends on it.
    let _ = map.advise(Advice::Sequential);
    Ok(map)
}

/// Whether a file is compressed; it is read from its start again.
fn is_compressed(file: &mut File) -> io::Result<bool> {
    let mut magic = Vec::with_capacity(4);
    Read::by_ref(file).take(4).read_to_end(&mut magic)?;
    file.rewind()?;
    Ok(compression_of(&magic).is_some())
}

/// What the first bytes say a file is compressed with.
fn compression_of(bytes: &[u8]) -> Option<Compression> {
    match bytes {
        [0x1f, 0x8b, ..] => Some(Compression::Gzip),
        // A frame, or a skippable frame in front of the first.
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Compression::Zstd),
        _ => None,
    }
}

/// A buffer over a reader.
struct Stream {
    input: Box<dyn Read + Send>,
    gauge: Arc<Gauge>,
    buffer: Vec<u8>,
    /// The part of the buffer that was read and not yet walked.
    start: usize,
    filled: usize,
    ended: bool,
    damaged: bool,
    compressed: bool,
    may_wait: bool,
}

impl Stream {
    fn new(input: Box<dyn Read + Send>, may_wait: bool) -> Self {
        let gauge = Arc::<Gauge>::default();
        Self {
            input: Box::new(Gauged { input, gauge: Arc::clone(&gauge) }),
            gauge,
            buffer: Vec::new(),
            start: 0,
            filled: 0,
            ended: false,
            damaged: false,
            compressed: false,
            may_wait,
        }
    }

    /// Looks at the first bytes and puts a decompressor in front if they ask for one.
    fn decompress(&mut self) -> io::Result<Option<Compression>> {
        let mut magic = Vec::with_capacity(4);
        Read::by_ref(&mut self.input).take(4).read_to_end(&mut magic)?;
        self.ended = magic.is_empty();
        let compression = compression_of(&magic);
        let raw = std::mem::replace(&mut self.input, Box::new(io::empty()));
        let raw = Cursor::new(magic).chain(raw);
        self.input = match compression {
            None => Box::new(raw),
            Some(Compression::Gzip) => {
                Box::new(flate2::bufread::MultiGzDecoder::new(BufReader::with_capacity(CHUNK, raw)))
            }
            Some(Compression::Zstd) => Box::new(zstd::Decoder::with_buffer(BufReader::with_capacity(CHUNK, raw))?),
        };
        self.compressed = compression.is_some();
        Ok(compression)
    }

    /// Walks what the buffer holds.
    fn walk(&mut self, walker: &mut Walker, interfaces: &mut Vec<Interface>, frames: &mut Vec<Frame>, limit: usize) {
        let unread = self.buffer.get(self.start..self.filled).unwrap_or_default();
        self.start += walker.walk(unread, self.ended, interfaces, frames, limit);
        if self.damaged && frames.len() < limit {
            walker.cut_compression(walker.position());
        }
    }

    /// Reads on. What is left in the buffer moves to its front; nobody may hold frames of it.
    fn read(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.start..self.filled, 0);
        self.filled -= self.start;
        self.start = 0;
        // Twice as much each time: what is small is read without filling a mebibyte with zeros first.
        let chunk = self.buffer.len().clamp(FIRST_CHUNK, CHUNK);
        if self.buffer.len() < self.filled + chunk {
            self.buffer.resize(self.filled + chunk, 0);
        }
        let room = self.buffer.get_mut(self.filled..).unwrap_or_default();
        loop {
            match self.input.read(room) {
                Ok(0) => self.ended = true,
                Ok(count) => self.filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) if self.compressed && !self.gauge.failed.load(Ordering::Relaxed) => {
                    self.ended = true;
                    self.damaged = true;
                }
                Err(error) => return Err(error),
            }
            return Ok(());
        }
    }
}

/// Bytes read from below a decompressor, and whether it was the reading that failed.
#[derive(Default)]
struct Gauge {
    read: AtomicU64,
    failed: AtomicBool,
}

struct Gauged {
    input: Box<dyn Read + Send>,
    gauge: Arc<Gauge>,
}

impl Read for Gauged {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.input.read(buffer) {
            Ok(count) => {
                self.gauge.read.fetch_add(count as u64, Ordering::Relaxed);
                Ok(count)
            }
            Err(error) => {
                if error.kind() != io::ErrorKind::Interrupted {
                    self.gauge.failed.store(true, Ordering::Relaxed);
                }
                Err(error)
            }
        }
    }
}

/// Bytes read at first.
const FIRST_CHUNK: usize = 1 << 14;

/// Bytes read at once.
const CHUNK: usize = 1 << 20;
