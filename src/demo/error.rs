//! What can stop the demo, each with its cure.

use std::path::PathBuf;

use millpond_oracle::OracleError;
use millpond_topology::TopologyError;
use rdkafka::error::KafkaError;

use crate::load::LoadError;
use crate::sink::MigrateError;
use crate::topics::TopicsError;

/// Why the demo did not reach its proof.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// No database was named.
    #[error(
        "the demo needs a PostgreSQL: run ./dev demo, which starts one, or name yours in \
         MILLPOND_SINK__POSTGRES__URL=postgres://user:password@host/database (the user must be allowed to create \
         databases)"
    )]
    NoPostgres,
    /// The database's URL is not one.
    #[error("the URL of PostgreSQL must look like postgres://user:password@host/database")]
    PostgresUrl,
    /// PostgreSQL refused or did not answer.
    #[error("PostgreSQL, {during}: {source}; is it running, and may the user create databases?")]
    Postgres {
        /// What was being done.
        during: &'static str,
        /// The driver's answer.
        source: sqlx::Error,
    },
    /// The schema could not be made.
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    /// Kafka refused or did not answer.
    #[error("Kafka at {brokers}, {during}: {source}; is the broker running?")]
    Kafka {
        /// Bootstrap addresses.
        brokers: String,
        /// What was being done.
        during: &'static str,
        /// The client's answer.
        source: KafkaError,
    },
    /// The topics could not be made.
    #[error(transparent)]
    Topics(#[from] TopicsError),
    /// The topology could not be built.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// The orders could not be written.
    #[error("writing load: {0}")]
    Load(#[from] LoadError),
    /// A file or folder of the demo could not be used.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// Another demo uses the folder.
    #[error("another demo is running in {}; wait for it, or choose another state.dir", folder.display())]
    Busy {
        /// The demos' folder.
        folder: PathBuf,
    },
    /// The system refused something.
    #[error("{what}: {source}")]
    System {
        /// What was asked for.
        what: &'static str,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The child ended by itself.
    #[error("millpond run ended by itself ({status}); the end of {}:\n{tail}", log.display())]
    ChildEnded {
        /// How it ended.
        status: std::process::ExitStatus,
        /// Its log.
        log: PathBuf,
        /// The log's last lines.
        tail: String,
    },
    /// Nothing moved for too long.
    #[error("nothing has moved for {seconds} s while waiting for {what}; the end of {}:\n{tail}", log.display())]
    Stalled {
        /// What was waited for.
        what: &'static str,
        /// How long.
        seconds: u64,
        /// The child's log.
        log: PathBuf,
        /// The log's last lines.
        tail: String,
    },
    /// Everything was committed before the moment to kill came.
    #[error(
        "every order was committed before the kill could hit uncommitted ones: the demo proves nothing; \
         try more --orders or a smaller --kill-at"
    )]
    NothingToKill,
    /// The judge could not judge.
    #[error("the oracle: {0}")]
    Oracle(#[from] OracleError),
    /// The user interrupted.
    #[error("interrupted; everything that was started is stopped")]
    Interrupted,
}

impl DemoError {
    /// Returns the process's exit code: 4 for a precondition, 130 when interrupted, else 1.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NoPostgres
            | Self::PostgresUrl
            | Self::Postgres { .. }
            | Self::Kafka { .. }
            | Self::Busy { .. } => 4,
            Self::Interrupted => 130,
            _ => 1,
        }
    }
}
