//! Folds a batch into rows: decodes each record, reduces to one row per key, checks what can be checked
//! without the database. Pure.

use std::collections::btree_map::Entry;

use super::batch::{Batch, Content, View};
use super::dead_letter::Letter;
use super::event::Text;
use super::kinds::{AccountChange, AccountStatus, Cause, Event, Kind, Rejection, decode};
use super::rows::{Account, Change, Decision, Order, Origin, RejectedCommand, Rows, Table, Violation};

/// Returns the rows of `batch` for the application `app`.
///
/// # Errors
/// [`Violation`] when the events of the batch contradict one another about an account or an order.
pub(super) fn fold<'a>(app: &'a str, batch: &'a Batch) -> Result<Rows<'a>, Violation> {
    let mut rows = Rows::default();
    for view in batch.runs.iter().flat_map(|run| run.views()) {
        if let Some(refused) = &batch.refused {
            let rejection = Rejection::new("DATABASE_REJECTED", refused.clone());
            rows.letters.push(Letter::own(app, view, rejection));
            continue;
        }
        match view.partition.content {
            Content::DeadLetters => rows.letters.push(Letter::processors(app, view)),
            Content::AccountEvents => match decode(view.value()) {
                Ok(event) => rows.add(view, event)?,
                Err(rejection) => rows.letters.push(Letter::own(app, view, rejection)),
            },
        }
    }
    Ok(rows)
}

impl<'a> Rows<'a> {
    fn add(&mut self, view: View<'a>, event: Event<'a>) -> Result<(), Violation> {
        let Event { event_id, occurred_at, source, user_id, kind } = event;
        let (partition, offset) = (view.partition.number, view.record.offset);
        let origin = Origin { partition, offset, event_id, occurred_at, source, user_id };
        match kind {
            Kind::Account { account_id, version, change } => {
                self.account(&origin, account_id, version, &change)?;
                if let AccountChange::Balance { delta_fen, balance_after_fen, currency, cause } = change {
                    self.order_of(&origin, &cause, delta_fen, &currency)?;
                    self.changes.push(balance_change(
                        origin,
                        account_id,
                        version,
                        (delta_fen, balance_after_fen, currency),
                        cause,
                    ));
                }
            }
            Kind::DebitFailed { order_id, amount_fen, reason } => {
                self.decide(&origin, order_id, Decision::Failed { amount_fen, reason })?;
            }
            Kind::CommandRejected { command, reason, reference, refund_id, order_id } => {
                self.rejections.push(RejectedCommand {
                    origin,
                    command,
                    reason,
                    reference,
                    refund_id,
                    order_id,
                });
            }
        }
        Ok(())
    }

    fn account(
        &mut self,
        origin: &Origin<'a>,
        account_id: i64,
        version: i64,
        change: &AccountChange<'a>,
    ) -> Result<(), Violation> {
        let account = match self.accounts.entry(account_id) {
            Entry::Occupied(entry) => {
                let account = entry.into_mut();
                if account.last_version.checked_add(1) != Some(version) {
                    let what = format!("version {version} follows {} ({origin})", account.last_version);
                    return Err(violation(Table::Accounts, account_id, what));
                }
                account.last_version = version;
                account
            }
            Entry::Vacant(entry) => entry.insert(new_account(origin, account_id, version)),
        };
        account.partition = origin.partition;
        account.offset = origin.offset;
        account.changed_at = origin.occurred_at.clone();
        account.apply(change).map_err(|what| {
            violation(Table::Accounts, account_id, format!("version {version}: {what} ({origin})"))
        })
    }

    /// What a balance change says about an order.
    fn order_of(
        &mut self,
        origin: &Origin<'a>,
        cause: &Cause<'a>,
        delta_fen: i64,
        currency: &Text<'a>,
    ) -> Result<(), Violation> {
        match cause {
            Cause::Credit { .. } | Cause::Withdrawal { .. } => Ok(()),
            Cause::Order { order_id } => {
                let decision = Decision::Debited { amount_fen: -delta_fen, currency: currency.clone() };
                self.decide(origin, *order_id, decision)
            }
            Cause::Refund { order_id, refund_id, refunded_total_fen } => {
                let before = refunded_total_fen - delta_fen;
                let order = self.order(origin, *order_id, before);
                if order.refunded_fen != before {
                    let what = format!("{before} fen refunded before, not {} ({origin})", order.refunded_fen);
                    return Err(order_violation(origin, *order_id, what));
                }
                order.refunded_fen = *refunded_total_fen;
                order.cancelled |= refund_id.is_none();
                Ok(())
            }
        }
    }

    fn decide(
        &mut self,
        origin: &Origin<'a>,
        order_id: i64,
        decision: Decision<'a>,
    ) -> Result<(), Violation> {
        if self.orders.contains_key(&(origin.user_id, order_id)) {
            return Err(order_violation(
                origin,
                order_id,
                format!("decided after its first event ({origin})"),
            ));
        }
        self.order(origin, order_id, 0).decision = Some((decision, origin.occurred_at.clone()));
        Ok(())
    }

