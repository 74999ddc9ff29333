//! How a call was secured.

use std::collections::BTreeSet;

use crate::{
    flow::{
        FlowRecord, Protocol,
        dtls::{self as associations, Record},
    },
    report::{
        build::{Context, decryption::decryption, status},
        document::{
            Alert, ApplicationData, Certificate, ConnectionIds, DtlsAssociation, DtlsCounts, EncryptedAlert,
            Fingerprint, Flight, HandshakeMessage, IncompleteMessage, MissingBytes, Offered, Sdes, Securing,
            StepStatus, StoppedAt, StunAcknowledgements,
        },
    },
    session::{self, Association, Call, Outcome, Steps, association},
    time::{NANOS_PER_SECOND, Timestamp},
    wire::dtls::{self, content_type, version},
};

/// Associations that are listed one by one.
const ASSOCIATIONS: usize = 64;

/// How a call was secured: by DTLS, or by keys in its descriptions.
pub fn of_call(context: &Context<'_>, call: &Call<'_>) -> Securing {
    let securing = Securing { decryption: decryption(context, call), ..securing(context, &call.steps, &call.flows) };
    let Some(sdes) = call.sdes().filter(|_| securing.status == StepStatus::NotSeen) else { return securing };
    let is_used = call.streams.iter().any(|found| found.stream.packets > 0);
    let packets = sdes.packets.iter().map(|packet| context.packet(*packet)).collect();
    Securing {
        status: if is_used { StepStatus::Ok } else { StepStatus::NotSeen },
        sdes: Some(Sdes { suites: sdes.suites.into_iter().collect(), packets }),
        ..securing
    }
}

/// DTLS of the call's flows.
pub fn securing(context: &Context<'_>, steps: &Steps<'_>, flows: &[&FlowRecord]) -> Securing {
    let mut counts = DtlsCounts::default();
    for flow in flows {
        counts.packets += flow.count(Protocol::Dtls);
        for (kind, count) in &flow.dtls_records {
            *counts.records.entry(record_name(*kind).to_owned()).or_default() += count;
        }
    }
    let zrtp_packets = flows.iter().map(|flow| flow.count(Protocol::Zrtp)).sum();
    let found = session::associations(flows);
    let ends = |one| Ends { context, association: one };
    let all: Vec<Ends<'_>> = found.iter().map(ends).collect();
    let step = steps.securing();
    // Where one of several failed, that is what there is to tell.
    let failed = found.iter().find(|one| step == Outcome::Failed && steps.secured(one) == step);
    let told = failed.or_else(|| association(&found)).map(ends);
    let listed = found.iter().take(ASSOCIATIONS).map(|one| ends(one).summary(steps));
    let securing = told.as_ref().map(Ends::securing).unwrap_or_default();
    let started = all.iter().any(|ends| ends.record().is_started());
    let replaced: u64 = flows.iter().map(|flow| flow.dtls_replaced).sum();
    Securing {
        status: status(step),
        dtls: (counts.packets > 0).then_some(counts),
        zrtp_packets,
        retransmissions: started.then(|| all.iter().map(|ends| ends.record().retransmissions()).sum()),
        encrypted_retransmissions: all
            .iter()
            .any(|ends| ends.record().is_started() && ends.record().version().is_some())
            .then(|| all.iter().map(|ends| ends.record().encrypted_retransmissions()).sum()),
        stun_acknowledgements: flows.iter().flat_map(|flow| stun_acknowledgements(flow)).collect(),
        associations: associations(&all) + replaced,
        dtls_associations_omitted: found.len().saturating_sub(ASSOCIATIONS) as u64 + replaced,
        dtls_associations: listed.collect(),
        application_data: [0, 1].into_iter().filter_map(|direction| application_data(&all, direction)).collect(),
        alerts: all.iter().flat_map(Ends::alerts).collect(),
        encrypted_alerts: all.iter().map(Ends::encrypted_alerts).sum(),
        ..securing
    }
}

