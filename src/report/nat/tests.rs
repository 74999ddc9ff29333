//! What people and programs read of outcomes made by hand.

use std::{net::SocketAddr, time::Duration};

use serde_json::Value;

use super::*;
use crate::{
    probe::{
        Transport,
        nat::{
            self, Arrival, Confidence, Evidence, Filtering, Judged, Kind, Lifetime, Mapping, NatType, Outcome, Remark,
            ServerError, ServerOutcome, Verdict,
        },
    },
    report::{
        document::Severity,
        json::write_document,
        text::{Details, TextOptions, write_nat},
    },
};

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn judged<T>(value: T) -> Judged<T> {
    Judged { value: Some(value), confidence: Some(Confidence::High) }
}

fn server(transport: Transport, error: Option<ServerError>) -> ServerOutcome {
    let address = address("198.51.100.1:3478");
    ServerOutcome {
        server: nat::Server { name: "stun:stun.example.org".to_owned(), address, transport, server_name: None },
        fallback: transport != Transport::Udp,
        round_trip: error.is_none().then_some(Duration::from_micros(20_500)),
        lost: error.is_none().then_some(0),
        mapped: error.is_none().then_some("203.0.113.1:40000".parse().unwrap()),
        other: None,
        software: None,
        error,
    }
}

fn cone() -> Outcome {
    Outcome {
        local: Some(address("10.0.0.2:40000")),
        mapped: vec![address("203.0.113.1:40000")],
        mapping: judged(Mapping::EndpointIndependent),
        filtering: judged(Filtering::AddressAndPortDependent),
        nat_type: Some(NatType::PortRestrictedCone),
        hairpin: Some(false),
        port_preservation: Some(true),
        port_delta: None,
        lifetime: Some(Lifetime { at_least: Duration::from_secs(20), less_than: Some(Duration::from_secs(30)) }),
        fragments: Some(false),
        verdict: Verdict::Direct,
        servers: vec![server(Transport::Udp, None)],
        remarks: Vec::new(),
        evidence: vec![Evidence {
            kind: Kind::Binding,
            transport: Transport::Udp,
            local: Some(address("10.0.0.2:40000")),
            to: address("198.51.100.1:3478"),
            answer_from: address("198.51.100.2:3479"),
            sent: 8,
            arrival: Arrival::Silent,
            mapped: None,
            round_trip: None,
            rejected: Some((3, address("198.51.100.1:3478"))),
        }],
    }
}

fn nothing(nat_type: Option<NatType>, servers: Vec<ServerOutcome>) -> Outcome {
    let unknown = Judged { value: None, confidence: None };
    Outcome {
        mapped: Vec::new(),
        mapping: unknown,
        filtering: Judged { value: None, confidence: None },
        nat_type,
        hairpin: None,
        port_preservation: None,
        lifetime: None,
        fragments: None,
        verdict: if nat_type.is_some() { Verdict::Relay } else { Verdict::Unknown },
        servers,
        evidence: Vec::new(),
        ..cone()
    }
}

fn report(outcomes: Vec<Outcome>) -> NatReport {
    let paths = outcomes.into_iter().zip([4, 6]);
    let paths = paths.map(|(outcome, ip_version)| Checked { interface: None, ip_version, outcome });
    build(&Input { paths: paths.collect(), duration: Duration::from_millis(700), ..Input::default() })
}