    fn order(&mut self, origin: &Origin<'a>, order_id: i64, refunded_before_fen: i64) -> &mut Order<'a> {
        let user_id = origin.user_id;
        let order = self.orders.entry((user_id, order_id)).or_insert_with(|| Order {
            user_id,
            order_id,
            decision: None,
            refunded_before_fen,
            refunded_fen: refunded_before_fen,
            cancelled: false,
            partition: origin.partition,
            offset: origin.offset,
            changed_at: origin.occurred_at.clone(),
        });
        order.partition = origin.partition;
        order.offset = origin.offset;
        order.changed_at = origin.occurred_at.clone();
        order
    }
}

impl<'a> Account<'a> {
    /// Applies one change; the error says what is wrong with it.
    fn apply(&mut self, change: &AccountChange<'a>) -> Result<(), String> {
        let comes_into_being = self.last_version == 1;
        match change {
            AccountChange::Opened { currency, overdraft_fen } if comes_into_being => {
                self.terms = Some((currency.clone(), *overdraft_fen));
                self.balance_fen = Some(0);
                self.status = Some(AccountStatus::Open);
            }
            AccountChange::Opened { .. } => return Err("opened again".to_owned()),
            AccountChange::Status(_) if comes_into_being => return Err("status without account".to_owned()),
            AccountChange::Status(status) => self.status = Some(*status),
            AccountChange::Balance { delta_fen, balance_after_fen, currency, cause } => {
                if comes_into_being {
                    // A deposit creates the account it is for; nothing else may.
                    if !matches!(cause, Cause::Credit { .. }) {
                        return Err("balance change without account".to_owned());
                    }
                    self.terms = Some((currency.clone(), 0));
                    self.balance_fen = Some(0);
                    self.status = Some(AccountStatus::Open);
                }
                self.move_balance(*delta_fen, *balance_after_fen, currency)?;
            }
        }
        Ok(())
    }

    fn move_balance(&mut self, delta_fen: i64, after_fen: i64, currency: &Text<'a>) -> Result<(), String> {
        if let Some(before) = self.balance_fen
            && before.checked_add(delta_fen) != Some(after_fen)
        {
            return Err(format!("balance {before} and change {delta_fen} do not give {after_fen}"));
        }
        let known = self.currency.as_ref().or(self.terms.as_ref().map(|(currency, _)| currency));
        if let Some(known) = known.filter(|known| *known != currency) {
            return Err(format!("currency {} is not {}", currency.0, known.0));
        }
        let total = if delta_fen > 0 { &mut self.credited_fen } else { &mut self.debited_fen };
        let amount = delta_fen.checked_abs().and_then(|amount| total.checked_add(amount));
        *total = amount.ok_or_else(|| "sum of changes overflows".to_owned())?;
        self.currency = Some(currency.clone());
        self.balance_fen = Some(after_fen);
        Ok(())
    }
}

fn new_account<'a>(origin: &Origin<'a>, account_id: i64, version: i64) -> Account<'a> {
    Account {
        account_id,
        user_id: origin.user_id,
        first_version: version,
        last_version: version,
        terms: None,
        currency: None,
        balance_fen: None,
        credited_fen: 0,
        debited_fen: 0,
        status: None,
        partition: origin.partition,
        offset: origin.offset,
        changed_at: origin.occurred_at.clone(),
    }
}

fn balance_change<'a>(
    origin: Origin<'a>,
    account_id: i64,
    account_version: i64,
    (delta_fen, balance_after_fen, currency): (i64, i64, Text<'a>),
    cause: Cause<'a>,
) -> Change<'a> {
    let (kind, order_id, refund_id, reference) = match cause {
        Cause::Credit { reference } => ("AccountCredited", None, None, Some(reference)),
        Cause::Order { order_id } => ("AccountDebited", Some(order_id), None, None),
        Cause::Withdrawal { reference } => ("AccountDebited", None, None, Some(reference)),
        Cause::Refund { order_id, refund_id, .. } => ("AccountRefunded", Some(order_id), refund_id, None),
    };
    Change {
        origin,
        kind,
        account_id,
        delta_fen,
        balance_after_fen,
        currency,
        account_version,
        order_id,
        refund_id,
        reference,
    }
}

fn violation(table: Table, row: i64, what: String) -> Violation {
    Violation { table: table.name(), row: row.to_string(), what: what.into() }
}

fn order_violation(origin: &Origin<'_>, order_id: i64, what: String) -> Violation {
    let row = format!("{}/{order_id}", origin.user_id);
    Violation { table: Table::Orders.name(), row, what: what.into() }
}

impl std::fmt::Display for Origin<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "event at partition {}, offset {}", self.partition, self.offset)
    }
}

#[cfg(test)]
#[path = "fold_tests.rs"]
mod tests;
