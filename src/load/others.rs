//! The rest of the contract's events, so that every one of them flows: withdrawals, freezes, cancellations, refunds.

use std::collections::VecDeque;

use millpond_topology::partition_for;

use super::event::{CNY, Envelope, Order, USD, currency_of, overdraft_of};
use super::life::Life;
use super::random::Random;
use super::record::{Kind, Record, Stream};

/// Accounts that are frozen at the same time.
const FROZEN_MAX: usize = 8;

/// One of the contract's less common events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OtherKind {
    /// Takes money out of an account.
    Withdrawal,
    /// A deposit's reference once more.
    RepeatedDeposit,
    /// A deposit in a currency that is not the account's.
    ForeignDeposit,
    /// Freezes an account.
    Freeze,
    /// Lifts the oldest freeze.
    Unfreeze,
    /// Closes an account that holds money, which is refused.
    CloseWithMoney,
    /// Opens an account of a new user.
    OpenAside,
    /// Closes that account, which holds nothing.
    CloseAside,
    /// Opens an account again under other terms, which is refused.
    Reopen,
    /// Cancels an order.
    Cancellation,
    /// Cancels an order before it comes.
    EarlyCancellation,
    /// The order that was cancelled before it came.
    CancelledOrder,
    /// Refunds part of an order.
    Refund,
    /// Asks for more than the order was worth, which is refused.
    RefundTooLarge,
    /// An order in a currency that is not the account's.
    ForeignOrder,
    /// Says that an order is paid, which changes nothing.
    Paid,
    /// A command of an account's whole life.
    LifeCommand,
    /// An order, a cancellation or a refund of an account's whole life.
    LifeOrder,
}

impl OtherKind {
    /// Returns the kind's name, for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Withdrawal => "withdrawal",
            Self::RepeatedDeposit => "repeated deposit",
            Self::ForeignDeposit => "deposit in a foreign currency",
            Self::Freeze => "freeze",
            Self::Unfreeze => "unfreeze",
            Self::CloseWithMoney => "closing with money",
            Self::OpenAside => "opening of an account aside",
            Self::CloseAside => "closing of an account aside",
            Self::Reopen => "opening under other terms",
            Self::Cancellation => "cancellation",
            Self::EarlyCancellation => "cancellation before the order",
            Self::CancelledOrder => "order already cancelled",
            Self::Refund => "refund",
            Self::RefundTooLarge => "refund too large",
            Self::ForeignOrder => "order in a foreign currency",
            Self::Paid => "order paid",
            Self::LifeCommand => "command of a whole life",
            Self::LifeOrder => "order of a whole life",
        }
    }
}

impl OtherKind {
    /// Returns the topic that its records go to.
    #[must_use]
    pub fn stream(self) -> Stream {
        match self {
            Self::Cancellation
            | Self::EarlyCancellation
            | Self::CancelledOrder
            | Self::Refund
            | Self::RefundTooLarge
            | Self::ForeignOrder
            | Self::Paid
            | Self::LifeOrder => Stream::Orders,
            Self::Withdrawal
            | Self::RepeatedDeposit
            | Self::ForeignDeposit
            | Self::Freeze
            | Self::Unfreeze
            | Self::CloseWithMoney
            | Self::OpenAside
            | Self::CloseAside
            | Self::Reopen
            | Self::LifeCommand => Stream::Commands,
        }
    }
}

/// What a turn of the other events is made from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Material {
    /// A user with an account.
    pub(super) user: u64,
    /// A user number that nobody else uses.
    pub(super) aside: u64,
    /// A small amount that the user still has; 0 when everything is spent.
    pub(super) amount_fen: i64,
    /// An order that nobody has seen, of that user.
    pub(super) fresh: Order,
    /// An order that was sent before.
    pub(super) earlier: Option<Order>,
    /// The reference of the user's deposit, as a number.
    pub(super) seed: u64,
    /// The deposit's amount.
    pub(super) deposit_fen: i64,
    /// The present, ms since the epoch.
    pub(super) timestamp_ms: i64,
    /// Partitions of the topics.
    pub(super) partitions: u32,
}

/// Makes the other events in turn.
#[derive(Debug, Clone, Default)]
pub(super) struct Others {
    turn: u64,
    frozen: VecDeque<u64>,
    life: Life,
}

impl Others {
    /// Returns the records of the next turn; none when it needs an earlier order and there is none.
    pub(super) fn next(&mut self, material: &Material, random: &mut Random) -> Vec<Record> {
        self.turn += 1;
        let maker = Maker { material, random };
        match self.turn % 13 {
            0 => maker.withdrawal(),
            1 => maker.repeated_deposit(),
            2 => self.freeze_or_unfreeze(maker),
            3 => maker.account(OtherKind::CloseWithMoney, "CloseAccount"),
            4 => maker.open_and_close(),
            5 => maker.reopen(),
            6 => maker.of_earlier(OtherKind::Cancellation, "OrderCancelled"),
            7 => maker.early_cancellation(),
            8 => maker.refund(OtherKind::Refund),
            9 => maker.refund(OtherKind::RefundTooLarge),
            10 => maker.foreign(),
            11 => self.live(maker),
            _ => maker.of_earlier(OtherKind::Paid, "OrderPaid"),
        }
    }

    fn live(&mut self, mut maker: Maker<'_>) -> Vec<Record> {
        let step = self.life.step(maker.material.aside);
        step.map(|(user, step)| maker.record(step.kind, step.event_type, user, &step.payload(user)))
            .into_iter()
            .collect()
    }

