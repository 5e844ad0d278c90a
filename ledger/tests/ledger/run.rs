//! A run of the ledger in the test driver, with the model beside it.

use std::collections::BTreeMap;

use millpond_ledger::{Topics, topology};
use millpond_topology::{OutputRecord, OwnedRecord, TaskId, TestDriver, changelog_key, partition_for};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::compare::{compare_counts, compare_row};
use crate::input::{Input, WALL_MS};
use crate::model::{Effect, Model};

pub(crate) const PARTITIONS: u32 = 3;
const APP: &str = "ledger-test";

/// What one record must lead to.
struct Wanted {
    record: OwnedRecord,
    topic: &'static str,
    partition: u32,
    offset: i64,
    effect: Effect,
}

/// The driver, the model and all that was piped so far, in order.
pub(crate) struct Run {
    driver: TestDriver,
    model: Model,
    piped: Vec<Wanted>,
    open: bool,
    outputs: Vec<OutputRecord>,
    /// What the outputs so far say of each user.
    followed: BTreeMap<u64, Followed>,
}

/// An account as its events tell it.
#[derive(Debug, Default)]
struct Followed {
    balance: i64,
    version: u64,
    credited: i128,
    debited: i128,
}

fn partition_of(user: u64) -> u32 {
    partition_for(user.to_string().as_bytes(), PARTITIONS)
}

impl Run {
    pub(crate) fn new() -> Self {
        let topology = topology(APP, &Topics::default()).expect("a valid topology");
        Self {
            driver: TestDriver::new(topology, PARTITIONS, WALL_MS).expect("tasks"),
            model: Model::default(),
            piped: Vec::new(),
            open: false,
            outputs: Vec::new(),
            followed: BTreeMap::new(),
        }
    }

    /// Pipes an input; every input is a millisecond later than the one before, so that a redo keeps their
    /// order.
    pub(crate) fn pipe(&mut self, input: &Input) {
        let timestamp_ms = WALL_MS + i64::try_from(self.piped.len()).expect("few");
        let record = input.record(timestamp_ms);
        let offset = self.driver.pipe(input.topic(), record.clone()).expect("the task goes on");
        let effect = self.model.step(input);
        let partition = partition_of(input.user);
        self.piped.push(Wanted { record, topic: input.topic(), partition, offset, effect });
        if !self.open {
            self.committed();
        }
    }

    pub(crate) fn begin(&mut self) {
        self.driver.begin();
        self.open = true;
    }

