//! DynamoDB: an emulator in this process, with its tables in a SQLite file or in memory.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use dynoxide::Database;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use crate::{Error, Lock, ports};

/// How often expired items are removed. The real one takes up to days.
const SWEEP_INTERVAL: Duration = Duration::from_secs(5);
/// How long requests in work may take to end.
const DRAIN_LIMIT: Duration = Duration::from_secs(5);
const NAME: &str = "DynamoDB";

/// An emulator that listens on 127.0.0.1. It takes any credentials, and tables of all regions are the same.
#[derive(Debug)]
pub struct DynamoDb {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<Result<(), String>>,
    sweeper: JoinHandle<()>,
    lock: Option<Lock>,
}

impl DynamoDb {
    /// Starts on a file that is there or will be, or in memory; port 0 for any.
    ///
    /// # Errors
    /// Where the port or the file is in use, or the file is no database.
    pub async fn start(path: Option<&Path>, port: u16) -> Result<Self, Error> {
        let lock = path.map(|path| Lock::take(path, &path.with_added_extension("lock"))).transpose()?;
        let (listener, address) = ports::listen_async(port, NAME)?;
        let database = open(path)?;
        let (stop, stopped) = oneshot::channel();
        let shutdown = async {
            // Told to stop, or dropped.
            let _ = stopped.await;
        };
        let server = tokio::spawn(dynoxide::server::serve_with_shutdown(listener, database.clone(), shutdown));
        let sweeper = tokio::spawn(sweep(database));
        Ok(DynamoDb { address, stop: Some(stop), server, sweeper, lock })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What clients are given as `AWS_ENDPOINT_URL_DYNAMODB`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Takes no more connections, lets requests in work end and closes the file.
    ///
    /// # Errors
    /// Where the server had failed, or a request does not end.
    pub async fn stop(mut self) -> Result<(), Error> {
        let failed = |reason: String| Error::DynamoDb { doing: "stop".to_owned(), reason };
        self.sweeper.abort();
        drop(self.stop.take());
        let result = match tokio::time::timeout(DRAIN_LIMIT, &mut self.server).await {
            Ok(Ok(result)) => result.map_err(failed),
            Ok(Err(panic)) => Err(failed(panic.to_string())),
            Err(_) => Err(failed(format!("a request has been in work for {DRAIN_LIMIT:?}"))),
        };
        drop(self.lock.take());
        result
    }
}

impl Drop for DynamoDb {
    fn drop(&mut self) {
        self.server.abort();
        self.sweeper.abort();
    }
}

fn open(path: Option<&Path>) -> Result<Database, Error> {
    let Some(path) = path else {
        return Database::memory().map_err(|error| failed("open tables in memory".to_owned(), &error));
    };
    let doing = format!("open {}", path.display());
    let Some(name) = path.to_str() else {
        return Err(Error::DynamoDb { doing, reason: "the path is not UTF-8; choose another folder".to_owned() });
    };
    Database::new(name).map_err(|error| failed(doing, &error))
}

fn failed(doing: String, error: &dyn std::fmt::Display) -> Error {
    Error::DynamoDb { doing, reason: error.to_string() }
}

/// Removes expired items on a timer: the emulator does not do it by itself.
async fn sweep(database: Database) {
    let mut timer = tokio::time::interval(SWEEP_INTERVAL);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        timer.tick().await;
        let database = database.clone();
        match tokio::task::spawn_blocking(move || database.sweep_ttl()).await {
            Ok(Ok(0)) => {}
            Ok(Ok(removed)) => tracing::debug!(removed, "expired items are removed"),
            Ok(Err(error)) => tracing::warn!(%error, "cannot remove expired items"),
            // The runtime ends.
            Err(_) => return,
        }
    }
}
