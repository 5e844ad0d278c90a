//! The processor of `order.events`.

use millpond_mutants::{Mutant, is};
use millpond_topology::{
    Child, Context, Decoded, KeyValueStore, NoData, ProcessError, Processor, Record, U64PairKey,
};

use super::desk::{Desk, arithmetic, stop};
use crate::counter;
use crate::ids::{OrderId, UserId};
use crate::input::{OrderEvent, OrderEventSerde, RecordKey};
use crate::money::{Amount, Currency, Fen, Overflow};
use crate::output::{AccountEvent, Cause, Subject};
use crate::reason::{DeadLetter, DebitFailure, Rejection};
use crate::state::{Account, OrderCodec, OrderOutcome, OrderRecord, Status};

/// Debits orders, gives back cancelled and refunded ones.
pub(crate) struct OrderProcessor {
    desk: Desk,
    orders: KeyValueStore<U64PairKey, OrderCodec>,
}

/// An order to be debited.
struct Demand {
    user: UserId,
    order: OrderId,
    amount: Amount,
    currency: Option<Currency>,
}

impl Demand {
    /// Returns the account after the debit, or why it fails.
    fn debit(
        &self,
        account: Option<Account>,
        remembered: Option<&OrderRecord>,
    ) -> Result<Result<Account, DebitFailure>, Overflow> {
        let Some(account) = account else { return Ok(Err(DebitFailure::AccountNotFound)) };
        let failure = match account.status {
            Status::Frozen => Some(DebitFailure::AccountFrozen),
            Status::Closed => Some(DebitFailure::AccountClosed),
            Status::Open if !account.accepts(self.currency) => Some(DebitFailure::CurrencyMismatch),
            Status::Open if remembered.is_some() => Some(DebitFailure::OrderCancelled),
            Status::Open if !account.covers(self.amount)? => Some(DebitFailure::InsufficientBalance),
            Status::Open => None,
        };
        failure.map_or_else(|| account.debit(self.amount).map(Ok), |failure| Ok(Err(failure)))
    }
}

impl OrderProcessor {
    pub(crate) fn new(desk: Desk, orders: KeyValueStore<U64PairKey, OrderCodec>) -> Self {
        Self { desk, orders }
    }

    fn order(
        &self,
        ctx: &mut Context<'_>,
        user: UserId,
        order: OrderId,
    ) -> Result<Option<OrderRecord>, ProcessError> {
        let record = self.orders.get(ctx, &(user.get(), order.get()))?;
        match record.as_ref().and_then(OrderRecord::fault) {
            Some(fault) => Err(stop("a stored order", user, fault)),
            None => Ok(record),
        }
    }

    fn save(
        &self,
        ctx: &mut Context<'_>,
        (user, order): (UserId, OrderId),
        record: &OrderRecord,
    ) -> Result<(), ProcessError> {
        match record.fault() {
            Some(fault) => Err(stop("a changed order", user, fault)),
            None => Ok(self.orders.put(ctx, &(user.get(), order.get()), record)?),
        }
    }

    fn created(&self, ctx: &mut Context<'_>, demand: &Demand) -> Result<(), ProcessError> {
        let Demand { user, order, amount, .. } = *demand;
        let remembered = self.order(ctx, user, order)?.filter(|_| !is(Mutant::OrderForgotten));
        if let Some(known) = remembered.as_ref().filter(|r| r.outcome != OrderOutcome::CancellationRemembered)
        {
            if known.amount == amount.fen() {
                ctx.count(counter::DUPLICATES, 1);
                return Ok(());
            }
            let (new, old) = (amount.fen().get(), known.amount.get());
            let message = format!("order {} came with {old} fen before, now with {new}", order.get());
            return Err(ProcessError::dead_letter(DeadLetter::OrderConflict.name(), message));
        }
        let account = self.desk.account(ctx, user)?;
        match demand.debit(account, remembered.as_ref()).map_err(arithmetic)? {
            Ok(debited) => {
                self.desk.save(ctx, user, account.as_ref(), &debited)?;
                self.save(ctx, (user, order), &OrderRecord::decided(OrderOutcome::Debited, amount))?;
                ctx.count(counter::DEBITS_SUCCEEDED, 1);
                let event = AccountEvent::Debited { account: debited, cause: Cause::Order(order), amount };
                self.desk.emit(ctx, user, event)
            }
            Err(reason) => {
                self.save(ctx, (user, order), &OrderRecord::decided(reason.into(), amount))?;
                ctx.count(counter::of_failure(reason), 1);
                let balance = account.map(|account| account.balance);
                self.desk.emit(ctx, user, AccountEvent::DebitFailed { order, amount, reason, balance })
            }
        }
    }

