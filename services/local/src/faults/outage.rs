//! A backend of our own that can be stopped for a while and started again where it was.

use std::fmt;
use std::pin::Pin;

use backends::{DynamoDb, Error, Postgres};
use tokio::sync::Mutex;

/// Something that is stopped in its own time.
pub(crate) trait Stop: Sized + Send {
    /// Stops it.
    fn stop(self) -> impl Future<Output = Result<(), Error>> + Send;
}

impl Stop for Postgres {
    async fn stop(self) -> Result<(), Error> {
        Postgres::stop(self).await
    }
}

impl Stop for DynamoDb {
    async fn stop(self) -> Result<(), Error> {
        DynamoDb::stop(self).await
    }
}

#[cfg(feature = "kafka")]
impl Stop for backends::Kafka {
    async fn stop(self) -> Result<(), Error> {
        backends::Kafka::stop(self).await
    }
}

type Started<T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send>>;

/// The backend, and how it is started where it was.
pub(crate) struct Restartable<T> {
    running: Mutex<Option<T>>,
    start: Box<dyn Fn() -> Started<T> + Send + Sync>,
}

impl<T: Stop> Restartable<T> {
    /// One that runs; `start` starts it again on the same port and folder.
    pub(crate) fn new<F>(running: T, start: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        Restartable { running: Mutex::new(Some(running)), start: Box::new(move || Box::pin(start())) }
    }

    /// Stops it, where it runs.
    ///
    /// # Errors
    /// As it ends with.
    pub(crate) async fn stop(&self) -> Result<(), Error> {
        match self.running.lock().await.take() {
            Some(backend) => backend.stop().await,
            None => Ok(()),
        }
    }

    /// Starts it again, where it does not run.
    ///
    /// # Errors
    /// Where the port or the folder is taken meanwhile.
    pub(crate) async fn start(&self) -> Result<(), Error> {
        let mut running = self.running.lock().await;
        if running.is_none() {
            *running = Some((self.start)().await?);
        }
        Ok(())
    }
}

impl<T> fmt::Debug for Restartable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Restartable").finish_non_exhaustive()
    }
}
