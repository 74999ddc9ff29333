//! What the tests mean. Silence is read with care: see [`passes`].

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use super::{
    Check, Kind,
    behaviour::Behaviour,
    evidence,
    outcome::{Confidence, Filtering, Judged, Mapping, NatType, Outcome, Remark, ServerError, ServerOutcome, Verdict},
    probes::{Probes, State, TestId},
    reach::{Scope, is_carrier_grade, is_usable, scope},
    streams::Attempt,
};
use crate::probe::{SocketId, Transport, message::Change};

/// All that the check has found.
pub(super) fn outcome(check: &Check) -> Outcome {
    let probes = &check.probes;
    let mapping = mapping(probes);
    let filtering = check.behaviours.iter().map(|behaviour| filtering(behaviour, probes));
    let filtering = filtering.max_by_key(|judged| judged.confidence).unwrap_or(Judged::UNKNOWN);
    let depends = seen(probes).any(|seen| seen == Some(Seen::Dependent));
    let nat_type = match mapping.value {
        Some(mapping) => NatType::of(mapping, filtering.value),
        None if is_blocked(check) => Some(NatType::UdpBlocked),
        None => depends.then_some(NatType::Symmetric),
    };
    let hairpin = check.hairpin.result(probes);
    let streams = check.streams.attempts();
    let local = check.reach.socket().or_else(|| streams.first().map(|attempt| attempt.socket));
    Outcome {
        local: local.and_then(|socket| probes.local(socket)),
        mapped: mapped(probes),
        mapping,
        filtering,
        nat_type,
        // Behind such a NAT another socket is not answered by the port that the server saw: silence says nothing.
        hairpin: hairpin.filter(|works| *works || nat_type != Some(NatType::Symmetric)),
        port_preservation: port_preservation(probes),
        port_delta: port_delta(probes),
        lifetime: check.lifetime.result(probes),
        fragments: check.fragments.result(probes),
        verdict: match (mapping.value, nat_type) {
            (_, Some(NatType::Symmetric | NatType::UdpBlocked)) => Verdict::Relay,
            (Some(_), _) => Verdict::Direct,
            (None, _) => Verdict::Unknown,
        },
        servers: servers(check),
        remarks: remarks(check, filtering.value),
        evidence: evidence::all(probes),
    }
}

/// How mappings of one socket look from different places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    As(Mapping),
    /// Not the same from everywhere; whether ports matter cannot be told.
    Dependent,
}

/// How the NAT maps, by all sockets that asked at several places.
pub(super) fn mapping(probes: &Probes) -> Judged<Mapping> {
    let found: Vec<Mapping> = seen(probes)
        .filter_map(|seen| match seen {
            Some(Seen::As(mapping)) => Some(mapping),
            _ => None,
        })
        .collect();
    let Some(least) = found.iter().min().copied() else { return Judged::UNKNOWN };
    // A NAT that keeps ports gives a socket another one where two want the same: the exception is the more dependent.
    let agree = found.iter().all(|mapping| *mapping == least);
    let confidence = match (agree, found.len() > 1 || least == Mapping::NoNat) {
        (false, _) => Confidence::Low,
        (true, false) => Confidence::Medium,
        (true, true) => Confidence::High,
    };
    Judged::new(least, confidence)
}

fn seen(probes: &Probes) -> impl Iterator<Item = Option<Seen>> {
    let mut sockets: BTreeMap<SocketId, Vec<(SocketAddr, SocketAddr)>> = BTreeMap::new();
    for (id, test) in probes.iter() {
        if let (Kind::Binding | Kind::Mapping(_), Some(mapped)) = (test.probe.kind, probes.mapped(id)) {
            sockets.entry(test.probe.socket).or_default().push((test.probe.to, mapped));
        }
    }
    sockets.into_iter().map(|(socket, pairs)| classify(probes.local(socket)?, &pairs))
}

