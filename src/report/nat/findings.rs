//! What the packets show, in sentences.

use std::net::SocketAddr;

use super::build::{Checked, Input};
use crate::{
    probe::{
        Transport,
        nat::{Confidence, Filtering, NatType, Outcome, Remark, ServerOutcome, Verdict},
    },
    report::document::{Finding, Severity},
};

/// Everything worth knowing, by severity.
pub(super) fn all(input: &Input) -> Vec<Finding> {
    let several = input.paths.len() > 1;
    let mut findings: Vec<Finding> = Vec::new();
    for path in &input.paths {
        let about = if several { format!("IPv{}: ", path.ip_version) } else { String::new() };
        for mut finding in of_path(&path.outcome) {
            finding.message = format!("{about}{}", finding.message);
            if !findings.contains(&finding) {
                findings.push(finding);
            }
        }
    }
    for server in &input.unresolved {
        findings.push(warning("NAT015", server.error.clone(), None));
    }
    findings.sort_by_key(|finding| finding.severity);
    findings
}

/// Why nothing could be measured.
pub(super) fn error(input: &Input) -> Option<String> {
    let answered = |path: &Checked| !path.outcome.mapped.is_empty() || path.outcome.nat_type.is_some();
    if input.paths.iter().any(answered) {
        return None;
    }
    let of_server = |server: &ServerOutcome| {
        Some(format!("{} ({}): {}", server.server.name, server.server.transport.name(), server.error.as_ref()?))
    };
    let servers = input.paths.iter().flat_map(|path| &path.outcome.servers).filter_map(of_server);
    let mut reasons: Vec<String> = servers.chain(input.unresolved.iter().map(|server| server.error.clone())).collect();
    reasons.dedup();
    let reasons = if reasons.is_empty() { "no server could be asked".to_owned() } else { reasons.join("; ") };
    Some(format!("nothing could be measured: {reasons}"))
}

/// What to do, in one or two sentences.
pub(super) fn advice(input: &Input, best: Verdict) -> &'static str {
    let outcomes = || input.paths.iter().map(|path| &path.outcome);
    let chosen = outcomes().filter(|outcome| outcome.verdict == best);
    let shown = chosen.max_by_key(|outcome| outcome.nat_type.is_some());
    match (best, shown.and_then(|outcome| outcome.nat_type)) {
        (Verdict::Direct, Some(NatType::OpenInternet | NatType::FullCone | NatType::RestrictedCone)) => {
            "Calls go directly. Keep a TURN server for peers whose networks block UDP."
        }
        (Verdict::Direct, Some(_)) => {
            "Calls to most peers go directly. Have a TURN server for peers behind a symmetric NAT, and for those whose \
             networks block UDP."
        }
        (Verdict::Direct, None) => {
            "Calls to most peers go directly. Have a TURN server for the others; name a server with two addresses \
             (rtcscope stun-server --alternate, or coturn with two) to know which."
        }
        (Verdict::Relay, Some(NatType::UdpBlocked)) => {
            "Configure a TURN server over TCP or TLS, best on port 443 (turns:HOST:443?transport=tcp), or have the \
             firewall let UDP out."
        }
        (Verdict::Relay, _) => {
            "Configure a TURN server: without it calls fail between two such networks. If the router is yours, look for \
             endpoint-independent (\"full cone\") NAT in its settings."
        }
        (Verdict::Unknown, _) if only_streams(input) => {
            "Name a server over UDP too (stun:HOST): calls use UDP where they can, and nothing is known of it."
        }
        (Verdict::Unknown, _) if outcomes().any(|outcome| !outcome.mapped.is_empty()) => {
            "Name a second STUN server at another address with --server, or one that answers from two addresses \
             (rtcscope stun-server --alternate, or coturn with two)."
        }
        (Verdict::Unknown, _) => {
            "Check that the machine has a network and that the servers are right, or name another with --server."
        }
    }
}