/// How many there were. One that is seen at two places has one ClientHello; one without a handshake, behind another that
/// finished, is that one on another path: its keys go on.
fn associations(all: &[Ends<'_>]) -> u64 {
    let mut hellos = BTreeSet::new();
    let mut finished = false;
    let mut count = 0;
    for record in all.iter().map(Ends::record) {
        let known = match &record.offer {
            Some(offer) => !hellos.insert(offer.random),
            None => finished && !record.is_started(),
        };
        count += u64::from(!known);
        finished |= record.is_finished();
    }
    count
}

/// What the ends of a flow acknowledged in STUN.
fn stun_acknowledgements(flow: &FlowRecord) -> impl Iterator<Item = StunAcknowledgements> + '_ {
    let by_direction = flow.dtls_acknowledgements.iter().enumerate();
    by_direction.filter(|(_, said)| said.attributes > 0).map(|(direction, said)| StunAcknowledgements {
        sender: flow.key.name_of(flow.key.source(direction)),
        attributes: said.attributes,
        datagrams: said.datagrams,
        unknown: said.unknown,
    })
}

/// What the ends of the first flow with data, or any other, sent.
fn application_data(all: &[Ends<'_>], direction: u8) -> Option<ApplicationData> {
    let side = |ends: &Ends<'_>| ends.record().directions.get(usize::from(direction)).copied().unwrap_or_default();
    let busiest = all.iter().max_by_key(|ends| side(ends).application_data)?;
    let sides = all.iter().map(side);
    let (packets, bytes) =
        sides.fold((0, 0), |(packets, bytes), side| (packets + side.application_data, bytes + side.application_bytes));
    (packets > 0).then(|| ApplicationData { sender: busiest.end(direction), packets, bytes })
}

/// An association, and who its ends are.
#[derive(Clone, Copy)]
struct Ends<'a> {
    context: &'a Context<'a>,
    association: &'a Association<'a>,
}

