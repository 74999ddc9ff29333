//! Containers against what capinfos and tshark say of them, and against what they were made with.

#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use rtcscope::capture::{
    Batch, Capture, Compression, FileSummary, Format, Frame, LinkType, OpenError, Options, Progress, Secrets, Why,
};
use serde_json::Value;

/// Frames with their bytes.
type Copied = Vec<(Frame, Vec<u8>)>;

fn read(paths: &[PathBuf], options: &Options) -> Result<(Vec<FileSummary>, Copied), OpenError> {
    read_in_batches(paths, options, 1000)
}

fn read_in_batches(
    paths: &[PathBuf],
    options: &Options,
    limit: usize,
) -> Result<(Vec<FileSummary>, Copied), OpenError> {
    let mut capture = Capture::open(paths, options)?;
    let mut batch = Batch::default();
    let mut copied = Vec::new();
    while capture.fill(&mut batch, limit).expect("readable to its end") {
        assert!(batch.frames.len() <= limit);
        for frame in &batch.frames {
            let bytes = batch.bytes(frame);
            assert_eq!(bytes.len(), frame.captured as usize);
            copied.push((*frame, bytes.to_vec()));
        }
    }
    assert!(batch.frames.is_empty());
    let Progress { bytes_read, bytes_total } = capture.progress();
    assert!(bytes_total.is_none_or(|total| bytes_read <= total));
    Ok((capture.files(), copied))
}

fn read_one(path: &Path) -> Result<(FileSummary, Copied), OpenError> {
    let (mut files, frames) = read(&[path.to_owned()], &Options::default())?;
    Ok((files.remove(0), frames))
}

/// The captures with known answers, which are not part of the repository.
fn captures() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/captures");
    let folder = std::env::var_os("RTCSCOPE_CAPTURES").map_or(beside, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: no captures in {}; set RTCSCOPE_CAPTURES", folder.display());
    None
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("a truth file")).expect("JSON")
}

/// The value of a line `NAME: VALUE` of capinfos.
fn capinfos<'a>(truth: &'a Value, name: &str) -> Option<&'a str> {
    let lines = truth["capinfos"].as_array()?.iter().filter_map(Value::as_str);
    lines.filter_map(|line| line.split_once(':')).find(|(key, _)| *key == name).map(|(_, value)| value.trim())
}

/// Where the truth is not one: file and why.
#[rustfmt::skip]
const DEVIATIONS: &[(&str, &str)] = &[
    ("libpcap__filter__brcm-tag.pcap", UNKNOWN_LINK),
    ("libpcap__filter__dsa.pcap", UNKNOWN_LINK),
    ("tcpdump__dsa-high-vid.pcap", UNKNOWN_LINK),
    ("tcpdump__kday6.pcap", UNKNOWN_LINK),
    ("pcapng-test-generator__output_be__advanced__test100.pcapng", SOME_UNTIMED),
    ("pcapng-test-generator__output_be__advanced__test102.pcapng", SOME_UNTIMED),
    ("pcapng-test-generator__output_be__basic__test011.pcapng", SOME_UNTIMED),
    ("pcapng-test-generator__output_be__basic__test018.pcapng", SOME_UNTIMED),
    ("pcapng-test-generator__output_le__advanced__test100.pcapng", SOME_UNTIMED),
    ("pcapng-test-generator__output_le__advanced__test102.pcapng", SOME_UNTIMED),
    ("pcapng-test-generator__output_le__basic__test011.pcapng", SOME_UNTIMED),
    ("pcapng-test-generator__output_le__basic__test018.pcapng", SOME_UNTIMED),
    ("tcpdump__atm-oam-heapoverflow.pcap", LESS_THAN_CAPTURED),
    ("tcpdump__icmp-icmp_print-oobr-2.pcap", LESS_THAN_CAPTURED),
    ("tcpdump__timestamp_invalid_micro.pcap", NO_FRACTION),
    ("tcpdump__timestamp_invalid_nano.pcap", NO_FRACTION),
    ("PcapPlusPlus__Pcap++Test__PcapExamples__file_heuristics__pcapng-example.pcapng.zst",
     "an interface counts nanoseconds and declares microseconds: the year 586524, which 63 bits of nanoseconds lack; \
      the link types were not counted in compressed files"),
    ("rtpproxy__rtp_analyze__sipit31.o.rtp", "rtpproxy's own recording format, which capinfos does not read either"),
    ("trex-core__exp__sip_short2-0-ex.erf", "ERF is refused by name"),
];

