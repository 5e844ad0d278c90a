//! What processors may reach: children in order, sinks and stores that they are connected to, and no others.

use std::collections::BTreeMap;
use std::sync::Mutex;

use bincode::{Decode, Encode};
use millpond_topology::{
    BincodeCodec, Builder, Child, Context, Decoded, Json, KeyValueStore, MemoryState, NoData, Owned,
    ProcessError, Processor, Record, SinkRef, SourceSpec, Str, Topology, U64Be, U64Key, U64PairKey,
    Versioned, processor,
};

use crate::support::{Amount, Amounts, Bench, Out, fresh, record};

/// Forwards what it gets.
pub(crate) struct Pass;

impl Processor for Pass {
    type KeyIn = Decoded<Str>;
    type ValueIn = Decoded<Str>;
    type KeyOut = Decoded<Str>;
    type ValueOut = Decoded<Str>;

    fn process<'a>(
        &mut self,
        record: &Record<'a, &'a str, &'a str>,
        ctx: &mut Context<'_>,
        children: &mut impl Child<Decoded<Str>, Decoded<Str>>,
    ) -> Result<(), ProcessError> {
        children.forward(record, ctx)
    }
}

/// Sends the value in capitals.
pub(crate) struct Upper(pub(crate) Out);

impl Processor for Upper {
    type KeyIn = Decoded<Str>;
    type ValueIn = Decoded<Str>;
    type KeyOut = NoData;
    type ValueOut = NoData;

    fn process<'a>(
        &mut self,
        record: &Record<'a, &'a str, &'a str>,
        ctx: &mut Context<'_>,
        _children: &mut impl Child<NoData, NoData>,
    ) -> Result<(), ProcessError> {
        ctx.send(&self.0, record.key, &record.value.to_uppercase());
        Ok(())
    }
}

/// Forwards the length, owned.
struct Length;

impl Processor for Length {
    type KeyIn = Decoded<Str>;
    type ValueIn = Decoded<Str>;
    type KeyOut = Owned<String>;
    type ValueOut = Owned<u64>;

    fn process<'a>(
        &mut self,
        record: &Record<'a, &'a str, &'a str>,
        ctx: &mut Context<'_>,
        children: &mut impl Child<Owned<String>, Owned<u64>>,
    ) -> Result<(), ProcessError> {
        children.forward(&record.with(record.key.to_owned(), record.value.len() as u64), ctx)
    }
}

/// Puts through a handle that it may or may not be connected to.
struct Writer(Amounts);

impl Processor for Writer {
    type KeyIn = Decoded<Str>;
    type ValueIn = Decoded<Str>;
    type KeyOut = NoData;
    type ValueOut = NoData;

    fn process<'a>(
        &mut self,
        _record: &Record<'a, &'a str, &'a str>,
        ctx: &mut Context<'_>,
        _children: &mut impl Child<NoData, NoData>,
    ) -> Result<(), ProcessError> {
        Ok(self.0.put(ctx, &(1, 1), &Amount(1))?)
    }
}

fn build(declare: impl FnOnce(&mut millpond_topology::SubBuilder)) -> Topology {
    let mut builder = Builder::new("app");
    builder.sub_topology("sub", declare);
    builder.build().unwrap()
}

fn bench(topology: &Topology) -> Bench {
    Bench::new(topology, &fresh(topology), MemoryState::new())
}

/// Processes one record `k` = `abc` and returns the error.
fn failure(topology: &Topology) -> String {
    let mut bench = bench(topology);
    bench.push(0, record(5, "k", "abc"));
    let failed = bench.task.process(bench.now, 1).unwrap_err().to_string();
    assert_eq!(bench.task.pending_rows(), 0, "nothing of the record is left");
    failed
}

