//! The replication factor of a topic.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::config::setting::Setting;

/// The replication factor of a topic that millpond creates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Replication {
    /// The broker's `default.replication.factor`.
    Broker,
    /// This many replicas, at least 1.
    Factor(u32),
}

impl fmt::Display for Replication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broker => f.write_str("broker"),
            Self::Factor(factor) => write!(f, "{factor}"),
        }
    }
}

impl Serialize for Replication {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Broker => out.serialize_str("broker"),
            Self::Factor(factor) => out.serialize_u32(*factor),
        }
    }
}

impl Setting for Replication {
    fn read(text: &str) -> Result<Self, String> {
        if text == "broker" {
            return Ok(Self::Broker);
        }
        match text.parse::<u32>() {
            Ok(factor @ 1..=32_767) => Ok(Self::Factor(factor)),
            _ => Err("must be broker (the broker's default) or a number of replicas from 1".to_owned()),
        }
    }

    fn show(&self) -> Option<String> {
        Some(self.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_replica_is_not_a_number_of_replicas() {
        assert_eq!(Replication::read("broker"), Ok(Replication::Broker));
        assert_eq!(Replication::read("3"), Ok(Replication::Factor(3)));
        for text in ["0", "-1", "", "all"] {
            assert!(Replication::read(text).is_err(), "{text}");
        }
    }
}
