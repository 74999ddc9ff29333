//! The shape of the source: imports go down only, files stay short, nothing is left for later.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The layers, lowest first. Those on one row do not import each other.
const LAYERS: &[&[&str]] = &[
    &["time"],
    &["wire"],
    &["sdp"],
    &["crypto"],
    &["capture", "flow", "probe"],
    &["engine"],
    &["session", "extract"],
    &["finding"],
    &["report"],
    &["cli"],
];

/// Lines of a file before its tests.
const LONGEST_FILE: usize = 500;

/// What no file may hold.
const LEFT_OVERS: [&str; 5] = ["todo!", "unimplemented!", "#[ignore", "dbg!", "FIXME"];

#[test]
fn imports_go_down_only() {
    let mut edges = 0;
    for (path, source) in sources("src") {
        let Some(layer) = layer_of(&path) else { continue };
        for import in imports(&code(&source), depth_of(&path)) {
            edges += 1;
            assert!(
                may_import(layer, &import),
                "{} is in the layer \"{layer}\" and imports \"{import}\", which is not below it",
                path.display()
            );
        }
    }
    assert!(edges > 100, "only {edges} imports were found");
}

#[test]
fn files_are_short() {
    for (path, source) in sources("src") {
        let before_tests = source.lines().take_while(|line| !line.starts_with("mod tests {")).count();
        assert!(
            before_tests <= LONGEST_FILE,
            "{} has {before_tests} lines before its tests: split it by concept",
            path.display()
        );
    }
}

#[test]
fn nothing_is_left_for_later() {
    for (path, source) in ["src", "tests", "fuzz/fuzz_targets"].into_iter().flat_map(sources) {
        if path.ends_with("layering.rs") {
            continue;
        }
        for left_over in LEFT_OVERS {
            assert!(!source.contains(left_over), "{} holds {left_over}", path.display());
        }
    }
}

#[test]
fn imports_are_found_wherever_they_stand() {
    let source = r#"
        use crate::{capture::{self, Frame}, flow::{key::{FlowKey, Transport}}, wire};
        pub use crate::session;
        // crate::comment
        fn f() { crate::report::text("crate::string", 'c'); }
        pub(in crate::engine) const A: u8 = 1;
        use super::super::finding;
        use super::sibling;
    "#;
    let found = imports(&code(source), 2);
    assert_eq!(found, ["capture", "flow", "wire", "session", "report", "engine", "finding"]);
    assert_eq!(imports("use super::cli::Args;", 1), ["cli"]);
    assert!(may_import("engine", "flow") && may_import("flow", "flow") && may_import("cli", "time"));
    assert!(!may_import("flow", "capture") && !may_import("capture", "flow") && !may_import("wire", "flow"));
}

/// The Rust files of a folder of the crate, and what is in them.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let source = fs::read_to_string(&path).unwrap();
                sources.push((path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().to_owned(), source));
            }
        }
    }
    assert!(!sources.is_empty());
    sources.sort();
    sources
}

/// The parts of a path behind `src/`, without what every file has.
fn modules(path: &Path) -> Vec<&str> {
    let parts = path.components().skip(1).filter_map(|part| part.as_os_str().to_str());
    parts.map(|part| part.trim_end_matches(".rs")).filter(|part| *part != "mod").collect()
}

/// The layer of a file; `None` for the crate's roots.
fn layer_of(path: &Path) -> Option<&'static str> {
    let first = *modules(path).first()?;
    if matches!(first, "lib" | "main") {
        return None;
    }
    let known = LAYERS.iter().copied().flatten().find(|layer| **layer == first);
    Some(known.unwrap_or_else(|| panic!("{} is in no known layer", path.display())))
}

/// How many modules deep a file is: one for a layer itself.
fn depth_of(path: &Path) -> usize {
    modules(path).len()
}

fn may_import(layer: &str, import: &str) -> bool {
    let rank = |name: &str| LAYERS.iter().position(|row| row.contains(&name));
    match (rank(layer), rank(import)) {
        (Some(own), Some(other)) => layer == import || other < own,
        _ => false,
    }
}

/// A source without its comments and strings.
fn code(source: &str) -> String {
    let mut code = String::new();
    for line in source.lines() {
        let mut characters = line.chars().peekable();
        let mut quoted = false;
        while let Some(character) = characters.next() {
            match character {
                '\\' if quoted => drop(characters.next()),
                '"' => quoted = !quoted,
                '/' if !quoted && characters.peek() == Some(&'/') => break,
                _ if quoted => {}
                _ => code.push(character),
            }
        }
        code.push('\n');
    }
    code
}

/// The modules of the crate's root that `code`, `depth` modules deep, names: behind `crate::`, or behind as many
/// `super::` as lead there.
fn imports(code: &str, depth: usize) -> Vec<String> {
    let roots = [("crate::".to_owned(), true), ("super::".repeat(depth), false)];
    let mut found: Vec<(usize, String)> = Vec::new();
    for (root, is_crate) in roots {
        for (at, _) in code.match_indices(&root) {
            let before = code.get(..at).unwrap().chars().next_back();
            let is_longer = before.is_some_and(|before| before.is_alphanumeric() || before == '_' || before == '$');
            if is_longer || !is_crate && before == Some(':') {
                continue;
            }
            let names = heads(code.get(at + root.len()..).unwrap()).into_iter();
            // Behind `super::` stand the items of tests inside the file too; only layers matter.
            let names = names.filter(|name| is_crate || LAYERS.iter().any(|row| row.contains(&name.as_str())));
            found.extend(names.map(|name| (at, name)));
        }
    }
    found.sort_by_key(|(at, _)| *at);
    found.into_iter().map(|(_, name)| name).collect()
}

/// The first name of a path, or of each path in braces.
fn heads(path: &str) -> Vec<String> {
    let name = |text: &str| text.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
    let Some(list) = path.strip_prefix('{') else { return vec![name(path)] };
    let (mut depth, mut start, mut names) = (0, 0, Vec::new());
    for (at, character) in list.char_indices() {
        match character {
            '{' => depth += 1,
            '}' | ',' if depth == 0 => {
                names.push(name(list.get(start..at).unwrap().trim_start()));
                start = at + 1;
                if character == '}' {
                    break;
                }
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    names.retain(|name: &String| !name.is_empty());
    names
}
