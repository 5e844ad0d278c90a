//! Environment variables: `MILLPOND_COMMIT__INTERVAL`, and `..._FILE` for secrets.

use std::fs;
use std::path::PathBuf;

use super::Layer;
use crate::config::error::Finding;
use crate::config::key::KEYS;
use crate::config::origin::Origin;
use crate::config::suggest::nearest;

const PREFIX: &str = "MILLPOND_";
const FILE_SUFFIX: &str = "_FILE";
/// Where raw librdkafka keys stand; there `_` is a dot, since those keys have dots and no underscores.
const RAW: [(&str, &str); 2] =
    [("MILLPOND_KAFKA__CONSUMER__", "kafka.consumer."), ("MILLPOND_KAFKA__PRODUCER__", "kafka.producer.")];
/// Read by the command line itself.
const OURS: [&str; 1] = ["MILLPOND_CONFIG"];

/// Reads the variables that belong to the configuration, in the order of their names.
pub(in crate::config) fn from_environment(variables: impl IntoIterator<Item = (String, String)>) -> Layer {
    let mut ours: Vec<_> = variables.into_iter().filter(|(name, _)| name.starts_with(PREFIX)).collect();
    ours.sort();
    let mut layer = Layer::default();
    for (name, text) in ours {
        variable(&mut layer, name, text);
    }
    layer
}

fn variable(layer: &mut Layer, name: String, text: String) {
    if OURS.contains(&name.as_str()) {
        return;
    }
    if let Some(key) = key_of(&name) {
        layer.assign(key, text, Origin::Environment { variable: name });
    } else if let Some(key) = name.strip_suffix(FILE_SUFFIX).and_then(key_of) {
        from_secret_file(layer, &key, name, PathBuf::from(text));
    } else {
        unknown(layer, name);
    }
}

/// Returns the key that a variable sets, if there is one.
fn key_of(name: &str) -> Option<String> {
    for (prefix, key) in RAW {
        if let Some(rest) = name.strip_prefix(prefix) {
            // A secret's `..._FILE` is not the key `....file`.
            let is_file = rest.ends_with(FILE_SUFFIX);
            return (!is_file)
                .then(|| format!("{key}{}", rest.to_ascii_lowercase().replace("__", ".").replace('_', ".")));
        }
    }
    KEYS.iter().find(|key| key.variable() == name).map(|key| key.name.to_owned())
}

fn from_secret_file(layer: &mut Layer, key: &str, variable: String, path: PathBuf) {
    let origin = Origin::SecretFile { variable, path: path.clone() };
    if !crate::config::is_secret(key) {
        let cure = "only secrets are read from files; name the value itself";
        layer.refuse(origin, Finding::new(key, "is not a secret").cure(cure));
        return;
    }
    match fs::read_to_string(&path) {
        // Editors and `kubectl create secret` end files with a newline that is no part of the secret.
        Ok(text) => layer.assign(key, text.trim_end_matches(['\n', '\r']), origin),
        Err(error) => layer.refuse(origin, Finding::new(key, format!("cannot be read: {error}"))),
    }
}

/// Refuses what looks like a key of ours. Other variables pass: Kubernetes sets `MILLPOND_PORT` and the like
/// for a
/// service of that name.
fn unknown(layer: &mut Layer, name: String) {
    let bare = name.trim_start_matches(PREFIX);
    let variables: Vec<String> =
        KEYS.iter().map(|key| key.variable().trim_start_matches(PREFIX).to_owned()).collect();
    let near = nearest(bare, variables.iter().map(String::as_str));
    let typo = near.is_some_and(|near| !near.contains("__"));
    if !bare.contains("__") && !typo {
        return;
    }
    let finding = Finding::new(name.clone(), "sets no known key");
    let finding = match near {
        Some(near) => finding.cure(format!("did you mean {PREFIX}{near}?")),
        None => finding.cure("`millpond config show` lists the keys"),
    };
    layer.refuse(Origin::Environment { variable: name }, finding);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Layer {
        from_environment(variables.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())))
    }

    #[test]
    fn two_underscores_nest_and_one_stays() {
        let layer = read(&[
            ("MILLPOND_STATE__MEMORY_BUDGET", "1GiB"),
            ("MILLPOND_THREADS", "3"),
            ("MILLPOND_KAFKA__CONSUMER__FETCH_MIN_BYTES", "9"),
            ("PATH", "/bin"),
        ]);
        let keys: Vec<_> =
            layer.assignments.iter().map(|set| (set.key.as_str(), set.text.as_str())).collect();
        let expected =
            [("kafka.consumer.fetch.min.bytes", "9"), ("state.memory_budget", "1GiB"), ("threads", "3")];
        assert_eq!(keys, expected);
        assert_eq!(layer.problems, []);
    }

    #[test]
    fn misspelt_variables_are_refused_and_foreign_ones_are_not() {
        let layer = read(&[
            ("MILLPOND_COMIT__INTERVAL", "1s"),
            ("MILLPOND_THREDS", "3"),
            ("MILLPOND_PORT", "tcp://10.0.0.1:9464"),
            ("MILLPOND_SERVICE_HOST", "10.0.0.1"),
            ("MILLPOND_TEST_BROKERS", "127.0.0.1:1"),
            ("MILLPOND_CONFIG", "m.toml"),
        ]);
        let shown: Vec<_> = layer.problems.iter().map(ToString::to_string).collect();
        assert_eq!(shown.len(), 2, "{shown:?}");
        assert!(shown[0].ends_with("did you mean MILLPOND_COMMIT__INTERVAL?"), "{shown:?}");
        assert!(shown[1].ends_with("did you mean MILLPOND_THREADS?"), "{shown:?}");
        assert_eq!(layer.assignments, []);
    }

    #[test]
    fn secrets_come_from_files_without_the_last_newline() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("url");
        fs::write(&path, "postgres://u:p@h/d\n").unwrap();
        let path = path.to_str().unwrap();
        let layer = read(&[
            ("MILLPOND_SINK__POSTGRES__URL_FILE", path),
            ("MILLPOND_KAFKA__CONSUMER__SASL_PASSWORD_FILE", path),
            ("MILLPOND_COMMIT__INTERVAL_FILE", path),
        ]);
        let found: Vec<_> =
            layer.assignments.iter().map(|set| (set.key.as_str(), set.text.as_str())).collect();
        let url = "postgres://u:p@h/d";
        assert_eq!(found, [("kafka.consumer.sasl.password", url), ("sink.postgres.url", url)]);
        assert!(layer.problems[0].to_string().contains("is not a secret"));
        let gone = read(&[("MILLPOND_SINK__POSTGRES__URL_FILE", "/nonexistent/url")]);
        assert!(gone.problems[0].to_string().contains("cannot be read"), "{gone:?}");
    }
}
