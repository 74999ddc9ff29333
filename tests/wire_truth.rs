//! The views of `wire/` against captures with known answers: the counts in `truth.json` beside each lab capture, made
//! by the lab's own scripts, and the fuzz seeds of other projects.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test may fail")]

mod common;

use std::{collections::BTreeMap, fs, path::Path};

use pcap_parser::{Block, PcapBlockOwned, PcapError, PcapNGReader, traits::PcapReaderIterator};
use rtcscope::wire::{channel::ChannelData, dtls, stun};
use serde_json::{Value, json};

type Counts = BTreeMap<String, u64>;

/// What every UDP datagram of an Ethernet pcapng carries, and its length on the wire. Fragments are put together in
/// the simplest way: in order, one datagram at a time for each identification.
fn for_each_datagram(path: &Path, mut visit: impl FnMut(&[u8], usize)) {
    let mut reader = PcapNGReader::new(1 << 20, fs::File::open(path).unwrap()).unwrap();
    let mut fragments: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    loop {
        match reader.next() {
            Ok((used, block)) => {
                if let PcapBlockOwned::NG(Block::EnhancedPacket(packet)) = block {
                    let frame = &packet.data[..packet.caplen as usize];
                    let cut = packet.origlen as usize - frame.len();
                    if let Some((payload, length)) = datagram(frame, cut, &mut fragments) {
                        visit(&payload, length);
                    }
                }
                reader.consume(used);
            }
            Err(PcapError::Eof) => return,
            Err(PcapError::Incomplete(_)) => reader.refill().unwrap(),
            Err(error) => panic!("{}: {error:?}", path.display()),
        }
    }
}

fn datagram(frame: &[u8], cut: usize, fragments: &mut BTreeMap<Vec<u8>, Vec<u8>>) -> Option<(Vec<u8>, usize)> {
    let packet = &frame[14..];
    let transport = match frame[12..14] {
        [0x08, 0x00] => {
            let (header, total) =
                (usize::from(packet[0] & 15) * 4, usize::from(packet[2]) << 8 | usize::from(packet[3]));
            let end = (packet.len() + cut).min(total).saturating_sub(cut);
            let body = packet.get(header..end)?;
            let flags = u16::from(packet[6]) << 8 | u16::from(packet[7]);
            if packet[9] != 17 {
                return None;
            }
            if flags & 0x3fff == 0 {
                body.to_vec()
            } else {
                let key = [&packet[4..6], &packet[12..20]].concat();
                let whole = fragments.entry(key.clone()).or_default();
                whole.extend(body);
                if flags & 0x2000 != 0 {
                    return None;
                }
                fragments.remove(&key)?
            }
        }
        [0x86, 0xdd] if packet[6] == 17 => packet[40..].to_vec(),
        _ => return None,
    };
    let length = usize::from(transport[4]) << 8 | usize::from(transport[5]);
    Some((transport.get(8..length.min(transport.len()))?.to_vec(), length - 8))
}

#[derive(Default)]
struct Seen {
    stun: Counts,
    attributes: Counts,
    dtls: Counts,
    in_stun: Counts,
    channel: u64,
    unified_records: u64,
    hellos: Vec<Value>,
}

