//! The securing step in words.

use std::io;

use super::{
    super::document::{Decryption, DtlsAssociation, Securing, StepStatus, StoppedAt},
    number::{by_count, bytes, counted, grouped, short_time},
    page::{Label, Page, Tone},
};

/// So few records of DTLS 1.3 are acknowledgements, key updates or its end, which look like data.
const FEW_RECORDS: u64 = 3;

/// Associations that are told one by one.
const ASSOCIATIONS: usize = 16;

/// What keys opened, and the associations, where there are several.
pub(super) fn write(securing: &Securing, page: &mut Page<'_>) -> io::Result<()> {
    if let Some(decryption) = &securing.decryption {
        for (tone, text) in decryption_of(decryption) {
            page.paragraph(&Label::indent(4), tone, &text)?;
        }
    }
    if securing.associations < 2 {
        return Ok(());
    }
    for one in securing.dtls_associations.iter().take(ASSOCIATIONS) {
        let tone = if one.status == StepStatus::Failed { Tone::Bad } else { Tone::Faint };
        page.paragraph(&Label::indent(4), tone, &association(one))?;
    }
    Ok(())
}

/// `opened with keys: 848 DTLS records, 1,294 SRTCP packets; 4,750 of 4,750 SRTP tags match`, and why not more.
fn decryption_of(decryption: &Decryption) -> Vec<(Tone, String)> {
    let some = |count: u64, what: &str| (count > 0).then(|| counted(count, what));
    let opened = some(decryption.dtls_records, "DTLS record").into_iter();
    let opened: Vec<String> = opened.chain(some(decryption.srtcp_packets, "SRTCP packet")).collect();
    let tags = (decryption.srtp_authentic > 0).then(|| {
        let (authentic, checked) = (grouped(decryption.srtp_authentic), grouped(decryption.srtp_checked));
        format!("{authentic} of {checked} checked SRTP packets are authentic")
    });
    let said: Vec<String> =
        Some(opened.join(" and ")).filter(|text| !text.is_empty()).into_iter().chain(tags).collect();
    let sum =
        if said.is_empty() { None } else { Some((Tone::Faint, format!("opened with keys: {}", said.join("; ")))) };
    let failures = decryption.failures.iter().map(|failure| {
        let cited = failure.packet.as_ref().map(|packet| format!(" (packet {packet})")).unwrap_or_default();
        let text = match said.is_empty() {
            true => format!("not opened: {}{cited}", failure.reason),
            false => format!("not all opened: {}{cited}", failure.reason),
        };
        (Tone::Doubtful, text)
    });
    sum.into_iter().chain(failures).collect()
}

/// `10.1.0.2:5000 and 10.2.0.2:6000: DTLS 1.2, client 10.2.0.2:6000, finished in 60 ms`.
fn association(one: &DtlsAssociation) -> String {
    let [low, high] = &one.ends;
    let mut words = Vec::new();
    words.extend((one.status == StepStatus::Failed).then(|| "failed".to_owned()));
    words.extend(one.dtls_version.as_ref().map(|version| format!("DTLS {version}")));
    words.extend([&one.dtls_cipher, &one.srtp_profile].into_iter().flatten().cloned());
    words.extend(one.client_role.as_ref().map(|client| format!("client {client}")));
    words.extend(one.handshake_duration.map(|seconds| format!("finished in {}", short_time(seconds))));
    words.extend((one.paths > 1).then(|| "over two paths".to_owned()));
    let again = one.retransmissions + one.encrypted_retransmissions;
    words.extend((again > 0).then(|| format!("{} sent again", counted(again, "message"))));
    words.extend(one.alerts.iter().map(|alert| format!("{} alert {}", alert.level, alert.description)));
    if words.is_empty() {
        words.push("DTLS without its handshake".to_owned());
    }
    format!("{low} and {high}: {}", words.join(", "))
}

