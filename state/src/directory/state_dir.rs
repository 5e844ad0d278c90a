//! A state directory in use by this process.

use std::fs;
use std::path::{Path, PathBuf};

use millpond_topology::TaskId;

use super::error::DirectoryError;
use super::instance::{Instance, NAME};
use super::lock::Lock;

/// The state directory `<state.dir>/<app.id>`, locked for this process until dropped. Layout:
/// `docs/formats.md`.
#[derive(Debug)]
pub struct Directory {
    root: PathBuf,
    instance: Instance,
    lock: Lock,
}

impl Directory {
    /// Opens or creates the directory `root` of application `app`, takes its lock, and reads or creates the
    /// identity of this instance: the configured one, else the one kept there, else a new UUID.
    ///
    /// # Errors
    /// [`DirectoryError`]: in use, of another application, of an unknown format, not writable.
    pub fn open(root: &Path, app: &str, configured_instance: Option<&str>) -> Result<Self, DirectoryError> {
        fs::create_dir_all(root).map_err(DirectoryError::unwritable(root))?;
        let lock = Lock::take(root)?;
        let instance = Instance::load(root, app, configured_instance)?;
        Ok(Self { root: root.to_owned(), instance, lock })
    }

    /// Returns its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// Checks that the directory is still the one whose lock this process holds: in another one of the same path a second
    /// process would find no lock.
    ///
    /// # Errors
    /// [`DirectoryError::Gone`].
    pub fn check_in_place(&self) -> Result<(), DirectoryError> {
        if self.lock.is_gone(&self.root) {
            return Err(DirectoryError::Gone { path: self.root.clone() });
        }
        Ok(())
    }

    /// Returns the id of this instance.
    #[must_use]
    pub fn instance_id(&self) -> &str {
        &self.instance.instance_id
    }

    /// Returns every transactional id that this directory's instances ever used. All of them are initialised,
    /// and so fenced, at start.
    #[must_use]
    pub fn transactional_ids(&self) -> &[String] {
        &self.instance.transactional_ids
    }

    /// Notes a transactional id, durably, before its first use. One that is known costs nothing.
    ///
    /// # Errors
    /// [`DirectoryError::Unwritable`]; the id is then not noted.
    pub fn record_transactional_id(&mut self, id: &str) -> Result<(), DirectoryError> {
        if self.instance.transactional_ids.iter().any(|known| known == id) {
            return Ok(());
        }
        let mut next = self.instance.clone();
        next.transactional_ids.push(id.to_owned());
        next.write(&self.root)?;
        self.instance = next;
        Ok(())
    }

    /// Notes the topic ids of outputs, by name, durably. Names that are known keep the id they were first noted with.
    ///
    /// # Errors
    /// [`DirectoryError::OutputRecreated`] when a known one has another id, [`DirectoryError::Unwritable`]; nothing is noted
    /// then.
    pub fn record_output_topics<'t>(
        &mut self,
        topics: impl IntoIterator<Item = (&'t str, [u8; 16])>,
    ) -> Result<(), DirectoryError> {
        let mut next = self.instance.clone();
        for (topic, id) in topics {
            let id = uuid::Uuid::from_bytes(id).to_string();
            let known = next.output_topics.entry(topic.to_owned()).or_insert_with(|| id.clone());
            if *known != id {
                let (path, topic) = (self.root.join(NAME), topic.to_owned());
                return Err(DirectoryError::OutputRecreated { path, topic });
            }
        }
        if next.output_topics != self.instance.output_topics {
            next.write(&self.root)?;
            self.instance = next;
        }
        Ok(())
    }

    /// Returns the directory of a task. It need not exist.
    #[must_use]
    pub fn task_dir(&self, task: TaskId) -> PathBuf {
        self.root.join(task.to_string())
    }

    /// Returns the tasks that have a database here, sorted.
    ///
    /// # Errors
    /// [`DirectoryError::Unreadable`].
    pub fn tasks_on_disk(&self) -> Result<Vec<TaskId>, DirectoryError> {
        let mut tasks = Vec::new();
        let unreadable = || DirectoryError::unreadable(&self.root);
        for entry in fs::read_dir(&self.root).map_err(unreadable())? {
            let entry = entry.map_err(unreadable())?;
            let task = entry.file_name().to_str().and_then(|name| name.parse::<TaskId>().ok());
            tasks.extend(task.filter(|_| entry.path().join("db").is_dir()));
        }
        tasks.sort_unstable();
        Ok(tasks)
    }
}
