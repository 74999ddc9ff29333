//! Checks on a fake clock, through simulated NATs.

mod network;

use std::{cell::RefCell, rc::Rc, time::Duration};

use proptest::prelude::*;
use rand::{RngExt, SeedableRng, rngs::StdRng};

use self::network::{Mischief, Network, OnChange, Packet, Simulated, address};
use super::*;

const MAPPINGS: [Mapping; 4] =
    [Mapping::NoNat, Mapping::EndpointIndependent, Mapping::AddressDependent, Mapping::AddressAndPortDependent];

const FILTERS: [Filtering; 3] =
    [Filtering::EndpointIndependent, Filtering::AddressDependent, Filtering::AddressAndPortDependent];

fn kinds() -> impl Iterator<Item = (Mapping, Filtering)> {
    MAPPINGS.into_iter().flat_map(|mapping| FILTERS.into_iter().map(move |filtering| (mapping, filtering)))
}

fn milliseconds(time: u64) -> Duration {
    Duration::from_millis(time)
}

#[track_caller]
fn assert_named(outcome: &Outcome, (mapping, filtering): (Mapping, Filtering), case: &str) {
    assert_eq!(
        (outcome.mapping.value, outcome.filtering.value),
        (Some(mapping), Some(filtering)),
        "{case}: {:#?}",
        outcome.evidence
    );
    assert_eq!(outcome.nat_type, NatType::of(mapping, Some(filtering)), "{case}");
}

#[test]
fn each_kind_is_named_in_time() {
    for kind in kinds() {
        for round_trip in [1, 20, 100, 300] {
            let mut network = Network::new(kind.0, kind.1);
            network.round_trip = milliseconds(round_trip);
            network.hairpin = kind.1 == Filtering::EndpointIndependent;
            let (outcome, took) = network.check();
            let case = format!("{kind:?} at {round_trip} ms");
            assert_named(&outcome, kind, &case);
            let limit = if kind.1 == Filtering::EndpointIndependent { 3 } else { 8 };
            assert!(took < Duration::from_secs(limit), "{case} took {took:?}");
            assert_eq!(outcome.mapping.confidence, Some(Confidence::High), "{case}");
            assert!(outcome.filtering.confidence >= Some(Confidence::Medium), "{case}");
            let direct = matches!(kind.0, Mapping::NoNat | Mapping::EndpointIndependent);
            assert_eq!(outcome.verdict, if direct { Verdict::Direct } else { Verdict::Relay }, "{case}");
            assert!(outcome.remarks.iter().all(|remark| !matches!(remark, Remark::Lossy { .. })), "{case}");
        }
    }
}

/// Does something to each packet in turn, of each kind of NAT; the verdict stays.
fn to_each_packet(mischief: impl Fn(usize) -> Mischief) {
    for kind in [
        (Mapping::NoNat, Filtering::EndpointIndependent),
        (Mapping::NoNat, Filtering::AddressAndPortDependent),
        (Mapping::EndpointIndependent, Filtering::AddressDependent),
        (Mapping::EndpointIndependent, Filtering::AddressAndPortDependent),
        (Mapping::AddressAndPortDependent, Filtering::AddressAndPortDependent),
    ] {
        let mut undisturbed = Network::new(kind.0, kind.1);
        undisturbed.check();
        for victim in 0..undisturbed.packets {
            let mut network = Network::new(kind.0, kind.1);
            network.mischief = mischief(victim);
            let (outcome, took) = network.check();
            assert_named(&outcome, kind, &format!("packet {victim}"));
            assert!(took < Duration::from_secs(8), "packet {victim} of {kind:?}: {took:?}");
        }
    }
}

fn as_it_is(packet: &Packet) -> (Duration, Packet) {
    (Duration::ZERO, packet.clone())
}

#[test]
fn each_packet_may_be_lost() {
    to_each_packet(|victim| {
        Box::new(move |packet| if packet.number == victim { Vec::new() } else { vec![as_it_is(packet)] })
    });
}

