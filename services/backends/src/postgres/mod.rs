//! PostgreSQL: the server of the system, as a child process on a data folder of its own.
//!
//! The server ends when it is told to, when the value is dropped, and, by the system, when this process dies: nothing is
//! left behind, and whatever it has acknowledged is there at the next start.

mod child;
mod folder;
mod programs;
mod ready;

use std::fs;
use std::path::{Path, PathBuf};

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use self::child::Child;
use self::programs::Programs;
use crate::{Error, Lock, ports};

/// The superuser, whose password is made up for each data folder.
const USER: &str = "footfall";
const HOST: &str = "127.0.0.1";
const NAME: &str = "PostgreSQL";
/// SQLSTATE `duplicate_database`.
const DUPLICATE_DATABASE: &str = "42P04";

/// A server that listens on 127.0.0.1.
#[derive(Debug)]
pub struct Postgres {
    port: u16,
    password: String,
    child: Child,
    _lock: Lock,
}

impl Postgres {
    /// Starts a server on a data folder, which is made where it is not there, and waits until it answers. Without a port
    /// a free one is chosen. Beside the folder, its name with `.log` at the end is the server's log.
    ///
    /// # Errors
    /// Where PostgreSQL is not installed, the port or the folder is in use, or the server does not come up; with what it
    /// said last.
    pub async fn start(data: &Path, port: Option<u16>) -> Result<Self, Error> {
        let (data, log) = (absolute(data)?, beside(data, "log"));
        let programs = Programs::find()?;
        let lock = Lock::take(&data, &beside(&data, "lock"))?;
        // The server of a process that has died may have the port as well as the folder.
        folder::wait_until_free(&data).await?;
        let port = ports::choose(port, NAME)?;
        let password = {
            let (programs, data) = (programs.clone(), data.clone());
            blocking(move || folder::prepare(&programs, &data)).await?
        };
        // Where the next start looks for what went wrong; one run's log is enough.
        let output = fs::File::create(&log).map_err(Error::at("write", &log))?;
        let child = Child::spawn(programs.server(&data, port), output)?;
        let postgres = Postgres { port, password, child, _lock: lock };
        ready::wait(&postgres, &log).await?;
        Ok(postgres)
    }

    /// The host to connect to.
    #[must_use]
    pub const fn host(&self) -> &'static str {
        HOST
    }

    /// The port to connect to.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The superuser.
    #[must_use]
    pub const fn user(&self) -> &'static str {
        USER
    }

    /// The superuser's password, made up for this data folder.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The server's process.
    #[must_use]
    pub const fn process_id(&self) -> i32 {
        self.child.process_id()
    }

    /// How a database of this server is connected to.
    #[must_use]
    pub fn connect_options(&self, database: &str) -> PgConnectOptions {
        // `new_without_pgpass`: the file and the variables are about other servers.
        PgConnectOptions::new_without_pgpass()
            .host(HOST)
            .port(self.port)
            .username(USER)
            .password(&self.password)
            .database(database)
            .ssl_mode(PgSslMode::Disable)
    }

    /// Makes a database where it is not there.
    ///
    /// # Errors
    /// [`Error::DatabaseName`] for a name that would have to be quoted; where the server refuses.
    pub async fn create_database(&self, name: &str) -> Result<(), Error> {
        if !is_plain(name) {
            return Err(Error::DatabaseName { name: name.to_owned() });
        }
        let failed = |source| Error::Database { doing: format!("create the database {name}"), source };
        let mut connection = PgConnection::connect_with(&self.connect_options("postgres")).await.map_err(failed)?;
        // A name cannot be a parameter; this one needs no quotes.
        let result = sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut connection).await;
        connection.close().await.map_err(failed)?;
        match result {
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(DUPLICATE_DATABASE) => Ok(()),
            result => result.map(drop).map_err(failed),
        }
    }

    /// Ends the server: clients are cut off, what they have committed is kept.
    ///
    /// # Errors
    /// Where it has ended by itself before.
    pub async fn stop(self) -> Result<(), Error> {
        blocking(move || self.child.stop()).await
    }
}

fn is_plain(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=63).contains(&name.len()) && name.bytes().all(is_allowed) && !name.starts_with(|c: char| c.is_ascii_digit())
}

/// `<data>.<ending>`, in the same folder.
fn beside(data: &Path, ending: &str) -> PathBuf {
    data.with_added_extension(ending)
}

fn absolute(data: &Path) -> Result<PathBuf, Error> {
    std::path::absolute(data).map_err(Error::at("find", data))
}

/// Runs what waits for files and processes on a thread where that holds nobody up.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    let lost = |error: tokio::task::JoinError| Error::Io { doing: "finish".to_owned(), source: error.into() };
    tokio::task::spawn_blocking(work).await.map_err(lost)?
}

#[cfg(test)]
mod tests {
    use super::is_plain;

    #[test]
    fn a_database_name_that_would_need_quotes_is_not_plain() {
        let names = ["footfall", "product_catalog", "_a1"];
        assert!(names.into_iter().all(is_plain));
        let (long, just) = ("a".repeat(64), "a".repeat(63));
        assert!(is_plain(&just));
        let names = ["", "1a", "A", "a-b", "a b", "a;b", "a\"", "ä", &long];
        assert!(!names.into_iter().any(is_plain));
    }
}
