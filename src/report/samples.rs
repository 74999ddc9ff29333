//! Reports made by hand, for the tests of the renderers.

mod extension;
mod sctp;

use super::document::*;

/// A WebRTC call with a lossy video stream, repair, probes, RTCP and a data channel's SCTP.
pub(crate) fn lossy_webrtc_call() -> Report {
    let (a, b) = ("10.1.0.2:49152", "10.2.0.2:50000");
    let audio = RtpStream { kind: Some("audio"), encrypted: Some(true), ..stream(0x1a2b_3c4d, a, b, 111) };
    let video = RtpStream {
        kind: Some("video"),
        clock_rate: Some(90_000),
        clock_rate_inferred: true,
        packets_received: 12_121,
        packets_expected: 12_631,
        packets_lost: 510,
        packets_duplicated: 3,
        packets_reordered: 12,
        reorder_depth: 4,
        fraction_lost: Some(510.0 / 12_631.0),
        jitter_mean: Some(0.012_4),
        jitter_max: Some(0.131),
        bitrate: Some(1_213_000.0),
        burst_loss_count: 221,
        longest_loss_burst: 14,
        frames: Some(1_108),
        frames_per_second: Some(29.8),
        max_gap: Some(0.731),
        outages: Gaps { count: 1, total: 0.731, longest: 0.731 },
        encrypted: Some(true),
        rtx_ssrc: Some(0x0bad_cafe),
        header_extensions: vec![extension::layers(), extension::queues()],
        reported: Some(Reported {
            reports: 36,
            fraction_lost: Some(0.043),
            fraction_lost_max: Some(0.113),
            packets_lost: Some(522),
            jitter: Some(0.0148),
            jitter_max: Some(0.0391),
            round_trip_time: Some(0.024),
            round_trip_time_mean: Some(0.0236),
            round_trip_time_max: Some(0.0448),
            round_trip_time_measurements: 30,
            nack_count: 120,
            nacked_packets: 489,
            pli_count: 3,
            remb_bitrate: Some(1_400_000.0),
            ..Reported::default()
        }),
        inferred: Some(Inferred {
            packets_lost_after_tap: Some(12),
            retransmitted_packets: Some(477),
            retransmission_matches: Some(470),
        }),
        ..stream(0x1a2b_3c4e, a, b, 96)
    };
    let rtx = RtpStream {
        role: StreamRole::Retransmission,
        kind: Some("video"),
        repairs_ssrc: Some(video.ssrc),
        packets_received: 477,
        padding_packets: 60,
        packets_lost: 9,
        fraction_lost: Some(9.0 / 486.0),
        bitrate: Some(44_000.0),
        jitter_mean: None,
        jitter_max: None,
        ..stream(0x0bad_cafe, a, b, 97)
    };
    let back = RtpStream {
        kind: Some("audio"),
        encrypted: Some(true),
        pauses: Gaps { count: 4, total: 11.2, longest: 6.0 },
        header_extensions: vec![extension::silence()],
        payload_types: vec![
            PayloadType { payload_type: 111, packets: 1_800, codec: None },
            PayloadType { payload_type: 13, packets: 62, codec: Some("CN".to_owned()) },
        ],
        ..stream(0x5e6f_7a8b, b, a, 111)
    };
    let session = Session {
        verdict: Verdict::Fail,
        connecting: Connecting {
            status: StepStatus::Ok,
            stun: Some(StunCounts {
                messages: 60,
                by_type: counts(&[("Binding request", 31), ("Binding success response", 29)]),
                channel_data: 0,
            }),
            ..Connecting::default()
        },
        securing: Securing {
            status: StepStatus::Ok,
            dtls: Some(DtlsCounts { packets: 24, records: counts(&[("handshake", 14), ("ciphertext", 12)]) }),
            dtls_version: Some("1.3".to_owned()),
            handshake_duration: Some(0.0841),
            ..Securing::default()
        },
        communicating: Communicating {
            status: StepStatus::Ok,
            rtp_streams: vec![audio, video, rtx, back],
            transport_wide: vec![extension::transport_wide(a, b)],
            rtcp: Some(Rtcp {
                packets: 212,
                by_type: counts(&[
                    ("SR", 80),
                    ("RR", 75),
                    ("NACK", 120),
                    ("PLI", 3),
                    ("transport-cc", 61),
                    ("SDES", 80),
                ]),
                encrypted: 212,
                decrypted: 212,
                cnames: [(0x1a2b_3c4d, "qXf/7mVwQ0l1Zb3e".to_owned())].into(),
                byes: vec![Bye { ssrc: 0x1a2b_3c4d, reason: Some("teardown".to_owned()), packet: packet(7_212) }],
                bandwidth: vec![BandwidthFeedback {
                    sender_ssrc: 1,
                    kind: "transport-cc",
                    messages: 61,
                    packets_reported: Some(13_000),
                    packets_lost: Some(522),
                    bitrate: None,
                }],
                ..Rtcp::default()
            }),
            sctp: Some(sctp::sctp(a)),
            data_channels: sctp::data_channels(a, b),
        },
        ..session(1, &[("10.1.0.2", 49152), ("10.2.0.2", 50000)])
    };
    Report {
        verdict: Verdict::Fail,
        sessions: vec![session],
        other_flows: vec![
            flow("10.1.0.2:38214", "10.3.0.2:53", "dns", 14),
            flow("10.1.0.2:40112", "10.3.0.2:443", "quic", 420),
        ],
        findings: vec![
            Finding {
                rule: "media-loss-before-tap",
                severity: Severity::Error,
                session: Some(1),
                message:
                    "Of the video stream 0x1a2b3c4e from 10.1.0.2:49152, 4.0 % of the packets were lost before the \
                          tap, up to 14 in a row."
                        .to_owned(),
                advice: Some("Look at the network between 10.1.0.2 and the place of capture.".to_owned()),
                packets: [1041, 1055, 1102].map(packet).to_vec(),
            },
            Finding {
                rule: "rtp-jitter-high",
                severity: Severity::Warning,
                session: Some(1),
                message: "Packets of the video stream 0x1a2b3c4e came up to 131 ms late.".to_owned(),
                advice: None,
                packets: vec![packet(2_044)],
            },
        ],
        ..report("call.pcapng", 15_212)
    }
}