#[test]
fn each_packet_may_come_twice() {
    to_each_packet(|victim| {
        Box::new(move |packet| {
            let mut copies = vec![as_it_is(packet)];
            if packet.number == victim {
                copies.push((milliseconds(35), packet.clone()));
            }
            copies
        })
    });
}

#[test]
fn each_packet_may_be_late() {
    for late in [70, 400] {
        to_each_packet(move |victim| {
            Box::new(move |packet| {
                let delay = if packet.number == victim { milliseconds(late) } else { Duration::ZERO };
                vec![(delay, packet.clone())]
            })
        });
    }
}

/// Before each packet comes one that lies: of another id, of another sender, of another kind, or not whole.
#[test]
fn each_packet_may_be_forged() {
    for forgery in 0..5 {
        to_each_packet(move |victim| {
            Box::new(move |packet| {
                let mut forged = packet.clone();
                forged.inbound = true;
                if !packet.inbound {
                    // An attacker who sees the request answers it before the server does.
                    let lie = address("192.0.2.66:6666");
                    let Some(bytes) = network::answer(&packet.bytes, lie, Some(lie)) else {
                        return vec![as_it_is(packet)];
                    };
                    forged.bytes = bytes;
                    (forged.from, forged.to) = (packet.to, packet.from);
                }
                match forgery {
                    0 => forged.bytes[19] ^= 1,
                    1 => forged.from.set_port(1),
                    2 => forged.bytes.truncate(22),
                    3 => forged.bytes[1] ^= 2,
                    _ => forged.bytes[3] ^= 4,
                }
                if packet.number == victim {
                    vec![(Duration::ZERO, forged), as_it_is(packet)]
                } else {
                    vec![as_it_is(packet)]
                }
            })
        });
    }
}

/// A fifth lost each way, six hundred times over.
#[test]
fn loss_does_not_change_a_verdict() {
    for seed in 0..50 {
        for kind in kinds() {
            let mut network = Network::new(kind.0, kind.1);
            let mut random = StdRng::seed_from_u64(seed);
            network.mischief = Box::new(move |packet| {
                let lost = random.random_bool(0.2);
                if lost { Vec::new() } else { vec![as_it_is(packet)] }
            });
            let (outcome, took) = network.check();
            assert_named(&outcome, kind, &format!("seed {seed}"));
            assert!(took < DEADLINE, "{took:?}");
        }
    }
}

#[test]
fn nothing_is_sent_to_a_second_address_before_the_filter_is_known() {
    let sent = Rc::new(RefCell::new(Vec::new()));
    let mut network = Network::new(Mapping::EndpointIndependent, Filtering::AddressAndPortDependent);
    // Named too, as users do.
    network.servers.push(Simulated { says: None, ..Simulated::plain("198.51.100.2:3478") });
    let log = Rc::clone(&sent);
    network.mischief = Box::new(move |packet| {
        if !packet.inbound {
            log.borrow_mut().push((packet.to, packet.bytes.len()));
        }
        vec![as_it_is(packet)]
    });
    let (outcome, _) = network.check();
    assert_eq!(outcome.filtering.value, Some(Filtering::AddressAndPortDependent));
    let sent = sent.borrow();
    let filtering = sent.iter().take_while(|(to, _)| to.ip() != address(network::OTHER).ip());
    // Three tests of at least six transmissions.
    assert!(filtering.filter(|(_, length)| *length > 20).count() >= 18);
}

