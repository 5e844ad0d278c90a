//! The invariants, checked at every decided transaction, every write of a store and every COMMIT of the sink.
//!
//! | | |
//! |---|---|
//! | I1 | every input record between two committed offsets has exactly one event in that transaction, or one dead letter if it is bad; none outside |
//! | I2 | events are the fold of the inputs in the order that they record: same effects, same balances |
//! | I3 | the committed changelog is the state that the events tell |
//! | I4 | a store holds exactly the state of one committed transaction, and its position leaves out nothing committed later |
//! | I5 | a transaction of a task carries a marker, and its offsets are exactly those of the marker |
//! | I6 | committed offsets never decrease |
//! | I7 | transactions of a task are a chain: each has the sequence number after the one before it, so that no two owners commit on one state |
//! | I8 | money is conserved in each prefix: the marker's tally is the money that the events tell |
//! | I9 | the sink's rows are the committed events below its offset, each once |
//! | I10 | no process ends itself, and when faults end everything drains in bounded time |
//!
//! They are those of the invariants I1 to I10 that the project's oracle asks of a run (applied once, no torn transaction, money, offsets, stores,
//! PostgreSQL, dead letters, liveness), put as they can be seen from inside, at each step.
//!
//! The audit knows inputs and committed outputs alone; it shares with the topology under test what a request means.

use std::collections::BTreeMap;
use std::rc::Rc;

use millpond::engine::Nonce;
use millpond::topology::{BincodeCodec, CHANGELOG_MARKER_KEY, Codec, Marker, RawRecord, changelog_key};

use crate::bank::{self, OPENING, Request, Told};
use crate::broker::{Broker, Part, Rec, SentOffset, Topic};
use crate::scenario::Scenario;
use crate::world::World;

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// A committed transaction of a task.
#[derive(Debug)]
struct Link {
    /// First changelog offset.
    first: i64,
    /// The whole state after it, marker included.
    rows: Rows,
}

/// A task as the committed history tells it.
#[derive(Debug)]
struct Ledger {
    keys: Vec<Vec<u8>>,
    balances: Vec<i64>,
    next: [i64; 2],
    last_punctuation: i64,
    rows: Rows,
    chain: Vec<Link>,
    events: u64,
    letters: u64,
}

/// The audit.
pub(crate) struct Audit {
    tasks: Vec<Ledger>,
    /// Sequence and position of every process's store, for I4.
    stores: BTreeMap<(usize, u32), (u64, i64)>,
}

