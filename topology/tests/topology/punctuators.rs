//! Punctuators on both clocks, across aborts and restarts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use millpond_topology::{
    BincodeCodec, Builder, Child, Context, Decoded, NoData, ProcessError, Processor, Punctuation,
    PunctuationClock, PunctuatorSpec, Record, Restored, SourceSpec, Str, TaskId, TestDriver, Topology,
    U64PairKey, processor,
};

use crate::connections::Pass;
use crate::support::{Amount, Amounts, Bench, Out, fresh, record, text};

const STREAM: u16 = 4;
const WALL: u16 = 9;

/// Says each call and counts it in a store; fails while told to.
struct Ticker {
    name: &'static str,
    calls: Amounts,
    out: Out,
    fails: Arc<AtomicBool>,
}

impl Processor for Ticker {
    type KeyIn = Decoded<Str>;
    type ValueIn = Decoded<Str>;
    type KeyOut = NoData;
    type ValueOut = NoData;

    fn process<'a>(
        &mut self,
        _record: &Record<'a, &'a str, &'a str>,
        _ctx: &mut Context<'_>,
        _children: &mut impl Child<NoData, NoData>,
    ) -> Result<(), ProcessError> {
        Ok(())
    }

    fn punctuate(
        &mut self,
        punctuation: Punctuation,
        ctx: &mut Context<'_>,
        _children: &mut impl Child<NoData, NoData>,
    ) -> Result<(), ProcessError> {
        assert_eq!(ctx.source(), None);
        assert_eq!(ctx.timestamp_ms(), punctuation.scheduled_ms);
        let key = (u64::from(punctuation.id), 0);
        let calls = self.calls.get(ctx, &key)?.map_or(0, |Amount(calls)| calls) + 1;
        self.calls.put(ctx, &key, &Amount(calls))?;
        ctx.count("ticks", 1);
        let said = format!("{}@{} call {calls}", punctuation.id, punctuation.scheduled_ms);
        ctx.send(&self.out, self.name, &said);
        if self.fails.load(Ordering::Relaxed) {
            return Err(ProcessError::Retry { message: "told to".to_owned() });
        }
        Ok(())
    }
}

fn topology(fails: &Arc<AtomicBool>) -> Topology {
    let mut builder = Builder::new("app");
    builder.sub_topology("ticks", |sub| {
        let calls = sub.store(1, "calls", U64PairKey, BincodeCodec::<Amount>::new());
        let out = sub.sink("out", "out", Str, Str);
        let (store, sink, fails) = (calls.clone(), out.clone(), Arc::clone(fails));
        let make = move || Ticker {
            name: "one",
            calls: store.clone(),
            out: sink.clone(),
            fails: Arc::clone(&fails),
        };
        let ticker = processor("ticker", make)
            .store(&calls)
            .sends_to(&out)
            .punctuator(PunctuatorSpec { id: STREAM, clock: PunctuationClock::StreamTime, interval_ms: 10 })
            .punctuator(PunctuatorSpec { id: WALL, clock: PunctuationClock::WallClock, interval_ms: 1000 });
        sub.source(SourceSpec::new("source", &["in"], Str, Str), ticker);
    });
    builder.build().unwrap()
}

fn driver() -> TestDriver {
    TestDriver::new(topology(&Arc::default()), 1, 50_000).unwrap()
}

fn said(driver: &mut TestDriver) -> Vec<String> {
    driver.outputs().into_iter().map(|out| text(&out.record.value.unwrap())).collect()
}

fn dues(driver: &TestDriver) -> Vec<(u16, i64)> {
    let marker = driver.marker(TaskId::new(0, 0)).unwrap();
    marker.punctuations.iter().map(|due| (due.id, due.due_ms)).collect()
}

#[test]
fn stream_time_calls_come_an_interval_after_the_first_record_and_a_gap_is_one_call() {
    let mut driver = driver();
    for timestamp_ms in [100, 109, 110, 105, 119, 157, 160] {
        driver.pipe("in", record(timestamp_ms, "k", "v")).unwrap();
    }
    assert_eq!(said(&mut driver), ["4@110 call 1", "4@120 call 2", "4@160 call 3"]);
    assert_eq!(dues(&driver), [(STREAM, 170), (WALL, 51_000)]);
}

#[test]
fn wall_clock_calls_need_no_record_and_are_committed() {
    let mut driver = driver();
    driver.advance(Duration::ZERO).unwrap();
    assert_eq!(driver.marker(TaskId::new(0, 0)), None, "a first due time alone is no transaction");
    for by_ms in [999, 1, 999, 1, 5500] {
        driver.advance(Duration::from_millis(by_ms)).unwrap();
    }
    assert_eq!(said(&mut driver), ["9@51000 call 1", "9@52000 call 2", "9@53000 call 3"]);
    let marker = driver.marker(TaskId::new(0, 0)).unwrap();
    assert_eq!((marker.sequence, marker.next_offset("in")), (3, Some(0)), "unchanged offsets are sent too");
    assert_eq!(dues(&driver), [(WALL, 58_000)]);
}

