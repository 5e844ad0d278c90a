//! The generator: what comes next, decided by the seed alone.

use std::collections::VecDeque;

use millpond_topology::partition_for;

use super::bad::{Draft, Recipe, renewed};
use super::error::LoadError;
use super::event::{Envelope, Order, currency_of};
use super::mutation::{Stock, mutated};
use super::options::Options;
use super::others::{Material, Others, deposit_payload, open_payload};
use super::random::{Random, mix};
use super::record::{Kind, Record};
use super::sent::Sent;
use super::summary::Summary;
use super::zipf::Zipf;

/// Smallest deposit, in fen: a good 400,000 orders of average size.
const DEPOSIT_FEN_MIN: i64 = 10_000_000_000;

/// Largest amount of a plain order, in fen.
const ORDER_FEN_MAX: u64 = 50_000;

/// Smallest amount of an order that nobody can pay, in fen; the largest amount that is accepted is 10^15.
const SHORT_FEN_MIN: i64 = 900_000_000_000_000;

/// Users without account that orders are made for.
const UNKNOWN_USERS: u64 = 1_000;

/// Generates funding, then orders; deterministic, without clock.
///
/// A plain order never asks for more than its user still has, whatever else happens, so its outcome is a debit unless
/// a freeze or a cancellation comes in between.
#[derive(Debug, Clone)]
pub struct Generator {
    options: Options,
    random: Random,
    zipf: Zipf,
    /// What each user can certainly still spend, in fen; user `n` at `n - 1`.
    spendable: Vec<i64>,
    sent: Sent,
    others: Others,
    bad_turn: usize,
    next_order: u64,
    next_aside: u64,
    /// Records of funding handed out: two per user.
    funded: u64,
    /// Records of the order stream handed out.
    ordered: u64,
    pending: VecDeque<Record>,
    summary: Summary,
}

impl Generator {
    /// Creates a generator.
    ///
    /// # Errors
    /// [`LoadError::Option`] for an option outside its range.
    pub fn new(options: Options) -> Result<Self, LoadError> {
        options.validate()?;
        let spendable = (1..=options.users).map(deposit_fen).collect();
        // Order ids of different seeds do not meet: 31 bits of the seed above 32 bits of a counter.
        let next_order = ((mix(options.seed) >> 33) << 32) + 1;
        Ok(Self {
            random: Random::new(options.seed),
            zipf: Zipf::new(options.users, options.zipf),
            spendable,
            sent: Sent::default(),
            others: Others::default(),
            bad_turn: 0,
            next_order,
            next_aside: options.users + UNKNOWN_USERS + 1 + ((mix(!options.seed) >> 33) << 20),
            funded: 0,
            ordered: 0,
            pending: VecDeque::new(),
            summary: Summary::default(),
            options,
        })
    }

    /// Returns the options.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Returns what was handed out so far.
    #[must_use]
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Returns how many records of funding there are in all.
    #[must_use]
    pub fn funding_len(&self) -> u64 {
        2 * self.options.users
    }

    /// Returns the next record of funding (an account is opened, then filled), dated `timestamp_ms`.
    pub fn next_funding(&mut self, timestamp_ms: i64) -> Option<Record> {
        let user = 1 + self.funded / 2;
        if user > self.options.users {
            return None;
        }
        let (kind, event_type, payload) = if self.funded.is_multiple_of(2) {
            (Kind::Open, "OpenAccount", open_payload(user))
        } else {
            let payload = deposit_payload(user, deposit_fen(user), self.options.seed);
            (Kind::Deposit, "DepositFunds", payload)
        };
        self.funded += 1;
        let envelope = self.envelope(timestamp_ms);
        let value = envelope.wrap(event_type, &payload);
        Some(self.hand_out(self.keyed(kind, user, value, timestamp_ms)))
    }

    /// Returns the next record of the order stream or of the events around it, dated `timestamp_ms`.
    pub fn next_order(&mut self, timestamp_ms: i64) -> Option<Record> {
        if let Some(record) = self.pending.pop_front() {
            return Some(self.hand_out(record));
        }
        if self.ordered >= self.options.orders {
            return None;
        }
        self.ordered += 1;
        let mix = self.options.mix;
        let record = self.draw(timestamp_ms);
        if self.random.unit() < mix.others {
            let material = self.material(timestamp_ms);
            self.pending.extend(self.others.next(&material, &mut self.random));
        }
        Some(self.hand_out(record))
    }

    fn draw(&mut self, timestamp_ms: i64) -> Record {
        let mix = self.options.mix;
        let mut at = self.random.unit();
        let mut falls_into = |share: f64| {
            let hit = (0.0..share).contains(&at);
            at -= share;
            hit
        };
        let is_bad = falls_into(mix.bad);
        let is_duplicate = falls_into(mix.duplicates);
        let is_short = falls_into(mix.short);
        let is_unknown = falls_into(mix.unknown_users);
        let is_mutated = falls_into(mix.mutated);
        // Before the first order there is nothing to repeat: then a plain order stands in.
        let special = if is_bad {
            Some(self.bad(timestamp_ms))
        } else if is_duplicate {
            self.duplicate(timestamp_ms)
        } else if is_short {
            Some(self.short(timestamp_ms))
        } else if is_unknown {
            let user = self.options.users + 1 + self.random.below(UNKNOWN_USERS);
            let amount_fen = self.amount();
            Some(self.first_order(Kind::UnknownUser, user, amount_fen, timestamp_ms))
        } else if is_mutated {
            Some(self.mutated(timestamp_ms))
        } else {
            None
        };
        special.unwrap_or_else(|| self.plain(timestamp_ms))
    }

