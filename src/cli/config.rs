//! `millpond config show|validate`.

use clap::{Args, Subcommand};

use super::output::{Format, json, print, table, trimmed};
use super::{Exit, Failure, Global};
use crate::config::{Loaded, Shown};

/// The commands about the configuration.
#[derive(Clone, Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Shows every key with its effective value; secrets are redacted
    Show(ShowArgs),
    /// Reads the configuration and says whether it can be run with; exit 3 if not
    Validate,
}

/// Arguments of `millpond config show`.
#[derive(Clone, Debug, Args)]
pub(super) struct ShowArgs {
    /// Shows which layer set each value, and where in it
    #[arg(long)]
    origin: bool,
    /// Shows what each key is
    #[arg(long)]
    about: bool,
    /// How to show the keys
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

pub(super) fn run(global: &Global, command: &ConfigCommand) -> Result<Exit, Failure> {
    match command {
        ConfigCommand::Show(args) => {
            print(&show(&global.load()?, args)?)?;
            Ok(Exit::Ok)
        }
        ConfigCommand::Validate => validate(global),
    }
}

fn show(loaded: &Loaded, args: &ShowArgs) -> Result<String, Failure> {
    match args.output {
        Format::Json if args.origin || args.about => json(&loaded.shown()),
        Format::Json => json(&loaded.config),
        Format::Table => {
            let headings = ["KEY", "VALUE", "ORIGIN", "ABOUT"];
            let wanted = [true, true, args.origin, args.about];
            let picked = |cells: [String; 4]| -> Vec<String> {
                cells.into_iter().zip(wanted).filter(|(_, wanted)| *wanted).map(|(cell, _)| cell).collect()
            };
            let headings = picked(headings.map(str::to_owned));
            let mut rows = table(&headings.iter().map(String::as_str).collect::<Vec<_>>());
            for Shown { key, value, origin, about } in loaded.shown() {
                let value = value.unwrap_or_else(|| "none".to_owned());
                rows.add_row(picked([key, value, origin, about.to_owned()]));
            }
            Ok(trimmed(&rows))
        }
    }
}

fn validate(global: &Global) -> Result<Exit, Failure> {
    match global.load() {
        Ok(_) => {
            let file = global.file().map_or_else(|| "no file".to_owned(), |path| path.display().to_string());
            print(&format!("the configuration is valid ({file}, environment and flags)\n"))?;
            Ok(Exit::Ok)
        }
        Err(error) => Err(Failure::new(Exit::Difference, "millpond::config::invalid", error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Sources, load};

    #[test]
    fn the_table_has_the_columns_asked_for() {
        let set = vec!["kafka.producer.linger.ms=7".to_owned()];
        let environment =
            vec![("MILLPOND_SINK__POSTGRES__URL".to_owned(), "postgres://u:hunter2@h/d".to_owned())];
        let loaded = load(&Sources { set, environment, file: None }).unwrap();
        let args = ShowArgs { origin: true, about: true, output: Format::Table };
        let text = show(&loaded, &args).unwrap();
        assert!(!text.contains("hunter2"));
        insta::assert_snapshot!(text);
        let bare = ShowArgs { origin: false, about: false, output: Format::Table };
        let bare = show(&loaded, &bare).unwrap();
        assert!(bare.lines().next().is_some_and(|line| line.ends_with("VALUE")), "{bare}");
    }

    #[test]
    fn json_nests_the_keys() {
        let loaded = load(&Sources::default()).unwrap();
        let args = ShowArgs { origin: false, about: false, output: Format::Json };
        let json: serde_json::Value = serde_json::from_str(&show(&loaded, &args).unwrap()).unwrap();
        assert_eq!(json["commit"]["interval"], "100ms");
        assert_eq!(json["topics"]["orders"]["partitions"], 4);
    }
}
