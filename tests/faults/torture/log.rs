//! What the logs of a round's processes say: why one ended, and what the faults cost.

use std::fmt;
use std::path::Path;

use serde_json::Value;

/// Ends that faults of this test may cause, by a part of what the process says last, with a name for the table.
const EXPECTED: [(&str, &str); 7] = [
    ("describe topics: Failed while waiting for", "no broker answered at the start"),
    (
        "another live process uses this instance id",
        "a late request made it take its successor for a stranger",
    ),
    ("rd_kafka_", "an assertion of librdkafka"),
    ("millpond::kafka::unreachable", "no broker answered at the start"),
    ("does not answer", "no broker answered at the start"),
    ("has made no progress for", "a thread without progress"),
    ("the stop took longer than shutdown.timeout", "a stop that no broker answered in time"),
];

/// Why a process ended that was to crash at a step.
pub(super) const CRASH_POINT: &str = "crash point reached";

/// Returns why the process with this log ended; `armed` with a failpoint.
///
/// # Panics
/// No fault here can be the reason.
pub(super) fn end(log: &str, armed: bool) -> &'static str {
    if armed && log.contains("failpoint ") {
        return CRASH_POINT;
    }
    let tail: Vec<&str> = log.lines().rev().take(12).collect();
    let tail: String = tail.into_iter().rev().map(|line| format!("{line}\n")).collect();
    let expected = EXPECTED.iter().find(|(part, _)| tail.contains(part));
    match expected {
        Some((_, name)) => name,
        None => panic!("a process ended by itself:\n{tail}"),
    }
}

/// What the faults cost, from logs.
#[derive(Debug, Default)]
pub(super) struct Cost {
    committed: u64,
    aborted: u64,
    moved_on: u64,
    losses: u64,
    restores: u64,
    restored_records: u64,
    from_start: u64,
    /// Producers put away, with the reason.
    replaced: std::collections::BTreeMap<String, u64>,
    /// Times until their successors ran, ms.
    replaced_ms: Vec<u64>,
}

impl Cost {
    /// Adds what the logs in `folder` say.
    pub(super) fn add(&mut self, folder: &Path) {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            if entry.path().extension().is_some_and(|end| end == "log") {
                let text = std::fs::read(entry.path()).unwrap();
                String::from_utf8_lossy(&text).lines().for_each(|line| self.line(line));
            }
        }
    }

    fn line(&mut self, line: &str) {
        let Ok(line) = serde_json::from_str::<Value>(line) else { return };
        let fields = line.get("fields").unwrap_or(&line);
        let number = |name: &str| fields[name].as_u64().unwrap_or(0);
        match fields["message"].as_str().unwrap_or_default() {
            "unknown commit resolved" => {
                let judgement = fields["judgement"].as_str().unwrap_or_default();
                self.committed += u64::from(judgement.contains("verdict: Committed"));
                self.aborted += u64::from(judgement.contains("verdict: Aborted"));
                self.moved_on += u64::from(judgement.contains("verdict: MovedOn"));
            }
            "membership lost: all tasks are dropped" => self.losses += 1,
            "restored" => {
                self.restores += 1;
                self.restored_records += number("records");
                self.from_start += u64::from(number("from") == 0 && number("records") > 0);
            }
            "producer is replaced" => {
                let reason = fields["reason"].as_str().unwrap_or_default().to_owned();
                *self.replaced.entry(reason).or_default() += 1;
            }
            "producer runs" => self.replaced_ms.push(number("ms")),
            _ => {}
        }
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { committed, aborted, moved_on, losses, restores, restored_records, from_start, .. } = self;
        writeln!(
            f,
            "| unknown commits: found committed, aborted, moved on | {committed}, {aborted}, {moved_on} |"
        )?;
        for (reason, times) in &self.replaced {
            writeln!(f, "| producers replaced: {reason} | {times} |")?;
        }
        let mut times = self.replaced_ms.clone();
        times.sort_unstable();
        let middle = times.get(times.len() / 2).copied().unwrap_or(0);
        let most = times.last().copied().unwrap_or(0);
        writeln!(f, "| producer started, ms: median, most | {middle}, {most} |")?;
        writeln!(f, "| memberships lost | {losses} |")?;
        writeln!(
            f,
            "| restores; of them whole; records read | {restores}; {from_start}; {restored_records} |"
        )
    }
}