/// A server with a second address that does not do what it promises must not be taken for a filter.
#[test]
fn silence_of_the_server_is_not_a_filter() {
    for on_change in
        [OnChange::Ignores, OnChange::Drops, OnChange::Strays, OnChange::Refuses(420), OnChange::Refuses(500)]
    {
        for (mapping, filtering) in kinds() {
            let mut network = Network::new(mapping, filtering);
            network.servers[0].on_change = on_change;
            let (outcome, _) = network.check();
            let case = format!("{on_change:?} {mapping:?} {filtering:?}");
            assert_eq!(outcome.mapping.value, Some(mapping), "{case}");
            let depends = matches!(mapping, Mapping::AddressDependent | Mapping::AddressAndPortDependent);
            if depends && matches!(on_change, OnChange::Drops | OnChange::Strays) {
                // Here nothing can be proven; it is not called certain.
                assert_ne!(outcome.filtering.confidence, Some(Confidence::High), "{case}");
                continue;
            }
            assert_eq!(outcome.filtering.value, None, "{case}");
            assert!(outcome.remarks.iter().any(|remark| matches!(remark, Remark::ChangeIgnored { .. })), "{case}");
        }
    }
}

#[test]
fn second_addresses_that_are_none() {
    for other in [
        "0.0.0.0:3479",
        "198.51.100.1:3478",
        "198.51.100.1:3479",
        "198.51.100.2:3478",
        "10.0.0.9:3479",
        "127.0.0.1:3479",
        "[2001:db8::1]:3479",
        "198.51.100.2:0",
    ] {
        let mut network = Network::new(Mapping::EndpointIndependent, Filtering::EndpointIndependent);
        network.servers[0].says = Some(address(other));
        let (outcome, _) = network.check();
        assert_eq!((outcome.mapping.value, outcome.filtering.value, outcome.nat_type), (None, None, None), "{other}");
        assert_eq!(outcome.verdict, Verdict::Unknown);
        assert!(outcome.remarks.iter().any(|remark| matches!(remark, Remark::UselessAlternate { .. })), "{other}");
    }
}

#[test]
fn a_second_address_that_does_not_answer() {
    for (mapping, filtering) in kinds().filter(|(_, filtering)| *filtering != Filtering::EndpointIndependent) {
        let mut network = Network::new(mapping, filtering);
        network.servers[0].other_alive = false;
        network.servers[0].on_change = OnChange::Drops;
        let (outcome, _) = network.check();
        let known = (mapping == Mapping::NoNat).then_some(mapping);
        assert_eq!((outcome.mapping.value, outcome.filtering.value), (known, None));
        assert!(outcome.remarks.iter().any(|remark| matches!(remark, Remark::AlternateSilent { .. })));
    }
}

/// The filter is known by the second server where the first cannot tell.
#[test]
fn the_next_server_is_asked_where_one_cannot_tell() {
    let mut network = Network::new(Mapping::EndpointIndependent, Filtering::AddressDependent);
    network.servers.insert(
        0,
        Simulated {
            address: address("192.0.2.1:3478"),
            says: Some(address("192.0.2.2:3479")),
            on_change: OnChange::Ignores,
            ..Simulated::full()
        },
    );
    let (outcome, _) = network.check();
    assert_eq!(outcome.filtering.value, Some(Filtering::AddressDependent), "{:#?}", outcome.evidence);
}

#[test]
fn mapping_by_comparing_servers() {
    let servers = [Simulated::plain("192.0.2.1:3478"), Simulated::plain("192.0.2.2:3478")];
    for (mapping, expected, verdict) in [
        (Mapping::NoNat, Some(Mapping::NoNat), Verdict::Direct),
        (Mapping::EndpointIndependent, Some(Mapping::EndpointIndependent), Verdict::Direct),
        (Mapping::AddressDependent, None, Verdict::Relay),
        (Mapping::AddressAndPortDependent, None, Verdict::Relay),
    ] {
        let mut network = Network::new(mapping, Filtering::AddressAndPortDependent);
        network.servers = servers.to_vec();
        let (outcome, took) = network.check();
        assert_eq!((outcome.mapping.value, outcome.filtering.value, outcome.verdict), (expected, None, verdict));
        assert!(outcome.remarks.contains(&Remark::NoAlternate));
        assert!(took < Duration::from_secs(3), "{took:?}");
        assert_eq!(outcome.nat_type, (verdict == Verdict::Relay).then_some(NatType::Symmetric));
    }
    let mut network = Network::new(Mapping::AddressDependent, Filtering::AddressAndPortDependent);
    network.servers = [&servers[..], &[Simulated::plain("192.0.2.2:53")]].concat();
    assert_eq!(network.check().0.mapping.value, Some(Mapping::AddressDependent));
}

