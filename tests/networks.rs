//! Frames to flows, on the public captures: what `parse` and the reassembler make of them against what tshark says.

#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    path::PathBuf,
};

use rtcscope::{
    flow::{Outcome, Reassembler},
    time::Timestamp,
    wire::{Content, Endpoint, LinkType, Packet, parse, resume},
};
use serde_json::Value;

type Key = (&'static str, Endpoint, Endpoint);
type Flows = BTreeMap<Key, u64>;

/// Captures where the flow list of the truth is not the innermost one, and why. Those of tunnels are held to [`INNERMOST`].
const DEVIATIONS: &[(&str, &str)] = &[
    // The list takes the first port but the last address of a frame, or an IPv6 address of another layer.
    ("PcapPlusPlus__Packet++Test__PacketExamples__GrePackets.pcap", "tunnel"),
    ("PcapPlusPlus__Packet++Test__PacketExamples__Vxlan2.pcap", "tunnel"),
    ("PcapPlusPlus__Packet++Test__PacketExamples__gtp.pcap", "tunnel"),
    ("arkime__6-4-gre-ppp-udp-4-dns.pcap", "tunnel"),
    ("libpcap__filter__geneve.pcap", "tunnel"),
    ("mercury__emix.pcap", "one Teredo packet"),
    ("mercury__geneve.pcap", "tunnel"),
    ("nDPI__false_positives.pcapng", "tunnel"),
    ("nDPI__teredo.pcap", "tunnel"),
    ("suricata-verify__decode-teredo-01__input.pcap", "tunnel"),
    ("suricata-verify__geneve-decoder__input.pcap", "tunnel"),
    ("tcpdump__bigtcp-ipv4-vxlan-ipv6.pcap", "tunnel; tshark 4.0 stops at the lengths of 0"),
    ("tcpdump__gso-ipv4-geneve-ipv4.pcap", "tunnel"),
    ("tcpdump__gso-ipv4-geneve-ipv6.pcap", "tunnel"),
    ("tcpdump__gso-ipv4-vxlan-ipv4.pcap", "tunnel"),
    ("tcpdump__gso-ipv6-geneve-ipv4.pcap", "tunnel"),
    ("tcpdump__gso-ipv6-geneve-ipv6.pcap", "tunnel"),
    ("tcpdump__gso-ipv6-vxlan-ipv4.pcap", "tunnel"),
    ("zeek__tunnels__geneve-many-options.pcap", "tunnel"),
    ("zeek__tunnels__geneve.pcap", "tunnel"),
    ("zeek__tunnels__gtp__gtp1_gn_normal_incl_fragmentation.pcap", "tunnel"),
    ("zeek__tunnels__gtp__gtp2_different_udp_port.pcap", "tunnel"),
    ("zeek__tunnels__gtp__gtp7_ipv6.pcap", "tunnel"),
    ("zeek__tunnels__vxlan-triple-v2.pcap", "tunnel"),
    // ARCNET is not read.
    ("libpcap__filter__arcnet-rfc1051-arp-icmp-http.pcap", "link type"),
    ("libpcap__filter__arcnet-rfc1201-arp-icmp-http.pcap", "link type"),
    ("tcpdump__arcnet-rfc1051-arp-icmp-http.pcap", "link type"),
    ("tcpdump__arcnet-rfc1201-arp-icmp-http.pcap", "link type"),
    // tshark takes the ports of TCP headers whose length is beyond their packet.
    ("nDPI__fuzz-2006-06-26-2594.pcap", "malformed"),
    ("nDPI__fuzz-2006-09-29-28586.pcap", "malformed"),
    // tshark reads ports off a first piece whose rest never comes.
    ("tcpdump__dhcp6_reconf_asan.pcap", "a first fragment"),
    ("zeek__ipv4__fragmented-1.pcap", "fragments that contradict each other"),
];

#[test]
fn flows_are_those_of_tshark() {
    let Some(public) = public() else { return };
    let (mut compared, mut wrong) = (0, Vec::new());
    for entry in std::fs::read_dir(public.join("truth")).unwrap() {
        let truth: Value = serde_json::from_slice(&std::fs::read(entry.unwrap().path()).unwrap()).unwrap();
        let name = truth["name"].as_str().unwrap();
        let Ok(bytes) = std::fs::read(public.join("captures").join(name)) else { continue };
        let Some(frames) = frames(&bytes) else { continue };
        if DEVIATIONS.iter().any(|(deviates, _)| *deviates == name) {
            continue;
        }
        compared += 1;
        let truth = &truth["tshark_heuristic_rtp_on"];
        let (expected, found) = (expected(truth), flows(&frames, true));
        // The lists have UDP flows, up to 40, and of the TCP flows those that carry something of interest.
        let cut = expected.keys().filter(|key| key.0 == "udp").count() >= 40;
        let listed = |key: &&Key| key.0 == "udp" && !cut || expected.contains_key(key);
        for key in expected.keys().chain(found.keys()).filter(listed).collect::<BTreeSet<_>>() {
            let (want, have) = (expected.get(key).copied().unwrap_or(0), found.get(key).copied().unwrap_or(0));
            if want != have {
                wrong.push(format!("{name}: {} {} {}: {want} by tshark, {have} here", key.0, key.1, key.2));
            }
        }
        for transport in ["udp", "tcp"] {
            let want = &truth[format!("{transport}_flow_count")];
            let have = found.keys().filter(|key| key.0 == transport).count() as u64;
            if *want != have {
                wrong.push(format!("{name}: {want} {transport} flows by tshark, {have} here"));
            }
        }
    }
    assert!(compared > 300, "only {compared} captures were read");
    assert!(wrong.is_empty(), "{} of them:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn innermost_flows_are_those_of_tshark() {
    let Some(public) = public() else { return };
    for name in INNERMOST.iter().map(|row| row.0).collect::<BTreeSet<_>>() {
        let bytes = std::fs::read(public.join("captures").join(name)).unwrap();
        let end = |address: &str| Endpoint::from(address.parse::<SocketAddr>().unwrap());
        let rows = INNERMOST.iter().filter(|row| row.0 == name);
        let expected: Flows = rows.map(|row| (key(row.1, end(row.2), end(row.3)), row.4)).collect();
        assert_eq!(flows(&frames(&bytes).unwrap(), false), expected, "{name}");
    }
}

#[test]
fn no_frame_and_no_prefix_of_one_panics() {
    let Some(public) = public() else { return };
    for entry in std::fs::read_dir(public.join("captures")).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        for frame in frames(&bytes).unwrap_or_default().iter().take(40) {
            for length in 0..frame.bytes.len().min(256) {
                let bytes = &frame.bytes[..length];
                if let Ok(packet) = parse(frame.link, bytes) {
                    assert!(packet.payload as usize + packet.captured as usize <= bytes.len(), "{packet:?}");
                    assert!(packet.captured <= packet.length, "{packet:?}");
                }
            }
        }
    }
}

/// The flows of a truth file.
fn expected(truth: &Value) -> Flows {
    let mut flows = Flows::new();
    for flow in truth["flows"].as_array().unwrap() {
        let end = |name: &str| Endpoint::from(flow[name].as_str().unwrap().parse::<SocketAddr>().unwrap());
        let transport = if flow["transport"] == "udp" { "udp" } else { "tcp" };
        *flows.entry(key(transport, end("a"), end("b"))).or_default() += flow["packets"].as_u64().unwrap();
    }
    flows
}

fn key(transport: &'static str, a: Endpoint, b: Endpoint) -> Key {
    if a <= b { (transport, a, b) } else { (transport, b, a) }
}

/// The flows of a capture. A fragmented packet counts once, when it is whole; an ICMP error, with `cited`, in the flow
/// it cites, as tshark counts it.
fn flows(frames: &[Frame<'_>], cited: bool) -> Flows {
    let mut flows = Flows::new();
    let mut reassembler = Reassembler::new();
    for frame in frames {
        let mut count = |packet: &Packet| {
            let transport = match packet.content {
                Content::Udp => "udp",
                Content::Tcp(_) => "tcp",
                Content::IcmpError(error) if cited && error.original_source.port() != 0 => {
                    let transport = if error.protocol == 6 { "tcp" } else { "udp" };
                    let key = key(transport, error.original_source, error.original_destination);
                    *flows.entry(key).or_default() += 1;
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

/// Innermost flows of captures of tunnels, from `tshark -T fields -E occurrence=l`, ICMP errors left out.
const INNERMOST: &[(&str, &str, &str, &str, u64)] = &[
    ("PcapPlusPlus__Packet++Test__PacketExamples__GrePackets.pcap", "tcp", "10.0.0.4:1232", "10.0.0.5:80", 1),
    ("PcapPlusPlus__Packet++Test__PacketExamples__GrePackets.pcap", "udp", "172.16.44.3:40768", "8.8.8.8:53", 1),
    ("PcapPlusPlus__Packet++Test__PacketExamples__GrePackets.pcap", "udp", "224.0.0.9:520", "3.3.3.2:520", 1),
    (
        "PcapPlusPlus__Packet++Test__PacketExamples__PPPoESession.pcap",
        "udp",
        "[fe80::c801:eff:fe88:8]:547",
        "[fe80::ce05:eff:fe88:0]:546",
        1,
    ),
    ("PcapPlusPlus__Packet++Test__PacketExamples__gtp.pcap", "tcp", "10.155.182.202:41511", "10.155.186.57:6005", 1),
    ("PcapPlusPlus__Packet++Test__PacketExamples__gtp.pcap", "udp", "192.168.168.238:2123", "192.168.168.245:2123", 1),
    (
        "PcapPlusPlus__Packet++Test__PacketExamples__gtp.pcap",
        "udp",
        "[2001:507:0:1:200:8600:0:1]:2396",
        "[2001:507:0:1:200:8600:0:2]:53",
        2,
    ),
    ("arkime__6-4-gre-ppp-udp-4-dns.pcap", "udp", "172.16.44.3:40768", "8.8.8.8:53", 2),
    ("arkime__80211http.pcap", "tcp", "14.17.32.211:80", "172.5.5.113:49417", 26),
    ("arkime__gre-sample.pcap", "tcp", "172.28.2.3:22", "66.59.111.190:40264", 22),
    ("arkime__gre-sample.pcap", "udp", "129.170.17.4:123", "66.59.111.190:123", 2),
    ("arkime__gre-sample.pcap", "udp", "172.28.2.3:53", "66.59.111.190:37675", 2),
    ("arkime__gre-sample.pcap", "udp", "18.26.4.105:123", "66.59.111.190:123", 2),
    ("arkime__gre-sample.pcap", "udp", "66.59.111.182:123", "66.59.111.190:123", 2),
    ("libpcap__filter__geneve.pcap", "tcp", "30.0.0.1:22", "30.0.0.2:51225", 8),
    ("nDPI__4in4tunnel.pcap", "udp", "10.10.100.25:62367", "10.10.101.2:17000", 5),
    ("nDPI__dtls.pcap", "udp", "10.191.227.13:54162", "157.240.16.128:3478", 4),
    ("nDPI__dtls.pcap", "udp", "127.0.0.1:11111", "127.0.0.1:40983", 18),
    ("nDPI__dtls.pcap", "udp", "192.168.13.203:40739", "192.168.13.57:56515", 2),
    ("nDPI__false_positives.pcapng", "tcp", "10.140.231.26:61202", "159.65.12.169:443", 4),
    ("nDPI__false_positives.pcapng", "udp", "10.102.45.249:31046", "10.133.48.100:21176", 30),
    ("nDPI__false_positives.pcapng", "udp", "10.110.31.25:1272", "10.133.32.101:36408", 20),
    ("nDPI__false_positives.pcapng", "udp", "10.126.70.67:23784", "10.236.7.225:50160", 30),
    ("nDPI__false_positives.pcapng", "udp", "10.136.43.69:21048", "10.192.92.81:52070", 30),
    ("nDPI__false_positives.pcapng", "udp", "192.168.12.156:37649", "57.128.172.97:9981", 6),
    ("sngrep__ipip.pcap", "tcp", "10.15.193.31:33093", "10.15.197.103:5090", 4),
    ("suricata-verify__decode-nsh-type1__input.pcap", "udp", "10.0.0.1:52377", "10.0.0.2:52464", 1),
    ("suricata-verify__vxlan-decoder-01__input.pcap", "udp", "10.96.0.10:53", "185.27.115.6:12345", 1),
    ("suricata-verify__vxlan-decoder-01__input.pcap", "udp", "109.105.110.193:32021", "185.27.115.6:12345", 2),
    ("tcpdump__gso-ipv4-vxlan-ipv4.pcap", "tcp", "192.168.1.1:41547", "192.168.1.2:37099", 1),
    ("tcpdump__gso-ipv6-geneve-ipv6.pcap", "tcp", "[fd00::1]:45505", "[fd00::2]:38687", 1),
    ("tcpdump__lspping-fec-ldp.pcap", "tcp", "12.1.1.1:179", "12.4.4.4:2006", 2),
    ("tcpdump__lspping-fec-ldp.pcap", "tcp", "12.4.4.4:4100", "12.8.8.8:179", 1),
    ("tcpdump__lspping-fec-ldp.pcap", "udp", "10.20.0.1:3503", "12.4.4.4:4786", 5),
    ("tcpdump__lspping-fec-ldp.pcap", "udp", "12.4.4.4:4786", "127.0.0.1:3503", 5),
    ("wireshark__ipoipoip.pcap", "tcp", "9.9.9.9:20", "9.9.9.9:80", 1),
    ("wireshark__ipoipoip.pcap", "udp", "10.10.10.10:53", "100.100.100.100:53", 1),
    ("zeek__tunnels__4in4.pcap", "udp", "10.0.0.1:30000", "10.0.0.2:13000", 1),
    ("zeek__tunnels__4in6.pcap", "tcp", "192.88.99.1:80", "70.55.213.211:31337", 1),
    ("zeek__tunnels__geneve-ipv6.pcap", "udp", "[fd00::1]:40000", "[fd00::2]:40001", 2),
    (
        "zeek__tunnels__gtp__gtp1_gn_normal_incl_fragmentation.pcap",
        "tcp",
        "10.131.47.185:1923",
        "79.101.110.141:80",
        68,
    ),
    ("zeek__tunnels__gtp__gtp2_different_udp_port.pcap", "tcp", "10.131.17.170:51803", "173.199.115.168:80", 78),
    ("zeek__tunnels__gtp__gtp7_ipv6.pcap", "udp", "[fe80::224c:4fff:fe43:414c]:1234", "[ff02::1:3]:5355", 1),
    ("zeek__tunnels__vxlan-triple-v2.pcap", "udp", "4.4.4.4:53", "4.4.4.9:53", 1),
    ("zeek__vntag_vlan_sandwich_clean.pcap", "tcp", "10.10.10.1:443", "10.10.10.2:56960", 1),
    ("zeek__tunnels__gre-aruba-amsdu.pcap", "tcp", "149.159.130.184:49392", "157.240.18.16:443", 1),
    ("zeek__tunnels__geneve-tagged-udp-packet.pcap", "udp", "127.0.0.1:12345", "127.0.0.1:31337", 4),
    ("tcpdump__macsec-short-valid.pcap", "udp", "192.168.114.1:37459", "192.168.114.2:6666", 1),
    ("libpcap__filter__ipv6_ah_modes.pcap", "udp", "[2001:db8::1]:12345", "[2001:db8::2]:54321", 1),
    ("libpcap__filter__ipv6_ah_modes.pcap", "udp", "[2001:db8::3]:12345", "[2001:db8::4]:54321", 1),
];
