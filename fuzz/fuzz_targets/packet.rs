//! Any bytes as a packet of any protocol: shown as a line and as a tree, whose nodes lie inside the bytes. The first two
//! bytes choose the protocol and how much of the packet the capture left out.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rtcscope::report::packet::{Node, Protocol, line, tree};

/// Where the payload starts in the frame.
const BASE: usize = 42;

fuzz_target!(|input: &[u8]| {
    let Some((&[protocol, missing], bytes)) = input.split_first_chunk() else { return };
    let protocol = Protocol::ALL[usize::from(protocol) % Protocol::ALL.len()];
    let wire_length = bytes.len() + usize::from(missing) * 8;
    let summary = line(protocol, bytes, wire_length).summary;
    assert!(!summary.contains(char::is_control), "{summary:?}");
    check(&tree(protocol, bytes, BASE, wire_length), BASE, BASE + bytes.len());
});

fn check(nodes: &[Node], start: usize, end: usize) {
    for node in nodes {
        let node_end = node.offset + node.length;
        assert!(start <= node.offset && node_end <= end, "{node:?} is not in {start}..{end}");
        assert!(!node.label.contains(char::is_control), "{node:?}");
        check(&node.children, node.offset, node_end);
    }
}
