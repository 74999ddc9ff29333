//! `rtpdump` files, as rtptools write and play them: `#!rtpplay1.0`, then each packet with its time.

use std::{io::Write, net::IpAddr};

use super::{Error, Sink};
use crate::{time::Timestamp, wire::Endpoint};

/// A file of RTP and RTCP packets.
#[derive(Debug)]
pub struct RtpDump<W> {
    sink: Sink<W>,
    start: Timestamp,
}

impl<W: Write> RtpDump<W> {
    /// Starts a file of packets that came from `source`, the first at `start`. The text line names any address; the
    /// header behind it has room for IPv4 alone.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(mut sink: Sink<W>, source: Endpoint, start: Timestamp) -> Result<Self, Error> {
        let (address, octets) = match source.ip() {
            IpAddr::V4(address) => (IpAddr::V4(address), address.octets()),
            address => (address, [0; 4]),
        };
        sink.write(format!("#!rtpplay1.0 {address}/{}\n", source.port()).as_bytes())?;
        let seconds = u32::try_from(start.0.div_euclid(1_000_000_000)).unwrap_or_default();
        let micros = (start.0.rem_euclid(1_000_000_000) / 1000) as u32;
        let mut header = Vec::with_capacity(16);
        header.extend(seconds.to_be_bytes());
        header.extend(micros.to_be_bytes());
        header.extend(octets);
        header.extend(source.port().to_be_bytes());
        header.extend([0; 2]);
        sink.write(&header)?;
        Ok(Self { sink, start })
    }

    /// Adds an RTP packet, or RTCP where `is_rtcp` is set. Longer ones than the format has room for are left out.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&mut self, at: Timestamp, packet: &[u8], is_rtcp: bool) -> Result<(), Error> {
        let length = u16::try_from(packet.len()).ok();
        let Some((length, whole)) = length.and_then(|length| Some((length, length.checked_add(ENTRY)?))) else {
            return Ok(());
        };
        let millis = u32::try_from(at.since(self.start).max(0) / 1_000_000).unwrap_or(u32::MAX);
        let mut entry = Vec::with_capacity(usize::from(whole));
        entry.extend(whole.to_be_bytes());
        // A length of the RTP packet of 0 stands for RTCP.
        entry.extend(if is_rtcp { 0 } else { length }.to_be_bytes());
        entry.extend(millis.to_be_bytes());
        entry.extend(packet);
        self.sink.write(&entry)
    }

    /// The output.
    ///
    /// # Errors
    /// When what is left cannot be written.
    pub fn finish(self) -> Result<W, Error> {
        self.sink.finish()
    }
}

/// Bytes ahead of a packet.
const ENTRY: u16 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file() {
        let source = Endpoint::v4([192, 0, 2, 1], 5004);
        let start = Timestamp(1_000_000_000_002_003_000);
        let mut dump = RtpDump::create(Sink::new("a.rtpdump", Vec::new()), source, start).unwrap();
        dump.write(Timestamp(start.0 + 20_999_999), &[0x80, 1, 2, 3], false).unwrap();
        dump.write(Timestamp(start.0 + 30_000_000), &[0x80, 200], true).unwrap();
        dump.write(start, &[0; 65_530], false).unwrap();
        // By hand from rtpdump's RD_hdr_t and RD_packet_t.
        let expected = [
            &b"#!rtpplay1.0 192.0.2.1/5004\n\x3b\x9a\xca\x00\x00\x00\x07\xd3\xc0\x00\x02\x01\x13\x8c\0\0"[..],
            &[0, 12, 0, 4, 0, 0, 0, 20, 0x80, 1, 2, 3],
            &[0, 10, 0, 0, 0, 0, 0, 30, 0x80, 200],
        ];
        assert_eq!(dump.finish().unwrap(), expected.concat());
    }
}