#[test]
fn two_nats_are_pointed_out() {
    let mut network = Network::new(Mapping::EndpointIndependent, Filtering::EndpointIndependent);
    let mut inside = Simulated::plain("100.64.0.1:3478");
    inside.inside = true;
    network.servers.push(inside);
    let (outcome, _) = network.check();
    // The server inside saw the host itself, which is no mapping.
    assert_named(&outcome, (network.mapping, network.filtering), "a server inside");
    assert!(!outcome.remarks.iter().any(|remark| matches!(remark, Remark::TwoNats { .. })));
}

#[test]
fn udp_that_is_blocked() {
    let mut network = Network::new(Mapping::NoNat, Filtering::EndpointIndependent);
    network.udp = false;
    let (outcome, took) = network.check();
    assert_eq!((outcome.nat_type, outcome.verdict), (None, Verdict::Unknown), "nothing answers");
    assert!(took < Duration::from_secs(15), "{took:?}");
    assert_eq!(outcome.servers[1].error, Some(ServerError::Failed(crate::probe::Failure::Refused)));
    network.tcp = true;
    let (outcome, took) = network.check();
    assert_eq!((outcome.nat_type, outcome.verdict), (Some(NatType::UdpBlocked), Verdict::Relay));
    assert!(took < Duration::from_secs(15), "{took:?}");
    assert_eq!((outcome.mapping.value, outcome.hairpin, outcome.port_preservation), (None, None, None));
    assert!(outcome.servers[1].fallback && outcome.servers[1].error.is_none());
}

#[test]
fn hairpins_and_ports() {
    for (hairpin, keeps_ports) in [(true, true), (false, false)] {
        let mut network = Network::new(Mapping::EndpointIndependent, Filtering::AddressAndPortDependent);
        (network.hairpin, network.keeps_ports) = (hairpin, keeps_ports);
        let (outcome, _) = network.check();
        assert_eq!((outcome.hairpin, outcome.port_preservation), (Some(hairpin), Some(keeps_ports)));
    }
    let (outcome, _) = Network::new(Mapping::NoNat, Filtering::EndpointIndependent).check();
    assert_eq!((outcome.hairpin, outcome.port_preservation), (None, None));
}

#[test]
fn lifetimes_and_fragments() {
    let mut network = Network::new(Mapping::EndpointIndependent, Filtering::AddressAndPortDependent);
    network.lifetime = Duration::from_secs(40);
    let config = Config { lifetime: Some(Duration::from_secs(240)), fragments: true, ..network.config() };
    let (outcome, took) = network.run(config.clone(), None);
    let (at_least, less_than) = (Duration::from_secs(30), Some(Duration::from_secs(45)));
    assert_eq!(outcome.lifetime, Some(Lifetime { at_least, less_than }));
    assert_eq!(outcome.fragments, Some(true));
    assert!(took < Duration::from_secs(50), "{took:?}");
    network.lifetime = Duration::from_secs(1_000);
    let (outcome, _) = network.run(config, None);
    assert_eq!(outcome.lifetime, Some(Lifetime { at_least: Duration::from_secs(240), less_than: None }));
}

#[test]
fn a_patient_check_waits_as_the_rfc_does() {
    let mut network = Network::new(Mapping::EndpointIndependent, Filtering::AddressAndPortDependent);
    let config = Config { patient: true, ..network.config() };
    let (outcome, took) = network.run(config, None);
    assert_named(&outcome, (network.mapping, network.filtering), "patient");
    assert!(took > milliseconds(39_500) && took < milliseconds(41_000), "{took:?}");
}

