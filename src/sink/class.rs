//! The one table that says what to do about a database error.

use super::rows::Table;

/// What the writer must do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// The database or the way to it is unwell: back off and repeat the same batch, for ever.
    Transient,
    /// A row cannot be stored as it is: halve the batch until the offender is alone, then dead-letter it.
    Data,
    /// The rows contradict what is stored about money: stop, naming the row.
    Money,
    /// Neither repeating nor leaving out a row can help (schema missing, access denied): stop.
    Stop,
}

/// Classes `error`, which the statement about `table` met (`None`: a statement about no table of rows).
pub(super) fn class(error: &sqlx::Error, table: Option<Table>) -> Class {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => Class::Transient,
        sqlx::Error::Database(error) => {
            by_sqlstate(error.code().as_deref().unwrap_or_default(), error.constraint(), table)
        }
        _ => Class::Stop,
    }
}

/// PostgreSQL's error codes (documentation, appendix A), by class and where needed by condition.
fn by_sqlstate(code: &str, constraint: Option<&str>, table: Option<Table>) -> Class {
    let about_money = table.is_some_and(Table::holds_money);
    match (code.get(..2).unwrap_or_default(), code) {
        // Connection lost; resources; operator intervention and start-up; read-only after a fail-over;
        // serialization and deadlock; lock or idle timeout; statement timeout is 57014.
        ("08" | "53" | "57", _) | (_, "40001" | "40P01" | "25006" | "25P03" | "55P03" | "55006") => {
            Class::Transient
        }
        ("58", _) => Class::Transient,
        // Out of range in a table of money is a sum that overflows; anything malformed is a bad row.
        (_, "22003") if about_money => Class::Money,
        ("22", _) => Class::Data,
        ("23", _) if about_money || constraint.is_some_and(names_money) => Class::Money,
        ("23", _) => Class::Data,
        _ => Class::Stop,
    }
}

/// Whether a constraint, by the naming rule of the migrations, belongs to a table of money.
fn names_money(constraint: &str) -> bool {
    ["accounts_", "balance_changes_", "orders_"].iter().any(|prefix| constraint.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_code_has_its_class() {
        let money = Some(Table::Accounts);
        let letters = Some(Table::DeadLetters);
        for (code, constraint, table, expected) in [
            ("08006", None, None, Class::Transient),
            ("53100", None, money, Class::Transient),
            ("53300", None, None, Class::Transient),
            ("57P01", None, money, Class::Transient),
            ("57P03", None, None, Class::Transient),
            ("57014", None, money, Class::Transient),
            ("40001", None, money, Class::Transient),
            ("40P01", None, money, Class::Transient),
            ("25006", None, money, Class::Transient),
            ("25P03", None, None, Class::Transient),
            ("22007", None, money, Class::Data),
            ("22021", None, letters, Class::Data),
            ("22P02", None, money, Class::Data),
            ("22003", None, money, Class::Money),
            ("22003", None, letters, Class::Data),
            ("23514", Some("accounts_balance_check"), money, Class::Money),
            ("23505", Some("balance_changes_pkey"), None, Class::Money),
            ("23505", Some("dead_letters_pkey"), letters, Class::Data),
            ("42P01", None, money, Class::Stop),
            ("28P01", None, None, Class::Stop),
            ("", None, None, Class::Stop),
        ] {
            assert_eq!(by_sqlstate(code, constraint, table), expected, "{code} {constraint:?} {table:?}");
        }
    }

    #[test]
    fn a_lost_connection_is_transient() {
        let lost = sqlx::Error::Io(std::io::Error::from(std::io::ErrorKind::ConnectionRefused));
        assert_eq!(class(&lost, Some(Table::Accounts)), Class::Transient);
        assert_eq!(class(&sqlx::Error::RowNotFound, None), Class::Stop);
    }
}
