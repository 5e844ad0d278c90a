//! What `millpond demo` understands.

/// Options of `millpond demo`.
#[derive(Debug, Clone, clap::Args)]
pub struct DemoArgs {
    /// Accounts that are opened and funded
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub users: u64,
    /// Orders, bad ones and duplicates included
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub orders: u64,
    /// Orders per second
    #[arg(long, default_value_t = 8_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub rate: u64,
    /// Seed of the orders
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Share of the orders, 0 to 1, that is committed when the processor is killed
    #[arg(long, default_value_t = 0.5, value_parser = share)]
    pub kill_at: f64,
    /// Kills nothing
    #[arg(long)]
    pub no_kill: bool,
    /// Keeps topics, databases and folders of earlier demos, which are deleted otherwise
    #[arg(long)]
    pub keep: bool,
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..1.0).contains(&share) { Ok(share) } else { Err("must be at least 0 and below 1".to_owned()) }
}
