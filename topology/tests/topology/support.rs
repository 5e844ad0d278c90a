//! A topology whose records say what its processors do, and a task of it with the state that it commits to.

use std::ops::ControlFlow;
use std::time::Duration;

use bincode::{Decode, Encode};
use millpond_topology::{
    Applied, BincodeCodec, Builder, Child, Context, Decoded, InputOffset, KeyValueStore, MemoryState, NoData,
    Now, Nullable, OwnedRecord, ProcessError, Processor, Record, Restored, SinkRef, SourceSpec, Str, Task,
    TaskId, TaskOptions, Topology, U64PairKey, Versioned, processor,
};

/// Wall clock of all tests, ms since the epoch.
pub(crate) const WALL_MS: i64 = 1_700_000_000_000;
/// The store that keeps a tally.
pub(crate) const AMOUNTS: u16 = 1;
/// The store that keeps none, with the greatest id there is: nothing comes after its keys.
pub(crate) const NOTES: u16 = u16::MAX;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Amount(pub(crate) i64);

impl Versioned for Amount {
    const VERSION: u8 = 1;
    const NAME: &'static str = "amount";
}

pub(crate) type Amounts = KeyValueStore<U64PairKey, BincodeCodec<Amount>>;
pub(crate) type Out = SinkRef<Str, Str>;

/// Does what the record's value says: commands separated by `;`. Results go to the sink `out` under the
/// record's key.
#[derive(Clone)]
pub(crate) struct Script {
    pub(crate) amounts: Amounts,
    pub(crate) notes: Amounts,
    pub(crate) out: Out,
}

impl Script {
    fn run(&self, key: &str, line: &str, ctx: &mut Context<'_>) -> Result<(), ProcessError> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |at: usize| words[at].parse::<u64>().unwrap();
        let store = if words.get(1) == Some(&"1") { &self.amounts } else { &self.notes };
        let pair = |at: usize| (number(at), number(at + 1));
        match words[0] {
            "put" => store.put(ctx, &pair(2), &Amount(words[4].parse().unwrap()))?,
            "add" => {
                let old = store.get(ctx, &pair(2))?.map_or(0, |Amount(old)| old);
                store.put(ctx, &pair(2), &Amount(old + words[4].parse::<i64>().unwrap()))?;
            }
            "del" => store.delete(ctx, &pair(2))?,
            "get" => {
                let found = store.get(ctx, &pair(2))?;
                self.say(ctx, key, &found.map_or("-".to_owned(), |Amount(found)| found.to_string()));
            }
            "prefix" | "first" | "range" => {
                let mut rows = Vec::new();
                let visit = |(a, b): (u64, u64), Amount(value): Amount| {
                    rows.push(format!("{a}.{b}={value}"));
                    if words[0] == "first" { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                };
                match words[0] {
                    "range" => store.range(ctx, &pair(2), &pair(4), visit)?,
                    _ => store.prefix(ctx, &number(2).to_be_bytes(), visit)?,
                }
                self.say(ctx, key, &rows.join(","));
            }
            "say" => self.say(ctx, key, words[1]),
            "time" => self.say(ctx, key, &format!("{} {}", ctx.timestamp_ms(), ctx.stream_time_ms())),
            "count" => ctx.count("counted", 1),
            "dead" => return Err(ProcessError::dead_letter("SCRIPTED", "the script says so")),
            "retry" => return Err(ProcessError::Retry { message: "the script says so".to_owned() }),
            "stop" => return Err(ProcessError::Stop { message: "the script says so".to_owned() }),
            other => panic!("unknown command {other}"),
        }
        Ok(())
    }

    /// Sends `<topic>@<offset>.<index> <text>`.
    fn say(&self, ctx: &mut Context<'_>, key: &str, text: &str) {
        let source = ctx.source().unwrap();
        let text = format!("{}@{}.{} {text}", source.topic, source.offset, ctx.next_output_index());
        ctx.send(&self.out, key, &text);
    }
}

impl Processor for Script {
    type KeyIn = Decoded<Nullable<Str>>;
    type ValueIn = Decoded<Str>;
    type KeyOut = NoData;
    type ValueOut = NoData;

    fn process<'a>(
        &mut self,
        record: &Record<'a, Option<&'a str>, &'a str>,
        ctx: &mut Context<'_>,
        _children: &mut impl Child<NoData, NoData>,
    ) -> Result<(), ProcessError> {
        for line in record.value.split(';').filter(|line| !line.trim().is_empty()) {
            self.run(record.key.unwrap_or_default(), line, ctx)?;
        }
        Ok(())
    }
}

