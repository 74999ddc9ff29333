//! The connecting step in words, and its pairs in a table.

use std::{collections::BTreeMap, io};

use super::{
    super::document::{CandidatePair, Connecting, PairState, StepStatus, StunError, StunServer, TurnServer},
    grid::{Cell, Column, Grid, Note, Row},
    icmp,
    number::{by_count, bytes, counted, grouped, milliseconds, moment, short_time},
    page::{Label, Page, Tone},
};

/// Pairs that are listed unless all are asked for.
const FEW_PAIRS: usize = 8;

/// Unanswered checks of the selected pair that are worth a word.
const NOTABLE_UNANSWERED: u64 = 3;

/// Seconds without an answer to its checks that are: they are sent every five (RFC 7675 section 5.1).
const NOTABLE_GAP: f64 = 10.0;

/// STUN servers without an answer that are named.
const FEW_SERVERS: usize = 2;

/// What happened while the ends looked for a path.
pub(super) fn words(connecting: &Connecting, page: &Page<'_>) -> Vec<String> {
    let mut words: Vec<String> = ice(connecting, page).into_iter().collect();
    words.extend(servers(connecting));
    words.extend(silent_servers(connecting));
    words.extend(turn(connecting));
    words.extend(icmp::words(connecting, page));
    if words.is_empty() {
        words.extend(messages(connecting));
    }
    for restart in &connecting.restarts {
        let took =
            restart.duration.map_or_else(String::new, |seconds| format!(", nominated {} later", short_time(seconds)));
        words.push(format!("ICE restart at {} (packet {}){took}", moment(restart.time), restart.packet));
    }
    if let Some(end) = connecting.ice_lite {
        words.push(format!("the {end} end is ICE-lite"));
    }
    let troubles = [
        (connecting.path_switches, "path switch"),
        (connecting.role_conflicts, "role conflict"),
        (connecting.role_changes, "role change"),
        (connecting.answers_from_elsewhere, "answer from another address"),
        (connecting.bad_fingerprints, "wrong FINGERPRINT"),
    ];
    let said = troubles.into_iter().filter(|(count, _)| *count > 0).map(|(count, noun)| match noun {
        "path switch" if count > 1 => format!("{} path switches", grouped(count)),
        "answer from another address" if count > 1 => format!("{} answers from another address", grouped(count)),
        _ => counted(count, noun),
    });
    words.extend(said);
    words.extend(
        connecting.alternate_servers.first().map(|server| format!("a server names {server} to be asked instead")),
    );
    if !connecting.unknown_attributes.is_empty() {
        words.push(format!("STUN attributes refused as unknown: {}", connecting.unknown_attributes.join(", ")));
    }
    words
}

/// The pairs, where there is more to say than the one line does; and what servers refused.
pub(super) fn write(connecting: &Connecting, page: &mut Page<'_>) -> io::Result<()> {
    let failed = connecting.status == StepStatus::Failed;
    if connecting.candidate_pairs.len() > 1 || failed && !connecting.candidate_pairs.is_empty() {
        pairs(connecting, page)?;
    }
    let refusals = refusals(connecting);
    // Of a call that worked they are told when all is asked for.
    let few = if failed { FEW_PAIRS } else { 0 };
    let (shown, tone) =
        (page.options().details.shown(few, refusals.len()), if failed { Tone::Bad } else { Tone::Faint });
    for (server, error) in refusals.iter().take(shown) {
        page.paragraph(&Label::indent(4), tone, &format!("TURN {server} answers {}", refusal(error)))?;
    }
    Ok(())
}

