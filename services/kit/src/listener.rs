//! A listener that can close before its connections do: nobody who got a connection is cut off.

use std::collections::VecDeque;
use std::future::pending;
use std::io;
use std::net::SocketAddr;

use axum::serve::Listener;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// Takes connections until `close`, and then those that the system had taken for it. Later ones are refused: their clients
/// know that nothing of theirs was read.
#[derive(Debug)]
pub(crate) struct ClosingListener {
    /// While it is open.
    listener: Option<TcpListener>,
    address: SocketAddr,
    close: CancellationToken,
    /// What came in before it was closed.
    left: VecDeque<(TcpStream, SocketAddr)>,
}

impl ClosingListener {
    pub(crate) fn new(listener: TcpListener, close: CancellationToken) -> io::Result<Self> {
        let address = listener.local_addr()?;
        Ok(ClosingListener { listener: Some(listener), address, close, left: VecDeque::new() })
    }
}

impl Listener for ClosingListener {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        if let Some(listener) = &mut self.listener {
            // The trait's, which logs errors and tries again.
            let accepted = self.close.run_until_cancelled(Listener::accept(listener)).await;
            if let Some(connection) = accepted {
                return connection;
            }
        }
        if let Some(listener) = self.listener.take() {
            match waiting(listener) {
                Ok(connections) => self.left = connections,
                Err(error) => tracing::warn!(%error, "connections that came at the end may be cut off"),
            }
        }
        match self.left.pop_front() {
            Some(connection) => connection,
            None => pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

/// Closes a listener, and returns the connections that nobody had accepted yet. Asks the system itself: the runtime may not
/// have heard of them.
fn waiting(listener: TcpListener) -> io::Result<VecDeque<(TcpStream, SocketAddr)>> {
    let listener = listener.into_std()?;
    let mut connections = VecDeque::new();
    loop {
        match listener.accept() {
            Ok((stream, address)) => {
                stream.set_nonblocking(true)?;
                connections.push_back((TcpStream::from_std(stream)?, address));
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(connections),
            // The client has left.
            Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted) => {}
            Err(error) => return Err(error),
        }
    }
}
