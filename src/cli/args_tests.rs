//! The help texts, and what the flags mean.

use clap::CommandFactory as _;

use super::*;

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

/// Returns the long help of the command at this path.
fn help(path: &[&str]) -> String {
    let mut command = Cli::command();
    command.build();
    let mut at = &mut command;
    for name in path {
        at = at.find_subcommand_mut(name).unwrap();
    }
    let text = at.render_long_help().to_string();
    text.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

#[test]
fn the_help_lists_the_commands_and_the_rules() {
    insta::assert_snapshot!(help(&[]));
}

#[test]
fn commands_that_change_something_say_what_and_how_they_end() {
    insta::assert_snapshot!(help(&["topics", "init"]));
    insta::assert_snapshot!(help(&["run"]));
    insta::assert_snapshot!(help(&["verify"]));
}

#[test]
fn commands_that_show_something_explain_it() {
    insta::assert_snapshot!(help(&["offsets", "show"]));
    insta::assert_snapshot!(help(&["config", "show"]));
    insta::assert_snapshot!(help(&["topology", "describe"]));
}

#[test]
fn verbosity_follows_the_flags() {
    let verbosity = |flags: &[&str]| Cli::parse_from(["millpond", "version"].iter().chain(flags)).verbosity();
    assert_eq!(verbosity(&[]), Verbosity::Normal);
    assert_eq!(verbosity(&["-q"]), Verbosity::Quiet);
    assert_eq!(verbosity(&["-v"]), Verbosity::Verbose);
    assert_eq!(verbosity(&["-vv"]), Verbosity::Everything);
    assert!(Cli::try_parse_from(["millpond", "-q", "-v", "version"]).is_err());
}