    /// Commits; returns what was counted, over all tasks.
    pub(crate) fn commit(&mut self) -> BTreeMap<&'static str, u64> {
        let mut counts = BTreeMap::new();
        for applied in self.driver.commit().expect("applied") {
            for (name, count) in applied.counters.iter() {
                *counts.entry(name).or_default() += count;
            }
        }
        self.open = false;
        self.committed();
        counts
    }

    pub(crate) fn abort(&mut self) {
        if self.open {
            self.driver.abort().expect("the redo goes on");
        }
    }

    /// Crashes, starts again from the changelog, and reads again what was not committed.
    pub(crate) fn crash(&mut self) {
        let next = self.driver.crash().expect("restored");
        self.open = false;
        for wanted in &self.piped {
            if wanted.offset >= next[&(wanted.topic.to_owned(), wanted.partition)] {
                let offset = self.driver.pipe(wanted.topic, wanted.record.clone()).expect("the task goes on");
                assert_eq!(offset, wanted.offset);
            }
        }
        self.committed();
    }

    /// Checks what must hold whenever nothing is open: money, by the marker and by the events so far.
    fn committed(&mut self) {
        let fresh = self.driver.outputs();
        for output in fresh.iter().filter(|output| output.topic == "account.events") {
            self.follow(output);
        }
        self.outputs.extend(fresh);
        for (user, account) in &self.model.accounts {
            let Followed { balance, credited, debited, .. } = self.followed[user];
            assert_eq!(
                (account.balance, account.credited, account.debited),
                (balance.into(), credited, debited)
            );
            assert_eq!(account.balance, account.credited - account.debited, "user {user}");
            assert!(account.balance >= -account.overdraft, "user {user}");
        }
        for partition in 0..PARTITIONS {
            let accounts = self.model.accounts.iter().filter(|(user, _)| partition_of(**user) == partition);
            let (mut keys, mut sums) = (0u64, [0i128; 3]);
            for (_, account) in accounts {
                keys += 1;
                sums[0] += account.balance;
                sums[1] += account.credited;
                sums[2] += account.debited;
            }
            assert_eq!(sums[0], sums[1] - sums[2], "money is conserved in the model");
            let Some(marker) = self.driver.marker(TaskId::new(0, partition)) else { continue };
            assert_eq!(marker.tallies.len(), 1);
            let tally = &marker.tallies[0];
            assert_eq!((tally.store, tally.live_keys, &tally.sums[..]), (1, keys, &sums[..]));
        }
    }

    /// Follows a user's balance and version from event to event.
    fn follow(&mut self, output: &OutputRecord) {
        let event: Value =
            serde_json::from_slice(output.record.value.as_deref().expect("a value")).expect("JSON");
        let payload = &event["payload"];
        let Followed { balance, version, credited, debited } =
            self.followed.entry(payload["userId"].as_u64().expect("a user")).or_default();
        if let Some(new) = payload["accountVersion"].as_u64() {
            assert_eq!(new, *version + 1, "no version is missing: {event}");
            *version = new;
        }
        if let Some(delta) = payload["deltaFen"].as_i64() {
            *balance += delta;
            *(if delta > 0 { credited } else { debited }) += i128::from(delta.abs());
            assert_eq!(payload["balanceAfterFen"].as_i64(), Some(*balance), "{event}");
        }
        if payload["balanceFen"].is_i64() {
            assert_eq!(payload["balanceFen"].as_i64(), Some(*balance), "{event}");
        }
    }

    /// Ends the run and compares everything with the model.
    pub(crate) fn finish(mut self) {
        if self.open {
            self.commit();
        }
        self.compare_outputs();
        self.compare_state();
    }

    fn compare_outputs(&self) {
        let namespace = Uuid::new_v5(&Uuid::NAMESPACE_DNS, format!("millpond.{APP}").as_bytes());
        for partition in 0..PARTITIONS {
            let mut events = self.outputs_of("account.events", partition);
            let mut letters = self.outputs_of("deadletter.events", partition);
            for wanted in self.piped.iter().filter(|wanted| wanted.partition == partition) {
                match &wanted.effect {
                    Effect::Silent => {}
                    Effect::Dead(code) => {
                        let letter = &letters.next().expect("a dead letter").record;
                        assert_eq!((&letter.key, &letter.value), (&wanted.record.key, &wanted.record.value));
                        let header = letter.headers.iter().find(|(name, _)| name == b"x-dlq-error-code");
                        let found = header.and_then(|(_, value)| value.clone()).unwrap_or_default();
                        assert_eq!(String::from_utf8_lossy(&found), *code);
                    }
                    Effect::Event(name, payload) => {
                        let event = &events.next().expect("an event").record;
                        assert_eq!(
                            (&event.key, event.timestamp_ms),
                            (&wanted.record.key, wanted.record.timestamp_ms)
                        );
                        let name_of_source = format!("{}/{partition}/{}/0", wanted.topic, wanted.offset);
                        let found: Value =
                            serde_json::from_slice(event.value.as_deref().unwrap()).expect("JSON");
                        let want = json!({
                            "eventType": name,
                            "eventId": Uuid::new_v5(&namespace, name_of_source.as_bytes()).to_string(),
                            "occurredAt": found["occurredAt"],
                            "source": {
                                "topic": wanted.topic, "partition": partition, "offset": wanted.offset,
                            },
                            "payload": payload,
                        });
                        assert_eq!(found, want);
                    }
                }
            }
            assert_eq!(events.next(), None, "no event too many");
            assert_eq!(letters.next(), None, "no dead letter too many");
        }
    }

    fn outputs_of(&self, topic: &'static str, partition: u32) -> impl Iterator<Item = &OutputRecord> {
        self.outputs.iter().filter(move |output| output.topic == topic && output.partition == partition)
    }

    fn compare_state(&self) {
        let mut stored = [0usize; 4];
        for partition in 0..PARTITIONS {
            for (key, value) in self.driver.state(TaskId::new(0, partition)) {
                let (store, user) = compare_row(&self.model, &key, &value);
                assert_eq!(partition_of(user), partition);
                stored[usize::from(store)] += 1;
            }
        }
        compare_counts(&self.model, stored);
    }

    /// Returns the stored bytes of a user's account.
    pub(crate) fn stored_account(&self, user: u64) -> Option<Vec<u8>> {
        let mut key = Vec::new();
        changelog_key(1, &user.to_be_bytes(), &mut key);
        self.driver.state(TaskId::new(0, partition_of(user))).remove(&key)
    }
}
