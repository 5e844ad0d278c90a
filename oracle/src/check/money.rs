//! Money is neither made nor lost: the outputs' own chain, and the sums of the changelog against it.

use crate::disk::AccountRow;
use crate::event::{Event, Output, Status};
use crate::gather::Changelog;
use crate::murmur2::partition_of;
use crate::place::Names;
use crate::report::{Check, Findings};

use super::title::MONEY;

/// An account as its outputs alone tell it.
#[derive(Debug, Clone, Copy)]
struct Told {
    balance: i64,
    overdraft: i64,
    version: u64,
    credited: i128,
    debited: i128,
}

/// Checks version and balance chains of all accounts; `outputs` is sorted by user and place.
pub(crate) fn check_money(outputs: &[Output], changelog: &Changelog, names: &Names) -> Check {
    let mut findings = Findings::default();
    let (mut credits, mut debits, mut balances) = (0_i128, 0_i128, 0_i128);
    for own in outputs.chunk_by(|a, b| a.user == b.user) {
        let Some(told) = follow(own, names, &mut findings) else { continue };
        credits += told.credited;
        debits += told.debited;
        if let Some(first) = own.first() {
            balances += compare(first.user, told, changelog, &mut findings);
        }
    }
    if balances != credits - debits {
        findings.differ(|| {
            let expected = credits - debits;
            format!("balances in the changelog sum up to {balances}, credits - debits to {expected}")
        });
    }
    let figure = format!("{balances} fen = {credits} credited - {debits} debited");
    findings.conclude(MONEY, figure)
}

/// Follows one account; `None` when no output changed it.
fn follow(own: &[Output], names: &Names, findings: &mut Findings) -> Option<Told> {
    let mut told: Option<Told> = None;
    for output in own {
        let Some(version) = output.event.version() else { continue };
        findings.looked_at();
        let before = told;
        let now = told.get_or_insert(Told { balance: 0, overdraft: 0, version: 0, credited: 0, debited: 0 });
        let here = || {
            format!("{}: user {}, order {:?}", names.show_output(output), output.user, output.event.order())
        };
        let expected = now.version.saturating_add(1);
        if version != expected {
            findings.differ(|| format!("{}: accountVersion {version}, expected {expected}", here()));
        }
        now.version = version;
        match &output.event {
            Event::Opened { overdraft, .. } => {
                now.overdraft = *overdraft;
                if before.is_some() {
                    findings.differ(|| format!("{}: AccountOpened of an account that was there", here()));
                }
            }
            Event::Became { status: Status::Closed, .. } if now.balance != 0 => {
                let balance = now.balance;
                findings.differ(|| format!("{}: closed with a balance of {balance}", here()));
            }
            _ => {}
        }
        let Some(change) = output.event.change() else { continue };
        let is_debit = matches!(output.event, Event::Debited { .. });
        if change.delta == 0 || (change.delta < 0) != is_debit {
            findings.differ(|| format!("{}: deltaFen {} has the wrong sign", here(), change.delta));
        }
        let expected = i128::from(now.balance) + i128::from(change.delta);
        if i128::from(change.balance_after) != expected {
            let found = change.balance_after;
            findings.differ(|| format!("{}: balanceAfterFen {found}, expected {expected}", here()));
        }
        if is_debit && expected < -i128::from(now.overdraft) {
            findings.differ(|| format!("{}: balance {expected} is below the overdraft", here()));
        }
        now.balance = change.balance_after;
        now.credited += i128::from(change.delta.max(0));
        now.debited -= i128::from(change.delta.min(0));
    }
    told
}

/// Compares with the account in the changelog and returns its balance.
fn compare(user: u64, told: Told, changelog: &Changelog, findings: &mut Findings) -> i128 {
    let tasks = i32::try_from(changelog.tables.len()).unwrap_or(i32::MAX);
    let partition = partition_of(user.to_string().as_bytes(), tasks);
    let key = crate::disk::RowKey::Account { user }.encode();
    let row = changelog.table(partition).and_then(|table| table.rows.get(key.as_slice()));
    let Some(Ok(row)) = row.map(|row| AccountRow::decode(row)) else {
        findings.differ(|| format!("changelog {}-{partition}: no account of user {user}", changelog.topic));
        return 0;
    };
    let AccountRow { balance, version, total_credited, total_debited, .. } = row;
    let is_same = (balance, version) == (told.balance, told.version)
        && (i128::from(total_credited), i128::from(total_debited)) == (told.credited, told.debited);
    if !is_same || i128::from(balance) != i128::from(total_credited) - i128::from(total_debited) {
        findings.differ(|| {
            format!(
                "changelog {}-{partition}: user {user}: found {row:?}, outputs say {told:?}",
                changelog.topic
            )
        });
    }
    i128::from(balance)
}

#[cfg(test)]
mod tests {
    use super::follow;
    use crate::event::{Change, Currency, Event, Output, Purpose};
    use crate::place::{Names, Place, Side};
    use crate::report::{Findings, Outcome};

    fn event(delta: i64, balance_after: i64, version: u64) -> Event {
        let change = Change { delta, balance_after, currency: Currency::DEFAULT, version };
        match delta {
            1.. => Event::Credited { reference: "r".into(), change },
            _ => Event::Debited { purpose: Purpose::Order(1), change },
        }
    }

    fn problems(events: &[Event]) -> usize {
        let outputs: Vec<Output> = (0..)
            .zip(events)
            .map(|(offset, event)| {
                let source = Place { side: Side::Orders, partition: 0, offset };
                let event = event.clone();
                Output { partition: 0, offset, timestamp_ms: 1, source, user: 1, trace: None, event }
            })
            .collect();
        let [orders, commands, accounts] = ["o", "c", "a"].map(str::to_owned);
        let mut findings = Findings::default();
        follow(&outputs, &Names { orders, commands, accounts }, &mut findings);
        match findings.conclude(super::MONEY, String::new()).outcome {
            Outcome::Failed { differences, .. } => differences.len(),
            _ => 0,
        }
    }

    #[test]
    fn a_clean_chain_has_no_problem() {
        assert_eq!(problems(&[event(5, 5, 1), event(-3, 2, 2), event(1, 3, 3)]), 0);
        let opened = Event::Opened { currency: Currency::DEFAULT, overdraft: 3, version: 1 };
        assert_eq!(problems(&[opened, event(-3, -3, 2)]), 0);
    }

    #[test]
    fn each_broken_link_is_one_problem() {
        for (broken, events) in [
            ("a gap", [event(5, 5, 1), event(-3, 2, 3)]),
            ("a repeat", [event(5, 5, 1), event(-3, 2, 1)]),
            ("a wrong balance", [event(5, 5, 1), event(-3, 3, 2)]),
            ("below the overdraft", [event(5, 5, 1), event(-6, -1, 2)]),
            ("a later start", [event(5, 5, 2), event(-3, 2, 3)]),
        ] {
            assert_eq!(problems(&events), 1, "{broken}");
        }
    }
}
