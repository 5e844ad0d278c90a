//! Looking at the topics of an application, and making sure of them.

use millpond_topology::Topology;

use super::admin::Admin;
use super::compare::{Difference, Found, Severity, compare};
use super::error::TopicsError;
use super::wanted::{Wanted, wanted};
use crate::config::Config;

/// A topic as it should be and as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surveyed {
    /// As it should be.
    pub wanted: Wanted,
    /// As it is; `None` where it does not exist.
    pub found: Option<Found>,
    /// What differs, the worst first.
    pub differences: Vec<Difference>,
}

/// All topics of an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survey {
    /// The topics, changelogs last.
    pub topics: Vec<Surveyed>,
}

impl Survey {
    /// Returns the topics that do not exist.
    #[must_use]
    pub fn missing(&self) -> Vec<&Wanted> {
        self.topics.iter().filter(|topic| topic.found.is_none()).map(|topic| &topic.wanted).collect()
    }

    /// Iterates over what differs.
    pub fn differences(&self) -> impl Iterator<Item = &Difference> {
        self.topics.iter().flat_map(|topic| &topic.differences)
    }

    /// Returns what it can be run with all the same.
    ///
    /// # Errors
    /// A topic is missing, or cannot be run with.
    fn fit(self, brokers: &str) -> Result<Vec<Difference>, TopicsError> {
        let missing: Vec<String> = self.missing().iter().map(|topic| topic.name.clone()).collect();
        if !missing.is_empty() {
            return Err(TopicsError::Missing { brokers: brokers.to_owned(), topics: missing });
        }
        let differences = self.topics.into_iter().flat_map(|topic| topic.differences);
        let (wrong, weak): (Vec<_>, Vec<_>) =
            differences.partition(|found| found.severity == Severity::Wrong);
        if wrong.is_empty() { Ok(weak) } else { Err(TopicsError::Wrong(wrong)) }
    }
}

/// Looks at every topic that the application needs.
///
/// # Errors
/// No broker answers, or one does not describe a topic.
pub fn survey(admin: &Admin, config: &Config, topology: &Topology) -> Result<Survey, TopicsError> {
    let wanted = wanted(config, topology);
    let names: Vec<&str> = wanted.iter().map(|topic| topic.name.as_str()).collect();
    let mut all = admin.found(&names)?;
    let topics = wanted.into_iter().map(|wanted| {
        let found = all.remove(&wanted.name);
        let mut differences = found.as_ref().map(|found| compare(&wanted, found, config)).unwrap_or_default();
        differences.sort_by_key(|difference| std::cmp::Reverse(difference.severity));
        Surveyed { wanted, found, differences }
    });
    Ok(Survey { topics: topics.collect() })
}

/// Checks that the application can be run with its topics. Creates and alters nothing.
///
/// Returns what should be mended although it can be run with.
///
/// # Errors
/// No broker answers, a topic is missing, or one cannot be run with.
pub fn preflight(config: &Config, topology: &Topology) -> Result<Vec<Difference>, TopicsError> {
    let admin = Admin::new(config)?;
    survey(&admin, config, topology)?.fit(admin.brokers())
}

/// Creates the topics that are missing and checks all; returns the names of those created.
///
/// # Errors
/// No broker answers, a topic cannot be created, or one that exists cannot be run with.
pub fn ensure(config: &Config, topology: &Topology) -> Result<Vec<String>, TopicsError> {
    let admin = Admin::new(config)?;
    let before = survey(&admin, config, topology)?;
    let missing = before.missing();
    if !missing.is_empty() {
        admin.create(&missing)?;
    }
    survey(&admin, config, topology)?.fit(admin.brokers())?;
    Ok(missing.into_iter().map(|topic| topic.name.clone()).collect())
}

#[cfg(test)]
#[path = "prepare_tests.rs"]
mod tests;
