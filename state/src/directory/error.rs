//! What can be wrong with a state directory, each with its cure.

use std::io;
use std::path::PathBuf;

/// Says why a state directory cannot be used. Nothing in it is changed or wiped.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// Another live process uses it.
    #[error(
        "{path} is in use by process {pid} on {host}: stop that process, or give this one a state.dir of \
         its own"
    )]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// Its owner's process id; `?` when the owner has not written it yet.
        pid: String,
        /// Its owner's host.
        host: String,
    },
    /// It was deleted or replaced under the process that uses it.
    #[error(
        "{path} was deleted or replaced under this process, and its stores with it: see who does that, and start \
         again; nothing is lost, the changelog restores them"
    )]
    Gone {
        /// The directory.
        path: PathBuf,
    },
    /// It belongs to another application.
    #[error(
        "{path} belongs to application `{found}`, not `{expected}`: use another state.dir, or set app.id = \
         \"{found}\""
    )]
    OtherApp {
        /// The instance file.
        path: PathBuf,
        /// Application in the file.
        found: String,
        /// Application that runs.
        expected: String,
    },
    /// A newer program wrote it.
    #[error(
        "{path} has format version {found}, this program knows {known}: run the program that wrote it, or a \
         newer one"
    )]
    Version {
        /// The instance file.
        path: PathBuf,
        /// Version in the file.
        found: u64,
        /// Version that this program writes.
        known: u64,
    },
    /// The instance file is not what this program writes.
    #[error(
        "{path} cannot be read as an instance file ({why}): put it back from a copy; it lists the \
         transactional ids that must be fenced, so it is not made anew"
    )]
    Malformed {
        /// The instance file.
        path: PathBuf,
        /// What was found.
        why: String,
    },
    /// The configured instance id has characters that Kafka does not take.
    #[error("instance.id `{id}` is not allowed: use 1 to 100 of [a-zA-Z0-9._-]")]
    InstanceId {
        /// The id.
        id: String,
    },
    /// An output topic is not the one that this instance wrote to.
    #[error(
        "output topic {topic} was re-created since this instance last ran: the events before are gone for whoever had not \
         read them; the state here is whole. Once its readers know (a sink in PostgreSQL needs an empty database: createdb, \
         then `millpond migrate`), delete the line of {topic} from outputTopics in {path} and start again: new events go to \
         the new topic"
    )]
    OutputRecreated {
        /// The instance file.
        path: PathBuf,
        /// The topic.
        topic: String,
    },
    /// It cannot be created or written.
    #[error(
        "{path} cannot be written: {source}: make state.dir writable for this user, on a disk with space"
    )]
    Unwritable {
        /// The file or directory.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// It cannot be read.
    #[error("{path} cannot be read: {source}: make state.dir readable for this user")]
    Unreadable {
        /// The file or directory.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

impl DirectoryError {
    pub(super) fn unwritable(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Unwritable { path, source }
    }

    pub(super) fn unreadable(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Unreadable { path, source }
    }
}