const UNKNOWN_LINK: &str = "capinfos refuses the whole file for its link type; the container is good";
const SOME_UNTIMED: &str = "capinfos gives no times where only some packets have none";
const LESS_THAN_CAPTURED: &str = "a packet has fewer bytes on the wire than captured; here it has as many";
const NO_FRACTION: &str = "the fraction of a second is more than one; capinfos prints it as it is, here it is carried";

/// Whether a difference is explained. What a file's reason does not speak of must be as the truth has it.
fn is_known_deviation(name: &str, what: &str) -> bool {
    DEVIATIONS.iter().filter(|(known, _)| *known == name).any(|(_, why)| match *why {
        SOME_UNTIMED | NO_FRACTION => what.contains("packet time"),
        LESS_THAN_CAPTURED => what.contains("bytes, here"),
        _ => true,
    })
}

#[test]
fn public_captures_are_what_capinfos_says() {
    let Some(folder) = captures() else { return };
    let public = folder.join("public");
    let index = fs::read_to_string(public.join("index.tsv")).expect("an index");
    let mut wrong = Vec::new();
    let mut compared = 0;
    for path in index.lines().skip(1).filter_map(|line| line.split('\t').next()) {
        let name = path.trim_start_matches("captures/");
        let truth = json(&public.join(format!("truth/{name}.json")));
        let mut differs = |what: String| {
            if !is_known_deviation(name, &what) {
                wrong.push(format!("{name}: {what}"));
            }
        };
        let (file, frames) = match read_one(&public.join(path)) {
            Ok(read) => read,
            Err(error) => {
                differs(format!("{error}"));
                continue;
            }
        };
        compared += 1;
        let packets: Option<u64> = capinfos(&truth, "Number of packets").and_then(|number| number.parse().ok());
        if packets != Some(file.total_packets) || file.packets != file.total_packets {
            differs(format!("{packets:?} packets, here {} of {}", file.packets, file.total_packets));
        }
        let bytes = capinfos(&truth, "Data size").and_then(|size| size.split(' ').next()?.parse().ok());
        if bytes != Some(file.bytes) {
            differs(format!("{bytes:?} bytes, here {}", file.bytes));
        }
        for (what, here) in [("First packet time", file.first), ("Last packet time", file.last)] {
            let there = capinfos(&truth, what).filter(|time| *time != "n/a").map(|time| time.replace(' ', "T"));
            let here = here.map(|time| time.to_rfc3339());
            let same = match (&there, &here) {
                (Some(there), Some(here)) => here.starts_with(there.as_str()),
                (there, here) => there.is_none() && here.is_none(),
            };
            if !same {
                differs(format!("{what} {there:?}, here {here:?}"));
            }
        }
        let mut links: BTreeMap<String, u64> = BTreeMap::new();
        for (frame, _) in &frames {
            *links.entry(frame.link.0.to_string()).or_default() += 1;
        }
        let there: BTreeMap<String, u64> = truth["dlt_by_prefilter"]
            .as_object()
            .map(|object| object.iter().filter_map(|(key, count)| Some((key.clone(), count.as_u64()?))).collect())
            .unwrap_or_default();
        if links != there {
            differs(format!("link types {there:?}, here {links:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} deviations:\n{}", wrong.len(), wrong.join("\n"));
    assert!(compared > 400);
}

/// What `truth.json` counts are the UDP packets, so this needs the filter.
#[cfg(feature = "pcap")]
#[test]
fn lab_captures_have_the_packets_they_were_made_with() {
    let Some(folder) = captures() else { return };
    let options = Options { filter: Some("udp".into()), ..Options::default() };
    let mut compared = 0;
    for path in files_below(&folder.join("lab")).into_iter().filter(|path| path.ends_with("truth.json")) {
        let truth = json(&path);
        for (name, capture) in truth["captures"].as_object().expect("captures") {
            let capture_path = path.with_file_name(name);
            if !capture_path.exists() {
                continue;
            }
            let (files, _) = read(&[capture_path], &options).expect("a capture");
            assert_eq!((files[0].stop, files[0].faults.len(), files[0].format), (None, 0, Format::Pcapng));
            compared += 1;
            // The media of this one is in TCP, and its truth counts the packets framed in it.
            if !path.ends_with("gst-ice-tcp/truth.json") {
                assert_eq!(Some(files[0].packets), capture["packets"].as_u64(), "{}", path.display());
            }
        }
    }
    assert!(compared > 25, "{compared}");
}

#[test]
fn recorded_captures_have_the_packets_capinfos_counts() {
    let Some(folder) = captures() else { return };
    for path in ["lab", "labb"].iter().flat_map(|place| files_below(&folder.join(place))) {
        if path.extension().is_none_or(|extension| extension != "pcapng") {
            continue;
        }
        let Ok(output) = Command::new("capinfos").arg("-Mc").arg(&path).output() else {
            return eprintln!("skipped: capinfos is not installed");
        };
        let output = String::from_utf8_lossy(&output.stdout).into_owned();
        let count = output.lines().find_map(|line| line.strip_prefix("Number of packets:")).map(str::trim);
        let (file, _) = read_one(&path).expect("a capture");
        assert_eq!(count, Some(file.packets.to_string().as_str()), "{}", path.display());
        assert_eq!((file.stop, file.faults.len()), (None, 0), "{}", path.display());
    }
}

#[test]
fn a_secrets_block_is_kept() {
    let Some(folder) = captures() else { return };
    let (file, _) = read_one(&folder.join("lab/derived-dsb/capture.pcapng")).expect("a capture");
    assert!(file.secrets.iter().any(|secrets| secrets.kind == Secrets::TLS_KEY_LOG && !secrets.bytes.is_empty()));
}

#[test]
fn snapped_packets_are_counted() {
    let Some(folder) = captures() else { return };
    let (file, frames) = read_one(&folder.join("lab/derived-snap128/capture.pcapng")).expect("a capture");
    assert!(frames.iter().all(|(frame, _)| frame.captured <= 128));
    assert_eq!(file.snapped as usize, frames.iter().filter(|(frame, _)| frame.original > 128).count());
    assert!(file.snapped > 1000);
}

#[test]
fn no_file_is_a_panic() {
    let Some(folder) = captures() else { return };
    let (mut readable, mut refused) = (0, 0);
    for path in files_below(&folder) {
        match read_one(&path) {
            Ok(_) => readable += 1,
            Err(error) => {
                assert!(matches!(error, OpenError::NotACapture { .. } | OpenError::Empty { .. }), "{error}");
                refused += 1;
            }
        }
    }
    assert!(readable > 480 && refused > 100, "{readable} read, {refused} refused");
}

#[test]
fn real_captures_cut_anywhere_deliver_what_is_before_the_cut() {
    let Some(folder) = captures() else { return };
    let scratch = tempfile::tempdir().expect("a folder");
    for name in ["lab/chromium-turn-badauth/capture.pcapng", "public/captures/arkime__turn.pcap"] {
        let whole = fs::read(folder.join(name)).expect("a capture");
        let (_, all) = read_one(&folder.join(name)).expect("a capture");
        for length in (0..whole.len()).step_by(37) {
            let path = scratch.path().join("cut");
            fs::write(&path, &whole[..length]).expect("written");
            match read_one(&path) {
                Ok((file, frames)) => {
                    assert!(all.starts_with(&frames));
                    assert!(file.truncated || file.stop.is_none());
                }
                Err(error) => assert!(length < 256, "{length}: {error}"),
            }
        }
    }
}

#[test]
fn a_pcap_and_its_pcapng_twin_have_the_same_frames() {
    let Some(folder) = captures() else { return };
    let scratch = tempfile::tempdir().expect("a folder");
    let mut compared = 0;
    for path in files_below(&folder.join("public/captures")) {
        let Ok((file, frames)) = read_one(&path) else { continue };
        if file.format != Format::Pcap {
            continue;
        }
        let twin = scratch.path().join("twin.pcapng");
        fs::write(&twin, pcapng(file.link_types[0], file.snaplen, &frames)).expect("written");
        let (other, same) = read_one(&twin).expect("a capture");
        assert_eq!(without_places(&frames), without_places(&same), "{}", path.display());
        assert_eq!(
            (file.packets, file.bytes, file.first, file.last, file.link_types, file.snapped, file.time_backwards),
            (
                other.packets,
                other.bytes,
                other.first,
                other.last,
                other.link_types,
                other.snapped,
                other.time_backwards
            )
        );
        compared += 1;
    }
    assert!(compared > 300, "{compared}");
}

#[test]
fn compressed_files_are_read_as_what_is_in_them() {
    let scratch = tempfile::tempdir().expect("a folder");
    let plain = pcap(&[(1, b"one"), (2, b"two"), (3, b"three")]);
    let expected = from_bytes(scratch.path(), "plain", &plain).1;
    let (first, second) = plain.split_at(50);
    let members = [gzip(first), gzip(second)].concat();
    let frames = [zstd::encode_all(first, 3).expect("zstd"), zstd::encode_all(second, 3).expect("zstd")].concat();
    let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9], frames.as_slice()].concat();
    for (name, bytes, compression) in [
        ("gz", gzip(&plain), Compression::Gzip),
        ("members.gz", members, Compression::Gzip),
        ("zst", frames, Compression::Zstd),
        ("skippable.zst", skippable, Compression::Zstd),
    ] {
        let (file, frames) = from_bytes(scratch.path(), name, &bytes);
        assert_eq!(without_places(&frames), without_places(&expected), "{name}");
        assert_eq!((file.compression, file.truncated, file.stop), (Some(compression), false, None), "{name}");
    }
}

#[test]
fn cut_or_damaged_compression_ends_the_file_not_the_analysis() {
    let scratch = tempfile::tempdir().expect("a folder");
    let noise: Vec<u8> = (0..400_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let plain = pcap(&noise.chunks(8000).map(|data| (7, data)).collect::<Vec<_>>());
    for (name, mut bytes) in [("gz", gzip(&plain)), ("zst", zstd::encode_all(plain.as_slice(), 1).expect("zstd"))] {
        let whole = bytes.clone();
        bytes.truncate(bytes.len() * 3 / 4);
        let (file, frames) = from_bytes(scratch.path(), name, &bytes);
        assert!(frames.len() < 50, "{name}");
        assert!(frames.len() > 10, "{name}: {}", frames.len());
        assert_eq!((file.truncated, file.stop.map(|stop| stop.why)), (true, Some(Why::CutCompression)), "{name}");
        if name == "gz" {
            let (file, frames) = from_bytes(scratch.path(), name, &whole[..whole.len() - 3]);
            assert_eq!((frames.len(), file.truncated), (50, true), "only the length at the end is missing");
        }
    }
}

#[test]
fn what_is_in_compressed_data_is_named() {
    let scratch = tempfile::tempdir().expect("a folder");
    let path = scratch.path().join("page.gz");
    fs::write(&path, gzip(b"<html><body>Sign in</body></html>")).expect("written");
    let error = read_one(&path).expect_err("not a capture").to_string();
    assert!(error.contains("gzip-compressed data, and inside of it an HTML page"), "{error}");
}

#[cfg(unix)]
#[test]
fn pipes_are_read_as_they_come() {
    let scratch = tempfile::tempdir().expect("a folder");
    let path = scratch.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&path).status().expect("mkfifo").success());
    let records: Vec<(u32, &[u8])> = (0..3000).map(|second| (second, [7; 400].as_slice())).collect();
    let bytes = pcap(&records);
    let expected = from_bytes(scratch.path(), "plain", &bytes).1;
    for bytes in [bytes.clone(), gzip(&bytes)] {
        let (to, bytes) = (path.clone(), bytes);
        let writer = std::thread::spawn(move || {
            let mut pipe = fs::File::options().write(true).open(to).expect("the pipe");
            bytes.chunks(777).try_for_each(|chunk| pipe.write_all(chunk))
        });
        let (file, frames) = read_one(&path).expect("a capture");
        writer.join().expect("no panic").expect("all read");
        assert_eq!(without_places(&frames), without_places(&expected));
        assert_eq!((file.packets, file.truncated), (3000, false));
    }
}

