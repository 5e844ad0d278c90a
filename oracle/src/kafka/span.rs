//! Where topics begin and end.

use std::thread::sleep;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};

use super::connect::{Isolation, consumer};
use crate::error::OracleError;
use crate::target::Target;

const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// How long an open transaction may hold back the last stable offset: transaction timeout (10 s) and the
/// broker's scan for expired ones (10 s), with some room.
const STABLE_WAIT: Duration = Duration::from_secs(30);

/// What is to be read of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) partition: i32,
    /// First offset that still exists.
    pub(crate) start: i64,
    /// High watermark when it was asked for.
    pub(crate) end: i64,
    /// Last stable offset, at most `end`.
    pub(crate) stable: i64,
}

/// What is to be read of a topic, by partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TopicSpan {
    pub(crate) topic: String,
    pub(crate) spans: Vec<Span>,
}

impl TopicSpan {
    /// Returns the partitions as Kafka counts them.
    pub(crate) fn partitions(&self) -> i32 {
        i32::try_from(self.spans.len()).unwrap_or(i32::MAX)
    }

    /// Returns a partition's span.
    pub(crate) fn of(&self, partition: i32) -> Option<&Span> {
        self.spans.iter().find(|span| span.partition == partition)
    }

    /// Returns the first partition whose beginning is gone.
    pub(crate) fn trimmed(&self) -> Option<&Span> {
        self.spans.iter().find(|span| span.start > 0)
    }
}

/// Asks for log starts and high watermarks.
pub(crate) fn spans(target: &Target, topics: &[&str]) -> Result<Vec<TopicSpan>, OracleError> {
    let reader = consumer(target, Isolation::Uncommitted)?;
    topics.iter().map(|topic| topic_span(&reader, topic)).collect()
}

fn topic_span(reader: &BaseConsumer, topic: &str) -> Result<TopicSpan, OracleError> {
    let what = || OracleError::kafka(format!("metadata of {topic}"));
    let metadata = reader.fetch_metadata(Some(topic), ANSWER_TIMEOUT).map_err(what())?;
    let found = metadata.topics().iter().find(|found| found.name() == topic && found.error().is_none());
    let count = found.map_or(0, |found| found.partitions().len());
    if count == 0 {
        return Err(OracleError::NoTopic { topic: topic.to_owned() });
    }
    let span = |partition| -> Result<Span, OracleError> {
        let (start, end) = watermarks(reader, topic, partition)?;
        Ok(Span { partition, start, end, stable: start })
    };
    let partitions = 0..i32::try_from(count).unwrap_or(i32::MAX);
    Ok(TopicSpan {
        topic: topic.to_owned(),
        spans: partitions.map(span).collect::<Result<_, OracleError>>()?,
    })
}

/// Waits until everything up to the high watermarks is decided, and notes how far it is.
///
/// Returns normally also when a transaction hangs: then some `stable` stays below its `end`.
pub(crate) fn await_stable(target: &Target, topics: &mut [TopicSpan]) -> Result<(), OracleError> {
    let reader = consumer(target, Isolation::Committed)?;
    let until = Instant::now() + STABLE_WAIT;
    for topic in topics {
        for span in &mut topic.spans {
            loop {
                // A read_committed handle's high watermark is the last stable offset.
                let (_, stable) = watermarks(&reader, &topic.topic, span.partition)?;
                span.stable = stable.min(span.end);
                if span.stable >= span.end || Instant::now() > until {
                    break;
                }
                sleep(Duration::from_millis(20));
            }
        }
    }
    Ok(())
}

fn watermarks(reader: &BaseConsumer, topic: &str, partition: i32) -> Result<(i64, i64), OracleError> {
    let what = OracleError::kafka(format!("ends of {topic}-{partition}"));
    reader.fetch_watermarks(topic, partition, ANSWER_TIMEOUT).map_err(what)
}
