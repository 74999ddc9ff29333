//! Any bytes as a key log, whole and as one that grows.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rtcscope::crypto::keylog::{KeyLog, Lines};

fuzz_target!(|data: &[u8]| {
    let mut whole = KeyLog::default();
    whole.take(data);
    let (mut grown, mut lines) = (KeyLog::default(), Lines::default());
    let cut = usize::from(data.first().copied().unwrap_or(1).max(1));
    for part in data.chunks(cut) {
        lines.feed(part, &mut grown);
    }
    lines.finish(&mut grown);
    assert_eq!(whole.tally(), grown.tally());
    let _ = format!("{whole:?}");
});
