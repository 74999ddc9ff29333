//! RTCP against what the peers of the lab logged before encryption, and against their captures.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::{collections::HashMap, path::PathBuf};

use rtcscope::wire::{
    feedback::{NackPair, PayloadMessage, TransportMessage},
    rtcp::{Content, Item, Packet, ReportBlock, Rtcp, classify},
    xr::BlockContent,
};
use serde_json::{Value, json};

/// Folders of `labb/` and the files in them whose name has `part` in it.
fn lab_files(part: &str) -> Vec<PathBuf> {
    let Some(captures) = common::frames::captures() else { return Vec::new() };
    let folders = std::fs::read_dir(captures.join("labb")).unwrap().flatten().filter(|entry| entry.path().is_dir());
    let files = folders.flat_map(|folder| std::fs::read_dir(folder.path()).unwrap().flatten());
    let mut files: Vec<_> =
        files.map(|file| file.path()).filter(|file| file.to_string_lossy().contains(part)).collect();
    files.sort();
    files
}

#[test]
fn every_compound_a_peer_logged() {
    let mut compared = HashMap::<&str, usize>::new();
    let files = lab_files(".rtcp.jsonl");
    for file in &files {
        for line in common::frames::text(file).lines() {
            let logged: Value = serde_json::from_str(line).unwrap();
            let bytes = common::hex(logged["hex"].as_str().unwrap());
            let Ok(Rtcp::Clear(compound)) = classify(&bytes) else { panic!("{}: {line}", file.display()) };
            let packets: Vec<Packet<'_>> = compound.packets().collect();
            let expected = logged["packets"].as_array().unwrap();
            assert_eq!(packets.len(), expected.len(), "{}: {line}", file.display());
            for (packet, expected) in packets.iter().zip(expected) {
                assert_eq!(packet.fault, None, "{}: {line}", file.display());
                let (name, mut read) = describe(packet);
                read["pt"] = packet.packet_type.into();
                // The raw FCI and the log's own name say nothing beyond the decoded fields.
                let mut expected = expected.clone();
                let fields = expected.as_object_mut().unwrap();
                fields.remove("type");
                fields.remove("fci");
                assert_eq!(read, expected, "{}: {line}", file.display());
                *compared.entry(name).or_default() += 1;
            }
        }
    }
    eprintln!("{compared:?}");
    if !files.is_empty() {
        for name in ["SR", "RR", "SDES", "BYE", "NACK", "TWCC", "REMB"] {
            assert!(compared.contains_key(name), "no {name} in the logs");
        }
    }
}

