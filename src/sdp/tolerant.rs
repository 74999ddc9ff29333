//! Lines that `webrtc-sdp` refuses, read with patience: what can be told of them is told.

use base64::prelude::{BASE64_STANDARD, Engine};

use super::{
    candidate::{Address, Candidate, CandidateType, TcpType, Transport},
    codec::Feedback,
    description::{Bandwidth, Connection, Direction, Extension, Group, Origin, Rid, SctpInit, Sctpmap, SourceGroup},
    security::{Crypto, Fingerprint, Secret},
};
use crate::wire::sctp::{Content, Packet};

/// Why a line cannot be read, and the part of it where.
#[derive(Debug)]
pub(super) struct Fault<'a> {
    pub(super) at: &'a str,
    pub(super) reason: String,
}

impl<'a> Fault<'a> {
    pub(super) fn new(at: &'a str, reason: impl Into<String>) -> Self {
        Self { at, reason: reason.into() }
    }
}

type Read<'a, T> = Result<T, Fault<'a>>;

/// The words of a value, one after the other.
struct Words<'a> {
    value: &'a str,
    words: std::str::SplitWhitespace<'a>,
}

impl<'a> Words<'a> {
    fn new(value: &'a str) -> Self {
        Self { value, words: value.split_whitespace() }
    }

    fn next(&mut self, what: &str) -> Read<'a, &'a str> {
        self.words.next().ok_or_else(|| Fault::new(self.value, format!("it has no {what}")))
    }

    fn number<T: std::str::FromStr>(&mut self, what: &str) -> Read<'a, T> {
        let word = self.next(what)?;
        number(word, what)
    }
}

fn number<'a, T: std::str::FromStr>(word: &'a str, what: &str) -> Read<'a, T> {
    word.parse().map_err(|_| Fault::new(word, format!("the {what} \"{word}\" is no number in range")))
}

pub(super) fn candidate(value: &str) -> Read<'_, Candidate> {
    let mut words = Words::new(value);
    let foundation = words.next("foundation")?.to_owned();
    let component = words.number("component")?;
    let transport = match words.next("transport")? {
        word if word.eq_ignore_ascii_case("udp") => Transport::Udp,
        word if word.eq_ignore_ascii_case("tcp") => Transport::Tcp,
        word => Transport::Other(word.to_owned()),
    };
    let priority = words.number("priority")?;
    let address = Address::read(words.next("address")?);
    let port = words.number("port")?;
    let typ = words.next("\"typ\"")?;
    if !typ.eq_ignore_ascii_case("typ") {
        return Err(Fault::new(typ, "\"typ\" must stand before the type"));
    }
    let word = words.next("type")?;
    let kind = match word.to_ascii_lowercase().as_str() {
        "host" => CandidateType::Host,
        "srflx" => CandidateType::Srflx,
        "prflx" => CandidateType::Prflx,
        "relay" => CandidateType::Relay,
        _ => CandidateType::Other(word.to_owned()),
    };
    let mut candidate = Candidate {
        foundation,
        component,
        transport,
        priority,
        address,
        port,
        kind,
        related_address: None,
        related_port: None,
        tcp_type: None,
        generation: None,
        ufrag: None,
        network_id: None,
        network_cost: None,
        extensions: Vec::new(),
        line: 0,
    };
    while let Some(name) = words.words.next() {
        let value = words.words.next().unwrap_or_default();
        match name.to_ascii_lowercase().as_str() {
            "raddr" => candidate.related_address = Some(Address::read(value)),
            "rport" => candidate.related_port = value.parse().ok(),
            "generation" => candidate.generation = value.parse().ok(),
            "ufrag" => candidate.ufrag = Some(value.to_owned()),
            "network-cost" => candidate.network_cost = value.parse().ok(),
            "tcptype" => {
                candidate.tcp_type = match value.to_ascii_lowercase().as_str() {
                    "active" => Some(TcpType::Active),
                    "passive" => Some(TcpType::Passive),
                    "so" => Some(TcpType::SimultaneousOpen),
                    _ => None,
                }
            }
            _ => candidate.extend(name, value),
        }
    }
    Ok(candidate)
}

