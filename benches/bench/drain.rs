//! The drain: preloaded orders, processed as fast as possible.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;
use serde_json::{Value, json};

use crate::process::{Process, cpu_seconds_of};
use crate::report::{busy_share, keep, machine_ticks};
use crate::system::System;

/// Options of `millpond-bench drain`.
#[derive(Args)]
pub(crate) struct DrainArgs {
    /// Orders to preload
    #[arg(long, default_value_t = 2_000_000)]
    orders: u64,
    /// Users with an account
    #[arg(long, default_value_t = 100_000)]
    users: u64,
    /// Partitions of every topic
    #[arg(long, default_value_t = 4)]
    partitions: u32,
    /// Stream threads
    #[arg(long, default_value_t = 2)]
    threads: u32,
    /// Exponent of Zipf's law over the users; 0 = all alike
    #[arg(long, default_value_t = 0.0)]
    zipf: f64,
    /// Where state, logs and results go
    #[arg(long, default_value = "bench-data")]
    dir: PathBuf,
    /// Process id of the broker, whose CPU seconds are then reported too
    #[arg(long)]
    broker_pid: Option<u32>,
    /// Leaves the oracle out; the result then says so
    #[arg(long)]
    no_verify: bool,
}

/// Longest drain.
const LIMIT: Duration = Duration::from_secs(600);

/// Runs the drain and prints its figures.
pub(crate) fn run(args: &DrainArgs) -> Result<()> {
    let system = System::new(&args.dir, args.threads, args.partitions)?;
    system.ok(&["topics", "init", "--execute"])?;
    eprintln!("funding {} accounts", args.users);
    let (users, orders, zipf) = (args.users.to_string(), args.orders.to_string(), args.zipf.to_string());
    system.ok(&["load", "--users", &users, "--fund-only"])?;
    let warm = Process::attach(system.start("fund.log")?)?;
    wait(&warm, "account.commands", args.users)?;
    warm.stop()?;
    eprintln!("preloading {} orders", args.orders);
    let load =
        ["load", "--users", &users, "--orders", &orders, "--rate", "0", "--zipf", &zipf, "--skip-funding"];
    let clean = ["--bad", "0", "--others", "0", "--duplicates", "0", "--short", "0", "--unknown-users", "0"];
    system.ok(&[&load[..], &clean].concat())?;
    eprintln!("draining with {} threads", args.threads);
    let machine = machine_ticks();
    let broker_before = args.broker_pid.map(cpu_seconds_of).transpose()?;
    let started = Instant::now();
    let process = Process::attach(system.start("drain.log")?)?;
    let (first, done) = wait(&process, "order.events", args.orders)?;
    let (cpu, peak) = (process.cpu_seconds()?, process.peak_mib()?);
    let broker = args.broker_pid.map(cpu_seconds_of).transpose()?;
    let busy = busy_share(machine, machine_ticks());
    process.stop()?;
    let count = f64::from(u32::try_from(args.orders)?);
    let seconds = done.duration_since(first).as_secs_f64();
    let verified = if args.no_verify { Value::Null } else { verify(&system)? };
    let result = json!({
        "orders": args.orders,
        "users": args.users,
        "partitions": args.partitions,
        "threads": args.threads,
        "zipf": args.zipf,
        "ordersPerSecond": (count / seconds).round(),
        "seconds": seconds,
        "secondsFromStart": done.duration_since(started).as_secs_f64(),
        "cpuSecondsPerMillion": cpu * 1e6 / count,
        "brokerCpuSecondsPerMillion": broker.zip(broker_before).map(|(now, then)| (now - then) * 1e6 / count),
        "peakMiB": peak,
        "machineBusyShare": busy,
        "oracleChecksPassed": verified,
    });
    let path = keep(&args.dir, "drain", result.clone())?;
    println!("{}", serde_json::to_string_pretty(&result)?);
    eprintln!("kept in {}; state and logs in {}", path.display(), system.dir().display());
    Ok(())
}

/// Waits until `count` records of the topic are committed; returns when work began and when it was done.
fn wait(process: &Process, topic: &str, count: u64) -> Result<(Instant, Instant)> {
    let begun = Instant::now();
    let mut first = None;
    let target = i64::try_from(count)?;
    loop {
        let (committed, lag) = process.progress(topic).unwrap_or((0, 1));
        let now = Instant::now();
        if committed == 0 {
            // Work begins at the earliest after the last look that showed none.
            first = Some(now);
        }
        if committed >= target && lag == 0 {
            return Ok((first.unwrap_or(begun), now));
        }
        if begun.elapsed() > LIMIT {
            bail!("{topic}: {committed} of {count} committed after {LIMIT:?}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Lets the oracle judge everything but PostgreSQL, which takes no part. A fast wrong answer is void.
fn verify(system: &System) -> Result<Value> {
    let output = system.command(&["verify", "--no-postgres", "-o", "json"]).output()?;
    let report: Value = serde_json::from_slice(&output.stdout)?;
    let checks = report.get("checks").and_then(Value::as_array).cloned().unwrap_or_default();
    let failed: Vec<_> = checks
        .iter()
        .filter(|check| check.get("outcome").is_some_and(|outcome| outcome.to_string().contains("ailed")))
        .collect();
    if checks.is_empty() || !failed.is_empty() {
        bail!("the oracle objects, the run is void: {}", serde_json::to_string_pretty(&failed)?);
    }
    Ok(json!(checks.len() - failed.len()))
}
