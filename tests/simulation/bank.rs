//! The topology under test: a bank whose whole effect can be told from its recorded outputs.
//!
//! Two inputs (`orders`: transfers, `payments`: money from outside) and a wall-clock punctuator that pays interest of 1 out
//! of nowhere, so that there is work without any input. Every effect emits one event that names its source and the balances
//! that it left. All accounts of a task have keys of its partition, so that its events are in one output partition.

use millpond::topology::{
    BincodeCodec, Builder, Bytes, Child, Context, Decoded, KeyValueStore, NoData, ProcessError, Processor,
    Punctuation, PunctuationClock, PunctuatorSpec, Record, SinkRef, SourceSpec, StrKey, SubBuilder, Topology,
    partition_for, processor,
};

pub(crate) const APP: &str = "bank";
pub(crate) const ORDERS: &str = "orders";
pub(crate) const PAYMENTS: &str = "payments";
pub(crate) const EVENTS: &str = "events";
pub(crate) const LETTERS: &str = "letters";
/// An account that there is not: its request becomes a dead letter.
pub(crate) const NOBODY: u8 = 9;
/// An amount whose event the broker refuses for its size: its request becomes a dead letter too.
pub(crate) const REFUSED: i64 = 7_777;
/// Longest event that the broker accepts, bytes.
pub(crate) const VALUE_MAX: usize = 64;
/// Accounts per partition.
pub(crate) const ACCOUNTS: usize = 3;
pub(crate) const OPENING: i64 = 100;

/// An input record's effect, in bytes: amount and the index of the other account (transfers only).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) account: u8,
    pub(crate) other: u8,
    pub(crate) amount: i64,
}

impl Request {
    pub(crate) fn bytes(self) -> Vec<u8> {
        let mut out = vec![self.account, self.other];
        out.extend(self.amount.to_be_bytes());
        out
    }

    /// Says whether it becomes a dead letter: refused by its processor, or by the broker.
    pub(crate) fn is_bad(self) -> bool {
        self.account == NOBODY || self.amount == REFUSED
    }

    pub(crate) fn read(bytes: &[u8]) -> Self {
        Self {
            account: bytes[0],
            other: bytes[1],
            amount: i64::from_be_bytes(bytes[2..10].try_into().unwrap()),
        }
    }
}

/// What an output event says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    /// 0 = orders, 1 = payments, 2 = punctuator.
    pub(crate) source: u8,
    /// Offset, or scheduled time.
    pub(crate) place: i64,
    /// Balances of the accounts that it touched: index, balance.
    pub(crate) balances: Vec<(u8, i64)>,
}

impl Told {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = vec![self.source];
        out.extend(self.place.to_be_bytes());
        for (account, balance) in &self.balances {
            out.push(*account);
            out.extend(balance.to_be_bytes());
        }
        out
    }

    pub(crate) fn read(bytes: &[u8]) -> Self {
        let balances =
            bytes[9..].chunks_exact(9).map(|c| (c[0], i64::from_be_bytes(c[1..9].try_into().unwrap())));
        Self {
            source: bytes[0],
            place: i64::from_be_bytes(bytes[1..9].try_into().unwrap()),
            balances: balances.collect(),
        }
    }
}

/// Returns the keys of the accounts of `partition`.
pub(crate) fn accounts(partition: u32, partitions: u32) -> Vec<String> {
    let all =
        (0..).map(|n| format!("a{n}")).filter(|key| partition_for(key.as_bytes(), partitions) == partition);
    all.take(ACCOUNTS).collect()
}

#[derive(Clone)]
struct Teller {
    source: u8,
    balances: KeyValueStore<StrKey, BincodeCodec<i64>>,
    out: SinkRef<Bytes, Bytes>,
    accounts: std::sync::Arc<Vec<Vec<String>>>,
}