impl Ends<'_> {
    fn record(&self) -> &Record {
        &self.association.record
    }

    fn summary(&self, steps: &Steps<'_>) -> DtlsAssociation {
        let Securing {
            dtls_version,
            dtls_cipher,
            srtp_profile,
            client_role,
            start_time,
            handshake_duration,
            certificates,
            ..
        } = self.securing();
        let record = self.record();
        let count = |of: fn(&associations::Direction) -> u64| record.directions.iter().map(of).sum();
        DtlsAssociation {
            status: status(steps.secured(self.association)),
            ends: [0, 1].map(|direction| self.end(direction)),
            paths: self.association.flows.len() as u64,
            transport: self.association.flow.key.transport.name(),
            relay: self.association.flow.key.relay.map(|relay| relay.to_string()),
            has_media: self.association.has_streams(),
            dtls_version,
            dtls_cipher,
            srtp_profile,
            client_role,
            start_time,
            handshake_duration,
            retransmissions: record.retransmissions(),
            encrypted_retransmissions: record.encrypted_retransmissions(),
            acknowledgements: count(|side| side.acknowledgements),
            records_with_connection_id: count(|side| side.with_connection_id),
            alerts: self.alerts().collect(),
            certificates: certificates
                .into_iter()
                .map(|known| Fingerprint { sender: known.sender, fingerprint: known.fingerprint })
                .collect(),
        }
    }

    fn securing(&self) -> Securing {
        let record = self.record();
        let choice = record.choice.as_ref();
        let (start, finish) = (record.start(), record.finish.filter(|_| !record.is_finish_unseen));
        let is_1_3 = record.is_1_3();
        let named =
            |number: Option<u16>, name: fn(u16) -> Option<&'static str>| number.map(|number| word(number, name));
        let connection_ids = record.offer.as_ref().and_then(|offer| offer.connection_id);
        Securing {
            dtls_version: record.version().map(version_number),
            tls_version: record.version().map(|version| format!("{version:04X}")),
            dtls_cipher: named(choice.map(|choice| choice.cipher_suite), dtls::cipher_suite_name),
            group: named(choice.and_then(|choice| choice.group), dtls::group_name),
            signature_algorithm: named(
                choice.and_then(|choice| choice.signature_algorithm),
                dtls::signature_scheme_name,
            ),
            srtp_profile: named(self.srtp_profile(), dtls::srtp_profile_name),
            srtp_profile_inferred: is_1_3 && self.srtp_profile().is_some() && !self.is_profile_read(),
            client_role: record.client.map(|client| self.end(client)),
            both_active: record.both_active,
            client_random: record.offer.as_ref().map(|offer| hex(&offer.random)),
            extended_master_secret: choice.filter(|_| !is_1_3).map(|choice| choice.extended_master_secret),
            start_time: start.map(|start| self.context.seconds(start.time)),
            finish_time: finish.map(|finish| self.context.seconds(finish.time)),
            handshake_duration: start.zip(finish).map(|(start, finish)| finish.time.seconds_since(start.time)),
            cookie_rounds: record.cookie_rounds,
            transport: record.is_started().then_some(if record.in_stun > 0 { "stun" } else { "datagrams" }),
            offered: record.offer.as_ref().filter(|offer| offer.complete).map(offered),
            handshake_messages: record.messages.iter().map(|message| self.message(message)).collect(),
            handshake_records_cut: record.cut_handshakes,
            flights: (1..).zip(&record.flights).map(|(number, flight)| self.flight(number, flight)).collect(),
            stopped_at: record.stop().map(|stop| self.stop(&stop)),
            connection_ids: connection_ids
                .zip(choice.and_then(|choice| choice.connection_id))
                .map(|(client, server)| ConnectionIds { client, server }),
            certificates: record.certificates.iter().map(|certificate| self.certificate(certificate)).collect(),
            acknowledgements: record.directions.iter().map(|side| side.acknowledgements).sum(),
            records_with_connection_id: record.directions.iter().map(|side| side.with_connection_id).sum(),
            ..Securing::default()
        }
    }

    /// Whether keys opened the message that chooses the SRTP profile.
    fn is_profile_read(&self) -> bool {
        self.record().opening.as_ref().is_some_and(|opening| opening.srtp_profile.is_some())
    }

    /// The SRTP profile: the one chosen, or the only one that the tags of the SRTCP leave of those offered.
    fn srtp_profile(&self) -> Option<u16> {
        let profiles = self.record().srtp_profiles();
        if !self.record().is_1_3() || self.is_profile_read() {
            return profiles.first().copied();
        }
        let tags = &self.association.flow.rtcp.as_deref()?.tag_lengths;
        let (&length, _) = tags.first_key_value().filter(|_| tags.len() == 1)?;
        let mut fitting = profiles.iter().filter(|profile| dtls::srtcp_tag_length(**profile) == Some(length));
        fitting.next().copied().filter(|_| fitting.next().is_none())
    }

    fn message(&self, message: &associations::Message) -> HandshakeMessage {
        HandshakeMessage {
            kind: message_name(message),
            sender: self.end(message.direction),
            time: self.context.seconds(message.first.time),
            packet: self.context.packet(message.first.packet),
            flight: message.flight,
            length: message.length,
            retransmissions: message.retransmissions,
            retransmission_times: message.sent_again.iter().map(|time| self.context.seconds(*time)).collect(),
            fragments: message.fragments,
            missing: message.missing.iter().map(|&(from, to)| MissingBytes { from, to }).collect(),
        }
    }

    /// How often a flight was sent again is how often the message of it was that was sent most.
    fn flight(&self, number: u16, flight: &associations::Flight) -> Flight {
        let messages = self.record().messages.iter().filter(|message| message.flight == number);
        let clear = messages.map(|message| u64::from(message.retransmissions)).max();
        // One of nothing in clear is the encrypted one of its end.
        let encrypted = || {
            let side = self.record().directions.get(usize::from(flight.direction));
            side.map_or(0, |side| side.encrypted_retransmissions)
        };
        Flight {
            retransmissions: clear.unwrap_or_else(encrypted),
            sender: self.end(flight.direction),
            time: self.context.seconds(flight.first.time),
            packet: self.context.packet(flight.first.packet),
            last_time: self.context.seconds(flight.last.time),
        }
    }

    fn stop(&self, stop: &associations::Stop) -> StoppedAt {
        let other = stop.sender ^ 1;
        let alerted = self.record().alerts.iter().any(|alert| alert.direction == other)
            || stop.encrypted_alert.is_some_and(|(sender, _)| sender == other);
        StoppedAt {
            message: stop.message.map(kind_name),
            sender: self.end(stop.sender),
            times: stop.times,
            last_time: self.context.seconds(stop.last.time),
            silent: (!alerted && stop.missing.is_none()).then(|| self.end(other)),
            never_answered: stop.never_answered,
            answers_lost: stop.answers_lost,
            encrypted_alert: stop.encrypted_alert.map(|(sender, at)| EncryptedAlert {
                sender: self.end(sender),
                packet: self.context.packet(at.packet),
                time: self.context.seconds(at.time),
                inferred: self.record().is_1_3(),
            }),
            incomplete: stop.missing.map(|(kind, from, to)| IncompleteMessage { message: kind_name(kind), from, to }),
        }
    }

    fn alerts(&self) -> impl Iterator<Item = Alert> {
        self.record().alerts.iter().map(|alert| Alert {
            level: match alert.level {
                1 => "warning".to_owned(),
                2 => "fatal".to_owned(),
                other => other.to_string(),
            },
            description: dtls::alert_name(alert.description)
                .map_or_else(|| alert.description.to_string(), str::to_owned),
            sender: self.end(alert.direction),
            packet: self.context.packet(alert.at.packet),
            time: self.context.seconds(alert.at.time),
        })
    }

    fn encrypted_alerts(&self) -> u64 {
        self.record().directions.iter().map(|side| side.encrypted_alerts).sum()
    }

    fn certificate(&self, certificate: &associations::Certificate) -> Certificate {
        let contents = certificate.contents.as_ref();
        let moment = |seconds: i64| Timestamp(seconds.saturating_mul(NANOS_PER_SECOND)).to_rfc3339();
        Certificate {
            sender: self.end(certificate.direction),
            fingerprint: fingerprint_text(&certificate.fingerprint),
            key_type: contents.map(|contents| contents.key_type),
            key_bits: contents.and_then(|contents| contents.key_bits),
            subject: contents.map(|contents| contents.subject.clone()),
            issuer: contents.map(|contents| contents.issuer.clone()),
            not_before_at: contents.map(|contents| moment(contents.not_before)),
            not_after_at: contents.map(|contents| moment(contents.not_after)),
            self_signed: contents.map(|contents| contents.self_signed),
            packet: certificate.at.map(|at| self.context.packet(at.packet)),
        }
    }

    fn end(&self, direction: u8) -> String {
        self.association.flow.key.name_of(self.association.flow.key.source(usize::from(direction)))
    }
}

