//! Every STUN message of the lab, read twice: by the program's own view and by `stun_codec`, an independent reader. And
//! messages checked with the passwords that their SDP gives.
#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used, reason = "a test may fail")]

mod common;

use std::{collections::BTreeMap, path::PathBuf};

use common::{folders, frames};
use rtcscope::wire::stun::{Class, Message, Value, codec, kind};
use stun_codec::{
    Attribute, MessageClass,
    rfc5245::attributes::{IceControlled, IceControlling, Priority, UseCandidate},
    rfc5389::attributes::{ErrorCode, Fingerprint, MappedAddress, Nonce, Realm, Software, Username, XorMappedAddress},
    rfc5766::attributes::{ChannelNumber, Data, Lifetime, XorPeerAddress, XorRelayAddress},
};

#[test]
fn both_readers_agree() {
    let Some(captures) = frames::captures() else { return };
    let folders = ["lab", "labb"].into_iter().flat_map(|part| folders(&captures.join(part)));
    let files: Vec<PathBuf> =
        folders.map(|folder| folder.join("capture.pcapng")).filter(|path| path.exists()).collect();
    let (mut read, mut refused) = (0, 0);
    for path in files {
        let mut datagrams = frames::datagrams(&path);
        frames::unwrap_turn(&mut datagrams);
        for datagram in datagrams.iter().filter(|datagram| datagram.payload.len() == datagram.length) {
            let Ok(ours) = Message::parse(&datagram.payload) else { continue };
            if ours.trailing() > 0 || ours.fault().is_some() {
                continue;
            }
            match codec::decode(&datagram.payload) {
                Ok(theirs) => {
                    read += 1;
                    agree(&ours, &theirs, &format!("{} packet {}", path.display(), datagram.number));
                }
                Err(_) => refused += 1,
            }
        }
    }
    eprintln!("{read} messages read by both, {refused} refused by stun_codec");
    assert!(read > 2_500, "only {read} messages");
    // A made-up address family is the only thing in the lab that it does not take.
    assert!(refused <= 2, "{refused} refused");
}

fn agree(ours: &Message<'_>, theirs: &codec::Message, place: &str) {
    let class = match theirs.class() {
        MessageClass::Request => Class::Request,
        MessageClass::Indication => Class::Indication,
        MessageClass::SuccessResponse => Class::Success,
        MessageClass::ErrorResponse => Class::Error,
    };
    assert_eq!((ours.class(), ours.method()), (class, theirs.method().as_u16()), "{place}");
    assert_eq!(ours.transaction().to_be_bytes()[4..], *theirs.transaction_id().as_bytes(), "{place}");
    let mut kinds: Vec<u16> = ours.attributes().map(|attribute| attribute.kind).collect();
    let known = theirs.attributes().map(|attribute| attribute.get_type().as_u16());
    let mut their_kinds: Vec<u16> =
        known.chain(theirs.unknown_attributes().map(|attribute| attribute.get_type().as_u16())).collect();
    kinds.sort_unstable();
    their_kinds.sort_unstable();
    assert_eq!(kinds, their_kinds, "{place}");
    for attribute in ours.attributes() {
        // Of an attribute that stands twice both give the first.
        let Some(first) = ours.attribute(attribute.kind).filter(|first| first.offset == attribute.offset) else {
            continue;
        };
        let value = first.value().unwrap_or_else(|fault| panic!("{place}: {fault:?}"));
        value_agrees(first.kind, value, theirs, place);
    }
}

