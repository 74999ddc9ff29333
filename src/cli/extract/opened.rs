//! The capture with its packets opened, on its way to a file.

use std::{fs::File, io::BufWriter, path::Path};

use crate::{
    capture::Interface,
    engine::{Found, Place, Visit},
    extract::{Error, Mended, PcapNg, Record, Sink},
    flow::key::FlowKey,
    wire::LinkType,
};

/// What readers of the capture see beside a packet that was opened.
const OPENED: &str = "opened by rtcscope";

/// What stands ahead of a key in a description (RFC 4568).
const INLINE: &[u8] = b"inline:";

/// A capture that is being written.
pub(super) struct OpenedCapture<'a> {
    file: PcapNg<BufWriter<File>>,
    interfaces: &'a [Interface],
    strip: bool,
    /// Packets that were opened.
    pub(super) opened: u64,
}

/// What stands in the place of a frame; `None` for the frame itself.
pub(super) type Instead = Option<Vec<Mended>>;

impl<'a> OpenedCapture<'a> {
    /// Writes into `file`, which errors call `path`. Where `strip` is set, keys that packets hold are overwritten.
    pub(super) fn new(path: &Path, file: File, interfaces: &'a [Interface], strip: bool) -> Result<Self, Error> {
        let file = PcapNg::create(Sink::new(path, BufWriter::new(file)))?;
        Ok(Self { file, interfaces, strip, opened: 0 })
    }

    /// Writes a frame, or what stands in its place.
    pub(super) fn write(&mut self, visit: &Visit<'_>, instead: &Instead) -> Result<(), Error> {
        let frame = visit.frame;
        let interface = self.interfaces.get(frame.interface as usize).and_then(|one| one.name.as_deref());
        let record = Record {
            at: frame.time,
            link_type: frame.link,
            interface: interface.unwrap_or_default(),
            bytes: visit.bytes,
            wire_length: frame.original as usize,
            comment: "",
        };
        let Some(instead) = instead else {
            if self.strip && holds_key(visit.bytes) {
                let (link_type, bytes) = stripped(visit);
                return self.file.write(&Record { link_type, bytes: &bytes, ..record });
            }
            return self.file.write(&record);
        };
        self.opened += u64::from(!instead.is_empty());
        for mended in instead {
            let (link_type, bytes) = (mended.link_type, &mended.bytes);
            let wire_length = bytes.len();
            self.file.write(&Record { link_type, bytes, wire_length, comment: OPENED, ..record })?;
        }
        Ok(())
    }

    /// Ends the file: how many frames were opened.
    pub(super) fn finish(self) -> Result<u64, Error> {
        let opened = self.opened;
        self.file.finish()?;
        Ok(opened)
    }
}

/// A frame with another payload, where it is all that the frame holds; else a datagram of its own.
pub(super) fn in_place_of(
    visit: &Visit<'_>,
    found: &Found<'_>,
    key: FlowKey,
    direction: usize,
    payload: &[u8],
) -> Option<Mended> {
    let is_outer = found.inner.is_none() && matches!(found.place, Place::Frame(_));
    let mended = || Mended::new(visit.frame.link, visit.bytes, visit.packet.as_ref().ok()?, payload);
    let alone = || Mended::datagram(key.source(direction), key.destination(direction), payload);
    if is_outer { mended().or_else(alone) } else { alone() }
}

fn holds_key(bytes: &[u8]) -> bool {
    bytes.windows(INLINE.len()).any(|window| window == INLINE)
}

/// A frame whose keys are overwritten, and its checksums mended where that can be.
fn stripped(visit: &Visit<'_>) -> (LinkType, Vec<u8>) {
    let mut bytes = visit.bytes.to_vec();
    overwrite_keys(&mut bytes);
    let mended = visit.packet.ok().and_then(|packet| {
        let (start, length) = (packet.payload as usize, packet.captured as usize);
        let payload = bytes.get(start..start.checked_add(length)?)?;
        Mended::new(visit.frame.link, &bytes, &packet, payload)
    });
    mended.map_or((visit.frame.link, bytes), |mended| (mended.link_type, mended.bytes))
}

/// Puts `X` in the place of what stands behind each `inline:`, up to what cannot be of a key.
fn overwrite_keys(bytes: &mut [u8]) {
    let mut from = 0;
    while let Some(rest) = bytes.get_mut(from..) {
        let Some(place) = rest.windows(INLINE.len()).position(|window| window == INLINE) else { return };
        let key = rest.iter_mut().skip(place + INLINE.len());
        let is_of_key = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=".contains(byte);
        key.take_while(|byte| is_of_key(byte)).for_each(|byte| *byte = b'X');
        from += place + INLINE.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_overwritten() {
        let mut text = *b"a=crypto:1 S inline:ab+/C9==|2^20|1:4\r\ninline:Zq;";
        overwrite_keys(&mut text);
        assert_eq!(&text, b"a=crypto:1 S inline:XXXXXXXX|2^20|1:4\r\ninline:XX;");
        assert!(holds_key(&text) && !holds_key(b"inline"));
    }
}
