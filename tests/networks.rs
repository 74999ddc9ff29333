//! Frames to flows, on the public captures: what `parse` and the reassembler make of them against what tshark says.

use std::{collections::BTreeMap, path::PathBuf};

use rtcscope::{
    flow::{Outcome, Reassembler},
    time::Timestamp,
    wire::{Content, Endpoint, LinkType, Packet, parse, resume},
};
use serde_json::Value;

type Flows = BTreeMap<(&'static str, Endpoint, Endpoint), u64>;

#[test]
fn flows_are_those_of_tshark() {
    let Some(public) = public() else { return };
    let mut compared = 0;
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(public.join("truth")).unwrap() {
        let truth: Value = serde_json::from_slice(&std::fs::read(entry.unwrap().path()).unwrap()).unwrap();
        let name = truth["name"].as_str().unwrap();
        let Ok(bytes) = std::fs::read(public.join("captures").join(name)) else { continue };
        let Some(frames) = frames(&bytes) else { continue };
        let truth = &truth["tshark_heuristic_rtp_on"];
        let expected = expected(truth);
        let found = flows(&frames);
        compared += 1;
        let tcp = found.keys().filter(|key| key.0 == "tcp").count();
        if tcp as u64 != truth["tcp_flow_count"] {
            wrong.push(format!("{name}: {} tcp flows by tshark, {tcp} here", truth["tcp_flow_count"]));
        }
        let listed = |key: &&(&'static str, Endpoint, Endpoint)| key.0 == "udp" || expected.contains_key(key);
        for key in expected.keys().chain(found.keys()).filter(listed).collect::<std::collections::BTreeSet<_>>() {
            let (want, have) = (expected.get(key).copied().unwrap_or(0), found.get(key).copied().unwrap_or(0));
            if want != have {
                wrong.push(format!("{name}: {} {} {}: {want} by tshark, {have} here", key.0, key.1, key.2));
            }
        }
    }
    assert!(compared > 300, "only {compared} captures were read");
    assert!(wrong.is_empty(), "{} of them:\n{}", wrong.len(), wrong.join("\n"));
}

/// The flows of a truth file. tshark's conversations are of the innermost addresses and the innermost ports.
fn expected(truth: &Value) -> Flows {
    let mut flows = Flows::new();
    for flow in truth["flows"].as_array().unwrap() {
        let end = |name: &str| Endpoint::from(flow[name].as_str().unwrap().parse::<std::net::SocketAddr>().unwrap());
        let transport = if flow["transport"] == "udp" { "udp" } else { "tcp" };
        *flows.entry(key(transport, end("a"), end("b"))).or_default() += flow["packets"].as_u64().unwrap();
    }
    flows
}

fn key(transport: &'static str, a: Endpoint, b: Endpoint) -> (&'static str, Endpoint, Endpoint) {
    if a <= b { (transport, a, b) } else { (transport, b, a) }
}

/// The flows of a capture. A fragmented packet counts once, when it is whole.
fn flows(frames: &[Frame<'_>]) -> Flows {
    let mut flows = Flows::new();
    let mut reassembler = Reassembler::new();
    for frame in frames {
        let mut count = |packet: &Packet| {
            let transport = match packet.content {
                Content::Udp => "udp",
                Content::Tcp(_) => "tcp",
                // tshark puts the error into the flow it cites.
                Content::IcmpError(error) if error.protocol == 17 && error.original_source.port() != 0 => {
                    *flows.entry(key("udp", error.original_source, error.original_destination)).or_default() += 1;
                    return;
                }
                _ => return,
            };
            *flows.entry(key(transport, packet.source, packet.destination)).or_default() += 1;
        };
        let Ok(packet) = parse(frame.link, frame.bytes) else { continue };
        count(&packet);
        let Content::Fragment(fragment) = packet.content else { continue };
        let piece = &frame.bytes[packet.payload as usize..][..packet.captured as usize];
        if let Outcome::Complete(whole) = reassembler.push(frame.time, &packet, &fragment, piece)
            && let Ok(packet) = resume(&packet, &whole)
        {
            count(&packet);
        }
    }
    flows
}

/// One record of a capture.
struct Frame<'a> {
    time: Timestamp,
    link: LinkType,
    bytes: &'a [u8],
}

/// The records of a pcap or pcapng capture as far as they are whole; nothing for other files.
fn frames(bytes: &[u8]) -> Option<Vec<Frame<'_>>> {
    match bytes.first_chunk()? {
        [0xd4, 0xc3, 0xb2, 0xa1] | [0x4d, 0x3c, 0xb2, 0xa1] => Some(pcap(bytes, u32::from_le_bytes)),
        [0xa1, 0xb2, 0xc3, 0xd4] | [0xa1, 0xb2, 0x3c, 0x4d] => Some(pcap(bytes, u32::from_be_bytes)),
        [0x0a, 0x0d, 0x0d, 0x0a] => Some(pcapng(bytes)),
        _ => None,
    }
}

fn word(bytes: &[u8], at: usize, order: fn([u8; 4]) -> u32) -> Option<usize> {
    Some(order(*bytes.get(at..)?.first_chunk()?) as usize)
}

fn pcap(bytes: &[u8], order: fn([u8; 4]) -> u32) -> Vec<Frame<'_>> {
    let link = LinkType(word(bytes, 20, order).unwrap() as u16);
    let mut frames = Vec::new();
    let mut at = 24;
    while let (Some(seconds), Some(captured)) = (word(bytes, at, order), word(bytes, at + 8, order)) {
        let Some(record) = bytes.get(at + 16..at + 16 + captured) else { break };
        frames.push(Frame { time: Timestamp(seconds as i64 * 1_000_000_000), link, bytes: record });
        at += 16 + captured;
    }
    frames
}

