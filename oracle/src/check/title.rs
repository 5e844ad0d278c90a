//! Ids and titles of the checks.

use crate::report::Title;

pub(crate) const OUTCOMES: Title =
    Title { id: "outcomes", text: "every order has exactly one outcome, and the right one" };
pub(crate) const OUTPUTS: Title = Title { id: "outputs", text: "outputs are exact and in order, none twice" };
pub(crate) const BALANCES: Title =
    Title { id: "balances", text: "balances = fold of the input in the recorded order" };
pub(crate) const STORES: Title = Title { id: "stores", text: "changelog = RocksDB" };
pub(crate) const POSTGRES: Title = Title { id: "postgres", text: "outputs = PostgreSQL" };
pub(crate) const MONEY: Title = Title { id: "money", text: "money is conserved, versions have no gap" };
pub(crate) const DEAD_LETTERS: Title =
    Title { id: "dead-letters", text: "dead letters = bad records, with the right reason" };
pub(crate) const OFFSETS: Title = Title { id: "offsets", text: "committed offsets = applied offsets" };
pub(crate) const TALLIES: Title =
    Title { id: "tallies", text: "changelog is sound, its tallies = live keys and sums" };
pub(crate) const TRANSACTIONS: Title =
    Title { id: "transactions", text: "no transaction hangs: last stable offset = high watermark" };
pub(crate) const SINK: Title =
    Title { id: "sink", text: "sink offsets at the end, dead_letters = dead-letter topic" };
