//! What a file is by its first bytes: a capture that is read here, one of another kind, or something else.

use super::{
    LinkType,
    pcap::Header,
    pcapng::{BIG_ENDIAN, LITTLE_ENDIAN, SECTION_HEADER},
    walker::Order,
};

/// The answer.
#[derive(Debug)]
pub(super) enum Recognised {
    /// More bytes may tell.
    NeedMore,
    /// A pcap file with this header.
    Pcap(Header),
    /// A pcapng file.
    Pcapng,
    /// None of them: what it looks like, as the end of a sentence.
    Other(String),
}

/// Looks at the first bytes of a container. `at_end`: there are no more than these.
pub(super) fn recognise(bytes: &[u8], at_end: bool) -> Recognised {
    let Some(magic) = bytes.first_chunk::<4>() else {
        return if at_end { Recognised::Other(few(bytes, "a file")) } else { Recognised::NeedMore };
    };
    match u32::from_le_bytes(*magic) {
        MICROSECONDS => pcap(bytes, at_end, Order::Little, false),
        NANOSECONDS => pcap(bytes, at_end, Order::Little, true),
        _ => match u32::from_be_bytes(*magic) {
            MICROSECONDS => pcap(bytes, at_end, Order::Big, false),
            NANOSECONDS => pcap(bytes, at_end, Order::Big, true),
            _ if *magic == SECTION_HEADER => pcapng(bytes, at_end),
            _ if !at_end && bytes.len() < ENOUGH => Recognised::NeedMore,
            _ => Recognised::Other(other(bytes)),
        },
    }
}

/// A pcap header of 24 bytes: magic, version, two fields that are always zero, snap length, link type.
fn pcap(bytes: &[u8], at_end: bool, order: Order, nanoseconds: bool) -> Recognised {
    let Some((header, records)) = bytes.split_first_chunk::<PCAP_HEADER>() else {
        let cut = || Recognised::Other(few(bytes, "a pcap file"));
        return if at_end { cut() } else { Recognised::NeedMore };
    };
    let [_, _, _, _, j0, j1, n0, n1, _, _, _, _, _, _, _, _, s0, s1, s2, s3, l0, l1, l2, l3] = *header;
    let (major, minor) = (order.u16([j0, j1]), order.u16([n0, n1]));
    if major != 2 {
        return Recognised::Other(format!("a pcap file of version {major}.{minor}, and only version 2 is known"));
    }
    if minor == 2 {
        return Recognised::Other(
            "a pcap file as AIX writes it; convert it with editcap -F pcap IN OUT, which is part of Wireshark".into(),
        );
    }
    let header = Header {
        order,
        nanoseconds,
        version_minor: minor,
        snaplen: order.u32([s0, s1, s2, s3]),
        // The upper half tells the length of the frame check sequence, and is zero in most files.
        link: LinkType((order.u32([l0, l1, l2, l3]) & 0xffff) as u16),
    };
    // A pipe is not waited for to gather evidence of this.
    match Some(records).filter(|_| at_end).and_then(|records| longer_record_headers(&header, records)) {
        Some(whose) => Recognised::Other(format!(
            "a pcap file with record headers as {whose} wrote them; convert it with editcap -F pcap IN OUT, which is \
             part of Wireshark"
        )),
        None => Recognised::Pcap(header),
    }
}

/// Two makers put more into record headers without saying so: Nokia's firewalls 4 bytes, the libpcap of some Linux
/// distributions of 1999 8 bytes. It shows where the second record makes no sense 16 bytes after the first, and three
/// in a row make sense with 4 or 8 bytes more. libpcap cannot tell; Wireshark tries likewise.
fn longer_record_headers(header: &Header, file: &[u8]) -> Option<&'static str> {
    let follows = |extra: usize, records: usize| {
        let mut rest = file;
        let mut before: Option<u32> = None;
        (0..records).all(|_| {
            let Some((captured, seconds)) = plausible(header, rest) else { return false };
            rest = rest.get(16 + extra + captured as usize..).unwrap_or_default();
            before.replace(seconds).is_none_or(|before| before.abs_diff(seconds) < ONE_DAY)
        })
    };
    match (follows(0, 2), follows(4, 3), follows(8, 3)) {
        (false, true, false) => Some("Nokia's firewalls"),
        (false, false, true) => Some("the patched libpcap of Red Hat 6.1 and SuSE 6.3"),
        _ => None,
    }
}

