//! House rules that no linter checks: file lengths, module docs, leftovers, purity, who may import whom.
//!
//! Every rule is a function from a file's text to findings, so that the last test can show each rule a text
//! that breaks it. Git names the files: what is tracked or would be, nothing that is ignored.

use std::path::Path;
use std::process::Command;

/// Lines that no Rust file may exceed; 400 is where a writer starts to look for the seam.
const FILE_LINES_MAX: usize = 700;
/// Holds every `unsafe` line of the project by decision (ADR 2), and is as long as that takes.
const ALL_UNSAFE: &str = "src/kafka/ffi.rs";
/// Half of the production files are no longer than this.
const FILE_LINES_MEDIAN_MAX: usize = 150;
/// How far above an `unsafe` its reason may start, in lines.
const SAFETY_DISTANCE_LINES: usize = 10;

/// Folders that call no clock, thread, randomness, socket or file: time and input come in as values.
const PURE: [&str; 3] = ["src/engine/", "topology/src/", "ledger/src/"];
const IMPURE_WORDS: [&str; 10] = [
    "std::thread",
    "Instant::now",
    "SystemTime::now",
    "std::fs",
    "std::net",
    "rand",
    "tokio",
    "sqlx",
    "rdkafka",
    "rocksdb",
];

/// Each crate's manifest and the crates of this house that it may name.
const MAY_IMPORT: [(&str, &[&str]); 6] = [
    ("mutants/Cargo.toml", &[]),
    ("topology/Cargo.toml", &["millpond-mutants"]),
    ("state/Cargo.toml", &["millpond-topology", "millpond-mutants"]),
    ("membership/Cargo.toml", &["millpond-topology", "millpond-mutants"]),
    ("ledger/Cargo.toml", &["millpond-topology", "millpond-mutants"]),
    // The judge shares no code with the judged.
    ("oracle/Cargo.toml", &[]),
];

// Spelled in halves, so that this file does not find itself.
const REMINDERS: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
const HALF_MEASURES: [&str; 2] = [concat!("for ", "now"), concat!("place", "holder")];
const LEFTOVER_CODE: [&str; 4] = ["dbg!", "todo!", "unimplemented!", "#[ignore"];

struct File {
    path: String,
    text: String,
}

/// A line number (from 1; 0 for the file as a whole) and what is wrong there.
type Finding = (usize, String);

#[test]
fn no_rust_file_is_too_long() {
    check(|path| is_rust(path) && path != ALL_UNSAFE, too_long);
}

#[test]
fn half_of_the_production_files_are_short() {
    let mut lengths: Vec<usize> = files()
        .iter()
        .filter(|file| is_production(&file.path))
        .map(|file| file.text.lines().count())
        .collect();
    lengths.sort_unstable();
    let median = lengths.get(lengths.len() / 2).copied().unwrap_or_default();
    assert!(median > 0, "no production files found");
    assert!(median <= FILE_LINES_MEDIAN_MAX, "the median production file has {median} lines");
}

#[test]
fn every_module_starts_with_its_doc() {
    check(is_rust, undocumented);
}

#[test]
fn every_unsafe_says_why_it_is_sound() {
    check(is_rust, unexplained_unsafe);
}

#[test]
fn nothing_is_left_over() {
    check(|path| is_rust(path) || is_prose_or_script(path), leftovers);
    check(is_rust, leftover_code);
}

#[test]
fn no_code_is_commented_out() {
    check(is_rust, commented_out);
}

#[test]
fn the_pure_parts_touch_nothing_outside() {
    check(|path| PURE.iter().any(|folder| path.starts_with(folder)), impure);
}

#[test]
fn crates_import_only_what_they_may() {
    for (manifest, allowed) in MAY_IMPORT {
        check(|path| path == manifest, |text| forbidden_imports(text, allowed));
    }
}

