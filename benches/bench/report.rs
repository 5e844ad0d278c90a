//! Results as JSON, one file per run, kept.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// Writes `result` with the circumstances of the run into `dir` and returns the path.
pub(crate) fn keep(dir: &Path, part: &str, result: Value) -> Result<PathBuf> {
    std::fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let path = dir.join(format!("{part}-{seconds}.json"));
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let whole = json!({
        "part": part,
        "unixSeconds": seconds,
        "version": env!("CARGO_PKG_VERSION"),
        "cores": cores,
        "loadAverage": load.trim(),
        "result": result,
    });
    std::fs::write(&path, serde_json::to_string_pretty(&whole)?)?;
    Ok(path)
}

/// Returns the busy share of the whole machine since `before`, from `/proc/stat` readings.
pub(crate) fn busy_share(before: (u64, u64), after: (u64, u64)) -> f64 {
    let (busy, total) = (after.0 - before.0, after.1 - before.1);
    if total == 0 { 0.0 } else { precise(busy) / precise(total) }
}

/// Reads (busy, total) clock ticks of the whole machine.
pub(crate) fn machine_ticks() -> (u64, u64) {
    let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let first = text.lines().next().unwrap_or_default();
    let fields: Vec<u64> = first.split_whitespace().skip(1).filter_map(|field| field.parse().ok()).collect();
    let total = fields.iter().sum();
    let idle: u64 = fields.iter().skip(3).take(2).sum();
    (total - idle, total)
}

#[expect(clippy::cast_precision_loss, reason = "ticks of a run fit 53 bits")]
fn precise(ticks: u64) -> f64 {
    ticks as f64
}