impl Audit {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let task = |partition| {
            let keys = bank::accounts(partition, scenario.partitions).into_iter().map(|account| {
                let mut key = Vec::new();
                changelog_key(1, account.as_bytes(), &mut key);
                key
            });
            Ledger {
                keys: keys.collect(),
                balances: vec![OPENING; bank::ACCOUNTS],
                next: [0; 2],
                last_punctuation: -1,
                rows: Rows::new(),
                chain: Vec::new(),
                events: 0,
                letters: 0,
            }
        };
        Self { tasks: (0..scenario.partitions).map(task).collect(), stores: BTreeMap::new() }
    }

    /// Returns how many transactions each task has committed.
    pub(crate) fn lengths(&self) -> Vec<usize> {
        self.tasks.iter().map(|task| task.chain.len()).collect()
    }

    /// Checks a transaction at the moment when the coordinator decides to commit it.
    pub(crate) fn committed(
        &mut self,
        world: &Rc<World>,
        broker: &Broker,
        (id, pid): (&str, u64),
        sent: &[SentOffset],
    ) {
        for partition in 0..world.scenario.partitions {
            let pending =
                |topic| -> Vec<Rec> { broker.log(Part { topic, partition }).pending(pid).cloned().collect() };
            let (events, changes) = (pending(Topic::Events), pending(Topic::Changelog));
            let letters = pending(Topic::Letters);
            let offsets: Vec<&SentOffset> =
                sent.iter().filter(|sent| sent.part.partition == partition).collect();
            let is_empty = events.is_empty() && letters.is_empty() && changes.is_empty();
            if is_empty && offsets.is_empty() {
                continue;
            }
            if is_empty && is_echo(broker, &offsets) {
                world.tally.borrow_mut().echoes += 1;
                continue;
            }
            if let Some(moved) = world.moved.part().filter(|moved| moved.partition == partition) {
                world.fail(format!("I6: {moved:?} was moved from outside, and {id} goes on"));
            }
            let Some(task) = self.tasks.get_mut(partition as usize) else { continue };
            let checked = task.commit((broker, partition), (&events, &letters), &changes, &offsets);
            if let Err(why) = checked {
                world.fail(format!("{why} (task 0_{partition}, transaction of {id})"));
                continue;
            }
            let sequence = task.chain.len() as u64;
            let first = task.chain.last().map_or(0, |link| link.first);
            for ((whose, _), (known, position)) in self.stores.iter().filter(|((_, of), _)| *of == partition)
            {
                if *known < sequence && *position > first {
                    world.fail(format!(
                        "I4: store 0_{partition} of process {whose} at sequence {known} has position {position}, and misses \
                         changelog offset {first}"
                    ));
                }
            }
        }
    }

    /// Checks what a store holds.
    pub(crate) fn store(
        &mut self,
        world: &Rc<World>,
        (whose, partition): (usize, u32),
        (rows, position): (&Rows, Option<i64>),
        what: &str,
    ) {
        let Some(task) = self.tasks.get(partition as usize) else { return };
        let marker = rows.get(CHANGELOG_MARKER_KEY.as_slice()).map(|bytes| Marker::decode(bytes));
        let sequence = match marker {
            None => 0,
            Some(Ok(marker)) => marker.sequence,
            Some(Err(error)) => return world.fail(format!("I4: marker of a store: {error}")),
        };
        let at = usize::try_from(sequence).unwrap();
        let said = format!("store 0_{partition} of process {whose} ({what}, sequence {sequence})");
        let empty = Rows::new();
        let wanted = if at == 0 { Some(&empty) } else { task.chain.get(at - 1).map(|link| &link.rows) };
        match wanted {
            None => return world.fail(format!("I4: {said} is ahead of what is committed")),
            Some(wanted) if wanted != rows => {
                return world.fail(format!("I4: {said} is not the committed state of that sequence"));
            }
            Some(_) => {}
        }
        let position = position.unwrap_or(0);
        if let Some(missed) = task.chain.get(at)
            && position > missed.first
        {
            world.fail(format!(
                "I4: {said} has position {position}, and misses changelog offset {}",
                missed.first
            ));
        }
        self.stores.insert((whose, partition), (sequence, position));
    }

    /// Checks the rows of a partition after the sink's COMMIT.
    pub(crate) fn sink(&self, world: &Rc<World>, partition: u32, next: i64) {
        let (broker, database) = (world.broker.borrow(), world.database.borrow());
        let log = broker.log(Part { topic: Topic::Events, partition });
        let wanted = log.committed(0).take_while(|record| record.offset() < next);
        let empty = Vec::new();
        let rows = database.rows.get(&partition).unwrap_or(&empty);
        let same = wanted.map(|record| (record.offset(), record.value().unwrap_or_default()));
        if !same.eq(rows.iter().map(|(offset, value)| (*offset, value.as_slice()))) {
            world.fail(format!(
                "I9: the rows of events-{partition} are not the committed events below {next}"
            ));
        }
    }

    /// Checks at the end that the logs hold what was checked and no more.
    pub(crate) fn finish(&self, world: &Rc<World>) {
        let broker = world.broker.borrow();
        for (partition, task) in (0u32..).zip(&self.tasks) {
            let log = broker.log(Part { topic: Topic::Events, partition });
            let found = log.committed(0).count() as u64;
            if found != task.events {
                world.fail(format!(
                    "I1: events-{partition} shows {found} events, {} were decided",
                    task.events
                ));
            }
            let found = broker.log(Part { topic: Topic::Letters, partition }).committed(0).count() as u64;
            if found != task.letters {
                world.fail(format!(
                    "I1: letters-{partition} shows {found} dead letters, {} were decided",
                    task.letters
                ));
            }
            for (index, topic) in Topic::INPUTS.into_iter().enumerate() {
                let part = Part { topic, partition };
                let committed = broker.offsets.committed.get(&part).map_or(0, |known| known.0);
                if committed != task.next[index] {
                    world.fail(format!(
                        "I5: {part:?} is committed at {committed}, its marker says {}",
                        task.next[index]
                    ));
                }
            }
        }
    }
}