impl Teller {
    fn change(&self, ctx: &mut Context<'_>, place: i64, changes: &[(u8, i64)]) -> Result<(), ProcessError> {
        let keys = &self.accounts[ctx.task().partition as usize];
        let mut told = Told { source: self.source, place, balances: Vec::new() };
        let is_large = changes.iter().any(|(_, amount)| *amount == REFUSED);
        for &(account, amount) in changes {
            let key = keys[account as usize].as_str();
            let balance = self.balances.get(ctx, &key)?.unwrap_or(OPENING) + amount;
            self.balances.put(ctx, &key, &balance)?;
            told.balances.push((account, balance));
        }
        let mut bytes = told.bytes();
        if is_large {
            bytes.resize(VALUE_MAX + 1, 0);
        }
        ctx.send(&self.out, keys[0].as_bytes(), &bytes);
        Ok(())
    }
}

/// Returns what a request changes, given the balance of its account.
pub(crate) fn changes(source: u8, request: Request, balance: i64) -> Vec<(u8, i64)> {
    match source {
        0 if request.account == request.other || balance < request.amount => vec![],
        0 => vec![(request.account, -request.amount), (request.other, request.amount)],
        _ => vec![(request.account, request.amount)],
    }
}

impl Processor for Teller {
    type KeyIn = Decoded<Bytes>;
    type ValueIn = Decoded<Bytes>;
    type KeyOut = NoData;
    type ValueOut = NoData;

    fn process<'a>(
        &mut self,
        record: &Record<'a, &'a [u8], &'a [u8]>,
        ctx: &mut Context<'_>,
        _: &mut impl Child<NoData, NoData>,
    ) -> Result<(), ProcessError> {
        let request = Request::read(record.value);
        let place = ctx.source().map_or(-1, |source| source.offset);
        if request.account == NOBODY {
            // What it did is undone.
            self.change(ctx, place, &[(0, request.amount)])?;
            return Err(ProcessError::dead_letter("NOBODY", "there is no such account"));
        }
        let keys = &self.accounts[ctx.task().partition as usize];
        let balance = self.balances.get(ctx, &keys[request.account as usize].as_str())?.unwrap_or(OPENING);
        self.change(ctx, place, &changes(self.source, request, balance))
    }

    fn punctuate(
        &mut self,
        punctuation: Punctuation,
        ctx: &mut Context<'_>,
        _: &mut impl Child<NoData, NoData>,
    ) -> Result<(), ProcessError> {
        let clerk = Self { source: 2, ..self.clone() };
        clerk.change(ctx, punctuation.scheduled_ms, &[(0, 1)])
    }
}

/// Builds the topology.
pub(crate) fn topology(partitions: u32, punctuation_ms: i64) -> Topology {
    let mut builder = Builder::new(APP);
    builder.sub_topology("bank", |sub: &mut SubBuilder| {
        let balances = sub.store(1, "balances", StrKey, BincodeCodec::<i64>::new());
        sub.tally(&balances, BincodeCodec::new(), &["money"], |balance| [*balance - OPENING, 0, 0, 0]);
        sub.hold_in_memory(&balances);
        let out = sub.sink("events-out", EVENTS, Bytes, Bytes);
        sub.dead_letters("letters-out", LETTERS);
        let accounts: Vec<_> = (0..partitions).map(|partition| accounts(partition, partitions)).collect();
        let accounts = std::sync::Arc::new(accounts);
        for (source, topic) in [(0u8, ORDERS), (1, PAYMENTS)] {
            let teller =
                Teller { source, balances: balances.clone(), out: out.clone(), accounts: accounts.clone() };
            let node = processor(&format!("teller-{topic}"), move || teller.clone());
            let mut node = node.store(&balances).sends_to(&out);
            if source == 1 {
                let clock = PunctuationClock::WallClock;
                node = node.punctuator(PunctuatorSpec { id: 1, clock, interval_ms: punctuation_ms });
            }
            sub.source(SourceSpec::new(&format!("{topic}-in"), &[topic], Bytes, Bytes), node);
        }
    });
    builder.build().unwrap()
}
