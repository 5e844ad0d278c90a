//! Everything that is to be written, as plain values that a test may spoil first.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use uuid::Uuid;

pub(crate) const ORDERS: &str = "orders";
pub(crate) const COMMANDS: &str = "commands";

/// An input record.
pub(crate) struct Input {
    pub(crate) topic: &'static str,
    pub(crate) partition: i32,
    pub(crate) user: u64,
    pub(crate) value: String,
    pub(crate) headers: Vec<(String, String)>,
}

/// An output record; `kind` and `payload` as on the wire.
#[derive(Clone)]
pub(crate) struct Output {
    pub(crate) partition: i32,
    pub(crate) user: u64,
    pub(crate) kind: &'static str,
    /// Topic, and offset in the same partition.
    pub(crate) source: (&'static str, i64),
    pub(crate) payload: String,
}

/// A dead letter of an input.
pub(crate) struct Letter {
    pub(crate) partition: i32,
    pub(crate) source: (&'static str, i64),
    pub(crate) code: &'static str,
}

/// One committed transaction over all tasks.
#[derive(Default)]
pub(crate) struct Transaction {
    pub(crate) outputs: Vec<Output>,
    pub(crate) letters: Vec<Letter>,
    /// Partition, key, value.
    pub(crate) rows: Vec<(i32, Vec<u8>, Vec<u8>)>,
    /// Per partition: next offsets of orders and commands, live accounts, sums.
    pub(crate) marks: BTreeMap<i32, Mark>,
}

/// What a task's marker says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    pub(crate) orders: i64,
    pub(crate) commands: i64,
    pub(crate) live_accounts: u64,
    pub(crate) sums: [i128; 3],
}

/// A whole history.
pub(crate) struct Draft {
    pub(crate) partitions: i32,
    /// Timestamp of every input, ms since the epoch.
    pub(crate) timestamp_ms: i64,
    pub(crate) inputs: Vec<Input>,
    pub(crate) transactions: Vec<Transaction>,
}

impl Draft {
    pub(crate) fn new(partitions: i32) -> Draft {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        let timestamp_ms = i64::try_from(now).unwrap() - 60_000;
        Draft { partitions, timestamp_ms, inputs: Vec::new(), transactions: Vec::new() }
    }

    /// Returns the inputs by topic and partition, in the order of their offsets.
    pub(crate) fn index(&self) -> Index<'_> {
        let mut index = Index::new();
        for input in &self.inputs {
            index.entry((input.topic, input.partition)).or_default().push(input);
        }
        index
    }

    /// Returns the input at an offset of a partition.
    pub(crate) fn input(&self, partition: i32, source: (&'static str, i64)) -> &Input {
        let nth = usize::try_from(source.1).unwrap();
        self.index()[&(source.0, partition)][nth]
    }
}

/// Inputs by topic and partition.
pub(crate) type Index<'a> = BTreeMap<(&'static str, i32), Vec<&'a Input>>;

/// An input event in its envelope.
pub(crate) fn event(kind: &str, payload: &str) -> String {
    format!(
        r#"{{"eventType":"{kind}","eventId":"e","occurredAt":"2026-11-20T09:12:34.123Z","payload":{payload}}}"#
    )
}

/// An output event in its envelope.
pub(crate) fn envelope(app: &str, occurred_at: &str, source_topic: &str, output: &Output) -> String {
    let Output { partition, kind, payload, source: (_, offset), .. } = output;
    let id = event_id(app, source_topic, output);
    format!(
        r#"{{"eventType":"{kind}","eventId":"{id}","occurredAt":"{occurred_at}","source":{{"topic":"{source_topic}","partition":{partition},"offset":{offset}}},"payload":{payload}}}"#
    )
}

pub(crate) fn event_id(app: &str, source_topic: &str, output: &Output) -> String {
    let namespace = Uuid::new_v5(&Uuid::NAMESPACE_DNS, format!("millpond.{app}").as_bytes());
    let name = format!("{source_topic}/{}/{}/0", output.partition, output.source.1);
    Uuid::new_v5(&namespace, name.as_bytes()).to_string()
}