#[test]
fn due_times_survive_a_restart() {
    let mut driver = driver();
    driver.advance(Duration::from_millis(1000)).unwrap();
    driver.pipe("in", record(100, "k", "v")).unwrap();
    driver.crash().unwrap();
    driver.pipe("in", record(110, "k", "v")).unwrap();
    driver.advance(Duration::from_millis(1000)).unwrap();
    assert_eq!(said(&mut driver), ["4@110 call 1", "9@52000 call 1"]);
    driver.crash().unwrap();
    driver.advance(Duration::from_millis(999)).unwrap();
    assert_eq!(said(&mut driver), [""; 0], "what was called is not called again");
    driver.advance(Duration::from_millis(1)).unwrap();
    assert_eq!(said(&mut driver), ["9@53000 call 2"]);
}

#[test]
fn an_aborted_call_is_made_again_at_its_scheduled_time() {
    let mut driver = driver();
    driver.begin();
    driver.pipe("in", record(100, "k", "v")).unwrap();
    driver.pipe("in", record(110, "k", "v")).unwrap();
    driver.advance(Duration::from_millis(1700)).unwrap();
    // The first due times were never committed; an abort must not postpone them.
    driver.abort().unwrap();
    driver.abort().unwrap();
    driver.commit().unwrap();
    assert_eq!(said(&mut driver), ["4@110 call 1", "9@51000 call 1"]);
    assert_eq!(dues(&driver), [(STREAM, 120), (WALL, 52_000)]);
    driver.begin();
    driver.advance(Duration::from_millis(1000)).unwrap();
    driver.abort().unwrap();
    driver.commit().unwrap();
    assert_eq!(said(&mut driver), ["9@52000 call 2"]);
}

#[test]
fn each_call_goes_to_the_processor_that_declared_it() {
    let mut builder = Builder::new("app");
    builder.sub_topology("ticks", |sub| {
        let calls = sub.store(1, "calls", U64PairKey, BincodeCodec::<Amount>::new());
        let out = sub.sink("out", "out", Str, Str);
        let ticker = |name: &'static str, id: u16| {
            let (store, sink) = (calls.clone(), out.clone());
            let make =
                move || Ticker { name, calls: store.clone(), out: sink.clone(), fails: Arc::default() };
            let clock = PunctuationClock::WallClock;
            let declared = PunctuatorSpec { id, clock, interval_ms: i64::from(id) };
            processor(name, make).store(&calls).sends_to(&out).punctuator(declared)
        };
        let parent = processor("parent", || Pass).then(ticker("b", 2)).then(ticker("c", 3));
        sub.source(SourceSpec::new("one-in", &["in"], Str, Str), ticker("a", 5));
        sub.source(SourceSpec::new("two-in", &["in2"], Str, Str), parent);
    });
    let mut driver = TestDriver::new(builder.build().unwrap(), 1, 0).unwrap();
    for _ in 0..2 {
        driver.advance(Duration::from_millis(6)).unwrap();
    }
    let called: Vec<_> = driver
        .outputs()
        .into_iter()
        .map(|out| (text(&out.record.key.unwrap()), text(&out.record.value.unwrap())))
        .collect();
    let call = |name: &str, said: &str| (name.to_owned(), said.to_owned());
    let want = [call("b", "2@8 call 1"), call("c", "3@9 call 1"), call("a", "5@11 call 1")];
    assert_eq!(called, want, "due an interval after 6 ms, called in the order of their due times at 12 ms");
}

#[test]
fn a_call_that_fails_is_undone_and_comes_again() {
    let fails = Arc::new(AtomicBool::new(true));
    let topology = topology(&fails);
    let restored = Restored { stream_time_ms: 500, ..fresh(&topology) };
    let mut bench = Bench::new(&topology, &restored, millpond_topology::MemoryState::new());
    assert_eq!(bench.task.punctuate(bench.now), Ok(0));
    bench.now.wall_ms += 1000;
    let failed = bench.task.punctuate(bench.now).unwrap_err().to_string();
    let scheduled_ms = bench.now.wall_ms;
    assert_eq!(failed, format!("task 0_2, punctuator 9 scheduled for {scheduled_ms} ms: retry: told to"));
    assert!(!bench.task.is_dirty());
    fails.store(false, Ordering::Relaxed);
    assert_eq!(bench.task.punctuate(bench.now), Ok(1));
    let values: Vec<_> = bench.outputs("out").into_iter().map(|(_, value)| value).collect();
    assert_eq!(values, [format!("9@{scheduled_ms} call 1")]);
    assert_eq!(bench.task.punctuate(bench.now), Ok(0), "the transaction is sealed");
    assert_eq!(bench.commit().counters.get("ticks"), 1, "the failed call is not counted");
}

#[test]
fn a_wall_clock_that_jumps_back_calls_nothing_twice() {
    let topology = topology(&Arc::default());
    let mut bench = Bench::new(&topology, &fresh(&topology), millpond_topology::MemoryState::new());
    bench.task.punctuate(bench.now).unwrap();
    bench.now.wall_ms += 1000;
    assert_eq!(bench.task.punctuate(bench.now), Ok(1));
    bench.now.wall_ms -= 5000;
    assert_eq!(bench.task.punctuate(bench.now), Ok(0));
    bench.now.wall_ms += 5999;
    assert_eq!(bench.task.punctuate(bench.now), Ok(0));
    bench.now.wall_ms += 1;
    assert_eq!(bench.task.punctuate(bench.now), Ok(1));
}
