//! The command as a user meets it, above all when something is wrong: one sentence on stderr that says what, where and
//! what to do, nothing on stdout, and a status that scripts can rely on.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

fn sample(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("samples").join(name).to_str().unwrap().to_owned()
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rtcscope"));
    command.args(arguments).stdin(Stdio::null()).env_remove("NO_COLOR").env_remove("COLUMNS");
    command
}

fn run(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

/// Runs it and gives the one sentence that it says before it ends with 2.
fn refusal(arguments: &[&str]) -> String {
    refused(&run(arguments), arguments)
}

fn refused(output: &Output, arguments: &[&str]) -> String {
    let message = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
    assert!(output.stdout.is_empty(), "{arguments:?} wrote {:?}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(message.lines().count(), 1, "{arguments:?}: {message}");
    assert!(!message.contains("os error"), "{arguments:?}: {message}");
    message.strip_prefix("rtcscope: ").unwrap_or_else(|| unreachable!("{message}")).trim_end().to_owned()
}

/// A file with that content.
fn file(folder: &Path, name: &str, content: &[u8]) -> String {
    let path = folder.join(name);
    fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

/// What it prints when all is well.
fn printed(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn files_that_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.pcap").to_str().unwrap().to_owned();
    let expected = format!("cannot open {missing}: there is no such file; check its name and folder");
    assert_eq!(refusal(&["analyze", &missing]), expected);
    // The good files do not hide the bad one.
    assert_eq!(refusal(&["analyze", &sample("cut.pcap"), &missing]), expected);
    let directory = folder.path().to_str().unwrap();
    assert_eq!(
        refusal(&["analyze", directory]),
        format!("cannot read {directory}: it is a directory; name the capture files in it")
    );
}

#[cfg(unix)]
#[test]
fn files_of_others() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let secret = file(folder.path(), "secret.pcap", b"secret");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).unwrap();
    if File::open(&secret).is_ok() {
        eprintln!("skipped: root may read everything");
        return;
    }
    assert_eq!(
        refusal(&["analyze", &secret]),
        format!("cannot open {secret}: permission denied; its owner or root can read it")
    );
}

#[test]
fn files_that_are_no_captures() {
    let folder = tempfile::tempdir().unwrap();
    // Two records: a timestamp, type 2 (Ethernet), flags, the record's length, losses and the packet's length.
    let mut record = [0; 64];
    record[..16].copy_from_slice(&[1, 2, 3, 4, 0x50, 0x60, 0x70, 0x5f, 2, 4, 0, 64, 0, 0, 0, 46]);
    let erf = record.repeat(2);
    let pcmu = fs::read(sample("pcmu-lossy.pcap")).unwrap();
    let cases: [(&str, &[u8], &str); 8] = [
        ("empty", b"", "it is empty, not even a capture's header was written; capture or copy it again"),
        ("text", b"Hello, this is text.\n", "plain text; the capture itself is needed, as tcpdump -w or Wireshark"),
        ("page.html", b"<!DOCTYPE html><html></html>", "an HTML page; was it downloaded without logging in?"),
        ("snoop", b"snoop\0\0\0\0\0\0\x02\0\0\0\x04", "a Solaris snoop capture; convert it with editcap"),
        ("trace.erf", &erf, "an Endace ERF capture; convert it with editcap"),
        ("short.pcap", &pcmu[..10], "a pcap file that was cut inside its header (it has 10 bytes)"),
        ("short.gz", &[0x1f, 0x8b, 8, 0, 0, 0], "gzip-compressed data, and inside of it nothing at all"),
        ("noise", &[0xde, 0xad, 0xbe, 0xef, 7, 7, 7, 7], "nothing known here (it begins with the bytes de ad be ef)"),
    ];
    for (name, content, looks) in cases {
        let path = file(folder.path(), name, content);
        let message = refusal(&["analyze", &path]);
        assert!(message.starts_with(&format!("cannot analyze {path}: ")) && message.contains(looks), "{message}");
    }
}

#[test]
fn captures_without_a_call_are_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    let header = fs::read(sample("pcmu-lossy.pcap")).unwrap()[..24].to_vec();
    let empty = file(folder.path(), "no-packets.pcap", &header);
    assert!(printed(&["analyze", &empty]).contains("There are no packets to analyze"));
    let silent = printed(&["analyze", "--filter", "icmp", &sample("webrtc-call.pcapng")]);
    assert!(silent.contains("No call was found"), "{silent}");
    let early = printed(&["analyze", "--from", "1h", &sample("pcmu-lossy.pcap")]);
    assert!(early.contains("There are no packets to analyze"), "{early}");
}

