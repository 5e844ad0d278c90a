//! This process's place in its consumer group: the classic group protocol of Apache Kafka, spoken by
//! ourselves.
//!
//! [`Machine`] is the protocol as a pure state machine, [`ClassicMember`] runs it on a TCP connection behind
//! the trait [`Membership`]; who gets which task is decided by an [`Assignor`], [`Sticky`] unless another is
//! given. What every transaction needs of it is the [`Fence`].

mod assign;
mod backoff;
mod classic;
mod codec;
mod event;
mod fence;
mod machine;
mod membership;
mod plan;
mod report;
mod role;
mod settings;

pub use assign::{Assignor, Candidate, Group, Placement, Sticky, owners};
pub use classic::ClassicMember;
pub use event::{Event, Leave, Producer, Target, Why};
pub use fence::{Fence, FenceError};
pub use machine::{Action, Input, InputKind, Machine, REMEMBERED_GENERATIONS, Refused, StateKind};
pub use membership::{Down, Membership};
pub use millpond_topology::TaskId;
pub use plan::{Plan, PlanError, SubTopology, TASKS_MAX, Tasks};
pub use report::{Lag, Report};
pub use role::{Role, Roles};
pub use settings::{HostPort, Identity, Security, Settings, SettingsError};

/// Name of the assignment protocol, shown by `kafka-consumer-groups` as the strategy. A change of the user
/// data that older members cannot read gets a new name, so that the two refuse to share a group.
pub const PROTOCOL_NAME: &str = "millpond-v1";