impl Seen {
    fn datagram(&mut self, bytes: &[u8], wire_length: usize, prefix: &str) {
        if let Ok(message) = stun::Message::parse_captured(bytes, wire_length) {
            *self.stun.entry(format!("{prefix}0x{:04x}", message.message_type().0)).or_default() += 1;
            if bytes.len() == wire_length {
                assert_eq!(message.fault(), None);
                assert_ne!(message.fingerprint(), Some(false));
            }
            for attribute in message.attributes() {
                let kind = format!("0x{:04x}", attribute.kind);
                if let 0xc070 | 0xc071 = attribute.kind {
                    *self.in_stun.entry(kind.clone()).or_default() += 1;
                }
                // The lab's script counts no attributes of messages inside indications.
                if prefix.is_empty() {
                    *self.attributes.entry(kind).or_default() += 1;
                }
                if attribute.kind == stun::kind::DATA {
                    self.datagram(attribute.value, attribute.value.len(), "inner ");
                }
            }
        } else if let Ok(message) = ChannelData::parse(bytes, wire_length) {
            self.channel += 1;
            self.datagram(message.data, message.length, prefix);
        } else if dtls::looks_like_dtls(bytes, wire_length) {
            let mut unified = 0;
            for record in dtls::records(bytes, wire_length).flatten() {
                // The lab's script stops at the first unified header of a datagram; Firefox puts three of them into one.
                if matches!(record.header, dtls::Header::Unified { .. }) {
                    unified += 1;
                    self.unified_records += 1;
                    if unified > 1 {
                        continue;
                    }
                }
                let name = match record.header {
                    dtls::Header::Plain { content_type, version, .. } => format!("{content_type}/{version:04x}"),
                    dtls::Header::Unified { .. } => format!("{}/None", bytes[record.offset]),
                };
                *self.dtls.entry(name).or_default() += 1;
                for handshake in record.handshakes().flatten().filter(|handshake| handshake.message_type <= 2) {
                    let name = if handshake.message_type == 1 { "client_hello" } else { "server_hello" };
                    let (length, offset) = (handshake.length, handshake.fragment_offset);
                    self.hellos.push(json!([name, length, offset, handshake.fragment_length]));
                }
            }
        }
    }
}

/// Counts in the lab's `truth.json`, per capture.
#[test]
fn lab_counts() {
    let Some(folder) = common::frames::captures() else { return };
    let mut compared = 0;
    for call in fs::read_dir(folder.join("lab")).unwrap() {
        let call = call.unwrap().path();
        let Ok(text) = fs::read_to_string(call.join("truth.json")) else { continue };
        let truth: Value = serde_json::from_str(&text).unwrap();
        for (name, truth) in truth["captures"].as_object().unwrap() {
            let path = call.join(name);
            // gst-ice-tcp is framed in TCP, which this reader does not put together.
            if !path.is_file() || !truth["stun"].is_object() || call.ends_with("gst-ice-tcp") {
                continue;
            }
            let mut seen = Seen::default();
            for_each_datagram(&path, |payload, length| seen.datagram(payload, length, ""));
            let counts = |key: &str| serde_json::from_value::<Counts>(truth[key].clone()).unwrap_or_default();
            let place = path.display();
            assert_eq!(seen.stun, counts("stun"), "{place} messages");
            assert_eq!(seen.attributes, counts("stun_attrs"), "{place} attributes");
            assert_eq!(seen.dtls, counts("dtls"), "{place} records");
            assert_eq!(seen.in_stun, counts("dtls_in_stun"), "{place} DTLS in STUN");
            assert_eq!(seen.channel, truth["turn_channel"].as_u64().unwrap_or_default(), "{place} ChannelData");
            let hellos: Vec<_> = truth["dtls_handshake"].as_array().into_iter().flatten().filter_map(hello).collect();
            assert_eq!(seen.hellos, hellos, "{place} hellos");
            if call.ends_with("firefox-dc-bulk") {
                // The script's 5,925 with 0x2f, and 12 with 0x2e by tshark's bytes and the length fields.
                assert_eq!(seen.unified_records, 5937);
            }
            compared += 1;
        }
    }
    assert!(compared > 20, "{compared} captures");
}

/// A hello of `dtls_handshake` as name, length, fragment offset and fragment length.
fn hello(entry: &Value) -> Option<Value> {
    let (name, fields) = (&entry[3], &entry[4]);
    let is_hello = name == "client_hello" || name == "server_hello";
    is_hello.then(|| json!([name, fields["len"], fields["frag_off"], fields["frag_len"]]))
}

/// The fuzz seeds of other projects, as every protocol that starts like them: nothing may panic.
#[test]
fn seeds() {
    let Some(folder) = common::frames::captures() else { return };
    for seed in fs::read_dir(folder.join("public/raw_seeds")).unwrap() {
        let bytes = fs::read(seed.unwrap().path()).unwrap();
        for length in 0..=bytes.len() {
            let mut seen = Seen::default();
            seen.datagram(&bytes[..length], bytes.len() + 1, "");
            if let Ok(message) = stun::Message::parse_classic(&bytes[..length]) {
                message.attributes().for_each(|attribute| assert!(attribute.offset < length));
            }
        }
    }
}
