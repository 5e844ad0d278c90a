//! What to generate.

use super::error::LoadError;

/// Largest number of users: their money is kept in a table of 8 bytes each.
const USERS_MAX: u64 = 50_000_000;

/// Shares of the order stream, each 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mix {
    /// Earlier orders sent again.
    pub duplicates: f64,
    /// Orders above what the user can have.
    pub short: f64,
    /// Orders of users without account.
    pub unknown_users: f64,
    /// Bad records, all kinds in turn.
    pub bad: f64,
    /// Good records with something changed at random.
    pub mutated: f64,
    /// Withdrawals, freezes, cancellations, refunds and so on. These come on top of the orders.
    pub others: f64,
}

impl Mix {
    /// The demo's shares.
    pub const DEMO: Self =
        Self { duplicates: 0.01, short: 0.02, unknown_users: 0.005, bad: 0.005, mutated: 0.0, others: 0.01 };

    /// Nothing but plain orders, for benchmarks.
    pub const PLAIN: Self =
        Self { duplicates: 0.0, short: 0.0, unknown_users: 0.0, bad: 0.0, mutated: 0.0, others: 0.0 };

    fn shares(&self) -> [(&'static str, f64); 6] {
        [
            ("duplicates", self.duplicates),
            ("short", self.short),
            ("unknown users", self.unknown_users),
            ("bad", self.bad),
            ("mutated", self.mutated),
            ("others", self.others),
        ]
    }
}

/// Everything that decides what is generated.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Seed; the same one gives the same bytes.
    pub seed: u64,
    /// Users with an account, numbered from 1.
    pub users: u64,
    /// Records of the order stream, with duplicates and bad ones, without [`Mix::others`].
    pub orders: u64,
    /// Exponent of Zipf's law over the users; 0 means all alike.
    pub zipf: f64,
    /// What the order stream is made of.
    pub mix: Mix,
    /// Partitions of both topics.
    pub partitions: u32,
}

impl Options {
    /// Checks every value.
    ///
    /// # Errors
    /// [`LoadError::Option`] naming the first value that is out of its range.
    pub fn validate(&self) -> Result<(), LoadError> {
        let refuse = |name, value: String, range| Err(LoadError::Option { name, value, range });
        if !(1..=USERS_MAX).contains(&self.users) {
            return refuse("users", self.users.to_string(), "1 to 50,000,000");
        }
        // 32 bits of an order id number the orders, 31 belong to the seed.
        if self.orders > u64::from(u32::MAX) / 2 {
            return refuse("orders", self.orders.to_string(), "0 to 2,147,483,647");
        }
        if !(0.0..=10.0).contains(&self.zipf) {
            return refuse("zipf", self.zipf.to_string(), "0 to 10");
        }
        if self.partitions == 0 {
            return refuse("partitions", "0".to_owned(), "at least 1");
        }
        for (name, share) in self.mix.shares() {
            if !(0.0..=1.0).contains(&share) {
                return refuse(name, share.to_string(), "0 to 1");
            }
        }
        let Mix { duplicates, short, unknown_users, bad, mutated, .. } = self.mix;
        let exclusive = duplicates + short + unknown_users + bad + mutated;
        if exclusive > 1.0 {
            return refuse(
                "duplicates, short, unknown users, bad and mutated together",
                exclusive.to_string(),
                "0 to 1",
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Mix, Options};

    fn options() -> Options {
        Options { seed: 1, users: 10, orders: 10, zipf: 0.0, mix: Mix::DEMO, partitions: 4 }
    }

    #[test]
    fn out_of_range_options_are_named() {
        assert!(options().validate().is_ok());
        let told = |options: Options| options.validate().unwrap_err().to_string();
        assert!(told(Options { users: 0, ..options() }).contains("users"));
        assert!(told(Options { zipf: f64::NAN, ..options() }).contains("zipf"));
        assert!(told(Options { partitions: 0, ..options() }).contains("partitions"));
        assert!(told(Options { orders: u64::MAX, ..options() }).contains("orders"));
        let mix = Mix { bad: -0.1, ..Mix::DEMO };
        assert!(told(Options { mix, ..options() }).contains("bad"));
        let mix = Mix { bad: 0.6, short: 0.6, ..Mix::DEMO };
        assert!(told(Options { mix, ..options() }).contains("together"));
    }
}
