//! The closed lists of reasons: why an input is a dead letter, why a debit failed, why a command was
//! rejected.
//!
//! The names are stable and are metric labels; `ALL` lets their series be created at 0. Table:
//! `docs/validation.md`.

use std::fmt;

macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident => $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// All reasons, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Returns the stable name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

reasons! {
    /// Says why an input is a dead letter, in the order of the checks. The first four are found before the
    /// ledger sees the record.
    DeadLetter {
        /// The record's timestamp is negative or too far ahead of the host's clock.
        InvalidTimestamp => "INVALID_TIMESTAMP",
        /// The value is null.
        NullValue => "NULL_VALUE",
        /// The value is longer than [`crate::VALUE_BYTES_MAX`].
        TooLarge => "TOO_LARGE",
        /// The key is null or empty.
        MissingKey => "MISSING_KEY",
        /// The value is not exactly one JSON text of RFC 8259, or nests too deep.
        NotJson => "NOT_JSON",
        /// The top level is not an object.
        NotAnObject => "NOT_AN_OBJECT",
        /// An object has the same key twice.
        DuplicateField => "DUPLICATE_FIELD",
        /// A required field is absent.
        MissingField => "MISSING_FIELD",
        /// A field has the wrong type, or a value out of range that is not an amount.
        BadField => "BAD_FIELD",
        /// An amount is an integer out of range.
        AmountOutOfRange => "AMOUNT_OUT_OF_RANGE",
        /// The event type is not one of this topic's.
        UnknownEventType => "UNKNOWN_EVENT_TYPE",
        /// The record's key is not the payload's user id.
        KeyMismatch => "KEY_MISMATCH",
        /// The record's partition is not its key's.
        WrongPartition => "WRONG_PARTITION",
        /// An order id came again with another amount.
        OrderConflict => "ORDER_CONFLICT",
        /// A sum would leave 64 bits.
        Arithmetic => "ARITHMETIC",
    }
}

reasons! {
    /// Says why an order's debit failed: a business result, never a dead letter.
    DebitFailure {
        /// The user has no account.
        AccountNotFound => "ACCOUNT_NOT_FOUND",
        /// The account is frozen.
        AccountFrozen => "ACCOUNT_FROZEN",
        /// The account is closed.
        AccountClosed => "ACCOUNT_CLOSED",
        /// The order names another currency than the account's.
        CurrencyMismatch => "CURRENCY_MISMATCH",
        /// The order was cancelled before it came.
        OrderCancelled => "ORDER_CANCELLED",
        /// Balance and overdraft do not cover the amount.
        InsufficientBalance => "INSUFFICIENT_BALANCE",
    }
}

reasons! {
    /// Says why a command or a refund was rejected.
    Rejection {
        /// The account is there with other terms.
        AccountExists => "ACCOUNT_EXISTS",
        /// The user has no account.
        AccountNotFound => "ACCOUNT_NOT_FOUND",
        /// The account is frozen.
        AccountFrozen => "ACCOUNT_FROZEN",
        /// The account is closed.
        AccountClosed => "ACCOUNT_CLOSED",
        /// The command names another currency than the account's.
        CurrencyMismatch => "CURRENCY_MISMATCH",
        /// Balance and overdraft do not cover the amount.
        InsufficientBalance => "INSUFFICIENT_BALANCE",
        /// An account is closed only at balance 0.
        BalanceNotZero => "BALANCE_NOT_ZERO",
        /// More is asked back than is left of the debit.
        RefundExceedsDebit => "REFUND_EXCEEDS_DEBIT",
        /// The order was not debited.
        OrderNotDebited => "ORDER_NOT_DEBITED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_screaming() {
        let lists = [
            DeadLetter::ALL.iter().map(|reason| reason.name()).collect::<Vec<_>>(),
            DebitFailure::ALL.iter().map(|reason| reason.name()).collect(),
            Rejection::ALL.iter().map(|reason| reason.name()).collect(),
        ];
        assert_eq!(lists.each_ref().map(Vec::len), [15, 6, 9]);
        for mut list in lists {
            assert!(
                list.iter().all(|name| name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')),
                "{list:?}"
            );
            let before = list.len();
            list.sort_unstable();
            list.dedup();
            assert_eq!(list.len(), before);
        }
    }
}
