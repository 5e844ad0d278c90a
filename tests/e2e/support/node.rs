//! A running `millpond run`.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::http::get;
use super::wait_until;
use super::world::World;

/// A child process; killed when dropped.
pub(crate) struct Node {
    child: Child,
    log: PathBuf,
    address: OnceCell<String>,
    /// Where the log of this run begins.
    offset: usize,
}

impl Node {
    /// Starts an instance with further configuration, and waits until it serves HTTP or has ended.
    pub(crate) fn start(world: &World, instance: &str, extra: &[(&str, &str)]) -> Self {
        let mut node = Self::spawn(world, instance, extra);
        let begun = Instant::now();
        while node.address().is_none() && node.is_alive() && begun.elapsed() < Duration::from_secs(30) {
            std::thread::sleep(Duration::from_millis(10));
        }
        node
    }

    /// As `start`, without waiting.
    pub(crate) fn spawn(world: &World, instance: &str, extra: &[(&str, &str)]) -> Self {
        let log = world.dir.path().join(format!("{instance}-{}.log", std::process::id()));
        let file = File::options().create(true).append(true).open(&log);
        let file = file.unwrap_or_else(|error| panic!("{}: {error}", log.display()));
        // The address is read from the end of the log: what an earlier run wrote there is skipped.
        let offset = file.metadata().map_or(0, |data| data.len());
        let mut command = world.command(instance, &["run"]);
        command.env("MILLPOND_INSTANCE__ID", instance).env("NO_COLOR", "1").envs(extra.iter().copied());
        let child = command.stdout(Stdio::null()).stderr(file).spawn();
        let child = child.unwrap_or_else(|error| panic!("millpond run: {error}"));
        let offset = usize::try_from(offset).unwrap_or(0);
        Self { child, log, address: OnceCell::new(), offset }
    }

