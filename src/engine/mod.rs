//! The pure engine: batching, the commit state machine, resolving, restore and ownership decisions.
//!
//! Nothing here knows a clock, a thread, Kafka or a disk: events and `now` come in as values, actions go out as values.

mod batching;
mod class;
mod commit;
mod commit_terms;
mod nonce;
mod ownership;
mod position;
mod refusal;
mod resolve;
mod restore;
mod topics;

pub use batching::{Batching, Mode, Pending};
pub use class::Class;
pub use commit::Commit;
pub use commit_terms::{Action, Event, Illegal, Limits, Member, Phase, Reason, Stage, Txn};
pub use nonce::{Incarnation, Nonce, ParseNonceError};
pub use ownership::{Ownership, Snapshot};
pub use position::ChangelogPosition;
pub use refusal::RestoreStop;
pub use resolve::{Judgement, Verdict, judge};
pub use restore::{
    Changelog, CommittedInput, InputFacts, Plan, RestoreFacts, StartTrimmed, StoreFacts, conclude, plan,
};
pub use topics::{KnownTopic, Purpose, TopicStop, changed};

#[cfg(test)]
mod commit_tests;
#[cfg(test)]
mod restore_tests;
