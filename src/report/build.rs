//! From what was found to the report: integers become seconds and rates, indices become references.

mod communicating;
mod connecting;
mod data_channel;
mod decryption;
mod extension;
mod other;
mod rtcp;
mod sctp;
mod securing;
mod signalling;
mod streams;

use std::{cmp::Reverse, collections::BTreeMap, net::IpAddr};

use crate::{
    capture::{Compression, FileSummary, Format},
    engine::Analysis,
    finding::{self, Finding, Severity},
    flow::{
        FlowRecord, Protocol,
        mdns::LocalName,
        signalling::{Content, Signal, TlsHello},
    },
    report::document::{
        self, Capture, OtherFlow, PacketRef, Report, Session, SessionEndpoint, StepStatus, Tool, Verdict,
    },
    session::{Call, Outcome, Sessions},
    time::{PacketId, Timestamp},
    wire::{Endpoint, Kind, Layer},
};

/// Flows of no call that are listed one by one.
const OTHER_FLOWS: usize = 1000;

/// Packets cited by one finding.
const CITED_PACKETS: usize = 10;

/// Makes the report of an analysis and its calls.
#[must_use]
pub fn build(analysis: &Analysis, sessions: &Sessions) -> Report {
    let context = Context::new(analysis);
    let mut findings = finding::judge(analysis, sessions);
    let mut calls = Vec::with_capacity(sessions.calls.len());
    for (id, session) in (1..).zip(&sessions.calls) {
        let call = Call::new(analysis, sessions, session);
        let found = finding::judge_call(id, &call);
        calls.push(describe(&context, id, &call, verdict(&found)));
        findings.extend(found);
    }
    finding::sort(&mut findings);
    let (other_flows, other_flows_omitted) = others(&context, sessions);
    Report {
        schema_version: document::SCHEMA_VERSION,
        tool: Tool { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") },
        verdict: verdict(&findings),
        captures: analysis.files.iter().enumerate().map(|(index, file)| capture(&context, index, file)).collect(),
        sessions: calls,
        other_flows,
        other_flows_omitted,
        findings: findings.into_iter().map(|finding| context.finding(finding)).collect(),
    }
}

/// What every part of the report needs.
pub(super) struct Context<'a> {
    pub analysis: &'a Analysis,
    /// Names over multicast DNS, of all flows.
    pub names: Vec<&'a LocalName>,
    /// TLS connections, by the address of who opened them.
    pub tls: BTreeMap<IpAddr, Vec<(&'a Signal, &'a TlsHello)>>,
    start: Timestamp,
    many_files: bool,
}

impl<'a> Context<'a> {
    fn new(analysis: &'a Analysis) -> Self {
        let names =
            analysis.flows.iter().filter_map(|flow| flow.mdns.as_deref()).flat_map(|mdns| &mdns.names).collect();
        let mut tls: BTreeMap<IpAddr, Vec<(&Signal, &TlsHello)>> = BTreeMap::new();
        for signal in &analysis.signalling.signals {
            if let Content::Tls(hello) = &signal.content {
                tls.entry(signal.key.source(signal.direction).ip()).or_default().push((signal, hello));
            }
        }
        Self { analysis, names, tls, start: analysis.start.unwrap_or_default(), many_files: analysis.files.len() > 1 }
    }

    /// Whether there were keys, from whatever source.
    pub const fn has_keys(&self) -> bool {
        self.analysis.has_keys
    }

    /// Seconds from the first packet of the analysis.
    pub fn seconds(&self, time: Timestamp) -> f64 {
        time.seconds_since(self.start)
    }

    /// How the report cites a packet.
    pub fn packet(&self, id: PacketId) -> PacketRef {
        PacketRef { file: if self.many_files { id.file() + 1 } else { 0 }, number: id.number() }
    }

    fn finding(&self, finding: Finding) -> document::Finding {
        document::Finding {
            rule: finding.rule,
            severity: finding.severity.into(),
            session: finding.session,
            message: finding.message,
            advice: finding.advice.map(str::to_owned),
            packets: finding.packets.into_iter().take(CITED_PACKETS).map(|id| self.packet(id)).collect(),
        }
    }
}

