//! Lines and trees of the lab's packets: every field inside the packet, and nothing called malformed that is not.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test may fail")]

mod common;

use std::fs;

use rtcscope::{
    report::packet::{Node, Protocol, line, relayed_line, tree},
    wire::{
        channel::ChannelData,
        dtls,
        rtcp::{Rtcp, classify},
        rtp, sctp, stun,
    },
};

/// Enough of each capture to hold its handshakes and its first media.
const DATAGRAMS: usize = 600;

fn protocol(protocol: u8, bytes: &[u8]) -> Option<Protocol> {
    Some(match bytes {
        _ if protocol == common::frames::SCTP => Protocol::Sctp,
        _ if stun::Message::parse(bytes).is_ok() => Protocol::Stun,
        _ if dtls::looks_like_dtls(bytes, bytes.len()) => Protocol::Dtls,
        _ if ChannelData::parse(bytes, bytes.len()).is_ok_and(|message| message.fits_datagram()) => {
            Protocol::ChannelData
        }
        [0x80..=0xbf, 192..=223, ..] => match classify(bytes) {
            Ok(Rtcp::Clear(_)) => Protocol::Rtcp,
            _ => Protocol::Srtcp,
        },
        _ if sctp::looks_like_sctp_over_udp(bytes) => Protocol::Sctp,
        _ if rtp::Header::parse(bytes, bytes.len()).is_ok() => Protocol::Srtp,
        _ => return None,
    })
}

/// How many nodes there are; each lies inside its parent.
fn check(nodes: &[Node], start: usize, end: usize) -> usize {
    let inside = |node: &Node| {
        assert!(node.offset >= start && node.offset + node.length <= end, "{} not in {start}..{end}", node.label);
        1 + check(&node.children, node.offset, node.offset + node.length)
    };
    nodes.iter().map(inside).sum()
}

#[test]
fn lab_packets() {
    let Some(folder) = common::frames::captures() else { return };
    let mut shown = 0;
    for call in ["lab", "labb"].into_iter().flat_map(|part| fs::read_dir(folder.join(part)).unwrap()) {
        let path = call.unwrap().path().join("capture.pcapng");
        // Cut on purpose.
        if !path.is_file() || path.to_string_lossy().contains("derived-snap") {
            continue;
        }
        for datagram in common::frames::datagrams(&path).iter().take(DATAGRAMS) {
            let bytes = &datagram.payload[..];
            let Some(protocol) = protocol(datagram.protocol, bytes) else { continue };
            let said = line(protocol, bytes, bytes.len());
            let place = || format!("{} packet {}: {} {}", path.display(), datagram.number, said.protocol, said.summary);
            assert!(!said.summary.contains("[malformed"), "{}", place());
            assert!(check(&tree(protocol, bytes, 42, bytes.len()), 42, 42 + bytes.len()) > 1, "{}", place());
            let half = &bytes[..bytes.len() / 2];
            check(&tree(protocol, half, 0, bytes.len()), 0, half.len());
            let _ = (line(protocol, half, bytes.len()), relayed_line(protocol, Protocol::Rtp, bytes, bytes.len()));
            shown += 1;
        }
    }
    assert!(shown > 10_000, "{shown} packets");
}