/// How a socket at `local` is mapped, by destinations and what was seen there.
fn classify(local: SocketAddr, pairs: &[(SocketAddr, SocketAddr)]) -> Option<Seen> {
    // A server on this side of the NAT sees no mapping, and tells nothing of it.
    let outside: Vec<_> = pairs.iter().filter(|(_, mapped)| *mapped != local).collect();
    if outside.is_empty() {
        return (!pairs.is_empty()).then_some(Seen::As(Mapping::NoNat));
    }
    let differ = |chosen: fn(&SocketAddr, &SocketAddr) -> bool| {
        let mut compared = None;
        for (place, (one, seen)) in outside.iter().enumerate() {
            for (_, seen_there) in outside.iter().skip(place + 1).filter(|(other, _)| chosen(one, other)) {
                compared = Some(compared.unwrap_or(false) || seen != seen_there);
            }
        }
        compared
    };
    let ports = differ(|one, other| one.ip() == other.ip() && one.port() != other.port());
    let addresses = differ(|one, other| one.ip() != other.ip());
    match (addresses, ports) {
        (_, Some(true)) => Some(Seen::As(Mapping::AddressAndPortDependent)),
        (Some(false), _) => Some(Seen::As(Mapping::EndpointIndependent)),
        (Some(true), Some(false)) => Some(Seen::As(Mapping::AddressDependent)),
        (Some(true), None) => Some(Seen::Dependent),
        (None, _) => None,
    }
}

/// How the NAT or a firewall filters, by the tests with one server.
pub(super) fn filtering(behaviour: &Behaviour, probes: &Probes) -> Judged<Filtering> {
    let both = passes(behaviour, Change::BOTH, probes);
    let port = passes(behaviour, Change::PORT, probes);
    match (both, port) {
        (Some((true, sure)), _) => Judged::new(Filtering::EndpointIndependent, sure),
        (Some((false, sure)), Some((true, also))) => Judged::new(Filtering::AddressDependent, sure.min(also)),
        // What does not let another port of a known address in lets no other address in either.
        (_, Some((false, sure))) => Judged::new(Filtering::AddressAndPortDependent, sure),
        _ => Judged::UNKNOWN,
    }
}

/// Whether the answer from a changed address passes, and how sure that is. Silence is a filter
///
/// * surely, where the server was seen to answer from there once the filter was open for it;
/// * likely, where that cannot be seen since the mapping depends on the destination, but the address is there and the
///   server did not answer from elsewhere instead.
///
/// Else it is the server's own, and nothing is known.
fn passes(behaviour: &Behaviour, change: Change, probes: &Probes) -> Option<(bool, Confidence)> {
    let id = behaviour.filtering(change)?;
    let exchange = probes.exchange(id)?;
    match probes.state(id) {
        State::Answered if exchange.silent => return Some((true, Confidence::Medium)),
        State::Answered => return Some((true, Confidence::High)),
        State::Pending => return None,
        State::Refused(_) | State::Silent => {}
    }
    match behaviour.control(change, probes) {
        Some(State::Answered) => Some((false, Confidence::High)),
        Some(_) => None,
        None => {
            let depends =
                matches!(mapping(probes).value, Some(Mapping::AddressDependent | Mapping::AddressAndPortDependent));
            let elsewhere = exchange.rejected_from.is_some_and(|from| from == behaviour.primary());
            (depends && behaviour.is_there(change, probes) && !elsewhere).then_some((false, Confidence::Medium))
        }
    }
}

/// No UDP came back, and TCP did.
fn is_blocked(check: &Check) -> bool {
    let probes = &check.probes;
    let answered = |attempt: &Attempt| {
        attempt.test.is_some_and(|test| matches!(probes.state(test), State::Answered | State::Refused(_)))
    };
    check.reach.has_servers()
        && check.reach.is_done()
        && !check.reach.is_answered(probes)
        && check.streams.attempts().iter().any(answered)
}

/// Where servers saw the sockets that asked for that, each address once.
fn mapped(probes: &Probes) -> Vec<SocketAddr> {
    let mut found = Vec::new();
    let mut first = None;
    for (id, test) in probes.iter() {
        let kind = test.probe.kind;
        let shown = matches!(kind, Kind::Binding | Kind::Stream)
            || matches!(kind, Kind::Mapping(_)) && first == Some(test.probe.socket);
        if kind == Kind::Binding {
            first.get_or_insert(test.probe.socket);
        }
        if let Some(mapped) = probes.mapped(id).filter(|mapped| shown && !found.contains(mapped)) {
            found.push(mapped);
        }
    }
    found
}