/// A packet in the words of the peers' logs.
fn describe(packet: &Packet<'_>) -> (&'static str, Value) {
    match packet.content {
        Content::SenderReport { ssrc, ntp, rtp_timestamp, packets, octets, reports, .. } => (
            "SR",
            json!({
                "ssrc": word(ssrc),
                "ntp": format!("{:08x}.{:08x}", ntp >> 32, ntp & 0xffff_ffff),
                "rtp_ts": rtp_timestamp,
                "packets": packets,
                "octets": octets,
                "reports": reports.map(block).collect::<Vec<_>>(),
            }),
        ),
        Content::ReceiverReport { ssrc, reports, .. } => {
            ("RR", json!({ "ssrc": word(ssrc), "reports": reports.map(block).collect::<Vec<_>>() }))
        }
        Content::SourceDescription(chunks) => {
            let chunks = chunks.map(|chunk| {
                let mut fields = json!({ "ssrc": word(chunk.ssrc) });
                for item in chunk.items {
                    let name = match item {
                        Item::Cname(_) => "cname",
                        Item::Tool(_) => "tool",
                        other => panic!("{other:?}"),
                    };
                    fields[name] = std::str::from_utf8(item.value()).unwrap().into();
                }
                fields
            });
            ("SDES", json!({ "chunks": chunks.collect::<Vec<_>>() }))
        }
        Content::Bye { ssrcs, reason: None } => ("BYE", json!({ "ssrcs": ssrcs.map(word).collect::<Vec<_>>() })),
        Content::TransportFeedback(feedback) => {
            let head = json!({ "ssrc": word(feedback.sender_ssrc), "media_ssrc": word(feedback.media_ssrc) });
            match feedback.message {
                TransportMessage::GenericNack(pairs) => {
                    let lost: Vec<u16> = pairs.flat_map(NackPair::sequences).collect();
                    ("NACK", with(head, json!({ "lost": lost })))
                }
                TransportMessage::TransportCc(twcc) => {
                    assert_eq!(twcc.statuses().count(), usize::from(twcc.status_count));
                    let counted = twcc.statuses().filter(|packet| packet.delta.is_some()).count();
                    assert_eq!(counted, twcc.counts().received as usize);
                    let fields = json!({
                        "base_seq": twcc.base_sequence,
                        "status_count": twcc.status_count,
                        "reference_time": twcc.reference_time,
                        "fb_count": twcc.feedback_count,
                    });
                    ("TWCC", with(head, fields))
                }
                other => panic!("{other:?}"),
            }
        }
        Content::PayloadFeedback(feedback) => {
            let head = json!({ "ssrc": word(feedback.sender_ssrc), "media_ssrc": word(feedback.media_ssrc) });
            match feedback.message {
                PayloadMessage::Remb { bitrate, ssrcs } => {
                    let ssrcs: Vec<_> = ssrcs.map(word).collect();
                    ("REMB", with(head, json!({ "bitrate": bitrate, "ssrcs": ssrcs })))
                }
                other => panic!("{other:?}"),
            }
        }
        other => panic!("{other:?}"),
    }
}

fn with(mut head: Value, fields: Value) -> Value {
    head.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    head
}

fn word(value: u32) -> String {
    format!("0x{value:08x}")
}

fn block(block: ReportBlock) -> Value {
    json!({
        "ssrc": word(block.ssrc),
        "fraction_lost": block.fraction_lost,
        "cumulative_lost": block.cumulative_lost,
        "highest_seq": block.highest_sequence,
        "jitter": block.jitter,
        "lsr": word(block.lsr),
        "dlsr": block.dlsr,
    })
}

/// The RTCP datagrams of a capture's UDP flows.
fn rtcp_of(scenario: &str) -> Vec<common::frames::Datagram> {
    let Some(captures) = common::frames::captures() else { return Vec::new() };
    let mut datagrams = common::frames::datagrams(&captures.join("labb").join(scenario).join("capture.pcapng"));
    datagrams.retain(|datagram| {
        let [first, second, ..] = datagram.payload[..] else { return false };
        // Identifiers of DNS queries are random: some begin like RTCP.
        let dns = datagram.source.port() == 53 || datagram.destination.port() == 53;
        datagram.protocol == common::frames::UDP && !dns && (128..192).contains(&first) && (192..224).contains(&second)
    });
    datagrams
}

#[test]
fn srtcp_is_never_clear() {
    let scenarios = [
        ("gst-srtp-sha1-32", 10),
        ("aiortc-sha1-clean", 10),
        ("aiortc-cbc", 10),
        ("aiortc-chacha", 10),
        ("aiortc-gcm128", 16),
        ("chromium-aiortc", 10),
        ("janus-echotest-http", 10),
        ("dtls-late-answer", 10),
    ];
    for (scenario, tag_length) in scenarios {
        let mut indices = HashMap::new();
        for datagram in rtcp_of(scenario) {
            let place = format!("{scenario} packet {}", datagram.number);
            let Ok(Rtcp::Encrypted(srtcp)) = classify(&datagram.payload) else {
                panic!("{place}: {:?}", classify(&datagram.payload))
            };
            assert_eq!((srtcp.tag_length, srtcp.mki_length), (Some(tag_length), 0), "{place}");
            let index = srtcp.index.unwrap();
            let before = indices.insert((datagram.source, datagram.destination, srtcp.ssrc), index);
            assert!(before.is_none_or(|before| before < index), "{place}: index {index} after {before:?}");
        }
        assert!(common::frames::captures().is_none() || !indices.is_empty(), "{scenario}");
    }
}

