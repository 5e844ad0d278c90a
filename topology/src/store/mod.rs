//! State stores as processors see them: typed views over an overlay over a base.

mod held;
mod memory;
mod overlay;
mod reader;
mod set;
mod spec;
mod typed;

pub use memory::MemoryState;
pub use overlay::Overlay;
pub use reader::{StateReader, Visit, scan_bounds};
pub(crate) use set::StoreSet;
pub use spec::{StoreSpec, TALLY_SUMS, Tally};
pub use typed::KeyValueStore;
