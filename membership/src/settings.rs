//! How this member presents itself and how it reaches the brokers.

use std::{fmt, str::FromStr, time::Duration};

use thiserror::Error;

use crate::role::Roles;

/// Longest group, instance, client or transactional id and endpoint, in bytes.
const NAME_BYTES_MAX: usize = 249;
/// Most transactional ids per process: 64 threads of two lanes, and as many of earlier starts.
const TRANSACTIONAL_IDS_MAX: usize = 256;
/// Longest topology hash, in bytes.
const TOPOLOGY_BYTES_MAX: usize = 64;
/// Kafka's own default port.
const PORT_DEFAULT: u16 = 9092;

/// A broker's address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// Name or address; IPv6 without brackets.
    pub host: String,
    /// TCP port, never 0.
    pub port: u16,
}

impl fmt::Display for HostPort {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(out, "[{}]:{}", self.host, self.port)
        } else {
            write!(out, "{}:{}", self.host, self.port)
        }
    }
}

impl FromStr for HostPort {
    type Err = SettingsError;

    fn from_str(text: &str) -> Result<Self, SettingsError> {
        let refuse = || SettingsError::Address(text.to_owned());
        let text = text.trim();
        let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, rest)) => (host, rest.strip_prefix(':').or(rest.is_empty().then_some(""))),
            None => match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, Some("")),
            },
        };
        let port = match port.ok_or_else(refuse)? {
            "" => PORT_DEFAULT,
            digits => digits.parse().map_err(|_| refuse())?,
        };
        if host.is_empty() || port == 0 {
            return Err(refuse());
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

/// How the connection to the coordinator is secured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Security {
    /// Neither TLS nor SASL.
    #[default]
    Plaintext,
}

impl FromStr for Security {
    type Err = SettingsError;

    /// Reads librdkafka's `security.protocol`.
    fn from_str(text: &str) -> Result<Self, SettingsError> {
        if text.eq_ignore_ascii_case("plaintext") {
            Ok(Self::Plaintext)
        } else {
            Err(SettingsError::Security(text.to_owned()))
        }
    }
}

/// Connection and timing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Brokers to ask for the coordinator, tried in turn.
    pub bootstrap: Vec<HostPort>,
    /// Protection of the connection.
    pub security: Security,
    /// Client id, shown in broker logs and tools.
    pub client: String,
    /// Group id; the application id.
    pub group: String,
    /// Static instance id (KIP-345), or `None` for a dynamic member.
    pub instance: Option<String>,
    /// Silence after which the coordinator gives the tasks to others; at least the broker's
    /// `group.min.session.timeout.ms`, 6 s unless changed.
    pub session_timeout: Duration,
    /// Time between heartbeats, at most a third of the session.
    pub heartbeat_interval: Duration,
    /// How long the coordinator waits for every member to join again.
    pub rebalance_timeout: Duration,
    /// Seed of the back-off's jitter; different in every process.
    pub jitter_seed: u64,
}

impl Settings {
    /// Returns the defaults for `group` at `bootstrap`: dynamic, session 6 s, heartbeat 500 ms, rebalance 10
    /// s.
    #[must_use]
    pub fn new(group: &str, bootstrap: Vec<HostPort>) -> Self {
        Self {
            bootstrap,
            security: Security::Plaintext,
            client: "millpond".to_owned(),
            group: group.to_owned(),
            instance: None,
            session_timeout: Duration::from_secs(6),
            heartbeat_interval: Duration::from_millis(500),
            rebalance_timeout: Duration::from_secs(10),
            jitter_seed: 0,
        }
    }

    /// Checks every field, so that no request can fail to be written later.
    ///
    /// # Errors
    /// The first field that is empty, too long or out of its range.
    pub fn check(&self) -> Result<(), SettingsError> {
        if self.bootstrap.is_empty() {
            return Err(SettingsError::NoBootstrap);
        }
        name("group", &self.group)?;
        name("client", &self.client)?;
        if let Some(instance) = &self.instance {
            name("instance", instance)?;
        }
        let (session, beat) = (self.session_timeout, self.heartbeat_interval);
        if beat.is_zero() || beat > session / 3 {
            return Err(SettingsError::Heartbeat { beat, session });
        }
        for timeout in [session, self.rebalance_timeout] {
            if timeout.is_zero() || i32::try_from(timeout.as_millis()).is_err() {
                return Err(SettingsError::Timeout(timeout));
            }
        }
        Ok(())
    }
}