#[test]
fn several_files_are_merged_by_time_and_each_keeps_its_order() {
    let scratch = tempfile::tempdir().expect("a folder");
    let write = |name: &str, bytes: &[u8]| {
        let path = scratch.path().join(name);
        fs::write(&path, bytes).expect("written");
        path
    };
    let paths = [
        write("a.pcap", &pcap(&[(1, b"a1"), (5, b"a5"), (3, b"a3"), (9, b"a9")])),
        write("b.pcap.gz", &gzip(&pcap(&[(2, b"b2"), (5, b"b5"), (8, b"b8")]))),
        write("c.pcap", &pcap(&[])),
        write("d.pcap", &pcap(&[(4, b"d4")])),
    ];
    for limit in [1, 2, 1000] {
        let (files, frames) = read_in_batches(&paths, &Options::default(), limit).expect("captures");
        let order: Vec<&[u8]> = frames.iter().map(|(_, bytes)| bytes.as_slice()).collect();
        assert_eq!(order, [b"a1", b"b2", b"d4", b"a5", b"a3", b"b5", b"b8", b"a9"]);
        let cited: Vec<_> = frames.iter().map(|(frame, _)| (frame.file, frame.number)).collect();
        assert_eq!(cited, [(0, 1), (1, 1), (3, 1), (0, 2), (0, 3), (1, 2), (1, 3), (0, 4)]);
        assert_eq!(files.iter().map(|file| file.packets).collect::<Vec<_>>(), [4, 3, 0, 1]);
        assert_eq!((files[0].time_backwards, files[0].first_backwards), (1, Some(3)));
        assert_eq!(files.iter().flat_map(|file| file.interfaces.clone()).collect::<Vec<_>>(), [0, 1, 2, 3]);
        assert!(frames.iter().all(|(frame, _)| frame.interface == u32::from(frame.file)));
    }
}