/// Own and mapped address of each UDP socket behind a NAT, by its first answer.
fn translated(probes: &Probes) -> BTreeMap<SocketId, (SocketAddr, SocketAddr)> {
    let mut sockets = BTreeMap::new();
    for (id, test) in probes.iter().filter(|(_, test)| test.probe.kind != Kind::Stream) {
        if let (Some(local), Some(mapped)) = (probes.local(test.probe.socket), probes.mapped(id)) {
            sockets.entry(test.probe.socket).or_insert((local, mapped));
        }
    }
    sockets.retain(|_, (local, mapped)| local != mapped);
    sockets
}

/// Whether the NAT keeps ports: of most sockets, for where two want the same, one cannot have it.
fn port_preservation(probes: &Probes) -> Option<bool> {
    let sockets = translated(probes);
    let kept = sockets.values().filter(|(local, mapped)| local.port() == mapped.port()).count();
    (!sockets.is_empty()).then_some(kept * 2 > sockets.len())
}

/// The step from each mapped port to the next, in the order in which mappings were asked for.
fn port_delta(probes: &Probes) -> Option<i32> {
    let mut ports: Vec<i32> = Vec::new();
    let mut by_time: Vec<(Duration, SocketId, SocketAddr, u16)> = Vec::new();
    for (id, test) in probes.iter().filter(|(_, test)| test.probe.kind != Kind::Stream) {
        if let (Some(at), Some(mapped)) = (probes.exchange(id).and_then(|exchange| exchange.sent_at), probes.mapped(id))
            && Some(mapped) != probes.local(test.probe.socket)
        {
            by_time.push((at, test.probe.socket, test.probe.to, mapped.port()));
        }
    }
    by_time.sort_by_key(|(at, ..)| *at);
    for (_, _, _, port) in by_time {
        let port = i32::from(port);
        if !ports.contains(&port) {
            ports.push(port);
        }
    }
    let mut steps = ports.windows(2).filter_map(|pair| Some(pair.last()? - pair.first()?));
    let step = steps.next()?;
    (ports.len() > 2 && steps.all(|other| other == step)).then_some(step)
}

fn servers(check: &Check) -> Vec<ServerOutcome> {
    let named = check.config.servers.iter().enumerate();
    let named = named.map(|(number, server)| match server.transport {
        Transport::Udp => over_udp(check, number),
        Transport::Tcp | Transport::Tls => {
            let attempt = check.streams.attempts().iter();
            let mut attempt = attempt.filter(|attempt| !attempt.fallback && attempt.server == *server);
            attempt.next().map(|attempt| over_stream(check, attempt))
        }
    });
    let fallbacks = check.streams.attempts().iter().filter(|attempt| attempt.fallback);
    named.flatten().chain(fallbacks.map(|attempt| over_stream(check, attempt))).collect()
}

