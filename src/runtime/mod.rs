//! The runtime: the threads that drive the engine, and the life of an instance.

mod application;
mod board;
mod doubt;
mod facts;
mod fencing;
mod instance;
mod lane;
mod lane_error;
mod lane_outcome;
mod lane_producer;
mod memory;
mod messages;
mod observe;
mod owned_task;
mod past_ends;
mod pinned;
mod refused_search;
mod restore;
mod restore_end;
mod restore_error;
mod settings;
mod shared;
mod status;
mod stream_thread;
mod streams;
mod thread_error;
mod watch;

pub use application::{ApplicationError, run};
pub use facts::FactsError;
pub use instance::SinkControl;
pub use settings::{OnStop, Settings};
pub use shared::Shared;
pub use status::{InstanceStatus, SinkStatusSource};
pub use streams::{RunError, SinkPart, StartError, Stopper, Streams};
