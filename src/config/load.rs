//! Merging the layers: defaults < file < environment < flags.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::error::{ConfigError, Finding, Problem};
use super::key::{KEYS, Key};
use super::layer::{Assignment, Layer, from_environment, from_file, from_flags};
use super::origin::Origin;
use super::suggest::nearest;
use super::tree::Config;

/// What the layers are read from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The configuration file.
    pub file: Option<PathBuf>,
    /// Environment variables, all of them.
    pub environment: Vec<(String, String)>,
    /// Arguments of `--set`, each `key=value`.
    pub set: Vec<String>,
}

/// A configuration, and where each value that is not a default comes from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration, checked.
    pub config: Config,
    pub(super) origins: BTreeMap<String, Origin>,
}

impl Loaded {
    /// Returns where the value of a key comes from.
    #[must_use]
    pub fn origin(&self, key: &str) -> Origin {
        self.origins.get(key).cloned().unwrap_or(Origin::Default)
    }
}

/// Reads the layers, merges and checks them.
///
/// # Errors
/// The file cannot be read, or any key or value is wrong; all wrong ones are listed, each with its place.
///
/// # Examples
/// ```
/// use millpond::config::{Sources, load};
///
/// let sources = Sources { set: vec!["commit.interval=50ms".to_owned()], ..Sources::default() };
/// let loaded = load(&sources).unwrap();
/// assert_eq!(loaded.config.commit.interval.ms(), 50);
/// assert_eq!(loaded.origin("commit.interval").to_string(), "--set commit.interval");
/// ```
pub fn load(sources: &Sources) -> Result<Loaded, ConfigError> {
    let file = sources.file.as_deref().map(from_file).transpose()?.unwrap_or_default();
    let environment = from_environment(sources.environment.iter().cloned());
    let flags = from_flags(&sources.set);
    let mut loaded = Loaded { config: Config::default(), origins: BTreeMap::new() };
    let mut problems = vec![];
    for Layer { assignments, problems: found } in [file, environment, flags] {
        problems.extend(found);
        for assignment in assignments {
            if let Err(finding) = apply(&mut loaded.config, &assignment) {
                problems.push(Problem { origin: assignment.origin, finding });
            } else {
                loaded.origins.insert(assignment.key, assignment.origin);
            }
        }
    }
    // Rules between keys are only worth telling once each value is what was meant.
    if problems.is_empty() {
        let findings = loaded.config.findings();
        problems.extend(
            findings.into_iter().map(|finding| Problem { origin: loaded.origin(&finding.key), finding }),
        );
    }
    if problems.is_empty() { Ok(loaded) } else { Err(ConfigError::Problems(problems)) }
}

fn apply(config: &mut Config, assignment: &Assignment) -> Result<(), Finding> {
    let Assignment { key, text, .. } = assignment;
    let raw = key.strip_prefix("kafka.consumer.").map(|raw| (&mut config.kafka.consumer, raw));
    let raw =
        raw.or_else(|| key.strip_prefix("kafka.producer.").map(|raw| (&mut config.kafka.producer, raw)));
    if let Some((settings, raw)) = raw {
        return settings.set(raw, text).map_err(|what| Finding::new(key, what));
    }
    let Some(known) = Key::find(key) else {
        return Err(unknown(key));
    };
    known.read(config, text).map_err(|what| {
        let what = if known.secret { what } else { format!("{what}, not {text:?}") };
        Finding::new(key, what)
    })
}

fn unknown(key: &str) -> Finding {
    let section = format!("{key}.");
    let inside: Vec<&str> =
        KEYS.iter().map(|key| key.name).filter(|name| name.starts_with(&section)).collect();
    if !inside.is_empty() {
        return Finding::new(key, "is a section, not a key").cure(format!("it holds {}", inside.join(", ")));
    }
    let finding = Finding::new(key, "is not a known key");
    match nearest(key, KEYS.iter().map(|key| key.name)) {
        Some(near) => finding.cure(format!("did you mean {near}?")),
        None => finding.cure("`millpond config show` lists the keys"),
    }
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
