//! What the generator promises: determinism, shares, bounds, and that every kind of record comes.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::Value;

use super::Generator;
use crate::load::{BadKind, Kind, Mix, Options, OtherKind, Record, Stream, Summary};
use millpond_topology::partition_for;

const NOW_MS: i64 = 1_763_629_954_123;

fn options(seed: u64) -> Options {
    Options { seed, users: 200, orders: 20_000, zipf: 0.0, mix: Mix::DEMO, partitions: 4 }
}

/// Generates everything, 1 ms apart.
fn all(options: Options) -> (Vec<Record>, Summary) {
    let mut generator = Generator::new(options).unwrap();
    let mut records = Vec::new();
    let mut now_ms = NOW_MS;
    while let Some(record) = generator.next_funding(now_ms) {
        records.push(record);
        now_ms += 1;
    }
    while let Some(record) = generator.next_order(now_ms) {
        records.push(record);
        now_ms += 1;
    }
    assert_eq!(generator.next_order(now_ms), None);
    (records, generator.summary().clone())
}

fn json(record: &Record) -> Value {
    serde_json::from_slice(record.value.as_deref().unwrap()).unwrap()
}

fn number(json: &Value, field: &str) -> i64 {
    json["payload"][field].as_i64().unwrap()
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    assert_eq!(all(options(7)), all(options(7)));
}

#[test]
fn another_seed_gives_other_orders_with_other_ids() {
    let ids = |seed| {
        let (records, _) = all(options(seed));
        let orders = records.iter().filter(|record| record.kind == Kind::Order);
        orders.map(|record| number(&json(record), "orderId")).collect::<BTreeSet<_>>()
    };
    assert!(ids(1).is_disjoint(&ids(2)));
}

#[test]
fn shares_are_those_asked_for() {
    let (_, summary) = all(options(3));
    let share = |count: u64| count as f64 / 20_000.0;
    // Of 100 that are expected, 10 is one standard deviation.
    let near = |count, wanted: f64| (share(count) - wanted).abs() < wanted * 0.3;
    assert!(near(summary.of(Kind::Duplicate), 0.01), "{summary}");
    assert!(near(summary.of(Kind::ShortOfFunds), 0.02), "{summary}");
    assert!(near(summary.of(Kind::UnknownUser), 0.005), "{summary}");
    assert!(near(summary.bad(), 0.005), "{summary}");
    let others: u64 =
        summary.by_kind.iter().filter(|(kind, _)| matches!(kind, Kind::Other(_))).map(|(_, n)| n).sum();
    assert!((0.009..0.015).contains(&share(others)), "{summary}");
    assert_eq!(summary.records(), 400 + 20_000 + others);
}

#[test]
fn every_kind_comes() {
    let mix = Mix { bad: 0.05, others: 0.05, ..Mix::DEMO };
    let (_, summary) = all(Options { mix, ..options(5) });
    for bad in BadKind::all() {
        assert!(summary.of(Kind::Bad(bad)) >= 5, "{}", bad.name());
    }
    let others = summary.by_kind.keys().filter(|kind| matches!(kind, Kind::Other(_))).count();
    assert_eq!(others, 18);
    let codes: BTreeSet<_> = summary.dead_letters().into_keys().collect();
    assert_eq!(codes.len(), 14, "{codes:?}");
}

#[test]
fn a_mix_of_plain_orders_holds_nothing_else() {
    let (_, summary) = all(Options { mix: Mix::PLAIN, ..options(5) });
    let kinds: Vec<_> = summary.by_kind.into_keys().collect();
    assert_eq!(kinds, [Kind::Open, Kind::Deposit, Kind::Order]);
}

#[test]
fn good_records_are_keyed_and_placed_by_their_user() {
    let (records, _) = all(options(11));
    for record in records.iter().filter(|record| !matches!(record.kind, Kind::Bad(_))) {
        let user = number(&json(record), "userId").to_string();
        assert_eq!(record.key.as_deref(), Some(user.as_bytes()));
        assert_eq!(record.partition, partition_for(user.as_bytes(), 4));
    }
}

