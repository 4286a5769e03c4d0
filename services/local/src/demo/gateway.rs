//! The gateway as the demo calls it: by the rules that the documentation gives to clients (`docs/guides/retry-safely.md`).

use std::time::Duration;

use axum::body::Bytes;
use rand::RngExt as _;
use reqwest::header::RETRY_AFTER;
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use service_kit::Error;
use tokio::time::Instant;

/// How long one answer may take: longer than any service needs to say that it took too long.
const TIME_LIMIT: Duration = Duration::from_secs(15);
/// The pauses between attempts where no answer names one: they double from the first to the last.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));
/// A pause that an answer names is waited for, up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Where the gateway is, and what it knows us by.
#[derive(Clone)]
pub(crate) struct Gateway {
    client: Client,
    url: String,
    admin_token: String,
    write_key: String,
}

/// A whole answer that another attempt would not change.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

impl Gateway {
    pub(crate) fn new(url: &str, admin_token: &str, write_key: &str) -> Result<Self, Error> {
        Ok(Gateway {
            client: service_kit::client::new()?,
            url: url.to_owned(),
            admin_token: admin_token.to_owned(),
            write_key: write_key.to_owned(),
        })
    }

    /// Makes something, once: the same key makes nothing twice.
    ///
    /// # Errors
    /// What keeps it from being made, once nobody has answered for `patience`.
    pub(super) async fn make(&self, path: &str, key: &str, body: &Value, patience: Duration) -> Result<Answer, String> {
        let request = self.client.post(format!("{}{path}", self.url)).bearer_auth(&self.admin_token);
        persist(request.header("idempotency-key", key).json(body), patience).await
    }

    /// Sends events: an array of JSON. To send them again is harmless.
    ///
    /// # Errors
    /// What keeps them from being taken, once nobody has answered for `patience`.
    pub(super) async fn send_events(&self, array: Vec<u8>, patience: Duration) -> Result<Answer, String> {
        let request = self.client.post(format!("{}/events", self.url)).header("x-write-key", &self.write_key);
        persist(request.header("content-type", "application/json").body(array), patience).await
    }

    /// Reads once. An answer that says that something is missing is one too.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) async fn get(&self, path: &str) -> Result<Answer, String> {
        let sent = self.client.get(format!("{}{path}", self.url)).timeout(TIME_LIMIT).send().await;
        read(sent.map_err(|error| service_kit::causes(&error))?).await
    }
}

impl Answer {
    /// What the answer says, for people: the detail of a problem.
    pub(crate) fn said(&self) -> String {
        let problem: Option<Value> = serde_json::from_slice(&self.body).ok();
        let detail = problem.as_ref().and_then(|problem| problem["detail"].as_str()).unwrap_or("no problem document");
        format!("{}: {detail}", self.status.as_u16())
    }
}

/// Sends a request again and again until there is an answer that stands, or until `patience` is over.
async fn persist(request: RequestBuilder, patience: Duration) -> Result<Answer, String> {
    let request = request.timeout(TIME_LIMIT);
    let deadline = Instant::now() + patience;
    let mut pause = PAUSES.0;
    loop {
        let attempt = request.try_clone().ok_or_else(|| "a body that is a stream cannot be sent again".to_owned())?;
        let (problem, wanted) = match attempt.send().await {
            Ok(response) => {
                let wanted = wanted_pause(&response);
                let answer = read(response).await;
                match answer {
                    Ok(answer) if !may_change(&answer, wanted) => return Ok(answer),
                    Ok(answer) => (answer.said(), wanted),
                    Err(problem) => (problem, None),
                }
            }
            Err(error) => (service_kit::causes(&error), None),
        };
        // By chance, so that not all clients come back at the same moment.
        let wait = wanted.unwrap_or(pause).mul_f64(rand::rng().random_range(1.0..1.3));
        if Instant::now() + wait >= deadline {
            return Err(problem);
        }
        tokio::time::sleep(wait).await;
        pause = (pause * 2).min(PAUSES.1);
    }
}

fn may_change(answer: &Answer, wanted: Option<Duration>) -> bool {
    match answer.status {
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => true,
        // The same request is being answered.
        StatusCode::CONFLICT => wanted.is_some(),
        _ => false,
    }
}

fn wanted_pause(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_PAUSE))
}

async fn read(response: Response) -> Result<Answer, String> {
    let status = response.status();
    let body = response.bytes().await.map_err(|error| service_kit::causes(&error))?;
    Ok(Answer { status, body })
}
