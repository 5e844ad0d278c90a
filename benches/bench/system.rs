//! One application of its own, and the commands that work on it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};

/// An application that nothing else uses.
pub(crate) struct System {
    binary: PathBuf,
    app: String,
    dir: PathBuf,
    threads: u32,
    partitions: u32,
}

impl System {
    /// Names an application; brokers come from the environment as for every command.
    pub(crate) fn new(dir: &Path, threads: u32, partitions: u32) -> Result<Self> {
        let millis = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
        let dir = dir.join(format!("bench-{millis}"));
        std::fs::create_dir_all(&dir).with_context(|| dir.display().to_string())?;
        Self::existing(&dir, threads, partitions)
    }

    /// Returns the application that has its folder there; the folder is called like it.
    pub(crate) fn existing(dir: &Path, threads: u32, partitions: u32) -> Result<Self> {
        let binary = std::env::current_exe()?.with_file_name("millpond");
        if !binary.exists() {
            bail!("{} is not built; use ./dev bench", binary.display());
        }
        let app = dir.file_name().and_then(|name| name.to_str()).context("the folder has no name")?;
        Ok(Self { binary, app: app.to_owned(), dir: dir.to_owned(), threads, partitions })
    }

    /// Returns the directory of state and logs.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns a command of the binary with this application's configuration.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        let topic = |name: &str| format!("{}.{name}", self.app);
        let partitions = self.partitions.to_string();
        for (key, name) in [
            ("ORDERS", "order.events"),
            ("COMMANDS", "account.commands"),
            ("ACCOUNTS", "account.events"),
            ("DEADLETTER", "deadletter.events"),
        ] {
            command.env(format!("MILLPOND_TOPICS__{key}__NAME"), topic(name));
            command.env(format!("MILLPOND_TOPICS__{key}__PARTITIONS"), &partitions);
        }
        command
            .env("MILLPOND_APP__ID", &self.app)
            .env("MILLPOND_INSTANCE__ID", "bench")
            .env("MILLPOND_THREADS", self.threads.to_string())
            .env("MILLPOND_STATE__DIR", self.dir.join("state"))
            .env("MILLPOND_HTTP__LISTEN", "127.0.0.1:0")
            .args(args)
            .stdin(Stdio::null());
        command
    }

    /// Runs a command that must succeed; returns what it printed.
    pub(crate) fn ok(&self, args: &[&str]) -> Result<String> {
        let output =
            self.command(args).stderr(Stdio::piped()).output().with_context(|| format!("{args:?}"))?;
        if !output.status.success() {
            bail!("{args:?}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Starts the processor, its log going to `log` in the application's directory.
    pub(crate) fn start(&self, log: &str) -> Result<(Child, PathBuf)> {
        let path = self.dir.join(log);
        let file = std::fs::File::create(&path)?;
        let mut command = self.command(&["run", "--roles", "processor"]);
        let child = command.stdout(Stdio::null()).stderr(file).spawn().context("millpond run")?;
        Ok((child, path))
    }
}
