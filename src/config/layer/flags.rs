//! Flags: `--set key=value`, and the flags of commands that stand for a key.

use super::Layer;
use crate::config::error::Finding;
use crate::config::origin::Origin;

/// Reads the arguments of `--set`, each `key=value`.
pub(in crate::config) fn from_flags(set: &[String]) -> Layer {
    let mut layer = Layer::default();
    for argument in set {
        let Some((key, text)) = argument.split_once('=') else {
            let origin = Origin::Flag { flag: "--set".to_owned() };
            layer.refuse(
                origin,
                Finding::new(argument, "is not key=value").cure("as in --set commit.interval=50ms"),
            );
            continue;
        };
        let (key, text) = (key.trim(), text.trim());
        let origin = Origin::Flag { flag: format!("--set {key}") };
        if crate::config::is_secret(key) {
            let variable = format!("MILLPOND_{}", key.to_ascii_uppercase().replace('.', "__"));
            let cure = format!("set {variable}, or {variable}_FILE to the path of a file that holds it");
            let what =
                "is a secret and may not stand on the command line, where every user of the host sees it";
            layer.refuse(origin, Finding::new(key, what).cure(cure));
        } else {
            layer.assign(key, text, origin);
        }
    }
    layer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &[&str]) -> Layer {
        from_flags(&arguments.iter().map(|argument| (*argument).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn the_first_equals_sign_separates() {
        let layer = read(&["kafka.consumer.client.id=a=b"]);
        assert_eq!(layer.assignments[0].key, "kafka.consumer.client.id");
        assert_eq!(layer.assignments[0].text, "a=b");
        assert!(read(&["commit.interval"]).problems[0].to_string().contains("is not key=value"));
    }

    #[test]
    fn secrets_are_refused_without_being_repeated() {
        let layer =
            read(&["sink.postgres.url=postgres://u:hunter2@h/d", "kafka.producer.sasl.password=hunter2"]);
        assert_eq!(layer.assignments, []);
        assert_eq!(layer.problems.len(), 2);
        for problem in &layer.problems {
            let shown = problem.to_string();
            assert!(shown.contains("_FILE") && !shown.contains("hunter2"), "{shown}");
        }
    }
}