/// Captured length and seconds of a record header that can be one.
fn plausible(header: &Header, record: &[u8]) -> Option<(u32, u32)> {
    let [seconds, fraction, captured, original] = header.order.four(record.first_chunk()?);
    let per_second = if header.nanoseconds { 1_000_000_000 } else { 1_000_000 };
    let sensible = fraction < per_second && captured > 0 && captured <= original && original <= header.maximum();
    sensible.then_some((captured, seconds))
}

/// A section header: type, length, byte-order magic, version.
fn pcapng(bytes: &[u8], at_end: bool) -> Recognised {
    let Some(&[_, _, _, _, l0, l1, l2, l3, m0, m1, m2, m3, j0, j1, n0, n1]) = bytes.first_chunk() else {
        let cut = || Recognised::Other(few(bytes, "a pcapng file"));
        return if at_end { cut() } else { Recognised::NeedMore };
    };
    let order = match [m0, m1, m2, m3] {
        LITTLE_ENDIAN => Order::Little,
        BIG_ENDIAN => Order::Big,
        _ => return Recognised::Other("a pcapng file with a damaged first block: its byte order is not told".into()),
    };
    let (length, major, minor) = (order.u32([l0, l1, l2, l3]), order.u16([j0, j1]), order.u16([n0, n1]));
    if major != 1 {
        return Recognised::Other(format!("a pcapng file of version {major}.{minor}, and only version 1 is known"));
    }
    if length < SECTION_HEADER_LENGTH {
        return Recognised::Other(format!("a pcapng file with a damaged first block: a length of {length} bytes"));
    }
    if at_end && bytes.len() < SECTION_HEADER_LENGTH as usize {
        return Recognised::Other(few(bytes, "a pcapng file"));
    }
    Recognised::Pcapng
}

/// A file that ends before it can say what it is.
fn few(bytes: &[u8], what: &str) -> String {
    match bytes.len() {
        0 => "nothing at all".to_owned(),
        1 => format!("{what} that was cut inside its header (it has 1 byte)"),
        length => format!("{what} that was cut inside its header (it has {length} bytes)"),
    }
}

/// What else it looks like.
fn other(bytes: &[u8]) -> String {
    if let Some((_, _, looks)) =
        MAGICS.iter().find(|(offset, magic, _)| bytes.get(*offset..).is_some_and(|rest| rest.starts_with(magic)))
    {
        return (*looks).to_owned();
    }
    if is_erf(bytes) {
        return format!("an Endace ERF capture; {CONVERT}");
    }
    text(bytes).map_or_else(
        || {
            let start: Vec<String> = bytes.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
            format!("nothing known here (it begins with the bytes {})", start.join(" "))
        },
        str::to_owned,
    )
}

/// What kind of text it is, if it is text.
fn text(bytes: &[u8]) -> Option<&'static str> {
    let head = bytes.get(..ENOUGH).unwrap_or(bytes);
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let starts = |word: &str| head.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()));
    if starts("<!doctype html") || starts("<html") {
        return Some("an HTML page; was it downloaded without logging in?");
    }
    if starts("<?xml") {
        return Some("an XML document");
    }
    if starts("v=0") {
        return Some("an SDP text; read it with: rtcscope sdp FILE");
    }
    if !head.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace() || *byte >= 0x80) {
        return None;
    }
    if starts("{") || starts("[") {
        return Some("JSON text");
    }
    std::str::from_utf8(head.get(..head.len().saturating_sub(4)).unwrap_or_default()).ok()?;
    Some("plain text; the capture itself is needed, as tcpdump -w or Wireshark saves it")
}

/// ERF has no magic number: records of a time, a type, their own length and that of the packet. Three in a row that
/// agree, or as many as there are, are not chance.
fn is_erf(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    let mut records = 0;
    while records < 3 {
        let Some(&[_, _, _, _, _, _, _, _, kind, _, l0, l1, _, _, w0, w1]) = rest.first_chunk() else { break };
        let (length, wire) = (usize::from(u16::from_be_bytes([l0, l1])), u16::from_be_bytes([w0, w1]));
        if !matches!(kind & 0x7f, 1..=30 | 48) || length < 16 || wire == 0 {
            return false;
        }
        records += 1;
        match rest.get(length..) {
            Some(next) => rest = next,
            None => break,
        }
    }
    records > 1
}

