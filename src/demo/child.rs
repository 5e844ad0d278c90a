//! The process under test: `millpond run` as a child that cannot outlive the demo.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::environment::{foreign, variables};
use super::error::DemoError;
use super::plan::Plan;

/// How often an ending child is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// How long a child may take to end when the demo fails or is interrupted, before it is killed.
const GRACE: Duration = Duration::from_secs(10);

/// Bytes of the log's end that are shown.
const TAIL_BYTES: u64 = 4_000;

/// Lines of the log's end that are shown.
const TAIL_LINES: usize = 20;

/// A running `millpond run`; dropping it stops it.
#[derive(Debug)]
pub(super) struct Processor {
    child: Child,
    is_over: bool,
    log: PathBuf,
    address: SocketAddr,
}

impl Processor {
    /// Starts the child; what it prints is appended to a log in the demo's folder.
    pub(super) fn start(plan: &Plan) -> Result<Self, DemoError> {
        let log = plan.folder.join("processor.log");
        let file_error = |source| DemoError::File { path: log.clone(), source };
        let out = OpenOptions::new().create(true).append(true).open(&log).map_err(file_error)?;
        let errors = out.try_clone().map_err(file_error)?;
        let refused = |source| DemoError::System { what: "starting millpond run", source };
        let mut command = Command::new(std::env::current_exe().map_err(refused)?);
        for name in foreign(std::env::vars_os().map(|(name, _)| name)) {
            command.env_remove(name);
        }
        command
            .arg("run")
            .envs(variables(&plan.config))
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(errors)
            // Ctrl-C in the terminal is for the demo, which then ends the child in its own way.
            .process_group(0);
        let child = command.spawn().map_err(refused)?;
        Ok(Self { child, is_over: false, log, address: plan.config.http.listen })
    }

    /// Returns the process id.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns where it answers HTTP.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns its log.
    pub(super) fn log(&self) -> PathBuf {
        self.log.clone()
    }

    /// Returns the log's last lines.
    pub(super) fn tail(&self) -> String {
        tail(&self.log).unwrap_or_else(|error| format!("(it cannot be read: {error})"))
    }

    /// Fails when the child has ended by itself.
    pub(super) fn check(&mut self) -> Result<(), DemoError> {
        match self.ended()? {
            None => Ok(()),
            Some(status) => Err(DemoError::ChildEnded { status, log: self.log(), tail: self.tail() }),
        }
    }

    /// Kills it as the out-of-memory killer would, and returns when it is gone.
    pub(super) fn kill(&mut self) -> Result<(), DemoError> {
        let waiting = |source| DemoError::System { what: "killing millpond run", source };
        self.child.kill().map_err(waiting)?;
        self.child.wait().map_err(waiting)?;
        self.is_over = true;
        Ok(())
    }

    /// Asks it to stop and waits for at most `limit`; returns how it ended, `None` when it had to be killed.
    pub(super) fn stop(mut self, limit: Duration) -> Result<Option<ExitStatus>, DemoError> {
        self.terminate()?;
        let ended = self.await_end(limit)?;
        Ok(ended)
    }

    /// Sends SIGTERM through the shell: the standard library has no safe call for it.
    fn terminate(&self) -> Result<(), DemoError> {
        let pid = self.child.id().to_string();
        let told = Command::new("/bin/sh").args(["-c", "kill -TERM \"$0\"", &pid]).status();
        // It may have ended meanwhile; how it ended says the rest.
        told.map(drop).map_err(|source| DemoError::System { what: "stopping millpond run", source })
    }

    fn await_end(&mut self, limit: Duration) -> Result<Option<ExitStatus>, DemoError> {
        let began = Instant::now();
        while began.elapsed() < limit {
            if let Some(status) = self.ended()? {
                return Ok(Some(status));
            }
            std::thread::sleep(LOOK);
        }
        Ok(None)
    }

    fn ended(&mut self) -> Result<Option<ExitStatus>, DemoError> {
        let looking = |source| DemoError::System { what: "looking after millpond run", source };
        let status = self.child.try_wait().map_err(looking)?;
        self.is_over = status.is_some();
        Ok(status)
    }
}

impl Drop for Processor {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let is_stopped = self.terminate().is_ok() && matches!(self.await_end(GRACE), Ok(Some(_)));
        if !is_stopped {
            // Nothing more can be done about a child that cannot even be killed.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn tail(log: &PathBuf) -> std::io::Result<String> {
    let mut file = File::open(log)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<_> = text.lines().rev().take(TAIL_LINES).collect();
    Ok(lines.into_iter().rev().collect::<Vec<_>>().join("\n"))
}
