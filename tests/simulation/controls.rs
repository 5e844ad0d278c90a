//! The wrong variants that a schedule can express, and what becomes of each.
//!
//! The switch sits where the rule is kept: in the engine and the task for most, in `driver` and `sql` where the product's
//! runtime keeps it (`fence-at-begin`, `empty-offsets`, `offsets-outside`, `no-gate`: lane and shared; `target-first`,
//! `stable-as-target`, `watermark-as-position`: restore; `partial-batch`, `metadata-behind`: disk; `sink-without-swap`: sql).

use millpond_mutants::Mutant;

use crate::executor::{MS, Micros};

/// Variants that break an invariant.
pub(crate) const FOUND: [Mutant; 15] = [
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
    Mutant::NoSecondLook,
];

/// Variants that cost transactions and break nothing: offsets are refused for an old generation more often. With the commit
/// interval that shows it.
pub(crate) const COSTLY: [(Mutant, Micros); 2] = [(Mutant::FenceAtBegin, 400 * MS), (Mutant::NoGate, MS)];

/// Variants that no schedule breaks, and the rule that stands behind the one switched off. Each is a second line of defence;
/// one that is found belongs into [`FOUND`].
pub(crate) const COVERED: [(Mutant, &str); 6] = [
    (
        Mutant::NoIncarnation,
        "no new fence reaches a process before its threads have dropped what was lost, and a task that moves is released by \
         its own thread first; the broker refuses the old member or generation",
    ),
    (
        Mutant::CommitAfterLost,
        "a loss takes the fence away, so that nothing is sent; what was accepted before the loss pins the offsets that the next \
         owner waits for",
    ),
    (
        Mutant::TargetFirst,
        "content is acknowledged before its offsets are sent, so that under a new generation the high watermark is above \
         everything that can still commit, and the restore waits until all of it is decided",
    ),
    (
        Mutant::WatermarkAsPosition,
        "an answer is adopted when a later transaction of the same thread is applied, and what was open when it was asked is \
         applied or aborted by then",
    ),
    (
        Mutant::AdoptAtOnce,
        "a thread takes answers between its transactions, and the position is written with the next one that commits",
    ),
    (Mutant::MetadataBehind, "a position is a lower bound, and replaying after-images changes nothing"),
];
