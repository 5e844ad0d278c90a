//! The schema: embedded migrations, applied or checked.

use std::str::FromStr;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection as _, Row as _};

/// All migrations, forward only, as they were when this was compiled.
static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// One migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Number at the front of the file's name.
    pub version: i64,
    /// The rest of the file's name.
    pub description: String,
}

/// What [`migrate`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Migrations that had been applied before.
    pub present: usize,
    /// Migrations applied now, in order.
    pub applied: Vec<Applied>,
}

/// Why the schema could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The URL is malformed or the database cannot be reached.
    #[error("PostgreSQL cannot be reached: {0}")]
    Connect(#[source] sqlx::Error),
    /// A migration failed, or an applied one is not what this program has.
    #[error("the schema cannot be migrated: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The list of applied migrations cannot be read.
    #[error("the list of applied migrations cannot be read: {0}")]
    List(#[source] sqlx::Error),
}

/// Why the schema is not the one this program needs.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// The URL is malformed or the database cannot be reached.
    #[error("PostgreSQL cannot be reached: {0}")]
    Connect(#[source] sqlx::Error),
    /// The list of applied migrations cannot be read.
    #[error("the list of applied migrations cannot be read: {0}")]
    List(#[source] sqlx::Error),
    /// Migrations are missing.
    #[error("the schema lacks migration {version:04} ({description}): run `millpond migrate`")]
    Behind {
        /// First missing version.
        version: i64,
        /// What it does.
        description: String,
    },
    /// The database was migrated by a newer program.
    #[error("the schema has migration {version:04}, which this program does not know: use the newer program")]
    Ahead {
        /// First unknown version.
        version: i64,
    },
    /// An applied migration is not the one this program has, or it did not finish.
    #[error("migration {version:04} in the database is not the one of this program, or did not finish")]
    Different {
        /// Its version.
        version: i64,
    },
}

async fn connect(url: &str) -> Result<PgConnection, sqlx::Error> {
    PgConnection::connect_with(&PgConnectOptions::from_str(url)?).await
}

/// Applied migrations: version, checksum, success.
async fn applied(conn: &mut PgConnection) -> Result<Vec<(i64, Vec<u8>, bool)>, sqlx::Error> {
    const EXISTS: &str = "SELECT to_regclass('_sqlx_migrations') IS NOT NULL";
    const SELECT: &str = "SELECT version, checksum, success FROM _sqlx_migrations ORDER BY version";
    let exists: bool = sqlx::query_scalar(EXISTS).fetch_one(&mut *conn).await?;
    if !exists {
        return Ok(Vec::new());
    }
    let rows = sqlx::query(SELECT).fetch_all(conn).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))).collect()
}

/// Brings the schema at `url` up to date and says what that took. Safe to run from several processes at once.
///
/// # Errors
/// [`MigrateError`]; every migration is a transaction of its own, so those before the failed one stay.
pub async fn migrate(url: &str) -> Result<Report, MigrateError> {
    let mut conn = connect(url).await.map_err(MigrateError::Connect)?;
    let before = applied(&mut conn).await.map_err(MigrateError::List)?;
    MIGRATIONS.run(&mut conn).await?;
    let is_new = |version: i64| before.iter().all(|(known, ..)| *known != version);
    let new = MIGRATIONS.iter().filter(|migration| is_new(migration.version));
    let applied = new
        .map(|migration| Applied {
            version: migration.version,
            description: migration.description.clone().into_owned(),
        })
        .collect();
    // Everything is committed; a failed farewell changes nothing.
    let _ = conn.close().await;
    Ok(Report { present: before.len(), applied })
}

/// Checks that the schema at `url` is exactly the one this program was compiled with. Changes nothing.
///
/// # Errors
/// [`SchemaError`] naming the first difference.
pub async fn check_schema(url: &str) -> Result<(), SchemaError> {
    let mut conn = connect(url).await.map_err(SchemaError::Connect)?;
    let applied = applied(&mut conn).await.map_err(SchemaError::List)?;
    // Only read; a failed farewell changes nothing.
    let _ = conn.close().await;
    for migration in MIGRATIONS.iter() {
        let version = migration.version;
        match applied.iter().find(|(found, ..)| *found == version) {
            None => {
                let description = migration.description.clone().into_owned();
                return Err(SchemaError::Behind { version, description });
            }
            Some((_, checksum, success)) if !success || *checksum != *migration.checksum => {
                return Err(SchemaError::Different { version });
            }
            Some(_) => {}
        }
    }
    match applied.iter().find(|(version, ..)| !MIGRATIONS.version_exists(*version)) {
        Some((version, ..)) => Err(SchemaError::Ahead { version: *version }),
        None => Ok(()),
    }
}
