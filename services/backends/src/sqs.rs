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
use winterbaume_core::{MockRequest, MockService as _, default_account_id};
use winterbaume_sqs::SqsService;

use crate::Error;
use crate::server::Server;

const NAME: &str = "SQS";
/// The header that names the operation (AWS JSON protocol 1.0).
const TARGET: &str = "x-amz-target";
/// How long requests in work may take to end: a little longer than the longest poll.
const DRAIN_LIMIT: Duration = Duration::from_secs(21);

/// An emulator that listens on 127.0.0.1. It takes any credentials.
#[derive(Debug)]
pub struct Sqs {
    service: Service,
    server: Server,
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
        let service = Service(Arc::new(SqsService::new()));
        let answering = service.clone();
        let answer = move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
            let service = answering.clone();
            async move { service.answer(&method, &uri, headers, body).await }
        };
        let routes = Router::new().fallback(answer);
        Ok(Sqs { service, server: Server::start(port, NAME, routes)? })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// What clients are given as `AWS_ENDPOINT_URL_SQS`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.server.endpoint()
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
    pub async fn stop(self) -> Result<(), Error> {
        let stopped = self.server.stop(DRAIN_LIMIT).await;
        stopped.map_err(|reason| Error::Sqs { doing: "stop".to_owned(), reason })
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
