//! Reads the output topic.

use std::collections::HashMap;

use rdkafka::Message;

use super::cut::Cut;
use crate::error::OracleError;
use crate::event::Output;
use crate::fingerprint;
use crate::kafka::{TopicSpan, read_topic, timestamp_ms};
use crate::output::{Identity, OutputRecord, read};
use crate::place::{Names, Side};
use crate::report::Findings;
use crate::target::Target;

/// The outputs of everything below the cut, and what is wrong with the records by themselves.
#[derive(Debug, Default)]
pub(crate) struct Outputs {
    pub(crate) records: Vec<Output>,
    pub(crate) findings: Findings,
    /// Offset behind the last data record of each partition.
    pub(crate) data_ends: Vec<i64>,
    /// Outputs of transactions behind the cut, left out.
    pub(crate) beyond: u64,
}

/// Reads all outputs and judges envelope and order.
pub(crate) fn read_outputs(target: &Target, span: &TopicSpan, cut: &Cut) -> Result<Outputs, OracleError> {
    let names = target.topics.names();
    let identity = Identity::new(&target.app_id, names.clone());
    let data_ends = vec![0; span.spans.len()];
    let mut outputs = Outputs { data_ends, ..Outputs::default() };
    let mut order = Order::default();
    let partitions = span.partitions();
    read_topic(target, span, &mut |message| {
        let (partition, offset) = (message.partition(), message.offset());
        if let Some(end) = usize::try_from(partition).ok().and_then(|at| outputs.data_ends.get_mut(at)) {
            *end = offset + 1;
        }
        let (key, value) = (message.key(), message.payload());
        let trace = fingerprint::of_trace(message.headers());
        let timestamp_ms = timestamp_ms(message);
        let record = OutputRecord { partition, offset, partitions, timestamp_ms, key, value, trace };
        outputs.findings.looked_at();
        match read(&record, &identity) {
            Err(problem) => {
                let hint = hint(value);
                outputs.findings.differ(|| format!("{}-{partition}@{offset}: {problem}{hint}", span.topic));
            }
            Ok(output) if !cut.contains(output.source) => outputs.beyond += 1,
            Ok(output) => {
                if let Some(problem) = order.check(&output) {
                    outputs.findings.differ(|| format!("{}: {problem}", names.show_output(&output)));
                }
                outputs.records.push(output);
            }
        }
    })?;
    report_duplicates(&mut outputs, &names);
    Ok(outputs)
}

/// Says of an unreadable output what helps to find it.
fn hint(value: Option<&[u8]>) -> String {
    let shown: String = value.map(String::from_utf8_lossy).unwrap_or_default().chars().take(400).collect();
    format!("; it reads {shown}")
}

/// Within one output partition, the sources of each input partition only grow.
#[derive(Debug, Default)]
struct Order(HashMap<(i32, Side, i32), i64>);

impl Order {
    fn check(&mut self, output: &Output) -> Option<String> {
        let source = output.source;
        let last = self.0.entry((output.partition, source.side, source.partition)).or_insert(-1);
        let is_behind = source.offset < *last;
        let problem = is_behind.then(|| format!("stands behind an output of the later source offset {last}"));
        *last = source.offset.max(*last);
        problem
    }
}

fn report_duplicates(outputs: &mut Outputs, names: &Names) {
    let mut by_source: Vec<&Output> = outputs.records.iter().collect();
    by_source.sort_unstable_by_key(|output| (output.source, output.partition, output.offset));
    for pair in by_source.windows(2) {
        if let [first, second] = pair
            && first.source == second.source
        {
            outputs.findings.differ(|| {
                let (user, order) = (second.user, second.event.order());
                let (second, first) = (names.show_output(second), (first.partition, first.offset));
                let subject = format!("user {user}, order {order:?}");
                format!("{second}: {subject}: the same eventId as partition and offset {first:?}")
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Order, Outputs, report_duplicates};
    use crate::event::{Event, Output};
    use crate::place::{Names, Place, Side};

    fn output(offset: i64, side: Side, source: i64) -> Output {
        let source = Place { side, partition: 0, offset: source };
        let event =
            Event::DebitFailed { order: 1, amount: 1, reason: "ACCOUNT_NOT_FOUND".into(), balance: None };
        Output { partition: 0, offset, timestamp_ms: 1, source, user: 1, trace: None, event }
    }

    #[test]
    fn sources_of_one_input_may_only_grow() {
        let mut order = Order::default();
        let sources = [(Side::Orders, 5), (Side::Commands, 1), (Side::Orders, 6), (Side::Orders, 4)];
        let problems = sources.map(|(side, source)| order.check(&output(0, side, source)).is_some());
        assert_eq!(problems, [false, false, false, true]);
    }

    #[test]
    fn a_second_output_of_one_source_is_named() {
        let records =
            vec![output(0, Side::Orders, 5), output(1, Side::Commands, 5), output(9, Side::Orders, 5)];
        let mut outputs = Outputs { records, ..Outputs::default() };
        let [orders, commands, accounts] = ["o", "c", "a"].map(str::to_owned);
        report_duplicates(&mut outputs, &Names { orders, commands, accounts });
        let title = crate::report::Title { id: "t", text: "t" };
        outputs.findings.looked_at();
        let shown = format!("{:?}", outputs.findings.conclude(title, String::new()).outcome);
        assert!(shown.contains("a-0@9 from o-0@5") && shown.contains("count: 1"), "{shown}");
    }
}
