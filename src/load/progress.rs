//! How far writing has come: a bar on a terminal, one line per second elsewhere.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use indicatif::{ProgressBar, ProgressStyle};

use super::error::LoadError;
use super::meter::Meter;

/// What is shown.
#[derive(Clone, Copy)]
pub(super) struct Goal {
    /// What is written.
    pub(super) title: &'static str,
    /// How much of it.
    pub(super) total: u64,
    /// How much of it is written so far.
    pub(super) count: fn(&Meter) -> u64,
}

/// A display that runs until it is dropped.
pub(super) struct Progress {
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Progress {
    /// Begins to show the meter's way to the goal, on stderr.
    pub(super) fn start(goal: Goal, meter: Arc<Meter>) -> Result<Self, LoadError> {
        let (end, ended) = crossbeam_channel::bounded(0);
        let show = move || {
            if std::io::stderr().is_terminal() {
                bar(&goal, &meter, &ended);
            } else {
                lines(&goal, &meter, &ended);
            }
        };
        let thread = std::thread::Builder::new().name("load-progress".to_owned()).spawn(show);
        Ok(Self { end: Some(end), thread: Some(thread.map_err(LoadError::Thread)?) })
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end = None;
        // A display that panicked has nothing more to say.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn waits(ended: &Receiver<()>, period: Duration) -> bool {
    ended.recv_timeout(period) == Err(RecvTimeoutError::Timeout)
}

fn bar(goal: &Goal, meter: &Meter, ended: &Receiver<()>) {
    let Goal { title, total, count } = *goal;
    let bar = ProgressBar::new(total);
    let template = "{prefix:<8} [{bar:40}] {human_pos}/{human_len} {per_sec} {eta}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_prefix(title);
    while waits(ended, Duration::from_millis(100)) {
        bar.set_position(count(meter));
    }
    bar.set_position(count(meter));
    bar.abandon();
}

fn lines(goal: &Goal, meter: &Meter, ended: &Receiver<()>) {
    let Goal { title, total, count } = *goal;
    let (base, start) = (count(meter), Instant::now());
    let mut before = base;
    let mut say = |seconds: f64| {
        let done = count(meter);
        let rate = (done - before) as f64 / seconds;
        eprintln!("{title}: {done}/{total} written, {rate:.0}/s");
        before = done;
    };
    while waits(ended, Duration::from_secs(1)) {
        say(1.0);
    }
    let done = count(meter);
    let rate = (done - base) as f64 / start.elapsed().as_secs_f64().max(0.001);
    eprintln!("{title}: {done}/{total} written, {rate:.0}/s over all");
}
