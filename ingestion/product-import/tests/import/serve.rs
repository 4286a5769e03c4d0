//! HTTP servers that can break off a connection, which frameworks do not let one do.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// A server that ends when it is dropped, connections included.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    _tasks: JoinSet<Infallible>,
}

/// Answers on a free port. An error breaks off the connection.
pub(crate) async fn serve<F, A, B>(handle: F) -> Server
where
    F: Fn(Request<Incoming>) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = io::Result<Response<B>>> + Send + 'static,
    B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(handle.clone()));
            connections.spawn(async move { drop(connection.await) });
            while connections.try_join_next().is_some() {}
        }
    });
    Server { address, _tasks: tasks }
}
