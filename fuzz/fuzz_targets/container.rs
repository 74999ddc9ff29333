//! Any bytes as a container: nothing panics, every frame lies inside the bytes, and reading in pieces finds what
//! reading at once finds. The first byte chooses the size of the pieces.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rtcscope::capture::{Frame, Walker};

fuzz_target!(|input: &[u8]| {
    let Some((piece, bytes)) = input.split_first() else { return };
    let whole = walk(bytes, bytes.len().max(1), usize::MAX);
    for frame in &whole {
        assert!(frame.captured as usize <= bytes.len() && frame.captured <= frame.original);
    }
    assert_eq!(whole, walk(bytes, usize::from(*piece) + 1, 3));
});

/// The end is told only when everything before it was walked: at the very start it changes what is looked at to tell
/// pcap variants apart.
fn walk(bytes: &[u8], piece: usize, limit: usize) -> Vec<Frame> {
    let (mut walker, mut interfaces, mut frames) = (Walker::new(0), Vec::new(), Vec::new());
    let (mut start, mut end, mut at_end) = (0, piece.min(bytes.len()), false);
    loop {
        let mut batch = Vec::new();
        start += walker.walk(&bytes[start..end], at_end, &mut interfaces, &mut batch, limit);
        if batch.is_empty() {
            if at_end || walker.stop().is_some() {
                return frames;
            }
            at_end = end == bytes.len();
            end = (end + piece).min(bytes.len());
        }
        frames.append(&mut batch);
    }
}
