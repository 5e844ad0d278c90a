//! How many brokers run at the same time: each is a JVM.

use std::sync::{Condvar, Mutex, PoisonError};

/// Two clusters of three.
const BROKERS_MAX: usize = 6;

static RUNNING: Mutex<usize> = Mutex::new(0);
static FREED: Condvar = Condvar::new();

/// The right to run some brokers; given back when dropped.
#[derive(Debug)]
pub(super) struct Turn(usize);

impl Turn {
    /// Waits until `brokers` more may run.
    pub(super) fn take(brokers: usize) -> Self {
        let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |running: &mut usize| *running + brokers > BROKERS_MAX;
        let mut running = FREED.wait_while(running, full).unwrap_or_else(PoisonError::into_inner);
        *running += brokers;
        Self(brokers)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) -= self.0;
        FREED.notify_all();
    }
}
