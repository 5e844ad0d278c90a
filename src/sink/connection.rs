//! One database connection per writer, opened again when lost.

use std::str::FromStr;

use sqlx::Connection as _;
use sqlx::Error;
use sqlx::postgres::{PgConnectOptions, PgConnection};

/// Ends the session of a sink that stopped responding in the middle of a transaction (a paused process), so
/// that the row lock it holds does not keep its successor waiting; and bounds every wait for a lock, so that a lock that
/// somebody else holds is soon said in `/readyz`. The batch is tried again for as long as it takes.
const SESSION: &str = "SET idle_in_transaction_session_timeout = '10s'; SET lock_timeout = '5s'; \
    SET TIME ZONE 'UTC'";

/// A connection that is opened on demand and thrown away after a failure.
pub(super) struct Connection {
    options: PgConnectOptions,
    open: Option<PgConnection>,
}

impl Connection {
    /// Parses `url`; opens nothing yet.
    ///
    /// # Errors
    /// [`Error::Configuration`] for a malformed URL.
    pub(super) fn new(url: &str, sink: &str) -> Result<Self, Error> {
        let options = PgConnectOptions::from_str(url)?.application_name(sink);
        Ok(Self { options, open: None })
    }

    /// Returns the open connection, opening one when there is none.
    pub(super) async fn get(&mut self) -> Result<&mut PgConnection, Error> {
        let open = match self.open.take() {
            Some(open) => open,
            None => {
                let mut new = PgConnection::connect_with(&self.options).await?;
                sqlx::raw_sql(SESSION).execute(&mut new).await?;
                new
            }
        };
        Ok(self.open.insert(open))
    }

    /// Throws the connection away without a word to the server, which may no longer answer.
    pub(super) fn discard(&mut self) {
        self.open = None;
    }

    /// Closes the connection politely.
    pub(super) async fn close(&mut self) {
        if let Some(open) = self.open.take() {
            // Nothing is lost when the server does not hear it: every transaction has ended.
            let _ = open.close().await;
        }
    }
}
