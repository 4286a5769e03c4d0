//! What a function finds around it in the cloud: its runtime API, itself to be invoked, and the keeper of its secret.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;

const ARN: &str = "arn:aws:lambda:eu-central-1:123456789012:function:product-import";

/// How an invocation ended: with its number, and what it was answered.
pub(crate) type Ended = (u64, Result<Value, Value>);

#[derive(Default)]
struct Inner {
    events: Mutex<VecDeque<Value>>,
    invoked_itself: Mutex<Vec<Value>>,
    given: Mutex<u64>,
    ended: Mutex<Vec<Ended>>,
    changed: Notify,
    time_limit: Mutex<Duration>,
    secret: String,
}

/// The server of all of it.
#[derive(Clone)]
pub(crate) struct Cloud {
    pub(crate) address: SocketAddr,
    inner: Arc<Inner>,
    _server: Arc<JoinSet<()>>,
}

impl Cloud {
    /// One in which invocations have so much time.
    pub(crate) async fn start(time_limit: Duration, secret: &str) -> Self {
        let inner =
            Arc::new(Inner { time_limit: Mutex::new(time_limit), secret: secret.to_owned(), ..Inner::default() });
        let routes = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(respond))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(fail))
            .route("/2015-03-31/functions/{arn}/invocations", post(invoke))
            .route("/", post(secret_value))
            .with_state(Arc::clone(&inner));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Cloud { address, inner, _server: Arc::new(server) }
    }

    pub(crate) fn set_time_limit(&self, limit: Duration) {
        *self.inner.time_limit.lock().unwrap() = limit;
    }

    pub(crate) fn invoke(&self, event: Value) {
        self.inner.events.lock().unwrap().push_back(event);
        self.inner.changed.notify_waiters();
    }

    /// Waits until so many invocations have ended.
    pub(crate) async fn ended(&self, count: usize) -> Vec<Ended> {
        let wait = async {
            loop {
                let changed = self.inner.changed.notified();
                let ended = self.inner.ended.lock().unwrap().clone();
                if ended.len() >= count {
                    return ended;
                }
                changed.await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), wait).await.expect("invocations end in time")
    }

    /// The events with which the function has invoked itself.
    pub(crate) fn invoked_itself(&self) -> Vec<Value> {
        self.inner.invoked_itself.lock().unwrap().clone()
    }
}

async fn next(State(inner): State<Arc<Inner>>) -> impl IntoResponse {
    let event = loop {
        let changed = inner.changed.notified();
        if let Some(event) = inner.events.lock().unwrap().pop_front() {
            break event;
        }
        changed.await;
    };
    let id = {
        let mut given = inner.given.lock().unwrap();
        *given += 1;
        *given
    };
    let end = SystemTime::now() + *inner.time_limit.lock().unwrap();
    let end = end.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("lambda-runtime-aws-request-id", id.to_string()),
        ("lambda-runtime-deadline-ms", end.to_string()),
        ("lambda-runtime-invoked-function-arn", ARN.to_owned()),
        ("lambda-runtime-trace-id", "Root=1-5759e988-bd862e3fe1be46a994272793".to_owned()),
        ("content-type", "application/json".to_owned()),
    ] {
        headers.insert(name, value.parse().unwrap());
    }
    (headers, event.to_string())
}

async fn respond(State(inner): State<Arc<Inner>>, Path(id): Path<u64>, body: String) -> StatusCode {
    inner.end(id, Ok(serde_json::from_str(&body).unwrap()))
}

async fn fail(State(inner): State<Arc<Inner>>, Path(id): Path<u64>, body: String) -> StatusCode {
    inner.end(id, Err(serde_json::from_str(&body).unwrap()))
}

async fn invoke(
    State(inner): State<Arc<Inner>>,
    Path(arn): Path<String>,
    headers: HeaderMap,
    body: String,
) -> StatusCode {
    assert_eq!((arn.as_str(), &headers["x-amz-invocation-type"]), (ARN, &"Event".parse().unwrap()));
    let event: Value = serde_json::from_str(&body).unwrap();
    inner.invoked_itself.lock().unwrap().push(event.clone());
    inner.events.lock().unwrap().push_back(event);
    inner.changed.notify_waiters();
    StatusCode::ACCEPTED
}

async fn secret_value(State(inner): State<Arc<Inner>>, headers: HeaderMap) -> impl IntoResponse {
    assert_eq!(headers["x-amz-target"], "secretsmanager.GetSecretValue");
    (
        [("content-type", "application/x-amz-json-1.1")],
        json!({"Name": "token", "SecretString": inner.secret}).to_string(),
    )
}

impl Inner {
    fn end(&self, id: u64, outcome: Result<Value, Value>) -> StatusCode {
        self.ended.lock().unwrap().push((id, outcome));
        self.changed.notify_waiters();
        StatusCode::ACCEPTED
    }
}