fn over_udp(check: &Check, number: usize) -> Option<ServerOutcome> {
    let probes = &check.probes;
    let server = check.config.servers.get(number)?.clone();
    let about = |kind: Kind| {
        let mut tests = probes.iter();
        tests.find(|(_, test)| test.probe.server == number && test.probe.kind == kind).map(|(id, _)| id)
    };
    let id = about(Kind::Binding);
    let answer = id.and_then(|id| probes.test(id)?.answer.clone()).unwrap_or_default();
    let plain = |id: &TestId| {
        probes.test(*id).is_some_and(|test| {
            let probe = &test.probe;
            (probe.to, probe.answer_from) == (server.address, server.address) && probe.kind != Kind::Stream
        }) && probes.is_answered(*id)
    };
    let exchanges: Vec<_> = probes.iter().map(|(id, _)| id).filter(plain).collect();
    let exchanges: Vec<_> = exchanges.into_iter().filter_map(|id| probes.exchange(id)).collect();
    let failure = |id: TestId| probes.failure(probes.test(id)?.probe.socket).cloned();
    let error = match id.map(|id| (id, probes.state(id))) {
        None => Some(ServerError::NotAsked),
        Some((_, State::Answered)) => None,
        Some((_, State::Refused(code))) => Some(ServerError::Refused(code)),
        Some((_, State::Pending)) => Some(ServerError::Unfinished),
        Some((id, State::Silent)) => {
            let told = failure(id).or_else(|| about(Kind::Refusal).and_then(failure));
            let sent = probes.exchange(id).map_or(0, |exchange| exchange.transmissions);
            Some(told.map_or(ServerError::Silent(sent), ServerError::Failed))
        }
    };
    Some(ServerOutcome {
        fallback: false,
        round_trip: exchanges.iter().filter_map(|exchange| exchange.round_trip()).min(),
        lost: (!exchanges.is_empty()).then(|| exchanges.iter().map(|exchange| exchange.lost()).sum()),
        mapped: answer.mapped,
        other: answer.other,
        software: answer.software,
        error,
        server,
    })
}

fn over_stream(check: &Check, attempt: &Attempt) -> ServerOutcome {
    let probes = &check.probes;
    let answer = attempt.test.and_then(|id| probes.test(id)?.answer.clone()).unwrap_or_default();
    let failure = probes.failure(attempt.socket).cloned().map(ServerError::Failed);
    let error = match attempt.test.map(|id| probes.state(id)) {
        Some(State::Answered) => None,
        Some(State::Refused(code)) => Some(ServerError::Refused(code)),
        Some(State::Silent) => failure.or(Some(ServerError::Silent(1))),
        Some(State::Pending) | None => failure.or(Some(ServerError::Unfinished)),
    };
    ServerOutcome {
        server: attempt.server.clone(),
        fallback: attempt.fallback,
        round_trip: attempt.test.and_then(|id| probes.exchange(id)?.round_trip()),
        lost: None,
        mapped: answer.mapped,
        other: None,
        software: answer.software,
        error,
    }
}

fn remarks(check: &Check, filtering: Option<Filtering>) -> Vec<Remark> {
    let probes = &check.probes;
    let mut remarks = of_addresses(check);
    let mut classes = seen(probes).flatten();
    let first = classes.next();
    if first == Some(Seen::Dependent) {
        remarks.push(Remark::DependsOnSomething);
    }
    if first.is_some_and(|first| classes.any(|other| other != first)) {
        remarks.push(Remark::MappingVaries);
    }
    if filtering.is_none() {
        remarks.extend(why_no_filter(check));
    }
    let only_ports = |behaviour: &Behaviour| {
        behaviour.passed(Change::ADDRESS, probes)
            && passes(behaviour, Change::PORT, probes).is_some_and(|(in_, _)| !in_)
    };
    if filtering == Some(Filtering::AddressAndPortDependent) && check.behaviours.iter().any(only_ports) {
        remarks.push(Remark::FiltersPortsOnly);
    }
    if check.hairpin.is_internal(probes) {
        remarks.push(Remark::HairpinInternal);
    }
    remarks.extend(loss(probes));
    if probes.malformed() > 0 {
        remarks.push(Remark::Malformed(probes.malformed()));
    }
    remarks
}

/// What own and mapped addresses show.
fn of_addresses(check: &Check) -> Vec<Remark> {
    let probes = &check.probes;
    let mut remarks = Vec::new();
    let local = check.reach.socket().and_then(|socket| probes.local(socket));
    remarks.extend(local.filter(|local| is_carrier_grade(local.ip())).map(Remark::CarrierGradeLocal));
    let own = local.map(|local| local.ip());
    let seen: Vec<SocketAddr> = mapped(probes).into_iter().filter(|mapped| Some(mapped.ip()) != own).collect();
    let reaching = |wanted: Scope| seen.iter().find(|mapped| scope(mapped.ip()) == wanted).copied();
    match (reaching(Scope::Private), reaching(Scope::Public)) {
        (Some(inner), Some(outer)) => remarks.push(Remark::TwoNats { inner, outer }),
        (Some(inner), None) => remarks.push(Remark::NotPublic(inner)),
        _ => {}
    }
    let public: Vec<IpAddr> =
        seen.iter().map(|mapped| mapped.ip()).filter(|address| scope(*address) == Scope::Public).collect();
    if public.windows(2).any(|pair| pair.first() != pair.last()) {
        remarks.push(Remark::SeveralAddresses);
    }
    let rewritten = probes.iter().find_map(|(_, test)| {
        let answer = test.answer.as_ref()?;
        Some(Remark::Rewritten { plain: answer.rewritten?, mapped: answer.mapped? })
    });
    remarks.extend(rewritten);
    remarks
}

