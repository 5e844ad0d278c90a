//! One application of its own: topics, application id, database, state directories.

use std::fs::File;
use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

static WORLDS: AtomicU32 = AtomicU32::new(0);

fn required(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run the tests by `./dev test`"))
}

/// An application that nothing else uses.
pub(crate) struct World {
    pub(crate) app: String,
    pub(crate) brokers: String,
    pub(crate) postgres: String,
    pub(crate) dir: tempfile::TempDir,
    extra: Vec<(String, String)>,
}

impl World {
    /// Creates topics, database and schema.
    pub(crate) fn new(name: &str) -> Self {
        Self::with(name, &[])
    }

    /// As `new`, with further configuration for every command.
    pub(crate) fn with(name: &str, extra: &[(&str, &str)]) -> Self {
        Self::on(&required("MILLPOND_TEST_BROKERS"), name, extra)
    }

    /// As `with`, on brokers of the test's own.
    pub(crate) fn on(brokers: &str, name: &str, extra: &[(&str, &str)]) -> Self {
        Self::on_servers((brokers, &required("MILLPOND_TEST_POSTGRES")), name, extra)
    }

    /// As `with`, on brokers and a PostgreSQL of the test's own.
    pub(crate) fn on_servers(servers: (&str, &str), name: &str, extra: &[(&str, &str)]) -> Self {
        Self::bare(servers, name, extra).prepared()
    }

    fn prepared(self) -> Self {
        self.ok(&["topics", "init", "--execute"]);
        self.ok(&["migrate"]);
        self
    }

    fn bare((brokers, server): (&str, &str), name: &str, extra: &[(&str, &str)]) -> Self {
        let millis = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        let number = WORLDS.fetch_add(1, Ordering::SeqCst);
        let app = format!("{name}-{}-{millis}-{number}", std::process::id());
        let database = app.replace('-', "_");
        let (base, _) = server.rsplit_once('/').unwrap_or_else(|| panic!("no database in {server}"));
        let created = Command::new("psql")
            .args([
                "-X",
                "-q",
                "-v",
                "ON_ERROR_STOP=1",
                "-d",
                server,
                "-c",
                &format!("CREATE DATABASE {database}"),
            ])
            .output()
            .unwrap_or_else(|error| panic!("psql: {error}"));
        assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stderr));
        Self {
            app,
            brokers: brokers.to_owned(),
            postgres: format!("{base}/{database}"),
            dir: tempfile::tempdir().unwrap_or_else(|error| panic!("temporary directory: {error}")),
            extra: extra.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        }
    }

    /// Returns the sum of the offsets that the sink has written to the database.
    pub(crate) fn sink_offsets(&self) -> i64 {
        let own = self.extra.iter().find(|(key, _)| key == "MILLPOND_SINK__POSTGRES__URL");
        let url = own.map_or(&self.postgres, |(_, url)| url);
        let query = "SELECT coalesce(sum(next_offset), 0) FROM sink_offsets";
        let output = Command::new("psql").args(["-X", "-q", "-A", "-t", "-d", url, "-c", query]).output();
        let output = output.unwrap_or_else(|error| panic!("psql: {error}"));
        // A server that is down or starts is asked again.
        String::from_utf8_lossy(&output.stdout).trim().parse().unwrap_or(-1)
    }

    /// Returns a topic's name in this world.
    pub(crate) fn topic(&self, name: &str) -> String {
        format!("{}.{name}", self.app)
    }

    /// Returns the name of the changelog.
    pub(crate) fn changelog(&self) -> String {
        format!("{}.accounts.changelog", self.app)
    }

    /// Returns the state directory of an instance (the parent of `<app>`).
    pub(crate) fn state(&self, instance: &str) -> PathBuf {
        self.dir.path().join(instance)
    }

    /// Returns a command of the binary with this world's configuration.
    pub(crate) fn command(&self, instance: &str, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_millpond"));
        let set = [
            ("MILLPOND_APP__ID", self.app.clone()),
            ("MILLPOND_KAFKA__BROKERS", self.brokers.clone()),
            ("MILLPOND_TOPICS__ORDERS__NAME", self.topic("order.events")),
            ("MILLPOND_TOPICS__COMMANDS__NAME", self.topic("account.commands")),
            ("MILLPOND_TOPICS__ACCOUNTS__NAME", self.topic("account.events")),
            ("MILLPOND_TOPICS__DEADLETTER__NAME", self.topic("deadletter.events")),
            ("MILLPOND_SINK__POSTGRES__URL", self.postgres.clone()),
            ("MILLPOND_STATE__DIR", self.state(instance).display().to_string()),
            ("MILLPOND_HTTP__LISTEN", "127.0.0.1:0".to_owned()),
        ];
        command.envs(set).env_remove("RUST_LOG").env_remove("FAILPOINTS").args(args).stdin(Stdio::null());
        command.envs(self.extra.iter().map(|(key, value)| (key, value)));
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command("none", args).output().unwrap_or_else(|error| panic!("{args:?}: {error}"))
    }

    /// Runs a command that must succeed, and returns what it printed.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "{args:?}: {}\n{stdout}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        stdout
    }

    /// Writes a load; `args` are those of `millpond load`.
    pub(crate) fn load(&self, args: &[&str]) {
        self.ok(&[&["load"], args].concat());
    }

    /// Starts a load in the background; [`World::load_errors`] has what it says of errors.
    pub(crate) fn start_load(&self, args: &[&str]) -> Background {
        let errors = self.load_errors();
        let file = File::options().create(true).append(true).open(&errors);
        let file = file.unwrap_or_else(|error| panic!("{}: {error}", errors.display()));
        let mut command = self.command("none", &[&["load"], args].concat());
        command.stdout(Stdio::null()).stderr(file);
        Background(command.spawn().unwrap_or_else(|error| panic!("load: {error}")))
    }

    /// Returns the file of what the loads in the background say of errors.
    pub(crate) fn load_errors(&self) -> PathBuf {
        self.dir.path().join("loads.stderr")
    }

    /// Lets the oracle judge; every check must have passed. `instances` are those whose stores are compared.
    pub(crate) fn verify(&self, instances: &[&str]) {
        let mut args = vec!["verify".to_owned()];
        let (first, rest) = instances.split_first().unwrap_or_else(|| panic!("no instance"));
        for instance in rest {
            args.extend(["--state-dir".to_owned(), self.state(instance).display().to_string()]);
        }
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let output = self.command(first, &args).output().unwrap_or_else(|error| panic!("verify: {error}"));
        let stdout = String::from_utf8_lossy(&output.stdout);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "the oracle objects ({}):\n{stdout}\n{stderr}", output.status);
    }
}

/// A process that ends with its test, however that ends.
pub(crate) struct Background(Child);

impl Deref for Background {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.0
    }
}

impl DerefMut for Background {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = (self.0.kill(), self.0.wait());
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let kept =
                std::mem::replace(&mut self.dir, tempfile::tempdir().unwrap_or_else(|e| panic!("{e}")));
            eprintln!("state and logs kept in {}", kept.keep().display());
        }
    }
}
