//! Ctrl-C and its relatives: the demo ends what it started instead of dying at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

use super::error::DemoError;

/// Whether the user wants the demo to end.
#[derive(Debug, Clone, Default)]
pub(super) struct Interrupt {
    told: Arc<AtomicBool>,
    woken: Arc<Notify>,
}

impl Interrupt {
    /// Listens for SIGINT, SIGTERM and SIGHUP from now on; must be called within the runtime.
    pub(super) fn listen() -> Result<Self, DemoError> {
        let interrupt = Self::default();
        for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
            let refused = |source| DemoError::System { what: "listening for signals", source };
            let mut signals = signal(kind).map_err(refused)?;
            let interrupt = interrupt.clone();
            tokio::spawn(async move {
                while signals.recv().await.is_some() {
                    interrupt.told.store(true, Ordering::Relaxed);
                    interrupt.woken.notify_waiters();
                }
            });
        }
        Ok(interrupt)
    }

    /// Fails once the user has interrupted.
    pub(super) fn check(&self) -> Result<(), DemoError> {
        if self.told.load(Ordering::Relaxed) { Err(DemoError::Interrupted) } else { Ok(()) }
    }

    /// Runs `work` unless, or until, the user interrupts.
    pub(super) async fn or<T, E: Into<DemoError>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, DemoError> {
        let woken = self.woken.notified();
        // Registered before the flag is read, so that no interrupt falls in between.
        tokio::pin!(woken);
        woken.as_mut().enable();
        self.check()?;
        tokio::select! {
            done = work => done.map_err(Into::into),
            () = woken => Err(DemoError::Interrupted),
        }
    }
}
