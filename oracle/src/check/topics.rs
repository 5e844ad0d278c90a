//! No transaction may hang in any topic.

use crate::kafka::TopicSpan;
use crate::report::{Check, Findings};

use super::title::TRANSACTIONS;

/// Checks that everything up to the noted high watermarks is decided.
pub(crate) fn check_transactions<'a>(topics: impl IntoIterator<Item = &'a TopicSpan>) -> Check {
    let mut findings = Findings::default();
    let mut names = Vec::new();
    for topic in topics {
        names.push(topic.topic.as_str());
        for span in &topic.spans {
            findings.looked_at();
            if span.stable < span.end {
                let (partition, stable, end) = (span.partition, span.stable, span.end);
                findings.differ(|| {
                    format!("{}-{partition}: last stable offset {stable}, high watermark {end}", topic.topic)
                });
            }
        }
    }
    let figure = format!("{} partitions of {} topics", findings.checked(), names.len());
    findings.conclude(TRANSACTIONS, figure)
}

#[cfg(test)]
mod tests {
    use super::check_transactions;
    use crate::kafka::{Span, TopicSpan};

    #[test]
    fn an_undecided_end_is_named() {
        let topic = |stable| TopicSpan {
            topic: "t".to_owned(),
            spans: vec![Span { partition: 3, start: 0, end: 9, stable }],
        };
        assert!(check_transactions([&topic(9)]).passed());
        let check = check_transactions([&topic(9), &topic(7)]);
        assert!(format!("{:?}", check.outcome).contains("t-3: last stable offset 7, high watermark 9"));
    }
}
