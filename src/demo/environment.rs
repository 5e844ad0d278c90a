//! A configuration as environment variables, for a child that must have exactly it.

use std::ffi::{OsStr, OsString};

use crate::config::{Config, KEYS};

/// What the variables of the configuration begin with.
const PREFIX: &str = "MILLPOND_";

/// Returns every key that is set, as the variables that a child reads.
///
/// Secrets are among them: the caller hands them to the child and nowhere else.
pub(super) fn variables(config: &Config) -> Vec<(String, String)> {
    let plain = KEYS.iter().filter(|key| !key.secret);
    let mut variables: Vec<_> = plain.filter_map(|key| Some((key.variable(), key.show(config)?))).collect();
    if let Some(url) = &config.sink.postgres.url {
        variables.push((format!("{PREFIX}SINK__POSTGRES__URL"), url.expose().to_owned()));
    }
    for (section, raw) in [("CONSUMER", &config.kafka.consumer), ("PRODUCER", &config.kafka.producer)] {
        for (key, value) in raw.iter() {
            let key = key.to_ascii_uppercase().replace('.', "_");
            variables.push((format!("{PREFIX}KAFKA__{section}__{key}"), value.to_owned()));
        }
    }
    variables
}

/// Returns the names among `present` that must not reach the child: a `..._FILE` of a secret, or a configuration file,
/// would speak against what it is told.
pub(super) fn foreign(present: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let is_ours = |name: &OsStr| name.to_str().is_some_and(|name| name.starts_with(PREFIX));
    present.filter(|name| is_ours(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::{foreign, variables};
    use crate::config::{Config, Secret, Sources, load};

    #[test]
    fn a_child_reads_the_same_configuration() {
        let set = [
            "threads=2",
            "commit.interval=50ms",
            "kafka.consumer.fetch.min.bytes=9",
            "app.id=a",
            "instance.id=i",
        ];
        let set = set.map(str::to_owned).to_vec();
        let mut config = load(&Sources { set, ..Sources::default() }).unwrap().config;
        config.sink.postgres.url = Some(Secret::new("postgres://u:p@h/d"));
        let read = load(&Sources { environment: variables(&config), ..Sources::default() }).unwrap().config;
        assert_eq!(read, config);
        assert_ne!(read, Config::default());
    }

    #[test]
    fn what_speaks_against_it_is_taken_away() {
        let present = ["PATH", "MILLPOND_CONFIG", "MILLPOND_SINK__POSTGRES__URL_FILE"].map(Into::into);
        assert_eq!(foreign(present.into_iter()), ["MILLPOND_CONFIG", "MILLPOND_SINK__POSTGRES__URL_FILE"]);
    }
}
