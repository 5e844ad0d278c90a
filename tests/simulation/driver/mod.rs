//! A process of the product: the pure engine, task and membership as they are, driven in the order of `src/runtime`.
//!
//! Each file mirrors the file of the same name there and holds no decision that the engine could make.

mod instance;
mod lane;
mod owned_task;
mod process;
mod restore;
mod shared;
mod stream_thread;

pub(crate) use process::Process;