    fn plain(&mut self, timestamp_ms: i64) -> Record {
        let user = self.zipf.draw(&mut self.random);
        let wanted_fen = self.amount();
        match self.spend(user, wanted_fen) {
            0 => self.short(timestamp_ms),
            amount_fen => self.first_order(Kind::Order, user, amount_fen, timestamp_ms),
        }
    }

    fn short(&mut self, timestamp_ms: i64) -> Record {
        let user = self.zipf.draw(&mut self.random);
        let amount_fen = SHORT_FEN_MIN + self.amount();
        self.first_order(Kind::ShortOfFunds, user, amount_fen, timestamp_ms)
    }

    fn duplicate(&mut self, timestamp_ms: i64) -> Option<Record> {
        let mut order = self.sent.draw(&mut self.random)?;
        if self.random.one_in(2) {
            order = renewed(order, self.random.wide(), timestamp_ms);
        }
        Some(self.keyed(Kind::Duplicate, order.user, order.encode(), timestamp_ms))
    }

    fn bad(&mut self, timestamp_ms: i64) -> Record {
        let draft = Draft {
            order: self.fresh(timestamp_ms),
            earlier: self.sent.draw(&mut self.random),
            timestamp_ms,
            partitions: self.options.partitions,
        };
        // A kind that cannot be made now leaves its turn to the next one; the first kind can always be made.
        loop {
            let recipe = Recipe::of_turn(self.bad_turn);
            self.bad_turn += 1;
            if let Some(record) = recipe.and_then(|recipe| recipe.make(&draft)) {
                return record;
            }
        }
    }

    fn mutated(&mut self, timestamp_ms: i64) -> Record {
        let stock = Stock {
            fresh: self.fresh(timestamp_ms),
            earlier: self.sent.draw(&mut self.random),
            timestamp_ms,
            partitions: self.options.partitions,
        };
        mutated(&stock, &mut self.random)
    }

    fn first_order(&mut self, kind: Kind, user: u64, amount_fen: i64, timestamp_ms: i64) -> Record {
        let order = self.order_of(user, amount_fen, timestamp_ms);
        self.sent.remember(order, &mut self.random);
        self.keyed(kind, user, order.encode(), timestamp_ms)
    }

    /// Returns an order of a random user with an id of its own, without spending anything.
    fn fresh(&mut self, timestamp_ms: i64) -> Order {
        let user = self.zipf.draw(&mut self.random);
        let amount_fen = self.amount();
        let order = self.order_of(user, amount_fen, timestamp_ms);
        Order { currency: Some(currency_of(user)), ..order }
    }

    fn order_of(&mut self, user: u64, amount_fen: i64, timestamp_ms: i64) -> Order {
        let id = self.next_order;
        self.next_order += 1;
        let names_currency = user <= self.options.users && self.random.one_in(4);
        let currency = names_currency.then(|| currency_of(user));
        Order { envelope: self.envelope(timestamp_ms), id, user, amount_fen, currency }
    }

    fn material(&mut self, timestamp_ms: i64) -> Material {
        let fresh = self.fresh(timestamp_ms);
        let amount_fen = self.spend(fresh.user, 1_000);
        self.next_aside += 1;
        Material {
            user: fresh.user,
            aside: self.next_aside,
            amount_fen,
            fresh,
            earlier: self.sent.draw(&mut self.random),
            seed: self.options.seed,
            deposit_fen: deposit_fen(fresh.user),
            timestamp_ms,
            partitions: self.options.partitions,
        }
    }

    fn amount(&mut self) -> i64 {
        1 + i64::try_from(self.random.below(ORDER_FEN_MAX)).unwrap_or(0)
    }

    /// Takes up to `wanted_fen` from what a user can spend and returns how much.
    fn spend(&mut self, user: u64, wanted_fen: i64) -> i64 {
        let place = usize::try_from(user).ok().and_then(|user| user.checked_sub(1));
        let Some(left) = place.and_then(|place| self.spendable.get_mut(place)) else {
            return 0;
        };
        let amount_fen = wanted_fen.min(*left);
        *left -= amount_fen;
        amount_fen
    }

    fn envelope(&mut self, occurred_ms: i64) -> Envelope {
        Envelope { id: self.random.wide(), occurred_ms }
    }

    fn keyed(&self, kind: Kind, user: u64, value: Vec<u8>, timestamp_ms: i64) -> Record {
        let key = user.to_string().into_bytes();
        let partition = partition_for(&key, self.options.partitions);
        Record { stream: kind.stream(), partition, key: Some(key), value: Some(value), timestamp_ms, kind }
    }

    fn hand_out(&mut self, record: Record) -> Record {
        self.summary.count(&record);
        record
    }
}

/// Returns a user's deposit, the same under every seed.
fn deposit_fen(user: u64) -> i64 {
    DEPOSIT_FEN_MIN + i64::try_from(mix(user) % 1_000_000_000).unwrap_or(0)
}

#[cfg(test)]
#[path = "generator_tests.rs"]
mod tests;