fn ice(connecting: &Connecting, page: &Page<'_>) -> Option<String> {
    let tried = connecting.candidate_pairs.len() as u64 + connecting.candidate_pairs_omitted;
    let answered = connecting.candidate_pairs.iter().filter(|pair| pair.state == PairState::Succeeded).count();
    if tried == 0 {
        return None;
    }
    let Some(pair) = connecting.selected_pair.as_ref().filter(|_| connecting.status != StepStatus::Failed) else {
        let sent = connecting.candidate_pairs.iter().map(|pair| pair.requests_sent + pair.requests_received).sum();
        let pairs = counted(tried, "pair");
        return Some(format!("ICE: none of {pairs} worked, {} sent", counted(sent, "check")));
    };
    let mut text = format!("ICE: {} {} {}", end(pair, true), page.signs().both_ways, end(pair, false));
    if let Some(relay) = &pair.relay {
        text.push_str(&format!(" through {relay}"));
    }
    let what = if pair.nominated { "nominated" } else { "answered" };
    match connecting.ice_duration {
        Some(duration) => text.push_str(&format!(" {what} after {}", short_time(duration))),
        None if pair.state == PairState::Succeeded => text.push_str(" in use before the capture"),
        None => {}
    }
    if let Some(seconds) = pair.round_trip_time {
        text.push_str(&format!(", RTT {}", short_time(seconds)));
    }
    if let Some(address) = &pair.reflexive_address {
        text.push_str(&format!(", seen as {address} behind a NAT"));
    }
    if pair.requests_unanswered >= NOTABLE_UNANSWERED {
        let (lost, sent) = (grouped(pair.requests_unanswered), counted(pair.requests_sent, "check"));
        text.push_str(&format!(", {lost} of {sent} unanswered"));
    }
    if let Some(seconds) = pair.longest_consent_gap.filter(|seconds| *seconds >= NOTABLE_GAP) {
        text.push_str(&format!(", no answer for {}", short_time(seconds)));
    }
    if tried > 1 {
        text.push_str(&format!(", {} of {} pairs answered", grouped(answered as u64), grouped(tried)));
    }
    Some(text)
}

/// What STUN servers said.
fn servers(connecting: &Connecting) -> Option<String> {
    let mapped = &connecting.mapped_addresses;
    let first = mapped.first()?;
    let hidden = mapped.iter().any(|one| one.mapped_address != one.local_address);
    Some(match hidden {
        false => format!("STUN {}: no NAT seen", first.server),
        true => {
            let behind = mapped.iter().find(|one| one.mapped_address != one.local_address).unwrap_or(first);
            format!("STUN {}: {} is {} outside", behind.server, behind.local_address, behind.mapped_address)
        }
    })
}

/// `STUN 10.3.0.2:3478 never answered, sent 6 times`: of servers that are not TURN servers and told below.
fn silent_servers(connecting: &Connecting) -> Vec<String> {
    let mut silent: BTreeMap<&str, u64> = BTreeMap::new();
    let is_told = |server: &StunServer| connecting.turn.iter().any(|turn| turn.server == server.server);
    for server in connecting.stun_servers.iter().filter(|server| !is_told(server)) {
        if server.unanswered > 0 && !answered(connecting, &server.server) {
            *silent.entry(&server.server).or_default() += server.requests + server.retransmissions;
        }
    }
    let said = silent.iter().take(FEW_SERVERS).map(|(server, sent)| match sent {
        1 => format!("STUN {server} never answered"),
        _ => format!("STUN {server} never answered, sent {} times", grouped(*sent)),
    });
    let rest = silent.len().saturating_sub(FEW_SERVERS) as u64;
    said.chain((rest > 0).then(|| format!("{} never answered either", counted(rest, "more STUN server")))).collect()
}

/// Whether a STUN server answered any of the call's clients.
fn answered(connecting: &Connecting, server: &str) -> bool {
    connecting.stun_servers.iter().any(|one| one.server == server && one.responses > 0)
}

