//! A measured child: its HTTP, its CPU time, its memory.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Clock ticks per second of `/proc/<pid>/stat`, fixed on Linux.
const TICKS: f64 = 100.0;

/// Nothing that is measured outlives the bench.
impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended long ago.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a task says of its restore.
pub(crate) struct Restored {
    pub(crate) phase: String,
    pub(crate) records: u64,
}

/// Returns the CPU seconds that a process used so far, user and system.
pub(crate) fn cpu_seconds_of(pid: u32) -> Result<f64> {
    let path = format!("/proc/{pid}/stat");
    let text = std::fs::read_to_string(&path).context(path)?;
    let fields: Vec<&str> = text.rsplit(')').next().context("stat")?.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    Ok((ticks(11) + ticks(12)) / TICKS)
}

/// A running `millpond run`.
pub(crate) struct Process {
    child: Child,
    address: String,
    log: PathBuf,
}

impl Process {
    /// Waits until the child's HTTP answers.
    pub(crate) fn attach((mut child, log): (Child, PathBuf)) -> Result<Self> {
        let begun = Instant::now();
        loop {
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            if let Some(rest) = text.split("http listening on http://").nth(1) {
                let digits = |c: char| c.is_ascii_digit() || c == '.' || c == ':';
                let address = rest.chars().take_while(|c| digits(*c)).collect();
                return Ok(Self { child, address, log });
            }
            if child.try_wait()?.is_some() || begun.elapsed() > Duration::from_secs(60) {
                bail!("millpond run did not start:\n{text}");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn get(&self, path: &str) -> Result<String> {
        let mut stream = TcpStream::connect(&self.address)?;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: bench\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let (_, body) = text.split_once("\r\n\r\n").context("not HTTP")?;
        Ok(body.to_owned())
    }

    fn tasks(&self) -> Result<Vec<Value>> {
        let mut status: Value = serde_json::from_str(&self.get("/status")?)?;
        match status.get_mut("tasks").map(Value::take) {
            Some(Value::Array(tasks)) => Ok(tasks),
            _ => bail!("no tasks"),
        }
    }

    /// Returns the sums of committed offsets and of lag over the inputs named `topic_end`.
    pub(crate) fn progress(&self, topic_end: &str) -> Result<(i64, i64)> {
        let tasks = self.tasks()?;
        let inputs = tasks.iter().filter_map(|task| task.get("inputs")?.as_array()).flatten();
        let (mut committed, mut lag) = (0, 0);
        for input in inputs {
            let number = |name: &str| input.get(name).and_then(Value::as_i64).unwrap_or(0);
            if input.get("topic").and_then(Value::as_str).is_some_and(|topic| topic.ends_with(topic_end)) {
                committed += number("committed");
            }
            lag += number("lag");
        }
        Ok((committed, lag))
    }

    /// Returns what every task is doing and how many changelog records it restored.
    pub(crate) fn restored(&self) -> Result<Vec<Restored>> {
        let tasks = self.tasks()?;
        let read = |task: &Value| {
            let phase = task.pointer("/state/phase").and_then(Value::as_str).context("no phase")?.to_owned();
            let records = task.pointer("/store/restoredRecords").and_then(Value::as_u64).unwrap_or(0);
            Ok(Restored { phase, records })
        };
        tasks.iter().map(read).collect()
    }

    /// Returns the CPU seconds used so far, user and system.
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        cpu_seconds_of(self.child.id())
    }

    /// Returns the peak resident memory, MiB.
    pub(crate) fn peak_mib(&self) -> Result<f64> {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = text.lines().find(|line| line.starts_with("VmHWM")).context("VmHWM")?;
        let kib: f64 = line.split_whitespace().nth(1).context("VmHWM")?.parse()?;
        Ok(kib / 1024.0)
    }

    /// Fails when it has ended.
    pub(crate) fn check(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("millpond run ended with {status}: {}", self.log.display()),
        }
    }

    /// Stops it cleanly.
    pub(crate) fn stop(mut self) -> Result<()> {
        std::process::Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        let status = self.child.wait()?;
        if !status.success() {
            bail!(
                "millpond run ended with {status}:\n{}",
                std::fs::read_to_string(&self.log).unwrap_or_default()
            );
        }
        Ok(())
    }
}
