//! Rows to the gateway: `POST /products`, again and again until it has said what becomes of a row.

mod problem;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rand::RngExt as _;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::Instant;

use self::problem::Problem;
use crate::Error;
use crate::errors_file::RowFault;
use crate::pace::Pace;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// How long it may take to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long one request may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);
/// How often a row is sent that the gateway fails at by a defect of its own: the next row may fare better.
const DEFECTS: u32 = 4;
/// How long a row waits whose earlier request is still being answered.
const IN_PROGRESS: Duration = Duration::from_secs(1);

/// The gateway, as one caller.
#[derive(Clone, Debug)]
pub struct Gateway(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    client: Client,
    products: Url,
    authorization: HeaderValue,
    patience: Option<Duration>,
    pace: Pace,
}

/// What became of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It made a product.
    Created,
    /// Its product had been made before.
    Unchanged,
    /// It is refused.
    Failed(RowFault),
    /// Nobody was asked.
    Unsent,
    /// It is not known, as there was no time left to ask again.
    Unknown,
}

/// What one request led to.
enum Answer {
    Verdict(Verdict),
    /// The gateway is at the same row: it alone waits.
    InProgress(Option<Duration>),
    /// The gateway cannot answer now: every row waits.
    Later(Option<Duration>, String),
    /// The gateway fails at this row.
    Defect(RowFault),
    /// No row would be taken.
    Refused(String),
}

impl Gateway {
    /// The gateway with this base URL, which knows us by this token. A row that it does not answer for is sent again for as
    /// long as `patience`, or until the import stops.
    ///
    /// # Errors
    /// A token that no header can hold; a system without root certificates.
    pub fn new(base: &Url, token: &SecretString, patience: Option<Duration>) -> Result<Self, Error> {
        // The value is not repeated.
        let unusable =
            |_| Error::Settings("the token has characters that no token has; set PRODUCT_API_TOKEN".to_owned());
        let mut authorization =
            HeaderValue::from_str(&format!("Bearer {}", token.expose_secret())).map_err(unusable)?;
        authorization.set_sensitive(true);
        let products = format!("{}/products", base.as_str().trim_end_matches('/'));
        let products = Url::parse(&products).map_err(|error| {
            Error::Settings(format!("PRODUCT_API_URL is {base}: {error}; give the gateway's address"))
        })?;
        let client = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| Error::Internal(format!("cannot make an HTTP client: {error}")))?;
        Ok(Gateway(Arc::new(Inner { client, products, authorization, patience, pace: Pace::default() })))
    }

    /// Makes a row's product, unless the key says that it is made. After `stop`, it is not sent again.
    pub(crate) async fn create(&self, key: String, body: Vec<u8>, stop: Option<Instant>) -> Result<Verdict, Error> {
        let Inner { products, patience, pace, .. } = &*self.0;
        let key = HeaderValue::try_from(key).map_err(|error| Error::Internal(format!("a key is none: {error}")))?;
        let (body, began, mut defects) = (Bytes::from(body), Instant::now(), 0);
        loop {
            let started = tokio::select! {
                started = pace.wait() => started,
                () = until(stop) => return Ok(Verdict::Unknown),
            };
            let cause = match self.attempt(&key, &body).await {
                Answer::Verdict(verdict) => {
                    pace.succeeded();
                    return Ok(verdict);
                }
                Answer::Refused(what) => return Err(Error::Gateway(format!("{products} {what}"))),
                Answer::InProgress(wish) => {
                    let pause = wish.unwrap_or(IN_PROGRESS).mul_f64(rand::rng().random_range(1.0..1.5));
                    tokio::select! {
                        () = tokio::time::sleep(pause) => "still answers an earlier request".to_owned(),
                        () = until(stop) => return Ok(Verdict::Unknown),
                    }
                }
                Answer::Later(wish, cause) => {
                    tracing::debug!(cause, "the gateway cannot answer; all rows wait");
                    pace.slow_down(started, wish);
                    cause
                }
                Answer::Defect(fault) => {
                    defects += 1;
                    if defects == DEFECTS {
                        return Ok(Verdict::Failed(fault));
                    }
                    pace.slow_down(started, None);
                    fault.detail
                }
            };
            if let Some(patience) = patience.filter(|patience| began.elapsed() >= *patience) {
                let patience = humantime::format_duration(patience);
                return Err(Error::Gateway(format!(
                    "{products} did not answer for {patience}: {cause}; try again later"
                )));
            }
        }
    }

    async fn attempt(&self, key: &HeaderValue, body: &Bytes) -> Answer {
        let Inner { client, products, authorization, .. } = &*self.0;
        let request = client
            .post(products.clone())
            .header(IDEMPOTENCY_KEY, key)
            .header(AUTHORIZATION, authorization)
            .header(CONTENT_TYPE, "application/json")
            .body(body.clone());
        match request.send().await {
            Ok(response) => judge(response).await,
            Err(error) => Answer::Later(None, crate::error::causes(&error.without_url())),
        }
    }
}

/// Waits until a time, or for ever.
pub(crate) async fn until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

async fn judge(response: Response) -> Answer {
    let (status, wish) = (response.status(), retry_after(response.headers()));
    if status == StatusCode::CREATED {
        let is_replay = response.headers().contains_key(&REPLAYED);
        // The status has said it; the body is read so that the connection can be used again.
        drop(response.bytes().await);
        return Answer::Verdict(if is_replay { Verdict::Unchanged } else { Verdict::Created });
    }
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let body = match response.bytes().await {
        Ok(body) => body,
        Err(error) => return Answer::Later(wish, crate::error::causes(&error.without_url())),
    };
    // What stands between us and the gateway answers without a problem.
    let problem: Problem = serde_json::from_slice(&body).unwrap_or_default();
    let answered = || format!("answered {status}: {}", problem.detail);
    match status {
        StatusCode::CONFLICT if problem.slug() == Some("request-in-progress") => Answer::InProgress(wish),
        StatusCode::REQUEST_TIMEOUT
        | StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Answer::Later(wish, answered()),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            Answer::Refused(format!("{}; set PRODUCT_API_TOKEN to a valid token of role service", answered()))
        }
        _ if status.is_server_error() => Answer::Defect(problem.fault(status)),
        // That there are no products, or none can be added, has nothing to do with the row.
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
            Answer::Refused(format!("{}; set PRODUCT_API_URL to the gateway's address", answered()))
        }
        _ if status.is_client_error() => Answer::Verdict(Verdict::Failed(problem.fault(status))),
        _ => {
            let to = location.map(|location| format!(" to {location}")).unwrap_or_default();
            Answer::Refused(format!("answered {status}{to}; set PRODUCT_API_URL to the gateway's address"))
        }
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}
