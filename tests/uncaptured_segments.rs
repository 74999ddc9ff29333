//! Media over TCP in captures that do not hold all bytes: what TCP delivered is not lost. Real captures with packets taken
//! out or cut; what is expected comes from the whole capture, read by the independent reader.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test may fail")]

mod analysis;
mod common;
mod craft;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
};

use analysis::{Packet, json, packets, report, written};
use common::frames::{self, Datagram};
use craft::{Container, RAW};
use serde_json::Value;

/// Packets of each stream, by SSRC.
type Counts = BTreeMap<u32, u64>;

/// A capture of RTP over TCP with the truth about it.
struct Scene {
    link: u16,
    packets: Vec<Packet>,
    /// SSRC and packet of all RTP, and how many bytes into the segment its datagram starts.
    rtp: Vec<(u32, u64, usize)>,
}

impl Scene {
    /// Behind the lengths of RFC 4571, `None` without the captures.
    fn ice_tcp() -> Option<Self> {
        let path = analysis::captures()?.join("lab/gst-ice-tcp/capture.pcapng");
        let (link, packets) = packets(&path)?;
        let mut places = BTreeMap::new();
        let framed = frames::datagrams(&path).into_iter().filter(|datagram| datagram.protocol == frames::TCP);
        let rtp = framed.filter_map(|datagram| {
            let place = places.entry(datagram.number).or_insert(0);
            let start = *place + 2;
            *place = start + datagram.length;
            Some((ssrc(&datagram.payload)?, datagram.number, start))
        });
        let rtp = rtp.collect();
        Some(Self { link, packets, rtp })
    }

    /// The TURN messages of a capture over UDP, carried by TCP: STUN and ChannelData, padded (RFC 8656 section 12.5).
    fn turn_tcp() -> Option<Self> {
        let path = analysis::captures()?.join("lab/chromium-turn-udp/capture.pcapng");
        let client = "10.1.0.2:46970".parse().unwrap();
        let of_client = |datagram: &Datagram| datagram.source == client || datagram.destination == client;
        let is_turn = |datagram: &Datagram| datagram.source.port() == 3478 || datagram.destination.port() == 3478;
        let datagrams =
            frames::datagrams(&path).into_iter().filter(|datagram| of_client(datagram) && is_turn(datagram));
        let mut datagrams: Vec<_> = datagrams.filter(|datagram| datagram.protocol == frames::UDP).collect();
        let mut next = [1_u32; 2];
        let mut packets = Vec::new();
        for (index, datagram) in datagrams.iter_mut().enumerate() {
            let mut frame = datagram.payload.clone();
            frame.resize(frame.len().next_multiple_of(4), 0);
            let way = usize::from(datagram.source != client);
            let packet = tcp(datagram.source, datagram.destination, next[way], next[1 - way], &frame);
            next[way] += frame.len() as u32;
            let length = packet.len() as u32;
            packets.push((datagram.nanos, packet, length));
            datagram.number = index as u64 + 1;
        }
        frames::unwrap_turn(&mut datagrams);
        let relayed = datagrams.iter().filter(|datagram| datagram.relay.is_some());
        let rtp = relayed.filter_map(|datagram| Some((ssrc(&datagram.payload)?, datagram.number, 4))).collect();
        Some(Self { link: RAW, packets, rtp })
    }

    /// How many packets of each stream are in the packets that `is_there` of, by packet and place in the segment.
    fn counts(&self, is_there: impl Fn(u64, usize) -> bool) -> Counts {
        let mut counts = Counts::new();
        for (ssrc, ..) in self.rtp.iter().filter(|(_, number, start)| is_there(*number, *start)) {
            *counts.entry(*ssrc).or_default() += 1;
        }
        counts
    }

    /// The report when the packets of these numbers were not captured.
    fn without(&self, missing: &BTreeSet<u64>) -> Value {
        let there = (1..).zip(&self.packets).filter(|(number, _)| !missing.contains(number));
        let packets: Vec<_> = there.map(|(_, packet)| packet.clone()).collect();
        json(&report(written(Container::Pcapng, false, self.link, &packets)).unwrap())
    }

    /// The report when packets were cut to `snap` bytes.
    fn snapped(&self, snap: usize) -> Value {
        let cut = |(nanos, bytes, original): &Packet| (*nanos, bytes[..bytes.len().min(snap)].to_vec(), *original);
        let packets: Vec<_> = self.packets.iter().map(cut).collect();
        json(&report(written(Container::Pcap, false, self.link, &packets)).unwrap())
    }

    /// Bytes of TCP in a packet and where they start.
    fn payload(&self, number: u64) -> usize {
        let frame = &self.packets[number as usize - 1].1;
        let ip = if self.link == RAW { &frame[..] } else { &frame[14..] };
        let total = usize::from(u16::from_be_bytes([ip[2], ip[3]]));
        total - 20 - usize::from(ip[20 + 12] >> 4) * 4
    }
}

