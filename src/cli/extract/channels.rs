//! The messages of data channels on their way to files.

use std::{cell::RefCell, collections::BTreeMap, path::PathBuf, rc::Rc};

use rustc_hash::FxHashMap;

use super::{
    folder::Folder,
    plan::{FILES_OF_MESSAGES, Plan},
};
use crate::{
    extract::{Error, Layout, Message, Messages},
    flow::{
        datagram::Datagram,
        key::FlowKey,
        sctp::{self, Association, Bytes, MAX_MESSAGE, Step},
    },
    wire::sctp::Dcep,
};

/// Flows that are followed at a time, and messages of the old kind that are being put together.
const FOLLOWED: usize = 4096;
const PARTIAL: usize = 64;

/// Payload protocol identifiers (RFC 8831 section 8).
mod protocol {
    pub(super) const DCEP: u32 = 50;
    pub(super) const STRING: u32 = 51;
    pub(super) const BINARY_PARTIAL: u32 = 52;
    pub(super) const BINARY: u32 = 53;
    pub(super) const STRING_PARTIAL: u32 = 54;
    pub(super) const STRING_EMPTY: u32 = 56;
    pub(super) const BINARY_EMPTY: u32 = 57;
}

/// Data channels of all calls.
pub(super) struct Channels<'p> {
    plan: &'p Plan,
    folder: Option<Rc<RefCell<Folder>>>,
    associations: FxHashMap<FlowKey, Association<Bytes>>,
    /// By call: a call may go on on another path.
    calls: BTreeMap<usize, Call>,
}

/// The messages of one call.
#[derive(Default)]
struct Call {
    messages: Option<Messages>,
    directory: PathBuf,
    labels: BTreeMap<u16, String>,
    /// Messages in parts with identifiers of their own, by flow, direction and stream.
    partial: BTreeMap<(FlowKey, u8, u16), Vec<u8>>,
    bytes: u64,
}

/// What came of the data channels of a call.
pub(super) struct Written {
    pub(super) directory: PathBuf,
    pub(super) messages: u64,
    pub(super) bytes: u64,
    pub(super) labels: Vec<String>,
}

impl<'p> Channels<'p> {
    pub(super) fn new(plan: &'p Plan, folder: Option<&Rc<RefCell<Folder>>>) -> Self {
        Self { plan, folder: folder.cloned(), associations: FxHashMap::default(), calls: BTreeMap::new() }
    }

    /// Takes an SCTP packet of the flow `key`: `datagram` tells all but its bytes.
    pub(super) fn push(&mut self, key: FlowKey, datagram: &Datagram<'_>, packet: &[u8]) -> Result<(), Error> {
        let Some(folder) = self.folder.clone() else { return Ok(()) };
        if self.associations.len() >= FOLLOWED && !self.associations.contains_key(&key) {
            self.associations.clear();
        }
        let step = Step { time: datagram.time, packet: datagram.id };
        let mut whole = Vec::new();
        let association = self.associations.entry(key).or_default();
        let direction = (datagram.direction & 1) as u8;
        // What is malformed was counted by the analysis.
        let _ = association.packet_with(packet, packet.len(), direction, step, &mut |direction, message| {
            whole.push((direction, message));
        });
        for (direction, message) in whole {
            self.take(key, direction, message, &folder)?;
        }
        Ok(())
    }

    /// Ends all files.
    pub(super) fn finish(self) -> Result<Vec<(usize, Written)>, Error> {
        let mut written = Vec::new();
        for (index, call) in self.calls {
            let Some(messages) = call.messages else { continue };
            let labels = call.labels.into_values().collect();
            let messages = messages.finish()?;
            written.push((index, Written { directory: call.directory, messages, bytes: call.bytes, labels }));
        }
        Ok(written)
    }

    fn take(
        &mut self,
        key: FlowKey,
        direction: u8,
        message: sctp::Message<Bytes>,
        folder: &RefCell<Folder>,
    ) -> Result<(), Error> {
        let Some(index) = self.plan.flows.get(&key).copied() else { return Ok(()) };
        let Some(planned) = self.plan.calls.get(index) else { return Ok(()) };
        let call = self.calls.entry(index).or_default();
        let (protocol, stream, last) = (message.payload_protocol, message.stream, message.last);
        let Some(data) = call.whole((key, direction, stream), protocol, message.content.into_bytes()) else {
            return Ok(());
        };
        let messages = match &mut call.messages {
            Some(messages) => messages,
            none => {
                let is_few = planned.messages <= FILES_OF_MESSAGES;
                let layout = if is_few { Layout::FilePerMessage } else { Layout::FilePerChannel };
                call.directory = folder.borrow_mut().name(&format!("call{}-data", planned.number), "");
                none.insert(Messages::create(&call.directory, layout)?)
            }
        };
        call.bytes += data.len() as u64;
        let way = usize::from(direction);
        messages.push(&Message {
            at: last.time,
            packet: last.packet,
            channel: stream,
            label: call.labels.get(&stream).map_or("", String::as_str),
            direction: &format!("{} to {}", key.name_of(key.source(way)), key.name_of(key.destination(way))),
            is_string: matches!(protocol, protocol::STRING | protocol::STRING_EMPTY),
            data: &data,
        })
    }
}

impl Call {
    /// The message that is whole with these bytes, if it is one of a data channel.
    fn whole(&mut self, place: (FlowKey, u8, u16), protocol: u32, data: Vec<u8>) -> Option<Vec<u8>> {
        match protocol {
            protocol::DCEP => {
                if let Ok(Dcep::Open(open)) = Dcep::parse(&data) {
                    self.labels.insert(place.2, String::from_utf8_lossy(open.label).into_owned());
                }
                None
            }
            protocol::STRING_PARTIAL | protocol::BINARY_PARTIAL => {
                if self.partial.len() < PARTIAL || self.partial.contains_key(&place) {
                    let parts = self.partial.entry(place).or_default();
                    let room = MAX_MESSAGE.saturating_sub(parts.len());
                    parts.extend(data.iter().take(room));
                }
                None
            }
            protocol::STRING | protocol::BINARY => match self.partial.remove(&place) {
                Some(parts) => Some([parts, data].concat()),
                None => Some(data),
            },
            // What is empty is sent as one byte, for SCTP has no empty messages.
            protocol::STRING_EMPTY | protocol::BINARY_EMPTY => Some(Vec::new()),
            _ => None,
        }
    }
}
