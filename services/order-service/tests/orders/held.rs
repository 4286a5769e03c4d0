//! Changes in the database that wait for the test.

use sqlx::{Connection as _, PgConnection};
use test_kit::Database;

use crate::harness::until;

/// How many wait for a [`Held`].
const WAITING: &str = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND classid = 1
                       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";

/// From now on, this kind of change of a table waits until the [`Held`] is dropped or let go.
pub(crate) async fn hold(database: &Database, trigger: &'static str) -> Held {
    let mut connection = database.connect().await;
    sqlx::query("SELECT pg_advisory_lock(1, 1)").execute(&mut connection).await.unwrap();
    let function = "CREATE OR REPLACE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
                    'BEGIN PERFORM pg_advisory_xact_lock_shared(1, 1); RETURN NEW; END'";
    database.execute(function).await;
    database.execute(trigger).await;
    Held { connection, database: database.clone() }
}

/// A change that waits for us.
pub(crate) struct Held {
    connection: PgConnection,
    database: Database,
}

impl Held {
    /// Waits until somebody wants to make the change.
    pub(crate) async fn reached(&self) {
        until("somebody waits", async || self.database.number(WAITING).await > 0).await;
    }

    /// The change is not made: whoever waits to make it was killed, which the server would notice only after it.
    pub(crate) async fn call_off(self) {
        let ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_locks
                     WHERE locktype = 'advisory' AND NOT granted AND classid = 1
                       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        until("nobody waits", async || self.database.number(ended).await == 0).await;
        self.let_go().await;
    }

    /// The change goes on.
    pub(crate) async fn let_go(self) {
        self.connection.close().await.unwrap();
    }
}