/// How the call was secured, or where that stopped.
pub(super) fn words(securing: &Securing) -> Vec<String> {
    let mut words = Vec::new();
    if securing.status == StepStatus::Failed {
        words.extend(failure(securing));
    }
    if let Some(sdes) = &securing.sdes {
        let packets: Vec<String> = sdes.packets.iter().map(ToString::to_string).collect();
        let cited = if packets.is_empty() { String::new() } else { format!(" (packets {})", packets.join(" and ")) };
        words.push(format!("SDES {}, keys in the SDP{cited}", sdes.suites.join(" and ")));
    }
    let version = securing.dtls_version.as_ref().map(|version| format!("DTLS {version}"));
    words.extend(version);
    words.extend([&securing.dtls_cipher, &securing.group, &securing.srtp_profile].into_iter().flatten().cloned());
    words.extend(securing.client_role.as_ref().map(|client| format!("client {client}")));
    words.extend((securing.transport == Some("stun")).then(|| "carried in STUN".to_owned()));
    match securing.handshake_duration {
        Some(seconds) => words.push(format!("finished in {}", short_time(seconds))),
        None if securing.start_time.is_none()
            && securing.status == StepStatus::Ok
            && securing.dtls.is_some()
            && securing.handshake_records_cut == 0 =>
        {
            words.push("started before the capture".to_owned());
        }
        None => {}
    }
    words.extend(sent_again(securing));
    let acknowledged: u64 = securing.stun_acknowledgements.iter().map(|end| end.datagrams).sum();
    if acknowledged > 0 {
        words.push(format!("{} acknowledged in STUN", counted(acknowledged, "datagram")));
    }
    if securing.both_active && securing.status == StepStatus::Ok {
        words.push("both ends sent a Client Hello".to_owned());
    }
    let alerts = securing.alerts.iter().map(|alert| format!("{} alert {}", alert.level, alert.description));
    if securing.status == StepStatus::Ok {
        words.extend(alerts);
    }
    if let Some(dtls) = securing.dtls.as_ref().filter(|_| securing.handshake_messages.is_empty()) {
        let records = if dtls.records.is_empty() { String::new() } else { format!(" ({})", by_count(&dtls.records)) };
        let is_cut = securing.handshake_records_cut > 0;
        let handshake = if is_cut { "handshake cut by the snap length" } else { "DTLS without its handshake" };
        words.push(format!("{handshake}: {}{records}", counted(dtls.packets, "datagram")));
    } else if securing.application_data.iter().any(|data| data.packets > FEW_RECORDS) {
        let amount = securing.application_data.iter().map(|data| data.bytes).sum();
        words.push(format!("{} of application data", bytes(amount)));
    }
    if securing.associations > 1 {
        words.push(counted(securing.associations, "association"));
    }
    if securing.zrtp_packets > 0 {
        words.push(format!("ZRTP: {}", counted(securing.zrtp_packets, "message")));
    }
    words
}

/// `2 messages and 1 encrypted flight sent again`.
fn sent_again(securing: &Securing) -> Option<String> {
    let some = |count: Option<u64>, what| count.filter(|count| *count > 0).map(|count| counted(count, what));
    let messages = some(securing.retransmissions, "message");
    let what = if securing.dtls_version.as_deref() == Some("1.3") { "encrypted flight" } else { "encrypted message" };
    let encrypted = some(securing.encrypted_retransmissions, what);
    let all: Vec<String> = messages.into_iter().chain(encrypted).collect();
    (!all.is_empty()).then(|| format!("{} sent again", all.join(" and ")))
}

/// `DTLS stopped at Client Hello: 10.2.0.2:5000 never answered, sent 5 times`.
fn failure(securing: &Securing) -> Option<String> {
    if let Some(alert) = securing.alerts.iter().find(|alert| alert.level == "fatal") {
        let Some(stop) = &securing.stopped_at else {
            return Some(format!("DTLS ended by {} from {}", alert.description, alert.sender));
        };
        return Some(format!("DTLS stopped at {}: {} sent {}", message(stop), alert.sender, alert.description));
    }
    let stop = securing.stopped_at.as_ref()?;
    let mut text = format!("DTLS stopped at {}", message(stop));
    let answers = ["Server Hello", "Hello Verify Request", "Hello Retry Request"];
    if securing.both_active
        && !securing.handshake_messages.iter().any(|message| answers.contains(&message.kind.as_str()))
    {
        text.push_str(": both ends sent a Client Hello, neither took the passive role");
    } else if let Some(part) = &stop.incomplete {
        text.push_str(&format!(": bytes {}..{} of {} never came", part.from, part.to, part.message));
    } else if let Some(alert) = &stop.encrypted_alert {
        let what = match alert.inferred {
            true => "answered with an encrypted alert or an empty ACK: it probably refuses the certificate",
            false => "sent an encrypted alert",
        };
        text.push_str(&format!(": {} {what} (packet {})", alert.sender, alert.packet));
    } else if let Some(silent) = stop.silent.as_ref().filter(|_| stop.answers_lost) {
        text.push_str(&format!(": {silent} repeats its Client Hello though it was answered"));
        text.push_str(&format!(" {}: the answers are lost behind the tap", times(stop.times)));
    } else if let Some(silent) = &stop.silent {
        let what = if stop.never_answered { "never answered" } else { "did not go on" };
        let sent = if stop.times > 1 { format!(", sent {}", times(stop.times)) } else { String::new() };
        text.push_str(&format!(": {silent} {what}{sent}"));
    }
    Some(text)
}

fn times(count: u32) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

fn message(stop: &StoppedAt) -> &str {
    stop.message.as_deref().unwrap_or("an encrypted flight")
}
