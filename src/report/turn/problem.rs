//! What went wrong, in a sentence, and what helps.

use std::net::{IpAddr, SocketAddr};

use super::{Attempt, Input};
use crate::{
    probe::{
        Failure, Transport,
        turn::{CheckStep, Problem, credentials::BadChallenge, message::Family},
    },
    wire::stun::error_name,
};

/// A problem as a user is told it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) message: String,
    pub(super) advice: String,
}

impl Told {
    fn new(message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { message: message.into(), advice: advice.into() }
    }
}

/// Says what went wrong in a step of an attempt.
pub(super) fn told(step: CheckStep, problem: &Problem, attempt: &Attempt, input: &Input) -> Told {
    match problem {
        Problem::Refused { code, reason, peer, alternate, proved } => {
            let name = error_name(*code).map_or_else(|| reason.clone(), str::to_owned);
            let refusal = Refusal { code: *code, peer: *peer, alternate: *alternate, proved: *proved };
            let told = refusal.told(step, attempt, input);
            Told { message: format!("{} ({code} {name})", told.message), ..told }
        }
        Problem::NoCredentials => Told::new(
            "the server asks for credentials (401 Unauthenticated), and none were given",
            "Give --user and --password (or RTCSCOPE_TURN_PASSWORD), or --auth-secret.",
        ),
        Problem::NonceLoop => Told::new(
            "the server calls every nonce stale, its newest too (438 Stale Nonce): a loop",
            "Its nonces live too short, or a load balancer spreads one client over several servers: keep each client on \
             one server.",
        ),
        Problem::Challenge(BadChallenge::UnknownAlgorithms) => Told::new(
            "the server asks for password algorithms that nobody has registered",
            "Have it offer MD5 or SHA-256 (RFC 8489 section 18.5).",
        ),
        Problem::Challenge(_) => Told::new(
            "the server's nonce and its PASSWORD-ALGORITHMS contradict each other: somebody on the way may be \
             weakening the protection",
            "Ask again over TLS (turns:); if it is the same there, the server is at fault.",
        ),
        Problem::Silent => silent(step, attempt),
        Problem::Socket(failure) => failed(failure, attempt),
        Problem::BadAnswer(what) => Told::new(
            format!("the server's answer makes no sense: {what}"),
            "Look at what answers there: it is no TURN server of RFC 5766 or RFC 8656.",
        ),
        Problem::NothingArrived(route) => {
            let kind = if route.channel { "ChannelData" } else { "Send and Data indications" };
            let way = if route.back { "to the relayed address comes back" } else { "reaches the other end" };
            Told::new(
                format!("the server lends an address and relays nothing: no datagram by {kind} {way}"),
                "Look for a firewall in front of the server's relay ports (coturn: min-port to max-port, UDP), and at its \
                 external-ip.",
            )
        }
    }
}

struct Refusal {
    code: u16,
    peer: Option<IpAddr>,
    alternate: Option<SocketAddr>,
    proved: bool,
}

impl Refusal {
    fn told(&self, step: CheckStep, attempt: &Attempt, input: &Input) -> Told {
        match self.code {
            300 => {
                let place = self.alternate.map_or_else(|| "nobody knows where".to_owned(), |place| place.to_string());
                Told::new(format!("the server sends its clients elsewhere, to {place}"), "Check that server.")
            }
            400 => Told::new(
                "the server finds the request malformed",
                "Look at what answers there: it may be a STUN server that does not relay, or too old for this request.",
            ),
            401 => credentials(attempt, input),
            403 => self.forbidden(),
            420 => Told::new(
                "the server does not understand something that it must",
                if attempt.config.family == Family::Usual {
                    "Look for a newer server: this request needs no more than RFC 5766."
                } else {
                    "It may know IPv4 relays only (RFC 5766): leave out --relay."
                },
            ),
            437 if step == CheckStep::Allocate => Told::new(
                "the server has an allocation for this address and port already",
                "Try again in ten minutes, when it has expired, or from another port.",
            ),
            437 => Told::new(
                "the server has lost the allocation",
                "It expired early, or the server was restarted or is one of several: keep each client on one server.",
            ),
            438 => Told::new("the server finds the nonce stale before it was used", "Look at the server's clock."),
            440 => Told::new(
                "the server has no relay addresses of the family asked for",
                "Give the server an address of that family to relay from (coturn: relay-ip), or leave out --relay.",
            ),
            441 => Told::new(
                "the server takes the credentials, but the allocation belongs to others",
                "Look for another client that uses the same address and port with another user.",
            ),
            442 => Told::new(
                "the server does not relay UDP",
                "Have it allow UDP relays (coturn: no no-udp-relay); calls need them.",
            ),
            443 => Told::new(
                "the other end's address is of another family than the relayed address",
                "Ask for a relay of that family with --relay.",
            ),
            486 => Told::new(
                "this user has no allocations left at the server",
                "Raise the user's quota (coturn: user-quota), or wait until older allocations expire.",
            ),
            500 => Told::new("the server has a fault", "Look at its log, and try again."),
            508 => Told::new(
                "the server has no ports or bandwidth left",
                "Give it more relay ports (coturn: min-port, max-port, total-quota), or more servers.",
            ),
            _ => Told::new(
                if self.proved { "the server refuses" } else { "the server refuses even to ask who it is" },
                "Look at the server's log.",
            ),
        }
    }

