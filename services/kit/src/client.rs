//! Calls to other services: with time limits, as the caller that they are made for, again where that is safe.

use std::time::Duration;

use axum::body::Bytes;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use rand::RngExt as _;
use reqwest::{Client, Response, Url};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use crate::auth::{Caller, TokenSigner};
use crate::config::Secret;
use crate::{Error, Kind, Problem, REQUEST_ID, RequestContext, TRACEPARENT};

/// How long it may take to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the other side may say nothing while it answers.
const READ_TIMEOUT: Duration = Duration::from_secs(20);
/// The pause before the second attempt of a call; it doubles, and a random part of it is added.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// A client with time limits that follows no redirects. It keeps connections open, so one is enough for a service.
///
/// # Errors
/// Where the system has no root certificates.
pub fn new() -> Result<Client, Error> {
    let client = Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .build();
    client.map_err(|error| Error::Failed(format!("cannot make an HTTP client: {error}")))
}

/// Another service, and what makes it believe who calls.
#[derive(Clone, Debug)]
pub struct Peer {
    name: &'static str,
    url: Url,
    signer: TokenSigner,
    client: Client,
}

/// A whole answer of a peer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its body, which is short: it was read whole.
    pub body: Bytes,
}

impl Peer {
    /// The service of this name at this address, which knows us by this secret.
    #[must_use]
    pub fn new(name: &'static str, url: Url, secret: &Secret, client: Client) -> Self {
        Peer { name, url, signer: TokenSigner::new(name, secret), client }
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Sends a request with these headers and what `finish` adds to it, such as a body, for this caller.
    ///
    /// # Errors
    /// 503 where the service does not answer, 504 where it does not in time.
    pub async fn send(
        &self,
        method: Method,
        path_and_query: &str,
        mut headers: HeaderMap,
        caller: &Caller,
        context: &RequestContext,
        finish: impl FnOnce(reqwest::RequestBuilder) -> reqwest::RequestBuilder,
    ) -> Result<Response, Problem> {
        // The path is put in as it came: nothing is decoded and encoded again on the way.
        let text = format!("{}{path_and_query}", self.url.as_str().trim_end_matches('/'));
        let url = Url::parse(&text).map_err(Problem::internal)?;
        let own = [
            (AUTHORIZATION, self.signer.authorization(caller)?),
            (HeaderName::from_static(REQUEST_ID), context.request_id.clone()),
            (HeaderName::from_static(TRACEPARENT), context.trace.header()),
        ];
        for (name, value) in own {
            headers.insert(name, HeaderValue::from_str(&value).map_err(Problem::internal)?);
        }
        let request = self.client.request(method, url).headers(headers);
        finish(request).send().await.map_err(|error| self.failed(&error))
    }

    /// Sends a request that may be sent more than once, again and again within `limit` while the service does not answer or
    /// cannot, and reads the answer whole.
    ///
    /// # Errors
    /// 503 where there is no answer within the limit.
    pub async fn call(
        &self,
        method: Method,
        path_and_query: &str,
        body: Option<&serde_json::Value>,
        caller: &Caller,
        context: &RequestContext,
        limit: Duration,
    ) -> Result<Reply, Problem> {
        let deadline = Instant::now() + limit;
        let mut pause = FIRST_PAUSE;
        loop {
            let attempt = async {
                let with_body = |request: reqwest::RequestBuilder| match body {
                    Some(body) => request.json(body),
                    None => request,
                };
                let sent = self.send(method.clone(), path_and_query, HeaderMap::new(), caller, context, with_body);
                let response = sent.await?;
                let status = response.status();
                let body = response.bytes().await.map_err(|error| self.failed(&error))?;
                Ok(Reply { status, body })
            };
            let result = tokio::time::timeout_at(deadline, attempt)
                .await
                .unwrap_or_else(|_| Err(Problem::unavailable(self.name, format_args!("no answer within {limit:?}"))));
            let may_change = match &result {
                Ok(reply) => reply.may_change(),
                Err(problem) => matches!(problem.kind(), Kind::DependencyUnavailable | Kind::Timeout),
            };
            let jitter = pause.mul_f64(rand::rng().random_range(0.5..1.5));
            if !may_change || Instant::now() + jitter >= deadline {
                return result;
            }
            tokio::time::sleep(jitter).await;
            pause *= 2;
        }
    }

    fn failed(&self, error: &reqwest::Error) -> Problem {
        if error.is_timeout() && !error.is_connect() {
            tracing::warn!(service = self.name, %error, "no answer in time");
            return Problem::new(Kind::Timeout, format!("{} took too long; try again in a moment", self.name));
        }
        Problem::unavailable(self.name, crate::causes(error))
    }
}

impl Reply {
    /// Whether another attempt may get another answer.
    fn may_change(&self) -> bool {
        matches!(self.status, StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT)
    }

    /// The body of a success.
    ///
    /// # Errors
    /// The problem that the peer told; 500 where the answer cannot be read.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        if self.status.is_success() {
            return serde_json::from_slice(&self.body).map_err(Problem::internal);
        }
        Err(self.problem())
    }

    /// The problem that the peer told, to be told on.
    #[must_use]
    pub fn problem(&self) -> Problem {
        Problem::told(self.status, &self.body)
    }
}