#[test]
fn a_time_window_leaves_numbers_alone() {
    let scratch = tempfile::tempdir().expect("a folder");
    let path = scratch.path().join("capture");
    let options = Options {
        from: Some("1s".parse().expect("a time")),
        to: Some("@1000000003".parse().expect("a time")),
        filter: None,
    };
    fs::write(
        &path,
        pcap(&[(1_000_000_000, b"0"), (1_000_000_001, b"1"), (1_000_000_003, b"3"), (1_000_000_004, b"4")]),
    )
    .expect("written");
    let (files, frames) = read(&[path], &options).expect("a capture");
    assert_eq!(frames.iter().map(|(frame, _)| frame.number).collect::<Vec<_>>(), [2, 3]);
    assert_eq!((files[0].packets, files[0].total_packets, files[0].bytes), (2, 4, 2));
}

#[cfg(feature = "pcap")]
#[test]
fn filters_are_libpcaps() {
    let Some(folder) = captures() else { return };
    let path = folder.join("lab/chromium-av-clean/capture.pcapng");
    for expression in ["udp", "tcp", "udp and greater 500", "host 10.2.0.2 and not tcp"] {
        let options = Options { filter: Some(expression.into()), ..Options::default() };
        let (files, frames) = read(std::slice::from_ref(&path), &options).expect("a capture");
        let Ok(output) = Command::new("tcpdump").args(["-n", "-r"]).arg(&path).arg(expression).output() else {
            return eprintln!("skipped: tcpdump is not installed");
        };
        let lines =
            output.stdout.split(|byte| *byte == b'\n').filter(|line| line.first().is_some_and(u8::is_ascii_digit));
        assert_eq!(frames.len(), lines.count(), "{expression}");
        assert_eq!((files[0].packets, files[0].total_packets), (frames.len() as u64, 5449));
    }
    let options = Options { filter: Some("udp adn tcp".into()), ..Options::default() };
    let error = read(&[path], &options).expect_err("no filter").to_string();
    assert!(error.contains("\"udp adn tcp\"") && error.contains("syntax error"), "{error}");
}