    fn freeze_or_unfreeze(&mut self, mut maker: Maker<'_>) -> Vec<Record> {
        let oldest = if self.frozen.len() < FROZEN_MAX { None } else { self.frozen.pop_front() };
        if let Some(user) = oldest {
            let payload = format!(r#"{{"userId":{user},"reason":"checked"}}"#);
            return vec![maker.record(OtherKind::Unfreeze, "UnfreezeAccount", user, &payload)];
        }
        self.frozen.push_back(maker.material.user);
        maker.account(OtherKind::Freeze, "FreezeAccount")
    }
}

/// Writes the records of one turn.
struct Maker<'a> {
    material: &'a Material,
    random: &'a mut Random,
}

impl Maker<'_> {
    fn record(&mut self, kind: OtherKind, event_type: &str, user: u64, payload: &str) -> Record {
        let envelope = Envelope { id: self.random.wide(), occurred_ms: self.material.timestamp_ms };
        self.keyed(kind, user, envelope.wrap(event_type, payload))
    }

    fn keyed(&self, kind: OtherKind, user: u64, value: Vec<u8>) -> Record {
        let key = user.to_string().into_bytes();
        Record {
            stream: kind.stream(),
            partition: partition_for(&key, self.material.partitions),
            key: Some(key),
            value: Some(value),
            timestamp_ms: self.material.timestamp_ms,
            kind: Kind::Other(kind),
        }
    }

    fn withdrawal(mut self) -> Vec<Record> {
        let Material { user, amount_fen, fresh, .. } = *self.material;
        if amount_fen == 0 {
            return Vec::new();
        }
        let payload =
            format!(r#"{{"userId":{user},"amountFen":{amount_fen},"reference":"wd-{:x}"}}"#, fresh.id);
        vec![self.record(OtherKind::Withdrawal, "WithdrawFunds", user, &payload)]
    }

    fn repeated_deposit(mut self) -> Vec<Record> {
        let Material { user, deposit_fen, seed, .. } = *self.material;
        let payload = deposit_payload(user, deposit_fen, seed);
        vec![self.record(OtherKind::RepeatedDeposit, "DepositFunds", user, &payload)]
    }

    fn account(mut self, kind: OtherKind, event_type: &str) -> Vec<Record> {
        let user = self.material.user;
        let payload = format!(r#"{{"userId":{user},"reason":"load"}}"#);
        vec![self.record(kind, event_type, user, &payload)]
    }

    fn open_and_close(mut self) -> Vec<Record> {
        let user = self.material.aside;
        let open = open_payload(user);
        let close = format!(r#"{{"userId":{user}}}"#);
        vec![
            self.record(OtherKind::OpenAside, "OpenAccount", user, &open),
            self.record(OtherKind::CloseAside, "CloseAccount", user, &close),
        ]
    }

    fn reopen(mut self) -> Vec<Record> {
        let user = self.material.user;
        let payload = format!(r#"{{"userId":{user},"currency":"CNY","overdraftFen":77}}"#);
        vec![self.record(OtherKind::Reopen, "OpenAccount", user, &payload)]
    }

    fn of_earlier(mut self, kind: OtherKind, event_type: &str) -> Vec<Record> {
        let Some(Order { id, user, .. }) = self.material.earlier else {
            return Vec::new();
        };
        let payload = format!(r#"{{"orderId":{id},"userId":{user}}}"#);
        vec![self.record(kind, event_type, user, &payload)]
    }

    fn early_cancellation(mut self) -> Vec<Record> {
        let order = self.material.fresh;
        let payload = format!(r#"{{"orderId":{},"userId":{},"reason":"too late"}}"#, order.id, order.user);
        let kind = OtherKind::EarlyCancellation;
        let cancelled = self.record(kind, "OrderCancelled", order.user, &payload);
        vec![cancelled, self.keyed(OtherKind::CancelledOrder, order.user, order.encode())]
    }

    fn refund(mut self, kind: OtherKind) -> Vec<Record> {
        let Some(Order { id, user, amount_fen, .. }) = self.material.earlier else {
            return Vec::new();
        };
        let amount_fen = match kind {
            OtherKind::RefundTooLarge => amount_fen.saturating_add(1),
            _ => 1 + amount_fen / 3,
        };
        let refund = self.random.bits();
        let payload = format!(
            r#"{{"orderId":{id},"userId":{user},"refundId":"rf-{refund:x}","amountFen":{amount_fen}}}"#
        );
        vec![self.record(kind, "OrderRefundRequested", user, &payload)]
    }

    fn foreign(mut self) -> Vec<Record> {
        let Material { user, fresh, .. } = *self.material;
        let foreign = if currency_of(user) == CNY { USD } else { CNY };
        let order = Order { currency: Some(foreign), ..fresh };
        let payload = format!(
            r#"{{"userId":{user},"amountFen":5,"currency":"{foreign}","reference":"fx-{:x}"}}"#,
            fresh.id
        );
        vec![
            self.keyed(OtherKind::ForeignOrder, user, order.encode()),
            self.record(OtherKind::ForeignDeposit, "DepositFunds", user, &payload),
        ]
    }
}

/// Returns the payload that opens a user's account.
pub(super) fn open_payload(user: u64) -> String {
    let (currency, overdraft) = (currency_of(user), overdraft_of(user));
    format!(r#"{{"userId":{user},"currency":"{currency}","overdraftFen":{overdraft}}}"#)
}

/// Returns the payload of a user's deposit; the seed makes the reference, so that another seed deposits again.
pub(super) fn deposit_payload(user: u64, amount_fen: i64, seed: u64) -> String {
    let currency = currency_of(user);
    format!(
        r#"{{"userId":{user},"amountFen":{amount_fen},"currency":"{currency}","reference":"fund-{seed:x}-{user}"}}"#
    )
}
