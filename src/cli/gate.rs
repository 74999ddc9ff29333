//! Filter and time window of a capture that is read again whole.

use crate::{
    capture::{Batch, Capture},
    time::PacketId,
};

/// Frames of which the filter is asked at a time.
pub(super) const BATCH: usize = 2048;

/// Which packets pass filter and time window: those that a capture with both delivers. They are a part of all packets,
/// in the same order.
pub(super) struct Gate {
    capture: Capture,
    batch: Batch,
    next: usize,
}

/// Whether a packet passes.
pub(super) enum Pass {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// Nor any that comes later.
    NoMore,
}

impl Gate {
    pub(super) fn new(capture: Capture) -> Self {
        Self { capture, batch: Batch::default(), next: 0 }
    }

    /// Whether the packet passes. Packets must be asked for in order.
    pub(super) fn pass(&mut self, id: PacketId) -> anyhow::Result<Pass> {
        while self.next >= self.batch.frames.len() {
            self.next = 0;
            if !self.capture.fill(&mut self.batch, BATCH)? && self.batch.frames.is_empty() {
                return Ok(Pass::NoMore);
            }
        }
        let head = self.batch.frames.get(self.next).map(|frame| PacketId::new(frame.file, frame.number));
        let passes = head == Some(id);
        self.next += usize::from(passes);
        Ok(if passes { Pass::Yes } else { Pass::No })
    }
}