#[cfg(feature = "pcap")]
#[test]
fn filters_know_raw_ip_and_pass_nothing_of_links_they_make_no_sense_for() {
    let scratch = tempfile::tempdir().expect("a folder");
    let packet = [&[0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2][..], &[0; 8]].concat();
    for link in [12, 14, 101, 228] {
        let mut bytes = pcap(&[(1, &packet)]);
        bytes[20] = link;
        let path = scratch.path().join("raw");
        fs::write(&path, &bytes).expect("written");
        for (expression, count) in [("udp", 1), ("tcp", 0)] {
            let options = Options { filter: Some(expression.into()), ..Options::default() };
            assert_eq!(read(std::slice::from_ref(&path), &options).expect("a capture").1.len(), count, "{link}");
        }
    }
}

#[cfg(not(feature = "pcap"))]
#[test]
fn without_libpcap_filters_say_how_to_get_it() {
    let scratch = tempfile::tempdir().expect("a folder");
    let path = scratch.path().join("capture");
    fs::write(&path, pcap(&[])).expect("written");
    let options = Options { filter: Some("udp".into()), ..Options::default() };
    let error = read(&[path], &options).expect_err("no filter").to_string();
    assert!(error.contains("--features pcap"), "{error}");
}

#[test]
fn what_cannot_be_opened_is_said_in_one_sentence() {
    let scratch = tempfile::tempdir().expect("a folder");
    let refused = |paths: &[PathBuf]| match Capture::open(paths, &Options::default()) {
        Ok(_) => panic!("opened {paths:?}"),
        Err(error) => error,
    };
    let empty = scratch.path().join("empty");
    fs::write(&empty, b"").expect("written");
    let text = scratch.path().join("text");
    fs::write(&text, b"08:57:50 IP 10.1.0.2 > 10.2.0.2: UDP").expect("written");
    assert!(matches!(refused(&[]), OpenError::NoFile));
    assert!(matches!(refused(&[scratch.path().join("nothing")]), OpenError::NotFound { .. }));
    assert!(matches!(refused(&[scratch.path().to_owned()]), OpenError::Directory { .. }));
    assert!(matches!(refused(&[empty]), OpenError::Empty { .. }));
    assert!(refused(&[text]).to_string().contains("it looks like plain text"));
    assert!(matches!(refused(&["-".into(), "-".into()]), OpenError::StandardInputTwice));
}