/// Length of a pcap file's header.
pub(super) const PCAP_HEADER: usize = 24;
/// The shortest section header: without options.
const SECTION_HEADER_LENGTH: u32 = 28;
/// Bytes that are enough to tell anything known.
const ENOUGH: usize = 1024;
/// Seconds.
const ONE_DAY: u32 = 86_400;

const MICROSECONDS: u32 = 0xa1b2_c3d4;
const NANOSECONDS: u32 = 0xa1b2_3c4d;

const CONVERT: &str = "convert it with editcap -F pcapng IN OUT, which is part of Wireshark";

macro_rules! convert {
    ($what:literal) => {
        concat!($what, "; convert it with editcap -F pcapng IN OUT, which is part of Wireshark")
    };
}

/// Offset, bytes, and what they are the mark of.
#[rustfmt::skip]
const MAGICS: &[(usize, &[u8], &str)] = &[
    (0, &[0xa1, 0xb2, 0xcd, 0x34], convert!("a pcap file in the modified form of Alexey Kuznetzov's libpcap")),
    (0, &[0x34, 0xcd, 0xb2, 0xa1], convert!("a pcap file in the modified form of Alexey Kuznetzov's libpcap")),
    (0, &[0xa1, 0xb2, 0x34, 0xcd], convert!("a pcap file in a form of libpcap under development in 2001")),
    (0, &[0xcd, 0x34, 0xb2, 0xa1], convert!("a pcap file in a form of libpcap under development in 2001")),
    (0, &[0xa1, 0xe2, 0xcb, 0x12], convert!("a pcap file as Navtel instruments write it")),
    (0, &[0x12, 0xcb, 0xe2, 0xa1], convert!("a pcap file as Navtel instruments write it")),
    (0, &[0x1c, 0x00, 0x01, 0xac], convert!("a pcap file as IXIA hardware writes it")),
    (0, &[0xac, 0x01, 0x00, 0x1c], convert!("a pcap file as IXIA hardware writes it")),
    (0, &[0x1c, 0x00, 0x01, 0xab], convert!("a pcap file as IXIA software writes it")),
    (0, &[0xab, 0x01, 0x00, 0x1c], convert!("a pcap file as IXIA software writes it")),
    (0, b"snoop\0\0\0", convert!("a Solaris snoop capture")),
    (0, b"btsnoop\0", convert!("a Bluetooth btsnoop capture")),
    (0, b"RTSS", convert!("a Microsoft Network Monitor 1 capture")),
    (0, b"GMBU", convert!("a Microsoft Network Monitor 2 capture")),
    (0, b"TRSNIFF data    \x1a", convert!("a Sniffer capture")),
    (0, b"XCP\0", convert!("a NetXRay or Windows Sniffer capture")),
    (0, &[0xaa, 0xaa, 0xaa, 0xaa], convert!("an InfoVista 5Views capture")),
    (0, b"iptrace 1.0", convert!("an AIX iptrace capture")),
    (0, b"iptrace 2.0", convert!("an AIX iptrace capture")),
    (0, b"\x05VNF", convert!("a Visual Networks capture")),
    (0, b"ObserverPktBuffe", convert!("a Network Instruments Observer capture")),
    (0, &[0x00, 0x00, 0x02, 0x00, 0x12, 0x05, 0x00, 0x10], convert!("a Tektronix K12 capture")),
    (0, b"\x7fver", convert!("a WildPackets or Savvius Peek capture")),
    (0, b"NetS", convert!("a NetScaler trace")),
    (0, b"#!rtpplay1.0", "an rtpdump recording, which has no network packets in it"),
    (0, &[0x1f, 0x8b], "gzip inside of another compression; decompress it first"),
    (0, &[0x28, 0xb5, 0x2f, 0xfd], "Zstandard inside of another compression; decompress it first"),
    (0, b"BZh", "bzip2-compressed data; decompress it first: bunzip2 FILE"),
    (0, &[0xfd, b'7', b'z', b'X', b'Z', 0x00], "xz-compressed data; decompress it first: unxz FILE"),
    (0, &[0x04, 0x22, 0x4d, 0x18], "LZ4-compressed data; decompress it first: unlz4 FILE"),
    (0, &[0x1f, 0x9d], "data of compress(1); decompress it first: uncompress FILE"),
    (0, b"PK\x03\x04", "a ZIP archive; unpack the capture first"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive; unpack the capture first"),
    (0, b"Rar!\x1a\x07", "a RAR archive; unpack the capture first"),
    (257, b"ustar", "a tar archive; unpack the captures first"),
    (0, b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (0, b"GIF8", "a GIF image"),
    (0, &[0xff, 0xd8, 0xff], "a JPEG image"),
    (0, b"%PDF-", "a PDF document"),
    (0, b"\x7fELF", "a program (ELF)"),
    (0, b"MZ", "a program (Windows)"),
    (0, b"RIFF", "a RIFF file, such as WAVE audio or AVI video"),
    (0, b"OggS", "an Ogg recording"),
    (0, b"ID3", "an MP3 recording"),
    (0, &[0x1a, 0x45, 0xdf, 0xa3], "a Matroska or WebM recording"),
    (4, b"ftyp", "an MP4 recording"),
    (0, b"SQLite format 3\0", "an SQLite database"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(bytes: &[u8]) -> String {
        match recognise(bytes, true) {
            Recognised::Other(looks) => looks,
            readable => panic!("{readable:?}"),
        }
    }

    #[test]
    fn what_is_not_a_capture_is_named() {
        assert!(looks(b"<!DOCTYPE html><html>").contains("HTML"));
        assert!(looks(b"\n <HTML>").contains("HTML"));
        assert!(looks(b"{\"a\": 1}").contains("JSON"));
        assert!(looks(b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\n").contains("rtcscope sdp"));
        assert!(looks(b"12:00:01.000 IP 10.0.0.1.5060 > 10.0.0.2.5060: SIP").contains("plain text"));
        assert!(looks(b"\x89PNG\r\n\x1a\n0000").contains("PNG"));
        assert!(looks(b"\x7fELF\x02\x01\x01").contains("ELF"));
        assert!(looks(b"PK\x03\x04....").contains("ZIP"));
        assert!(looks(b"snoop\0\0\0\0\0\0\x02").contains("snoop"));
        assert!(looks(&[0xa1, 0xb2, 0xcd, 0x34, 0, 2, 0, 4]).contains("Kuznetzov"));
        assert!(looks(&[0x34, 0xcd, 0xb2, 0xa1, 2, 0, 4, 0]).contains("Kuznetzov"));
        assert!(looks(b"GMBU....").contains("Network Monitor 2"));
        assert!(looks(&[0xde, 0xad, 0xbe, 0xef, 0, 1]).contains("de ad be ef"));
        let mut tar = vec![0; 600];
        tar[0] = 1;
        tar[257..262].copy_from_slice(b"ustar");
        assert!(looks(&tar).contains("tar archive"));
    }

    #[test]
    fn cut_or_broken_headers_are_named() {
        assert!(
            looks(&[0xd4, 0xc3, 0xb2, 0xa1, 2, 0])
                .contains("a pcap file that was cut inside its header (it has 6 bytes)")
        );
        assert!(looks(&[0x0a, 0x0d, 0x0d, 0x0a]).contains("pcapng file that was cut"));
        assert!(looks(&[0xd4]).contains("a file that was cut"));
        let mut header = [0; 24];
        header[..8].copy_from_slice(&[0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 2, 0]);
        assert!(looks(&header).contains("AIX"));
        header[4] = 9;
        assert!(looks(&header).contains("version 9.2"));
        let mut section = [0; 28];
        section[..4].copy_from_slice(&SECTION_HEADER);
        assert!(looks(&section).contains("byte order"));
        section[8..12].copy_from_slice(&LITTLE_ENDIAN);
        section[12] = 1;
        assert!(looks(&section).contains("length of 0 bytes"));
    }

    #[test]
    fn nothing_is_decided_too_early() {
        assert!(matches!(recognise(&[0xd4, 0xc3], false), Recognised::NeedMore));
        assert!(matches!(recognise(&[0xd4, 0xc3, 0xb2, 0xa1, 2, 0], false), Recognised::NeedMore));
        assert!(matches!(recognise(b"<html>", false), Recognised::NeedMore));
    }

    #[test]
    fn nokia_records_are_told_by_the_second() {
        let mut file = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 1, 0, 0, 0];
        for second in 1..=3_u8 {
            file.extend([second, 0, 0, 0x40, 0, 0, 0, 0, 60, 0, 0, 0, 60, 0, 0, 0, 0xee, 0xee, 0xee, 0xee]);
            file.extend([0xff; 60]);
        }
        assert!(looks(&file).contains("Nokia"));
    }
}
