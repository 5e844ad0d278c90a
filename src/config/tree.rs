//! The configuration as a tree of typed sections; defaults are here, units are in the types.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::Serialize;

use super::raw::RawSettings;
use super::value::{
    Backend, Brokers, CommitMode, Leave, Period, Poison, Replication, RoleSet, Secret, Size, Threads,
    TrimmedInput,
};

/// Partitions of the topics, unless told otherwise.
const PARTITIONS: u32 = 4;

macro_rules! section {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $kind:ty),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Serialize)]
        pub struct $name { $($(#[$field_doc])* pub $field: $kind),+ }
    };
}

section! {
    /// Everything that can be set. Each field is the key of its name; `millpond config show` lists them.
    Config {
        /// The application.
        app: App,
        /// This process.
        instance: Instance,
        /// The brokers and what is handed to librdkafka.
        kafka: Kafka,
        /// What this process is willing to run.
        roles: RoleSet,
        /// Stream threads.
        threads: Threads,
        /// Local state.
        state: State,
        /// The topics, by what they carry.
        topics: Topics,
        /// Fetching.
        fetch: Fetch,
        /// The PostgreSQL sink.
        sink: Sink,
        /// Records that cannot be understood.
        on_poison: OnPoison,
        /// When transactions are committed.
        commit: Commit,
        /// Bounds of a transaction.
        transaction: Transaction,
        /// The consumer group.
        membership: Members,
        /// Stopping.
        shutdown: Shutdown,
        /// Health, metrics and status.
        http: Http,
        /// The first start of an application.
        start: Start,
        /// What record timestamps are believed.
        timestamp: Timestamp,
    }
}

section! {
    /// The application.
    App {
        /// Consumer group id and prefix of the names of internal topics and transactional ids.
        id: String,
    }
}

section! {
    /// This process.
    Instance {
        /// Static member id (KIP-345). None: a UUID kept in the state directory, and a dynamic member.
        id: Option<String>,
    }
}

section! {
    /// The brokers and what is handed to librdkafka.
    Kafka {
        /// Bootstrap servers.
        brokers: Brokers,
        /// Raw keys for every consumer.
        consumer: RawSettings,
        /// Raw keys for every producer.
        producer: RawSettings,
    }
}

section! {
    /// Local state.
    State {
        /// Folder of this host's stores; one per process.
        dir: PathBuf,
        /// Block cache, write buffers and stores held in memory, together.
        memory_budget: Size,
        /// Longest time that applied rows stay in memory only.
        flush_interval: Period,
        /// Most rows that stay in memory only, per task.
        flush_rows: u64,
    }
}

section! {
    /// The topics, by what they carry.
    Topics {
        /// Orders in.
        orders: Topic,
        /// Account commands in.
        commands: Topic,
        /// Account events out.
        accounts: Topic,
        /// Dead letters out.
        deadletter: Topic,
        /// The changelogs, whose names and partitions follow from the topology.
        changelog: Changelog,
    }
}

section! {
    /// One topic.
    Topic {
        /// Its name.
        name: String,
        /// Its partitions, as created and as checked at start.
        partitions: u32,
        /// Its replicas when created.
        replication: Replication,
    }
}

section! {
    /// The changelog topics.
    Changelog {
        /// Their replicas when created.
        replication: Replication,
    }
}

section! {
    /// Fetching.
    Fetch {
        /// Bytes fetched and not yet read of a partition from which on no more of it is fetched.
        queue_bytes: Size,
    }
}

section! {
    /// The PostgreSQL sink.
    Sink {
        /// The database.
        postgres: Postgres,
        /// Most rows per database transaction.
        batch_rows: u32,
    }
}

section! {
    /// The database.
    Postgres {
        /// Connection URL, `postgres://user:password@host/database`.
        url: Option<Secret>,
    }
}

section! {
    /// What becomes of records that cannot be understood, by input topic.
    OnPoison {
        /// Of orders.
        orders: Poison,
        /// Of account commands.
        commands: Poison,
    }
}

section! {
    /// When a transaction is committed: whatever comes first.
    Commit {
        /// Longest time a transaction is filled.
        interval: Period,
        /// Throughput or latency.
        mode: CommitMode,
        /// Most input rows per transaction.
        rows: u64,
        /// Most output bytes per transaction.
        bytes: Size,
    }
}

section! {
    /// Bounds of a transaction.
    Transaction {
        /// Time after which the broker aborts a transaction that nobody ends.
        timeout: Period,
    }
}

section! {
    /// The consumer group.
    Members {
        /// Silence after which the group gives this process's tasks to others.
        session_timeout: Period,
        /// Time between heartbeats, at most a third of the session.
        heartbeat_interval: Period,
        /// Whether the group is left when the process stops.
        leave: Leave,
        /// The group protocol.
        backend: Backend,
    }
}

section! {
    /// Stopping.
    Shutdown {
        /// Longest time from SIGTERM to the end of the process.
        timeout: Period,
    }
}

section! {
    /// Health, metrics and status.
    Http {
        /// Where they listen; port 0 takes a free one.
        listen: SocketAddr,
    }
}

section! {
    /// Where an application starts.
    Start {
        /// Whether it may go on where input records were deleted before they were read.
        trimmed_input: TrimmedInput,
    }
}

section! {
    /// What record timestamps are believed.
    Timestamp {
        /// A record further ahead of this host's clock is a dead letter.
        max_ahead: Period,
    }
}

impl Topic {
    fn named(name: &str) -> Self {
        Self { name: name.to_owned(), partitions: PARTITIONS, replication: Replication::Broker }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            app: App { id: "ledger-accounts".to_owned() },
            instance: Instance { id: None },
            kafka: Kafka {
                brokers: Brokers::local(),
                consumer: RawSettings::default(),
                producer: RawSettings::default(),
            },
            roles: RoleSet(millpond_membership::Roles::all()),
            threads: Threads::Auto,
            state: State {
                dir: PathBuf::from("./millpond-data"),
                memory_budget: Size::from_mib(256),
                flush_interval: Period::from_secs(10),
                flush_rows: 250_000,
            },
            topics: Topics {
                orders: Topic::named("order.events"),
                commands: Topic::named("account.commands"),
                accounts: Topic::named("account.events"),
                deadletter: Topic::named("deadletter.events"),
                changelog: Changelog { replication: Replication::Broker },
            },
            fetch: Fetch { queue_bytes: Size::from_mib(16) },
            sink: Sink { postgres: Postgres { url: None }, batch_rows: 1_000 },
            on_poison: OnPoison { orders: Poison::Dlq, commands: Poison::Dlq },
            commit: Commit {
                interval: Period::from_ms(100),
                mode: CommitMode::Throughput,
                rows: 50_000,
                bytes: Size::from_mib(32),
            },
            transaction: Transaction { timeout: Period::from_secs(10) },
            membership: Members {
                session_timeout: Period::from_secs(6),
                heartbeat_interval: Period::from_ms(500),
                leave: Leave::Auto,
                backend: Backend::Classic,
            },
            shutdown: Shutdown { timeout: Period::from_secs(30) },
            http: Http { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 9464)) },
            start: Start { trimmed_input: TrimmedInput::Refuse },
            timestamp: Timestamp { max_ahead: Period::from_secs(24 * 3_600) },
        }
    }
}
