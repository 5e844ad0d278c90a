//! How `state.memory_budget` is divided between RocksDB and the values that stores hold in memory.

use millpond_topology::Topology;

/// Part of the budget for held values, where a store of the topology holds any.
const HELD_DIVISOR: usize = 4;

/// The parts, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Memory {
    /// For RocksDB: block cache and write buffers.
    pub rocksdb: usize,
    /// For held values, of all tasks together.
    pub held: usize,
    /// Sub-topologies with a store that holds values.
    holding: usize,
}

impl Memory {
    /// Divides `budget`.
    pub(crate) fn divide(budget: usize, topology: &Topology) -> Self {
        let subs = topology.sub_topologies().iter();
        let holding = subs.filter(|sub| sub.stores().iter().any(|store| store.spec.is_held)).count();
        let held = if holding > 0 { budget / HELD_DIVISOR } else { 0 };
        Self { rocksdb: budget - held, held, holding }
    }

    /// Returns the share of one task of a sub-topology with `tasks` tasks. An instance may come to own all of them.
    pub(crate) fn held_per_task(&self, tasks: u32) -> usize {
        let all = self.holding * usize::try_from(tasks).unwrap_or(usize::MAX);
        self.held / all.max(1)
    }
}