#[test]
fn clear_rtcp_is_never_encrypted() {
    let scenarios =
        ["gst-pcmu-impaired", "gst-opus-mux-impaired", "gst-avpf-nack", "gst-h265", "rtp-odd", "rtp-wrap", "sip-pcmu"];
    for scenario in scenarios {
        for datagram in rtcp_of(scenario) {
            let classified = classify(&datagram.payload);
            let Ok(Rtcp::Clear(compound)) = classified else {
                panic!("{scenario} packet {}: {classified:?}", datagram.number)
            };
            assert!(compound.trailer().is_none());
            assert!(compound.packets().all(|packet| packet.fault.is_none()), "{scenario} packet {}", datagram.number);
        }
    }
}

#[test]
fn odd_packets_of_rtp_odd() {
    let mut seen = Vec::new();
    for datagram in rtcp_of("rtp-odd")
        .iter()
        .filter(|datagram| datagram.destination.port() == 7001 || datagram.source.port() == 7001)
    {
        let Ok(Rtcp::Clear(compound)) = classify(&datagram.payload) else { panic!("packet {}", datagram.number) };
        for packet in compound.packets() {
            match packet.content {
                Content::ExtendedReport(report) => {
                    let blocks: Vec<_> = report.blocks().collect();
                    assert!(matches!(blocks[0].content, BlockContent::ReceiverReferenceTime(0xeead_269d_9a9a_1800)));
                    let BlockContent::VoipMetrics(voip) = blocks[1].content else { panic!("{blocks:?}") };
                    // As tshark 4.0.17 reads it.
                    assert_eq!((voip.ssrc, voip.loss_rate, voip.discard_rate), (0xb0b0_b0b0, 5, 2));
                    assert_eq!((voip.burst_density, voip.gap_density), (10, 3));
                    assert_eq!((voip.burst_duration, voip.gap_duration), (120, 40));
                    assert_eq!((voip.round_trip_delay, voip.end_system_delay), (80, 60));
                    assert_eq!((voip.signal_level, voip.noise_level), (-20, -60));
                    assert_eq!((voip.residual_echo_return_loss, voip.gap_threshold), (16, 16));
                    assert_eq!((voip.r_factor, voip.external_r_factor), (85, 127));
                    assert_eq!((voip.mos_listening, voip.mos_conversational), (41, 40));
                    assert_eq!(voip.jitter_buffer_nominal, 40);
                    assert_eq!((voip.jitter_buffer_maximum, voip.jitter_buffer_absolute_maximum), (80, 120));
                    seen.push("XR");
                }
                Content::App { name: [b'L', b'A', b'B', b'X'], subtype: 3, data: b"12345678", .. } => seen.push("APP"),
                Content::TransportFeedback(feedback) => {
                    let TransportMessage::GenericNack(pairs) = feedback.message else { panic!("{feedback:?}") };
                    assert_eq!(pairs.flat_map(NackPair::sequences).collect::<Vec<_>>(), [17, 18, 40, 56]);
                    seen.push("NACK");
                }
                Content::PayloadFeedback(feedback) => match feedback.message {
                    PayloadMessage::Pli => seen.push("PLI"),
                    PayloadMessage::Fir(entries) => {
                        let entries: Vec<_> = entries.map(|entry| (entry.ssrc, entry.sequence)).collect();
                        assert_eq!(entries, [(0xaaaa_aaaa, 9)]);
                        seen.push("FIR");
                    }
                    other => panic!("{other:?}"),
                },
                Content::Bye { ssrcs, .. } => {
                    assert_eq!(ssrcs.collect::<Vec<_>>(), [0xaaaa_aaaa]);
                    seen.push("BYE");
                }
                Content::ReceiverReport { .. } | Content::SourceDescription(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }
    assert!(common::frames::captures().is_none() || seen == ["XR", "APP", "PLI", "NACK", "FIR", "BYE"], "{seen:?}");
}
