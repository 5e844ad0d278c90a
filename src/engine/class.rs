//! Error classes by what the engine must do.

/// What an error of a transactional call means for the engine. `kafka::errors` holds the one table that assigns them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Make the same call again.
    Retriable,
    /// Abort the transaction, redo it from memory.
    Abortable,
    /// The producer instance is finished, a new one with the same transactional id goes on.
    RestartProducer,
    /// A newer producer with the same transactional id exists.
    Fenced,
    /// This process is no member of the group any more: abort and drop, never redo.
    Lost,
    /// A record itself is refused (too large, bad timestamp): redo in halves until one record remains.
    Record,
    /// Nothing can be proven: the process stops.
    Stop,
}
