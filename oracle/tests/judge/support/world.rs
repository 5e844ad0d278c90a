//! Writes a draft to Kafka, RocksDB and PostgreSQL, and lets the oracle judge it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use millpond_oracle::{Outcome, Report, Target, Topics, verify};
use rdkafka::producer::{BaseProducer, Producer};

use super::bytes::{Marker, marker, metadata};
use super::draft::{COMMANDS, Draft, Index, Letter, Mark, ORDERS, Output, Transaction, envelope};
use super::kafka::{Record, brokers, commit, create_topic, producer, send};
use super::{postgres, stores};

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A draft, ready to be looked into often.
struct History<'a> {
    draft: &'a Draft,
    index: Index<'a>,
    occurred_at: String,
}

/// One application of its own.
pub(crate) struct World {
    pub(crate) target: Target,
    pub(crate) database: String,
    pub(crate) url: String,
    /// State directories of two instances: `one` stands at the first transaction, `two` at the last.
    pub(crate) dir: tempfile::TempDir,
    outputs: Vec<(i64, Output)>,
    letters: Vec<(i64, Letter)>,
    /// Next offset of each partition of outputs, dead letters and changelog.
    next: BTreeMap<(&'static str, i32), i64>,
}

impl World {
    /// Writes everything.
    pub(crate) async fn write(draft: Draft) -> World {
        let mut world = World::empty(draft.partitions).await;
        world.write_inputs(&draft);
        world.write_transactions(&draft);
        world.write_stores(&draft);
        world.write_database(&draft).await;
        world
    }

