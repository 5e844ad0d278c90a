//! The memory that all stores of a process share.

use rocksdb::{Cache, LruCacheOptions, WriteBufferManager};

/// Of the budget, the part that write buffers may fill before RocksDB flushes them. The rest is for blocks,
/// indexes and filters; a store that mostly writes and keeps its hot keys in memory gains more from fewer,
/// larger flushes.
const WRITE_BUFFER_DIVISOR: usize = 2;

/// A store's write buffer: 64 MB and more made puts slower (cache misses), less makes more files to compact.
const WRITE_BUFFER_BYTES_MAX: usize = 32 * 1024 * 1024;

/// RocksDB rounds anything smaller up to this.
const WRITE_BUFFER_BYTES_MIN: usize = 64 * 1024;

/// Cache shards, as a power of two. A block larger than its shard is never cached but read again by every
/// get. With the default of 64 shards that happened to the filters (2 MB for 1.5 million small rows) of a 128
/// MB cache: over 100 us per get instead of 3. A few threads do not contend for four shards.
const CACHE_SHARD_BITS: i32 = 2;

/// How the memory budget of the stores is divided, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Blocks, indexes and filters when the write buffers are full; they may use more while those are not.
    pub block_cache: usize,
    /// Write buffers of all stores together. A soft limit: RocksDB flushes when it is reached, writers never
    /// wait.
    pub write_buffers: usize,
    /// Write buffer of one store.
    pub write_buffer_per_store: usize,
}

impl Budget {
    fn of(memory_budget_bytes: usize) -> Self {
        let write_buffers = memory_budget_bytes / WRITE_BUFFER_DIVISOR;
        Self {
            block_cache: memory_budget_bytes - write_buffers,
            write_buffers,
            write_buffer_per_store: (write_buffers / 2).clamp(WRITE_BUFFER_BYTES_MIN, WRITE_BUFFER_BYTES_MAX),
        }
    }
}

/// What the stores use of their budget, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Block cache, the write buffers charged to it included.
    pub cache: usize,
    /// Part of the cache that cannot be evicted now.
    pub cache_pinned: usize,
    /// Write buffers.
    pub write_buffers: usize,
}

/// One block cache and one limit of write buffers for all stores of a process. Clones share them.
#[derive(Clone)]
pub struct Shared {
    budget: Budget,
    pub(crate) cache: Cache,
    pub(crate) write_buffers: WriteBufferManager,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("budget", &self.budget).finish_non_exhaustive()
    }
}

impl Shared {
    /// Returns the shared memory of stores that together may use about `memory_budget_bytes`.
    #[must_use]
    pub fn new(memory_budget_bytes: usize) -> Self {
        let mut options = LruCacheOptions::default();
        options.set_capacity(memory_budget_bytes);
        options.set_num_shard_bits(CACHE_SHARD_BITS);
        let cache = Cache::new_lru_cache_opts(&options);
        let budget = Budget::of(memory_budget_bytes);
        // Writers must never wait for one another's flush: the limit is soft (`allow_stall = false`).
        let manager = WriteBufferManager::new_write_buffer_manager_with_cache;
        let write_buffers = manager(budget.write_buffers, false, cache.clone());
        Self { budget, cache, write_buffers }
    }

    /// Returns how the budget is divided.
    #[must_use]
    pub fn budget(&self) -> Budget {
        self.budget
    }

    /// Returns what is used of the budget.
    #[must_use]
    pub fn usage(&self) -> Usage {
        Usage {
            cache: self.cache.get_usage(),
            cache_pinned: self.cache.get_pinned_usage(),
            write_buffers: self.write_buffers.get_usage(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_add_up_to_the_budget() {
        for bytes in [0, 1, 1 << 20, 256 << 20, usize::MAX] {
            let budget = Budget::of(bytes);
            assert_eq!(budget.block_cache + budget.write_buffers, bytes);
            let buffer = budget.write_buffer_per_store;
            assert!((WRITE_BUFFER_BYTES_MIN..=WRITE_BUFFER_BYTES_MAX).contains(&buffer));
        }
        assert_eq!(Budget::of(256 << 20).write_buffer_per_store, WRITE_BUFFER_BYTES_MAX);
    }
}
