//! What an order costs in the pure code: instructions, which do not depend on how busy the machine is. Guards against
//! getting slower unnoticed.
//!
//! From the record to the output's bytes and the changelog's: decoding, stores over memory, the ledger's rules, encoding. Kafka,
//! RocksDB and threads have no part in it; `./dev bench` measures the whole.

use std::hint::black_box;
use std::process::Command;

use millpond_topology::{MemoryState, OwnedRecord};

use crate::bench::Bench;
use crate::input::{COMMANDS, Input, ORDERS, WALL_MS, What};

/// Instructions per order, as measured with Rust 1.95 (`cargo test` says what they are now when they differ).
const PER_ORDER: f64 = 21_919.0;
/// By how much they may differ, as a share: other compilers and hash seeds make some per cent.
const TOLERANCE: f64 = 0.05;

const ORDERS_MEASURED: u64 = 10_000;
const USERS: u64 = 1_000;
/// Orders per transaction, about what a thread commits at once under load.
const PER_TRANSACTION: usize = 2_000;

/// Set for the process that valgrind runs.
const COUNTED: &str = "MILLPOND_TEST_COUNTED";

/// Valgrind counts while this runs, and finds it by its name.
#[inline(never)]
fn count_of_the_hot_path(bench: &mut Bench, transactions: Vec<Vec<OwnedRecord>>) -> usize {
    let mut outputs = 0;
    // No closure: one would have this name too, and switch the counting off.
    for records in transactions {
        outputs += bench.transaction(ORDERS, records);
    }
    outputs
}

/// Funds accounts, then processes the orders.
fn process() {
    let mut bench = Bench::over(MemoryState::new(), 1, 0);
    for user in 0..USERS {
        let deposit = What::Deposit { amount: 1_000_000_000, currency: None, reference: "r".to_owned() };
        for what in [What::Open { currency: None, overdraft: None }, deposit] {
            bench.run(COMMANDS, Input::new(user, what).record(WALL_MS)).expect("an account");
        }
    }
    let order = |order: u64| {
        let what = What::Created { order, amount: 100, currency: None };
        // Neither in order of the users nor the same user twice in a row.
        Input::new(order * 7_919 % USERS, what).record(WALL_MS)
    };
    let first = bench.run(ORDERS, order(ORDERS_MEASURED + 1)).expect("an order");
    let value = String::from_utf8_lossy(first[0].1.value.as_deref().unwrap_or_default()).into_owned();
    assert!(value.contains("\"AccountDebited\""), "not what is to be measured: {value}");
    let records: Vec<_> = (1..=ORDERS_MEASURED).map(order).collect();
    let transactions = records.chunks(PER_TRANSACTION).map(<[_]>::to_vec).collect();
    let outputs = count_of_the_hot_path(&mut bench, black_box(transactions));
    assert_eq!(outputs as u64, ORDERS_MEASURED, "every order has its outcome");
}

/// Runs this test alone under callgrind and returns the instructions of the hot path.
fn instructions() -> u64 {
    let exe = std::env::current_exe().expect("the test binary");
    let name = "instructions::an_order_costs_as_many_instructions_as_before";
    let output = Command::new("valgrind")
        .args([
            "--tool=callgrind",
            "--callgrind-out-file=/dev/null",
            "--toggle-collect=*count_of_the_hot_path*",
        ])
        .arg(exe)
        .args(["--exact", name, "--test-threads", "1"])
        .env(COUNTED, "1")
        .output()
        .unwrap_or_else(|error| panic!("valgrind: {error}; ./dev setup installs it"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stdout));
    let collected = said.lines().find_map(|line| line.split("Collected :").nth(1));
    collected.and_then(|text| text.trim().parse().ok()).unwrap_or_else(|| panic!("no count:\n{said}"))
}

#[test]
fn an_order_costs_as_many_instructions_as_before() {
    if std::env::var_os(COUNTED).is_some() {
        return process();
    }
    #[expect(clippy::cast_precision_loss, reason = "counts of a short run fit 53 bits")]
    let now = instructions() as f64 / ORDERS_MEASURED as f64;
    println!("{now:.0} instructions per order, {PER_ORDER:.0} before");
    assert!(
        now <= PER_ORDER * (1.0 + TOLERANCE),
        "{now:.0} instructions per order, {PER_ORDER:.0} before: slower"
    );
    assert!(
        now >= PER_ORDER * (1.0 - TOLERANCE),
        "{now:.0} instructions per order, {PER_ORDER:.0} before: faster; write the new figure down"
    );
}
