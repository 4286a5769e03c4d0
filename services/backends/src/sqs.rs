//! SQS: an emulator in this process, with its messages in memory.
//!
//! Queues and messages end with the process: whoever sends to it may have sent messages that nobody will receive.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::response::Response;
use serde_json::json;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use winterbaume_core::{MockRequest, MockService as _, default_account_id};
use winterbaume_sqs::SqsService;

use crate::{Error, ports};

const NAME: &str = "SQS";
/// The header that names the operation (AWS JSON protocol 1.0).
const TARGET: &str = "x-amz-target";
/// How long requests in work may take to end: a little longer than the longest poll.
const DRAIN_LIMIT: Duration = Duration::from_secs(21);

/// An emulator that listens on 127.0.0.1. It takes any credentials.
#[derive(Debug)]
pub struct Sqs {
    address: SocketAddr,
    service: Service,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<std::io::Result<()>>,
}

#[derive(Clone)]
struct Service(Arc<SqsService>);

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SqsService")
    }
}

impl Sqs {
    /// Starts without queues; port 0 for any.
    ///
    /// # Errors
    /// Where the port is in use.
    pub async fn start(port: u16) -> Result<Self, Error> {
        let (listener, address) = ports::listen_async(port, NAME)?;
        let service = Service(Arc::new(SqsService::new()));
        let answering = service.clone();
        let answer = move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
            let service = answering.clone();
            async move { service.answer(&method, &uri, headers, body).await }
        };
        let routes = Router::new().fallback(answer);
        let (stop, stopped) = oneshot::channel();
        let shutdown = async {
            // Told to stop, or dropped.
            let _ = stopped.await;
        };
        let server = tokio::spawn(axum::serve(listener, routes).with_graceful_shutdown(shutdown).into_future());
        Ok(Sqs { address, service, stop: Some(stop), server })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What clients are given as `AWS_ENDPOINT_URL_SQS`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Makes a queue, which keeps the order of messages and drops repeated ones where its name ends with `.fifo`, and returns
    /// its URL.
    ///
    /// # Errors
    /// A name that no queue can have.
    pub async fn create_queue(&self, name: &str) -> Result<String, Error> {
        let is_fifo = std::path::Path::new(name).extension().is_some_and(|extension| extension == "fifo");
        let attributes = if is_fifo { json!({"FifoQueue": "true"}) } else { json!({}) };
        let body = json!({"QueueName": name, "Attributes": attributes}).to_string();
        let target = (HeaderName::from_static(TARGET), HeaderValue::from_static("AmazonSQS.CreateQueue"));
        let headers = HeaderMap::from_iter([target]);
        let answer = self.service.0.handle(request(&Method::POST, &Uri::default(), headers, body.into())).await;
        if answer.status != 200 {
            let reason = String::from_utf8_lossy(&answer.body).into_owned();
            return Err(Error::Sqs { doing: format!("create the queue {name}"), reason });
        }
        Ok(format!("{}/{}/{name}", self.endpoint(), default_account_id()))
    }

    /// Takes no more connections and lets requests in work end.
    ///
    /// # Errors
    /// Where the server had failed, or a request does not end.
    pub async fn stop(mut self) -> Result<(), Error> {
        let failed = |reason: String| Error::Sqs { doing: "stop".to_owned(), reason };
        drop(self.stop.take());
        match tokio::time::timeout(DRAIN_LIMIT, &mut self.server).await {
            Ok(Ok(result)) => result.map_err(|error| failed(error.to_string())),
            Ok(Err(panic)) => Err(failed(panic.to_string())),
            Err(_) => Err(failed(format!("a request has been in work for {DRAIN_LIMIT:?}"))),
        }
    }
}

impl Drop for Sqs {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Service {
    async fn answer(&self, method: &Method, uri: &Uri, headers: HeaderMap, body: Bytes) -> Response {
        let answer = self.0.handle(request(method, uri, headers, body)).await;
        let mut response = Response::new(Body::from(answer.body));
        *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        *response.headers_mut() = answer.headers;
        response
    }
}

fn request(method: &Method, uri: &Uri, headers: HeaderMap, body: Bytes) -> MockRequest {
    MockRequest { method: method.to_string(), uri: uri.to_string(), headers, body }
}
