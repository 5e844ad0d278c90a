//! The wrong variants that a schedule can express, and what becomes of each.
//!
//! The switch sits where the rule is kept: in the engine, the task and the membership machine for most, in `driver`, `disk`
//! and `sql` where the product's runtime keeps it (those are [`Mutant::SIMULATED`]).

use millpond_mutants::Mutant;

use crate::executor::{MS, Micros};

/// Variants that break an invariant.
pub(crate) const FOUND: [Mutant; 22] = [
    Mutant::NoReplacement,
    Mutant::UnknownIsAborted,
    Mutant::UnknownIsCommitted,
    Mutant::AnyNonce,
    Mutant::NoAppliedCheck,
    Mutant::EmptyOffsets,
    Mutant::StableAsTarget,
    Mutant::NoRedo,
    Mutant::ApplyFirst,
    Mutant::MarkerBehind,
    Mutant::OffsetsOutside,
    Mutant::PartialBatch,
    Mutant::SinkWithoutSwap,
    Mutant::ReleaseForgotten,
    Mutant::ReportedReleased,
    Mutant::ChangesInChangelog,
    Mutant::OffsetAhead,
    Mutant::OverlayKept,
    Mutant::PromotedEarly,
    Mutant::PartialSaysAbsent,
    Mutant::UndoForgotten,
    Mutant::LetterLost,
];

/// A variant that costs reads and breaks nothing: the position is a lower bound, and after-images may be read again.
pub(crate) const REREAD: Mutant = Mutant::MetadataBehind;

/// Variants that cost transactions and break nothing: offsets are refused for an old generation more often. With the commit
/// interval that shows it.
pub(crate) const COSTLY: [(Mutant, Micros); 2] = [(Mutant::FenceAtBegin, 400 * MS), (Mutant::NoGate, MS)];

/// What restless schedules find: rules that stand behind each other. All of a line switched off break an invariant, any one
/// of them kept breaks none.
pub(crate) const TOGETHER: [(&[Mutant], &str); 6] = [
    (
        &[Mutant::NoSecondLook],
        "a process that was thrown out and does not know it may read offsets before and changelog after a transaction of the \
         owner",
    ),
    (
        &[Mutant::NoIncarnation, Mutant::ReleaseBeforeClosed],
        "a slow thread's task is given up, another process commits it and gives it back, the thread wakes: it is refused as \
         another acquisition, and it is not given up before its thread has closed it",
    ),
    (
        &[Mutant::CommitAfterLost, Mutant::LossKeepsTasks],
        "a loss ends what is open, and it takes tasks and fence away, so that nothing is sent",
    ),
    (
        &[Mutant::TargetFirst, Mutant::OffsetsBeforeFlush],
        "what a restore must read is in the changelog before the offsets that promise it: the stable offsets are read first, \
         and content is acknowledged before its offsets are sent",
    ),
    (
        &[Mutant::AdoptAtOnce, Mutant::PositionAtClose],
        "an answer counts when a later transaction with an accepted fence is applied, and a position is written with the rows \
         of such a transaction only",
    ),
    (
        &[Mutant::WatermarkAsPosition, Mutant::AdoptAtOnce, Mutant::AnswerMidTransaction],
        "the end that is adopted is the stable one, it counts for a later transaction, and it is asked for between \
         transactions, when nothing of the own is open",
    ),
];