fn offered(offer: &associations::Offer) -> Offered {
    let words = |numbers: &[u16], name: fn(u16) -> Option<&'static str>| {
        numbers.iter().map(|number| word(*number, name)).collect::<Vec<_>>()
    };
    let versions = if offer.versions.is_empty() { &[offer.version][..] } else { &offer.versions };
    Offered {
        versions: versions.iter().map(|version| version_number(*version)).collect(),
        ciphers: words(&offer.cipher_suites, dtls::cipher_suite_name),
        groups: words(&offer.groups, dtls::group_name),
        key_shares: words(&offer.key_shares, dtls::group_name),
        signature_algorithms: words(&offer.signature_algorithms, dtls::signature_scheme_name),
        srtp_profiles: words(&offer.srtp_profiles, dtls::srtp_profile_name),
        application_protocols: offer.application_protocols.clone(),
        server_name: offer.server_name.clone(),
    }
}

fn message_name(message: &associations::Message) -> String {
    if message.is_retry_request { "Hello Retry Request".to_owned() } else { kind_name(message.kind) }
}

fn kind_name(kind: u8) -> String {
    dtls::handshake_name(kind).map_or_else(|| format!("handshake type {kind}"), str::to_owned)
}

/// `1.2`; hex for what is none.
fn version_number(number: u16) -> String {
    match number {
        version::DTLS_1_0 | version::OPENSSL_BAD => "1.0".to_owned(),
        version::DTLS_1_2 => "1.2".to_owned(),
        version::DTLS_1_3 => "1.3".to_owned(),
        other => format!("0x{other:04x}"),
    }
}

fn word(number: u16, name: fn(u16) -> Option<&'static str>) -> String {
    name(number).map_or_else(|| format!("0x{number:04x}"), str::to_owned)
}

/// As `a=fingerprint` has it (RFC 8122 section 5).
pub(super) fn fingerprint_text(fingerprint: &[u8]) -> String {
    let bytes: Vec<String> = fingerprint.iter().map(|byte| format!("{byte:02X}")).collect();
    bytes.join(":")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

const fn record_name(kind: u8) -> &'static str {
    match kind {
        0 => "ciphertext",
        content_type::CHANGE_CIPHER_SPEC => "change-cipher-spec",
        content_type::ALERT => "alert",
        content_type::HANDSHAKE => "handshake",
        content_type::APPLICATION_DATA => "application-data",
        content_type::HEARTBEAT => "heartbeat",
        content_type::TLS12_CID => "tls12-cid",
        content_type::ACK => "ack",
        _ => "other",
    }
}
