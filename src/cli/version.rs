//! `millpond version`: what this binary was built from.

use clap::Args;
use serde::Serialize;

use super::output::{Format, json, print};
use super::{Exit, Failure};

/// Arguments of `millpond version`.
#[derive(Clone, Debug, Args)]
pub(super) struct VersionArgs {
    /// How to show it
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

#[derive(Serialize)]
struct Build {
    version: &'static str,
    /// Set by those who build releases, through `MILLPOND_COMMIT`.
    commit: &'static str,
    target: String,
    failpoints: bool,
    librdkafka: String,
}

impl Build {
    fn this() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            commit: option_env!("MILLPOND_COMMIT").unwrap_or("unknown"),
            target: format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
            failpoints: cfg!(feature = "failpoints"),
            librdkafka: rdkafka::util::get_rdkafka_version().1,
        }
    }
}

pub(super) fn run(args: &VersionArgs) -> Result<Exit, Failure> {
    let build = Build::this();
    let text = match args.output {
        Format::Json => json(&build)?,
        Format::Table => {
            let Build { version, commit, target, failpoints, librdkafka } = build;
            let failpoints = if failpoints { "compiled in: for tests, not for production" } else { "no" };
            format!(
                "millpond   {version}\ncommit     {commit}\ntarget     {target}\nlibrdkafka {librdkafka}\n\
                 failpoints {failpoints}\n"
            )
        }
    };
    print(&text)?;
    Ok(Exit::Ok)
}