    /// Returns where it serves HTTP, once it does.
    fn address(&self) -> Option<&str> {
        if self.address.get().is_none() {
            let text = self.log();
            // A line that is being written has no end yet.
            let (rest, _) = text.split_once("http listening on http://")?.1.split_once('\n')?;
            let end =
                rest.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == ':')).unwrap_or(rest.len());
            let _ = self.address.set(rest[..end].to_owned());
        }
        self.address.get().map(String::as_str)
    }

    /// Returns what this run logged.
    pub(crate) fn log(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(text.get(self.offset..).unwrap_or_default()).into_owned()
    }

    /// Returns status code and body of a path.
    pub(crate) fn get(&self, path: &str) -> Option<(u16, String)> {
        get(self.address()?, path)
    }

    /// Returns `/status`.
    pub(crate) fn status(&self) -> Option<Value> {
        serde_json::from_str(&self.get("/status")?.1).ok()
    }

    /// Returns the sum of a metric over its series.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let Some((_, text)) = self.get("/metrics") else { return 0.0 };
        let of = |line: &str| {
            let (series, value) = line.rsplit_once(' ')?;
            (series.split('{').next()? == name).then(|| value.parse::<f64>().ok())?
        };
        text.lines().filter_map(of).sum()
    }

    /// Returns the sum of the committed input offsets.
    pub(crate) fn committed(&self) -> i64 {
        let Some(status) = self.status() else { return 0 };
        let inputs = status["tasks"].as_array().into_iter().flatten();
        inputs
            .flat_map(|task| task["inputs"].as_array().into_iter().flatten())
            .filter_map(|i| i["committed"].as_i64())
            .sum()
    }

    /// Says whether the process still runs.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_none())
    }

    /// Waits until it has tasks and all of them run.
    pub(crate) fn wait_ready(&mut self, limit: Duration) {
        let begun = Instant::now();
        while self.get("/readyz").is_none_or(|(code, _)| code != 200) || self.tasks() == 0 {
            assert!(self.is_alive(), "the process ended:\n{}", self.log());
            assert!(
                begun.elapsed() < limit,
                "not ready within {limit:?}: {:?}\n{}",
                self.status(),
                self.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Returns a figure of each task's store from `/status`, by task id.
    pub(crate) fn stores(&self, figure: &str) -> BTreeMap<String, i64> {
        let status = self.status().unwrap_or_default();
        let tasks = status["tasks"].as_array().into_iter().flatten();
        tasks
            .filter_map(|task| Some((task["id"].as_str()?.to_owned(), task["store"][figure].as_i64()?)))
            .collect()
    }

    /// Returns how often this run logged `text`.
    pub(crate) fn logged(&self, text: &str) -> usize {
        self.log().matches(text).count()
    }

    /// Returns the generation of its group, once it was given tasks or none.
    pub(crate) fn generation(&self) -> Option<i64> {
        self.status()?["generation"].as_i64()
    }

    /// Returns a count of its stream threads, summed up: transactions `committed` or `aborted`.
    pub(crate) fn transactions(&self, what: &str) -> i64 {
        let status = self.status().unwrap_or_default();
        status["threads"].as_array().into_iter().flatten().filter_map(|thread| thread[what].as_i64()).sum()
    }

    /// Returns the phase of each of its tasks, in the order of their ids.
    pub(crate) fn phases(&self) -> Vec<String> {
        let status = self.status().unwrap_or_default();
        let tasks = status["tasks"].as_array().into_iter().flatten();
        tasks.filter_map(|task| Some(task["state"]["phase"].as_str()?.to_owned())).collect()
    }

    /// Says whether it has `tasks` tasks and all of them run.
    pub(crate) fn runs(&self, tasks: usize) -> bool {
        self.tasks() == tasks && self.get("/readyz").is_some_and(|(code, _)| code == 200)
    }

    /// Returns the number of its tasks.
    pub(crate) fn tasks(&self) -> usize {
        self.status().and_then(|status| status["tasks"].as_array().map(Vec::len)).unwrap_or(0)
    }

    /// Returns its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns the most memory that it ever had, in MB: the peak of its resident set.
    pub(crate) fn memory_peak_mb(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kb = peak.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        kb.unwrap_or_else(|| panic!("no VmHWM in {path}")) / 1024
    }

    /// Returns a metric's series, by the value of one of its labels.
    pub(crate) fn metric_by(&self, name: &str, label: &str) -> BTreeMap<String, u64> {
        let Some((_, text)) = self.get("/metrics") else { return BTreeMap::new() };
        let mut sums = BTreeMap::new();
        for line in text.lines() {
            let Some((series, value)) = line.rsplit_once(' ') else { continue };
            let Some(labels) = series.strip_prefix(name).and_then(|rest| rest.strip_prefix('{')) else {
                continue;
            };
            let Some((_, rest)) = labels.split_once(&format!("{label}=\"")) else { continue };
            let named = rest.split('"').next().unwrap_or_default().to_owned();
            *sums.entry(named).or_default() += value.parse::<u64>().unwrap_or(0);
        }
        sums
    }

    /// Kills it as a crash would, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let signalled = std::process::Command::new("kill").args([signal, &pid]).status();
        assert!(signalled.is_ok_and(|status| status.success()), "kill {signal} {pid}");
    }

    /// Stops all of its threads by SIGSTOP; it answers nothing from here on.
    pub(crate) fn pause(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on by SIGCONT.
    pub(crate) fn resume(&self) {
        self.signal("-CONT");
    }

    /// Asks for a clean stop by SIGTERM and returns how it ended.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        assert!(self.ask_to_stop(Duration::from_secs(40)), "not ended 40 s after SIGTERM:\n{}", self.log());
        self.child.wait().unwrap_or_else(|error| panic!("wait: {error}"))
    }

    /// Asks for a clean stop by SIGTERM; returns whether it ended within `limit`.
    pub(crate) fn ask_to_stop(&mut self, limit: Duration) -> bool {
        self.signal("-TERM");
        let begun = Instant::now();
        while self.is_alive() && begun.elapsed() < limit {
            std::thread::sleep(Duration::from_millis(10));
        }
        !self.is_alive()
    }

    /// Waits until the process ends by itself.
    pub(crate) fn wait_end(&mut self, limit: Duration) -> ExitStatus {
        wait_until("the process ends", limit, || !self.is_alive());
        self.child.wait().unwrap_or_else(|error| panic!("wait: {error}"))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}