#[test]
fn what_is_known_is_told_at_any_time() {
    for stop in (0..2_000).step_by(7).map(milliseconds) {
        let mut network = Network::new(Mapping::EndpointIndependent, Filtering::AddressDependent);
        let config = network.config();
        let (outcome, _) = network.run(config, Some(stop));
        assert!(matches!(outcome.mapping.value, None | Some(Mapping::EndpointIndependent)), "{stop:?}");
        assert!(matches!(outcome.filtering.value, None | Some(Filtering::AddressDependent)), "{stop:?}");
    }
}

#[test]
fn peers_that_meet() {
    let (symmetric, _) = Network::new(Mapping::AddressAndPortDependent, Filtering::AddressAndPortDependent).check();
    let (cone, _) = Network::new(Mapping::EndpointIndependent, Filtering::AddressAndPortDependent).check();
    let (open, _) = Network::new(Mapping::NoNat, Filtering::EndpointIndependent).check();
    for (peer, with_symmetric, with_cone) in [
        (NatType::OpenInternet, Verdict::Direct, Verdict::Direct),
        (NatType::RestrictedCone, Verdict::Direct, Verdict::Direct),
        (NatType::PortRestrictedCone, Verdict::Relay, Verdict::Direct),
        (NatType::SymmetricFirewall, Verdict::Relay, Verdict::Direct),
        (NatType::Symmetric, Verdict::Relay, Verdict::Relay),
        (NatType::UdpBlocked, Verdict::Relay, Verdict::Relay),
    ] {
        assert_eq!(with_peer(&symmetric, peer), with_symmetric, "{peer:?}");
        assert_eq!(with_peer(&cone, peer), with_cone, "{peer:?}");
        let expected = if peer == NatType::UdpBlocked { Verdict::Relay } else { Verdict::Direct };
        assert_eq!(with_peer(&open, peer), expected, "{peer:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    /// Whatever the network does to packets, a check ends in time and does not fall over.
    #[test]
    fn any_network(
        kind in (0..4_usize, 0..3_usize),
        on_change in 0..5_usize,
        other in proptest::option::of((any::<[u8; 4]>(), any::<u16>())),
        seed in any::<u64>(),
        badness in 0.0..1.0_f64,
        options in any::<[bool; 4]>(),
    ) {
        let mut network = Network::new(MAPPINGS[kind.0], FILTERS[kind.1]);
        network.servers[0].on_change =
            [OnChange::Obeys, OnChange::Ignores, OnChange::Drops, OnChange::Strays, OnChange::Refuses(400)][on_change];
        if let Some(other) = other {
            network.servers[0].says = Some(SocketAddr::from(other));
        }
        [network.hairpin, network.keeps_ports, network.tcp, network.udp] = options;
        network.servers.push(Simulated::plain("192.0.2.1:3478"));
        let mut random = StdRng::seed_from_u64(seed);
        network.mischief = Box::new(move |packet| {
            let mut copies = vec![as_it_is(packet)];
            while random.random_bool(badness * 0.7) {
                let mut copy = packet.clone();
                match random.random_range(0..4) {
                    0 => copy.bytes.truncate(random.random_range(0..=packet.bytes.len())),
                    1 if !packet.bytes.is_empty() => {
                        let at = random.random_range(0..packet.bytes.len());
                        copy.bytes[at] ^= 1 << random.random_range(0..8);
                    }
                    2 => copy.from.set_port(random.random_range(1..=u16::MAX)),
                    _ => copies.clear(),
                }
                copies.push((milliseconds(random.random_range(0..2_000)), copy));
                if copies.len() > 3 {
                    break;
                }
            }
            copies
        });
        let (_, took) = network.check();
        prop_assert!(took <= DEADLINE, "{took:?}");
    }
}
