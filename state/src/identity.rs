//! Whose a store is: what must agree before its content may be used.

use bincode::{Decode, Encode};
use millpond_topology::SubTopology;

use crate::metadata::Metadata;

/// A store as the metadata names it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct StoreIdentity {
    /// Store id, at least 1.
    pub id: u16,
    /// Name.
    pub name: String,
    /// Name of the value codec.
    pub codec: String,
}

/// What the running topology expects of a task's store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Application id.
    pub app: String,
    /// Name of the sub-topology.
    pub subtopology: String,
    /// Partition of the task.
    pub partition: u32,
    /// Partition count of every input topic.
    pub partition_count: u32,
    /// Name of the partitioner.
    pub partitioner: String,
    /// Stores by id.
    pub stores: Vec<StoreIdentity>,
    /// Changelog topic.
    pub changelog: String,
}

impl Identity {
    /// Returns the identity of the store of `sub` for `partition` of `partition_count` under application
    /// `app`.
    #[must_use]
    pub fn of(app: &str, sub: &SubTopology, partition: u32, partition_count: u32) -> Self {
        let stores = sub.stores().iter().map(|store| StoreIdentity {
            id: store.spec.id,
            name: store.spec.name.clone(),
            codec: store.spec.codec.to_owned(),
        });
        Self {
            app: app.to_owned(),
            subtopology: sub.name().to_owned(),
            partition,
            partition_count,
            partitioner: sub.partitioner().to_owned(),
            stores: stores.collect(),
            changelog: sub.changelog_topic(app),
        }
    }

    /// Checks that a store with this metadata is the one meant. Stores added since are accepted.
    pub(crate) fn check(&self, found: &Metadata) -> Result<(), Mismatch> {
        let text = |found: &str, expected: &str| (found.to_owned(), expected.to_owned());
        if found.app != self.app {
            let (found, expected) = text(&found.app, &self.app);
            return Err(Mismatch::App { found, expected });
        }
        if found.subtopology != self.subtopology {
            let (found, expected) = text(&found.subtopology, &self.subtopology);
            return Err(Mismatch::SubTopology { found, expected });
        }
        if found.partition != self.partition {
            return Err(Mismatch::Partition { found: found.partition, expected: self.partition });
        }
        if found.partition_count != self.partition_count {
            let (found, expected) = (found.partition_count, self.partition_count);
            return Err(Mismatch::PartitionCount { found, expected });
        }
        if found.partitioner != self.partitioner {
            let (found, expected) = text(&found.partitioner, &self.partitioner);
            return Err(Mismatch::Partitioner { found, expected });
        }
        if found.changelog != self.changelog {
            let (found, expected) = text(&found.changelog, &self.changelog);
            return Err(Mismatch::Changelog { found, expected });
        }
        found.stores.iter().try_for_each(|store| self.check_store(store))
    }

    fn check_store(&self, found: &StoreIdentity) -> Result<(), Mismatch> {
        match self.stores.iter().find(|store| store.id == found.id) {
            None => Err(Mismatch::StoreMissing { id: found.id, name: found.name.clone() }),
            Some(expected) if expected != found => {
                let text = |store: &StoreIdentity| format!("`{}` with codec `{}`", store.name, store.codec);
                Err(Mismatch::Store { id: found.id, found: text(found), expected: text(expected) })
            }
            Some(_) => Ok(()),
        }
    }
}

