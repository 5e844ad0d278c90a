//! What a topology says of a store.

use std::fmt;
use std::sync::Arc;

use crate::error::StoreError;

/// Number of sums that a tally can keep.
pub const TALLY_SUMS: usize = 4;

/// A type-erased function from an encoded value to its contribution to the store's sums.
pub(crate) type TallyFn = Arc<dyn Fn(&[u8]) -> Result<[i64; TALLY_SUMS], StoreError> + Send + Sync>;

/// Names of the sums that a store keeps, and how a value contributes to them.
#[derive(Clone)]
pub struct Tally {
    /// Names of the sums, at most [`TALLY_SUMS`].
    pub names: Vec<&'static str>,
    pub(crate) of: TallyFn,
}

impl fmt::Debug for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tally").field(&self.names).finish()
    }
}

/// A store of a sub-topology.
#[derive(Debug, Clone)]
pub struct StoreSpec {
    /// Explicit id, at least 1, never reused.
    pub id: u16,
    /// Name, unique in the topology.
    pub name: String,
    /// Name of the value codec.
    pub codec: &'static str,
    /// The tally, for stores that keep one.
    pub tally: Option<Tally>,
    /// Whether its values are held in memory as far as the task's share of it goes.
    pub is_held: bool,
}
