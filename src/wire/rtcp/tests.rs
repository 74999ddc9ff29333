use proptest::prelude::*;

use super::*;
use crate::wire::{
    feedback::{PayloadMessage, TransportMessage},
    xr::BlockContent,
};

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] << 4 | pair[1]).unwrap()).collect()
}

fn clear(bytes: &[u8]) -> Compound<'_> {
    match classify(bytes) {
        Ok(Rtcp::Clear(compound)) => compound,
        other => panic!("not clear: {other:?}"),
    }
}

fn srtcp(bytes: &[u8]) -> Srtcp {
    match classify(bytes) {
        Ok(Rtcp::Encrypted(srtcp)) => srtcp,
        other => panic!("not encrypted: {other:?}"),
    }
}

/// SR with one report block, SDES with CNAME and TOOL, as GStreamer sent it; tshark names the same values.
const REPORT: &str = "81c8000c08066431eead2355d3e21d962e5e01ba00000019000018ad28d115c500ffffff00002d230000005c2355c651\
    0000082a81ca000c08066431011c757365723431323733383337353640686f73742d336331646632313606094753747265616d6572000000";

#[test]
fn sender_report_and_description() {
    let bytes = hex(REPORT);
    let packets: Vec<_> = clear(&bytes).packets().collect();
    let [report, description] = packets[..] else { panic!("{packets:?}") };
    assert_eq!((report.offset, report.length, report.fault, report.name()), (0, 52, None, "SR"));
    assert_eq!((description.offset, description.length, description.fault), (52, 52, None));
    let Content::SenderReport { ssrc, ntp, rtp_timestamp, packets, octets, mut reports, extension } = report.content
    else {
        panic!("{report:?}")
    };
    assert_eq!((ssrc, ntp), (0x0806_6431, 0xeead_2355_d3e2_1d96));
    assert_eq!((rtp_timestamp, packets, octets), (777_912_762, 25, 6317));
    assert!(extension.is_empty());
    let block = ReportBlock {
        ssrc: 0x28d1_15c5,
        fraction_lost: 0,
        cumulative_lost: -1,
        highest_sequence: 11_555,
        jitter: 92,
        lsr: 0x2355_c651,
        dlsr: 2090,
    };
    assert_eq!((reports.next(), reports.next()), (Some(block), None));
    let Content::SourceDescription(mut chunks) = description.content else { panic!("{description:?}") };
    let chunk = chunks.next().unwrap();
    let items: Vec<_> = chunk.items.collect();
    assert_eq!(items, [Item::Cname(b"user4127383756@host-3c1df216"), Item::Tool(b"GStreamer")]);
    assert!(chunks.next().is_none());
}

