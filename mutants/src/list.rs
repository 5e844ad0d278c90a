//! The variants and their names.

use std::fmt;
use std::str::FromStr;

/// Says why a variant cannot be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unknown {
    /// No variant has this name.
    Name(String),
    /// This build has none: it lacks the feature `enabled`.
    NotCompiledIn(String),
    /// Only the simulator has it.
    Simulated(Mutant),
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Name(name) => name,
            Self::NotCompiledIn(name) => {
                return write!(
                    f,
                    "mutant {name:?} is asked for, and this build has none: it is not made for tests"
                );
            }
            Self::Simulated(mutant) => {
                return write!(f, "only the simulator can be {mutant}: ./dev simulate --mutant {mutant}");
            }
        };
        write!(f, "no mutant is called {name:?}; there are: ")?;
        for (at, mutant) in Mutant::ALL.iter().enumerate() {
            write!(f, "{}{mutant}", if at == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl std::error::Error for Unknown {}

macro_rules! mutants {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// A wrong variant of the protocol.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Mutant {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Mutant {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Returns the name.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

mutants! {
    /// Input offsets are committed by the consumer after the transaction, not inside it.
    OffsetsOutside = "offsets-outside",
    /// The fence of a transaction is the one of its beginning, not the one of its end.
    FenceAtBegin = "fence-at-begin",
    /// A task that came back is taken for the one that left.
    NoIncarnation = "no-incarnation",
    /// A transaction without offsets is committed.
    EmptyOffsets = "empty-offsets",
    /// A restore reads its target before the stable committed offsets.
    TargetFirst = "target-first",
    /// What an aborted transaction processed is not processed again.
    NoRedo = "no-redo",
    /// A transaction is applied to the store before its commit is known.
    ApplyFirst = "apply-first",
    /// A loss does not keep a transaction from being committed.
    CommitAfterLost = "commit-after-lost",
    /// The changelog's marker carries the offsets before the transaction.
    MarkerBehind = "marker-behind",
    /// R3 off: a producer whose calls were slow or failed goes on.
    NoReplacement = "no-replacement",
    /// R1 off: a commit that was not answered with success is taken for aborted.
    UnknownIsAborted = "unknown-is-aborted",
    /// R2 by guessing: a commit of unknown outcome is taken for committed.
    UnknownIsCommitted = "unknown-is-committed",
    /// R4 off: a record below the applied offsets is processed again.
    NoAppliedCheck = "no-applied-check",
    /// Nonces are not compared: whatever is committed is taken for one's own.
    AnyNonce = "any-nonce",
    /// `send_offsets` does not wait while a JoinGroup is out, nor look at who owns the tasks.
    NoGate = "no-gate",
    /// A restore stops at the last stable offset, below its target.
    StableAsTarget = "stable-as-target",
    /// A batch of a store is written in two halves, the metadata with the first.
    PartialBatch = "partial-batch",
    /// A batch of a store carries the metadata of the batch before.
    MetadataBehind = "metadata-behind",
    /// The store's changelog position is the high watermark, not a lower bound.
    WatermarkAsPosition = "watermark-as-position",
    /// A stable end is adopted at once, not after a later fenced transaction.
    AdoptAtOnce = "adopt-at-once",
    /// Marker and committed offsets are not compared at restore.
    NoMarkerCheck = "no-marker-check",
    /// The sink moves its offsets without comparing them.
    SinkWithoutSwap = "sink-without-swap",
    /// A static member that returns does not know what the process before it was to give up.
    ReleaseForgotten = "release-forgotten",
    /// A restore whose state and offsets disagree does not read the offsets again.
    NoSecondLook = "no-second-look",
    /// A member that was not seated in the generation before keeps what it holds.
    GapIgnored = "gap-ignored",
    /// UNKNOWN_MEMBER_ID makes a member join again with what it holds and redo what it processed.
    UnknownMemberReplayed = "unknown-member-replayed",
    /// A static member comes back with an empty member id, not with the one that it had.
    EmptyMemberRejoin = "empty-member-rejoin",
    /// A task that its thread has not closed yet is reported as given up.
    ReportedReleased = "reported-released",
    /// The changelog carries what changed, not what is.
    ChangesInChangelog = "changes-in-changelog",
    /// The offset of an input is one beyond the next record.
    OffsetAhead = "offset-ahead",
    /// An aborted transaction leaves its writes in the overlay.
    OverlayKept = "overlay-kept",
    /// Values of a transaction are held as committed when it is sealed.
    PromotedEarly = "promoted-early",
    /// A store held in part takes what it does not hold for absent.
    PartialSaysAbsent = "partial-says-absent",
    /// A record that becomes a dead letter leaves its writes and outputs behind.
    UndoForgotten = "undo-forgotten",
    /// A record that becomes a dead letter is passed without one.
    LetterLost = "letter-lost",
    /// A record of any timestamp is processed and moves stream time.
    TimestampsUnchecked = "timestamps-unchecked",
    /// The after-images of a transaction are not in key order.
    UnsortedBatch = "unsorted-batch",
    /// Sums of money wrap.
    I64Wrap = "i64-wrap",
    /// An order that was decided is decided again when it comes again.
    OrderForgotten = "order-forgotten",
    /// A refund that was applied is applied again when it comes again.
    RefundForgotten = "refund-forgotten",
    /// A deposit or withdrawal that was applied is applied again when it comes again.
    ReferenceForgotten = "reference-forgotten",
    /// A debit is not held against balance and overdraft.
    OverdraftUnchecked = "overdraft-unchecked",
    /// A refund is not held against what is left of the debit.
    RefundUnbounded = "refund-unbounded",
    /// A task is given up before its thread has closed it.
    ReleaseBeforeClosed = "release-before-closed",
    /// A new fence is taken over before what was lost is dropped.
    NewFenceBeforeDropped = "new-fence-before-dropped",
    /// A loss takes no running task away, and the next fence is taken over at once.
    LossKeepsTasks = "loss-keeps-tasks",
    /// A producer is replaced without asking whether this process is still the member that its ids belong to.
    ReplacedUnconfirmed = "replaced-unconfirmed",
    /// A transaction is written where one of the past has lost its end.
    LostEndTaken = "lost-end-taken",
    /// What is committed is not compared with what the task's last transaction committed, before the next one is written.
    CommittedUnchecked = "committed-unchecked",
    /// Offsets are sent before the content is acknowledged.
    OffsetsBeforeFlush = "offsets-before-flush",
    /// The position of a store is written when it is closed, not with the rows that it counts.
    PositionAtClose = "position-at-close",
    /// The end of the changelog is asked for in the middle of a transaction.
    AnswerMidTransaction = "answer-mid-transaction",
    /// A store that could not write or flush what Kafka has committed goes on.
    WriteErrorIgnored = "write-error-ignored",
    /// A value that cannot be read for damage is taken for absent.
    DamageAsAbsent = "damage-as-absent",
}

impl Mutant {
    /// Those whose rule is kept by threads and servers: only the simulator's model of them has the switch, a process that is
    /// told to be wrong in this way would be right.
    pub const SIMULATED: &[Self] = &[
        Self::OffsetsOutside,
        Self::FenceAtBegin,
        Self::TargetFirst,
        Self::StableAsTarget,
        Self::PartialBatch,
        Self::MetadataBehind,
        Self::WatermarkAsPosition,
        Self::ChangesInChangelog,
        Self::ReleaseBeforeClosed,
        Self::LossKeepsTasks,
        Self::OffsetsBeforeFlush,
        Self::PositionAtClose,
        Self::AnswerMidTransaction,
    ];

    /// Returns the variants that `names` lists, joined by `+`.
    ///
    /// # Errors
    /// [`Unknown::Name`] for the first that is not in the list.
    pub fn several(names: &str) -> Result<Vec<Self>, Unknown> {
        names.split('+').map(str::parse).collect()
    }

    /// Returns the names of `mutants`, as [`Mutant::several`] reads them.
    #[must_use]
    pub fn names(mutants: &[Self]) -> String {
        mutants.iter().map(|mutant| mutant.name()).collect::<Vec<_>>().join("+")
    }
}

// A set of them is 64 bits.
const _: () = assert!(Mutant::ALL.len() <= 64);

impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Mutant {
    type Err = Unknown;

    fn from_str(text: &str) -> Result<Self, Unknown> {
        Self::ALL
            .iter()
            .copied()
            .find(|mutant| mutant.name() == text)
            .ok_or_else(|| Unknown::Name(text.to_owned()))
    }
}
