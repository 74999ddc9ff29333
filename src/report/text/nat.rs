//! The report of `nat-check` for people: what was found, what it means for calls, and the proof where it is asked for.

use std::io::{self, Write};

use super::{
    Details, TextOptions,
    grid::{Cell, Column, Grid, Note, Row},
    number::{duration, milliseconds},
    page::{Label, Page, Tone},
    summary,
};
use crate::report::nat::{Behaviour, Connection, NatReport, Path, Peer, Server, Test};

/// Columns of the names of results.
const NAME_WIDTH: usize = 20;

/// Writes the report as text; with [`Details::All`], every test too.
///
/// # Errors
/// What `out` says, and nothing else.
pub fn write_nat(report: &NatReport, options: &TextOptions, out: &mut dyn Write) -> io::Result<()> {
    let page = &mut Page::new(options, out);
    verdict(report, page)?;
    page.paragraph(&Label::new(2, page.signs().to, Tone::Plain), Tone::Plain, &report.advice)?;
    for path in &report.paths {
        write_path(path, page)?;
    }
    servers(&report.servers, page)?;
    if !report.findings.is_empty() {
        page.blank()?;
        page.paragraph(&Label::default(), Tone::Strong, "Findings")?;
        for finding in &report.findings {
            summary::finding(finding, false, page)?;
        }
    }
    if options.details == Details::All {
        tests(&report.evidence, page)?;
    }
    Ok(())
}

fn verdict(report: &NatReport, page: &mut Page<'_>) -> io::Result<()> {
    let signs = page.signs();
    let (sign, tone, word, meaning) = match report.verdict {
        Connection::Direct => {
            (signs.good, Tone::Good, "DIRECT", "two peers behind such a network can talk to each other over UDP")
        }
        Connection::Relay => (signs.bad, Tone::Bad, "RELAY", "two peers behind such a network need a relay (TURN)"),
        Connection::Unknown => (signs.doubtful, Tone::Doubtful, "UNKNOWN", "what was measured does not tell"),
    };
    let meaning = match &report.error {
        // Why stands beside each server.
        Some(_) => "nothing could be measured".to_owned(),
        None if report.interrupted => format!("{meaning}, as far as it was tested"),
        None => meaning.to_owned(),
    };
    page.paragraph(&Label::new(0, &format!("Verdict: {sign} {word},"), tone), Tone::Plain, &meaning)
}

fn write_path(path: &Path, page: &mut Page<'_>) -> io::Result<()> {
    let Behaviour { local_address, mapped_addresses, .. } = &path.behaviour;
    if local_address.is_none() && mapped_addresses.is_empty() {
        return Ok(());
    }
    page.blank()?;
    let on = path.interface.as_ref().map_or_else(String::new, |interface| format!(" on {interface}"));
    let local = local_address.as_deref().unwrap_or("an unknown address");
    let title = match mapped_addresses.as_slice() {
        [] => format!("IPv{}{on}: {local}, seen by no server", path.ip_version),
        [mapped] if mapped == local => format!("IPv{}{on}: {local}, seen as itself", path.ip_version),
        mapped => format!("IPv{}{on}: {local}, seen as {}", path.ip_version, mapped.join(", ")),
    };
    page.paragraph(&Label::default(), Tone::Strong, &title)?;
    results(&path.behaviour, page)?;
    if path.verdict == Connection::Unknown { Ok(()) } else { peers(&path.behaviour.peers, page) }
}

fn results(behaviour: &Behaviour, page: &mut Page<'_>) -> io::Result<()> {
    let sure = |confidence: Option<&str>| confidence.map_or_else(String::new, |word| format!(" ({word} confidence)"));
    let yes = |known: Option<bool>| known.map(|known| if known { "yes" } else { "no" }.to_owned());
    let lifetime = behaviour.binding_lifetime.map(|at_least| match behaviour.binding_lifetime_below {
        Some(below) => format!("between {} and {}", duration(at_least), duration(below)),
        None => format!("more than {}", duration(at_least)),
    });
    let delta = behaviour.port_delta.map(|step| format!("{step} from each mapping to the next"));
    let confidence = behaviour.confidence;
    let shown = [
        ("Mapping", Some(format!("{}{}", behaviour.mapping, sure(confidence.mapping)))),
        ("Filtering", Some(format!("{}{}", behaviour.filtering, sure(confidence.filtering)))),
        ("RFC 3489 name", Some(words(behaviour.nat_type))),
        ("Hairpinning", yes(behaviour.hairpin)),
        ("Ports preserved", yes(behaviour.port_preservation)),
        ("Port step", delta),
        ("Binding lifetime", lifetime),
        ("Fragments pass", yes(behaviour.fragments)),
    ];
    for (name, value) in shown {
        let Some(value) = value else { continue };
        let label = Label { indent: 2, text: name, width: NAME_WIDTH, tone: Tone::Faint };
        page.paragraph(&label, Tone::Plain, &value)?;
    }
    Ok(())
}

