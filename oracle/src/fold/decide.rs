//! The semantics table of the account's commands, row by row.

use super::holdings::{Holdings, Update};
use super::orders;
use crate::code::Code;
use crate::disk::{AccountRow, ReferenceKind};
use crate::event::{Body, Change, Currency, Event, Purpose, Status, Text};

/// What an input does.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Effect {
    /// Emits nothing; may still change what is remembered.
    Silent(Update),
    /// Emits one event.
    Emit(Update, Event),
    /// Changes nothing and becomes a dead letter.
    Dead(Code),
}

impl Effect {
    pub(super) const NOTHING: Effect = Effect::Silent(Update { account: None, order: None, reference: None });
}

/// Decides one input without changing anything.
pub(crate) fn decide(holdings: &Holdings, body: &Body) -> Effect {
    match body {
        Body::OrderCreated { order, amount, currency } => {
            orders::create(holdings, *order, *amount, *currency)
        }
        Body::OrderPaid => Effect::NOTHING,
        Body::OrderCancelled { order } => orders::cancel(holdings, *order),
        Body::OrderRefundRequested { order, refund, amount } => {
            orders::refund(holdings, *order, refund, *amount)
        }
        Body::OpenAccount { currency, overdraft } => open(holdings, *currency, *overdraft),
        Body::DepositFunds { amount, currency, reference } => {
            deposit(holdings, *amount, *currency, reference)
        }
        Body::WithdrawFunds { amount, currency, reference } => {
            withdraw(holdings, *amount, *currency, reference)
        }
        Body::FreezeAccount { reason } => become_status(holdings, Status::Frozen, reason),
        Body::UnfreezeAccount { reason } => become_status(holdings, Status::Open, reason),
        Body::CloseAccount { reason } => become_status(holdings, Status::Closed, reason),
    }
}

fn new_account(currency: Currency, overdraft: i64) -> AccountRow {
    let (balance, total_credited, total_debited) = (0, 0, 0);
    AccountRow {
        balance,
        overdraft,
        currency,
        status: Status::Open,
        version: 1,
        total_credited,
        total_debited,
    }
}

fn open(holdings: &Holdings, currency: Currency, overdraft: i64) -> Effect {
    match holdings.account {
        Some(account) if account.currency == currency && account.overdraft == overdraft => Effect::NOTHING,
        Some(_) => rejected("OpenAccount", None, "ACCOUNT_EXISTS"),
        None => {
            let account = new_account(currency, overdraft);
            let update = Update { account: Some(account), ..Update::default() };
            Effect::Emit(update, Event::Opened { currency, overdraft, version: 1 })
        }
    }
}

fn deposit(holdings: &Holdings, amount: i64, currency: Option<Currency>, reference: &Text) -> Effect {
    let kind = ReferenceKind::Deposit;
    if holdings.references.contains_key(&(kind, reference.clone())) {
        return Effect::NOTHING;
    }
    let credited = match holdings.account {
        None => {
            // Creation and credit are one change: version 1, not 2.
            let account = new_account(currency.unwrap_or(Currency::DEFAULT), 0);
            credit(&AccountRow { version: 0, ..account }, amount)
        }
        Some(account) if account.status == Status::Closed => {
            return rejected("DepositFunds", Some(reference), "ACCOUNT_CLOSED");
        }
        Some(account) if currency.is_some_and(|currency| currency != account.currency) => {
            return rejected("DepositFunds", Some(reference), "CURRENCY_MISMATCH");
        }
        Some(account) => credit(&account, amount),
    };
    let Some((account, change)) = credited else { return Effect::Dead(Code::Arithmetic) };
    let reference = reference.clone();
    let remembered = Some((kind, reference.clone(), amount));
    let update = Update { account: Some(account), order: None, reference: remembered };
    Effect::Emit(update, Event::Credited { reference, change })
}

fn withdraw(holdings: &Holdings, amount: i64, currency: Option<Currency>, reference: &Text) -> Effect {
    let kind = ReferenceKind::Withdrawal;
    if holdings.references.contains_key(&(kind, reference.clone())) {
        return Effect::NOTHING;
    }
    let refuse = |reason| rejected("WithdrawFunds", Some(reference), reason);
    let Some(account) = holdings.account else { return refuse("ACCOUNT_NOT_FOUND") };
    match account.status {
        Status::Frozen => return refuse("ACCOUNT_FROZEN"),
        Status::Closed => return refuse("ACCOUNT_CLOSED"),
        Status::Open => {}
    }
    if currency.is_some_and(|currency| currency != account.currency) {
        return refuse("CURRENCY_MISMATCH");
    }
    let Some(available) = account.balance.checked_add(account.overdraft) else {
        return Effect::Dead(Code::Arithmetic);
    };
    if available < amount {
        return refuse("INSUFFICIENT_BALANCE");
    }
    let Some((account, change)) = debit(&account, amount) else { return Effect::Dead(Code::Arithmetic) };
    let remembered = Some((kind, reference.clone(), amount));
    let update = Update { account: Some(account), order: None, reference: remembered };
    Effect::Emit(update, Event::Debited { purpose: Purpose::Withdrawal(reference.clone()), change })
}

fn become_status(holdings: &Holdings, status: Status, reason: &Option<Text>) -> Effect {
    let command = match status {
        Status::Frozen => "FreezeAccount",
        Status::Open => "UnfreezeAccount",
        Status::Closed => "CloseAccount",
    };
    let Some(account) = holdings.account else { return rejected(command, None, "ACCOUNT_NOT_FOUND") };
    if account.status == status {
        return Effect::NOTHING;
    }
    if account.status == Status::Closed {
        return rejected(command, None, "ACCOUNT_CLOSED");
    }
    if status == Status::Closed && account.balance != 0 {
        return rejected(command, None, "BALANCE_NOT_ZERO");
    }
    let Some(version) = account.version.checked_add(1) else { return Effect::Dead(Code::Arithmetic) };
    let account = AccountRow { status, version, ..account };
    let update = Update { account: Some(account), ..Update::default() };
    Effect::Emit(update, Event::Became { status, reason: reason.clone(), version })
}

/// Adds to the balance; `None` when a sum would leave 64 bits.
pub(super) fn credit(account: &AccountRow, amount: i64) -> Option<(AccountRow, Change)> {
    let balance = account.balance.checked_add(amount)?;
    balance.checked_add(account.overdraft)?;
    let total_credited = account.total_credited.checked_add(amount)?;
    let version = account.version.checked_add(1)?;
    let change = Change { delta: amount, balance_after: balance, currency: account.currency, version };
    Some((AccountRow { balance, total_credited, version, ..*account }, change))
}

/// Takes from the balance; `None` when a sum would leave 64 bits.
pub(super) fn debit(account: &AccountRow, amount: i64) -> Option<(AccountRow, Change)> {
    let balance = account.balance.checked_sub(amount)?;
    let total_debited = account.total_debited.checked_add(amount)?;
    let version = account.version.checked_add(1)?;
    let delta = amount.checked_neg()?;
    let change = Change { delta, balance_after: balance, currency: account.currency, version };
    Some((AccountRow { balance, total_debited, version, ..*account }, change))
}

fn rejected(command: &str, reference: Option<&Text>, reason: &str) -> Effect {
    let (command, reason, reference) = (command.into(), reason.into(), reference.cloned());
    Effect::Emit(Update::default(), Event::Rejected { command, reference, refund: None, order: None, reason })
}
