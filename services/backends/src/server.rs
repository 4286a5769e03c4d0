//! An HTTP server of an emulator, until it is told to stop or dropped.

use std::future::IntoFuture as _;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::{Error, ports};

/// Routes that are served on 127.0.0.1.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<std::io::Result<()>>,
}

impl Server {
    /// Serves on this port for `backend`; port 0 for any.
    ///
    /// # Errors
    /// Where the port is in use.
    pub(crate) fn start(port: u16, backend: &'static str, routes: Router) -> Result<Self, Error> {
        let (listener, address) = ports::listen_async(port, backend)?;
        let (stop, stopped) = oneshot::channel();
        let shutdown = async {
            // Told to stop, or dropped.
            let _ = stopped.await;
        };
        let task = tokio::spawn(axum::serve(listener, routes).with_graceful_shutdown(shutdown).into_future());
        Ok(Server { address, stop: Some(stop), task })
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Takes no more connections and lets requests in work end, which may take so long.
    ///
    /// # Errors
    /// The reason, where the server had failed or a request does not end.
    pub(crate) async fn stop(mut self, limit: Duration) -> Result<(), String> {
        drop(self.stop.take());
        match tokio::time::timeout(limit, &mut self.task).await {
            Ok(Ok(result)) => result.map_err(|error| error.to_string()),
            Ok(Err(panic)) => Err(panic.to_string()),
            Err(_) => Err(format!("a request has been in work for {limit:?}")),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}
