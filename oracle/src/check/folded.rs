//! The fold of the input against outputs and changelog, user by user.

use std::fmt::{Debug, Display};

use crate::disk::{AccountRow, OrderRow, ReferenceKind, ReferenceRow, RowKey};
use crate::event::{Input, Output};
use crate::fold::{History, Holdings, Notes, fold_user};
use crate::gather::{Changelog, Table};
use crate::murmur2::partition_of;
use crate::place::{Names, Side};
use crate::report::Findings;

/// What the fold found.
#[derive(Debug, Default)]
pub(crate) struct Folded {
    pub(crate) notes: Notes,
    pub(crate) balances: Findings,
    pub(crate) figures: Figures,
}

/// What the fold counted.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Figures {
    pub(crate) accounts: u64,
    pub(crate) orders: u64,
    pub(crate) references: u64,
    /// Sum of all balances, in fen.
    pub(crate) balance: i128,
}

/// Folds everything and compares with the changelog, whose matching rows are taken out.
///
/// Sorts `inputs` by user and place, and `outputs` by user and place in the output topic.
pub(crate) fn check_folded(
    inputs: &mut [Input],
    outputs: &mut [Output],
    changelog: &mut Changelog,
    names: &Names,
) -> Folded {
    inputs.sort_unstable_by_key(|input| (input.user, input.place));
    outputs.sort_unstable_by_key(|output| (output.user, output.partition, output.offset));
    let mut folded = Folded::default();
    let (mut inputs, mut outputs): (&[Input], &[Output]) = (inputs, outputs);
    loop {
        let next = [inputs.first().map(|input| input.user), outputs.first().map(|output| output.user)];
        let Some(user) = next.into_iter().flatten().min() else { break };
        let (own, rest) = inputs.split_at(inputs.partition_point(|input| input.user <= user));
        inputs = rest;
        let (said, rest) = outputs.split_at(outputs.partition_point(|output| output.user <= user));
        outputs = rest;
        let (orders, commands) = own.split_at(own.partition_point(|input| input.place.side == Side::Orders));
        let history = History { user, orders, commands, outputs: said };
        let holdings = fold_user(history, names, &mut folded.notes);
        compare(user, &holdings, changelog, &mut folded);
    }
    report_left_over(changelog, &mut folded.balances);
    folded
}

/// Compares what a user must have with the changelog.
fn compare(user: u64, holdings: &Holdings, changelog: &mut Changelog, folded: &mut Folded) {
    let tasks = i32::try_from(changelog.tables.len()).unwrap_or(i32::MAX);
    let partition = partition_of(user.to_string().as_bytes(), tasks);
    let topic = format!("{}-{partition}", changelog.topic);
    let Some(table) = changelog.table_mut(partition) else { return };
    let Folded { balances, figures, .. } = folded;
    let mut rows = Rows { table, topic, findings: balances };
    if let Some(account) = holdings.account {
        figures.accounts += 1;
        figures.balance += i128::from(account.balance);
        rows.take(&RowKey::Account { user }, &account, AccountRow::decode);
    }
    for (order, row) in &holdings.orders {
        figures.orders += 1;
        rows.take(&RowKey::Order { user, order: *order }, row, OrderRow::decode);
    }
    for ((kind, reference), amount) in &holdings.references {
        figures.references += 1;
        let key = RowKey::Reference { user, kind: *kind, reference: reference.clone() };
        rows.take(&key, &ReferenceRow { amount: *amount }, ReferenceRow::decode);
    }
}

/// Rows of one task.
struct Rows<'a> {
    table: &'a mut Table,
    topic: String,
    findings: &'a mut Findings,
}

impl Rows<'_> {
    /// Takes a row out and compares it.
    fn take<R: PartialEq + Debug, E: Display>(
        &mut self,
        key: &RowKey,
        expected: &R,
        decode: impl FnOnce(&[u8]) -> Result<R, E>,
    ) {
        self.findings.looked_at();
        let topic = &self.topic;
        let here = || format!("changelog {topic}: {}", show_key(key));
        match self.table.rows.remove(key.encode().as_slice()).map(|value| decode(&value)) {
            Some(Ok(found)) if found == *expected => {}
            Some(Ok(found)) => {
                self.findings.differ(|| format!("{}: found {found:?}, expected {expected:?}", here()));
            }
            Some(Err(error)) => {
                self.findings.differ(|| format!("{}: {error}, expected {expected:?}", here()));
            }
            None => self.findings.differ(|| format!("{}: absent, expected {expected:?}", here())),
        }
    }
}

/// Names what is in the changelog without an input that would have put it there.
fn report_left_over(changelog: &Changelog, findings: &mut Findings) {
    for (partition, table) in changelog.tables.iter().enumerate() {
        for key in table.rows.keys() {
            let topic = &changelog.topic;
            findings.differ(|| match RowKey::decode(key) {
                Ok(key) => format!("changelog {topic}-{partition}: {}: no input led to it", show_key(&key)),
                Err(error) => format!("changelog {topic}-{partition}: key {key:02x?}: {error}"),
            });
        }
    }
}

/// Writes a key for a person.
pub(crate) fn show_key(key: &RowKey) -> String {
    match key {
        RowKey::Account { user } => format!("accounts, user {user}"),
        RowKey::Order { user, order } => format!("orders, user {user}, order {order}"),
        RowKey::Reference { user, kind, reference } => {
            let kind = match kind {
                ReferenceKind::Deposit => "deposit",
                ReferenceKind::Withdrawal => "withdrawal",
            };
            format!("references, user {user}, {kind} {reference}")
        }
    }
}
