use super::*;
use crate::wire::rtcp::{Content, Packet, Rtcp, classify};

/// Runs `check` on the only packet of a datagram given as words.
fn with_packet(words: &[u32], check: impl FnOnce(Packet<'_>)) {
    let bytes: Vec<u8> = words.iter().copied().flat_map(u32::to_be_bytes).collect();
    let Ok(Rtcp::Clear(compound)) = classify(&bytes) else { panic!("not clear") };
    let mut packets = compound.packets();
    check(packets.next().unwrap());
    assert!(packets.next().is_none());
}

fn transport(words: &[u32], check: impl FnOnce(TransportFeedback<'_>)) {
    with_packet(words, |packet| match packet.content {
        Content::TransportFeedback(feedback) => check(feedback),
        other => panic!("{other:?}"),
    });
}

fn payload(words: &[u32], check: impl FnOnce(PayloadFeedback<'_>)) {
    with_packet(words, |packet| match packet.content {
        Content::PayloadFeedback(feedback) => check(feedback),
        other => panic!("{other:?}"),
    });
}

#[test]
fn a_nack_names_up_to_seventeen_packets() {
    transport(&[0x81cd_0003, 1, 2, 0xfffe_8003], |feedback| {
        assert_eq!((feedback.sender_ssrc, feedback.media_ssrc, feedback.name()), (1, 2, "Generic NACK"));
        let TransportMessage::GenericNack(pairs) = feedback.message else { panic!("{feedback:?}") };
        let lost: Vec<u16> = pairs.flat_map(NackPair::sequences).collect();
        assert_eq!(lost, [65_534, 65_535, 0, 14]);
    });
}

#[test]
fn bitrates_are_mantissa_and_exponent() {
    transport(&[0x83cd_0004, 1, 0, 7, 2 << 26 | 0x1_ffff << 9 | 0x1ff], |feedback| {
        let TransportMessage::Tmmbr(mut limits) = feedback.message else { panic!("{feedback:?}") };
        assert_eq!(limits.next(), Some(BitrateLimit { ssrc: 7, bitrate: 0x1_ffff << 2, overhead: 511 }));
    });
    transport(&[0x84cd_0004, 1, 0, 7, 63 << 26 | 0x1_ffff << 9], |feedback| {
        let TransportMessage::Tmmbn(mut limits) = feedback.message else { panic!("{feedback:?}") };
        assert_eq!(limits.next().unwrap().bitrate, u64::MAX);
    });
}

#[test]
fn remb_as_aiortc_sent_it() {
    payload(&[0x8fce_0005, 0x22bd_a929, 0, 0x5245_4d42, 0x0107_cd2c, 0x41c9_9ed7], |feedback| {
        assert_eq!(feedback.name(), "REMB");
        let PayloadMessage::Remb { bitrate, ssrcs } = feedback.message else { panic!("{feedback:?}") };
        assert_eq!((bitrate, ssrcs.collect::<Vec<_>>()), (498_264, vec![0x41c9_9ed7]));
    });
    // 255 SSRCs promised, none there; the exponent shifts everything out.
    with_packet(&[0x8fce_0004, 1, 0, 0x5245_4d42, 0xffff_ffff], |packet| {
        assert!(packet.fault.is_some());
        let Content::PayloadFeedback(feedback) = packet.content else { panic!("{packet:?}") };
        let PayloadMessage::Remb { bitrate, ssrcs } = feedback.message else { panic!("{packet:?}") };
        assert_eq!((bitrate, ssrcs.count()), (u64::MAX, 0));
    });
}

#[test]
fn pictures() {
    payload(&[0x81ce_0002, 1, 2], |feedback| assert!(matches!(feedback.message, PayloadMessage::Pli)));
    payload(&[0x84ce_0004, 1, 0, 2, 0x0900_0000], |feedback| {
        let PayloadMessage::Fir(mut entries) = feedback.message else { panic!("{feedback:?}") };
        assert_eq!(entries.next(), Some(Fir { ssrc: 2, sequence: 9 }));
    });
    // pion/rtcp slice_loss_indication_test.go: first 0xaaa, number 0, picture 0x2c.
    payload(&[0x82ce_0003, 0x902f_9e2e, 0x902f_9e2e, 0x5550_002c], |feedback| {
        let PayloadMessage::Sli(mut entries) = feedback.message else { panic!("{feedback:?}") };
        assert_eq!(entries.next(), Some(Sli { first: 0xaaa, number: 0, picture_id: 0x2c }));
    });
    payload(&[0x85ce_0004, 1, 0, 2, 0x0700_001e], |feedback| {
        let PayloadMessage::Tstr(mut entries) = feedback.message else { panic!("{feedback:?}") };
        assert_eq!(entries.next(), Some(TemporalSpatial { ssrc: 2, sequence: 7, index: 30 }));
    });
    payload(&[0x87ce_0005, 1, 0, 2, 0x0760_0003, 0xaabb_cc00], |feedback| {
        let PayloadMessage::Vbcm(mut messages) = feedback.message else { panic!("{feedback:?}") };
        let message = Vbcm { ssrc: 2, sequence: 7, payload_type: 96, message: &[0xaa, 0xbb, 0xcc] };
        assert_eq!((messages.next(), messages.next()), (Some(message), None));
    });
}

#[test]
fn transport_cc_as_aiortc_sent_it() {
    // tshark: base 3, count 21, reference 604875, feedback 1; three two-bit vectors, 21 small deltas, and
    // padding of one byte.
    let words = [
        0xafcd_000b,
        1,
        0xf627_14d0,
        0x0003_0015,
        0x093a_cb01,
        0xd555_d555,
        0xd555_0c1a,
        0x020a_0719,
        0x0105_1101,
        0x0d02_0322,
        0x5446_0101,
        0x4020_4701,
    ];
    with_packet(&words, |packet| {
        assert_eq!((packet.padding, packet.fault), (1, None));
        let Content::TransportFeedback(feedback) = packet.content else { panic!("{packet:?}") };
        let TransportMessage::TransportCc(feedback) = feedback.message else { panic!("{feedback:?}") };
        assert_eq!((feedback.base_sequence, feedback.status_count), (3, 21));
        assert_eq!((feedback.reference_time, feedback.feedback_count), (604_875, 1));
        let statuses: Vec<_> = feedback.statuses().collect();
        assert_eq!(statuses.len(), 21);
        assert_eq!(statuses[0], PacketStatus { sequence: 3, status: Status::SmallDelta, delta: Some(12) });
        assert_eq!(statuses[20].delta, Some(0x47));
        assert_eq!(feedback.counts(), StatusCounts { received: 21, not_received: 0, reserved: 0 });
    });
}

#[test]
fn transport_cc_with_runs_and_negative_deltas() {
    // Run of 4 not received, one-bit vector 1010..., two-bit vector large, small, none ...; reference time -1.
    let words = [0x8fcd_0007, 1, 2, 0xffff_0015, 0xffff_ff05, 0x0004_a800, 0xe400_0403, 0xfffe_0900];
    transport(&words, |feedback| {
        let TransportMessage::TransportCc(feedback) = feedback.message else { panic!("{feedback:?}") };
        assert_eq!((feedback.reference_time, feedback.feedback_count), (-1, 5));
        let received: Vec<_> =
            feedback.statuses().filter_map(|packet| packet.delta.map(|delta| (packet.sequence, delta))).collect();
        // 4 of the run are 65535, 0, 1, 2; the vector's bits 13 and 11 are packets 3 and 5, then 17 and 18.
        assert_eq!(received, [(3, 4), (5, 3), (17, -2), (18, 9)]);
        assert_eq!(feedback.counts(), StatusCounts { received: 4, not_received: 17, reserved: 0 });
    });
}

#[test]
fn transport_cc_that_lies() {
    // 65,535 packets in one run of 8,191 large deltas without any delta.
    with_packet(&[0x8fcd_0005, 1, 2, 0x0000_ffff, 0x0000_0000, 0x5fff_0000], |packet| {
        assert!(packet.fault.is_some());
        let Content::TransportFeedback(feedback) = packet.content else { panic!("{packet:?}") };
        let TransportMessage::TransportCc(feedback) = feedback.message else { panic!("{feedback:?}") };
        assert_eq!(feedback.statuses().count(), 8191);
        assert!(feedback.statuses().all(|packet| packet.delta.is_none()));
    });
}

#[test]
fn congestion_control_of_rfc_8888() {
    // Two streams: sequence 5 to 7 (lost, arrived 1/1024 s before with CE, unknown time), and 65535 to 0.
    let words = [
        0x8bcd_0009,
        1,
        0x1111_1111,
        0x0005_0003,
        0x0000_e001,
        0x9fff_0000,
        0x2222_2222,
        0xffff_0002,
        0x8002_8001,
        0x2355_c651,
    ];
    transport(&words, |feedback| {
        assert_eq!((feedback.sender_ssrc, feedback.media_ssrc, feedback.name()), (1, 0x1111_1111, "CCFB"));
        let TransportMessage::CongestionControl(report) = feedback.message else { panic!("{feedback:?}") };
        assert_eq!(report.timestamp, 0x2355_c651);
        let streams: Vec<_> = report.streams().collect();
        let first: Vec<_> = streams[0].arrivals().collect();
        let arrival = |sequence, received, ecn, offset| Arrival { sequence, received, ecn, offset };
        assert_eq!(first, [arrival(5, false, 0, None), arrival(6, true, 3, Some(1)), arrival(7, true, 0, None)]);
        let second: Vec<_> = streams[1].arrivals().collect();
        assert_eq!(second, [arrival(65_535, true, 0, Some(2)), arrival(0, true, 0, Some(1))]);
        assert_eq!((streams[1].ssrc, streams.len()), (0x2222_2222, 2));
    });
}

#[test]
fn congestion_control_that_lies() {
    with_packet(&[0x8bcd_0004, 1, 0x1111_1111, 0x0005_ffff, 0x2355_c651], |packet| {
        assert!(packet.fault.is_some());
        let Content::TransportFeedback(feedback) = packet.content else { panic!("{packet:?}") };
        let TransportMessage::CongestionControl(report) = feedback.message else { panic!("{feedback:?}") };
        assert_eq!(report.streams().next().unwrap().arrivals().count(), 0);
    });
}