    fn forbidden(&self) -> Told {
        match self.peer {
            Some(peer) if peer.is_loopback() => Told::new(
                format!("the server forbids {peer} as a peer, as it should: it is a loopback address"),
                "Check the server by the address that its clients use, or for a test have it relay there (coturn: \
                 allow-loopback-peers).",
            ),
            Some(peer) => Told::new(
                format!("the server forbids {peer} as a peer"),
                "Look at the addresses that it denies (coturn: denied-peer-ip, allowed-peer-ip); calls to peers at such \
                 addresses will fail.",
            ),
            None => Told::new(
                "the server's policy forbids this user what was asked for",
                "Ask whoever runs the server for the right to allocate.",
            ),
        }
    }
}

fn credentials(attempt: &Attempt, input: &Input) -> Told {
    let realm = attempt.outcome.facts.challenge.as_ref().map_or("", |challenge| &challenge.realm);
    let user = input.username.as_deref().unwrap_or_default();
    if input.by_secret {
        return Told::new(
            format!("the server refuses what the shared secret makes for user \"{user}\" at realm \"{realm}\""),
            "Compare the secret with the server's (coturn: use-auth-secret, static-auth-secret), and the clocks of both.",
        );
    }
    Told::new(
        format!("the server refuses user \"{user}\" or the password at realm \"{realm}\""),
        "Compare both with the server's; where it makes them of a shared secret, they may have expired.",
    )
}

fn silent(step: CheckStep, attempt: &Attempt) -> Told {
    let (server, transport) = (attempt.config.server, name_of(attempt.config.transport));
    if attempt.outcome.facts.forged > 0 {
        return Told::new(
            "the server's answers were rejected: their MESSAGE-INTEGRITY is wrong or missing",
            "Either the server does not have the user's password, or somebody on the way answers in its place: ask over \
             TLS (turns:).",
        );
    }
    if step != CheckStep::Connect {
        return Told::new(
            format!("{server} stopped answering over {transport}"),
            "Look at the server's log, and for loss on the way to it (rtcscope nat-check).",
        );
    }
    let advice = match attempt.outcome.tcp_works {
        Some(true) => {
            "It takes TCP connections on that port: a firewall on the way blocks UDP, so try ?transport=tcp or turns:."
        }
        Some(false) => {
            "Nor does it take a TCP connection: check its address and port, and that it runs; turns: on port 443 passes \
             most firewalls."
        }
        None => "Check its address and port, and that a TURN server runs there.",
    };
    Told::new(format!("{server} does not answer over {transport}"), advice)
}

fn failed(failure: &Failure, attempt: &Attempt) -> Told {
    let (server, transport) = (attempt.config.server, name_of(attempt.config.transport));
    let message = format!("cannot talk to {server} over {transport}: {failure}");
    let tcp = match attempt.outcome.tcp_works {
        Some(true) => " TCP on that port works: try ?transport=tcp.",
        _ => "",
    };
    let advice = match failure {
        Failure::NoRoute => "Check this machine's network, and whether it has IPv4 or IPv6 as the address needs.",
        Failure::Refused | Failure::TimedOut => "Check the port and the transport, and that the server runs.",
        Failure::Local(_) => "Close what uses the address.",
        Failure::Closed => "Look at the server's log; a port for TLS closes plain connections.",
        Failure::NotStun => "Look at what listens there; a port for TLS needs turns:.",
        Failure::Tls(why) => tls(why),
        Failure::System(_) => "Look at this machine's firewall and network.",
    };
    Told::new(message, format!("{advice}{tcp}"))
}

/// What helps where TLS failed, by what rustls said.
fn tls(why: &str) -> &'static str {
    if why.contains("CaUsedAsEndEntity") {
        "The server shows an authority's own certificate: have it show one with CA:FALSE, as openssl makes with -addext \
         basicConstraints=CA:FALSE."
    } else if why.contains("UnknownIssuer") {
        "This machine does not know who signed the certificate: give the authority's certificate with --ca FILE, or have \
         the server send the whole chain."
    } else if why.contains("not valid for name") || why.contains("NotValidForName") {
        "The certificate names another host: use the name that is in it."
    } else if why.contains("expired") || why.contains("Expired") {
        "The certificate has expired: renew it, and have the server read it again."
    } else if why.contains("not valid yet") || why.contains("NotValidYet") {
        "The certificate is not valid yet: look at this machine's clock."
    } else if why.contains("corrupt") || why.contains("InvalidContentType") {
        "What listens there does not speak TLS: try turn: with ?transport=tcp."
    } else if why.starts_with("cannot read") {
        "Name a PEM file with certificates."
    } else {
        "Look at the server's certificate, key and TLS versions; clients today need TLS 1.2 or 1.3."
    }
}