/// Says whether a transaction commits again what is committed, to the nonce.
///
/// Late AddOffsetsToTxn, TxnOffsetCommit and EndTxn of a finished transaction make one of their own when they arrive before
/// the producer is replaced. It carries no records, since those have sequence numbers, and the fence of a generation that is
/// still the group's, so that nobody else can have moved on.
fn is_echo(broker: &Broker, offsets: &[&SentOffset]) -> bool {
    let known = |sent: &SentOffset| broker.offsets.committed.get(&sent.part);
    offsets.iter().all(|sent| known(sent).is_some_and(|known| *known == (sent.offset, sent.metadata.clone())))
}

/// Returns input and offset of the records that `letters` name, which must be bad ones.
fn dead(letters: &[Rec], inputs: &[Vec<&Rec>; 2]) -> Result<Vec<(usize, i64)>, String> {
    let mut sources = Vec::new();
    for letter in letters {
        let (at, offset) = letter_source(letter).ok_or("I1: a dead letter of no record")?;
        let record = usize::try_from(offset).ok().and_then(|place| inputs[at].get(place));
        if !record.is_some_and(|record| Request::read(record.value().unwrap_or_default()).is_bad()) {
            return Err(format!("I1: a dead letter of {:?}@{offset}, a good record", Topic::INPUTS[at]));
        }
        sources.push((at, offset));
    }
    Ok(sources)
}

/// Returns the input and the offset that a dead letter names.
fn letter_source(letter: &Rec) -> Option<(usize, i64)> {
    let header = |name: &[u8]| {
        let found = letter.0.headers.iter().find(|(known, _)| known == name)?;
        String::from_utf8(found.1.clone()?).ok()
    };
    let topic = header(b"__streams.errors.topic")?;
    let at = Topic::INPUTS.iter().position(|input| input.name() == topic)?;
    Some((at, header(b"__streams.errors.offset")?.parse().ok()?))
}

impl Ledger {
    fn commit(
        &mut self,
        (broker, partition): (&Broker, u32),
        (events, letters): (&[Rec], &[Rec]),
        changes: &[Rec],
        offsets: &[&SentOffset],
    ) -> Result<(), String> {
        let next = self.offsets(changes, offsets)?;
        self.fold((broker, partition), events, letters, next)?;
        self.state(changes)
    }

    /// I5, I6, I7: marker, offsets and chain. Returns the next offsets.
    fn offsets(&self, changes: &[Rec], offsets: &[&SentOffset]) -> Result<[i64; 2], String> {
        let is_marker = |record: &&Rec| record.key() == Some(CHANGELOG_MARKER_KEY.as_slice());
        let markers: Vec<&Rec> = changes.iter().filter(is_marker).collect();
        let [marker] = markers.as_slice() else {
            return Err(format!(
                "I5: {} markers, {} offsets in one transaction",
                markers.len(),
                offsets.len()
            ));
        };
        let marker = Marker::decode(marker.value().unwrap_or_default()).map_err(|error| error.to_string())?;
        let mut next = [0; 2];
        for (index, topic) in Topic::INPUTS.into_iter().enumerate() {
            let told = marker.next_offset(topic.name()).unwrap_or(-1);
            let sent = offsets.iter().find(|sent| sent.part.topic == topic);
            let Some(sent) = sent else {
                return Err("I5: a transaction without the task's offsets".to_owned());
            };
            if sent.offset != told {
                return Err(format!("I5: offset {} is sent, the marker says {told}", sent.offset));
            }
            if told < self.next[index] {
                return Err(format!("I6: {topic:?} goes back from {} to {told}", self.next[index]));
            }
            let nonce: Nonce =
                sent.metadata.parse().map_err(|_| "I5: the nonce cannot be read".to_owned())?;
            if nonce.sequence != marker.sequence {
                return Err(format!("I5: nonce {nonce} with a marker of sequence {}", marker.sequence));
            }
            next[index] = told;
        }
        let expected = self.chain.len() as u64 + 1;
        if marker.sequence != expected {
            return Err(format!("I7: sequence {} is committed where {expected} follows", marker.sequence));
        }
        Ok(next)
    }