/// A SIP call: RTP in clear, static payload types, media on another pair of ports than its signalling.
pub(crate) fn sip_call() -> Report {
    let (a, b) = ("192.0.2.10:40000", "198.51.100.20:16384");
    let voice = |ssrc, source, destination| RtpStream {
        kind: Some("audio"),
        codec: Some("PCMU".to_owned()),
        clock_rate: Some(8000),
        encrypted: Some(false),
        reported: Some(Reported {
            reports: 5,
            fraction_lost: Some(0.0),
            packets_lost: Some(-1),
            ..Reported::default()
        }),
        ..stream(ssrc, source, destination, 0)
    };
    let session = Session {
        signalling: Signalling { status: StepStatus::Ok, transport: Some("sip".to_owned()), ..Signalling::default() },
        communicating: Communicating {
            status: StepStatus::Ok,
            rtp_streams: vec![voice(0x0000_0001, a, b), voice(0xdead_beef, b, a)],
            rtcp: Some(Rtcp { packets: 10, by_type: counts(&[("SR", 10), ("SDES", 10)]), ..Rtcp::default() }),
            ..Communicating::default()
        },
        ..session(1, &[("192.0.2.10", 40000), ("198.51.100.20", 16384)])
    };
    Report { sessions: vec![session], ..report("sip.pcap", 3_734) }
}

/// A capture without a packet.
pub(crate) fn empty() -> Report {
    let mut report = report("empty.pcap", 0);
    for capture in &mut report.captures {
        capture.first_packet_at = None;
        capture.duration = None;
        capture.link_types.clear();
    }
    report
}