#[test]
fn chunks_are_aligned_to_words_each_for_itself() {
    let bytes = hex("82ca0008 00000001 0c026161 00000000 00000002 0d0162 0f0163 08040178 7a7a 00000000");
    let packet = clear(&bytes).packets().next().unwrap();
    let Content::SourceDescription(chunks) = packet.content else { panic!("{packet:?}") };
    let chunks: Vec<(u32, Vec<Item<'_>>)> = chunks.map(|chunk| (chunk.ssrc, chunk.items.collect())).collect();
    assert_eq!(chunks[0], (1, vec![Item::RtpStreamId(b"aa")]));
    let private = Item::Private { prefix: b"x", value: b"zz" };
    assert_eq!(chunks[1], (2, vec![Item::RepairedRtpStreamId(b"b"), Item::Mid(b"c"), private]));
}

#[test]
fn srtcp_of_rfc_7714_section_17_1() {
    // AEAD_AES_128_GCM, SSRC 4d617273, index 0x5d4, as the RFC prints the protected packet, but for
    // the length field: there it says 13, one more than the words that were protected.
    let bytes = hex(
        "81c8000c4d61727363e948 85dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1 730d6fda 4ce09b46 86303ded \
         0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4",
    );
    let expected = Srtcp {
        first_type: 200,
        first_count: 1,
        ssrc: 0x4d61_7273,
        index: Some(0x5d4),
        tag_length: Some(16),
        mki_length: 0,
    };
    assert_eq!(srtcp(&bytes), expected);
}

/// A lone receiver report without blocks, then `trailer`.
fn lone(trailer: &str) -> Vec<u8> {
    [hex("80c9000111223344"), hex(trailer)].concat()
}

#[test]
fn what_follows_a_lone_report_is_a_trailer() {
    let counter = srtcp(&lone("80000007 a1b2c3d4e5f60718293a"));
    assert_eq!((counter.ssrc, counter.index, counter.tag_length), (0x1122_3344, Some(7), Some(10)));
    let short = srtcp(&lone("80000007 a1b2c3d4"));
    assert_eq!((short.index, short.tag_length), (Some(7), Some(4)));
    let aead = srtcp(&lone("a1b2c3d4e5f60718293a4b5c6d7e8f90 80000007"));
    assert_eq!((aead.index, aead.tag_length), (Some(7), Some(16)));
    let identified = srtcp(&lone("80000007 01020304 a1b2c3d4e5f60718293a"));
    assert_eq!((identified.index, identified.tag_length, identified.mki_length), (Some(7), Some(10), 4));
}

#[test]
fn a_lone_packet_with_room_for_a_trailer_is_encrypted_by_whatever_scheme() {
    // As Discord sends it: AEAD tag, then a counter that is not SRTCP's.
    let foreign = srtcp(&lone("a1b2c3d4e5f60718293a4b5c6d7e8f90 f1350100"));
    assert_eq!((foreign.ssrc, foreign.index, foreign.tag_length), (0x1122_3344, None, None));
    // What has a second header is a compound with a wrong length.
    assert!(classify(&lone("81ca00ff e5f60718293a4b5c6d7e8f90 f1350100")).is_err());
}

#[test]
fn without_encryption_the_compound_is_clear() {
    let bytes = [hex(REPORT), hex("00000007a1b2c3d4e5f60718293a")].concat();
    let compound = clear(&bytes);
    assert_eq!(compound.trailer(), Some(Trailer { index: 7, length: 14, tag_length: 10 }));
    assert_eq!((compound.packets().count(), compound.length()), (2, 104));
    let aead = [hex(REPORT), hex("a1b2c3d4e5f60718293a4b5c6d7e8f9000000007")].concat();
    assert_eq!(clear(&aead).trailer(), Some(Trailer { index: 7, length: 20, tag_length: 16 }));
}

#[test]
fn neither_clear_nor_encrypted() {
    let fault = |text: &str| classify(&hex(text)).unwrap_err();
    assert_eq!(fault(""), Malformed::new(Layer::Rtcp, Kind::TooShort, 0));
    assert_eq!(fault("00c90001"), Malformed::new(Layer::Rtcp, Kind::BadVersion, 0));
    assert_eq!(fault("80600000"), Malformed::new(Layer::Rtcp, Kind::BadValue, 0));
    assert_eq!(fault("80c9000911223344"), Malformed::new(Layer::Rtcp, Kind::BadLength, 0));
    // A report and eight bytes of zero.
    assert_eq!(fault("80c90001112233440000000000000000").kind, Kind::BadVersion);
}

#[test]
fn an_application_packet_without_length_does_not_stop_the_list() {
    let bytes = hex("80cc0000 80c9000111223344");
    let packets: Vec<_> = clear(&bytes).packets().collect();
    assert_eq!(packets.len(), 2);
    assert!(matches!(packets[0].content, Content::Raw([])));
    assert_eq!(packets[0].fault, Some(Malformed::new(Layer::Rtcp, Kind::TooShort, 4)));
    assert!(matches!(packets[1].content, Content::ReceiverReport { ssrc: 0x1122_3344, .. }));
}

#[test]
fn counts_beyond_the_bytes_are_cut_and_noted() {
    let block = "28d115c500ffffff00002d230000005c2355c6510000082a";
    let bytes = hex(&format!("9fc90007 11223344 {block} 83cb0001 55667788"));
    let packets: Vec<_> = clear(&bytes).packets().collect();
    let Content::ReceiverReport { reports, .. } = packets[0].content else { panic!("{packets:?}") };
    assert_eq!(reports.count(), 1);
    assert_eq!(packets[0].fault.unwrap().kind, Kind::BadLength);
    let Content::Bye { ssrcs, reason } = packets[1].content else { panic!("{packets:?}") };
    assert_eq!((ssrcs.collect::<Vec<_>>(), reason), (vec![0x5566_7788], None));
    assert!(packets[1].fault.is_some());
}

#[test]
fn bye_with_reason() {
    let bytes = hex("81cb0003 55667788 05686f777a69 0000");
    let packet = clear(&bytes).packets().next().unwrap();
    let Content::Bye { reason, .. } = packet.content else { panic!("{packet:?}") };
    assert_eq!((reason, packet.fault), (Some(&b"howzi"[..]), None));
}

#[test]
fn padding_belongs_to_the_last_packet() {
    let bytes = hex("a0c90002 11223344 00000004");
    let packet = clear(&bytes).packets().next().unwrap();
    let Content::ReceiverReport { extension, .. } = packet.content else { panic!("{packet:?}") };
    assert_eq!((packet.padding, extension, packet.fault), (4, &[][..], None));
    let early = hex("a0c90002 11223344 00000004 81cb0001 55667788");
    assert_eq!(clear(&early).packets().next().unwrap().fault.unwrap().kind, Kind::BadValue);
    let lying = hex("a0c90002 11223344 000000fc");
    assert_eq!(clear(&lying).packets().next().unwrap().fault.unwrap().kind, Kind::BadValue);
}

#[test]
fn what_is_snapped_is_told_only_where_it_can_be() {
    let bytes = hex(REPORT);
    let whole = |cut: usize| match classify_snapped(&bytes[..cut], bytes.len()) {
        Ok(Rtcp::Clear(compound)) => Some((compound.packets().count(), compound.is_snapped())),
        Ok(Rtcp::Undecided(first)) => {
            assert_eq!((first.first_type, first.first_count), (200, 1));
            None
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(whole(104), Some((2, false)));
    assert_eq!(whole(60), Some((1, true)));
    assert_eq!(whole(56), Some((1, true)));
    assert_eq!(whole(52), None);
    assert_eq!(whole(4), None);
    assert!(classify_snapped(&bytes[..3], 104).is_err());
}

/// Reads everything there is to read.
fn walk(bytes: &[u8]) -> usize {
    let compound = match classify(bytes).or_else(|_| classify_snapped(bytes, bytes.len() + 40)) {
        Ok(Rtcp::Clear(compound)) => compound,
        _ => return 0,
    };
    let mut seen = 0;
    for packet in compound.packets() {
        assert!(packet.offset + packet.length <= bytes.len());
        assert!(!packet.name().is_empty());
        seen += 1 + match packet.content {
            Content::SenderReport { reports, .. } | Content::ReceiverReport { reports, .. } => reports.count(),
            Content::SourceDescription(chunks) => chunks.map(|chunk| chunk.items.count()).sum(),
            Content::Bye { ssrcs, .. } => ssrcs.count(),
            Content::App { data, .. } | Content::Raw(data) => data.len(),
            Content::TransportFeedback(feedback) => match feedback.message {
                TransportMessage::GenericNack(pairs) | TransportMessage::Tllei(pairs) => {
                    pairs.map(|pair| pair.sequences().count()).sum()
                }
                TransportMessage::Tmmbr(limits) | TransportMessage::Tmmbn(limits) => limits.count(),
                TransportMessage::TransportCc(feedback) => {
                    let counts = feedback.counts();
                    let listed = feedback.statuses().count();
                    assert_eq!(listed as u32, counts.received + counts.not_received + counts.reserved);
                    listed
                }
                TransportMessage::CongestionControl(feedback) => {
                    feedback.streams().map(|stream| stream.arrivals().count()).sum()
                }
                TransportMessage::SenderReportRequest | TransportMessage::Ecn(_) | TransportMessage::Other(_) => 0,
            },
            Content::PayloadFeedback(feedback) => match feedback.message {
                PayloadMessage::Sli(list) => list.count(),
                PayloadMessage::Fir(list) => list.count(),
                PayloadMessage::Tstr(list) | PayloadMessage::Tstn(list) => list.count(),
                PayloadMessage::Vbcm(list) => list.count(),
                PayloadMessage::Remb { ssrcs, .. } => ssrcs.count(),
                _ => 0,
            },
            Content::ExtendedReport(report) => report
                .blocks()
                .map(|block| match block.content {
                    BlockContent::LossRle(runs) | BlockContent::DuplicateRle(runs) => {
                        assert!(runs.zeros() <= runs.range.packets());
                        runs.chunks().count()
                    }
                    BlockContent::PacketReceiptTimes { times, .. } => times.count(),
                    BlockContent::Dlrr(answers) => answers.count(),
                    _ => 0,
                })
                .sum(),
        };
    }
    seen
}

proptest! {
    #[test]
    fn any_bytes_can_be_walked(
        packet_type in TYPES,
        count in 0_u8..32,
        padding in any::<bool>(),
        body in proptest::collection::vec(any::<u32>(), 0..64),
    ) {
        let first = 0x8000_0000 | u32::from(padding) << 29 | u32::from(count) << 24 | u32::from(packet_type) << 16;
        let words = [first | body.len() as u32].into_iter().chain(body);
        let bytes: Vec<u8> = words.flat_map(u32::to_be_bytes).collect();
        prop_assert!(walk(&bytes) > 0);
        for cut in 0..bytes.len() {
            walk(&bytes[..cut]);
        }
    }
}