#[test]
fn children_get_the_record_in_the_order_of_their_declaration() {
    let topology = build(|sub| {
        let out = sub.sink("out", "out", Str, Str);
        let lengths = sub.sink("lengths", "lengths", Str, U64Be);
        let to = out.clone();
        let upper = processor("upper", move || Upper(to.clone())).sends_to(&out);
        let length = processor("length", || Length).then(lengths);
        let pass = processor("pass", || Pass).then(upper).then(length).then((out.clone(), out));
        sub.source(SourceSpec::new("source", &["in"], Str, Str), pass);
    });
    let mut bench = bench(&topology);
    bench.push(0, record(5, "k", "abc"));
    assert_eq!(bench.task.process(bench.now, 1), Ok(1));
    let values: Vec<_> = bench.outputs("out").into_iter().map(|(_, value)| value).collect();
    assert_eq!(values, ["ABC", "abc", "abc"]);
    let sealed = bench.task.seal();
    let (_, partition, run) = sealed.outputs().find(|(topic, _, _)| *topic == "lengths").unwrap();
    let length = run.iter().next().unwrap();
    assert_eq!((length.key(), length.value()), (Some(&b"k"[..]), Some(&3u64.to_be_bytes()[..])));
    assert_eq!((length.timestamp_ms(), partition), (5, millpond_topology::partition_for(b"k", 4)));
}

#[test]
fn a_store_that_is_not_connected_stops_the_task() {
    let topology = build(|sub| {
        let amounts = sub.store(3, "amounts", U64PairKey, BincodeCodec::<Amount>::new());
        let handle = amounts.clone();
        let writer = processor("writer", move || Writer(handle.clone()));
        // The parent is connected; that is not its children's business.
        sub.source(
            SourceSpec::new("source", &["in"], Str, Str),
            processor("pass", || Pass).store(&amounts).then(writer),
        );
    });
    let failed = failure(&topology);
    assert_eq!(
        failed,
        "task 0_2, in-2@0: store 3 is not connected to this processor: \
         add `.store(&handle)` to it in the topology"
    );
}

#[test]
fn the_handle_of_another_sub_topology_does_not_reach_the_store_of_the_same_id() {
    let mut handle = None;
    let mut builder = Builder::new("app");
    builder.sub_topology("other", |sub| {
        let amounts = sub.store(3, "amounts", U64PairKey, BincodeCodec::<Amount>::new());
        handle = Some(amounts.clone());
        sub.source(SourceSpec::new("a", &["a"], Str, Str), processor("b", || Pass).store(&amounts));
    });
    let handle = handle.unwrap();
    builder.sub_topology("sub", |sub| {
        let own = sub.store(3, "own", U64Key, BincodeCodec::<Amount>::new());
        let writer = processor("writer", move || Writer(handle.clone())).store(&own);
        sub.source(SourceSpec::new("c", &["c"], Str, Str), writer);
    });
    let mut driver = millpond_topology::TestDriver::new(builder.build().unwrap(), 1, 0).unwrap();
    let failed = driver.pipe("c", record(0, "k", "v")).unwrap_err().to_string();
    assert!(failed.contains("store 3 is not connected"), "{failed}");
}

#[test]
fn a_sink_that_is_not_named_stops_the_task() {
    let topology = build(|sub| {
        let out = sub.sink("out", "out", Str, Str);
        let to = out.clone();
        let upper = processor("upper", move || Upper(to.clone()));
        sub.source(
            SourceSpec::new("source", &["in"], Str, Str),
            processor("pass", || Pass).then(upper).then(out),
        );
    });
    let failed = failure(&topology);
    assert_eq!(
        failed,
        "task 0_2, in-2@0: stop: sink `out` is not connected to this processor: name it by `sends_to`"
    );
}

