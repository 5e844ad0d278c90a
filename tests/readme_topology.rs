//! The topology that README.md shows, compiled and run in the test driver.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail by panicking")]

// readme:start
use millpond::topology::*;

/// Adds up what each customer has paid.
#[derive(Clone)]
struct AddUp {
    totals: KeyValueStore<StrKey, BincodeCodec<i64>>,
    out: SinkRef<Str, I64Be>,
}

impl Processor for AddUp {
    type KeyIn = Decoded<Str>;
    type ValueIn = Decoded<I64Be>;
    type KeyOut = NoData;
    type ValueOut = NoData;

    fn process<'a>(
        &mut self,
        paid: &Record<'a, &'a str, i64>,
        ctx: &mut Context<'_>,
        _: &mut impl Child<NoData, NoData>,
    ) -> Result<(), ProcessError> {
        let before = self.totals.get(ctx, &paid.key)?.unwrap_or(0);
        let overflow = || ProcessError::dead_letter("ARITHMETIC", "the total overflows");
        let total = before.checked_add(paid.value).ok_or_else(overflow)?;
        self.totals.put(ctx, &paid.key, &total)?;
        ctx.send(&self.out, paid.key, &total);
        Ok(())
    }
}

fn topology() -> Result<Topology, TopologyError> {
    let mut builder = Builder::new("shop");
    builder.sub_topology("totals", |sub| {
        let totals = sub.store(1, "total-by-customer", StrKey, BincodeCodec::new());
        let out = sub.sink("totals-out", "customer.totals", Str, I64Be);
        sub.dead_letters("dead-letters", "deadletter.events");
        let add_up = AddUp { totals: totals.clone(), out: out.clone() };
        let node = processor("add-up", move || add_up.clone()).store(&totals).sends_to(&out);
        sub.source(SourceSpec::new("payments-in", &["payments"], Str, I64Be), node);
    });
    builder.build()
}
// readme:end

fn payment(customer: &str, amount: i64) -> OwnedRecord {
    OwnedRecord {
        timestamp_ms: 1,
        key: Some(customer.as_bytes().to_vec()),
        value: Some(amount.to_be_bytes().to_vec()),
        ..OwnedRecord::default()
    }
}

/// Takes the outputs as (topic, key, value).
fn outputs(driver: &mut TestDriver) -> Vec<(String, String, i64)> {
    let outputs = driver.outputs().into_iter().map(|out| {
        let key = String::from_utf8(out.record.key.unwrap()).unwrap();
        (out.topic, key, i64::from_be_bytes(out.record.value.unwrap().try_into().unwrap()))
    });
    outputs.collect()
}

fn total(customer: &str, total: i64) -> (String, String, i64) {
    ("customer.totals".to_owned(), customer.to_owned(), total)
}

#[test]
fn totals_are_kept_per_customer_and_survive_a_crash() {
    let mut driver = TestDriver::new(topology().unwrap(), 1, 1_000).unwrap();
    for (customer, amount) in [("ann", 5), ("bob", 7), ("ann", -2)] {
        driver.pipe("payments", payment(customer, amount)).unwrap();
    }
    assert_eq!(outputs(&mut driver), [total("ann", 5), total("bob", 7), total("ann", 3)]);
    driver.crash().unwrap();
    driver.pipe("payments", payment("ann", 10)).unwrap();
    assert_eq!(outputs(&mut driver), [total("ann", 13)]);
    let state = driver.state(TaskId::new(0, 0));
    // Store id 1, then the key; version 1, then the value, little-endian.
    assert_eq!(state.get(&b"\0\x01ann"[..]), Some(&[&[1], &13i64.to_le_bytes()[..]].concat()));
}

#[test]
fn a_payment_that_would_overflow_is_a_dead_letter_and_changes_nothing() {
    let mut driver = TestDriver::new(topology().unwrap(), 1, 1_000).unwrap();
    for amount in [i64::MAX, 1, -1] {
        driver.pipe("payments", payment("ann", amount)).unwrap();
    }
    let came = outputs(&mut driver);
    let dead = ("deadletter.events".to_owned(), "ann".to_owned(), 1);
    assert_eq!(came, [total("ann", i64::MAX), dead, total("ann", i64::MAX - 1)]);
}

/// Returns the lines between two marker lines.
fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let from = text.find(&format!("{start}\n"))? + start.len() + 1;
    let rest = text.get(from..)?;
    rest.get(..rest.find(&format!("{end}\n"))?)
}

#[test]
fn readme_shows_this_topology() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let own = between(include_str!("readme_topology.rs"), "// readme:start", "// readme:end").unwrap();
    let shown = between(&readme, "<!-- topology:start -->", "<!-- topology:end -->")
        .expect("README.md has the topology between its markers");
    assert_eq!(shown, format!("```rust\n{own}```\n"));
}
