//! Everything the README shows is real output: each `$ rtcscope ...` in it is run, and must print what stands below it.

use std::{env, path::Path, process::Command};

/// A command line of the README and what the README says it prints.
struct Shown {
    command: String,
    output: String,
}

fn shown(readme: &str) -> Vec<Shown> {
    let mut all: Vec<Shown> = Vec::new();
    for block in readme.split("```text\n").skip(1).filter_map(|rest| rest.split("```").next()) {
        for line in block.lines() {
            match (line.strip_prefix("$ "), all.last_mut()) {
                (Some(command), _) => all.push(Shown { command: command.to_owned(), output: String::new() }),
                (None, Some(last)) => last.output += &format!("{line}\n"),
                (None, None) => assert_eq!(line, "", "output without a command"),
            }
        }
    }
    all
}

#[test]
fn the_readme_shows_real_output() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let binaries = Path::new(env!("CARGO_BIN_EXE_rtcscope")).parent().unwrap();
    let path = format!("{}:{}", binaries.display(), env::var("PATH").unwrap());
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let all = shown(&readme);
    assert!(all.len() >= 3, "the README shows {} commands", all.len());
    for Shown { command, output } in all {
        assert!(command.starts_with("rtcscope "), "{command}");
        let run = Command::new("bash").args(["-c", &command]).current_dir(root).env("PATH", &path).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&run.stdout), output, "$ {command}");
        assert_eq!(String::from_utf8_lossy(&run.stderr), "", "$ {command}");
    }
}