fn value_agrees(kind: u16, value: Value<'_>, theirs: &codec::Message, place: &str) {
    let text = match kind {
        kind::USERNAME => theirs.get_attribute::<Username>().map(Username::name),
        kind::REALM => theirs.get_attribute::<Realm>().map(Realm::text),
        kind::NONCE => theirs.get_attribute::<Nonce>().map(Nonce::value),
        kind::SOFTWARE => theirs.get_attribute::<Software>().map(Software::description),
        _ => None,
    };
    let address = match kind {
        kind::MAPPED_ADDRESS => theirs.get_attribute::<MappedAddress>().map(MappedAddress::address),
        kind::XOR_MAPPED_ADDRESS => theirs.get_attribute::<XorMappedAddress>().map(XorMappedAddress::address),
        kind::XOR_RELAYED_ADDRESS => theirs.get_attribute::<XorRelayAddress>().map(XorRelayAddress::address),
        kind::XOR_PEER_ADDRESS => theirs.get_attribute::<XorPeerAddress>().map(XorPeerAddress::address),
        _ => None,
    };
    let number = match kind {
        kind::PRIORITY => theirs.get_attribute::<Priority>().map(Priority::prio),
        kind::LIFETIME => {
            theirs.get_attribute::<Lifetime>().map(|one| u32::try_from(one.lifetime().as_secs()).unwrap())
        }
        kind::NOMINATION => theirs.get_attribute::<codec::Nomination>().and_then(codec::Nomination::counter),
        _ => None,
    };
    match value {
        Value::Text(ours) => assert_eq!(Some(ours), text, "{place}"),
        Value::Address(ours) if address.is_some() => assert_eq!(Some(ours), address.map(Into::into), "{place}"),
        Value::Number(ours) if number.is_some() => assert_eq!(Some(ours), number, "{place}"),
        Value::Error { code, .. } => {
            assert_eq!(Some(code), theirs.get_attribute::<ErrorCode>().map(ErrorCode::code), "{place}");
        }
        Value::Channel(ours) => {
            assert_eq!(Some(ours), theirs.get_attribute::<ChannelNumber>().map(|one| one.value()), "{place}");
        }
        Value::TieBreaker(ours) => {
            let controlled = theirs.get_attribute::<IceControlled>().map(IceControlled::prio);
            let controlling = theirs.get_attribute::<IceControlling>().map(IceControlling::prio);
            assert_eq!(Some(ours), controlled.or(controlling), "{place}");
        }
        Value::Network { id, cost } => {
            let theirs = theirs.get_attribute::<codec::GoogNetworkInfo>().and_then(codec::GoogNetworkInfo::network);
            assert_eq!(Some((id, cost)), theirs, "{place}");
        }
        Value::Flag if kind == kind::USE_CANDIDATE => {
            assert!(theirs.get_attribute::<UseCandidate>().is_some(), "{place}");
        }
        Value::Data(ours) if kind == kind::DATA => {
            assert_eq!(Some(ours), theirs.get_attribute::<Data>().map(Data::data), "{place}");
        }
        Value::Fingerprint(ours) => {
            assert_eq!(Some(ours), theirs.get_attribute::<Fingerprint>().map(Fingerprint::crc32), "{place}");
        }
        _ => {}
    }
}

/// A check is signed with the password of the one who receives it; its fragment stands first in USERNAME.
#[test]
fn checks_are_signed_with_the_password_of_the_sdp() {
    let Some(captures) = frames::captures() else { return };
    // In the last one agent was handed a password that is not the other's, and signs with it.
    for scenario in ["chromium-av-clean", "chromium-firefox-av", "chromium-ice-wrong-pwd"] {
        let folder = captures.join("lab").join(scenario);
        let passwords = passwords(&folder);
        let mut counts = [0_u32; 2];
        for datagram in frames::datagrams(&folder.join("capture.pcapng")) {
            let Ok(message) = Message::parse(&datagram.payload) else { continue };
            let Some(Ok(Value::Text(user))) = message.attribute(kind::USERNAME).map(|attribute| attribute.value())
            else {
                continue;
            };
            let receiver = user.split(':').next().unwrap();
            let Some(password) = passwords.get(receiver) else { continue };
            let signed = codec::is_signed_with(&datagram.payload, password).unwrap();
            counts[usize::from(!signed)] += 1;
        }
        assert!(counts[0] > 10 && counts[1] == 0, "{scenario}: {counts:?}");
    }
}

fn passwords(folder: &std::path::Path) -> BTreeMap<String, String> {
    let mut passwords = BTreeMap::new();
    for file in ["offer.sdp", "answer.sdp"] {
        let mut fragment = String::new();
        for line in frames::text(&folder.join(file)).lines() {
            if let Some(found) = line.trim().strip_prefix("a=ice-ufrag:") {
                fragment = found.to_owned();
            }
            if let Some(password) = line.trim().strip_prefix("a=ice-pwd:") {
                passwords.insert(fragment.clone(), password.to_owned());
            }
        }
    }
    passwords
}