/// Times are left out: no public pcapng capture needs fragments to expire.
fn pcapng(bytes: &[u8]) -> Vec<Frame<'_>> {
    let mut order: fn([u8; 4]) -> u32 = u32::from_le_bytes;
    let mut links = Vec::new();
    let mut frames = Vec::new();
    let mut rest = bytes;
    while let Some(kind) = word(rest, 0, order) {
        if kind == 0x0a0d_0d0a {
            links.clear();
            order = if rest.get(8) == Some(&0x4d) { u32::from_le_bytes } else { u32::from_be_bytes };
        }
        let Some(block) = word(rest, 4, order).filter(|length| *length >= 12).and_then(|length| rest.get(..length))
        else {
            break;
        };
        let two = |at: usize| {
            word(block, at, order).map_or(0, |word| if order([0, 0, 0, 1]) == 1 { word >> 16 } else { word & 0xffff })
        };
        let (interface, captured, at) = match kind {
            1 => {
                links.push(LinkType(two(8) as u16));
                (0, None, 0)
            }
            2 => (two(8), word(block, 20, order), 28),
            3 => (0, word(block, 8, order).map(|length| length.min(block.len() - 16)), 12),
            6 => (word(block, 8, order).unwrap_or(0), word(block, 20, order), 28),
            _ => (0, None, 0),
        };
        if let (Some(&link), Some(record)) =
            (links.get(interface), captured.and_then(|length| block.get(at..at + length)))
        {
            frames.push(Frame { time: Timestamp(0), link, bytes: record });
        }
        rest = &rest[block.len()..];
    }
    frames
}

/// The public captures; none are not an error, as they are not part of the source.
fn public() -> Option<PathBuf> {
    let captures = std::env::var_os("RTCSCOPE_CAPTURES")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/captures"), PathBuf::from);
    let public = captures.join("public");
    if public.is_dir() {
        return Some(public);
    }
    println!("skipped: no captures in {} (set RTCSCOPE_CAPTURES)", captures.display());
    None
}