fn turn(connecting: &Connecting) -> Vec<String> {
    let mut servers: Vec<&TurnServer> = connecting.turn.iter().collect();
    // The one that carried most says most.
    servers.sort_by_key(|server| {
        let unknown = (server.relayed_address.is_none(), server.allocations_granted == 0);
        (std::cmp::Reverse(server.packets_relayed), unknown)
    });
    let Some(server) = servers.first() else { return Vec::new() };
    let mut text = format!("TURN {}", server.server);
    if server.transport != "udp" {
        text.push_str(&format!(" over {}", server.transport.to_uppercase()));
    }
    match (server.relayed_address.as_deref(), server.relayed_port) {
        (Some(address), port) => {
            let when = if server.allocations.is_empty() { " before the capture" } else { "" };
            text.push_str(&format!(": allocated {}{when}", end_name(Some(address), port, None)));
        }
        _ if server.allocations_granted > 0 => text.push_str(": allocated, address not told"),
        _ if server.refusals > 0 => text.push_str(": credentials refused (401)"),
        _ if server.packets_relayed > 0 => text.push_str(": allocated before the capture"),
        _ if server.responses == 0 && server.requests > 0 => text.push_str(&no_answer(server)),
        _ => text.push_str(": nothing allocated"),
    }
    let mut words = vec![text];
    if !server.channels.is_empty() {
        words.push(counted(server.channels.len() as u64, "channel"));
    }
    if server.challenges > 0 && server.relayed_address.is_some() {
        words.push("401 challenge".to_owned());
    }
    if server.longest_stale_run > 2 {
        words.push(format!("{} stale nonces in a row", grouped(server.longest_stale_run)));
    }
    if server.expired {
        words.push("allocation expired".to_owned());
    }
    if server.packets_relayed > 0 {
        words.push(format!("{} relayed, {}", counted(server.packets_relayed, "packet"), bytes(server.bytes_relayed)));
    }
    if servers.len() > 1 {
        words.push(others(servers.get(1..).unwrap_or_default()));
    }
    words
}

/// `5 allocations more tried, 2 granted`.
fn others(servers: &[&TurnServer]) -> String {
    let tried = servers.len() as u64;
    match servers.iter().filter(|server| server.allocations_granted > 0).count() as u64 {
        0 => format!("{} more tried", counted(tried, "allocation")),
        granted if granted == tried => format!("{} more granted", counted(tried, "allocation")),
        granted => format!("{} more tried, {} granted", counted(tried, "allocation"), grouped(granted)),
    }
}

/// `: no answer, asked 6 times`.
fn no_answer(server: &TurnServer) -> String {
    let asked = match server.requests + server.retransmissions {
        1 => "asked once".to_owned(),
        times => format!("asked {} times", grouped(times)),
    };
    if server.unanswered > 0 {
        format!(": no answer, {asked}")
    } else {
        format!(": {asked} right before the capture ends")
    }
}

/// What servers refused, the same of several allocations put together.
fn refusals(connecting: &Connecting) -> Vec<(&str, StunError)> {
    let mut refusals: Vec<(&str, StunError)> = Vec::new();
    for server in &connecting.turn {
        for error in server.errors.iter().filter(|error| !is_usual(error)) {
            let same = |(name, known): &&mut (&str, StunError)| {
                *name == server.server && known.method == error.method && known.code == error.code
            };
            match refusals.iter_mut().find(same) {
                Some((_, known)) => {
                    known.count += error.count;
                    known.first_packet = known.first_packet.min(error.first_packet);
                }
                None => refusals.push((&server.server, error.clone())),
            }
        }
    }
    refusals
}

/// STUN that is neither: only its messages can be told.
fn messages(connecting: &Connecting) -> Vec<String> {
    let Some(stun) = &connecting.stun else { return Vec::new() };
    let mut words = vec![format!("STUN: {}", counted(stun.messages, "message"))];
    if let Some(last) = words.last_mut().filter(|_| !stun.by_type.is_empty()) {
        last.push_str(&format!(" ({})", by_count(&stun.by_type)));
    }
    if stun.channel_data > 0 {
        words.push(format!("TURN: {}", counted(stun.channel_data, "ChannelData message")));
    }
    words
}

