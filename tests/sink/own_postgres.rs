//! A PostgreSQL server of a test's own, to be stopped and started.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use super::mount::Mount;
use super::support::wait_until;

/// How the server is stopped.
#[derive(Debug, Clone, Copy)]
pub(crate) enum StopMode {
    /// Sessions are ended, the server shuts down in order.
    Fast,
    /// As in a crash: recovery at the next start.
    Immediate,
}

/// A server in a folder of its own; stopped and deleted when dropped.
pub(crate) struct OwnPostgres {
    folder: tempfile::TempDir,
    port: u16,
    /// Account to run as, when the tests run as root: the server refuses root.
    account: Option<String>,
}

impl OwnPostgres {
    pub(crate) fn start() -> Self {
        let server = Self::new();
        server.create(&[]);
        server
    }

    /// The same, with everything it writes on a disk of its own; `None` where this user may not mount one.
    pub(crate) fn start_on_disk(test: &str, mebibytes: u32) -> Option<(Self, Mount)> {
        let server = Self::new();
        let disk = Mount::tmpfs(test, &server.data(), mebibytes)?;
        server.give(&server.data());
        // Segments of 1 MB: else the disk would have to hold several of 16.
        server.create(&["--wal-segsize=1"]);
        Some((server, disk))
    }

    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("millpond-postgres-").tempdir().expect("folder");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
        let is_root = output(Command::new("id").arg("-u")) == "0";
        let account =
            is_root.then(|| std::env::var("MILLPOND_TEST_ACCOUNT").unwrap_or_else(|_| "postgres".to_owned()));
        let server = Self { folder, port, account };
        server.give(server.folder.path());
        server
    }

    fn create(&self, options: &[&str]) {
        let arguments = [options, &["-A", "trust", "-U", "postgres", "-N", "-D"]].concat();
        self.run("initdb", &arguments, &[]);
        self.restart();
    }

    /// Lets the server's account own a folder.
    pub(crate) fn give(&self, folder: &std::path::Path) {
        if let Some(account) = &self.account {
            output(Command::new("chown").arg(account).arg(folder));
        }
    }

    /// Returns a folder beside the data.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("data/log")
    }

    fn run(&self, program: &str, arguments: &[&str], more: &[&str]) {
        self.try_run(program, arguments, more).unwrap_or_else(|text| panic!("{program}: {text}"));
    }

    fn try_run(&self, program: &str, arguments: &[&str], more: &[&str]) -> Result<String, String> {
        let bin = std::env::var("MILLPOND_PG_BIN")
            .expect("MILLPOND_PG_BIN must be the folder of PostgreSQL's programs, as `./dev test` sets it");
        let program = PathBuf::from(bin).join(program);
        let mut command = match &self.account {
            Some(account) => {
                let mut command = Command::new("runuser");
                command.args(["-u", account, "--"]).arg(program);
                command
            }
            None => Command::new(program),
        };
        try_output(command.args(arguments).arg(self.data()).args(more).current_dir("/"))
    }

    /// Starts the stopped server again and waits until it answers.
    pub(crate) fn restart(&self) {
        self.try_restart().unwrap_or_else(|text| panic!("pg_ctl: {text}"));
    }

    fn try_restart(&self) -> Result<String, String> {
        let options = format!("-p {} -k {} -h 127.0.0.1", self.port, self.folder.path().display());
        let log = self.log_file().display().to_string();
        self.try_run("pg_ctl", &["-w", "-o", &options, "-l", &log, "-D"], &["start"])
    }

    pub(crate) fn stop(&mut self, mode: StopMode) {
        let mode = match mode {
            StopMode::Fast => "fast",
            StopMode::Immediate => "immediate",
        };
        self.run("pg_ctl", &["-w", "-m", mode, "-D"], &["stop"]);
    }

    /// Returns the process id of the postmaster, if it has left one.
    fn postmaster(&self) -> Option<String> {
        let text = std::fs::read_to_string(self.data().join("postmaster.pid")).ok()?;
        text.lines().next().map(str::to_owned)
    }

    /// Says whether the postmaster lives.
    pub(crate) fn is_alive(&self) -> bool {
        self.postmaster().is_some_and(|pid| PathBuf::from("/proc").join(pid).exists())
    }

    /// Kills the postmaster; its backends notice and end.
    pub(crate) fn kill(&self) {
        let pid = self.postmaster().expect("a running server");
        kill(&pid);
        wait_until("the postmaster is gone", Duration::from_secs(10), || !self.is_alive());
    }

    /// Starts a server that was killed, as soon as the last of its processes is gone.
    pub(crate) fn restart_after_kill(&self) {
        let begun = Instant::now();
        while let Err(text) = self.try_restart() {
            assert!(begun.elapsed() < Duration::from_secs(60), "{text}");
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    /// Returns what the server has logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }
}

impl Drop for OwnPostgres {
    fn drop(&mut self) {
        if self.is_alive() {
            self.stop(StopMode::Immediate);
        }
    }
}

/// Kills a process of this test's server.
pub(crate) fn kill(pid: &str) {
    output(Command::new("kill").args(["-9", pid]));
}

fn output(command: &mut Command) -> String {
    try_output(command).unwrap_or_else(|text| panic!("{command:?}: {text}"))
}

fn try_output(command: &mut Command) -> Result<String, String> {
    // A server inherits what it is started with; pipes would keep `output` waiting for it.
    let out = tempfile::tempfile().expect("file");
    let status =
        command.stdout(out.try_clone().expect("file")).stderr(out.try_clone().expect("file")).status();
    let mut text = String::new();
    let mut out = out;
    std::io::Seek::rewind(&mut out).expect("rewind");
    std::io::Read::read_to_string(&mut out, &mut text).expect("read");
    let text = text.trim().to_owned();
    if status.expect("command").success() { Ok(text) } else { Err(text) }
}
