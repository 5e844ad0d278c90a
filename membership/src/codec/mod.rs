//! Bytes: our user data inside Kafka's group protocol, and the protocol itself.
//!
//! Requests are written by `kafka-protocol`. Answers are read here, because that crate reserves memory for as
//! many elements as a length field claims before it reads them: four wrong bytes would end the process.

mod assignment;
mod bytes;
mod code;
mod frames;
#[cfg(test)]
mod golden_tests;
mod request;
mod response;
mod subscription;

pub(crate) use assignment::Assignment;
pub(crate) use bytes::{Malformed, Reader};
pub(crate) use code::Code;
pub(crate) use frames::Frames;
pub(crate) use request::{Join, Request, encode};
pub(crate) use response::{Found, Joined, Peer, Synced, beaten};
pub(crate) use subscription::Subscription;
