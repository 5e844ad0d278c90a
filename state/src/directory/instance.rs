//! `instance.json`: who this instance is, every transactional id it ever used, and the topics it wrote its results to.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::atomic_file;
use super::error::DirectoryError;

/// Name of the file.
pub(super) const NAME: &str = "instance.json";

/// Format version written and known.
const FORMAT_VERSION: u64 = 1;

/// Longest instance id: it becomes part of transactional ids and of `group.instance.id`, which Kafka limits
/// to 249.
const INSTANCE_ID_BYTES_MAX: usize = 100;

/// Content of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Instance {
    format_version: u64,
    pub(super) app: String,
    pub(super) instance_id: String,
    pub(super) transactional_ids: Vec<String>,
    /// Topic ids of the outputs by name; absent in files of programs that did not note them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) output_topics: BTreeMap<String, String>,
}

/// Read first: the rest of the file may look different in another version.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    format_version: u64,
}

impl Instance {
    /// Reads the file of `directory`, or creates it. A configured id replaces the kept one; the transactional
    /// ids stay, because a transaction of the old id may still be open.
    pub(super) fn load(
        directory: &Path,
        app: &str,
        configured: Option<&str>,
    ) -> Result<Self, DirectoryError> {
        if let Some(id) = configured.filter(|id| !is_allowed(id)) {
            return Err(DirectoryError::InstanceId { id: id.to_owned() });
        }
        let kept = Self::read(directory, app)?;
        let id = configured.map(str::to_owned);
        let instance = match (&kept, id) {
            (Some(kept), None) => kept.clone(),
            (Some(kept), Some(instance_id)) => Self { instance_id, ..kept.clone() },
            (None, id) => Self {
                format_version: FORMAT_VERSION,
                app: app.to_owned(),
                instance_id: id.unwrap_or_else(|| uuid::Uuid::new_v4().to_string()),
                transactional_ids: Vec::new(),
                output_topics: BTreeMap::new(),
            },
        };
        if kept.as_ref() != Some(&instance) {
            instance.write(directory)?;
        }
        Ok(instance)
    }

    fn read(directory: &Path, app: &str) -> Result<Option<Self>, DirectoryError> {
        let path = directory.join(NAME);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(DirectoryError::Unreadable { path, source }),
        };
        let malformed = |error: serde_json::Error| DirectoryError::Malformed {
            path: path.clone(),
            why: error.to_string(),
        };
        let found = serde_json::from_slice::<Version>(&bytes).map_err(malformed)?.format_version;
        if found != FORMAT_VERSION {
            return Err(DirectoryError::Version { path, found, known: FORMAT_VERSION });
        }
        let instance: Self = serde_json::from_slice(&bytes).map_err(malformed)?;
        if instance.app != app {
            return Err(DirectoryError::OtherApp { path, found: instance.app, expected: app.to_owned() });
        }
        Ok(Some(instance))
    }

    /// Writes the file; a crash leaves the old or the new one.
    pub(super) fn write(&self, directory: &Path) -> Result<(), DirectoryError> {
        let unwritable = DirectoryError::unwritable(directory.join(NAME));
        let bytes = serde_json::to_vec_pretty(self).map_err(io::Error::from);
        bytes.and_then(|bytes| atomic_file::replace(directory, NAME, &bytes)).map_err(unwritable)
    }
}

fn is_allowed(id: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=INSTANCE_ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(allowed)
}
