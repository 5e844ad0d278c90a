//! A database of its own for each test, and plain questions to it.

use std::str::FromStr as _;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection as _};

/// A database on the test server.
pub(crate) struct Database {
    /// URL of the database.
    pub(crate) url: String,
}

/// URL of the server of the tests.
pub(crate) fn server() -> String {
    std::env::var("MILLPOND_TEST_POSTGRES")
        .expect("MILLPOND_TEST_POSTGRES must be the URL of a PostgreSQL, as `./dev test` sets it")
}

impl Database {
    /// Creates a database on `server` and its schema.
    pub(crate) async fn create(server: &str, name: &str) -> Self {
        let database = Self::empty(server, name).await;
        millpond::sink::migrate(&database.url).await.expect("migrate");
        database
    }

    /// Creates a database without schema.
    pub(crate) async fn empty(server: &str, name: &str) -> Self {
        let name = name.replace(['-', '.'], "_");
        let mut conn = PgConnection::connect(server).await.expect("PostgreSQL of the tests");
        let create = format!("CREATE DATABASE {name}");
        sqlx::query(AssertSqlSafe(create)).execute(&mut conn).await.expect("create database");
        let (base, _) = server.rsplit_once('/').expect("a URL with a database");
        Self { url: format!("{base}/{name}") }
    }

    pub(crate) async fn connect(&self) -> PgConnection {
        let options = PgConnectOptions::from_str(&self.url).expect("URL");
        PgConnection::connect_with(&options).await.expect("connect")
    }

    /// Rows of a query with one text column.
    pub(crate) async fn rows(&self, sql: &str) -> Vec<String> {
        let mut conn = self.connect().await;
        sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_all(&mut conn).await.expect(sql)
    }

    /// Runs several statements.
    pub(crate) async fn script(&self, sql: &str) {
        let mut conn = self.connect().await;
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut conn).await.expect(sql);
    }

    /// Runs a statement; the error, if any, as text.
    pub(crate) async fn run(&self, sql: &str) -> Result<u64, String> {
        let mut conn = self.connect().await;
        let done = sqlx::query(AssertSqlSafe(sql.to_owned())).execute(&mut conn).await;
        done.map(|done| done.rows_affected()).map_err(|error| error.to_string())
    }
}
