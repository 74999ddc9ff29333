//! What is inside of packets that keys open: RTCP in SRTCP, SCTP, handshake messages and alerts in DTLS.

use serde::Serialize;

use super::{Node, Protocol, Scene, dtls, line, tree};
use crate::{
    engine::Visit,
    flow::{
        Protocol as FlowProtocol,
        decrypt::{Decrypter, OpenedRecord},
    },
    wire::{dtls::content_type, sctp},
};

/// What was inside of an encrypted packet, or of one of its records.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Decrypted {
    /// Its protocol.
    pub protocol: &'static str,
    /// What it says.
    pub summary: String,
    /// Its fields, where they are asked for. Their offsets count from the start of the plaintext.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tree: Option<Vec<Node>>,
}

impl Scene<'_> {
    /// What `decrypter` opens of a frame. All frames must be asked for, in order.
    pub fn decrypt(&self, visit: &Visit<'_>, decrypter: &mut Decrypter) -> Vec<Decrypted> {
        let mut all = Vec::new();
        for found in &visit.datagrams {
            let (key, datagram, identity) = match &found.inner {
                Some(inner) => (inner.key, &inner.datagram, inner.identity),
                None => (found.key, &found.datagram, found.identity),
            };
            match identity.protocol {
                FlowProtocol::Rtcp if identity.encrypted => {
                    all.extend(decrypter.rtcp(key, datagram).map(|clear| self.datagram(Protocol::Rtcp, clear)));
                }
                FlowProtocol::Dtls => {
                    all.extend(decrypter.dtls(key, datagram).iter().map(|record| self.record(record)));
                }
                _ => {}
            }
        }
        all
    }

    fn datagram(&self, protocol: Protocol, clear: &[u8]) -> Decrypted {
        let said = line(protocol, clear, clear.len());
        Decrypted {
            protocol: said.protocol,
            summary: said.summary,
            tree: self.trees.then(|| tree(protocol, clear, 0, clear.len())),
        }
    }

    fn record(&self, record: &OpenedRecord) -> Decrypted {
        let clear = record.plaintext.as_slice();
        if record.content_type == content_type::APPLICATION_DATA {
            let is_sctp = sctp::Packet::parse_snapped(clear, clear.len()).is_ok();
            return self.datagram(if is_sctp { Protocol::Sctp } else { Protocol::Unknown }, clear);
        }
        let (summary, nodes) = dtls::opened(record.content_type, clear);
        Decrypted { protocol: Protocol::Dtls.name(), summary, tree: self.trees.then_some(nodes) }
    }
}

impl Decrypted {
    /// As it stands behind what its packet says.
    pub(super) fn words(&self) -> String {
        format!(" [decrypted: {} {}]", self.protocol, self.summary)
    }

    /// Its fields under one that says what they are.
    pub(super) fn node(&self) -> Option<Node> {
        let children = self.tree.clone()?;
        let length = children.iter().map(|node| node.offset + node.length).max().unwrap_or_default();
        let label = format!("decrypted {} (offsets are those of its plaintext)", self.protocol);
        Some(Node::new(label, 0, length).with(children))
    }
}
