//! The restore: all stores from nothing.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;

use crate::process::Process;
use crate::report::{busy_share, keep, machine_ticks};
use crate::system::System;

/// Options of `millpond-bench restore`.
#[derive(Args)]
pub(crate) struct RestoreArgs {
    /// Folder that a drain left; its state is deleted
    #[arg(long)]
    app_dir: PathBuf,
    /// Partitions of every topic, as in the drain
    #[arg(long, default_value_t = 4)]
    partitions: u32,
    /// Stream threads
    #[arg(long, default_value_t = 2)]
    threads: u32,
    /// Where results go
    #[arg(long, default_value = "bench-data")]
    dir: PathBuf,
}

/// Longest restore.
const LIMIT: Duration = Duration::from_secs(600);

/// Restores and prints the figures, from the last look that showed no task until all run.
pub(crate) fn run(args: &RestoreArgs) -> Result<()> {
    let system = System::existing(&args.app_dir, args.threads, args.partitions)?;
    let state = system.dir().join("state");
    let name = args.app_dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let is_ours = name.strip_prefix("bench-").is_some_and(|rest| rest.parse::<u64>().is_ok());
    if !is_ours || !state.is_dir() {
        bail!(
            "--app-dir must name the folder that a drain left, bench-<number> with the state in it, not {}",
            args.app_dir.display()
        );
    }
    std::fs::remove_dir_all(&state)?;
    let machine = machine_ticks();
    let started = Instant::now();
    let mut process = Process::attach(system.start("restore.log")?)?;
    let mut first = Instant::now();
    let mut begun = false;
    let records = loop {
        std::thread::sleep(Duration::from_millis(5));
        process.check()?;
        if started.elapsed() > LIMIT {
            bail!("the tasks do not run after {LIMIT:?}");
        }
        // One that is busy answers later.
        let Ok(tasks) = process.restored() else { continue };
        begun |= !tasks.is_empty();
        if !begun {
            first = Instant::now();
        }
        let running = tasks.iter().filter(|task| task.phase == "running").count();
        if running == usize::try_from(args.partitions)? {
            break tasks.iter().map(|task| task.records).sum::<u64>();
        }
    };
    if records == 0 {
        bail!("nothing was restored: the changelog of {} is empty", system.dir().display());
    }
    let (seconds, from_start) = (first.elapsed().as_secs_f64(), started.elapsed().as_secs_f64());
    let (cpu, peak) = (process.cpu_seconds()?, process.peak_mib()?);
    let busy = busy_share(machine, machine_ticks());
    process.stop()?;
    let count = f64::from(u32::try_from(records)?);
    let result = json!({
        "records": records,
        "partitions": args.partitions,
        "threads": args.threads,
        "recordsPerSecond": (count / seconds).round(),
        "seconds": seconds,
        "secondsFromStart": from_start,
        "cpuSecondsPerMillion": cpu * 1e6 / count,
        "peakMiB": peak,
        "machineBusyShare": busy,
    });
    let path = keep(&args.dir, "restore", result.clone())?;
    println!("{}", serde_json::to_string_pretty(&result)?);
    eprintln!("kept in {}", path.display());
    Ok(())
}
