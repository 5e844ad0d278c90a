//! The bootstrap servers.

use std::fmt;

use millpond_membership::{HostPort, SettingsError};
use serde::{Serialize, Serializer};

use crate::config::setting::Setting;

/// One or more bootstrap servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brokers(Vec<HostPort>);

impl Brokers {
    /// Returns the broker of a fresh machine, `127.0.0.1:9092`.
    pub(in crate::config) fn local() -> Self {
        Self(vec![HostPort { host: "127.0.0.1".to_owned(), port: 9092 }])
    }

    /// Returns the servers, in the order given; never empty.
    #[must_use]
    pub fn list(&self) -> &[HostPort] {
        &self.0
    }
}

impl fmt::Display for Brokers {
    /// Shows them as librdkafka's `bootstrap.servers` takes them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, broker) in self.0.iter().enumerate() {
            write!(f, "{}{broker}", if index == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl Serialize for Brokers {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

impl Setting for Brokers {
    fn read(text: &str) -> Result<Self, String> {
        let brokers: Result<Vec<HostPort>, SettingsError> = text.split(',').map(str::parse).collect();
        brokers.map(Self).map_err(|_| "must be host:port, several separated by commas".to_owned())
    }

    fn show(&self) -> Option<String> {
        Some(self.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_brokers_are_separated_by_commas() {
        let brokers = Brokers::read("a:1, b:2,[::1]:3").unwrap();
        assert_eq!(brokers.list().len(), 3);
        assert_eq!(brokers.to_string(), "a:1,b:2,[::1]:3");
        for text in ["", "a:1,", ":9092", "a:port"] {
            assert!(Brokers::read(text).is_err(), "{text}");
        }
    }
}
