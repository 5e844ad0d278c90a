//! The hot path allocates nothing per record: a counting allocator around the pure task on the ledger's real
//! order path.
//!
//! One source, one processor, get and put on two stores, one output; 10,000 users, 1,000,000 orders in
//! transactions of 1,000. What a transaction allocates as a whole is counted too.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking"
)]
#![expect(unsafe_code, reason = "a global allocator cannot be written without")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::HashMap;
use std::io::Write;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use millpond_ledger::{DEFAULT_APP_ID, Topics, topology};
use millpond_topology::{
    InputOffset, Now, RawRecord, Restored, StateReader, StoreError, Task, TaskId, TaskOptions,
    split_changelog_key,
};

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call is passed to the system's allocator unchanged; the counter has no influence on it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as for this function.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as for this function.
        unsafe { System.dealloc(pointer, layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as for this function.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static GLOBAL: Counting = Counting;

const USERS: u64 = 10_000;
const ORDERS: u64 = 1_000_000;
const BATCH: u64 = BATCH_RECORDS as u64;
const BATCH_RECORDS: usize = 1_000;
const WALL_MS: i64 = 1_795_165_954_123;

/// A record with its bytes inline, as a fetch buffer would hold them.
struct Inline {
    offset: i64,
    key: Bytes<20>,
    value: Bytes<512>,
}

#[derive(Clone, Copy)]
struct Bytes<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Bytes<N> {
    fn copy(from: &[u8]) -> Self {
        let mut bytes = [0; N];
        bytes[..from.len()].copy_from_slice(from);
        Self { bytes, len: from.len() }
    }
    fn written(write: impl FnOnce(&mut &mut [u8]) -> std::io::Result<()>) -> Self {
        let mut bytes = [0; N];
        let mut rest = &mut bytes[..];
        write(&mut rest).expect("it fits");
        let len = N - rest.len();
        Self { bytes, len }
    }
    fn get(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl RawRecord for Inline {
    fn offset(&self) -> i64 {
        self.offset
    }
    fn timestamp_ms(&self) -> i64 {
        WALL_MS
    }
    fn key(&self) -> Option<&[u8]> {
        Some(self.key.get())
    }
    fn value(&self) -> Option<&[u8]> {
        Some(self.value.get())
    }
    fn header_count(&self) -> usize {
        0
    }
    fn header(&self, _index: usize) -> Option<(&[u8], Option<&[u8]>)> {
        None
    }
}

/// Committed state that has all its room from the start.
#[derive(Clone)]
struct Flat(Arc<Mutex<FlatMaps>>);

struct FlatMaps {
    accounts: HashMap<u64, Bytes<45>>,
    orders: HashMap<(u64, u64), Bytes<26>>,
}

fn number(bytes: &[u8]) -> u64 {
    u64::from_be_bytes(bytes.try_into().expect("8 bytes"))
}

impl Flat {
    fn new() -> Self {
        let orders = usize::try_from(ORDERS * 11 / 10).expect("small");
        let accounts = usize::try_from(USERS * 2).expect("small");
        let (accounts, orders) = (HashMap::with_capacity(accounts), HashMap::with_capacity(orders));
        Self(Arc::new(Mutex::new(FlatMaps { accounts, orders })))
    }
    fn apply(&self, key: &[u8], value: &[u8]) {
        let mut maps = self.0.lock().expect("one thread");
        match split_changelog_key(key).expect("a store id") {
            (1, key) => drop(maps.accounts.insert(number(key), Bytes::copy(value))),
            (2, key) => drop(maps.orders.insert((number(&key[..8]), number(&key[8..])), Bytes::copy(value))),
            // References are touched by the deposits of the preparation alone.
            _ => {}
        }
    }
}

impl StateReader for Flat {
    fn get(&self, key: &[u8], out: &mut Vec<u8>) -> Result<bool, StoreError> {
        let maps = self.0.lock().expect("one thread");
        let found = match split_changelog_key(key).expect("a store id") {
            (1, key) => maps.accounts.get(&number(key)).map(Bytes::get),
            (2, key) => maps.orders.get(&(number(&key[..8]), number(&key[8..]))).map(Bytes::get),
            _ => None,
        };
        out.extend_from_slice(found.unwrap_or_default());
        Ok(found.is_some())
    }
    fn scan(
        &self,
        _from: &[u8],
        _to: Option<&[u8]>,
        _visit: &mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        unreachable!("the ledger does not scan")
    }
}

fn deposit(offset: i64, user: u64) -> Inline {
    // One user in fifty is short of funds.
    let amount = if user.is_multiple_of(50) { 1 } else { 1_000_000_000_000u64 };
    let value = Bytes::written(|out| {
        write!(
            out,
            concat!(
                r#"{{"eventType":"DepositFunds","eventId":"d-{}","occurredAt":"2026-11-20T09:12:34.123Z","#,
                r#""payload":{{"userId":{},"amountFen":{},"currency":"CNY","reference":"d-{}"}}}}"#
            ),
            offset, user, amount, offset
        )
    });
    Inline { offset, key: Bytes::written(|out| write!(out, "{user}")), value }
}

fn order(offset: i64, user: u64) -> Inline {
    let amount = 100 + offset % 900;
    let value = Bytes::written(|out| {
        write!(
            out,
            concat!(
                r#"{{"eventType":"OrderCreated","eventId":"0190f3c8-7d3a-7c1e-9a53-{0:012x}","#,
                r#""occurredAt":"2026-11-20T09:12:34.123Z","payload":{{"orderId":{1},"#,
                r#""orderNo":"ORD-20261120-{0:08}","userId":{2},"amountFen":{3},"currency":"CNY","#,
                r#""items":[{{"sku":"SKU-1001","qty":2,"priceFen":{3}}}],"idempotencyKey":"idem-{0}"}}}}"#
            ),
            offset,
            offset + 1,
            user,
            amount
        )
    });
    Inline { offset, key: Bytes::written(|out| write!(out, "{user}")), value }
}

fn task(state: &Flat) -> Task<Inline> {
    let topology = topology(DEFAULT_APP_ID, &Topics::default()).expect("a valid topology");
    let sub = topology.sub_topology(0).expect("the one sub-topology");
    let inputs = sub.inputs().map(|(_, topic)| InputOffset {
        topic: topic.to_owned(),
        topic_id: [0; 16],
        next_offset: 0,
    });
    let restored = Restored {
        inputs: inputs.collect(),
        sequence: 0,
        stream_time_ms: -1,
        punctuations: Vec::new(),
        tallies: Vec::new(),
    };
    let options = TaskOptions {
        app: DEFAULT_APP_ID.to_owned(),
        input_partitions: 1,
        sink_partitions: vec![4, 4],
        timestamp_max_ahead_ms: 24 * 60 * 60 * 1000,
        dead_letter_value_bytes_max: 65_536,
        held_bytes_max: 16 * 1024 * 1024,
    };
    let mut task =
        Task::new(TaskId::new(0, 0), sub, options, &restored, Box::new(state.clone())).expect("a task");
    task.reached_end(0, 0);
    task.reached_end(1, 0);
    task
}

/// Allocations and time of the parts of a transaction.
#[derive(Default)]
struct Spent {
    process: (u64, Duration),
    seal: (u64, Duration),
    apply: (u64, Duration),
}

fn measured<T>(spent: &mut (u64, Duration), work: impl FnOnce() -> T) -> T {
    let (before, start) = (ALLOCATIONS.load(Ordering::Relaxed), Instant::now());
    let result = work();
    spent.0 += ALLOCATIONS.load(Ordering::Relaxed) - before;
    spent.1 += start.elapsed();
    result
}

/// Runs one transaction over `records` of the input at `index`; returns (outputs, debits).
fn transaction(
    task: &mut Task<Inline>,
    state: &Flat,
    spent: &mut Spent,
    (index, records): (usize, impl Iterator<Item = Inline>),
) -> (u64, u64) {
    let now = Now::new(Duration::ZERO, WALL_MS);
    let end = records.fold(0, |_, record| {
        let next = record.offset + 1;
        assert!(task.push(index, record));
        next
    });
    measured(&mut spent.process, || task.process(now, usize::MAX)).expect("processed");
    task.reached_end(index, end);
    let mut bytes = 0;
    measured(&mut spent.seal, || {
        let sealed = task.seal();
        bytes += sealed.marker_bytes().len();
        for (_, _, run) in sealed.outputs() {
            bytes += run.iter().map(|view| view.value().map_or(0, <[u8]>::len)).sum::<usize>();
        }
    });
    assert!(bytes > 0);
    for (key, value) in task.sealed().expect("sealed").images() {
        state.apply(key, value.expect("nothing is deleted"));
    }
    let applied = measured(&mut spent.apply, || task.apply()).expect("applied");
    (applied.outputs, applied.counters.get("debits_succeeded"))
}

#[test]
fn the_order_path_allocates_less_than_once_in_a_hundred_records() {
    let state = Flat::new();
    let mut task = task(&state);
    let mut warm = Spent::default();
    for batch in 0..USERS / BATCH {
        let range = batch * BATCH..(batch + 1) * BATCH;
        let records = range.map(|at| deposit(i64::try_from(at).expect("small"), at + 1));
        transaction(&mut task, &state, &mut warm, (1, records));
    }
    let mut random = 0x2545_f491_4f6c_dd1du64;
    let mut next = 0i64;
    let mut batch = || {
        let records: [_; BATCH_RECORDS] = std::array::from_fn(|_| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            next += 1;
            (next - 1, random % USERS + 1)
        });
        records.into_iter().map(|(offset, user)| order(offset, user))
    };
    for _ in 0..20 {
        transaction(&mut task, &state, &mut warm, (0, batch()));
    }
    assert!(warm.process.0 > 0, "the counter counts");
    let mut spent = Spent::default();
    let (mut outputs, mut debits) = (0, 0);
    for _ in 0..ORDERS / BATCH {
        let (more, succeeded) = transaction(&mut task, &state, &mut spent, (0, batch()));
        outputs += more;
        debits += succeeded;
    }
    assert_eq!(outputs, ORDERS, "every order has its event");
    assert!(debits > ORDERS * 9 / 10 && debits < ORDERS, "{debits} debits");
    let nanos = |time: Duration| time.as_secs_f64() * 1e9 / ORDERS as f64;
    for (name, (allocations, time)) in
        [("process", spent.process), ("seal", spent.seal), ("apply", spent.apply)]
    {
        println!("{name:8} {allocations:6} allocations, {:5.0} ns/record", nanos(time));
    }
    let all = spent.process.0 + spent.seal.0 + spent.apply.0;
    println!("{:.5} allocations per record", all as f64 / ORDERS as f64);
    assert!(all * 100 < ORDERS, "{all} allocations for {ORDERS} records");
}
