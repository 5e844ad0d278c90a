//! Execution of one task: choice between inputs, overlay, outputs, marker. Pure: no clock, no Kafka, no disk.

mod counters;
mod dead_letter;
mod executor;
mod input;
mod options;
mod outputs;
mod punctuate;
mod seal;
mod transaction;

pub use counters::Counters;
pub use executor::Task;
pub use input::InputState;
pub use options::{Restored, TaskOptions};
pub(crate) use outputs::Outputs;
pub use outputs::{OutputRun, OutputView};
pub use seal::{Applied, OffsetToSend, Sealed};