fn text(report: &NatReport, width: usize) -> String {
    let mut out = Vec::new();
    let options = TextOptions { width, details: Details::All, ..TextOptions::default() };
    write_nat(report, &options, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn json(report: &NatReport) -> Value {
    let mut out = Vec::new();
    write_document(report, &mut out).unwrap();
    serde_json::from_slice(&out).unwrap()
}

#[test]
fn text_for_people() {
    let report = report(vec![cone()]);
    let expected = "\
Verdict: ✓ DIRECT, two peers behind such a network can talk to each other over
                   UDP
  → Calls to most peers go directly. Have a TURN server for peers behind a
    symmetric NAT, and for those whose networks block UDP.

IPv4: 10.0.0.2:40000, seen as 203.0.113.1:40000
  Mapping             endpoint-independent (high confidence)
  Filtering           address-and-port-dependent (high confidence)
  RFC 3489 name       port-restricted cone
  Hairpinning         no
  Ports preserved     yes
  Binding lifetime    between 20.0 s and 30.0 s
  Fragments pass      no

  A peer behind                               is reached
  ────────────────────────────────────────────────────────────────
  open Internet, full cone, restricted cone,  directly
  port-restricted cone, symmetric firewall
  symmetric, UDP blocked                      through a relay only
";
    let text = text(&report, 80);
    assert!(text.starts_with(expected), "{text}");
    assert!(text.contains("to be answered from 198.51.100.2:3479"), "{text}");
    assert!(text.contains("rejected: 3 answers from elsewhere, the last from 198.51.100.1:3478"), "{text}");
}

#[test]
fn text_fits_its_width() {
    let blocked = nothing(
        Some(NatType::UdpBlocked),
        vec![server(Transport::Udp, Some(ServerError::Silent(12))), server(Transport::Tcp, None)],
    );
    for report in [report(vec![cone(), blocked]), report(Vec::new())] {
        for width in [60, 80, 132] {
            let text = text(&report, width);
            assert!(text.lines().all(|line| line.chars().count() <= width), "{width}\n{text}");
        }
    }
}

#[test]
fn unknown_is_null_and_lifetimes_are_seconds() {
    let document = json(&report(vec![cone()]));
    assert_eq!((&document["bindingLifetime"], &document["bindingLifetimeBelow"]), (&20.0.into(), &30.0.into()));
    assert_eq!((&document["portDelta"], &document["error"]), (&Value::Null, &Value::Null));
    assert_eq!(document["servers"][0]["roundTripTime"], 0.0205);
    assert_eq!(document["evidence"][0]["result"], "silent");
    let rules: Vec<&str> =
        document["findings"].as_array().unwrap().iter().map(|finding| finding["rule"].as_str().unwrap()).collect();
    assert_eq!(rules, ["NAT012", "NAT013"]);
    let nothing = json(&report(Vec::new()));
    assert_eq!((&nothing["mapping"], &nothing["localAddress"]), (&"unknown".into(), &Value::Null));
    assert!(nothing["error"].as_str().unwrap().contains("no server could be asked"));
}

/// The first path that anything is known of is shown, the best is the verdict.
#[test]
fn several_paths() {
    let silent = nothing(None, vec![server(Transport::Udp, Some(ServerError::Silent(12)))]);
    let document = json(&report(vec![silent, cone()]));
    assert_eq!((&document["natType"], &document["verdict"]), (&"port-restricted-cone".into(), &"direct".into()));
    assert_eq!(document["paths"][0]["verdict"], "unknown");
    assert_eq!(document["servers"].as_array().unwrap().len(), 2);
    assert_eq!(document["findings"][0]["message"].as_str().unwrap().get(..6), Some("IPv6: "));
}

#[test]
fn udp_that_is_blocked_is_an_error() {
    let over = |tcp| {
        let silent = server(Transport::Udp, Some(ServerError::Silent(12)));
        let tls = server(Transport::Tls, Some(ServerError::Unfinished));
        report(vec![nothing(Some(NatType::UdpBlocked), vec![silent, server(Transport::Tcp, tcp), tls])])
    };
    let report = over(None);
    let finding = &report.findings[0];
    assert_eq!((finding.rule, finding.severity), ("NAT001", Severity::Error));
    assert!(
        finding.message.ends_with("TCP to the same server works, TLS does not work either."),
        "{}",
        finding.message
    );
    assert!(report.advice.contains("TURN server over TCP or TLS"));
    assert_eq!((report.verdict, report.error), (Connection::Relay, None));
}

/// Each remark is a sentence with a rule of its own, but for the four reasons why a filter is not known.
#[test]
fn remarks_are_sentences() {
    let (server, other) = (address("198.51.100.1:3478"), address("198.51.100.2:3479"));
    let remarks = vec![
        Remark::CarrierGradeLocal(address("100.64.0.9:1")),
        Remark::NotPublic(address("100.64.0.9:1")),
        Remark::TwoNats { inner: address("10.1.0.9:1"), outer: server },
        Remark::SeveralAddresses,
        Remark::MappingVaries,
        Remark::DependsOnSomething,
        Remark::Rewritten { plain: server, mapped: other },
        Remark::NoAlternate,
        Remark::UselessAlternate { server, other },
        Remark::AlternateSilent { server, other },
        Remark::ChangeIgnored { server, from: None },
        Remark::ChangeIgnored { server, from: Some(server) },
        Remark::FiltersPortsOnly,
        Remark::HairpinInternal,
        Remark::Lossy { lost: 3, sent: 20 },
        Remark::Malformed(1),
    ];
    let count = remarks.len();
    let outcome = Outcome { remarks, fragments: None, lifetime: None, ..cone() };
    let findings = report(vec![outcome]).findings;
    assert_eq!(findings.len(), count);
    assert!(findings.iter().all(|finding| finding.message.ends_with('.')), "{findings:#?}");
    let mut rules: Vec<&str> = findings.iter().map(|finding| finding.rule).collect();
    rules.sort_unstable();
    rules.dedup();
    assert_eq!(rules.len(), count - 4);
    assert!(findings.is_sorted_by_key(|finding| finding.severity));
}