pub(super) fn origin(value: &str) -> Read<'_, Origin> {
    let mut words = Words::new(value);
    let username = words.next("user name")?.to_owned();
    let session_id = words.next("session identifier")?.to_owned();
    let session_version = words.next("session version")?.to_owned();
    words.next("network type")?;
    words.next("address type")?;
    let address = Address::read(words.next("address")?);
    Ok(Origin { username, session_id, session_version, address })
}

pub(super) fn connection(value: &str) -> Read<'_, Connection> {
    let mut words = Words::new(value);
    words.next("network type")?;
    let address_type = words.next("address type")?;
    let word = words.next("address")?;
    let mut parts = word.split('/');
    let address = Address::read(parts.next().unwrap_or_default());
    // IPv6 multicast has a count but no time to live (RFC 8866 section 5.7).
    let ttl = if address_type.eq_ignore_ascii_case("IP6") { None } else { parts.next() };
    let count = parts.next().map(|count| number(count, "number of addresses")).transpose()?;
    Ok(Connection { address, ttl: ttl.map(|ttl| number(ttl, "time to live")).transpose()?, count })
}

pub(super) fn bandwidth(value: &str) -> Read<'_, Bandwidth> {
    let (kind, bits) = value.split_once(':').ok_or_else(|| Fault::new(value, "it has no colon"))?;
    Ok(Bandwidth { kind: kind.to_owned(), value: number(bits.trim(), "bandwidth")? })
}

/// What an `m=` line says.
pub(super) struct MediaLine<'a> {
    pub(super) kind: &'a str,
    pub(super) port: u16,
    pub(super) port_count: Option<u32>,
    pub(super) protocol: &'a str,
    pub(super) formats: Vec<&'a str>,
}

pub(super) fn media(value: &str) -> Read<'_, MediaLine<'_>> {
    let mut words = Words::new(value);
    let kind = words.next("kind")?;
    let ports = words.next("port")?;
    let (port, count) = ports.split_once('/').map_or((ports, None), |(port, count)| (port, Some(count)));
    let port = number(port, "port")?;
    let port_count = count.map(|count| number(count, "number of ports")).transpose()?;
    let protocol = words.next("protocol")?;
    Ok(MediaLine { kind, port, port_count, protocol, formats: words.words.collect() })
}

/// Payload type, name, clock rate and channels.
pub(super) fn rtpmap(value: &str) -> Read<'_, (u8, &str, Option<u32>, Option<u32>)> {
    let mut words = Words::new(value);
    let payload_type = words.number("payload type")?;
    let encoding = words.next("encoding")?;
    let mut parts = encoding.split('/');
    let name = parts.next().unwrap_or_default();
    let rate = parts.next().map(|rate| number(rate, "clock rate")).transpose()?;
    let channels = parts.next().map(|channels| number(channels, "number of channels")).transpose()?;
    Ok((payload_type, name, rate, channels))
}

/// A payload type, `None` for all, and what stands behind it.
pub(super) fn format(value: &str) -> Read<'_, (Option<u8>, &str)> {
    let (format, rest) = value.split_once(char::is_whitespace).unwrap_or((value, ""));
    let format = if format == "*" { None } else { Some(number(format, "payload type")?) };
    Ok((format, rest.trim()))
}

pub(super) fn feedback(rest: &str) -> Option<Feedback> {
    let (kind, parameter) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let parameter = Some(parameter.trim().to_owned()).filter(|parameter| !parameter.is_empty());
    (!kind.is_empty()).then(|| Feedback { kind: kind.to_owned(), parameter })
}

pub(super) fn fingerprint(value: &str, line: usize) -> Read<'_, Fingerprint> {
    let mut words = Words::new(value);
    let hash = words.next("hash function")?.to_owned();
    let text = words.next("fingerprint")?;
    let bytes = text.split(':').map(|pair| match (pair.len(), u8::from_str_radix(pair, 16)) {
        (2, Ok(byte)) => Ok(byte),
        _ => Err(Fault::new(pair, format!("\"{pair}\" is no byte of two hexadecimal digits"))),
    });
    Ok(Fingerprint { hash, value: bytes.collect::<Result<_, _>>()?, line })
}

