//! One broker as a process.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Lines of a log that are shown.
const LAST_LINES: usize = 25;

/// Whom the brokers run as: themselves a risk to nobody, yet a test server has no need to be root.
#[derive(Debug, Clone)]
pub(super) struct Account(Option<String>);

impl Account {
    /// Returns the account of the tests' servers, when the tests run as root.
    pub(super) fn of_servers() -> Self {
        let is_root = said(Command::new("id").arg("-u")) == "0";
        let set = || std::env::var("MILLPOND_TEST_ACCOUNT").unwrap_or_else(|_| "postgres".to_owned());
        Self(is_root.then(set))
    }

    /// Gives it a folder with all that is in it.
    pub(super) fn own(&self, folder: &Path) {
        if let Some(account) = &self.0 {
            said(Command::new("chown").arg("-R").arg(account).arg(folder));
        }
    }

    /// Returns a command that ends with the thread that starts it and becomes `program`, its pid included.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]);
        if let Some(account) = &self.0 {
            let group = said(Command::new("id").args(["-g", account]));
            command.args(["--reuid", account, "--regid", &group, "--init-groups", "--inh-caps=-all"]);
        }
        command.arg(program);
        command
    }
}

/// A broker, whether it runs or not.
#[derive(Debug)]
pub(super) struct Broker {
    id: i32,
    port: u16,
    folder: PathBuf,
    account: Account,
    child: Option<Child>,
    is_frozen: bool,
}

impl Broker {
    /// Returns a broker that does not run; `folder` holds its `server.properties`.
    pub(super) fn new(id: i32, port: u16, folder: PathBuf, account: &Account) -> Self {
        Self { id, port, folder, account: account.clone(), child: None, is_frozen: false }
    }

    pub(super) fn id(&self) -> i32 {
        self.id
    }

    pub(super) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Says whether it can answer.
    pub(super) fn is_running(&self) -> bool {
        self.child.is_some() && !self.is_frozen
    }

    pub(super) fn start(&mut self) {
        assert!(self.child.is_none(), "broker {} runs already", self.id);
        let log = File::options().create(true).append(true).open(self.log());
        let log = log.unwrap_or_else(|error| panic!("{}: {error}", self.log().display()));
        let errors = log.try_clone().unwrap_or_else(|error| panic!("log: {error}"));
        let mut command = self.account.command(&java());
        command.args(["-Xms64m", "-Xmx384m"]).args(JVM).arg(logging(&self.folder)).args(["-cp", &jars()]);
        command.arg("kafka.Kafka").arg(self.folder.join("server.properties")).current_dir(&self.folder);
        let child = command.stdin(Stdio::null()).stdout(log).stderr(errors).spawn();
        self.child = Some(child.unwrap_or_else(|error| panic!("broker {}: {error}", self.id)));
    }

    pub(super) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        self.is_frozen = false;
    }

    /// Sends STOP or CONT.
    pub(super) fn signal(&mut self, signal: &str) {
        let pid = self.child.as_ref().unwrap_or_else(|| panic!("broker {} does not run", self.id)).id();
        said(Command::new("kill").args([&format!("-{signal}"), &pid.to_string()]));
        self.is_frozen = signal == "STOP";
    }

    /// Says so when it has ended by itself.
    pub(super) fn ended(&mut self) -> Option<String> {
        let status = self.child.as_mut()?.try_wait().ok()??;
        Some(format!("{status}\n{}", self.last_lines()))
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    pub(super) fn last_lines(&self) -> String {
        let text = std::fs::read(self.log()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let lines: Vec<_> = text.lines().collect();
        let last = lines.get(lines.len().saturating_sub(LAST_LINES)..).unwrap_or_default();
        format!("broker {} said last:\n{}", self.id, last.join("\n"))
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
    }
}

/// One compiler and one collector thread: starting is most of what these brokers do.
const JVM: [&str; 3] = ["-Xshare:auto", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"];

fn logging(folder: &Path) -> String {
    format!("-Dlog4j2.configurationFile={}", folder.join("log4j2.properties").display())
}

fn java() -> String {
    std::env::var("MILLPOND_JAVA").unwrap_or_else(|_| "java".to_owned())
}

fn jars() -> String {
    let lib = std::env::var("MILLPOND_KAFKA_LIB");
    let lib = lib.unwrap_or_else(|_| panic!("MILLPOND_KAFKA_LIB is not set: run the tests by `./dev test`"));
    format!("{lib}/*")
}

/// Runs one of Kafka's tools to its end and returns what it said.
pub(super) fn tool(folder: &Path, class: &str, args: &[&str]) -> String {
    let mut command = Command::new(java());
    command.args(JVM).arg(logging(folder)).args(["-cp", &jars(), class]).args(args);
    said(&mut command)
}

/// Runs a command that must succeed, and returns what it said.
fn said(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text.trim().to_owned()
}
