//! What `millpond verify` finds in a world.

use std::collections::BTreeMap;

use serde_json::Value;

use super::world::World;

/// The judgement of one run of `millpond verify`.
#[derive(Debug)]
pub(crate) struct Verdict {
    /// Exit code.
    pub(crate) code: Option<i32>,
    /// Differences by the id of their check; checks without any are absent.
    pub(crate) differences: BTreeMap<String, Vec<String>>,
    /// Ids of the checks that could not be made.
    pub(crate) not_checkable: Vec<String>,
    /// The table, as a person sees it.
    pub(crate) text: String,
}

/// Differences of one check from which on not all are listed.
const MANY: usize = 20;

impl Verdict {
    /// Judges; the stores of `instance` are compared.
    pub(crate) fn of(world: &World, instance: &str) -> Self {
        let run = |format: &str| {
            let output = world.command(instance, &["verify", "--output", format]).output();
            let output = output.unwrap_or_else(|error| panic!("verify: {error}"));
            (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
        };
        let (code, report) = run("json");
        let report: Value = serde_json::from_str(&report).unwrap_or_else(|e| panic!("{e}: {report}"));
        let (again, text) = run("table");
        assert_eq!(code, again, "table and JSON disagree");
        let (mut differences, mut not_checkable) = (BTreeMap::new(), Vec::new());
        for check in report["checks"].as_array().into_iter().flatten() {
            let id = check["id"].as_str().unwrap_or_default().to_owned();
            match check["outcome"].as_str() {
                Some("passed") => {}
                Some("failed") => {
                    let found = check["differences"].as_array().into_iter().flatten();
                    let found: Vec<_> = found.filter_map(|d| d.as_str().map(str::to_owned)).collect();
                    // Of very many only some are listed, and not the same ones each time.
                    let is_listed = |line: &String| text.contains(line);
                    assert!(found.len() >= MANY || found.iter().all(is_listed), "{found:?} not in\n{text}");
                    differences.insert(id, found);
                }
                _ => not_checkable.push(id),
            }
        }
        Self { code, differences, not_checkable, text }
    }

    /// Fails unless every invariant holds.
    pub(crate) fn assert_clean(&self) {
        assert_eq!(self.code, Some(0), "the oracle objects:\n{}", self.text);
    }

    /// Fails unless exit code 3 came with a difference of check `id` that holds all `parts`.
    pub(crate) fn assert_names(&self, id: &str, parts: &[&str]) {
        assert_eq!(self.code, Some(3), "{}", self.text);
        let found = self.differences.get(id).map(Vec::as_slice).unwrap_or_default();
        let is_named = |line: &String| parts.iter().all(|part| line.contains(part));
        assert!(found.iter().any(is_named), "no difference of {id} names {parts:?}:\n{}", self.text);
    }

    /// Returns the ids of the checks that found differences.
    pub(crate) fn failed(&self) -> Vec<&str> {
        self.differences.keys().map(String::as_str).collect()
    }
}

impl World {
    /// Executes SQL in this world's database.
    pub(crate) fn sql(&self, statements: &str) -> String {
        let args = ["-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1", "-d", &self.postgres, "-c", statements];
        let output = std::process::Command::new("psql").args(args).output();
        let output = output.unwrap_or_else(|error| panic!("psql: {error}"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}