pub(super) fn extension(value: &str, line: usize) -> Read<'_, Extension> {
    let mut words = Words::new(value);
    let entry = words.next("identifier")?;
    let (id, way) = entry.split_once('/').map_or((entry, None), |(id, way)| (id, Some(way)));
    let id = number(id, "identifier")?;
    let uri = words.next("URI")?.to_owned();
    let attributes = words.words.collect::<Vec<_>>().join(" ");
    let attributes = Some(attributes).filter(|attributes| !attributes.is_empty());
    let way = way.map(|way| direction(way).ok_or_else(|| Fault::new(way, format!("\"{way}\" is no direction"))));
    Ok(Extension { id, uri, direction: way.transpose()?, attributes, line })
}

pub(super) fn direction(word: &str) -> Option<Direction> {
    Some(match word.to_ascii_lowercase().as_str() {
        "sendrecv" => Direction::Sendrecv,
        "sendonly" => Direction::Sendonly,
        "recvonly" => Direction::Recvonly,
        "inactive" => Direction::Inactive,
        _ => return None,
    })
}

pub(super) fn group(value: &str, line: usize) -> Read<'_, Group> {
    let mut words = Words::new(value);
    let semantics = words.next("semantics")?.to_owned();
    Ok(Group { semantics, mids: words.words.map(str::to_owned).collect(), line })
}

pub(super) fn source_group(value: &str, line: usize) -> Read<'_, SourceGroup> {
    let mut words = Words::new(value);
    let semantics = words.next("semantics")?.to_owned();
    let ssrcs = words.words.map(|word| number(word, "SSRC")).collect::<Result<_, _>>()?;
    Ok(SourceGroup { semantics, ssrcs, line })
}

pub(super) fn sctpmap(value: &str) -> Read<'_, Sctpmap> {
    let mut words = Words::new(value);
    let port = words.number("port")?;
    let application = words.next("application")?.to_owned();
    Ok(Sctpmap { port, application, streams: words.words.next().and_then(|streams| streams.parse().ok()) })
}

pub(super) fn sctp_init(value: &str) -> Read<'_, SctpInit> {
    let chunk = BASE64_STANDARD.decode(value.trim()).map_err(|_| Fault::new(value, "it is not base64"))?;
    // A chunk is read behind the common header that it has on the wire.
    let packet = [&[0; SCTP_HEADER], chunk.as_slice()].concat();
    let first = Packet::parse(&packet).ok().and_then(|packet| packet.chunks().next()?.content().ok());
    match first {
        Some(Content::Init(init)) => Ok(SctpInit { initiate_tag: init.initiate_tag, initial_tsn: init.initial_tsn }),
        _ => Err(Fault::new(value, "it is no SCTP INIT chunk")),
    }
}

pub(super) fn rid(value: &str, line: usize) -> Read<'_, Rid> {
    let mut words = Words::new(value);
    let id = words.next("identifier")?.to_owned();
    let sends = match words.next("direction")? {
        "send" => true,
        "recv" => false,
        word => return Err(Fault::new(word, format!("\"{word}\" is neither send nor recv"))),
    };
    let rest = words.words.collect::<Vec<_>>().join(" ");
    let mut rid = Rid { id, sends, payload_types: Vec::new(), restrictions: Vec::new(), line };
    for part in rest.split(';').map(str::trim).filter(|part| !part.is_empty()) {
        match part.strip_prefix("pt=") {
            Some(types) => rid.payload_types = types.split(',').filter_map(|one| one.trim().parse().ok()).collect(),
            None => rid.restrictions.push(part.to_owned()),
        }
    }
    Ok(rid)
}

/// An SDES line. `webrtc-sdp` does not know it.
pub(super) fn crypto(value: &str, line: usize) -> Read<'_, Crypto> {
    let mut words = Words::new(value);
    // No fault may quote a key, wherever it stands.
    let tag = words.next("tag")?.parse().map_err(|_| Fault::new(value, "the tag is no number"))?;
    let suite = words.next("suite")?.to_owned();
    let keys = words.next("key")?;
    let keys = keys.split(';').filter(|key| !key.is_empty()).map(Secret::new).collect();
    Ok(Crypto { tag, suite, keys, parameters: words.words.map(str::to_owned).collect(), line })
}

/// Bytes of the common header (RFC 9260 section 3.1).
const SCTP_HEADER: usize = 12;