#[test]
fn a_duplicate_repeats_an_earlier_order_byte_for_byte_or_under_a_new_event_id() {
    let (records, _) = all(options(13));
    let mut values = BTreeSet::new();
    let mut orders = BTreeMap::new();
    let (mut exact, mut renewed) = (0, 0);
    for record in records.iter().filter(|record| record.stream == Stream::Orders) {
        if record.kind == Kind::Duplicate {
            let event = json(record);
            assert_eq!(orders.get(&event["payload"]["orderId"].to_string()), Some(&event["payload"]));
            if values.contains(&record.value) { exact += 1 } else { renewed += 1 }
        } else if matches!(record.kind, Kind::Order | Kind::ShortOfFunds | Kind::UnknownUser) {
            let event = json(record);
            orders.insert(event["payload"]["orderId"].to_string(), event["payload"].clone());
            values.insert(record.value.clone());
        }
    }
    assert!(exact > 60 && renewed > 60, "{exact} {renewed}");
}

#[test]
fn a_conflict_names_an_earlier_order_with_another_amount() {
    let mix = Mix { bad: 0.2, ..Mix::DEMO };
    let (records, _) = all(Options { mix, ..options(17) });
    let mut amounts = BTreeMap::new();
    let mut conflicts = 0;
    for record in &records {
        match record.kind {
            Kind::Order | Kind::ShortOfFunds | Kind::UnknownUser => {
                let event = json(record);
                let key = (number(&event, "userId"), number(&event, "orderId"));
                amounts.insert(key, number(&event, "amountFen"));
            }
            Kind::Bad(bad) if bad.code() == "ORDER_CONFLICT" => {
                let event = json(record);
                let earlier = amounts[&(number(&event, "userId"), number(&event, "orderId"))];
                assert_ne!(earlier, number(&event, "amountFen"));
                conflicts += 1;
            }
            _ => {}
        }
    }
    assert!(conflicts > 20);
}

#[test]
fn one_partition_has_no_wrong_one() {
    let mix = Mix { bad: 0.2, ..Mix::DEMO };
    let (records, summary) = all(Options { partitions: 1, mix, ..options(19) });
    assert!(!summary.dead_letters().contains_key("WRONG_PARTITION"));
    assert!(records.iter().all(|record| record.partition == 0));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Plain orders and withdrawals together never exceed what a user has, short ones always do.
    #[test]
    fn nobody_is_asked_for_more_than_he_has_unless_meant(seed: u64, zipf in 0.0..3.0_f64, users in 1..40_u64) {
        const FEW_FEN: i64 = 500_000;
        let mix = Mix { others: 0.05, ..Mix::DEMO };
        let mut generator = Generator::new(Options { users, zipf, orders: 3_000, mix, ..options(seed) }).unwrap();
        // So little that it is used up by some, or by all.
        generator.spendable.fill(FEW_FEN);
        let mut spent = BTreeMap::<i64, i64>::new();
        while let Some(record) = generator.next_order(NOW_MS) {
            prop_assert!(record.partition < 4);
            match record.kind {
                Kind::Order | Kind::Other(OtherKind::Withdrawal) => {
                    let event = json(&record);
                    let spent = spent.entry(number(&event, "userId")).or_default();
                    *spent += number(&event, "amountFen");
                    prop_assert!(*spent <= FEW_FEN && number(&event, "amountFen") > 0);
                }
                Kind::ShortOfFunds => {
                    let amount_fen = number(&json(&record), "amountFen");
                    prop_assert!((100_000_000_000_000..=1_000_000_000_000_000).contains(&amount_fen));
                }
                Kind::UnknownUser => {
                    prop_assert!(number(&json(&record), "userId") > i64::try_from(users).unwrap());
                }
                _ => {}
            }
        }
        let summary = generator.summary();
        // The limit was come close to, or nothing was tested.
        prop_assert!(spent.values().any(|spent| *spent > FEW_FEN / 2));
        prop_assert_eq!(summary.by_kind.values().sum::<u64>(), summary.records());
    }
}