#[test]
fn every_rule_finds_what_it_looks_for() {
    let breaks = |findings: Vec<Finding>, line: usize| {
        assert_eq!(findings.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [line], "{findings:?}");
    };
    let keeps = |findings: Vec<Finding>| assert!(findings.is_empty(), "{findings:?}");

    breaks(too_long(&"\n".repeat(FILE_LINES_MAX + 1)), 0);
    keeps(too_long(&"\n".repeat(FILE_LINES_MAX)));
    breaks(undocumented("use std::fmt;\n//! Late.\n"), 1);
    keeps(undocumented("#![allow(missing_docs)]\n\n//! Early.\n"));
    breaks(unexplained_unsafe("fn f() {\n    unsafe { g() }\n}"), 2);
    keeps(unexplained_unsafe(
        "// SAFETY: g has no conditions.\nunsafe { g() }\nlet s = \"unsafe\"; // unsafe",
    ));
    for word in REMINDERS.iter().chain(&HALF_MEASURES) {
        breaks(leftovers(&format!("fine\nsome {word} here")), 2);
        keeps(leftovers(&format!("re{word}ed")));
    }
    for code in LEFTOVER_CODE {
        breaks(leftover_code(&format!("{code}()")), 1);
        keeps(leftover_code(&format!("// {code} is prose here, \"{code}\"")));
    }
    breaks(commented_out("let a = 1;\n    // let b = 2;"), 2);
    breaks(commented_out("// self.flush(now)?;"), 1);
    keeps(commented_out("// Let it be; the rest follows.\n/// let example = 1;\n// see `f(x);`"));
    for word in IMPURE_WORDS {
        breaks(impure(&format!("use a;\nlet t = {word}::x();")), 2);
        keeps(impure(&format!("// {word} in prose\nlet my_{word} = operand;").replace("::", "_")));
    }
    breaks(forbidden_imports("[dependencies]\nmillpond-state.workspace = true\n", &["millpond-topology"]), 2);
    keeps(forbidden_imports(
        "name = \"millpond-state\"\nmillpond-topology.workspace = true\n",
        &["millpond-topology"],
    ));
}

fn too_long(text: &str) -> Vec<Finding> {
    let lines = text.lines().count();
    if lines > FILE_LINES_MAX {
        vec![(0, format!("{lines} lines, {FILE_LINES_MAX} is the limit"))]
    } else {
        vec![]
    }
}

fn undocumented(text: &str) -> Vec<Finding> {
    let first = numbered(text).find(|(_, line)| !line.trim().is_empty() && !line.starts_with("#!["));
    match first {
        Some((number, line)) if !line.starts_with("//!") => {
            vec![(number, "the file does not start with its `//!` doc".to_owned())]
        }
        _ => vec![],
    }
}

fn unexplained_unsafe(text: &str) -> Vec<Finding> {
    let lines: Vec<&str> = text.lines().collect();
    numbered(text)
        // `unsafe extern "C" fn(...)` without a name is a type, not a promise.
        .filter(|(_, line)| mentions(&code_of(line), "unsafe") && !line.contains(" fn("))
        .filter(|(number, _)| {
            let above = lines.iter().take(*number).skip(number.saturating_sub(SAFETY_DISTANCE_LINES + 1));
            !above.into_iter().any(|line| line.contains("SAFETY:") || line.contains("# Safety"))
        })
        .map(|(number, _)| (number, "`unsafe` without a `SAFETY:` comment".to_owned()))
        .collect()
}

fn leftovers(text: &str) -> Vec<Finding> {
    find(text, |line| {
        let lower = line.to_lowercase();
        let reminder = REMINDERS.into_iter().find(|word| mentions(line, word));
        reminder.or_else(|| HALF_MEASURES.into_iter().find(|words| mentions(&lower, words)))
    })
}

fn leftover_code(text: &str) -> Vec<Finding> {
    find(text, |line| LEFTOVER_CODE.into_iter().find(|code| code_of(line).contains(code)))
}