    /// I1, I2: events against inputs.
    fn fold(
        &mut self,
        (broker, partition): (&Broker, u32),
        events: &[Rec],
        letters: &[Rec],
        next: [i64; 2],
    ) -> Result<(), String> {
        let inputs = Topic::INPUTS.map(|topic| {
            let log = broker.log(Part { topic, partition });
            log.entries.iter().map(|entry| &entry.record).collect::<Vec<&Rec>>()
        });
        let mut due: [Vec<i64>; 2] = [Vec::new(), Vec::new()];
        for (index, topic) in Topic::INPUTS.into_iter().enumerate() {
            let log = broker.log(Part { topic, partition });
            let seen = log.committed(self.next[index]).map(RawRecord::offset);
            due[index] = seen.take_while(|offset| *offset < next[index]).collect();
        }
        let mut done: [Vec<i64>; 2] = [Vec::new(), Vec::new()];
        for event in events {
            let told = Told::read(event.value().unwrap_or_default());
            let changes = match told.source {
                source @ (0 | 1) => {
                    let at = usize::from(source);
                    done[at].push(told.place);
                    let record = usize::try_from(told.place).ok().and_then(|place| inputs[at].get(place));
                    let Some(record) = record else { return Err("I1: an event of no record".to_owned()) };
                    let request = Request::read(record.value().unwrap_or_default());
                    if request.is_bad() {
                        return Err(format!("I1: {told:?} of a record that is a dead letter"));
                    }
                    bank::changes(source, request, self.balances[usize::from(request.account)])
                }
                _ if told.place <= self.last_punctuation => {
                    return Err(format!("I1: the punctuation of {} happened twice", told.place));
                }
                _ => {
                    self.last_punctuation = told.place;
                    vec![(0, 1)]
                }
            };
            let mut balances = Vec::new();
            for (account, amount) in changes {
                let balance = &mut self.balances[usize::from(account)];
                *balance += amount;
                balances.push((account, *balance));
            }
            if balances != told.balances {
                return Err(format!("I2: {told:?}, and the fold gives {balances:?}"));
            }
        }
        for (at, offset) in dead(letters, &inputs)? {
            done[at].push(offset);
            done[at].sort_unstable();
        }
        if done != due {
            return Err(format!("I1: records {due:?} were due, events of {done:?} are committed"));
        }
        self.next = next;
        self.events += events.len() as u64;
        self.letters += letters.len() as u64;
        Ok(())
    }

    /// I3, I8: the changelog against the fold.
    fn state(&mut self, changes: &[Rec]) -> Result<(), String> {
        for record in changes {
            let key = record.key().unwrap_or_default().to_vec();
            match record.value() {
                Some(value) => drop(self.rows.insert(key, value.to_vec())),
                None => drop(self.rows.remove(&key)),
            }
        }
        for (key, balance) in self.keys.iter().zip(&self.balances) {
            let held = self.rows.get(key).map(|bytes| BincodeCodec::<i64>::new().decode(bytes)).transpose();
            let held = held.map_err(|error| format!("I3: {error}"))?.unwrap_or(OPENING);
            if held != *balance {
                return Err(format!("I3: the changelog says {held}, the events {balance}"));
            }
        }
        let marker = self.rows.get(CHANGELOG_MARKER_KEY.as_slice()).map(|bytes| Marker::decode(bytes));
        if let Some(Ok(marker)) = marker {
            let money: i64 = self.balances.iter().map(|balance| balance - OPENING).sum();
            let live = self.keys.iter().filter(|key| self.rows.contains_key(*key));
            let told = marker.tallies.first().and_then(|tally| tally.sums.first().copied());
            if told != Some(i128::from(money)) && live.count() > 0 {
                return Err(format!("I8: the tally says {told:?}, the events {money}"));
            }
        }
        let first = changes.first().map_or(0, RawRecord::offset);
        self.chain.push(Link { first, rows: self.rows.clone() });
        Ok(())
    }
}
