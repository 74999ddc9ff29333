//! SRTP and SRTCP of recorded calls, opened with the keys of their SDP: every packet of a keyed direction authenticates,
//! and RTCP is byte for byte what the peers logged before they encrypted it.
#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used, reason = "a test may fail")]

mod common;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::{IpAddr, SocketAddr},
    path::Path,
};

use common::{
    frames::{self, Datagram, UDP},
    hex, json, json_lines, unsigned,
};
use rtcscope::crypto::srtp::{Context, Keying, OpenError, Rollover, Wanted, text::GivenKey};

/// What became of the packets of a capture.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    rtp: u64,
    rtcp: u64,
    /// RTCP that no tag ends.
    failed_rtcp: u64,
}

/// The opened packets of one direction, in the order of the capture.
#[derive(Default)]
struct Opened {
    rtp: Vec<Vec<u8>>,
    rtcp: Vec<Vec<u8>>,
}

#[test]
fn short_tags_of_gstreamer() {
    let Some(captures) = frames::captures() else { return };
    let folder = captures.join("labb/gst-srtp-sha1-32");
    let keyed = ["A", "B"].map(|peer| {
        let sdp = frames::text(&folder.join(format!("session{peer}.sdp")));
        let line = |start| sdp.lines().find_map(|line| line.strip_prefix(start)).unwrap().trim();
        (line("c=IN IP4 ").parse().unwrap(), candidate(line("a=crypto:")))
    });
    let datagrams = frames::datagrams(&folder.join("capture.pcapng"));
    let (opened, counts) = open(&datagrams, &keyed.into());
    agrees(&folder, &counts);
    for (address, peer) in [("10.21.0.2", "A"), ("10.22.0.2", "B")] {
        let direction = &opened[&address.parse::<IpAddr>().unwrap()];
        let logged: BTreeSet<Vec<u8>> = json_lines(&folder.join(format!("peer{peer}.rtcp.jsonl")))
            .iter()
            .filter(|message| message["dir"] == "out")
            .map(|message| hex(message["hex"].as_str().unwrap()))
            .collect();
        assert!(direction.rtcp.len() > 2);
        for packet in &direction.rtcp {
            assert!(logged.contains(packet), "peer {peer} did not log {packet:02x?}");
        }
        // A tone of 440 Hz in G.711: 160 bytes a packet, with the same ends of its range in each.
        for packet in &direction.rtp {
            assert_eq!(packet.len(), 12 + 160);
            let loudest = packet[12..].iter().map(|sample| !sample & 0x7f).max();
            assert!(loudest.is_some_and(|loudest| (0x60..0x7f).contains(&loudest)), "{loudest:x?}");
        }
    }
}

#[test]
fn sdes_of_a_call() {
    let Some(captures) = frames::captures() else { return };
    let folder = captures.join("labb/sip-sdes-srtp");
    let datagrams = frames::datagrams(&folder.join("capture.pcapng"));
    let keyed: BTreeMap<IpAddr, Keying> = datagrams
        .iter()
        .filter_map(|datagram| {
            let text = String::from_utf8_lossy(&datagram.payload);
            let attribute = text.lines().find_map(|line| line.strip_prefix("a=crypto:"))?;
            Some((datagram.source.ip(), candidate(attribute)))
        })
        .collect();
    assert_eq!(keyed.len(), 2);
    let (opened, counts) = open(&datagrams, &keyed);
    agrees(&folder, &counts);
    let truth = json(&folder.join("truth.json"));
    for stream in truth["streams"].as_array().unwrap() {
        let source = stream["src"].as_str().unwrap().parse::<SocketAddr>().unwrap().ip();
        let ssrc = u32::from_str_radix(&stream["ssrc"].as_str().unwrap()[2..], 16).unwrap().to_be_bytes();
        let ours = opened[&source].rtp.iter().filter(|packet| packet[8..12] == ssrc).count();
        assert_eq!(ours as u64, unsigned(&stream["packets"]));
    }

    // The keys of the other direction, and no key at all, open nothing.
    let addresses: Vec<IpAddr> = keyed.keys().copied().collect();
    let swapped = addresses.iter().copied().zip(addresses.iter().rev().map(|address| keyed[address].clone()));
    let (opened, _) = open(&datagrams, &swapped.collect());
    assert!(opened.values().all(|direction| direction.rtp.is_empty() && direction.rtcp.is_empty()));
}