    fn cancelled(&self, ctx: &mut Context<'_>, user: UserId, order: OrderId) -> Result<(), ProcessError> {
        let Some(record) = self.order(ctx, user, order)? else {
            ctx.count(counter::CANCELLATIONS_REMEMBERED, 1);
            return self.save(ctx, (user, order), &OrderRecord::cancelled_early());
        };
        match record.outcome {
            OrderOutcome::Debited => {
                let left = record.amount.minus(record.refunded).map_err(arithmetic)?;
                let refunded = record.amount;
                let outcome = OrderOutcome::DebitedAndCancelled;
                let record = OrderRecord { outcome, refunded, ..record };
                if left == Fen::ZERO {
                    ctx.count(counter::CANCELLATIONS_WITHOUT_EFFECT, 1);
                    return self.save(ctx, (user, order), &record);
                }
                ctx.count(counter::CANCELLATIONS_REFUNDED, 1);
                self.give_back(ctx, (user, order), &record, (left, None))
            }
            OrderOutcome::OrderCancelled
            | OrderOutcome::CancellationRemembered
            | OrderOutcome::DebitedAndCancelled => {
                ctx.count(counter::DUPLICATES, 1);
                Ok(())
            }
            OrderOutcome::AccountNotFound
            | OrderOutcome::InsufficientBalance
            | OrderOutcome::AccountFrozen
            | OrderOutcome::AccountClosed
            | OrderOutcome::CurrencyMismatch => {
                ctx.count(counter::CANCELLATIONS_WITHOUT_EFFECT, 1);
                Ok(())
            }
        }
    }

    fn refund_requested(
        &self,
        ctx: &mut Context<'_>,
        (user, order): (UserId, OrderId),
        refund_id: &str,
        amount: Amount,
    ) -> Result<(), ProcessError> {
        let command = ("OrderRefundRequested", Subject::Refund { refund_id, order });
        let record = self.order(ctx, user, order)?.filter(OrderRecord::was_debited);
        let Some(mut record) = record else {
            return self.desk.reject(ctx, user, command, Rejection::OrderNotDebited);
        };
        if record.refund_ids.iter().any(|applied| applied == refund_id) && !is(Mutant::RefundForgotten) {
            ctx.count(counter::DUPLICATES, 1);
            return Ok(());
        }
        let refunded = record.refunded.plus(amount.fen()).map_err(arithmetic)?;
        if refunded > record.amount && !is(Mutant::RefundUnbounded) {
            return self.desk.reject(ctx, user, command, Rejection::RefundExceedsDebit);
        }
        record.refunded = refunded;
        record.refund_ids.push(refund_id.to_owned());
        ctx.count(counter::REFUNDS_APPLIED, 1);
        self.give_back(ctx, (user, order), &record, (amount.fen(), Some(refund_id)))
    }

    /// Credits what comes back of an order, whatever the account's status, and writes `record`.
    fn give_back(
        &self,
        ctx: &mut Context<'_>,
        (user, order): (UserId, OrderId),
        record: &OrderRecord,
        (amount, refund_id): (Fen, Option<&str>),
    ) -> Result<(), ProcessError> {
        let before = self.desk.account(ctx, user)?;
        let Some(account) = before else {
            return Err(stop("a stored order", user, "it was debited, but there is no account"));
        };
        let account = account.credit(amount).map_err(arithmetic)?;
        self.desk.save(ctx, user, before.as_ref(), &account)?;
        self.save(ctx, (user, order), record)?;
        let refunded_total = record.refunded;
        self.desk.emit(
            ctx,
            user,
            AccountEvent::Refunded { account, order, refund_id, amount, refunded_total },
        )
    }
}

impl Processor for OrderProcessor {
    type KeyIn = Decoded<RecordKey>;
    type ValueIn = Decoded<OrderEventSerde>;
    type KeyOut = NoData;
    type ValueOut = NoData;

    fn process<'a>(
        &mut self,
        record: &Record<'a, &'a [u8], OrderEvent<'a>>,
        ctx: &mut Context<'_>,
        _children: &mut impl Child<NoData, NoData>,
    ) -> Result<(), ProcessError> {
        self.desk.admit(record.key, record.value.user(), ctx)?;
        match &record.value {
            &OrderEvent::Created { user, order, amount, currency } => {
                self.created(ctx, &Demand { user, order, amount, currency })
            }
            OrderEvent::Paid { .. } => {
                ctx.count(counter::ORDERS_PAID_IGNORED, 1);
                Ok(())
            }
            &OrderEvent::Cancelled { user, order } => self.cancelled(ctx, user, order),
            OrderEvent::RefundRequested { user, order, refund_id, amount } => {
                self.refund_requested(ctx, (*user, *order), refund_id, *amount)
            }
        }
    }
}
