//! Health, metrics and status over HTTP.
//!
//! The runtime hands over a [`StatusSource`]; whether that status is alive, ready or started is decided by
//! [`Health`]
//! alone, so that the endpoints, the command line and the tests agree.

mod health;
mod routes;
mod server;
mod status;

pub use health::{Health, Probe, Reason};
pub use server::{HttpError, Server};
pub use status::{
    InputStatus, Progress, SinkPartition, SinkState, SinkStatus, Status, StatusSource, StoreStatus,
    TaskState, TaskStatus, ThreadStatus, WaitStatus,
};
