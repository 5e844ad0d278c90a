//! A PostgreSQL server of a test's own, to be stopped and started.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;

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
        let folder = tempfile::Builder::new().prefix("millpond-postgres-").tempdir().expect("folder");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
        let is_root = output(Command::new("id").arg("-u")) == "0";
        let account =
            is_root.then(|| std::env::var("MILLPOND_TEST_ACCOUNT").unwrap_or_else(|_| "postgres".to_owned()));
        if let Some(account) = &account {
            output(Command::new("chown").arg(account).arg(folder.path()));
        }
        let server = Self { folder, port, account };
        server.run("initdb", &["-A", "trust", "-U", "postgres", "-N", "-D"], &[]);
        server.restart();
        server
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn run(&self, program: &str, arguments: &[&str], more: &[&str]) {
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
        output(command.args(arguments).arg(self.data()).args(more).current_dir("/"));
    }

    /// Starts the stopped server again and waits until it answers.
    pub(crate) fn restart(&self) {
        let options = format!("-p {} -k {} -h 127.0.0.1", self.port, self.folder.path().display());
        let log = self.folder.path().join("data/log");
        self.run("pg_ctl", &["-w", "-o", &options, "-l", &log.display().to_string(), "-D"], &["start"]);
    }

    pub(crate) fn stop(&mut self, mode: StopMode) {
        let mode = match mode {
            StopMode::Fast => "fast",
            StopMode::Immediate => "immediate",
        };
        self.run("pg_ctl", &["-w", "-m", mode, "-D"], &["stop"]);
    }

    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }
}

impl Drop for OwnPostgres {
    fn drop(&mut self) {
        if self.data().join("postmaster.pid").exists() {
            self.stop(StopMode::Immediate);
        }
    }
}

fn output(command: &mut Command) -> String {
    // A server inherits what it is started with; pipes would keep `output` waiting for it.
    let out = tempfile::tempfile().expect("file");
    let status =
        command.stdout(out.try_clone().expect("file")).stderr(out.try_clone().expect("file")).status();
    let mut text = String::new();
    let mut out = out;
    std::io::Seek::rewind(&mut out).expect("rewind");
    std::io::Read::read_to_string(&mut out, &mut text).expect("read");
    assert!(status.expect("command").success(), "{command:?}: {text}");
    text.trim().to_owned()
}
