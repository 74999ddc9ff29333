//! Packets of the RFCs and of libsrtp's tests; and packets that a second, small implementation makes.

use aes::{
    Aes128,
    cipher::{BlockCipherEncrypt, KeyInit},
};
use aes_gcm::{AeadInOut, Aes128Gcm};
use proptest::prelude::*;
use sha1::{Digest, Sha1};

use super::*;
use crate::crypto::srtp::{
    cipher::Aes,
    context::{MOST_TRIES, counter_mode_block},
    derive::{Purpose, SessionKeys},
    header::open_elements,
    text::GivenKey,
};

/// The bytes that hexadecimal digits stand for; blanks are skipped.
pub(super) fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> = digits.chars().filter_map(|digit| digit.to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

pub(super) fn context(profile: &str, key_and_salt: &str) -> Context {
    Context::new(&Keying::new(Profile::from_name(profile).unwrap(), &hex(key_and_salt)).unwrap())
}

fn opened(context: &mut Context, packet: &[u8], wanted: &Wanted<'_>) -> Result<Vec<u8>, OpenError> {
    let mut out = vec![1, 2, 3];
    let authentic = context.authenticate(packet, 0)?;
    context.open(&authentic, wanted, &mut out);
    Ok(out)
}

/// The packet opens to `plain`, any part of it to the same part, and nothing that is not it opens at all.
#[track_caller]
pub(super) fn opens(context: &mut Context, packet: &str, plain: &str) {
    let (packet, plain) = (hex(packet), hex(plain));
    assert_eq!(opened(context, &packet, &Wanted::ALL), Ok(plain.clone()));
    let authentic = context.authenticate(&packet, 0).unwrap();
    let (header_length, payload_length) = (authentic.header_length(), authentic.payload_length());
    assert_eq!(header_length + payload_length, plain.len());
    for payload in 0..payload_length + 2 {
        let part = opened(context, &packet, &Wanted { payload, ..Wanted::ALL }).unwrap();
        assert_eq!(part, plain[..(header_length + payload).min(plain.len())], "{payload} bytes");
    }
    assert!(context.authenticate(&packet, 1).is_err());
    for place in 0..packet.len() * 8 {
        let mut changed = packet.clone();
        changed[place / 8] ^= 1 << (place % 8);
        assert!(context.authenticate(&changed, 0).is_err(), "bit {place} changed");
    }
    for length in 0..packet.len() {
        assert!(context.authenticate(&packet[..length], 0).is_err(), "cut to {length} bytes");
    }
}

#[track_caller]
pub(super) fn opens_rtcp(context: &mut Context, packet: &str, plain: &str, index: u32, was_encrypted: bool) {
    let (packet, plain) = (hex(packet), hex(plain));
    let mut out = vec![1, 2, 3];
    assert_eq!(context.open_rtcp(&packet, &mut out), Ok(OpenedRtcp { index, was_encrypted }));
    assert_eq!(out, plain);
    for place in 0..packet.len() * 8 {
        let mut changed = packet.clone();
        changed[place / 8] ^= 1 << (place % 8);
        assert!(context.open_rtcp(&changed, &mut out).is_err() && out.is_empty(), "bit {place} changed");
    }
    for length in 0..packet.len() {
        assert!(context.open_rtcp(&packet[..length], &mut out).is_err(), "cut to {length} bytes");
    }
}

/// The key of RFC 3711 appendix B.3, which libsrtp's tests have too.
const KEY: &str = "e1f97a0d3e018be0d64fa32c06de4139 0ec675ad498afeebb6960b3aabe6";

/// The packet of libsrtp's `srtp_validate`, in clear.
const PLAIN: &str = "800f1234decafbadcafebabe abababababababababababababababab";

/// The compound of libsrtp's `srtp_validate`, in clear.
const PLAIN_RTCP: &str = "81c8000bcafebabe abababababababababababababababab";

#[test]
fn keystream_of_rfc_3711_appendix_b_2_and_rfc_6188() {
    let counter: [u8; 16] = hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD0000").try_into().unwrap();
    for (key, first, last) in [
        (
            "2B7E151628AED2A6ABF7158809CF4F3C",
            "E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB 41E95B3BB0A2E8DD477901E4FCA894C0",
            "EC8CDF7398607CB0F2D21675EA9EA1E4 362B7C3C6773516318A077D7FC5073AE 6A2CC3787889374FBEB4C81B17BA6C44",
        ),
        (
            "eab234764e517b2d3d160d587d8c86219740f65f99b6bcf7",
            "35096cba4610028dc1b57503804ce37c 5de986291dcce161d5165ec4568f5c9a 474a40c77894bc17180202272a4c264d",
            "d108d1a31a00bad6367ec23eb044b415 c8f57129fdeb970b59f917b257662d4c a5dab625811034e8cebdfeb6dc158dd3",
        ),
        (
            "57f82fe3613fd170a85ec93c40b1f0922ec4cb0dc025b58272147cc438944a98",
            "92bdd28a93c3f52511c677d08b5515a4 9da71b2378a854f67050756ded165bac 63c4868b7096d88421b563b8c94c9a31",
            "cea518c90fd91ced9cbb18c078a54711 3dbc4814f4da5f00a08772b63c6a046d 6eb246913062a16891433e97dd01a57f",
        ),
    ] {
        let mut keystream = vec![0; 0xff02 * 16];
        // In two parts that do not end with a block.
        let (front, back) = keystream.split_at_mut(23);
        Aes::new(&hex(key)).unwrap().apply(counter, [front, back]);
        assert_eq!(keystream[..48], hex(first));
        assert_eq!(keystream[0xfeff * 16..], hex(last));
    }
}

#[test]
fn packets_of_libsrtp() {
    let mut counter = context("AES_CM_128_HMAC_SHA1_80", KEY);
    opens(&mut counter, "800f1234decafbadcafebabe 4e55dc4ce79978d88ca4d215949d2402 b78d6acc99ea179b8dbb", PLAIN);
    opens(&mut counter, "800f1234decafbadcafebabe 773c2e1cd91d590d16e5", "800f1234decafbadcafebabe");
    let sealed = "81c8000bcafebabe 7128035be487b9bdbef89041f977a5a8 80000001 993e08cd54d6c1230798";
    opens_rtcp(&mut counter, sealed, PLAIN_RTCP, 1, true);

    let mut wide = context(
        "AES_256_CM_HMAC_SHA1_80",
        "f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6 3b04803de51ee7c96423ab5b78d2",
    );
    opens(&mut wide, "800f1234decafbadcafebabe f1d9de17ff251ff1aa007774b0b4b40d a08d9d9a5b3a55d8873b", PLAIN);

    let mut null = context("NULL_HMAC_SHA1_80", KEY);
    opens(&mut null, "800f1234decafbadcafebabe abababababababababababababababab aba136270b679134ce9b", PLAIN);
    let sealed = "81c8000bcafebabe abababababababababababababababab 00000001 fe88c7fdfd37ebce615d";
    opens_rtcp(&mut null, sealed, PLAIN_RTCP, 1, false);
}

#[test]
fn packets_of_libsrtp_under_gcm() {
    let mut gcm = context("AEAD_AES_128_GCM", "000102030405060708090a0b0c0d0e0f a0a1a2a3a4a5a6a7a8a9aaab");
    let sealed = "800f1234decafbadcafebabe c5002ede04cfdd2eb91159e0880aa06e d2976826f796b201df3131a127e8a392";
    opens(&mut gcm, sealed, PLAIN);
    let sealed = "81c8000bcafebabe c98b8b5df0392a55852b6c21ac8e7025 c52c6fbea2b3b446ea31123ba88ce61e 80000001";
    opens_rtcp(&mut gcm, sealed, PLAIN_RTCP, 1, true);
}

/// Packets that libsrtp 2.5.0 made with a random key of 192 bits, named 01020304: not as RFC 6188 derives session keys.
#[test]
fn libsrtp_derives_keys_of_aes_192_otherwise() {
    let key = "AES_192_CM_HMAC_SHA1_80:e62a9b141ed151440f35fb1109245a04807be48f0c34f89cc83b69b0ebdb85edbc72ffb0b900";
    let keying = GivenKey::parse(&format!("{key}|16909060:4")).unwrap().candidates.remove(0);
    let plain = "8060fc01 3519568f 34140cc4 174f7783b914f5eef87f9255f88930";
    let sealed = "8060fc01 3519568f 34140cc4 30193f5f5ec713bb49fb2b8fc26c0b 01020304 f6cbc7737723645159aa";
    let mut context = Context::new(&keying);
    assert_eq!(opened(&mut context, &hex(sealed), &Wanted::ALL), Ok(hex(plain)));
    let plain = "81c80006 34140cc4 2ff7e1b6ceb86d8dfaae519dbc0e14ef1716752e";
    let sealed = "81c80006 34140cc4 27384373846a8d038048ef18477a039b151afb60 80000001 01020304 ccb56c6da8f7c441c1fb";
    let mut out = Vec::new();
    context.open_rtcp(&hex(sealed), &mut out).unwrap();
    assert_eq!(out, hex(plain));
}

/// The packets of libre's tests, which libsrtp made. The tag of SRTCP is as short as that of SRTP, against RFC 3711.
#[test]
fn short_tags() {
    let key = "22".repeat(16) + &"44".repeat(14);
    let plain = "800000010000000001020304".to_owned() + &"a5".repeat(20);
    let sealed = "800000010000000001020304 f5b44b7e3ad4eb057bc6480c45df6547bb70bcc2 7b136e1f3d3a62821b15";
    opens(&mut context("AES_CM_128_HMAC_SHA1_80", &key), sealed, &plain);
    let profile = Profile::from_name("AES_CM_128_HMAC_SHA1_32").unwrap();
    let keying = Keying::new(profile, &hex(&key)).unwrap();
    // The long tag starts with the short one (RFC 2104 section 5).
    opens(&mut Context::new(&keying), &sealed[..sealed.len() - 12], &plain);
    let rtcp = "81cb0002010203 0487c9fcdb 80000001 e9442fcc";
    assert!(Context::new(&keying).open_rtcp(&hex(rtcp), &mut Vec::new()).is_err());
    let mut context = Context::new(&keying.with_rtcp_tag_length(4));
    opens_rtcp(&mut context, rtcp, "81cb00020102030401620000", 1, true);
}

#[test]
fn header_extensions_of_rfc_6904() {
    let plain = hex("900f1234decafbadcafebabe bede0006 17414273a475262748220000c8308e4655996386b395fb00 \
                     abababababababababababababababab");
    let sealed = hex("900f1234decafbadcafebabe bede0006 17588A9270F4E15E1C220000C8309546A994F0BC54789700 \
                      4e55dc4ce79978d88ca4d215949d2402 5a46b3ca35c535a891c7");
    let mut counter = context("AES_CM_128_HMAC_SHA1_80", KEY);
    let wanted = Wanted { payload: usize::MAX, encrypted_ids: &[1, 3, 4] };
    assert_eq!(opened(&mut counter, &sealed, &wanted), Ok(plain.clone()));
    // The third element alone, of one byte.
    let wanted = Wanted { payload: 0, encrypted_ids: &[3] };
    let mut expected = sealed[..40].to_vec();
    expected[30] = plain[30];
    assert_eq!(opened(&mut counter, &sealed, &wanted), Ok(expected));

    // libsrtp's packet under GCM has a tag of eight bytes, which RFC 7714 does not know: the extension alone is opened.
    let profile = Profile::from_name("AEAD_AES_128_GCM").unwrap();
    let master = MasterKey::new(profile, &hex(KEY)[..28]).unwrap();
    let keys = SessionKeys::derive(profile, &master, Purpose::HeaderExtension, 0);
    let mut packet = hex("900f1234decafbadcafebabe bede0006 1712e0205bfa949b1c220000c830bb46732778d9929aab00");
    let sealed = packet.clone();
    let header = crate::wire::rtp::Header::parse(&sealed, sealed.len()).unwrap();
    let counter = counter_mode_block(&keys.salt, 0xcafe_babe, 0x1234);
    open_elements(&header, &keys, counter, &[1, 3, 4], &mut packet);
    assert_eq!(packet, plain[..40]);
}

#[test]
fn cryptex_of_rfc_9335_appendix_a() {
    let plain = [
        "900f1235decafbadcafebabe bede000151000200abababababababababababababababab",
        "900f1236decafbadcafebabe 1000000105020002abababababababababababababababab",
        "920f1238decafbadcafebabe 0001e2400000b26e bede000151000200abababababababababababababababab",
        "920f1239decafbadcafebabe 0001e2400000b26e 1000000105020002abababababababababababababababab",
        "920f123adecafbadcafebabe 0001e2400000b26e bede0000abababababababababababababababab",
        "920f123bdecafbadcafebabe 0001e2400000b26e 10000000abababababababababababababababab",
    ];
    let counter = [
        "900f1235decafbadcafebabec0de0001eb92365251c3e036f8de27e9c27ee3e0b4651d9fbc4218a70244522f34a5",
        "900f1236decafbadcafebabec2de00014ed9cc4e6a712b3096c5ca77339d4204ce0d77396cab69585fbce38194a5",
        "920f1238decafbadcafebabe8bb6e12b5cff16ddc0de000192838c8c09e58393e1de3a9a74734d6745671338c3acf11da2df8423bee0",
        "920f1239decafbadcafebabef70e513eb90b9b25c2de0001bbed4848faa644665f3d7f34125914e9f4d0ae923c6f479b95a0f7b53133",
        "920f123adecafbadcafebabe7130b6abfe2ab0e3c0de0000e3d9f64b25c9e74cb4cf8e43fb92e3781c2c0ceab6b3a499a14c",
        "920f123bdecafbadcafebabecbf24c124330e1c8c2de0000599dd45bc9d687b603e8b59d771fd38e88b170e0cd31e125eabe",
    ];
    let gcm = [
        "900f1235decafbadcafebabec0de000139972dc9572c4d99e8fc355de743fb2e94f9d8ff54e72f4193bbc5c74ffab0fa9fa0fbeb",
        "900f1236decafbadcafebabec2de0001bb75a4c545cd1f413bdb7daa2b1e3263de313667c963249081b35a65f5cb6c88b394235f",
        "920f1238decafbadcafebabe63bbccc4a7f695c4c0de00018ad7c71fac70a80c92866b4c6ba98546ef913586e95ffaaffe956885\
         bb0647a8bc094ac8",
        "920f1239decafbadcafebabe3680524f8d312b00c2de0001c78d120038422bc111a7187a18246f980c059cc6bc9df8b626394eca\
         344e4b05d80fea83",
        "920f123adecafbadcafebabe15b6bb4337906fffc0de0000b7b964537a2b03ab7ba5389ce93317126b5d974df30c6884dcb651c5\
         e120c1da",
        "920f123bdecafbadcafebabedcb38c9e48bf95f4c2de000061ee432cf920317076613258d3ce4236c06ac429681ad08413512dc9\
         8b5207d8",
    ];
    let gcm_key = "000102030405060708090a0b0c0d0e0f a0a1a2a3a4a5a6a7a8a9aaab";
    for (profile, key, sealed) in [("AES_CM_128_HMAC_SHA1_80", KEY, counter), ("AEAD_AES_128_GCM", gcm_key, gcm)] {
        for (sealed, plain) in sealed.iter().zip(plain) {
            opens(&mut context(profile, key), sealed, plain);
        }
    }
}

/// A sender, written from RFC 3711 and RFC 7714 alone: each block of keystream and each hash by itself.
struct Sender {
    gcm: bool,
    master: Vec<u8>,
    mki: Vec<u8>,
    /// Packets between changes of session keys, 0 for none.
    rate: u64,
}

impl Sender {
    const SSRC: u32 = 0x0102_0304;

    fn new(gcm: bool) -> Self {
        Self { gcm, master: hex(KEY)[..if gcm { 28 } else { 30 }].to_vec(), mki: Vec::new(), rate: 0 }
    }

    fn keying(&self) -> Keying {
        let name = if self.gcm { "AEAD_AES_128_GCM" } else { "AES_CM_128_HMAC_SHA1_80" };
        let profile = Profile::from_name(name).unwrap();
        let mut keying = Keying::new(profile, &self.master).unwrap();
        keying.keys[0] = keying.keys[0].clone().with_mki(&self.mki);
        keying.protection.rekeying = (self.rate > 0).then(|| self.rate.trailing_zeros() as u8);
        keying
    }

    fn context(&self) -> Context {
        Context::new(&self.keying())
    }

    fn derive(&self, label: u128, index: u64, length: usize) -> Vec<u8> {
        let mut salt = self.master[16..].to_vec();
        salt.resize(16, 0);
        let period = index.checked_div(self.rate).unwrap_or(0);
        let input = u128::from_be_bytes(salt.try_into().unwrap()) ^ label << 64 ^ u128::from(period) << 16;
        Self::keystream(&self.master[..16], input, length)
    }

    fn keystream(key: &[u8], start: u128, length: usize) -> Vec<u8> {
        let aes = Aes128::new_from_slice(key).unwrap();
        let blocks = (start..).take(length.div_ceil(16)).flat_map(|counter| {
            let mut block = counter.to_be_bytes().into();
            aes.encrypt_block(&mut block);
            <[u8; 16]>::from(block)
        });
        blocks.take(length).collect()
    }

    /// A packet of this index, and what it carries.
    fn packet(&self, index: u64) -> (Vec<u8>, Vec<u8>) {
        let plain = [
            &[0x80, 96][..],
            &(index as u16).to_be_bytes(),
            &[0; 4],
            &Self::SSRC.to_be_bytes(),
            &index.to_be_bytes().repeat(5)[..37],
        ];
        let mut packet = plain.concat();
        let plain = packet.clone();
        let (key, salt) = (self.derive(0, index, 16), self.derive(2, index, if self.gcm { 12 } else { 14 }));
        if self.gcm {
            let place = [&[0, 0][..], &Self::SSRC.to_be_bytes(), &index.to_be_bytes()[2..]].concat();
            let nonce: Vec<u8> = salt.iter().zip(place).map(|(salt, byte)| salt ^ byte).collect();
            let (header, payload) = packet.split_at_mut(12);
            let gcm = Aes128Gcm::new_from_slice(&key).unwrap();
            let nonce = <[u8; 12]>::try_from(nonce).unwrap().into();
            let tag = gcm.encrypt_inout_detached(&nonce, header, payload.into()).unwrap();
            packet.extend_from_slice(&tag);
            packet.extend_from_slice(&self.mki);
            return (packet, plain);
        }
        let salt = u128::from_be_bytes([&salt[..], &[0, 0]].concat().try_into().unwrap());
        let start = salt ^ u128::from(Self::SSRC) << 64 ^ u128::from(index) << 16;
        for (place, byte) in packet[12..].iter_mut().zip(Self::keystream(&key, start, 37)) {
            *place ^= byte;
        }
        let mut key = self.derive(1, index, 20);
        key.resize(64, 0);
        let pad = |with: u8| key.iter().map(|byte| byte ^ with).collect::<Vec<u8>>();
        let counter = ((index >> 16) as u32).to_be_bytes();
        let inner = Sha1::digest([&pad(0x36)[..], &packet, &counter].concat());
        let tag = Sha1::digest([&pad(0x5c)[..], &inner].concat());
        packet.extend_from_slice(&self.mki);
        packet.extend_from_slice(&tag[..10]);
        (packet, plain)
    }
}

/// Follows packets of these indexes and compares each with what was sent.
fn follow(sender: &Sender, context: &mut Context, rollover: &mut Rollover, indexes: impl IntoIterator<Item = u64>) {
    let mut out = Vec::new();
    for index in indexes {
        let (packet, plain) = sender.packet(index);
        let authentic = rollover.authenticate(context, &packet).unwrap_or_else(|error| panic!("{index:#x}: {error}"));
        assert_eq!((authentic.index(), authentic.has_tag()), (index, true));
        context.open(&authentic, &Wanted::ALL, &mut out);
        assert_eq!(out, plain);
    }
}

#[test]
fn rollover_counters_are_followed_and_found() {
    for sender in [false, true].map(Sender::new) {
        let fresh = || (sender.context(), Rollover::default());
        // Through two wraps, with reordering and duplicates around each.
        let (mut context, mut rollover) = fresh();
        let near = [0xfffd_u64, 0xffff, 0x1_0001, 0xfffe, 0x1_0000, 0xffff, 0x1_0000, 0x1_0002];
        follow(&sender, &mut context, &mut rollover, near);
        follow(&sender, &mut context, &mut rollover, (0x1_0003..0x2_8000).step_by(0x7fff));
        follow(&sender, &mut context, &mut rollover, [0x1_fffe, 0x2_0001, 0x1_ffff, 0x2_0000]);
        // More lost than an estimate can bear, then a lot more; then the sender starts again.
        follow(&sender, &mut context, &mut rollover, [0x2_9001, 0x4_0000, 0x3_ffff, 0x1f_1234, 0x1f_1235]);
        follow(&sender, &mut context, &mut rollover, [0x0_0005, 0x0_0006, 0x0_ffff, 0x1_0000]);
        assert_eq!(rollover.counter(), Some(1));
        // The capture starts in the middle.
        for counter in [0, 1, 2, 700] {
            let (mut context, mut rollover) = fresh();
            follow(
                &sender,
                &mut context,
                &mut rollover,
                [counter << 16 | 0x8000, counter << 16 | 0x7fff, (counter + 1) << 16],
            );
        }
    }
}

#[test]
fn a_search_widens_with_each_packet_and_ends() {
    let sender = Sender::new(false);
    let found_after = |counter: u64| {
        let (mut context, mut rollover) = (sender.context(), Rollover::default());
        (0..20).find(|number| rollover.authenticate(&mut context, &sender.packet(counter << 16 | number).0).is_ok())
    };
    assert_eq!(
        [0, 1023, 1024, 4095, 4096, 16_383, 16_384].map(found_after),
        [Some(0), Some(0), Some(1), Some(1), Some(2), Some(2), None]
    );
}

#[test]
fn what_hostile_packets_cost_is_bounded() {
    let sender = Sender::new(false);
    let mut context = sender.context();
    let (mut wrong, _) = sender.packet(7);
    wrong[20] ^= 1;
    // Each with an SSRC of its own, so that nothing is known of it.
    for _ in 0..1000 {
        assert_eq!(Rollover::default().authenticate(&mut context, &wrong).unwrap_err(), OpenError::TagMismatch);
    }
    assert_eq!(context.spend(MOST_TRIES), 0);
    // A stream from its start does not need to search.
    let mut rollover = Rollover::default();
    follow(&sender, &mut context, &mut rollover, [3, 4, 5]);
    assert_eq!(context.spend(MOST_TRIES), 48);
}

#[test]
fn keys_have_names_and_change() {
    for gcm in [false, true] {
        let first = Sender { mki: vec![0, 1], rate: 4, ..Sender::new(gcm) };
        let second = Sender { mki: vec![0, 2], rate: 4, master: first.master.iter().rev().copied().collect(), gcm };
        let mut keying = first.keying();
        keying.keys.extend(second.keying().keys);
        let mut context = Context::new(&keying);
        let mut rollover = Rollover::default();
        follow(&first, &mut context, &mut rollover, [0, 1, 5, 0xffff, 0x1_0001]);
        follow(&second, &mut context, &mut rollover, [0x1_0002, 0x1_0004]);
        follow(&first, &mut context, &mut rollover, [0x1_0003]);
        let stranger = Sender { mki: vec![0, 3], ..Sender::new(gcm) };
        let error = rollover.authenticate(&mut context, &stranger.packet(0x1_0005).0).unwrap_err();
        assert_eq!(error, OpenError::UnknownMki);
    }
}

#[test]
fn without_tags_only_the_estimate_is_left() {
    let sender = Sender::new(false);
    let mut keying = sender.keying();
    keying.protection.authenticates_rtp = false;
    let (mut context, mut rollover, mut out) = (Context::new(&keying), Rollover::default(), Vec::new());
    for index in [0xfffe, 0xffff, 0x1_0000] {
        let (packet, plain) = sender.packet(index);
        let authentic = rollover.authenticate(&mut context, &packet[..packet.len() - 10]).unwrap();
        assert_eq!((authentic.index(), authentic.has_tag()), (index, false));
        context.open(&authentic, &Wanted::ALL, &mut out);
        assert_eq!(out, plain);
    }
}

#[test]
fn nothing_of_a_key_is_shown() {
    let shown = format!("{:?}", context("AES_CM_128_HMAC_SHA1_80", KEY));
    assert!(shown.len() < 200 && shown.contains("Counter"), "{shown}");
}

proptest! {
    #[test]
    fn any_bytes_are_no_packet(mut bytes in proptest::collection::vec(any::<u8>(), 0..120), head in any::<bool>(), mki in 0_usize..3) {
        if let (true, Some(first)) = (head, bytes.first_mut()) {
            *first = *first & 0x3f | 0x80;
        }
        let mut out = Vec::new();
        for profile in Profile::ALL.into_iter().filter(|profile| profile.tag_length() > 4) {
            let mut keying = Keying::new(profile, &vec![7; profile.master_length()]).unwrap();
            keying.keys[0] = keying.keys[0].clone().with_mki(&bytes[bytes.len().saturating_sub(mki)..]);
            let mut context = Context::new(&keying);
            prop_assert!(Rollover::default().authenticate(&mut context, &bytes).is_err());
            prop_assert!(context.open_rtcp(&bytes, &mut out).is_err());
        }
    }

    #[test]
    fn any_journey_of_indexes_is_followed(start in 0_u64..0x20_0000, steps in proptest::collection::vec(-40_i64..40, 1..60), leaps in proptest::collection::vec(0_u64..0x7fff, 1..8)) {
        let sender = Sender::new(true);
        let (mut context, mut rollover) = (sender.context(), Rollover::default());
        let mut index = start.max(0x100);
        for (number, step) in steps.iter().enumerate() {
            let leap = if number % 8 == 0 { leaps[number / 8 % leaps.len()] } else { 0 };
            index = index.saturating_add_signed(*step) + leap;
            let (packet, _) = sender.packet(index);
            let authentic = rollover.authenticate(&mut context, &packet);
            prop_assert_eq!(authentic.map(|authentic| authentic.index()), Ok(index));
        }
    }
}
