//! The processor of `account.commands`.

use millpond_mutants::{Mutant, is};
use millpond_topology::{Child, Context, Decoded, KeyValueStore, NoData, ProcessError, Processor, Record};

use super::desk::{Desk, arithmetic};
use crate::counter;
use crate::ids::UserId;
use crate::input::{CommandEvent, CommandEventSerde, RecordKey};
use crate::money::{Amount, Currency, Fen, Overflow};
use crate::output::{AccountEvent, Cause, Subject};
use crate::reason::Rejection;
use crate::state::{
    Account, Reference, ReferenceCodec, ReferenceKey, ReferenceKeyCodec, ReferenceKind, Status,
};

/// Opens, funds, freezes and closes accounts.
pub(crate) struct CommandProcessor {
    desk: Desk,
    references: KeyValueStore<ReferenceKeyCodec, ReferenceCodec>,
}

/// A deposit or withdrawal.
struct Movement<'a> {
    user: UserId,
    amount: Amount,
    currency: Option<Currency>,
    reference: &'a str,
    kind: ReferenceKind,
}

impl Movement<'_> {
    fn key(&self) -> ReferenceKey<'_> {
        ReferenceKey { user: self.user.get(), kind: self.kind, reference: self.reference }
    }

    const fn command(&self) -> &'static str {
        match self.kind {
            ReferenceKind::Deposit => "DepositFunds",
            ReferenceKind::Withdrawal => "WithdrawFunds",
        }
    }

    /// Returns the account after the movement, or why it is rejected.
    fn apply(&self, account: Option<Account>) -> Result<Result<Account, Rejection>, Overflow> {
        match self.kind {
            ReferenceKind::Deposit => self.deposit(account),
            ReferenceKind::Withdrawal => self.withdraw(account),
        }
    }

    fn deposit(&self, account: Option<Account>) -> Result<Result<Account, Rejection>, Overflow> {
        // The first deposit creates the account: one change, in the deposit's currency, without overdraft.
        let created = || Account::blank(self.currency.unwrap_or(Currency::CNY), Fen::ZERO);
        let account = account.unwrap_or_else(created);
        let rejection = match account.status {
            Status::Closed => Some(Rejection::AccountClosed),
            Status::Open | Status::Frozen if !account.accepts(self.currency) => {
                Some(Rejection::CurrencyMismatch)
            }
            Status::Open | Status::Frozen => None,
        };
        rejection.map_or_else(|| account.credit(self.amount.fen()).map(Ok), |rejection| Ok(Err(rejection)))
    }

    fn withdraw(&self, account: Option<Account>) -> Result<Result<Account, Rejection>, Overflow> {
        let Some(account) = account else { return Ok(Err(Rejection::AccountNotFound)) };
        let rejection = match account.status {
            Status::Frozen => Some(Rejection::AccountFrozen),
            Status::Closed => Some(Rejection::AccountClosed),
            Status::Open if !account.accepts(self.currency) => Some(Rejection::CurrencyMismatch),
            Status::Open if !account.covers(self.amount)? => Some(Rejection::InsufficientBalance),
            Status::Open => None,
        };
        rejection.map_or_else(|| account.debit(self.amount).map(Ok), |rejection| Ok(Err(rejection)))
    }
}

/// A command that changes an account's status.
struct Turn<'a> {
    user: UserId,
    reason: Option<&'a str>,
    to: Status,
}

impl Turn<'_> {
    const fn command(&self) -> &'static str {
        match self.to {
            Status::Frozen => "FreezeAccount",
            Status::Open => "UnfreezeAccount",
            Status::Closed => "CloseAccount",
        }
    }

    /// Says why the account cannot take the status; it does not have it yet.
    fn obstacle(&self, account: &Account) -> Option<Rejection> {
        match (account.status, self.to) {
            (Status::Closed, _) => Some(Rejection::AccountClosed),
            (_, Status::Closed) if account.balance != Fen::ZERO => Some(Rejection::BalanceNotZero),
            _ => None,
        }
    }
}

impl CommandProcessor {
    pub(crate) fn new(desk: Desk, references: KeyValueStore<ReferenceKeyCodec, ReferenceCodec>) -> Self {
        Self { desk, references }
    }