fn pairs(connecting: &Connecting, page: &mut Page<'_>) -> io::Result<()> {
    let mut grid = Grid {
        columns: vec![
            Column::folding("pair"),
            Column::words("state"),
            Column::number("asked\nanswered"),
            Column::number("was asked\nanswered"),
            Column::number("RTT\nms"),
        ],
        rows: Vec::new(),
    };
    let listed = &connecting.candidate_pairs;
    let shown = page.options().details.shown(FEW_PAIRS, listed.len());
    // The selected pair is never among those left out.
    let mut order: Vec<&CandidatePair> = listed.iter().collect();
    order.sort_by_key(|pair| !pair.selected);
    for pair in order.iter().take(shown) {
        let (state, tone) = state(pair);
        grid.rows.push(Row {
            cells: vec![
                Cell::from(format!("{}\n{} {}", end(pair, true), page.signs().both_ways, end(pair, false))),
                Cell::new(tone, state),
                Cell::from(format!("{}\n{}", grouped(pair.requests_sent), grouped(pair.responses_received))),
                Cell::from(format!("{}\n{}", grouped(pair.requests_received), grouped(pair.responses_sent))),
                Cell::from(pair.round_trip_time.map_or_else(|| "-".to_owned(), milliseconds)),
            ],
            notes: notes(pair),
            ..Row::default()
        });
    }
    grid.write(4, 2, page)?;
    let rest = listed.len() as u64 - shown.min(listed.len()) as u64 + connecting.candidate_pairs_omitted;
    if rest > 0 {
        page.paragraph(&Label::indent(4), Tone::Faint, &format!("and {} more (--all)", counted(rest, "pair")))?;
    }
    Ok(())
}

fn notes(pair: &CandidatePair) -> Vec<Note> {
    let note = |text: String| Note { label: "", text, tone: Tone::Bad };
    let mut notes: Vec<Note> = pair.errors.iter().map(|error| note(refusal(error))).collect();
    if let Some(seconds) = pair.consent_expired {
        notes.push(note(format!("consent to send was lost at {seconds:.3} s")));
    }
    notes
}

/// A transport address, or the TURN channel that stands for one.
pub(super) fn end_name(address: Option<&str>, port: Option<u16>, channel: Option<u16>) -> String {
    let port = port.unwrap_or_default();
    match (address, channel) {
        (Some(address), _) if address.contains(':') => format!("[{address}]:{port}"),
        (Some(address), _) => format!("{address}:{port}"),
        (None, Some(channel)) => format!("unknown peer on channel 0x{channel:04x}"),
        (None, None) => "unknown peer".to_owned(),
    }
}

/// `local` or remote end: address, port, and where the address is valid.
fn end(pair: &CandidatePair, local: bool) -> String {
    let end = if local { &pair.local } else { &pair.remote };
    let kind = if end.kind == "relay" { "relay" } else { end.scope };
    let name = end_name(end.address.as_deref(), end.port, end.channel);
    let stream = if pair.transport == "udp" { String::new() } else { format!(", {}", pair.transport.to_uppercase()) };
    if end.address.is_some() { format!("{name} ({kind}{stream})") } else { name }
}

fn state(pair: &CandidatePair) -> (&'static str, Tone) {
    match (pair.state, pair.remote_state) {
        _ if pair.selected && pair.state == PairState::Succeeded => ("selected", Tone::Good),
        (PairState::Succeeded, PairState::Failed) => ("one-way", Tone::Bad),
        (PairState::Succeeded, _) => ("succeeded", Tone::Good),
        (PairState::Failed, PairState::Succeeded) => ("one-way", Tone::Bad),
        (PairState::Failed, _) => ("failed", Tone::Bad),
        (PairState::InProgress, _) => ("in progress", Tone::Plain),
        (PairState::Waiting, _) => ("only asked", Tone::Plain),
    }
}

/// `Allocate with 401 (Unauthenticated), 3 times: the credentials are wrong ... (packet 12)`.
fn refusal(error: &StunError) -> String {
    let StunError { method, code, count, first_packet, .. } = error;
    let name = error.name.map_or_else(String::new, |name| format!(" ({name})"));
    let times = if *count > 1 { format!(", {} times", grouped(*count)) } else { String::new() };
    let meaning = error.meaning.map_or_else(String::new, |meaning| format!(": {meaning}"));
    let code = match code {
        0 if error.code_cut => "an error whose code the snap length cut off".to_owned(),
        0 => "an error without a code".to_owned(),
        code => code.to_string(),
    };
    format!("{method} with {code}{name}{times}{meaning} (packet {first_packet})")
}

/// What belongs to every conversation with a TURN server: its challenge, and a nonce that grew old once.
fn is_usual(error: &StunError) -> bool {
    error.challenge || error.code == 438 && error.count < 3
}
