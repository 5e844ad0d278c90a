//! How far the sink is, and its copy of the dead letters.

use std::time::{Duration, Instant};

use super::merge::Merge;
use crate::check::title::SINK;
use crate::error::OracleError;
use crate::gather::{Letter, Letters};
use crate::kafka::TopicSpan;
use crate::postgres::{LetterRow, Session};
use crate::report::{Check, Findings};
use crate::target::Target;

/// How long the sink may stand still before its position is judged.
const STILL: Duration = Duration::from_secs(3);

/// How long the sink may take in all.
const WAIT: Duration = Duration::from_secs(30);

/// A topic that the sink reads, and the offset behind the last data record of each partition.
pub(crate) struct Ends<'a> {
    pub(crate) span: &'a TopicSpan,
    pub(crate) data_ends: &'a [i64],
}

/// Compares `dead_letters` in the snapshot, then the sink's positions as they are by now.
pub(crate) async fn check_sink(
    target: &Target,
    url: &str,
    session: &mut Session,
    topics: &[Ends<'_>],
    letters: &Letters,
) -> Result<Check, OracleError> {
    let mut findings = Findings::default();
    let topic = &target.topics.deadletter;
    let mut sunk: Vec<&Letter> =
        letters.all.iter().filter(|letter| letter.offset < session.next(topic, letter.partition)).collect();
    sunk.sort_unstable_by_key(|letter| (letter.partition, letter.offset));
    let expected = sunk.into_iter().map(expected_row);
    let merge = Merge { table: "dead_letters", expected, start: (-1, -1), findings: &mut findings };
    let rows = merge.run(|row| row.at, async |after| session.letters(after).await).await?;
    for failure in session.sink_failures().await? {
        findings.differ(|| format!("PostgreSQL dead_letters: the sink gave up on {failure}"));
    }
    judge_beyond(topics, session, &mut findings);
    let behind = await_end(target, url, topics, &mut findings).await?;
    Ok(findings.conclude(SINK, format!("{rows} dead letters, {behind} records behind")))
}

fn expected_row(letter: &Letter) -> LetterRow {
    LetterRow {
        at: (letter.partition, letter.offset),
        app: letter.app.to_string(),
        source: (letter.topic.to_string(), letter.source_partition, letter.source_offset),
        code: letter.code.to_string(),
        key: letter.key,
        value: letter.value,
    }
}

/// Waits while the sink makes progress, then names the partitions whose end it has not reached.
async fn await_end(
    target: &Target,
    url: &str,
    topics: &[Ends<'_>],
    findings: &mut Findings,
) -> Result<i64, OracleError> {
    let (begun, mut last_progress, mut last) = (Instant::now(), Instant::now(), i64::MAX);
    loop {
        let session = Session::open(url, &target.app_id).await?;
        let behind: i64 = places(topics).map(|place| place.behind(&session)).sum();
        if behind < last {
            (last, last_progress) = (behind, Instant::now());
        }
        if behind == 0 || last_progress.elapsed() > STILL || begun.elapsed() > WAIT {
            judge(topics, &session, findings);
            session.close().await?;
            return Ok(behind);
        }
        session.close().await?;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

struct Place<'a> {
    topic: &'a str,
    partition: i32,
    /// Behind the last data record; what follows are transaction markers.
    data_end: i64,
    /// High watermark.
    end: i64,
}

impl Place<'_> {
    fn behind(&self, session: &Session) -> i64 {
        self.data_end.saturating_sub(session.next(self.topic, self.partition)).max(0)
    }
}

fn places<'a>(topics: &'a [Ends<'_>]) -> impl Iterator<Item = Place<'a>> {
    topics.iter().flat_map(|Ends { span, data_ends }| {
        span.spans.iter().zip(*data_ends).map(|(at, data_end)| Place {
            topic: &span.topic,
            partition: at.partition,
            data_end: *data_end,
            end: at.end,
        })
    })
}

/// Names the partitions that the sink has not read to their end.
fn judge(topics: &[Ends<'_>], now: &Session, findings: &mut Findings) {
    for Place { topic, partition, data_end, .. } in places(topics) {
        findings.looked_at();
        let next = now.next(topic, partition);
        if next < data_end {
            findings.differ(|| {
                format!("sink_offsets {topic}-{partition}: next_offset {next}, its data ends at {data_end}")
            });
        }
    }
}

/// Names positions that no log had when the snapshot was taken: they come from another topic of that name.
fn judge_beyond(topics: &[Ends<'_>], snapshot: &Session, findings: &mut Findings) {
    for Place { topic, partition, end, .. } in places(topics) {
        let next = snapshot.next(topic, partition);
        if next > end {
            findings.differ(|| {
                format!("sink_offsets {topic}-{partition}: next_offset {next}, the log ends at {end}")
            });
        }
    }
}
