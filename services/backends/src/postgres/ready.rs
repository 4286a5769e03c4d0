//! Whether the server answers.

use std::fs;
use std::path::Path;
use std::time::Duration;

use sqlx::{Connection as _, PgConnection};
use tokio::time::{Instant, timeout_at};

use super::Postgres;
use super::folder::last_lines;
use crate::Error;

/// How long a server may take to come up, also after a crash.
const LIMIT: Duration = Duration::from_secs(30);
/// Between two looks: a server that comes up tells nobody.
const PAUSE: Duration = Duration::from_millis(20);
/// SQLSTATE `cannot_connect_now`: it starts.
const STARTING: &str = "57P03";

/// Waits until the server takes a connection and a password.
pub(super) async fn wait(postgres: &Postgres, log: &Path) -> Result<(), Error> {
    let options = postgres.connect_options("postgres");
    let deadline = Instant::now() + LIMIT;
    loop {
        let connected = timeout_at(deadline, PgConnection::connect_with(&options)).await;
        match connected {
            Ok(Ok(connection)) => {
                let failed = |source| Error::Database { doing: "close a connection".to_owned(), source };
                return connection.close().await.map_err(failed);
            }
            _ if postgres.child.ended().is_some() => {
                return Err(Error::Program { program: "postgres", said: end_of(log) });
            }
            Err(_) => return Err(Error::NotReady { seconds: LIMIT.as_secs(), log: log.to_owned(), said: end_of(log) }),
            Ok(Err(error)) if may_pass(&error) => tokio::time::sleep(PAUSE).await,
            Ok(Err(source)) => return Err(Error::Database { doing: "let us in".to_owned(), source }),
        }
    }
}

/// Nobody listens yet, or the server is still starting.
fn may_pass(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        sqlx::Error::Database(error) => error.code().as_deref() == Some(STARTING),
        _ => false,
    }
}

fn end_of(log: &Path) -> String {
    match fs::read(log) {
        Ok(text) => last_lines(&String::from_utf8_lossy(&text)),
        Err(error) => format!("{} cannot be read: {error}", log.display()),
    }
}
