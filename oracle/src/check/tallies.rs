//! The markers' tallies, recomputed from the rows.

use std::collections::BTreeMap;

use crate::disk::{ACCOUNTS, AccountRow, ORDERS, REFERENCES, RowKey};
use crate::gather::{Changelog, Table};
use crate::report::Check;

use super::title::TALLIES;

/// Live keys per store, and balance, credits and debits of the accounts.
#[derive(Debug, Default)]
struct Counted {
    live_keys: BTreeMap<u16, u64>,
    sums: [i128; 3],
}

/// Checks the last marker of every task; also tells what was wrong with the changelog's records by
/// themselves.
pub(crate) fn check_tallies(changelog: &mut Changelog) -> Check {
    let mut findings = std::mem::take(&mut changelog.faults);
    let mut sums = [0_i128; 3];
    for (partition, table) in changelog.tables.iter().enumerate() {
        let Some(marker) = &table.marker else { continue };
        let here = || format!("changelog {}-{partition}, sequence {}", changelog.topic, marker.sequence);
        let counted = count(table, |key| {
            findings.differ(|| format!("{}: unreadable row under key {key:02x?}", here()));
        });
        for (total, sum) in sums.iter_mut().zip(counted.sums) {
            *total += sum;
        }
        if !marker.tallies.iter().any(|tally| tally.store == ACCOUNTS) {
            findings.differ(|| format!("{}: no tally of the accounts", here()));
        }
        for tally in &marker.tallies {
            findings.looked_at();
            let (store, found) = (tally.store, tally.live_keys);
            let expected = counted.live_keys.get(&store).copied().unwrap_or(0);
            if found != expected {
                findings.differ(|| format!("{}: store {store} tallies {found} keys, has {expected}", here()));
            }
            let expected = match store {
                ACCOUNTS => &counted.sums[..],
                ORDERS | REFERENCES => &[],
                _ => {
                    findings.differ(|| format!("{}: tally of the unknown store {store}", here()));
                    continue;
                }
            };
            if tally.sums != expected {
                let found = &tally.sums;
                findings
                    .differ(|| format!("{}: store {store} tallies sums {found:?}, has {expected:?}", here()));
            }
        }
    }
    let [balance, credited, debited] = sums;
    findings.conclude(TALLIES, format!("balances {balance}, credits {credited}, debits {debited} fen"))
}

fn count(table: &Table, mut unreadable: impl FnMut(&[u8])) -> Counted {
    let mut counted = Counted::default();
    for (key, value) in &table.rows {
        let Ok(row) = RowKey::decode(key) else {
            unreadable(key);
            continue;
        };
        *counted.live_keys.entry(row.store()).or_default() += 1;
        if !matches!(row, RowKey::Account { .. }) {
            continue;
        }
        match AccountRow::decode(value) {
            Ok(row) => {
                let own = [row.balance, row.total_credited, row.total_debited];
                for (sum, own) in counted.sums.iter_mut().zip(own) {
                    *sum += i128::from(own);
                }
            }
            Err(_) => unreadable(key),
        }
    }
    counted
}