/// Two hundred calls, every fifth with loss, every twentieth with a finding.
pub(crate) fn many_calls() -> Report {
    let mut made = report("trunk.pcap.zst", 4_000_000);
    for id in 1..=200_u32 {
        let (a, b) = (format!("10.{}.0.2:{}", id % 250, 40_000 + id), format!("172.16.0.{}:{}", id % 250, 20_000 + id));
        let lost = if id.is_multiple_of(5) { u64::from(id) } else { 0 };
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let one = RtpStream {
            kind: Some("audio"),
            packets_lost: lost,
            fraction_lost: Some(lost as f64 / 1_862.0),
            ..stream(id, &a, &b, 111)
        };
        let other = stream(id + 1_000, &b, &a, 111);
        let mut session =
            session(id, &[(&format!("10.{}.0.2", id % 250), 40_000), (&format!("172.16.0.{}", id % 250), 20_000)]);
        session.communicating.rtp_streams = vec![one, other];
        session.communicating.status = StepStatus::Ok;
        if id.is_multiple_of(20) {
            session.verdict = Verdict::Warn;
            made.findings.push(Finding {
                rule: "media-loss-before-tap",
                severity: Severity::Warning,
                session: Some(id),
                message: format!("The audio stream {id:#010x} lost {lost} packets before the tap."),
                advice: Some("Look at the network before the tap.".to_owned()),
                packets: vec![packet(u64::from(id))],
            });
        }
        made.sessions.push(session);
    }
    made.verdict = Verdict::Warn;
    made
}

/// A relayed call between IPv6 addresses of the greatest length, with the largest numbers that make sense.
pub(crate) fn ipv6_call() -> Report {
    let (a, b) = ("[2001:db8:1234:5678:9abc:def0:1234:5678]:49152", "[2001:db8:ffff:eeee:dddd:cccc:bbbb:aaaa]:50000");
    let big = RtpStream {
        kind: Some("video"),
        codec: Some("telephone-event".to_owned()),
        relay: Some("[2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]:3478".to_owned()),
        packets_received: 1_234_567_890,
        packets_lost: 123_456_789,
        fraction_lost: Some(0.0909),
        clock_rate_inferred: true,
        jitter_mean: Some(1234.5),
        jitter_max: Some(123_456.7),
        bitrate: Some(123_456_789.0),
        frames_per_second: Some(119.9),
        clock_drift_ppm: Some(-512.4),
        longest_loss_burst: 65_535,
        burst_loss_count: 1_000_000,
        ssrc_collision: true,
        ..stream(0xffff_ffff, a, b, 127)
    };
    let orphan = RtpStream { role: StreamRole::Retransmission, repairs_ssrc: None, ..stream(0x0000_0007, b, a, 97) };
    let session = Session {
        verdict: Verdict::Warn,
        endpoints: vec![
            endpoint("2001:db8:1234:5678:9abc:def0:1234:5678", 49152, "peer"),
            endpoint("2001:db8:ffff:eeee:dddd:cccc:bbbb:aaaa", 50000, "peer"),
            endpoint("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", 3478, "relay"),
        ],
        communicating: Communicating {
            status: StepStatus::Ok,
            rtp_streams: vec![big, orphan],
            rtcp: Some(Rtcp { packets: 99, encrypted: 99, by_type: counts(&[("RTPFB (15)", 99)]), ..Rtcp::default() }),
            ..Communicating::default()
        },
        ..session(1, &[])
    };
    let mut made = Report {
        verdict: Verdict::Warn,
        sessions: vec![session],
        other_flows: vec![flow(a, "[2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]:3478", "stun", 44)],
        ..report(
            "/a/very/long/path/to/a/directory/that/holds/many/captures/of/one/night/in/november/call-with-ipv6.pcapng.gz",
            9,
        )
    };
    for capture in &mut made.captures {
        capture.truncated = true;
        capture.snapped_packets = 1_000;
        capture.dropped_packets = Some(12);
        capture.duplicate_packets = 44;
        capture.malformed = vec![Malformed {
            layer: "udp".to_owned(),
            kind: "bad-length".to_owned(),
            count: 12,
            first_packet: packet(34),
        }];
    }
    made
}

/// Name look-ups and nothing else.
pub(crate) fn only_dns() -> Report {
    let flows = (0..25).map(|n| flow(&format!("10.0.0.9:{}", 50_000 + n), "9.9.9.9:53", "dns", 2)).collect();
    Report {
        other_flows: flows,
        other_flows_omitted: Some(Omitted { flows: 1_000, packets: 2_000 }),
        ..report("dns.pcap", 2_050)
    }
}