/// A modest guess: a plain comment that reads as a whole statement.
fn commented_out(text: &str) -> Vec<Finding> {
    find(text, |line| {
        let comment = line.trim_start().strip_prefix("//")?;
        if comment.starts_with(['/', '!']) || comment.contains('`') {
            return None;
        }
        let comment = comment.trim();
        let starts =
            ["let ", "use ", "fn ", "pub ", "impl ", "return ", "#["].iter().any(|s| comment.starts_with(s));
        let ends = comment.ends_with([';', '{']);
        let calls = comment.ends_with(");") || comment.ends_with(")?;") || comment.ends_with("},");
        ((starts && ends) || calls).then_some("commented-out code")
    })
}

fn impure(text: &str) -> Vec<Finding> {
    find(text, |line| IMPURE_WORDS.into_iter().find(|word| mentions(&code_of(line), word)))
}

fn forbidden_imports(manifest: &str, allowed: &[&str]) -> Vec<Finding> {
    numbered(manifest)
        .filter(|(_, line)| line.starts_with("millpond"))
        .filter_map(|(number, line)| Some((number, line.split(['.', ' ', '=']).next()?)))
        .filter(|(_, name)| !allowed.contains(name))
        .map(|(number, name)| (number, format!("this crate may not use {name}")))
        .collect()
}

/// Applies `rule` to every file that `selected` picks, and fails with all findings at once.
fn check(selected: impl Fn(&str) -> bool, rule: impl Fn(&str) -> Vec<Finding>) {
    let findings: Vec<String> = files()
        .iter()
        .filter(|file| selected(&file.path))
        .flat_map(|file| {
            let located = |(line, what): Finding| format!("{}:{line}: {what}", file.path);
            rule(&file.text).into_iter().map(located).collect::<Vec<_>>()
        })
        .collect();
    assert!(findings.is_empty(), "{} findings\n{}", findings.len(), findings.join("\n"));
}

/// Reads every text file that git tracks or would track.
fn files() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output();
    let Ok(listed) = listed else { panic!("git is needed to list the files") };
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let files: Vec<File> = String::from_utf8_lossy(&listed.stdout)
        .split_terminator('\0')
        .filter_map(|path| {
            let text = std::fs::read_to_string(root.join(path)).ok()?;
            Some(File { path: path.to_owned(), text })
        })
        .collect();
    assert!(!files.is_empty(), "git lists no files");
    files
}

fn is_rust(path: &str) -> bool {
    path.ends_with(".rs")
}

fn is_prose_or_script(path: &str) -> bool {
    [".sh", ".md", ".sql"].iter().any(|ending| path.ends_with(ending))
        || path == "dev"
        || path.starts_with(".ci/")
}

fn is_production(path: &str) -> bool {
    let is_source = path.starts_with("src/") || path.contains("/src/");
    is_rust(path) && is_source && !path.ends_with("tests.rs") && !path.contains("/tests/")
}

fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(index, line)| (index + 1, line))
}

fn find<'a>(text: &str, rule: impl Fn(&str) -> Option<&'a str>) -> Vec<Finding> {
    numbered(text).filter_map(|(number, line)| Some((number, rule(line)?.to_owned()))).collect()
}

/// True if `line` holds `words` as whole words.
fn mentions(line: &str, words: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(words).any(|(at, _)| {
        let before = line.get(..at).and_then(|s| s.chars().next_back());
        let after = line.get(at + words.len()..).and_then(|s| s.chars().next());
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

/// The line without its comment and without what stands in its string literals.
fn code_of(line: &str) -> String {
    let mut code = String::with_capacity(line.len());
    let mut in_string = false;
    let mut characters = line.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            // An escaped quote, or a quote as a character, opens no string.
            '\\' => _ = characters.next(),
            '\'' if characters.peek() == Some(&'"') => _ = characters.next(),
            '"' => in_string = !in_string,
            '/' if !in_string && characters.peek() == Some(&'/') => break,
            _ if !in_string => code.push(c),
            _ => {}
        }
    }
    code
}