/// The peers by what happens with them: kinds that fare alike share a row.
fn peers(peers: &[Peer], page: &mut Page<'_>) -> io::Result<()> {
    let mut grid =
        Grid { columns: vec![Column::folding("A peer behind"), Column::words("is reached")], rows: Vec::new() };
    for (connection, tone, text) in [
        (Connection::Direct, Tone::Good, "directly"),
        (Connection::Relay, Tone::Bad, "through a relay only"),
        (Connection::Unknown, Tone::Doubtful, "not known"),
    ] {
        let kinds: Vec<String> =
            peers.iter().filter(|peer| peer.connection == connection).map(|peer| words(peer.nat_type)).collect();
        if !kinds.is_empty() {
            let cells = vec![kinds.join(", ").into(), Cell::new(tone, text)];
            grid.rows.push(Row { cells, ..Row::default() });
        }
    }
    if grid.rows.is_empty() {
        return Ok(());
    }
    page.blank()?;
    grid.write(2, 2, page)
}

fn servers(servers: &[Server], page: &mut Page<'_>) -> io::Result<()> {
    if servers.is_empty() {
        return Ok(());
    }
    let columns = vec![
        Column::folding("Server"),
        Column::words(""),
        Column::number("round\ntrip, ms"),
        Column::number("lost"),
        Column::folding("answer"),
    ];
    let mut grid = Grid { columns, rows: Vec::new() };
    for server in servers {
        let name = match &server.address {
            Some(address) if !server.name.contains(address.as_str()) => format!("{} {address}", server.name),
            _ => server.name.clone(),
        };
        let answer = match (&server.error, &server.mapped_address) {
            (Some(error), _) => Cell::new(Tone::Bad, error.clone()),
            (None, Some(mapped)) => Cell::new(Tone::Plain, format!("sees {mapped}")),
            (None, None) => Cell::default(),
        };
        let cells = vec![
            name.into(),
            server.transport.into(),
            server.round_trip_time.map_or_else(String::new, milliseconds).into(),
            server.lost.map_or_else(String::new, |lost| lost.to_string()).into(),
            answer,
        ];
        grid.rows.push(Row { cells, ..Row::default() });
    }
    page.blank()?;
    grid.write(0, 2, page)
}

fn tests(tests: &[Test], page: &mut Page<'_>) -> io::Result<()> {
    if tests.is_empty() {
        return Ok(());
    }
    let columns = vec![
        Column::folding("Test"),
        Column::folding("sent to"),
        Column::number("sent"),
        Column::number("round\ntrip, ms"),
        Column::folding("answer"),
    ];
    let mut grid = Grid { columns, rows: Vec::new() };
    let mut socket = None;
    for test in tests {
        let came = match (test.result, &test.mapped_address, test.error_code) {
            ("answered", Some(mapped), _) => format!("sees {mapped}"),
            (_, _, Some(code)) => format!("error {code}"),
            (result, ..) => result.to_owned(),
        };
        let opens = (socket != Some(&test.local_address)).then(|| match &test.local_address {
            Some(local) => format!("From {local} ({})", test.transport),
            None => format!("From a socket that was not opened ({})", test.transport),
        });
        socket = Some(&test.local_address);
        let cells = vec![
            test.test.as_str().into(),
            test.sent_to.as_str().into(),
            test.sent.to_string().into(),
            test.round_trip_time.map_or_else(String::new, milliseconds).into(),
            came.into(),
        ];
        grid.rows.push(Row { opens, cells, notes: notes(test) });
    }
    page.blank()?;
    grid.write(0, 2, page)
}

/// What is not usual of a test.
fn notes(test: &Test) -> Vec<Note> {
    let expected = (test.answer_expected_from != test.sent_to).then(|| Note {
        label: "",
        text: format!("to be answered from {}", test.answer_expected_from),
        tone: Tone::Faint,
    });
    let rejected = test.rejected_from.as_ref().map(|from| Note {
        label: "rejected:",
        text: format!("{} answers from elsewhere, the last from {from}", test.rejected),
        tone: Tone::Doubtful,
    });
    expected.into_iter().chain(rejected).collect()
}

/// `port-restricted-cone` as `port-restricted cone`; the words of RFC 3489.
fn words(name: &str) -> String {
    match name {
        "port-restricted-cone" => "port-restricted cone".to_owned(),
        "udp-blocked" => "UDP blocked".to_owned(),
        "open-internet" => "open Internet".to_owned(),
        name => name.replace('-', " "),
    }
}