#[test]
fn the_handle_of_another_sub_topologys_sink_does_not_reach_the_sink_in_its_place() {
    let mut handle = None;
    let mut builder = Builder::new("app");
    builder.sub_topology("other", |sub| {
        let theirs = sub.sink("theirs", "theirs", Str, Str);
        sub.source(SourceSpec::new("a", &["a"], Str, Str), processor("b", || Pass).then(theirs.clone()));
        handle = Some(theirs);
    });
    let handle = handle.unwrap();
    builder.sub_topology("sub", |sub| {
        let own = sub.sink("own", "own", Str, Str);
        let upper = processor("upper", move || Upper(handle.clone())).sends_to(&own);
        sub.source(SourceSpec::new("c", &["c"], Str, Str), upper);
    });
    let mut driver = millpond_topology::TestDriver::new(builder.build().unwrap(), 1, 0).unwrap();
    let failed = driver.pipe("c", record(0, "k", "v")).unwrap_err().to_string();
    assert!(failed.contains("sink `theirs` is not connected"), "{failed}");
}

/// A map whose keys are not text: JSON cannot hold it.
struct Unspeakable(SinkRef<Str, Json<()>>);

impl Processor for Unspeakable {
    type KeyIn = Decoded<Str>;
    type ValueIn = Decoded<Str>;
    type KeyOut = Decoded<Str>;
    type ValueOut = Owned<BTreeMap<(u8, u8), u8>>;

    fn process<'a>(
        &mut self,
        record: &Record<'a, &'a str, &'a str>,
        ctx: &mut Context<'_>,
        children: &mut impl Child<Self::KeyOut, Self::ValueOut>,
    ) -> Result<(), ProcessError> {
        let map = BTreeMap::from([((1, 2), 3)]);
        if record.value == "abc" {
            ctx.send(&self.0, record.key, &map);
            return Ok(());
        }
        children.forward(&record.with(record.key, map), ctx)
    }
}

#[test]
fn an_output_that_cannot_be_serialized_stops_the_task_instead_of_going_out_empty() {
    let topology = build(|sub| {
        let out = sub.sink("out", "out", Str, Json::<()>::new());
        let to = out.clone();
        let node = processor("node", move || Unspeakable(to.clone())).sends_to(&out).then(out.clone());
        sub.source(SourceSpec::new("source", &["in"], Str, Str), node);
    });
    let want = "task 0_2, in-2@0: stop: sink `out`: output cannot be serialized: key must be a string";
    assert_eq!(failure(&topology), want);
    let mut bench = bench(&topology);
    bench.push(0, record(5, "k", "by forwarding"));
    assert_eq!(bench.task.process(bench.now, 1).unwrap_err().to_string(), want);
    assert_eq!(bench.task.pending_rows(), 0);
}

/// bincode refuses a lock that is poisoned.
#[derive(Debug, Encode, Decode)]
struct Locked(Mutex<u8>);

impl Versioned for Locked {
    const VERSION: u8 = 1;
    const NAME: &'static str = "locked";
}

struct Poisoned(KeyValueStore<U64Key, BincodeCodec<Locked>>);

impl Processor for Poisoned {
    type KeyIn = Decoded<Str>;
    type ValueIn = Decoded<Str>;
    type KeyOut = NoData;
    type ValueOut = NoData;

    fn process<'a>(
        &mut self,
        _record: &Record<'a, &'a str, &'a str>,
        ctx: &mut Context<'_>,
        _children: &mut impl Child<NoData, NoData>,
    ) -> Result<(), ProcessError> {
        let value = Locked(Mutex::new(1));
        std::thread::scope(|scope| {
            let poison = || {
                let _held = value.0.lock();
                // Not `panic!`: its message would look like a failure in the test's output.
                std::panic::resume_unwind(Box::new(()));
            };
            assert!(scope.spawn(poison).join().is_err());
        });
        Ok(self.0.put(ctx, &1, &value)?)
    }
}

#[test]
fn a_value_that_cannot_be_encoded_is_not_written() {
    let topology = build(|sub| {
        let store = sub.store(3, "locks", U64Key, BincodeCodec::<Locked>::new());
        let handle = store.clone();
        let node = processor("node", move || Poisoned(handle.clone())).store(&store);
        sub.source(SourceSpec::new("source", &["in"], Str, Str), node);
    });
    let failed = failure(&topology);
    assert!(failed.starts_with("task 0_2, in-2@0: store 3: malformed locked: value to encode: "), "{failed}");
}