/// What the others need to know of this process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Roles this process runs.
    pub roles: Roles,
    /// Stream threads.
    pub threads: u16,
    /// `host:port` for queries by other instances, if it serves any.
    pub endpoint: Option<String>,
    /// Every transactional id it may have a transaction open under.
    pub transactional_ids: Vec<String>,
    /// Hash of the topology; members with another one get no tasks. At most 64 bytes.
    pub topology: Vec<u8>,
}

impl Identity {
    /// Checks every field.
    ///
    /// # Errors
    /// The first field that is too long or too many.
    pub fn check(&self) -> Result<(), SettingsError> {
        if let Some(endpoint) = &self.endpoint {
            name("endpoint", endpoint)?;
        }
        for id in &self.transactional_ids {
            name("transactional id", id)?;
        }
        if self.transactional_ids.len() > TRANSACTIONAL_IDS_MAX {
            return Err(SettingsError::TooManyIds(self.transactional_ids.len()));
        }
        if self.topology.len() > TOPOLOGY_BYTES_MAX {
            return Err(SettingsError::Name { what: "topology", bytes: self.topology.len() });
        }
        Ok(())
    }
}

/// Why settings were refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SettingsError {
    /// Not `host:port`.
    #[error("{0:?} is not host:port")]
    Address(String),
    /// A protocol that the membership connection does not speak.
    #[error(
        "security.protocol {0:?} is not supported: the membership connection speaks only PLAINTEXT; \
         name a plaintext listener of the brokers"
    )]
    Security(String),
    /// No broker to ask.
    #[error("no bootstrap server is given")]
    NoBootstrap,
    /// A name is empty or too long.
    #[error(
        "{what} has {bytes} bytes: 1 to {NAME_BYTES_MAX} are allowed (topology: 0 to {TOPOLOGY_BYTES_MAX})"
    )]
    Name {
        /// Which name.
        what: &'static str,
        /// Its length in bytes.
        bytes: usize,
    },
    /// More transactional ids than an assignment can carry.
    #[error("{0} transactional ids are more than {TRANSACTIONAL_IDS_MAX}")]
    TooManyIds(usize),
    /// The heartbeat would not keep the session alive.
    #[error(
        "heartbeat interval {beat:?} must be above 0 and at most a third of the session timeout {session:?}"
    )]
    Heartbeat {
        /// The interval.
        beat: Duration,
        /// The session timeout.
        session: Duration,
    },
    /// A timeout is 0 or over 24 days.
    #[error("timeout {0:?} must be above 0 and fit 31 bits of milliseconds")]
    Timeout(Duration),
}

fn name(what: &'static str, text: &str) -> Result<(), SettingsError> {
    if text.is_empty() || text.len() > NAME_BYTES_MAX {
        return Err(SettingsError::Name { what, bytes: text.len() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written() {
        for (text, shown) in
            [("k:1", "k:1"), ("k", "k:9092"), ("[::1]:7", "[::1]:7"), ("[::1]", "[::1]:9092")]
        {
            assert_eq!(text.parse::<HostPort>().unwrap().to_string(), shown);
        }
        for text in ["", ":1", "k:0", "k:x", "k:65536", "[::1]7", "::1"] {
            assert_eq!(text.parse::<HostPort>(), Err(SettingsError::Address(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn only_plaintext_is_spoken_and_the_error_says_so() {
        assert_eq!("PLAINTEXT".parse(), Ok(Security::Plaintext));
        let error = "SASL_SSL".parse::<Security>().unwrap_err().to_string();
        assert!(error.contains("SASL_SSL") && error.contains("only PLAINTEXT"), "{error}");
    }

    #[test]
    fn impossible_settings_are_refused() {
        let good = Settings::new("g", vec!["k:1".parse().unwrap()]);
        assert_eq!(good.check(), Ok(()));
        assert_eq!(Settings { bootstrap: vec![], ..good.clone() }.check(), Err(SettingsError::NoBootstrap));
        let nameless = Settings { instance: Some(String::new()), ..good.clone() };
        assert_eq!(nameless.check(), Err(SettingsError::Name { what: "instance", bytes: 0 }));
        let slow = Settings { heartbeat_interval: Duration::from_secs(3), ..good.clone() };
        assert!(matches!(slow.check(), Err(SettingsError::Heartbeat { .. })));
        let endless = Settings { rebalance_timeout: Duration::from_secs(1 << 32), ..good };
        assert!(matches!(endless.check(), Err(SettingsError::Timeout(_))));
        let ids = vec!["id".to_owned(); 257];
        let many = Identity { transactional_ids: ids, ..Identity::default() };
        assert_eq!(many.check(), Err(SettingsError::TooManyIds(257)));
    }
}