fn ssrc(datagram: &[u8]) -> Option<u32> {
    let is_rtp = matches!(datagram, [0x80..=0xbf, 0..=191 | 224.., ..]) && datagram.len() >= 12;
    is_rtp.then(|| u32::from_be_bytes(datagram[8..12].try_into().unwrap()))
}

fn tcp(source: SocketAddr, destination: SocketAddr, sequence: u32, acknowledgment: u32, payload: &[u8]) -> Vec<u8> {
    let address = |end: SocketAddr| match end.ip() {
        IpAddr::V4(ip) => (ip.octets(), end.port()),
        IpAddr::V6(ip) => panic!("{ip}"),
    };
    let mut packet = craft::tcp(address(source), address(destination), sequence, payload);
    packet[28..32].copy_from_slice(&acknowledgment.to_be_bytes());
    packet
}

fn streams(report: &Value) -> impl Iterator<Item = &Value> {
    let sessions = report["sessions"].as_array().unwrap().iter();
    sessions.flat_map(|session| session["communicating"]["rtpStreams"].as_array().unwrap())
}

fn received(report: &Value) -> Counts {
    streams(report)
        .map(|stream| (stream["ssrc"].as_u64().unwrap() as u32, stream["packetsReceived"].as_u64().unwrap()))
        .collect()
}

fn sum(report: &Value, name: &str) -> u64 {
    streams(report).map(|stream| stream[name].as_u64().unwrap()).sum()
}

/// What no missing byte may bring about.
fn nothing_is_invented(report: &Value, whole: &Value) {
    assert_eq!(sum(report, "packetsLost"), sum(whole, "packetsLost"));
    assert_eq!(sum(report, "restarts"), sum(whole, "restarts"));
    let gaps =
        |report: &Value, kind: &str| -> u64 { streams(report).map(|one| one[kind]["count"].as_u64().unwrap()).sum() };
    assert_eq!(gaps(report, "outages"), 0);
    assert!(gaps(report, "pauses") <= gaps(whole, "pauses"));
    for stream in streams(report) {
        let of_whole = streams(whole).find(|one| one["ssrc"] == stream["ssrc"]).unwrap();
        let jitter = |one: &Value| one["jitterMax"].as_f64().unwrap_or_default();
        assert!(jitter(stream) < jitter(of_whole) * 1.5 + 0.001, "{stream}, whole {of_whole}");
    }
}

fn finding(report: &Value, rule: &str) -> Option<String> {
    let findings = report["findings"].as_array().unwrap();
    findings.iter().find(|finding| finding["rule"] == rule).map(|one| one["message"].as_str().unwrap().to_owned())
}

fn longest_round_trip(report: &Value) -> f64 {
    let sessions = report["sessions"].as_array().unwrap().iter();
    let pairs = sessions.flat_map(|session| session["connecting"]["candidatePairs"].as_array().unwrap());
    pairs.filter_map(|pair| pair["roundTripTime"].as_f64()).fold(0.0, f64::max)
}

/// Packets with media that were not captured, as a busy tcpdump drops them: every 61st.
#[test]
fn missing_segments() {
    for scene in [Scene::ice_tcp(), Scene::turn_tcp()].into_iter().flatten() {
        let media: BTreeSet<u64> = scene.rtp.iter().map(|(_, number, _)| *number).collect();
        let missing: BTreeSet<u64> = media.into_iter().skip(400).step_by(61).collect();
        assert!(missing.len() > 15);
        let (whole, report) = (scene.without(&BTreeSet::new()), scene.without(&missing));
        assert_eq!(received(&whole), scene.counts(|_, _| true));
        assert_eq!(finding(&whole, "CAP013"), None);
        assert_eq!(received(&report), scene.counts(|number, _| !missing.contains(&number)));
        nothing_is_invented(&report, &whole);
        assert_eq!(report["verdict"], whole["verdict"], "{}", report["findings"]);
        assert!(longest_round_trip(&report) < longest_round_trip(&whole) + 0.001);
        let bytes: usize = missing.iter().map(|number| scene.payload(*number)).sum();
        let message = finding(&report, "CAP013").unwrap().replace(',', "");
        assert!(message.contains(&format!("in {} places ({bytes} bytes)", missing.len())), "{message}");
    }
}

/// Of each packet the first bytes: enough for the RTP header of the first frame.
#[test]
fn snapped_segments() {
    for scene in [Scene::ice_tcp(), Scene::turn_tcp()].into_iter().flatten() {
        let headers = if scene.link == RAW { 40 } else { 66 };
        let whole = scene.without(&BTreeSet::new());
        for snap in [headers + 30, headers + 62] {
            let report = scene.snapped(snap);
            let visible = scene.counts(|_, start| headers + start + 12 <= snap);
            assert_eq!(received(&report), visible, "cut to {snap}");
            nothing_is_invented(&report, &whole);
            // What was tried beside the path in use is of the same call, though its names are cut.
            assert_eq!(report["sessions"].as_array().unwrap().len(), 1, "cut to {snap}");
            assert_ne!(report["verdict"], "fail", "{}", report["findings"]);
        }
    }
}
