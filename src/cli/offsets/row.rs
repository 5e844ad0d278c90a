//! What is known of one partition, and what it means.

use serde::Serialize;

use crate::cli::output::counted;

/// What the group has committed for a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Committed {
    /// Nothing.
    None,
    /// The next offset to be read.
    At(i64),
    /// A transaction that is still open holds it.
    Pinned,
}

/// What lies between the committed and the last stable offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waiting {
    /// Nothing but transaction markers and aborted records, or nothing at all.
    Nothing,
    /// At least one record; the first has this timestamp, in milliseconds since the epoch.
    Record {
        /// Its timestamp.
        timestamp_ms: Option<i64>,
    },
    /// It was not found out in time.
    Unknown,
}

/// What is known of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) topic: String,
    pub(super) partition: i32,
    pub(super) committed: Committed,
    pub(super) log_start: i64,
    pub(super) last_stable: i64,
    pub(super) high_watermark: i64,
    pub(super) waiting: Waiting,
}

/// A row as programs read it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RowJson<'a> {
    topic: &'a str,
    partition: i32,
    committed: Option<i64>,
    pinned: bool,
    log_start: i64,
    last_stable: i64,
    high_watermark: i64,
    lag_offsets: Option<i64>,
    lag_seconds: Option<f64>,
    note: String,
}

impl Row {
    /// Returns the offset from which reading would go on.
    pub(super) fn next(&self) -> Option<i64> {
        match self.committed {
            Committed::At(offset) => Some(offset),
            Committed::None => Some(self.log_start),
            Committed::Pinned => None,
        }
    }

    /// Returns the offsets still to be read, 0 where only markers are; `None` while the committed one is
    /// pinned.
    pub(super) fn lag(&self) -> Option<i64> {
        match self.waiting {
            Waiting::Nothing => self.next().map(|_| 0),
            Waiting::Record { .. } | Waiting::Unknown => {
                self.next().map(|next| (self.last_stable - next).max(0))
            }
        }
    }

    /// Returns the age of the first record that is still to be read, in seconds; 0 where there is none.
    #[expect(clippy::cast_precision_loss, reason = "an age in milliseconds fits 53 bits")]
    pub(super) fn lag_seconds(&self, now_ms: i64) -> Option<f64> {
        match self.waiting {
            Waiting::Nothing => self.next().map(|_| 0.0),
            Waiting::Record { timestamp_ms } => {
                timestamp_ms.map(|time| (now_ms - time).max(0) as f64 / 1_000.0)
            }
            Waiting::Unknown => None,
        }
    }

    /// Says what the figures mean, the worst first.
    pub(super) fn note(&self) -> String {
        let mut notes = vec![];
        match self.committed {
            Committed::Pinned => notes.push("pinned by an open transaction; look again".to_owned()),
            Committed::None if self.log_start > 0 => {
                notes.push(format!("nothing committed, and the log begins at {}", self.log_start));
            }
            Committed::None => notes.push("nothing committed".to_owned()),
            Committed::At(offset) if offset < self.log_start => {
                let lost = self.log_start - offset;
                notes.push(format!(
                    "DATA LOST: retention removed {} before they were read",
                    counted(lost, "offset")
                ));
            }
            Committed::At(offset) if offset > self.high_watermark => {
                notes.push("BEYOND THE END: was the topic created anew?".to_owned());
            }
            Committed::At(offset) => notes.extend(self.progress(offset)),
        }
        let open = self.high_watermark - self.last_stable;
        if open > 0 {
            notes.push(format!("{} behind an open transaction", counted(open, "offset")));
        }
        notes.join("; ")
    }

    fn progress(&self, offset: i64) -> Option<String> {
        let markers = self.last_stable - offset;
        match self.waiting {
            Waiting::Nothing if markers > 0 => {
                Some(format!("drained, {} at the end", counted(markers, "marker")))
            }
            Waiting::Nothing => Some("drained".to_owned()),
            Waiting::Record { .. } => None,
            Waiting::Unknown => Some("may be markers only".to_owned()),
        }
    }

    /// Returns the row as programs read it.
    pub(super) fn json(&self, now_ms: i64) -> RowJson<'_> {
        RowJson {
            topic: &self.topic,
            partition: self.partition,
            committed: match self.committed {
                Committed::At(offset) => Some(offset),
                Committed::None | Committed::Pinned => None,
            },
            pinned: self.committed == Committed::Pinned,
            log_start: self.log_start,
            last_stable: self.last_stable,
            high_watermark: self.high_watermark,
            lag_offsets: self.lag(),
            lag_seconds: self.lag_seconds(now_ms),
            note: self.note(),
        }
    }
}

#[cfg(test)]
#[path = "row_tests.rs"]
mod tests;