/// The worst of some findings.
fn verdict(findings: &[Finding]) -> Verdict {
    let verdicts = findings.iter().map(|finding| match finding.severity {
        Severity::Error => Verdict::Fail,
        Severity::Warning => Verdict::Warn,
        Severity::Info => Verdict::Pass,
    });
    verdicts.max().unwrap_or(Verdict::Pass)
}

fn capture(context: &Context<'_>, index: usize, file: &FileSummary) -> Capture {
    let analysis = context.analysis;
    let number = u16::try_from(index).unwrap_or(u16::MAX);
    let container = file.faults.iter().map(|fault| document::Malformed {
        layer: "container".to_owned(),
        kind: kind_name(fault.kind).to_owned(),
        count: fault.count,
        first_packet: context.packet(PacketId::new(number, fault.first_packet)),
    });
    let packets = analysis.faults.iter().filter(|(file, ..)| *file == number).map(|(_, layer, kind, count, first)| {
        document::Malformed {
            layer: layer_name(layer).to_owned(),
            kind: kind_name(kind).to_owned(),
            count,
            first_packet: context.packet(first),
        }
    });
    Capture {
        path: file.path.clone(),
        format: format_name(file).to_owned(),
        packets: file.packets,
        bytes: file.bytes,
        duration: file.first.zip(file.last).map(|(first, last)| last.seconds_since(first)),
        first_packet_at: file.first.map(Timestamp::to_rfc3339),
        link_types: file.link_types.iter().map(ToString::to_string).collect(),
        truncated: file.truncated,
        snapped_packets: file.snapped,
        dropped_packets: file.drops,
        duplicate_packets: analysis.copies.get(index).copied().unwrap_or_default(),
        reassembled_datagrams: analysis.reassembled.get(index).copied().unwrap_or_default(),
        malformed: container.chain(packets).collect(),
    }
}

const fn format_name(file: &FileSummary) -> &'static str {
    match (file.format, file.compression) {
        (Format::Pcap, None) => "pcap",
        (Format::Pcap, Some(Compression::Gzip)) => "pcap.gz",
        (Format::Pcap, Some(Compression::Zstd)) => "pcap.zst",
        (Format::Pcapng, None) => "pcapng",
        (Format::Pcapng, Some(Compression::Gzip)) => "pcapng.gz",
        (Format::Pcapng, Some(Compression::Zstd)) => "pcapng.zst",
    }
}

const fn layer_name(layer: Layer) -> &'static str {
    match layer {
        Layer::Container => "container",
        Layer::Link => "link",
        Layer::Ip => "ip",
        Layer::Fragment => "fragment",
        Layer::Tunnel => "tunnel",
        Layer::Icmp => "icmp",
        Layer::Udp => "udp",
        Layer::Tcp => "tcp",
        Layer::Stun => "stun",
        Layer::ChannelData => "channel-data",
        Layer::Dtls => "dtls",
        Layer::Rtp => "rtp",
        Layer::Payload => "payload",
        Layer::Rtcp => "rtcp",
        Layer::Sctp => "sctp",
        Layer::Quic => "quic",
        Layer::Zrtp => "zrtp",
        Layer::Mdns => "mdns",
    }
}

const fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Snapped => "snapped",
        Kind::TooShort => "too-short",
        Kind::BadLength => "bad-length",
        Kind::BadVersion => "bad-version",
        Kind::BadValue => "bad-value",
        Kind::BadChecksum => "bad-checksum",
        Kind::Unsupported => "unsupported",
        Kind::TooMany => "too-many",
    }
}

fn describe(context: &Context<'_>, id: u32, call: &Call<'_>, verdict: Verdict) -> Session {
    let Call { flows, steps, .. } = call;
    let said = || call.exchanges().filter_map(|exchange| exchange.span);
    let starts = flows.iter().map(|flow| flow.first.0).chain(said().map(|((first, _), _)| first));
    let ends = flows.iter().map(|flow| flow.last.0).chain(said().map(|(_, (last, _))| last));
    let (start, end) = (starts.min().unwrap_or_default(), ends.max().unwrap_or_default());
    let connecting = connecting::connecting(context, steps, flows);
    Session {
        id,
        verdict,
        endpoints: if flows.is_empty() { talkers(call) } else { endpoints(flows) },
        start_time: context.seconds(start),
        duration: end.seconds_since(start),
        signalling: signalling::signalling(context, call, &connecting.candidate_pairs),
        connecting,
        securing: securing::of_call(context, call),
        communicating: communicating::communicating(context, call),
    }
}

