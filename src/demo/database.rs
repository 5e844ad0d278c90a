//! A database of the demo's own, beside the one that is configured.

use std::str::FromStr as _;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};

use super::error::DemoError;
use super::identity::RunId;

/// Returns `url` with another database; `None` when it is no URL with a host.
pub(super) fn with_database(url: &str, database: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let (place, query) = match rest.split_once('?') {
        Some((place, query)) => (place, format!("?{query}")),
        None => (rest, String::new()),
    };
    let host = place.split_once('/').map_or(place, |(host, _)| host);
    Some(format!("{scheme}://{host}/{database}{query}"))
}

/// A session in the configured database, from which others are made and dropped.
pub(super) struct Server(PgConnection);

impl Server {
    /// Connects.
    pub(super) async fn connect(url: &str) -> Result<Self, DemoError> {
        let options = PgConnectOptions::from_str(url).map_err(|_| DemoError::PostgresUrl)?;
        let connection = PgConnection::connect_with(&options).await;
        connection.map(Self).map_err(|source| DemoError::Postgres { during: "connecting", source })
    }

    /// Makes the database of a demo.
    pub(super) async fn create(&mut self, run: &RunId) -> Result<(), DemoError> {
        self.execute("creating a database", format!("CREATE DATABASE {}", run.database())).await
    }

    /// Drops the database of an earlier demo, if it is still there.
    pub(super) async fn drop(&mut self, run: &RunId) -> Result<(), DemoError> {
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", run.database());
        self.execute("dropping an earlier demo's database", statement).await
    }

    async fn execute(&mut self, during: &'static str, statement: String) -> Result<(), DemoError> {
        // A database's name cannot be a parameter; ours is made of digits and underscores alone.
        let done = self.0.execute(AssertSqlSafe(statement)).await;
        done.map(drop).map_err(|source| DemoError::Postgres { during, source })
    }
}

#[cfg(test)]
mod tests {
    use super::with_database;

    #[test]
    fn only_the_database_changes() {
        let cases = [
            ("postgres://u:p@h:5/old?a=b", "postgres://u:p@h:5/new?a=b"),
            ("postgres://u@h/old", "postgres://u@h/new"),
            ("postgresql://h:5", "postgresql://h:5/new"),
            ("postgres://h?host=/run/pg", "postgres://h/new?host=/run/pg"),
        ];
        for (url, expected) in cases {
            assert_eq!(with_database(url, "new").as_deref(), Some(expected));
        }
        assert_eq!(with_database("host=h dbname=d", "new"), None);
    }
}