/// All of them.
pub(crate) fn all() -> Vec<Report> {
    vec![lossy_webrtc_call(), sip_call(), empty(), many_calls(), ipv6_call(), only_dns()]
}

fn report(path: &str, packets: u64) -> Report {
    Report {
        schema_version: SCHEMA_VERSION,
        tool: Tool { name: "rtcscope", version: "0.1.0" },
        verdict: Verdict::Pass,
        captures: vec![Capture {
            path: path.to_owned(),
            format: "pcapng".to_owned(),
            packets,
            bytes: packets * 812,
            duration: Some(37.8),
            first_packet_at: Some("2026-11-22T08:57:50.123000000Z".to_owned()),
            link_types: vec!["ETHERNET".to_owned()],
            truncated: false,
            snapped_packets: 0,
            dropped_packets: None,
            duplicate_packets: 0,
            reassembled_datagrams: 0,
            malformed: Vec::new(),
        }],
        sessions: Vec::new(),
        other_flows: Vec::new(),
        other_flows_omitted: None,
        findings: Vec::new(),
    }
}

fn session(id: u32, peers: &[(&str, u16)]) -> Session {
    Session {
        id,
        verdict: Verdict::Pass,
        endpoints: peers.iter().map(|(address, port)| endpoint(address, *port, "peer")).collect(),
        start_time: 0.412,
        duration: 37.2,
        signalling: Signalling::default(),
        connecting: Connecting::default(),
        securing: Securing::default(),
        communicating: Communicating::default(),
    }
}

fn endpoint(address: &str, port: u16, role: &'static str) -> SessionEndpoint {
    SessionEndpoint { address: Some(address.to_owned()), port: Some(port), channel: None, role }
}

fn stream(ssrc: u32, source: &str, destination: &str, payload_type: u8) -> RtpStream {
    RtpStream {
        ssrc,
        source: source.to_owned(),
        destination: destination.to_owned(),
        transport: "udp".to_owned(),
        relay: None,
        previous_paths: Vec::new(),
        payload_types: vec![PayloadType { payload_type, packets: 1_862, codec: None }],
        kind: None,
        role: StreamRole::Media,
        codec: None,
        codec_inferred: false,
        mid: None,
        rid: None,
        msid: None,
        clock_rate: Some(48_000),
        clock_rate_inferred: false,
        packets_received: 1_862,
        bytes_received: 160_000,
        header_bytes_received: 40_000,
        packets_expected: 1_862,
        packets_lost: 0,
        packets_duplicated: 0,
        packets_reordered: 0,
        reorder_depth: 0,
        fraction_lost: Some(0.0),
        jitter: Some(0.0071),
        jitter_mean: Some(0.0074),
        jitter_max: Some(0.0221),
        bitrate: Some(41_234.0),
        burst_loss_count: 0,
        longest_loss_burst: 0,
        loss_bursts: LossBursts::default(),
        max_gap: Some(0.041),
        pauses: Gaps::default(),
        outages: Gaps::default(),
        restarts: 0,
        timestamp_jumps: 0,
        sequence_wraps: 0,
        marker_packets: 1,
        frames: None,
        frames_per_second: None,
        padding_packets: 0,
        csrcs: Vec::new(),
        header_extensions: Vec::new(),
        clock_drift_ppm: Some(12.4),
        encrypted: None,
        ssrc_collision: false,
        seen_before: false,
        rtx_ssrc: None,
        repairs_ssrc: None,
        first_sequence_number: 17,
        first_packet: packet(60),
        last_packet: packet(7_200),
        start_time: 0.6,
        duration: 37.0,
        reported: None,
        inferred: None,
    }
}

fn flow(source: &str, destination: &str, protocol: &str, packets: u64) -> OtherFlow {
    OtherFlow {
        source: source.to_owned(),
        destination: destination.to_owned(),
        transport: "udp".to_owned(),
        protocol: Some(protocol.to_owned()),
        packets,
        bytes: packets * 80,
        ..OtherFlow::default()
    }
}

fn packet(number: u64) -> PacketRef {
    PacketRef { file: 0, number }
}

fn counts(counts: &[(&str, u64)]) -> std::collections::BTreeMap<String, u64> {
    counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}
