//! The disk of one state directory: batches are applied in order, a crash loses what was written last and not flushed.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use millpond::topology::{CHANGELOG_MARKER_KEY, Marker, MemoryState};
use millpond_mutants::Mutant;

use crate::report::Fault;
use crate::world::World;

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// One write batch.
#[derive(Debug, Clone, Default)]
struct Batch {
    rows: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    position: Option<i64>,
}

impl Batch {
    fn write(&self, rows: &mut Rows, position: &mut Option<i64>) {
        for (key, value) in &self.rows {
            match value {
                Some(value) => drop(rows.insert(key.clone(), value.clone())),
                None => drop(rows.remove(key)),
            }
        }
        *position = self.position.or(*position);
    }
}

/// A database on disk.
#[derive(Debug, Default)]
struct Database {
    rows: Rows,
    position: Option<i64>,
    unflushed: Vec<Batch>,
    is_open: bool,
}

/// A state directory.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    pub(crate) transactional_ids: Vec<String>,
    databases: BTreeMap<u32, Database>,
}

impl Disk {
    /// The process is gone: of each database some prefix of the unflushed batches survives.
    pub(crate) fn crash(&mut self, world: &World) {
        for database in self.databases.values_mut() {
            database.is_open = false;
            let kept = usize::try_from(world.between(0, database.unflushed.len() as u64)).unwrap();
            if kept < database.unflushed.len() {
                world.count(Fault::UnflushedLost);
            }
            for batch in database.unflushed.drain(..).take(kept) {
                batch.write(&mut database.rows, &mut database.position);
            }
        }
    }
}

/// An open database.
pub(crate) struct Store {
    disk: Rc<RefCell<Disk>>,
    partition: u32,
    live: MemoryState,
    position: Option<i64>,
    whose: usize,
}

impl Store {
    /// Opens the database of a task as `whose`; nothing may have it open.
    pub(crate) fn open(world: &Rc<World>, disk: &Rc<RefCell<Disk>>, partition: u32, whose: usize) -> Self {
        let (rows, position) = {
            let mut disk = disk.borrow_mut();
            let database = disk.databases.entry(partition).or_default();
            if std::mem::replace(&mut database.is_open, true) {
                world.fail(format!("store {partition} of process {whose} is open twice"));
            }
            let (mut rows, mut position) = (database.rows.clone(), database.position);
            for batch in &database.unflushed {
                batch.write(&mut rows, &mut position);
            }
            (rows, position)
        };
        let live = MemoryState::new();
        for (key, value) in &rows {
            live.apply(key, Some(value));
        }
        let store = Self { disk: Rc::clone(disk), partition, live, position, whose };
        store.audit(world, "found on disk");
        store
    }

    /// Says whether the database of a task is open.
    pub(crate) fn is_open(disk: &RefCell<Disk>, partition: u32) -> bool {
        disk.borrow().databases.get(&partition).is_some_and(|database| database.is_open)
    }

    /// Returns the changelog position as written, if there is one.
    pub(crate) fn found(&self) -> Option<i64> {
        self.position
    }

    pub(crate) fn position(&self) -> i64 {
        self.position.unwrap_or(0)
    }

    pub(crate) fn reader(&self) -> MemoryState {
        self.live.clone()
    }

    pub(crate) fn marker(&self) -> Option<Marker> {
        let rows = self.live.snapshot();
        rows.get(CHANGELOG_MARKER_KEY.as_slice()).map(|bytes| Marker::decode(bytes).unwrap())
    }

    fn audit(&self, world: &Rc<World>, what: &str) {
        let (rows, position) = (self.live.snapshot(), self.position);
        world.audit.borrow_mut().store(world, (self.whose, self.partition), (&rows, position), what);
    }

    /// Writes rows, marker among them, and the position, in one batch.
    pub(crate) fn write(
        &mut self,
        world: &Rc<World>,
        rows: Vec<(Vec<u8>, Option<Vec<u8>>)>,
        position: i64,
        what: &str,
    ) {
        if position < self.position() {
            world.fail(format!("store {} goes back from {} to {position}", self.partition, self.position()));
        }
        for (key, value) in &rows {
            self.live.apply(key, value.as_deref());
        }
        let before = self.position.replace(position);
        let mut batches = Vec::new();
        if millpond_mutants::is(Mutant::PartialBatch) && rows.len() > 1 {
            let (marker, images): (Vec<_>, Vec<_>) =
                rows.into_iter().partition(|(key, _)| key.as_slice() == CHANGELOG_MARKER_KEY);
            batches.push(Batch { rows: marker, position: Some(position) });
            batches.push(Batch { rows: images, position: None });
        } else {
            let behind = millpond_mutants::is(Mutant::MetadataBehind);
            batches.push(Batch { rows, position: if behind { before } else { Some(position) } });
        }
        if let Some(database) = self.disk.borrow_mut().databases.get_mut(&self.partition) {
            database.unflushed.extend(batches);
        }
        self.audit(world, what);
    }

    pub(crate) fn flush(&mut self) {
        if let Some(database) = self.disk.borrow_mut().databases.get_mut(&self.partition) {
            for batch in std::mem::take(&mut database.unflushed) {
                batch.write(&mut database.rows, &mut database.position);
            }
        }
    }

    /// Flushes and closes.
    pub(crate) fn close(mut self) {
        self.flush();
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // After a crash the directory may be open again.
        if let Ok(mut disk) = self.disk.try_borrow_mut()
            && let Some(database) = disk.databases.get_mut(&self.partition)
        {
            database.is_open = false;
        }
    }
}