/// Topics `left` and `right`, each with its script over the same two stores; sinks `out` and `dead`.
pub(crate) fn topology() -> Topology {
    let mut builder = Builder::new("app");
    builder.sub_topology("scripts", |sub| {
        let amounts = sub.store(AMOUNTS, "amounts", U64PairKey, BincodeCodec::<Amount>::new());
        sub.hold_in_memory(&amounts);
        let notes = sub.store(NOTES, "notes", U64PairKey, BincodeCodec::<Amount>::new());
        let of = |Amount(amount): &Amount| [*amount, amount.signum(), 0, 0];
        sub.tally(&amounts, BincodeCodec::<Amount>::new(), &["sum", "signs"], of);
        let out = sub.sink("out", "out", Str, Str);
        sub.dead_letters("dead-letters", "dead");
        for side in ["left", "right"] {
            let script = Script { amounts: amounts.clone(), notes: notes.clone(), out: out.clone() };
            let node = processor(&format!("{side}-script"), move || script.clone());
            let node = node.store(&amounts).store(&notes).sends_to(&out);
            sub.source(SourceSpec::new(&format!("{side}-source"), &[side], Nullable(Str), Str), node);
        }
    });
    builder.build().unwrap()
}

/// A record as a client would send it.
pub(crate) fn record(timestamp_ms: i64, key: &str, value: &str) -> OwnedRecord {
    OwnedRecord {
        timestamp_ms,
        key: Some(key.as_bytes().to_vec()),
        value: Some(value.as_bytes().to_vec()),
        ..OwnedRecord::default()
    }
}

/// Text of bytes.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Where a task begins that never ran.
pub(crate) fn fresh(topology: &Topology) -> Restored {
    let topics = topology.sub_topology(0).unwrap();
    let inputs = topics.inputs().map(|(_, topic)| InputOffset {
        topic: topic.to_owned(),
        topic_id: [9; 16],
        next_offset: 0,
    });
    Restored {
        inputs: inputs.collect(),
        sequence: 0,
        stream_time_ms: -1,
        punctuations: Vec::new(),
        tallies: Vec::new(),
    }
}

/// A task with the state that it commits to.
pub(crate) struct Bench {
    pub(crate) task: Task<OwnedRecord>,
    pub(crate) state: MemoryState,
    pub(crate) now: Now,
    next: Vec<i64>,
}

impl Bench {
    /// Returns task `0_2` of the first sub-topology; every sink has 4 partitions.
    pub(crate) fn new(topology: &Topology, restored: &Restored, state: MemoryState) -> Self {
        let sub = topology.sub_topology(0).unwrap();
        let options = TaskOptions {
            app: topology.app().to_owned(),
            input_partitions: 4,
            sink_partitions: vec![4; sub.sinks().len()],
            timestamp_max_ahead_ms: 1000,
            dead_letter_value_bytes_max: 64,
            held_bytes_max: 4096,
        };
        let task = Task::new(TaskId::new(0, 2), sub, options, restored, Box::new(state.clone())).unwrap();
        let next = (0..task.input_topics().len()).map(|at| task.input(at).unwrap().next_offset).collect();
        Self { task, state, now: Now::new(Duration::ZERO, WALL_MS), next }
    }

    /// Returns a task of [`topology`] that never ran, whose inputs are known to be empty.
    pub(crate) fn fresh() -> Self {
        let topology = topology();
        let mut bench = Self::new(&topology, &fresh(&topology), MemoryState::new());
        bench.end(0);
        bench.end(1);
        bench
    }

    /// Hands over the next record of the input at `index`.
    pub(crate) fn push(&mut self, index: usize, record: OwnedRecord) {
        let offset = self.next[index];
        self.next[index] += 1;
        assert!(self.task.push(index, OwnedRecord { offset, ..record }));
    }

    /// Says that the input at `index` has nothing more.
    pub(crate) fn end(&mut self, index: usize) {
        self.task.reached_end(index, self.next[index]);
    }

    /// Hands over a record of `left`, after which both inputs are at their ends, and processes what can be.
    pub(crate) fn left(&mut self, value: &str) {
        self.push(0, record(WALL_MS, "k", value));
        self.end(0);
        assert_eq!(self.task.process(self.now, usize::MAX), Ok(1));
    }

    /// Outputs of the open transaction on `topic`, as (partition, value).
    pub(crate) fn outputs(&mut self, topic: &str) -> Vec<(u32, String)> {
        let sealed = self.task.seal();
        let runs = sealed.outputs().filter(|(found, _, _)| *found == topic);
        runs.flat_map(|(_, partition, run)| {
            run.iter().map(move |view| (partition, text(view.value().unwrap())))
        })
        .collect()
    }

    /// Commits: the state takes the images, the task is told.
    pub(crate) fn commit(&mut self) -> Applied {
        let sealed = self.task.seal();
        for (key, value) in sealed.images() {
            self.state.apply(key, value);
        }
        self.task.apply().unwrap()
    }
}
