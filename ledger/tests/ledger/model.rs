//! What `docs/validation.md`, section 3, says, written down a second time with maps and wide integers,
//! without any of the ledger's code.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

use crate::input::{Input, What};

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ModelAccount {
    pub(crate) balance: i128,
    pub(crate) overdraft: i128,
    pub(crate) currency: String,
    /// "open", "frozen" or "closed".
    pub(crate) status: &'static str,
    pub(crate) version: u64,
    pub(crate) credited: i128,
    pub(crate) debited: i128,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ModelOrder {
    /// "debited", "cancelled" (debited before), "early" (cancelled, not seen), or a reason of DebitFailed.
    pub(crate) outcome: &'static str,
    pub(crate) amount: i128,
    pub(crate) refunded: i128,
    pub(crate) refunds: Vec<String>,
}

/// What an input leads to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Effect {
    Silent,
    Dead(&'static str),
    Event(&'static str, Value),
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    pub(crate) accounts: HashMap<u64, ModelAccount>,
    pub(crate) orders: HashMap<(u64, u64), ModelOrder>,
    pub(crate) references: HashSet<(u64, bool, String)>,
}

const LOW: i128 = i64::MIN as i128;
const HIGH: i128 = i64::MAX as i128;

fn fits(number: i128) -> bool {
    (LOW..=HIGH).contains(&number)
}

/// Returns a number that was checked to fit.
fn fen(number: i128) -> i64 {
    i64::try_from(number).expect("checked")
}

impl Model {
    pub(crate) fn step(&mut self, input: &Input) -> Effect {
        let user = input.user;
        let before = (self.accounts.clone(), self.orders.clone());
        let effect = match &input.what {
            What::Broken { code, .. } => Effect::Dead(code),
            What::Paid { .. } => Effect::Silent,
            What::Created { order, amount, currency } => {
                self.created(user, *order, i128::from(*amount), *currency)
            }
            What::Cancelled { order } => self.cancelled(user, *order),
            What::Refund { order, refund, amount } => self.refund(user, *order, refund, i128::from(*amount)),
            What::Open { currency, overdraft } => self.open(user, *currency, overdraft.unwrap_or(0)),
            What::Deposit { amount, currency, reference } => {
                self.moved(user, (*amount, *currency, reference), true)
            }
            What::Withdraw { amount, currency, reference } => {
                self.moved(user, (*amount, *currency, reference), false)
            }
            What::Freeze { reason } => self.turn(user, "frozen", *reason, input.event_type()),
            What::Unfreeze { reason } => self.turn(user, "open", *reason, input.event_type()),
            What::Close { reason } => self.turn(user, "closed", *reason, input.event_type()),
        };
        if matches!(effect, Effect::Dead(_)) {
            (self.accounts, self.orders) = before;
        }
        effect
    }

    /// Moves money and returns whether the sums fit.
    fn shift(&mut self, user: u64, delta: i128) -> bool {
        let account = self.accounts.get_mut(&user).expect("looked up before");
        account.balance += delta;
        account.version += 1;
        if delta > 0 {
            account.credited += delta;
        } else {
            account.debited -= delta;
        }
        fits(account.balance) && fits(account.credited) && fits(account.debited)
    }

    /// The members that every change of a balance shows.
    fn changed(&self, user: u64, delta: i128, more: Value) -> Value {
        let account = &self.accounts[&user];
        let mut payload = json!({
            "accountId": user, "userId": user, "deltaFen": fen(delta),
            "balanceAfterFen": fen(account.balance), "currency": account.currency,
            "accountVersion": account.version,
        });
        for (name, value) in more.as_object().expect("an object") {
            payload[name] = value.clone();
        }
        payload
    }

    fn created(&mut self, user: u64, order: u64, amount: i128, currency: Option<&str>) -> Effect {
        let mut early = false;
        if let Some(known) = self.orders.get(&(user, order)) {
            if known.outcome != "early" {
                return if known.amount == amount { Effect::Silent } else { Effect::Dead("ORDER_CONFLICT") };
            }
            early = true;
        }
        let account = self.accounts.get(&user).cloned();
        let mut failure = None;
        match &account {
            None => failure = Some("ACCOUNT_NOT_FOUND"),
            Some(account) => {
                if account.status == "frozen" {
                    failure = Some("ACCOUNT_FROZEN");
                } else if account.status == "closed" {
                    failure = Some("ACCOUNT_CLOSED");
                } else if currency.is_some_and(|currency| currency != account.currency) {
                    failure = Some("CURRENCY_MISMATCH");
                } else if early {
                    failure = Some("ORDER_CANCELLED");
                } else if !fits(account.balance + account.overdraft) {
                    return Effect::Dead("ARITHMETIC");
                } else if account.balance + account.overdraft < amount {
                    failure = Some("INSUFFICIENT_BALANCE");
                }
            }
        }
        let outcome = failure.unwrap_or("debited");
        self.orders.insert((user, order), ModelOrder { outcome, amount, refunded: 0, refunds: vec![] });
        if let Some(reason) = failure {
            let balance = account.map(|account| fen(account.balance));
            let payload = json!({
                "userId": user, "orderId": order, "amountFen": fen(amount), "reason": reason,
                "balanceFen": balance,
            });
            return Effect::Event("DebitFailed", payload);
        }
        if !self.shift(user, -amount) {
            return Effect::Dead("ARITHMETIC");
        }
        Effect::Event("AccountDebited", self.changed(user, -amount, json!({"orderId": order})))
    }

    fn cancelled(&mut self, user: u64, order: u64) -> Effect {
        let Some(known) = self.orders.get_mut(&(user, order)) else {
            let early = ModelOrder { outcome: "early", amount: 0, refunded: 0, refunds: vec![] };
            self.orders.insert((user, order), early);
            return Effect::Silent;
        };
        if known.outcome != "debited" {
            return Effect::Silent;
        }
        let left = known.amount - known.refunded;
        known.outcome = "cancelled";
        known.refunded = known.amount;
        let total = fen(known.amount);
        if left == 0 {
            return Effect::Silent;
        }
        if !self.shift(user, left) {
            return Effect::Dead("ARITHMETIC");
        }
        let more = json!({"orderId": order, "refundId": null, "refundedTotalFen": total});
        Effect::Event("AccountRefunded", self.changed(user, left, more))
    }

    fn refund(&mut self, user: u64, order: u64, refund: &str, amount: i128) -> Effect {
        let rejected = |reason: &str| {
            let payload = json!({
                "userId": user, "command": "OrderRefundRequested", "refundId": refund, "orderId": order,
                "reason": reason,
            });
            Effect::Event("CommandRejected", payload)
        };
        let Some(known) = self.orders.get_mut(&(user, order)) else { return rejected("ORDER_NOT_DEBITED") };
        if known.outcome != "debited" && known.outcome != "cancelled" {
            return rejected("ORDER_NOT_DEBITED");
        }
        if known.refunds.iter().any(|applied| applied == refund) {
            return Effect::Silent;
        }
        if amount > known.amount - known.refunded {
            return rejected("REFUND_EXCEEDS_DEBIT");
        }
        known.refunded += amount;
        known.refunds.push(refund.to_owned());
        let total = fen(known.refunded);
        if !self.shift(user, amount) {
            return Effect::Dead("ARITHMETIC");
        }
        let more = json!({"orderId": order, "refundId": refund, "refundedTotalFen": total});
        Effect::Event("AccountRefunded", self.changed(user, amount, more))
    }

    fn open(&mut self, user: u64, currency: Option<&str>, overdraft: i64) -> Effect {
        let currency = currency.unwrap_or("CNY");
        if let Some(account) = self.accounts.get(&user) {
            if account.currency == currency && account.overdraft == i128::from(overdraft) {
                return Effect::Silent;
            }
            let payload = json!({"userId": user, "command": "OpenAccount", "reason": "ACCOUNT_EXISTS"});
            return Effect::Event("CommandRejected", payload);
        }
        self.create(user, currency, overdraft, 1);
        let payload = json!({
            "accountId": user, "userId": user, "currency": currency, "overdraftFen": overdraft,
            "accountVersion": 1,
        });
        Effect::Event("AccountOpened", payload)
    }

    fn create(&mut self, user: u64, currency: &str, overdraft: i64, version: u64) {
        let account = ModelAccount {
            balance: 0,
            overdraft: i128::from(overdraft),
            currency: currency.to_owned(),
            status: "open",
            version,
            credited: 0,
            debited: 0,
        };
        self.accounts.insert(user, account);
    }

    fn moved(
        &mut self,
        user: u64,
        (amount, currency, reference): (i64, Option<&str>, &str),
        deposit: bool,
    ) -> Effect {
        if self.references.contains(&(user, deposit, reference.to_owned())) {
            return Effect::Silent;
        }
        if deposit && !self.accounts.contains_key(&user) {
            self.create(user, currency.unwrap_or("CNY"), 0, 0);
        }
        let amount = i128::from(amount);
        let mut rejection = None;
        match self.accounts.get(&user) {
            None => rejection = Some("ACCOUNT_NOT_FOUND"),
            Some(account) => {
                if account.status == "frozen" && !deposit {
                    rejection = Some("ACCOUNT_FROZEN");
                } else if account.status == "closed" {
                    rejection = Some("ACCOUNT_CLOSED");
                } else if currency.is_some_and(|currency| currency != account.currency) {
                    rejection = Some("CURRENCY_MISMATCH");
                } else if !deposit && !fits(account.balance + account.overdraft) {
                    return Effect::Dead("ARITHMETIC");
                } else if !deposit && account.balance + account.overdraft < amount {
                    rejection = Some("INSUFFICIENT_BALANCE");
                }
            }
        }
        if let Some(reason) = rejection {
            let command = if deposit { "DepositFunds" } else { "WithdrawFunds" };
            let payload =
                json!({"userId": user, "command": command, "reference": reference, "reason": reason});
            return Effect::Event("CommandRejected", payload);
        }
        let delta = if deposit { amount } else { -amount };
        if !self.shift(user, delta) {
            return Effect::Dead("ARITHMETIC");
        }
        self.references.insert((user, deposit, reference.to_owned()));
        let name = if deposit { "AccountCredited" } else { "AccountDebited" };
        Effect::Event(name, self.changed(user, delta, json!({"reference": reference})))
    }

    fn turn(&mut self, user: u64, to: &'static str, reason: Option<&str>, command: &'static str) -> Effect {
        let rejected = |reason: &str| {
            let payload = json!({"userId": user, "command": command, "reason": reason});
            Effect::Event("CommandRejected", payload)
        };
        let Some(account) = self.accounts.get_mut(&user) else { return rejected("ACCOUNT_NOT_FOUND") };
        if account.status == to {
            return Effect::Silent;
        }
        if account.status == "closed" {
            return rejected("ACCOUNT_CLOSED");
        }
        if to == "closed" && account.balance != 0 {
            return rejected("BALANCE_NOT_ZERO");
        }
        account.status = to;
        account.version += 1;
        let name = match to {
            "frozen" => "AccountFrozen",
            "open" => "AccountUnfrozen",
            _ => "AccountClosed",
        };
        let payload =
            json!({"accountId": user, "userId": user, "reason": reason, "accountVersion": account.version});
        Effect::Event(name, payload)
    }
}