/// Why nothing is known of filters, where something answered at all.
fn why_no_filter(check: &Check) -> Vec<Remark> {
    let probes = &check.probes;
    let mut remarks = Vec::new();
    if !check.reach.is_answered(probes) {
        return remarks;
    }
    for server in servers(check).into_iter().filter(|server| server.server.transport == Transport::Udp) {
        let address = server.server.address;
        if let Some(other) = server.other.filter(|other| !is_usable(address, *other)) {
            remarks.push(Remark::UselessAlternate { server: address, other });
        }
    }
    for behaviour in check.behaviours.iter().filter(|behaviour| behaviour.is_done()) {
        let (server, other) = (behaviour.primary(), behaviour.other());
        let from = behaviour.filtering(Change::BOTH).and_then(|id| probes.exchange(id)?.rejected_from);
        remarks.push(match behaviour.is_there(Change::BOTH, probes) {
            true => Remark::ChangeIgnored { server, from },
            false => Remark::AlternateSilent { server, other },
        });
    }
    if remarks.is_empty() && check.behaviours.is_empty() && check.reach.is_done() {
        remarks.push(Remark::NoAlternate);
    }
    remarks
}

/// What was lost of what was answered in the end.
fn loss(probes: &Probes) -> Option<Remark> {
    let answered = probes
        .iter()
        .filter(|(id, test)| test.answer.is_some() && test.probe.kind != Kind::Stream && probes.is_over(*id));
    let exchanges = answered.filter_map(|(id, _)| probes.exchange(id));
    let (lost, sent) =
        exchanges.fold((0, 0), |(lost, sent), exchange| (lost + exchange.lost(), sent + exchange.transmissions));
    (lost > 0).then_some(Remark::Lossy { lost, sent })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classified(local: &str, pairs: &[(&str, &str)]) -> Option<Seen> {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        let pairs: Vec<_> = pairs.iter().map(|(to, mapped)| (address(to), address(mapped))).collect();
        classify(address(local), &pairs)
    }

    /// What the mapped addresses of one socket say.
    #[test]
    fn mappings_are_told_by_what_differs() {
        use Mapping::{AddressAndPortDependent, AddressDependent, EndpointIndependent, NoNat};
        let (a1, a2, b1, b2) = ("192.0.2.1:1", "192.0.2.1:2", "192.0.2.2:1", "192.0.2.2:2");
        let (own, x, y, z) = ("10.0.0.1:9", "203.0.113.1:7", "203.0.113.1:8", "203.0.113.1:6");
        for (pairs, expected) in [
            (&[][..], None),
            (&[(a1, own)], Some(Seen::As(NoNat))),
            (&[(a1, x)], None),
            (&[(a1, x), (b2, x)], Some(Seen::As(EndpointIndependent))),
            (&[(a1, x), (a2, x)], None),
            (&[(a1, x), (a2, y)], Some(Seen::As(AddressAndPortDependent))),
            (&[(a1, x), (b1, y)], Some(Seen::Dependent)),
            (&[(a1, x), (b1, y), (b2, y)], Some(Seen::As(AddressDependent))),
            (&[(a1, x), (b1, y), (b2, z)], Some(Seen::As(AddressAndPortDependent))),
            (&[(a1, own), (b1, y), (b2, y)], None),
            (&[(a1, own), (b1, y)], None),
        ] {
            assert_eq!(classified(own, pairs), expected, "{pairs:?}");
        }
    }
}
