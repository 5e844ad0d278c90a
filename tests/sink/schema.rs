//! Migrations: applied once, reported, checked.

use millpond::sink::{SchemaError, check_schema, migrate};

use super::database::{Database, server};
use super::rig::run;

#[test]
fn migrations_are_applied_once_and_checked() {
    run(async {
        let name = format!("sink_schema_{}", uuid::Uuid::new_v4().simple());
        let database = Database::empty(&server(), &name).await;
        let behind = check_schema(&database.url).await.expect_err("nothing is there");
        assert!(matches!(behind, SchemaError::Behind { version: 1, .. }), "{behind}");
        assert!(behind.to_string().contains("millpond migrate"));
        let (first, second) = tokio::join!(migrate(&database.url), migrate(&database.url));
        let (first, second) = (first.expect("migrate"), second.expect("migrate at the same time"));
        assert!(first.applied.len() == 7 || second.applied.len() == 7);
        let again = migrate(&database.url).await.expect("migrate again");
        assert_eq!((again.present, again.applied.len()), (7, 0));
        check_schema(&database.url).await.expect("up to date");
        database.run("UPDATE _sqlx_migrations SET checksum = 'x' WHERE version = 2").await.expect("tamper");
        let different = check_schema(&database.url).await.expect_err("tampered");
        assert!(matches!(different, SchemaError::Different { version: 2 }), "{different}");
        database.run("DELETE FROM _sqlx_migrations WHERE version >= 2").await.expect("tamper");
        let behind = check_schema(&database.url).await.expect_err("behind");
        assert!(matches!(behind, SchemaError::Behind { version: 2, .. }), "{behind}");
    });
}
