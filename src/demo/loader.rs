//! The thread that writes orders while the demo watches.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use super::error::DemoError;
use crate::load::{Feed, Generator, LoadError, Meter, Pace, Phase};

/// Orders being written; dropping it stops them.
pub(super) struct Loader {
    stop: Arc<AtomicBool>,
    meter: Arc<Meter>,
    done: Option<Generator>,
    thread: Option<JoinHandle<Result<Generator, LoadError>>>,
}

impl Loader {
    /// Begins to write the generator's orders.
    pub(super) fn start(mut feed: Feed, mut generator: Generator, pace: Pace) -> Result<Self, DemoError> {
        let (stop, meter) = (Arc::new(AtomicBool::new(false)), feed.meter());
        let told = Arc::clone(&stop);
        let work = move || {
            feed.run(&mut generator, Phase::Orders, pace, &told)?;
            Ok(generator)
        };
        let thread = std::thread::Builder::new().name("demo-load".to_owned()).spawn(work);
        let thread =
            thread.map_err(|source| DemoError::System { what: "a thread for the orders", source })?;
        Ok(Self { stop, meter, done: None, thread: Some(thread) })
    }

    /// Returns how many orders were written, without the other events around them.
    pub(super) fn orders(&self) -> u64 {
        self.meter.orders()
    }

    /// Tells whether everything is written; fails when it could not be.
    pub(super) fn check(&mut self) -> Result<(), DemoError> {
        if let Some(thread) = self.thread.take_if(|thread| thread.is_finished()) {
            let panicked = |_| DemoError::System {
                what: "the thread for the orders",
                source: std::io::Error::other("it panicked"),
            };
            self.done = Some(thread.join().map_err(panicked)??);
        }
        Ok(())
    }

    /// Returns the generator with its summary once everything is written.
    pub(super) fn done(&self) -> Option<&Generator> {
        self.done.as_ref()
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Whatever it has to say, the demo is ending for a reason of its own.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
