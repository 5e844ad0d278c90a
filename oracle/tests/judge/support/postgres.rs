//! A database of its own with the sink's tables, filled by hand.

use std::path::Path;

use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor};

fn server() -> String {
    std::env::var("MILLPOND_TEST_POSTGRES")
        .expect("MILLPOND_TEST_POSTGRES names a real PostgreSQL, see ./dev test")
}

/// Creates a database with the project's migrations and returns its address.
pub(crate) async fn create_database(name: &str) -> String {
    let mut connection = PgConnection::connect(&server()).await.unwrap();
    connection.execute(AssertSqlSafe(format!("CREATE DATABASE \"{name}\""))).await.unwrap();
    let server = server();
    let (address, parameters) = server.split_once('?').unwrap_or((&server, ""));
    let (front, _) = address.rsplit_once('/').unwrap();
    let url = format!("{front}/{name}?{parameters}");
    let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations");
    let mut connection = PgConnection::connect(&url).await.unwrap();
    Migrator::new(migrations).await.unwrap().run(&mut connection).await.unwrap();
    url
}

pub(crate) async fn drop_database(name: &str) {
    let mut connection = PgConnection::connect(&server()).await.unwrap();
    connection.execute(AssertSqlSafe(format!("DROP DATABASE \"{name}\" WITH (FORCE)"))).await.unwrap();
}

/// Executes statements in one transaction.
pub(crate) async fn execute(url: &str, statements: String) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    connection.execute(AssertSqlSafe(statements)).await.unwrap();
}
