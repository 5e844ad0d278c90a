//! `millpond run`: what is made sure of before the runtime takes over.

use clap::Args;
use millpond_membership::Role;

use super::{Exit, Failure, Global, migrate};
use crate::app::App;
use crate::config::{Config, RoleSet, Setting as _};
use crate::runtime::ApplicationError;
use crate::topics::{self, Difference};

const AFTER_HELP: &str = "\
Before it joins its group it checks the topics and brings the PostgreSQL schema up to date. SIGTERM and
SIGINT end it: it finishes, commits and flushes within shutdown.timeout. Its health is served at
http.listen: /livez, /readyz, /status, /metrics.

Exit codes: 0 stopped as asked, 1 failed while running, 2 wrong usage or configuration, 4 topics are
missing or not as configured, or the state directory cannot be used.";

/// Arguments of `millpond run`.
#[derive(Clone, Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct RunArgs {
    /// Application to run
    #[arg(long, value_enum, default_value_t = App::Accounts)]
    pub app: App,
    /// What to run: processor, sink or processor,sink; the key `roles` unless given
    #[arg(long, value_name = "ROLES", value_parser = RoleSet::read)]
    pub roles: Option<RoleSet>,
    /// Leaves the PostgreSQL schema as it is; otherwise it is brought up to date first
    #[arg(long)]
    pub no_migrate: bool,
}

pub(super) fn run(global: &Global, args: &RunArgs) -> Result<Exit, Failure> {
    let roles = args.roles.map(|roles| format!("roles={roles}"));
    let config = global.load_with(roles.into_iter().collect())?.config;
    check_topics(&config, args.app)?;
    if config.roles.0.has(Role::Sink) {
        prepare_schema(&config, args)?;
    }
    crate::runtime::run(&config, args.app).map_err(failure)?;
    Ok(Exit::Ok)
}

fn failure(error: ApplicationError) -> Failure {
    match error.is_precondition() {
        true => Failure::new(Exit::Precondition, "millpond::run::precondition", error),
        false => Failure::new(Exit::Failed, "millpond::run", error),
    }
}

/// Makes sure of the topics: a mistake is told before a group is joined or a store is opened.
fn check_topics(config: &Config, app: App) -> Result<(), Failure> {
    let topology = super::topology::of(app, config)?;
    for Difference { topic, what, cure, .. } in topics::preflight(config, &topology)? {
        tracing::warn!("{topic} {what}; cure: {cure}");
    }
    Ok(())
}

fn prepare_schema(config: &Config, args: &RunArgs) -> Result<(), Failure> {
    let url = config.postgres_url()?;
    if args.no_migrate {
        return Ok(());
    }
    match migrate::apply(url) {
        Ok(applied) => applied.iter().for_each(|migration| tracing::info!("applied migration {migration}")),
        // Balances are kept while the database is away; the sink waits for it and says so in /readyz.
        Err(error) if migrate::is_passing(&error) => tracing::warn!("the schema was not checked: {error}"),
        Err(error) => return Err(migrate::failure(&error)),
    }
    Ok(())
}