/// A transport as text names it.
pub(super) const fn name_of(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => "UDP",
        Transport::Tcp => "TCP",
        Transport::Tls => "TLS",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        probe::{
            turn::{Config, Outcome, Route},
            uri::{ServerUri, Service},
        },
        report::turn::build,
    };

    fn attempt() -> Attempt {
        let config = Config {
            server: "192.0.2.1:3478".parse().unwrap(),
            transport: Transport::Udp,
            server_name: None,
            credentials: None,
            family: Family::Usual,
            bitrate: 1_000_000,
            duration: Duration::from_secs(1),
        };
        Attempt { sent_by: None, config, outcome: Outcome::default() }
    }

    fn input(by_secret: bool) -> Input {
        Input {
            server: ServerUri::parse("turn:example.org", Service::Turn).unwrap(),
            unresolved: None,
            attempts: vec![attempt()],
            username: Some("alice".to_owned()),
            by_secret,
            duration: Duration::ZERO,
            interrupted: false,
        }
    }

    fn refused(code: u16, peer: Option<&str>) -> Problem {
        let (reason, alternate) = (String::new(), None);
        Problem::Refused { code, reason, peer: peer.map(|peer| peer.parse().unwrap()), alternate, proved: true }
    }

    #[test]
    fn every_code_is_a_sentence_with_a_cure() {
        let mut said = Vec::new();
        for code in [300, 400, 401, 403, 420, 437, 438, 440, 441, 442, 443, 486, 500, 508, 600] {
            for step in [CheckStep::Allocate, CheckStep::Refresh] {
                let told = told(step, &refused(code, None), &attempt(), &input(false));
                assert!(told.message.contains(&format!("({code} ")), "{}", told.message);
                assert!(told.advice.ends_with('.') && !told.message.ends_with('.'), "{told:?}");
                said.push(told.message);
            }
        }
        said.sort();
        said.dedup();
        assert_eq!(said.len(), 16, "437 has two, one for each step");
    }

    #[test]
    fn what_helps_depends_on_what_was_done() {
        let advice = |step, problem: &Problem, attempt: &Attempt, by_secret| {
            told(step, problem, attempt, &input(by_secret)).advice
        };
        let plain = attempt();
        let refusal = refused(401, None);
        assert!(advice(CheckStep::Authenticate, &refusal, &plain, true).contains("static-auth-secret"));
        assert!(advice(CheckStep::Authenticate, &refusal, &plain, false).contains("Compare both"));
        let forbidden = |peer| advice(CheckStep::Permission, &refused(403, Some(peer)), &plain, false);
        assert!(forbidden("127.0.0.1").contains("allow-loopback-peers"));
        assert!(forbidden("10.0.0.1").contains("denied-peer-ip"));
        let mut silent = attempt();
        silent.outcome.tcp_works = Some(true);
        assert!(advice(CheckStep::Connect, &Problem::Silent, &silent, false).contains("?transport=tcp"));
        silent.outcome.facts.forged = 1;
        assert!(advice(CheckStep::Allocate, &Problem::Silent, &silent, false).contains("turns:"));
        let nothing = Problem::NothingArrived(Route { channel: true, back: false });
        assert!(advice(CheckStep::Relay, &nothing, &plain, false).contains("relay ports"));
        let tls = |why: &str| advice(CheckStep::Connect, &Problem::Socket(Failure::Tls(why.to_owned())), &plain, false);
        assert!(tls("invalid peer certificate: UnknownIssuer").contains("--ca"));
        assert!(tls("invalid peer certificate: certificate expired").contains("renew"));
    }

    /// What programs outside read.
    #[test]
    fn the_document_has_its_names() {
        let document = serde_json::to_value(build(&input(false))).unwrap();
        let names = "schemaVersion tool verdict advice server authentication localAddress mappedAddress relayedAddress \
                     relayedAddresses lifetime peer latency jitter fractionLost bitrate targetBitrate relay steps \
                     findings duration interrupted error";
        let found: Vec<&String> = document.as_object().unwrap().keys().collect();
        let mut expected: Vec<&str> = names.split_whitespace().collect();
        expected.sort_unstable();
        assert_eq!(found, expected);
        assert_eq!(document["steps"].as_array().unwrap().len(), 8);
        assert_eq!(document["verdict"], "fail");
    }
}