    fn open(
        &self,
        ctx: &mut Context<'_>,
        user: UserId,
        (currency, overdraft): (Currency, Fen),
    ) -> Result<(), ProcessError> {
        match self.desk.account(ctx, user)? {
            Some(account) if account.currency == currency && account.overdraft == overdraft => {
                ctx.count(counter::DUPLICATES, 1);
                Ok(())
            }
            Some(_) => {
                self.desk.reject(ctx, user, ("OpenAccount", Subject::Account), Rejection::AccountExists)
            }
            None => {
                let account =
                    Account::blank(currency, overdraft).with_status(Status::Open).map_err(arithmetic)?;
                self.desk.save(ctx, user, None, &account)?;
                ctx.count(counter::ACCOUNTS_OPENED, 1);
                self.desk.emit(ctx, user, AccountEvent::Opened { account })
            }
        }
    }

    fn movement(&self, ctx: &mut Context<'_>, movement: &Movement<'_>) -> Result<(), ProcessError> {
        let Movement { user, amount, reference, .. } = *movement;
        if self.references.get(ctx, &movement.key())?.is_some() && !is(Mutant::ReferenceForgotten) {
            ctx.count(counter::DUPLICATES, 1);
            return Ok(());
        }
        let before = self.desk.account(ctx, user)?;
        let account = match movement.apply(before).map_err(arithmetic)? {
            Ok(account) => account,
            Err(reason) => {
                let command = (movement.command(), Subject::Reference(reference));
                return self.desk.reject(ctx, user, command, reason);
            }
        };
        self.desk.save(ctx, user, before.as_ref(), &account)?;
        self.references.put(ctx, &movement.key(), &Reference::applied(amount))?;
        let (count, event) = match movement.kind {
            ReferenceKind::Deposit => {
                (counter::DEPOSITS_APPLIED, AccountEvent::Credited { account, reference, amount })
            }
            ReferenceKind::Withdrawal => {
                let cause = Cause::Withdrawal(reference);
                (counter::WITHDRAWALS_APPLIED, AccountEvent::Debited { account, cause, amount })
            }
        };
        ctx.count(count, 1);
        self.desk.emit(ctx, user, event)
    }

    fn turn(&self, ctx: &mut Context<'_>, turn: &Turn<'_>) -> Result<(), ProcessError> {
        let user = turn.user;
        let command = (turn.command(), Subject::Account);
        let Some(before) = self.desk.account(ctx, user)? else {
            return self.desk.reject(ctx, user, command, Rejection::AccountNotFound);
        };
        if before.status == turn.to {
            ctx.count(counter::DUPLICATES, 1);
            return Ok(());
        }
        if let Some(obstacle) = turn.obstacle(&before) {
            return self.desk.reject(ctx, user, command, obstacle);
        }
        let account = before.with_status(turn.to).map_err(arithmetic)?;
        self.desk.save(ctx, user, Some(&before), &account)?;
        let count = match turn.to {
            Status::Frozen => counter::ACCOUNTS_FROZEN,
            Status::Open => counter::ACCOUNTS_UNFROZEN,
            Status::Closed => counter::ACCOUNTS_CLOSED,
        };
        ctx.count(count, 1);
        self.desk.emit(ctx, user, AccountEvent::StatusChanged { account, reason: turn.reason })
    }
}

impl Processor for CommandProcessor {
    type KeyIn = Decoded<RecordKey>;
    type ValueIn = Decoded<CommandEventSerde>;
    type KeyOut = NoData;
    type ValueOut = NoData;

    fn process<'a>(
        &mut self,
        record: &Record<'a, &'a [u8], CommandEvent<'a>>,
        ctx: &mut Context<'_>,
        _children: &mut impl Child<NoData, NoData>,
    ) -> Result<(), ProcessError> {
        let user = record.value.user();
        self.desk.admit(record.key, user, ctx)?;
        match &record.value {
            &CommandEvent::Open { currency, overdraft, .. } => self.open(ctx, user, (currency, overdraft)),
            CommandEvent::Deposit { amount, currency, reference, .. } => {
                let (amount, currency, kind) = (*amount, *currency, ReferenceKind::Deposit);
                self.movement(ctx, &Movement { user, amount, currency, reference, kind })
            }
            CommandEvent::Withdraw { amount, currency, reference, .. } => {
                let (amount, currency, kind) = (*amount, *currency, ReferenceKind::Withdrawal);
                self.movement(ctx, &Movement { user, amount, currency, reference, kind })
            }
            CommandEvent::Freeze { reason, .. } => {
                self.turn(ctx, &Turn { user, reason: reason.as_deref(), to: Status::Frozen })
            }
            CommandEvent::Unfreeze { reason, .. } => {
                self.turn(ctx, &Turn { user, reason: reason.as_deref(), to: Status::Open })
            }
            CommandEvent::Close { reason, .. } => {
                self.turn(ctx, &Turn { user, reason: reason.as_deref(), to: Status::Closed })
            }
        }
    }
}