#[test]
fn cut_captures_are_analyzed_as_far_as_they_go() {
    let text = printed(&["analyze", &sample("cut.pcap")]);
    assert!(text.contains("the file ends inside a packet") && text.contains("after packet 266"), "{text}");
}

#[test]
fn arguments_that_are_wrong() {
    let capture = sample("pcmu-lossy.pcap");
    let cases: [(&[&str], &str); 11] = [
        (
            &["--filter", "udp prt 5"],
            "cannot use the filter \"udp prt 5\": can't parse filter expression: syntax error",
        ),
        (
            &["--from", "tomorrow"],
            "\"tomorrow\" is not a time; give seconds from the first packet (12.5, 90s, 1m30s, 1:30)",
        ),
        (&["--to", "-3"], "\"-3\" is not a time"),
        (&["--from", "5", "--to", "2"], "--from is later than --to, which leaves no packet"),
        (&["--frm", "5"], "unexpected argument '--frm' found; a similar argument exists: '--from'"),
        (&["--format", "xml"], "'xml' for '--format <FORMAT>' [possible values: text, json, ndjson]"),
        (&["--threads", "9999"], "9999 is not in 0..=1024"),
        (&["--width", "10"], "10 is not in 60..=1000"),
        (&["--color", "blue"], "[possible values: auto, always, never]"),
        (&["-", "-"], "standard input (-) is given more than once, but can be read only once"),
        (&["-o"], "a value is required for '--output <FILE>'"),
    ];
    for (arguments, expected) in cases {
        let message = refusal(&[&["analyze", &capture], arguments].concat());
        assert!(message.contains(expected), "{arguments:?}: {message}");
    }
    assert!(refusal(&["analyze"]).contains("<FILE>"));
    assert!(refusal(&["analise", "x"]).contains("a similar subcommand exists: 'analyze'"));
    assert!(refusal(&["packets", &capture, "--packet", "0"]).contains("counted from 1"));
}

