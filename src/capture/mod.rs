//! Containers to frames: pcap and pcapng files, compressed or piped, one or many.

use crate::time::Timestamp;

pub use crate::wire::LinkType;

/// One captured frame: where its bytes are and what the container said of it. 48 bytes, `Copy`.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    /// When it was captured.
    pub time: Timestamp,
    /// Its place in its file, counted from 1 as Wireshark counts.
    pub number: u64,
    /// Where its bytes start, in the memory map of its file or in the batch's own buffer.
    pub(crate) offset: u64,
    /// Bytes captured.
    pub captured: u32,
    /// Bytes the frame had on the wire; more than `captured` where it was snapped.
    pub original: u32,
    /// Which interface of the whole analysis it was captured on (an index into [`Interface`]s over all files).
    pub interface: u32,
    /// Which file, counted from 0 in the order given.
    pub file: u16,
    /// The link type of that interface.
    pub link: LinkType,
}