/// Whether something answered, and all that was asked was asked over TCP or TLS.
fn only_streams(input: &Input) -> bool {
    let mut servers = input.paths.iter().flat_map(|path| &path.outcome.servers).peekable();
    servers.peek().is_some() && servers.all(|server| server.server.transport != Transport::Udp)
}

fn of_path(outcome: &Outcome) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(blocked(outcome));
    findings.extend(outcome.remarks.iter().map(remark));
    findings.extend(outcome.fragments.filter(|pass| !pass).map(|_| {
        let advice =
            "Keep datagrams below 1,200 bytes; DTLS handshakes with large certificates or post-quantum keys suffer.";
        warning("NAT012", "Fragments do not pass in at least one direction.".to_owned(), Some(advice))
    }));
    if let Some(lifetime) =
        outcome.lifetime.filter(|lifetime| lifetime.less_than.is_some_and(|time| time.as_secs() <= 30))
    {
        let message = format!(
            "An idle binding is gone within {} s; RFC 4787 asks for two minutes at least.",
            lifetime.less_than.unwrap_or_default().as_secs()
        );
        findings.push(warning("NAT013", message, Some("Send keepalives at least twice as often.")));
    }
    if outcome.filtering.confidence == Some(Confidence::Medium)
        && outcome.filtering.value == Some(Filtering::AddressAndPortDependent)
    {
        let message = "The filter is likely and not certain: behind a mapping that depends on the destination, it cannot \
                       be opened for the server's second address to prove it.";
        findings.push(info("NAT014", message.to_owned(), None));
    }
    findings
}

/// What became of UDP where nothing of it came back.
fn blocked(outcome: &Outcome) -> Option<Finding> {
    let over = |transport: Transport| {
        let mut tried = outcome.servers.iter().filter(|server| server.server.transport == transport).peekable();
        tried.peek()?;
        Some(tried.any(|server| server.error.is_none()))
    };
    let udp_works = over(Transport::Udp)?;
    if udp_works || !outcome.mapped.is_empty() && outcome.nat_type != Some(NatType::UdpBlocked) {
        return None;
    }
    let works = |works: Option<bool>| if works == Some(true) { "works" } else { "does not work either" };
    let (tcp, tls) = (works(over(Transport::Tcp)), works(over(Transport::Tls)));
    Some(if outcome.nat_type == Some(NatType::UdpBlocked) {
        let message = format!("UDP is blocked: no answer came over UDP. TCP to the same server {tcp}, TLS {tls}.");
        error_of("NAT001", message, "Let UDP out, or configure TURN over TCP or TLS.")
    } else if over(Transport::Tcp).is_some() || over(Transport::Tls).is_some() {
        let message = "No answer came, neither over UDP nor over TCP or TLS: the server is down, or the network blocks \
                       all three.";
        error_of("NAT002", message.to_owned(), "Try another server with --server.")
    } else {
        return None;
    })
}