#[test]
fn help_is_no_failure() {
    for arguments in [["--help"].as_slice(), &["analyze", "-h"], &["packets", "--help"], &["--version"]] {
        assert!(!printed(arguments).is_empty());
    }
    let output = run(&[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("Usage: rtcscope"));
}

#[test]
fn reports_that_cannot_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let capture = sample("pcmu-lossy.pcap");
    let nowhere = folder.path().join("nowhere/report").to_str().unwrap().to_owned();
    assert_eq!(
        refusal(&["analyze", &capture, "-o", &nowhere]),
        format!("cannot write to {nowhere}: its folder does not exist; make it, or name another file")
    );
    let directory = folder.path().to_str().unwrap();
    assert_eq!(
        refusal(&["analyze", &capture, "-o", directory]),
        format!("cannot write to {directory}: it is a directory; name a file in it")
    );
    let copy = file(folder.path(), "copy.pcap", &fs::read(&capture).unwrap());
    assert!(refusal(&["analyze", &copy, "-o", &copy]).contains("it is the input"));
    assert_eq!(fs::read(&copy).unwrap(), fs::read(&capture).unwrap());
    // What was there stays where the analysis fails.
    let report = file(folder.path(), "report", b"of yesterday");
    refusal(&["analyze", "missing.pcap", "-o", &report]);
    assert_eq!(fs::read(&report).unwrap(), b"of yesterday");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk() {
    let capture = sample("webrtc-call.pcapng");
    let expected = |name: &str| {
        format!("cannot write to {name}: no space is left there; free some, or name a file elsewhere with -o")
    };
    for format in ["text", "json"] {
        let arguments = ["analyze", "--format", format, &capture, "-o", "/dev/full"];
        assert_eq!(refusal(&arguments), expected("/dev/full"));
        let arguments = ["analyze", "--format", format, &capture];
        let output = command(&arguments).stdout(File::create("/dev/full").unwrap()).output().unwrap();
        assert_eq!(refused(&output, &arguments), expected("standard output"));
    }
}

#[test]
fn a_reader_that_goes_away() {
    // More than a pipe and a buffer hold, so that the end is noticed while writing.
    let capture = sample("webrtc-call.pcapng");
    let captures = vec![capture.as_str(); 40];
    for format in ["text", "json", "ndjson"] {
        let arguments = [["analyze", "--all", "--format", format].as_slice(), &captures].concat();
        let mut child = command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(!line.is_empty());
        assert_eq!(output.status.code(), Some(0), "{format}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn standard_input() {
    let with = |input: &[u8]| {
        let mut child = command(&["analyze", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It need not read what it refuses.
        let _ = child.stdin.take().unwrap().write_all(input);
        child.wait_with_output().unwrap()
    };
    let output = with(&fs::read(sample("vp8-lossy.pcapng.gz")).unwrap());
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8(output.stdout).unwrap().starts_with("standard input: 276 packets"));
    let empty = refused(&with(b""), &["-"]);
    assert!(empty.starts_with("cannot analyze standard input: it is empty"), "{empty}");
    assert!(refused(&with(b"tcpdump: eth0: You don't have permission"), &["-"]).contains("plain text"));
}

#[test]
fn colour_is_for_terminals() {
    let capture = sample("pcmu-lossy.pcap");
    let escape = '\x1b';
    assert!(!printed(&["analyze", &capture]).contains(escape));
    assert!(!printed(&["analyze", "--color", "never", &capture]).contains(escape));
    let coloured = printed(&["analyze", "--color", "always", &capture]);
    assert!(coloured.contains(escape));
    // Whoever asks for colour gets it.
    let output = command(&["analyze", "--color", "always", &capture]).env("NO_COLOR", "1").output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), coloured);
    // Colour is all that it adds.
    let bare = uncoloured(&coloured);
    assert_eq!(bare, printed(&["analyze", &capture]));
    for format in ["json", "ndjson"] {
        assert!(!printed(&["analyze", "--color", "always", "--format", format, &capture]).contains(escape));
    }
}

#[test]
fn a_terminal_shows_colour_unless_it_is_not_wanted() {
    let has_script = Command::new("script").arg("--version").output().is_ok_and(|output| output.status.success());
    if !has_script {
        eprintln!("skipped: script, which gives a command a terminal, is not installed");
        return;
    }
    let shown = |variable: (&str, &str)| {
        let line = format!("{} analyze {}", env!("CARGO_BIN_EXE_rtcscope"), sample("pcmu-lossy.pcap"));
        let mut script = Command::new("script");
        script
            .args(["-qec", &line, "/dev/null"])
            .env_remove("NO_COLOR")
            .env("TERM", "xterm")
            .env(variable.0, variable.1);
        String::from_utf8(script.stdin(Stdio::null()).output().unwrap().stdout).unwrap()
    };
    assert!(shown(("LANG", "C.UTF-8")).contains('\x1b'));
    assert!(!shown(("NO_COLOR", "1")).contains('\x1b'));
    assert!(!shown(("TERM", "dumb")).contains('\x1b'));
}

#[test]
fn text_fits_its_width() {
    for path in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("samples")).unwrap() {
        let path: PathBuf = path.unwrap().path();
        if !path.to_string_lossy().contains(".pcap") {
            continue;
        }
        for width in [60, 80, 200] {
            // The verdict on a call that failed is "fail", and so is the status.
            let output = run(&["analyze", "--all", "--width", &width.to_string(), path.to_str().unwrap()]);
            let failed = ["ice-failed.pcap", "dtls-blocked.pcap", "wrong-ice-password.pcap"]
                .iter()
                .any(|name| path.ends_with(name));
            assert_eq!(output.status.code(), Some(i32::from(failed)), "{}", path.display());
            let text = String::from_utf8(output.stdout).unwrap();
            // The path of the file is as long as it is.
            let long = text.lines().filter(|line| line.chars().count() > width && !line.contains("samples/"));
            assert_eq!(long.collect::<Vec<_>>(), Vec::<&str>::new(), "{} at {width}", path.display());
        }
    }
}

/// Text without escape sequences that end in `m`.
fn uncoloured(text: &str) -> String {
    let mut parts = text.split('\x1b');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or(part, |(_, rest)| rest))
}