#[test]
fn batches_and_captures_go_to_other_threads() {
    fn shared<T: Send + Sync>() {}
    fn sent<T: Send>() {}
    shared::<Batch>();
    sent::<Capture>();
    assert_eq!(size_of::<Frame>(), 40);
}

/// What must be equal in twins: everything but the place in the file.
fn without_places(frames: &Copied) -> Vec<(i64, u64, u32, LinkType, &[u8])> {
    let told =
        frames.iter().map(|(frame, bytes)| (frame.time.0, frame.number, frame.original, frame.link, bytes.as_slice()));
    told.collect()
}

fn from_bytes(folder: &Path, name: &str, bytes: &[u8]) -> (FileSummary, Copied) {
    let path = folder.join(name);
    fs::write(&path, bytes).expect("written");
    read_one(&path).expect("a capture")
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").filter_map(Result::ok) {
        let path = entry.path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}

fn words(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// A pcap file of Ethernet frames with times in seconds.
fn pcap(records: &[(u32, &[u8])]) -> Vec<u8> {
    let mut file = words(&[0xa1b2_c3d4, 0x0004_0002, 0, 0, 65_535, 1]);
    for (seconds, data) in records {
        file.extend(words(&[*seconds, 0, data.len() as u32, data.len() as u32]));
        file.extend(*data);
    }
    file
}

/// A pcapng file with one interface that counts nanoseconds.
fn pcapng(link: LinkType, snaplen: u32, frames: &Copied) -> Vec<u8> {
    let block = |kind: u32, body: &[u8]| {
        let length = 12 + body.len().next_multiple_of(4);
        let mut bytes = [words(&[kind, length as u32]), body.to_vec()].concat();
        bytes.resize(length - 4, 0);
        bytes.extend(words(&[length as u32]));
        bytes
    };
    let mut file = block(0x0a0d_0d0a, &words(&[0x1a2b_3c4d, 1, u32::MAX, u32::MAX]));
    file.extend(block(1, &words(&[link.0.into(), snaplen, 0x0001_0009, 9])));
    for (frame, data) in frames {
        let ticks = frame.time.0.cast_unsigned();
        let head = words(&[0, (ticks >> 32) as u32, ticks as u32, data.len() as u32, frame.original]);
        file.extend(block(6, &[&head, data.as_slice()].concat()));
    }
    file
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("in memory");
    encoder.finish().expect("in memory")
}
