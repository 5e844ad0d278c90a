//! Serving a client's main queue: log lines are traced, failures collected.

use std::time::Duration;

use super::errors::is_purge;
use super::ffi::{CallError, DeliveryFailure, Event, Queue};

/// What came up since the last look.
#[derive(Debug, Default)]
pub(super) struct Noticed {
    /// Deliveries that failed, aborts excluded.
    pub(super) failures: Vec<DeliveryFailure>,
    /// The last client error.
    pub(super) error: Option<CallError>,
}

/// Takes everything off `main`.
pub(super) fn drain(main: &Queue, noticed: &mut Noticed) {
    while let Some(event) = main.poll_event(Duration::ZERO) {
        match event {
            Event::Failures(failures) => {
                noticed.failures.extend(failures.into_iter().filter(|failure| !is_purge(failure.code)));
            }
            Event::Error(error) => {
                tracing::debug!(%error, "kafka client");
                noticed.error = Some(error);
            }
            Event::Log(level, line) if level <= 3 => tracing::warn!(target: "librdkafka", "{line}"),
            Event::Log(_, line) => tracing::debug!(target: "librdkafka", "{line}"),
            Event::Other => {}
        }
    }
}