/// rtpproxy's own recordings, with the keys that its tests give for them.
#[test]
fn calls_of_rtpproxy() {
    let Some(captures) = frames::captures() else { return };
    let public = captures.join("public");
    for (call, expected) in [("alice_srtp", 1556), ("bob_srtp", 1564), ("alice_srtp_out", 1556), ("bob_srtp_out", 1562)]
    {
        let name = format!("rtpproxy__rtp_analyze__{call}.pcap");
        let files = fs::read_dir(public.join("truth2").join(&name)).unwrap();
        let texts: Vec<String> = files.map(|file| frames::text(&file.unwrap().path())).collect();
        let words = || texts.iter().flat_map(|text| text.split_whitespace());
        let keys: BTreeSet<&str> = words().filter_map(|word| word.split_once("-crypto=")).map(|(_, key)| key).collect();
        assert_eq!(keys.len(), 2);
        let datagrams = frames::datagrams(&public.join("captures").join(&name));
        let authentic = keys.iter().map(|key| {
            let keying = GivenKey::parse(key).unwrap().candidates.remove(0);
            let keyed = datagrams.iter().map(|datagram| (datagram.source.ip(), keying.clone())).collect();
            open(&datagrams, &keyed).1.rtp
        });
        // One of the two keys is that of the other direction.
        assert_eq!(authentic.collect::<BTreeSet<u64>>(), BTreeSet::from([0, expected]), "{call}");
    }
}

fn candidate(attribute: &str) -> Keying {
    GivenKey::parse(&format!("a=crypto:{attribute}")).unwrap().candidates.remove(0)
}

/// Opens what goes out from each address under the keys of that address.
fn open(datagrams: &[Datagram], keyed: &BTreeMap<IpAddr, Keying>) -> (BTreeMap<IpAddr, Opened>, Counts) {
    let mut counts = Counts::default();
    let mut all = BTreeMap::new();
    for (address, keying) in keyed {
        let mut context = Context::new(keying);
        let mut rollovers: BTreeMap<[u8; 4], Rollover> = BTreeMap::new();
        let opened: &mut Opened = all.entry(*address).or_default();
        let mut out = Vec::new();
        for datagram in datagrams.iter().filter(|datagram| datagram.source.ip() == *address) {
            // Version 2, and the payload types of RTCP (RFC 5761 section 4).
            let [0x80..=0xbf, second, ..] = datagram.payload[..] else { continue };
            if datagram.protocol != UDP {
                continue;
            }
            if (192..=223).contains(&second) {
                match context.open_rtcp(&datagram.payload, &mut out) {
                    Ok(_) => {
                        counts.rtcp += 1;
                        opened.rtcp.push(out.clone());
                    }
                    Err(_) => counts.failed_rtcp += 1,
                }
                continue;
            }
            let rollover = rollovers.entry(datagram.payload[8..12].try_into().unwrap()).or_default();
            match rollover.authenticate(&mut context, &datagram.payload) {
                Ok(authentic) => {
                    context.open(&authentic, &Wanted::ALL, &mut out);
                    counts.rtp += 1;
                    opened.rtp.push(out.clone());
                }
                Err(error) => assert_eq!(error, OpenError::TagMismatch),
            }
        }
    }
    (all, counts)
}

/// As many packets authenticate as the lab's own check has found.
fn agrees(folder: &Path, counts: &Counts) {
    let truth = &json(&folder.join("sdescheck.json"))["counts"];
    let of = |name: &str| truth.get(name).map_or(0, unsigned);
    let expected = Counts { rtp: of("srtp ok"), rtcp: of("srtcp ok"), failed_rtcp: of("rtcp in clear") };
    assert_eq!(*counts, expected);
    assert!(counts.rtp > 1000);
}
