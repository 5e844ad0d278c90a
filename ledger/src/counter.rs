//! The closed list of what the ledger counts. Counted when the transaction is applied, so a redo does not
//! count twice.
//!
//! Every input that is no dead letter adds exactly 1 to exactly one of them.

use crate::reason::{DebitFailure, Rejection};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)+) => {
        $($(#[$doc])* pub(crate) const $name: &str = $text;)+

        /// All names, so that their metric series can be created at 0.
        pub const COUNTERS: &[&str] = &[$($name,)+];
    };
}

counters! {
    /// OrderCreated that was debited.
    DEBITS_SUCCEEDED = "debits_succeeded";
    /// OrderCreated without an account.
    DEBITS_ACCOUNT_NOT_FOUND = "debits_account_not_found";
    /// OrderCreated on a frozen account.
    DEBITS_ACCOUNT_FROZEN = "debits_account_frozen";
    /// OrderCreated on a closed account.
    DEBITS_ACCOUNT_CLOSED = "debits_account_closed";
    /// OrderCreated in another currency.
    DEBITS_CURRENCY_MISMATCH = "debits_currency_mismatch";
    /// OrderCreated after its cancellation.
    DEBITS_ORDER_CANCELLED = "debits_order_cancelled";
    /// OrderCreated that the account does not cover.
    DEBITS_INSUFFICIENT_BALANCE = "debits_insufficient_balance";
    /// OrderCancelled that gave money back.
    CANCELLATIONS_REFUNDED = "cancellations_refunded";
    /// OrderCancelled before its order came.
    CANCELLATIONS_REMEMBERED = "cancellations_remembered";
    /// OrderCancelled with nothing to give back: the debit failed, or was refunded in full.
    CANCELLATIONS_WITHOUT_EFFECT = "cancellations_without_effect";
    /// OrderRefundRequested that gave money back.
    REFUNDS_APPLIED = "refunds_applied";
    /// OrderPaid.
    ORDERS_PAID_IGNORED = "orders_paid_ignored";
    /// OpenAccount that opened one.
    ACCOUNTS_OPENED = "accounts_opened";
    /// DepositFunds that put money in.
    DEPOSITS_APPLIED = "deposits_applied";
    /// WithdrawFunds that took money out.
    WITHDRAWALS_APPLIED = "withdrawals_applied";
    /// FreezeAccount that froze.
    ACCOUNTS_FROZEN = "accounts_frozen";
    /// UnfreezeAccount that unfroze.
    ACCOUNTS_UNFROZEN = "accounts_unfrozen";
    /// CloseAccount that closed.
    ACCOUNTS_CLOSED = "accounts_closed";
    /// Inputs whose effect was there already: repeated orders, references, refunds, cancellations and
    /// commands.
    DUPLICATES = "duplicates";
    /// CommandRejected `ACCOUNT_EXISTS`.
    REJECTED_ACCOUNT_EXISTS = "rejected_account_exists";
    /// CommandRejected `ACCOUNT_NOT_FOUND`.
    REJECTED_ACCOUNT_NOT_FOUND = "rejected_account_not_found";
    /// CommandRejected `ACCOUNT_FROZEN`.
    REJECTED_ACCOUNT_FROZEN = "rejected_account_frozen";
    /// CommandRejected `ACCOUNT_CLOSED`.
    REJECTED_ACCOUNT_CLOSED = "rejected_account_closed";
    /// CommandRejected `CURRENCY_MISMATCH`.
    REJECTED_CURRENCY_MISMATCH = "rejected_currency_mismatch";
    /// CommandRejected `INSUFFICIENT_BALANCE`.
    REJECTED_INSUFFICIENT_BALANCE = "rejected_insufficient_balance";
    /// CommandRejected `BALANCE_NOT_ZERO`.
    REJECTED_BALANCE_NOT_ZERO = "rejected_balance_not_zero";
    /// CommandRejected `REFUND_EXCEEDS_DEBIT`.
    REJECTED_REFUND_EXCEEDS_DEBIT = "rejected_refund_exceeds_debit";
    /// CommandRejected `ORDER_NOT_DEBITED`.
    REJECTED_ORDER_NOT_DEBITED = "rejected_order_not_debited";
}

/// Returns the counter of a failed debit.
pub(crate) const fn of_failure(failure: DebitFailure) -> &'static str {
    match failure {
        DebitFailure::AccountNotFound => DEBITS_ACCOUNT_NOT_FOUND,
        DebitFailure::AccountFrozen => DEBITS_ACCOUNT_FROZEN,
        DebitFailure::AccountClosed => DEBITS_ACCOUNT_CLOSED,
        DebitFailure::CurrencyMismatch => DEBITS_CURRENCY_MISMATCH,
        DebitFailure::OrderCancelled => DEBITS_ORDER_CANCELLED,
        DebitFailure::InsufficientBalance => DEBITS_INSUFFICIENT_BALANCE,
    }
}

/// Returns the counter of a rejected command.
pub(crate) const fn of_rejection(rejection: Rejection) -> &'static str {
    match rejection {
        Rejection::AccountExists => REJECTED_ACCOUNT_EXISTS,
        Rejection::AccountNotFound => REJECTED_ACCOUNT_NOT_FOUND,
        Rejection::AccountFrozen => REJECTED_ACCOUNT_FROZEN,
        Rejection::AccountClosed => REJECTED_ACCOUNT_CLOSED,
        Rejection::CurrencyMismatch => REJECTED_CURRENCY_MISMATCH,
        Rejection::InsufficientBalance => REJECTED_INSUFFICIENT_BALANCE,
        Rejection::BalanceNotZero => REJECTED_BALANCE_NOT_ZERO,
        Rejection::RefundExceedsDebit => REJECTED_REFUND_EXCEEDS_DEBIT,
        Rejection::OrderNotDebited => REJECTED_ORDER_NOT_DEBITED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_the_counter_of_its_name() {
        for failure in DebitFailure::ALL {
            assert_eq!(of_failure(*failure), format!("debits_{}", failure.name().to_lowercase()));
        }
        for rejection in Rejection::ALL {
            assert_eq!(of_rejection(*rejection), format!("rejected_{}", rejection.name().to_lowercase()));
        }
        let mut names = COUNTERS.to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), COUNTERS.len());
    }
}
