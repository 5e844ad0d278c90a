//! Identifiers of users and orders.

macro_rules! id {
    ($name:ident, $doc:literal) => {
        #[doc = $doc]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u64);

        impl $name {
            /// The greatest id: what a signed 64-bit column of a database holds.
            pub const MAX: u64 = (1 << 63) - 1;

            /// Returns the id, or `None` when it is 0 or above [`Self::MAX`].
            #[must_use]
            pub const fn new(id: u64) -> Option<Self> {
                if 1 <= id && id <= Self::MAX { Some(Self(id)) } else { None }
            }

            /// Returns the number.
            #[must_use]
            pub const fn get(self) -> u64 {
                self.0
            }
        }
    };
}

id!(UserId, "Identifies a user and the user's one account.");
id!(OrderId, "Identifies an order of a user.");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_fit_a_signed_column_and_are_never_zero() {
        assert_eq!(UserId::new(0), None);
        assert_eq!(OrderId::new(1).map(OrderId::get), Some(1));
        assert_eq!(UserId::new(u64::MAX / 2).map(UserId::get), Some(9_223_372_036_854_775_807));
        assert_eq!(UserId::new(u64::MAX / 2 + 1), None);
    }
}