fn remark(remark: &Remark) -> Finding {
    match remark {
        Remark::CarrierGradeLocal(local) => info(
            "NAT003",
            format!("This host's own address {} is one of those behind a carrier's NAT (100.64.0.0/10).", local.ip()),
            None,
        ),
        Remark::NotPublic(mapped) => not_public(mapped),
        Remark::TwoNats { inner, outer } => warning(
            "NAT005",
            format!("Two NATs in a row: one server saw {inner}, another {outer}."),
            Some("Port forwarding and UPnP on the inner router do not help; the strictest of the two decides."),
        ),
        Remark::SeveralAddresses => warning(
            "NAT006",
            "The NAT uses several public addresses at once for this host (RFC 4787 REQ-2 wants one).".to_owned(),
            Some("Have the NAT pair each host with one address; else one host may seem to be two."),
        ),
        Remark::MappingVaries => info(
            "NAT007",
            "Two sockets were mapped in different ways, as where two hosts want the same port.".to_owned(),
            None,
        ),
        Remark::DependsOnSomething => info(
            "NAT008",
            "The mapping depends on the destination: different servers saw different ports. Whether the address alone \
             or the port too matters cannot be told with these servers."
                .to_owned(),
            None,
        ),
        Remark::Rewritten { plain, mapped } => warning(
            "NAT009",
            format!(
                "Something on the way rewrites addresses inside packets (an ALG): MAPPED-ADDRESS said {plain}, the server \
                 saw {mapped}."
            ),
            Some("Turn off application layer gateways (ALG) in the router."),
        ),
        Remark::NoAlternate
        | Remark::UselessAlternate { .. }
        | Remark::AlternateSilent { .. }
        | Remark::ChangeIgnored { .. } => no_filter(remark),
        Remark::FiltersPortsOnly => info(
            "NAT016",
            "Answers from another address pass where the port is the same: the filter looks at ports only.".to_owned(),
            None,
        ),
        Remark::HairpinInternal => info(
            "NAT017",
            "Hairpinned packets keep their internal source address (RFC 4787 REQ-9 wants the external one).".to_owned(),
            None,
        ),
        Remark::Lossy { lost, sent } => warning(
            "NAT011",
            format!("{lost} of {sent} requests that were answered in the end, or their answers, were lost."),
            Some("Results hold, since nothing was believed lost before many transmissions; calls will suffer."),
        ),
        Remark::Malformed(count) => {
            info("NAT018", format!("{count} datagrams that came in were no STUN messages that can be read."), None)
        }
    }
}

fn not_public(mapped: &SocketAddr) -> Finding {
    let carrier = matches!(mapped.ip(), std::net::IpAddr::V4(v4) if matches!(v4.octets(), [100, 64..=127, _, _]));
    let message = if carrier {
        format!(
            "The server saw {mapped}, an address that carriers use behind their own NAT (100.64.0.0/10): there is \
                 another NAT between it and the Internet."
        )
    } else {
        format!(
            "The server saw {mapped}, a private address: it stands inside a private network, or another NAT follows."
        )
    };
    warning(
        "NAT004",
        message,
        Some("Ask a server on the Internet as well; port forwarding on this router alone does not help."),
    )
}

/// Why nothing is known of filters, and which server would settle it.
fn no_filter(remark: &Remark) -> Finding {
    const CURE: &str = "Name a server with two addresses: rtcscope stun-server --alternate, or coturn with two.";
    let message = match remark {
        Remark::UselessAlternate { server, other } => {
            format!("The filter is not known: {server} says that its other address is {other}, which cannot be one.")
        }
        Remark::AlternateSilent { server, other } => {
            format!("The filter is not known: the other address of {server}, {other}, does not answer at all.")
        }
        Remark::ChangeIgnored { server, from: Some(from) } => {
            format!("The filter is not known: {server} was to answer from its other address and answered from {from}.")
        }
        Remark::ChangeIgnored { server, from: None } => format!(
            "The filter is not known: {server} was to answer from its other address and did not, not even where the \
             filter was open."
        ),
        _ => "The filter is not known: only a server with two addresses (RFC 5780) can tell, and none of these is one."
            .to_owned(),
    };
    info("NAT010", message, Some(CURE))
}

fn finding(rule: &'static str, severity: Severity, message: String, advice: Option<&str>) -> Finding {
    Finding { rule, severity, session: None, message, advice: advice.map(str::to_owned), packets: Vec::new() }
}

fn error_of(rule: &'static str, message: String, advice: &str) -> Finding {
    finding(rule, Severity::Error, message, Some(advice))
}

fn warning(rule: &'static str, message: String, advice: Option<&str>) -> Finding {
    finding(rule, Severity::Warning, message, advice)
}

fn info(rule: &'static str, message: String, advice: Option<&str>) -> Finding {
    finding(rule, Severity::Info, message, advice)
}
