//! The table of keys: how each is named, read, shown and described.

use super::setting::Setting;
use super::tree::Config;

/// One key of the configuration.
pub struct Key {
    /// Its name, as in a file: `commit.interval`.
    pub name: &'static str,
    /// What it is, in a line.
    pub about: &'static str,
    /// Whether its value must not be seen.
    pub secret: bool,
    read: fn(&mut Config, &str) -> Result<(), String>,
    show: fn(&Config) -> Option<String>,
}

impl Key {
    /// Returns the key of this name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.name == name)
    }

    /// Returns the environment variable that sets it: `MILLPOND_COMMIT__INTERVAL`.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("MILLPOND_{}", self.name.to_ascii_uppercase().replace('.', "__"))
    }

    /// Sets the value in `config`.
    ///
    /// # Errors
    /// What the text should have been.
    pub(super) fn read(&self, config: &mut Config, text: &str) -> Result<(), String> {
        (self.read)(config, text)
    }

    /// Shows the value that `config` has, secrets redacted; `None` where nothing is set.
    #[must_use]
    pub fn show(&self, config: &Config) -> Option<String> {
        (self.show)(config)
    }
}

/// Tells whether the kind of what `_field` returns is a secret.
const fn is_secret<T: Setting>(_field: fn(&Config) -> &T) -> bool {
    T::SECRET
}

macro_rules! keys {
    ($($head:ident $(. $rest:ident)* : $about:literal;)+) => {
        /// Every key but the raw ones under `kafka.consumer` and `kafka.producer`, in the order they are
        /// shown.
        pub static KEYS: &[Key] = &[$(Key {
            name: concat!(stringify!($head) $(, ".", stringify!($rest))*),
            about: $about,
            secret: is_secret(|config| &config.$head$(.$rest)*),
            read: |config, text| {
                config.$head$(.$rest)* = Setting::read(text)?;
                Ok(())
            },
            show: |config| config.$head$(.$rest)*.show(),
        }),+];
    };
}

keys! {
    app.id: "consumer group id and prefix of the names of internal topics and transactional ids";
    instance.id: "static member id, stable over restarts; none: a UUID kept in state.dir, a dynamic member";
    kafka.brokers: "bootstrap servers, host:port, several separated by commas";
    roles: "what this process is willing to run: processor, sink or processor,sink";
    threads: "stream threads; auto: one per core, at most one per task";
    state.dir: "folder of the local stores; each process needs its own";
    state.memory_budget: "block cache, write buffers and stores held in memory, together";
    state.flush_interval: "longest time that applied rows stay in memory only";
    state.flush_rows: "most rows that stay in memory only, per task";
    topics.orders.name: "topic of orders";
    topics.orders.partitions: "its partitions; those of topics.commands must be as many";
    topics.orders.replication: "its replicas when created; broker: the broker's default";
    topics.commands.name: "topic of account commands";
    topics.commands.partitions: "its partitions";
    topics.commands.replication: "its replicas when created";
    topics.accounts.name: "topic of account events, the output";
    topics.accounts.partitions: "its partitions";
    topics.accounts.replication: "its replicas when created";
    topics.deadletter.name: "topic of records that could not be understood";
    topics.deadletter.partitions: "its partitions";
    topics.deadletter.replication: "its replicas when created";
    topics.changelog.replication: "replicas of changelog topics when created";
    fetch.queue_bytes: "bytes fetched and not yet read, per partition, from which on no more is fetched";
    sink.postgres.url: "connection URL of PostgreSQL, postgres://user:password@host/database";
    sink.batch_rows: "most rows per database transaction";
    on_poison.orders: "what becomes of an order that cannot be understood: dlq or stop";
    on_poison.commands: "what becomes of a command that cannot be understood: dlq or stop";
    commit.interval: "longest time a transaction is filled";
    commit.mode: "throughput, or latency: commit at once when nothing more is waiting";
    commit.rows: "most input rows per transaction";
    commit.bytes: "most output bytes per transaction";
    transaction.timeout: "time after which the broker aborts a transaction that nobody ends";
    membership.session_timeout: "silence after which the group gives this process's tasks to others";
    membership.heartbeat_interval: "time between heartbeats, at most a third of the session timeout";
    membership.leave: "leave the group when stopping: auto (dynamic leaves, static stays), always or never";
    membership.backend: "the group protocol";
    shutdown.timeout: "longest time from SIGTERM to the end of the process";
    http.listen: "where health, metrics and status are served; port 0 takes a free one";
    start.trimmed_input: "go on where input records were deleted before they were read: refuse or allow";
    timestamp.max_ahead: "a record further ahead of this host's clock is a dead letter";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_reads_back_as_itself() {
        let default = Config::default();
        for key in KEYS {
            let mut config = Config::default();
            if let Some(text) = key.show(&default) {
                key.read(&mut config, &text).unwrap();
            }
            assert_eq!(config, default, "{}", key.name);
        }
    }

    #[test]
    fn the_table_covers_the_whole_tree() {
        fn leaves(at: &str, value: &serde_json::Value, into: &mut Vec<String>) {
            match value {
                serde_json::Value::Object(fields) => {
                    for (name, inner) in fields {
                        leaves(&format!("{at}.{name}"), inner, into);
                    }
                }
                _ => into.push(at.trim_start_matches('.').to_owned()),
            }
        }
        let mut found = vec![];
        leaves("", &serde_json::to_value(Config::default()).unwrap(), &mut found);
        let mut named: Vec<_> = KEYS.iter().map(|key| key.name.to_owned()).collect();
        found.sort();
        named.sort();
        assert_eq!(found, named);
    }

    #[test]
    fn the_database_url_is_the_one_secret() {
        let secrets: Vec<_> = KEYS.iter().filter(|key| key.secret).map(|key| key.name).collect();
        assert_eq!(secrets, ["sink.postgres.url"]);
        let key = Key::find("sink.postgres.url").unwrap();
        assert_eq!(key.variable(), "MILLPOND_SINK__POSTGRES__URL");
    }
}