/// Says in what a store on disk differs from the one that the topology expects. Nothing is ever wiped for it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// Another application wrote it.
    #[error(
        "it belongs to application `{found}`, not `{expected}`: give each application a state.dir of its \
         own, or set app.id = \"{found}\""
    )]
    App {
        /// Application in the metadata.
        found: String,
        /// Application that runs.
        expected: String,
    },
    /// Another sub-topology wrote it.
    #[error(
        "it belongs to sub-topology `{found}`, not `{expected}`: run the topology that wrote it; if \
         sub-topologies were reordered on purpose, move the task directories aside so that they are restored \
         from the changelog"
    )]
    SubTopology {
        /// Sub-topology in the metadata.
        found: String,
        /// Sub-topology of the task.
        expected: String,
    },
    /// It was written for another partition, so the directory was moved.
    #[error("it holds partition {found}, not {expected}: move the directory back to where it was")]
    Partition {
        /// Partition in the metadata.
        found: u32,
        /// Partition of the task.
        expected: u32,
    },
    /// The input topics had another partition count.
    #[error(
        "it was written with {found} input partitions, now there are {expected}: keys have moved between \
         partitions; restore the old count, or start a new app.id and replay the input"
    )]
    PartitionCount {
        /// Count in the metadata.
        found: u32,
        /// Count of the input topics.
        expected: u32,
    },
    /// Keys were assigned to partitions in another way.
    #[error(
        "it was written with partitioner `{found}`, not `{expected}`: run the program that wrote it, or \
         start a new app.id and replay the input"
    )]
    Partitioner {
        /// Partitioner in the metadata.
        found: String,
        /// Partitioner of the topology.
        expected: String,
    },
    /// Its changelog has another name.
    #[error("its changelog is `{found}`, not `{expected}`: run the program that wrote it")]
    Changelog {
        /// Topic in the metadata.
        found: String,
        /// Topic of the sub-topology.
        expected: String,
    },
    /// A store is no longer part of the topology.
    #[error(
        "it holds store {id} `{name}`, which the topology no longer has: put the store back, or start a new \
         app.id; store ids are never reused"
    )]
    StoreMissing {
        /// Store id.
        id: u16,
        /// Store name.
        name: String,
    },
    /// A store has another name or codec.
    #[error(
        "store {id} is {found} on disk but {expected} in the topology: a store that changes its name or \
         codec needs a new id"
    )]
    Store {
        /// Store id.
        id: u16,
        /// Name and codec in the metadata.
        found: String,
        /// Name and codec in the topology.
        expected: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(id: u16) -> StoreIdentity {
        StoreIdentity { id, name: format!("n{id}"), codec: "c".into() }
    }

    fn identity() -> Identity {
        Identity {
            app: "a".into(),
            subtopology: "s".into(),
            partition: 0,
            partition_count: 4,
            partitioner: "murmur2".into(),
            stores: vec![store(1), store(2)],
            changelog: "a.s.changelog".into(),
        }
    }

    #[test]
    fn each_difference_has_its_own_answer() {
        let written = Metadata::of(&identity());
        let check = |change: &dyn Fn(&mut Metadata)| {
            let mut found = written.clone();
            change(&mut found);
            identity().check(&found)
        };
        assert_eq!(check(&|_| ()), Ok(()));
        assert!(matches!(check(&|m| m.app = "b".into()), Err(Mismatch::App { .. })));
        assert!(matches!(check(&|m| m.subtopology = "t".into()), Err(Mismatch::SubTopology { .. })));
        assert!(matches!(check(&|m| m.partition = 1), Err(Mismatch::Partition { found: 1, expected: 0 })));
        let count = check(&|m| m.partition_count = 8);
        assert_eq!(count, Err(Mismatch::PartitionCount { found: 8, expected: 4 }));
        assert!(matches!(check(&|m| m.partitioner = "x".into()), Err(Mismatch::Partitioner { .. })));
        assert!(matches!(check(&|m| m.changelog = "x".into()), Err(Mismatch::Changelog { .. })));
        assert!(matches!(check(&|m| m.stores[1].codec = "x".into()), Err(Mismatch::Store { id: 2, .. })));
        assert!(matches!(check(&|m| m.stores[0].name = "x".into()), Err(Mismatch::Store { id: 1, .. })));
        assert!(matches!(check(&|m| m.stores.push(store(3))), Err(Mismatch::StoreMissing { id: 3, .. })));
        assert_eq!(check(&|m| m.stores.truncate(1)), Ok(()), "a store added since is accepted");
    }
}
