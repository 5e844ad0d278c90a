//! Fencing the producers of instances that are gone, so that their open transactions end at once.

use std::sync::Arc;
use std::time::Duration;

use super::shared::{STUCK_MAX, Shared};
use crate::kafka::{CallError, Producer, ProducerSettings, code};

/// Longest time for one id; librdkafka waits 500 ms between two tries while the old transaction is being ended.
const PATIENCE: Duration = Duration::from_secs(5);

/// Initialises a producer for each of `ids`, which ends their open transactions, those of which `may_fence` says so just
/// before. An id that cannot be fenced is left to its transaction timeout.
pub(crate) fn fence_dead(
    settings: &ProducerSettings,
    ids: &[String],
    shared: &Arc<Shared>,
    mut may_fence: impl FnMut(&str) -> bool,
) {
    for id in ids {
        // One more that hangs would end the process.
        if shared.stuck() >= STUCK_MAX {
            tracing::warn!(%id, "dead producer left to its transaction timeout: too many calls hang already");
            continue;
        }
        if !may_fence(id) {
            continue;
        }
        let fenced = Producer::new(settings, id).map(|mut producer| {
            producer.init(PATIENCE);
            match producer.reply(PATIENCE * 2, || {}) {
                Some(reply) => reply.result.map(|()| reply.took),
                None => {
                    producer.abandon(&shared.abandoned);
                    Err(CallError::plain(code::TIMED_OUT, "init_transactions hangs".to_owned()))
                }
            }
        });
        match fenced {
            Ok(Ok(took)) => tracing::info!(%id, ms = took.as_millis(), "dead producer fenced"),
            Ok(Err(error)) | Err(error) => tracing::warn!(%id, %error, "dead producer not fenced"),
        }
    }
}
