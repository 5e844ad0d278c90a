//! The semantics table of the order's events, row by row.

use super::decide::{Effect, credit, debit};
use super::holdings::{Holdings, Update};
use crate::code::Code;
use crate::disk::{OrderOutcome, OrderRow};
use crate::event::{Currency, Event, Purpose, Status, Text};

/// An order arrives.
pub(super) fn create(holdings: &Holdings, order: u64, amount: i64, currency: Option<Currency>) -> Effect {
    let seen = holdings.orders.get(&order);
    let is_cancelled = seen.is_some_and(|row| row.outcome == OrderOutcome::CancellationRemembered);
    match seen {
        Some(row) if !is_cancelled && row.amount == amount => return Effect::NOTHING,
        Some(_) if !is_cancelled => return Effect::Dead(Code::OrderConflict),
        _ => {}
    }
    let balance = holdings.account.map(|account| account.balance);
    let fail = |outcome, reason: &str| {
        let update = remember(order, outcome, amount);
        Effect::Emit(update, Event::DebitFailed { order, amount, reason: reason.into(), balance })
    };
    let Some(account) = holdings.account else {
        return fail(OrderOutcome::AccountNotFound, "ACCOUNT_NOT_FOUND");
    };
    match account.status {
        Status::Frozen => return fail(OrderOutcome::AccountFrozen, "ACCOUNT_FROZEN"),
        Status::Closed => return fail(OrderOutcome::AccountClosed, "ACCOUNT_CLOSED"),
        Status::Open => {}
    }
    if currency.is_some_and(|currency| currency != account.currency) {
        return fail(OrderOutcome::CurrencyMismatch, "CURRENCY_MISMATCH");
    }
    if is_cancelled {
        return fail(OrderOutcome::OrderCancelled, "ORDER_CANCELLED");
    }
    let Some(available) = account.balance.checked_add(account.overdraft) else {
        return Effect::Dead(Code::Arithmetic);
    };
    if available < amount {
        return fail(OrderOutcome::InsufficientBalance, "INSUFFICIENT_BALANCE");
    }
    let Some((account, change)) = debit(&account, amount) else { return Effect::Dead(Code::Arithmetic) };
    let update = Update { account: Some(account), ..remember(order, OrderOutcome::Debited, amount) };
    Effect::Emit(update, Event::Debited { purpose: Purpose::Order(order), change })
}

/// An order is cancelled.
pub(super) fn cancel(holdings: &Holdings, order: u64) -> Effect {
    let Some(row) = holdings.orders.get(&order) else {
        return Effect::Silent(remember(order, OrderOutcome::CancellationRemembered, 0));
    };
    if row.outcome != OrderOutcome::Debited {
        return Effect::NOTHING;
    }
    let left = row.amount.saturating_sub(row.refunded);
    let outcome = OrderOutcome::DebitedAndCancelled;
    let cancelled = OrderRow { outcome, refunded: row.amount, ..row.clone() };
    let update = Update { order: Some((order, cancelled)), ..Update::default() };
    if left == 0 {
        return Effect::Silent(update);
    }
    give_back(holdings, update, Return { order, refund: None, amount: left, refunded_total: row.amount })
}

/// A part of an order is to be refunded.
pub(super) fn refund(holdings: &Holdings, order: u64, refund: &Text, amount: i64) -> Effect {
    let is_debited =
        |row: &&OrderRow| matches!(row.outcome, OrderOutcome::Debited | OrderOutcome::DebitedAndCancelled);
    let Some(row) = holdings.orders.get(&order).filter(is_debited) else {
        return rejected(order, refund, "ORDER_NOT_DEBITED");
    };
    if row.refund_ids.contains(refund) {
        return Effect::NOTHING;
    }
    if amount > row.amount.saturating_sub(row.refunded) {
        return rejected(order, refund, "REFUND_EXCEEDS_DEBIT");
    }
    let mut refunded = row.clone();
    // Cannot leave the amount of the order, by the check above.
    refunded.refunded = row.refunded.saturating_add(amount);
    refunded.refund_ids.push(refund.clone());
    let refunded_total = refunded.refunded;
    let update = Update { order: Some((order, refunded)), ..Update::default() };
    give_back(holdings, update, Return { order, refund: Some(refund.clone()), amount, refunded_total })
}

/// Money that goes back to the account.
struct Return {
    order: u64,
    refund: Option<Text>,
    amount: i64,
    refunded_total: i64,
}

fn give_back(holdings: &Holdings, update: Update, back: Return) -> Effect {
    // A debited order without account cannot be; arithmetic is what the ledger would have to call it.
    let credited = holdings.account.and_then(|account| credit(&account, back.amount));
    let Some((account, change)) = credited else { return Effect::Dead(Code::Arithmetic) };
    let Return { order, refund, refunded_total, .. } = back;
    let update = Update { account: Some(account), ..update };
    Effect::Emit(update, Event::Refunded { order, refund, refunded_total, change })
}

fn remember(order: u64, outcome: OrderOutcome, amount: i64) -> Update {
    let row = OrderRow { outcome, amount, refunded: 0, refund_ids: Vec::new() };
    Update { order: Some((order, row)), ..Update::default() }
}

fn rejected(order: u64, refund: &Text, reason: &str) -> Effect {
    let (command, reason, refund) = ("OrderRefundRequested".into(), reason.into(), Some(refund.clone()));
    Effect::Emit(
        Update::default(),
        Event::Rejected { command, reference: None, refund, order: Some(order), reason },
    )
}