const fn status(outcome: Outcome) -> StepStatus {
    match outcome {
        Outcome::NotSeen => StepStatus::NotSeen,
        Outcome::Ok => StepStatus::Ok,
        Outcome::Failed => StepStatus::Failed,
    }
}

/// The ends of a call's flows. Where media flows, only its ends and the relays are listed: addresses that were merely
/// tried are the connecting step's.
fn endpoints(flows: &[&FlowRecord]) -> Vec<SessionEndpoint> {
    let carries = |flow: &&&FlowRecord| !flow.streams.is_empty() || flow.sctp.is_some();
    let any = flows.iter().any(|flow| carries(&flow));
    let mut ends: Vec<SessionEndpoint> = Vec::new();
    for flow in flows.iter().filter(|flow| !any || carries(flow)) {
        ends.extend([flow.key.low, flow.key.high].map(|end| peer(flow, end)));
        ends.extend(flow.key.relay.map(|relay| endpoint(relay, "relay")));
    }
    ends.sort();
    ends.dedup();
    ends
}

/// The ends of the signalling, of a call that left no other trace.
fn talkers(call: &Call<'_>) -> Vec<SessionEndpoint> {
    let places = call.exchanges().filter_map(|exchange| exchange.first_place);
    places.flat_map(|place| [place.source(), place.destination()]).map(|end| endpoint(end, "signalling")).collect()
}

fn peer(flow: &FlowRecord, end: Endpoint) -> SessionEndpoint {
    match flow.key.channel(end) {
        Some(channel) => SessionEndpoint { address: None, port: None, channel: Some(channel), role: "peer" },
        None => endpoint(end, "peer"),
    }
}

fn endpoint(end: Endpoint, role: &'static str) -> SessionEndpoint {
    SessionEndpoint { address: Some(end.ip().to_string()), port: Some(end.port()), channel: None, role }
}

fn others(context: &Context<'_>, sessions: &Sessions) -> (Vec<OtherFlow>, Option<document::Omitted>) {
    let analysis = context.analysis;
    let mut flows: Vec<&FlowRecord> =
        sessions.others.iter().filter_map(|index| analysis.flows.get(*index)).filter(|flow| total(flow) > 0).collect();
    flows.sort_by_key(|flow| (Reverse(total(flow)), flow.first.0, flow.first.1));
    let rest = flows.split_off(flows.len().min(OTHER_FLOWS));
    let omitted = document::Omitted {
        flows: rest.len() as u64 + analysis.refused.flows,
        packets: rest.iter().map(|flow| total(flow)).sum::<u64>() + analysis.refused.flow_packets,
    };
    (flows.into_iter().map(|flow| other_flow(context, flow)).collect(), (omitted.flows > 0).then_some(omitted))
}

fn total(flow: &FlowRecord) -> u64 {
    flow.packets.iter().sum()
}

fn other_flow(context: &Context<'_>, flow: &FlowRecord) -> OtherFlow {
    let direction = flow.first.2;
    let name = |end: Endpoint| if end.port() == 0 { end.ip().to_string() } else { end.to_string() };
    OtherFlow {
        source: name(flow.key.source(direction)),
        destination: name(flow.key.destination(direction)),
        transport: flow.key.transport.name(),
        protocol: protocol(flow).map(str::to_owned),
        packets: total(flow),
        bytes: flow.bytes.iter().sum(),
        icmp_errors: flow.icmp_errors,
        stun: other::stun(flow),
        dtls: other::dtls(context, flow),
    }
}

/// What most datagrams of a flow are, where that is known.
fn protocol(flow: &FlowRecord) -> Option<&'static str> {
    const NAMES: [(Protocol, &str); 5] = [
        (Protocol::Stun, "stun"),
        (Protocol::ClassicStun, "classic-stun"),
        (Protocol::Dtls, "dtls"),
        (Protocol::Quic, "quic"),
        (Protocol::Zrtp, "zrtp"),
    ];
    let most = NAMES.into_iter().filter(|(protocol, _)| flow.count(*protocol) > 0);
    flow.label.or_else(|| most.max_by_key(|(protocol, _)| flow.count(*protocol)).map(|(_, name)| name))
}
