//! Connections of clients.

use std::sync::Arc;

use rama::{Context, Layer as _, Service as _};
use tansu_broker::Error as BrokerError;
use tansu_service::{BytesFrameLayer, TcpBytesLayer, TcpContext, TcpContextLayer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::CLUSTER;
use super::front::Front;

/// Serves clients until it is dropped, and ends their connections with it.
pub(super) async fn serve(listener: TcpListener, front: Front) {
    let front = Arc::new(front);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(connections.spawn(serve_one(stream, Arc::clone(&front)))),
                // A client that has gone before we came, or no file descriptor left: the next one may fare better.
                Err(error) => tracing::warn!(%error, "a connection to Kafka fails"),
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve_one(stream: TcpStream, front: Arc<Front>) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection to Kafka waits to fill packets");
    }
    let context = TcpContext::default().cluster_id(Some(CLUSTER.to_owned()));
    let layers = (TcpContextLayer::new(context), TcpBytesLayer::<()>::default(), BytesFrameLayer::default());
    let service = layers.into_layer(Front::clone(&front));
    match service.serve(Context::<()>::default(), stream).await {
        // Clients leave without a word.
        Ok(()) | Err(BrokerError::Io(_)) => {}
        Err(error) => tracing::warn!(%error, "a connection to Kafka ends"),
    }
}
