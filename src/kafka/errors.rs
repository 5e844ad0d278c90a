//! The one table that classes errors by what the engine must do.
//!
//! Sources: `notes` measured on Kafka 4.3.1 with librdkafka 2.12.1, KIP-447, KIP-1050.

use millpond_mutants::{Mutant, is};

use super::ffi::{CallError, code};
use crate::engine::Class;

/// Returns what an error of a transactional call or a delivery means for the engine.
#[must_use]
pub fn classify(error: &CallError) -> Class {
    match error.code {
        // FENCED_INSTANCE_ID: another live process uses this instance id.
        82 => Class::Stop,
        // UNKNOWN_MEMBER_ID: the group threw this process out; what it did since must not be redone.
        25 if is(Mutant::UnknownMemberReplayed) => Class::Abortable,
        25 => Class::Lost,
        // TOPIC_, GROUP_, CLUSTER_, TRANSACTIONAL_ID_AUTHORIZATION_FAILED, UNSUPPORTED_VERSION.
        29 | 30 | 31 | 53 | 35 => Class::Stop,
        // _FENCED, PRODUCER_FENCED, INVALID_PRODUCER_EPOCH: a newer producer with this transactional id.
        code::FENCED | 90 | 47 => Class::Fenced,
        // MSG_SIZE_TOO_LARGE, RECORD_LIST_TOO_LARGE, INVALID_TIMESTAMP, INVALID_RECORD: the record itself.
        10 | 18 | 32 | 87 => Class::Record,
        // One beside it in its batch is: redone as it is, the batch would be refused for ever.
        code::INVALID_DIFFERENT_RECORD => Class::Record,
        // ILLEGAL_GENERATION: normal in a rebalance.
        22 => Class::Abortable,
        _ if error.fatal => Class::RestartProducer,
        _ if error.abortable => Class::Abortable,
        _ if error.retriable => Class::Retriable,
        // Unflagged: librdkafka's own advice is to replace the instance.
        _ => Class::RestartProducer,
    }
}

/// Says whether a failed delivery is only the trace of an abort.
#[must_use]
pub(crate) fn is_purge(failed: i32) -> bool {
    matches!(failed, code::PURGE_QUEUE | code::PURGE_INFLIGHT)
}

/// Says whether an error of a fetch means that records are skipped or cannot be read: going on would lose them.
#[must_use]
pub fn loses_records(failed: i32) -> bool {
    matches!(failed, code::BAD_MSG | code::BAD_COMPRESSION | code::NOT_IMPLEMENTED | code::MSG_SIZE_TOO_LARGE)
}

/// Says whether an answer means that a partition has another leader, or another term of its leader, than was known.
#[must_use]
pub(crate) fn leads_elsewhere(failed: i32) -> bool {
    // LEADER_NOT_AVAILABLE, NOT_LEADER_OR_FOLLOWER, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH.
    matches!(failed, 5 | 6 | 74 | 75)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(found: i32, flags: (bool, bool, bool)) -> CallError {
        let (fatal, retriable, abortable) = flags;
        CallError { fatal, retriable, abortable, ..CallError::plain(found, String::new()) }
    }

    #[test]
    fn named_codes_win_over_flags_and_flags_over_nothing() {
        let none = (false, false, false);
        let abortable = (false, false, true);
        for (found, flags, want) in [
            (82, abortable, Class::Stop),
            (25, abortable, Class::Lost),
            (22, abortable, Class::Abortable),
            (-144, (true, false, false), Class::Fenced),
            (90, abortable, Class::Fenced),
            (10, abortable, Class::Record),
            (-138, abortable, Class::Record),
            (53, (true, false, false), Class::Stop),
            (48, (true, false, false), Class::RestartProducer),
            (-185, (false, true, false), Class::Retriable),
            (-195, none, Class::RestartProducer),
        ] {
            assert_eq!(classify(&error(found, flags)), want, "code {found}");
        }
    }
}
