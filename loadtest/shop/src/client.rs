//! Calls as the documentation tells clients to make them: what may pass is sent again, and everything else is a finding.

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::books::Books;

/// How long an answer may take: longer than any service needs to say that it took too long.
const TIME_LIMIT: Duration = Duration::from_secs(40);
/// How long a connection is kept that nobody uses: less than the gateway drains, so that it is never closed under a request.
const IDLE_LIMIT: Duration = Duration::from_secs(1);
/// How long a call is sent again until it is given up.
const PATIENCE: Duration = Duration::from_secs(90);
/// The pause after a refused connection, for which nobody names one.
const AFTER_REFUSAL: Duration = Duration::from_millis(100);

/// A client of the gateway.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    books: Arc<Books>,
}

/// What is sent.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// What the call is for, in the report.
    pub(crate) what: &'static str,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Option<Value>,
    /// Statuses beside 2xx that belong to the shop's business, such as too little stock.
    pub(crate) expected: &'static [u16],
}

impl Call {
    pub(crate) fn new(what: &'static str, method: Method, path: impl Into<String>) -> Self {
        Call { what, method, path: path.into(), headers: Vec::new(), body: None, expected: &[] }
    }

    pub(crate) fn get(what: &'static str, path: impl Into<String>) -> Self {
        Call::new(what, Method::GET, path)
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    pub(crate) fn header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(crate) fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    pub(crate) fn expecting(self, expected: &'static [u16]) -> Self {
        Call { expected, ..self }
    }
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

/// What came of sending a request once.
enum Sent {
    Answered(Answer),
    /// It may be sent again after this time, for this reason.
    Again(&'static str, Duration),
    /// Nothing that a client was promised.
    Broken(String),
}

impl Client {
    pub(crate) fn new(base: &str, books: Arc<Books>) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder().timeout(TIME_LIMIT).pool_idle_timeout(IDLE_LIMIT).build()?;
        Ok(Client { http, base: base.to_owned(), books })
    }

    /// Sends a request until it is answered. `None` where that did not happen, which is in the books then.
    pub(crate) async fn call(&self, call: &Call) -> Option<Answer> {
        let began = Instant::now();
        let mut attempts = 0;
        loop {
            let sent_at = Instant::now();
            attempts += 1;
            match self.send(call).await {
                Sent::Answered(answer) => {
                    self.books.answered(call.what, sent_at.elapsed(), attempts);
                    return Some(answer);
                }
                Sent::Again(why, wait) => {
                    self.books.failed(call.what, why);
                    if began.elapsed() > PATIENCE {
                        self.books
                            .finding(format!("{} {}: given up after {attempts} attempts", call.method, call.path));
                        return None;
                    }
                    tokio::time::sleep(wait).await;
                }
                Sent::Broken(what) => {
                    self.books.finding(format!("{} {}: {what}", call.method, call.path));
                    return None;
                }
            }
        }
    }

    async fn send(&self, call: &Call) -> Sent {
        let mut request = self.http.request(call.method.clone(), format!("{}{}", self.base, call.path));
        for (name, value) in &call.headers {
            request = request.header(*name, value);
        }
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) if error.is_connect() => return Sent::Again("connection refused", AFTER_REFUSAL),
            Err(error) => return Sent::Broken(service_kit::causes(&error)),
        };
        let (status, wait) = (response.status(), retry_after(response.headers()));
        let body = match response.bytes().await {
            Ok(body) => body,
            Err(error) => return Sent::Broken(format!("{status}, cut off: {}", service_kit::causes(&error))),
        };
        let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        match (status, wait) {
            _ if status.is_success() || call.expected.contains(&status.as_u16()) && !is_running(&body) => {
                Sent::Answered(Answer { status: status.as_u16(), body })
            }
            (StatusCode::SERVICE_UNAVAILABLE, Some(wait)) => Sent::Again("503 with Retry-After", wait),
            // Only after a failure: the attempt before is still at work.
            (StatusCode::CONFLICT, Some(wait)) if is_running(&body) => Sent::Again("409 request-in-progress", wait),
            _ => Sent::Broken(format!("{status}: {body}")),
        }
    }
}

fn is_running(body: &Value) -> bool {
    body["type"] == "/problems/request-in-progress"
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok().map(Duration::from_secs)
}

/// Waits, unless the load ends first; whether it goes on.
pub(crate) async fn think(time: Duration, end: &CancellationToken) -> bool {
    end.run_until_cancelled(tokio::time::sleep(time)).await.is_some()
}