    async fn empty(partitions: i32) -> World {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros();
        let app = format!("oracle-{since}-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let name = |topic: &str| format!("{app}.{topic}");
        let topics = Topics {
            orders: name("order.events"),
            commands: name("account.commands"),
            accounts: name("account.events"),
            deadletter: name("deadletter.events"),
            changelog: name("accounts.changelog"),
        };
        for topic in [&topics.orders, &topics.commands, &topics.accounts, &topics.deadletter] {
            create_topic(topic, partitions, "delete").await;
        }
        create_topic(&topics.changelog, partitions, "compact").await;
        let url = postgres::create_database(&app).await;
        let dir = tempfile::tempdir().unwrap();
        let target = Target {
            brokers: brokers(),
            app_id: app.clone(),
            subtopology: "accounts".to_owned(),
            topics,
            state_dirs: vec![dir.path().join("one"), dir.path().join("two")],
            postgres_url: Some(url.clone()),
            consumer_overrides: BTreeMap::new(),
        };
        let (outputs, letters) = (Vec::new(), Vec::new());
        World { target, database: app, url, dir, outputs, letters, next: BTreeMap::new() }
    }

    pub(crate) fn topic(&self, side: &str) -> &str {
        if side == ORDERS { &self.target.topics.orders } else { &self.target.topics.commands }
    }

    fn write_inputs(&self, draft: &Draft) {
        let producer = producer(None);
        for input in &draft.inputs {
            let (key, value) = (input.user.to_string(), input.value.as_bytes());
            let (topic, partition) = (self.topic(input.topic), input.partition);
            let timestamp_ms = draft.timestamp_ms;
            let record = Record { topic, partition, timestamp_ms, key: key.as_bytes(), value };
            send(&producer, &record, &input.headers);
        }
        producer.flush(std::time::Duration::from_secs(60)).unwrap();
    }

    fn write_transactions(&mut self, draft: &Draft) {
        let producer = producer(Some(&self.target.app_id));
        let history = History { index: draft.index(), occurred_at: rfc3339(draft.timestamp_ms), draft };
        for (at, transaction) in draft.transactions.iter().enumerate() {
            producer.begin_transaction().unwrap();
            let mut touched = Vec::new();
            for output in &transaction.outputs {
                let offset = self.take_offset("outputs", output.partition, &mut touched);
                self.send_output(&producer, &history, output);
                self.outputs.push((offset, output.clone()));
            }
            for letter in &transaction.letters {
                // The key decides: as many partitions as the inputs have, so the same one.
                let offset = self.take_offset("letters", letter.partition, &mut touched);
                self.send_letter(&producer, &history, letter);
                let Letter { partition, source, code } = *letter;
                self.letters.push((offset, Letter { partition, source, code }));
            }
            let (topic, timestamp_ms) = (self.target.topics.changelog.clone(), draft.timestamp_ms);
            for (partition, key, value) in &self.rows_of(transaction, at) {
                self.take_offset("changelog", *partition, &mut touched);
                let record = Record { topic: &topic, partition: *partition, timestamp_ms, key, value };
                send(&producer, &record, &[]);
            }
            commit(&producer, &self.target.app_id, &self.offsets_of(transaction, at));
            // The transaction's own marker takes an offset in each partition.
            touched.iter().for_each(|place| *self.next.get_mut(place).unwrap() += 1);
        }
    }

    fn take_offset(
        &mut self,
        topic: &'static str,
        partition: i32,
        touched: &mut Vec<(&'static str, i32)>,
    ) -> i64 {
        if !touched.contains(&(topic, partition)) {
            touched.push((topic, partition));
        }
        let next = self.next.entry((topic, partition)).or_insert(0);
        *next += 1;
        *next - 1
    }

    fn send_output(&self, producer: &BaseProducer, history: &History<'_>, output: &Output) {
        let source = self.topic(output.source.0);
        let value = envelope(&self.target.app_id, &history.occurred_at, source, output);
        let input =
            history.index[&(output.source.0, output.partition)][usize::try_from(output.source.1).unwrap()];
        let trace: Vec<_> = input.headers.iter().filter(|(name, _)| name == "traceparent").cloned().collect();
        let key = output.user.to_string();
        let (key, value, timestamp_ms) = (key.as_bytes(), value.as_bytes(), history.draft.timestamp_ms);
        let (topic, partition) = (self.target.topics.accounts.as_str(), output.partition);
        send(producer, &Record { topic, partition, timestamp_ms, key, value }, &trace);
    }

    fn send_letter(&self, producer: &BaseProducer, history: &History<'_>, letter: &Letter) {
        let draft = history.draft;
        let input = draft.input(letter.partition, letter.source);
        let mut headers = input.headers.clone();
        let (partition, offset) = (letter.partition.to_string(), letter.source.1.to_string());
        for (name, value) in [
            ("__streams.errors.exception", letter.code),
            ("__streams.errors.message", "because"),
            ("__streams.errors.topic", self.topic(letter.source.0)),
            ("__streams.errors.partition", &partition),
            ("__streams.errors.offset", &offset),
            ("x-dlq-app", &self.target.app_id),
            ("x-dlq-error-code", letter.code),
            ("x-dlq-attempts", "1"),
            ("x-dlq-first-failure-ts", "1"),
            ("x-dlq-redrive-count", "0"),
        ] {
            headers.push((name.to_owned(), value.to_owned()));
        }
        let (key, value) = (input.user.to_string(), input.value.as_bytes());
        let (topic, partition) = (self.target.topics.deadletter.as_str(), letter.partition);
        let (key, timestamp_ms) = (key.as_bytes(), draft.timestamp_ms);
        send(producer, &Record { topic, partition, timestamp_ms, key, value }, &headers);
    }

    /// Returns a transaction's changelog records, markers last.
    fn rows_of(&self, transaction: &Transaction, at: usize) -> Vec<(i32, Vec<u8>, Vec<u8>)> {
        let marks = transaction.marks.iter();
        let markers = marks.map(|(partition, mark)| (*partition, vec![0, 0], self.marker(*mark, at)));
        transaction.rows.iter().cloned().chain(markers).collect()
    }

    fn marker(&self, mark: Mark, at: usize) -> Vec<u8> {
        let topics = &self.target.topics;
        let inputs = [(topics.commands.clone(), mark.commands), (topics.orders.clone(), mark.orders)];
        let (live_accounts, sums) = (mark.live_accounts, mark.sums);
        marker(&Marker { sequence: sequence(at), inputs: &inputs, live_accounts, sums })
    }

    fn offsets_of(&self, transaction: &Transaction, at: usize) -> Vec<(String, i32, i64, String)> {
        let nonce = format!("mp1;00ff00ff00ff00ff-1;{};0;{}-one-0-a", sequence(at), self.target.app_id);
        let both = |(partition, mark): (&i32, &Mark)| {
            [(ORDERS, mark.orders), (COMMANDS, mark.commands)]
                .map(|(side, next)| (self.topic(side).to_owned(), *partition, next, nonce.clone()))
        };
        transaction.marks.iter().flat_map(both).collect()
    }

    fn write_stores(&self, draft: &Draft) {
        for (instance, count, position) in [("one", 1, 0), ("two", draft.transactions.len(), 2)] {
            for partition in 0..draft.partitions {
                let mut rows = BTreeMap::new();
                for (at, transaction) in draft.transactions.iter().take(count).enumerate() {
                    let own = self.rows_of(transaction, at).into_iter().filter(|row| row.0 == partition);
                    rows.extend(own.map(|(_, key, value)| (key, value)));
                }
                let number = u32::try_from(partition).unwrap();
                let partitions = u32::try_from(draft.partitions).unwrap();
                let (app, changelog) = (&self.target.app_id, &self.target.topics.changelog);
                rows.insert(vec![0, 0, 1], metadata(app, changelog, number, partitions, position));
                let rows: Vec<_> = rows.into_iter().collect();
                stores::write(&self.dir.path().join(instance), &format!("0_{partition}"), &rows);
            }
        }
    }

    async fn write_database(&self, draft: &Draft) {
        let (app, topics) = (&self.target.app_id, &self.target.topics);
        let mut sql = String::new();
        for (topic, name) in [(&topics.accounts, "outputs"), (&topics.deadletter, "letters")] {
            for partition in 0..draft.partitions {
                let next = self.next.get(&(name, partition)).copied().unwrap_or(0);
                sql += &format!(
                    "INSERT INTO sink_offsets VALUES ('{app}.sink', '{topic}', {partition}, gen_random_uuid(), {next});"
                );
            }
        }
        for (offset, letter) in &self.letters {
            let input = draft.input(letter.partition, letter.source);
            let (source, value) = (self.topic(letter.source.0), input.value.replace('\'', "''"));
            sql += &format!(
                "INSERT INTO dead_letters (app, topic, partition, \"offset\", origin, code, message, headers, key, \
                 value, letter_partition, letter_offset) VALUES ('{app}', '{source}', {}, {}, 'processor', '{}', \
                 'because', '[]', '{}', '{value}', {}, {offset});",
                letter.partition, letter.source.1, letter.code, input.user, letter.partition
            );
        }
        let rows = super::rows::Rows::of(app, &self.outputs, draft.timestamp_ms, |side| self.topic(side));
        for statements in [sql].into_iter().chain(rows.statements()) {
            postgres::execute(&self.url, statements).await;
        }
    }

    /// Lets the oracle judge.
    pub(crate) async fn judge(&self) -> Report {
        verify(&self.target, &mut |_| {}).await.unwrap()
    }

    /// Deletes the database; topics stay with the broker of the test run.
    pub(crate) async fn close(self) {
        postgres::drop_database(&self.database).await;
    }
}

fn sequence(at: usize) -> u64 {
    u64::try_from(at).unwrap() + 1
}

/// Milliseconds since the epoch as the outputs write them; `date` knows the calendar.
fn rfc3339(ms: i64) -> String {
    let seconds = format!("@{}", ms / 1000);
    let output =
        std::process::Command::new("date").args(["-u", "-d", &seconds, "+%Y-%m-%dT%H:%M:%S"]).output();
    let text = String::from_utf8(output.unwrap().stdout).unwrap();
    format!("{}.{:03}Z", text.trim(), ms % 1000)
}

/// Returns the differences of a check, empty when it passed.
pub(crate) fn differences<'a>(report: &'a Report, id: &str) -> &'a [String] {
    match &report.check(id).unwrap().outcome {
        Outcome::Failed { differences, .. } => differences,
        Outcome::Passed => &[],
        Outcome::NotCheckable { why } => panic!("{id}: {why}"),
    }
}

/// Returns the ids of the checks that failed.
pub(crate) fn failed(report: &Report) -> Vec<&'static str> {
    report.checks.iter().filter(|check| !check.passed()).map(|check| check.id).collect()
}
