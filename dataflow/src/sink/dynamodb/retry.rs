//! Repeating requests that may succeed another time.
//!
//! The SDK's own retries do not fit: they count attempts for each request where we need "no success at all for so
//! long", they draw on a quota that a throttled table with many puts in flight exhausts at once, after which they give
//! up, and they cannot be counted. The rule of waiting is the same as theirs, exponential with full jitter
//! (<https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>).

use std::error::Error as StdError;
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use prometheus_client::metrics::counter::Counter;
use tracing::warn;

use crate::error::Error;

const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// How often a trouble that lasts is spoken of.
pub(super) const WARN_EVERY: Duration = Duration::from_secs(10);

/// Errors by which DynamoDB asks for patience; anything with a status of 500 and above is one too. From
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html>; expired credentials are
/// replaced by the SDK.
const TRANSIENT_CODES: &[&str] = &[
    "ProvisionedThroughputExceededException",
    "ThrottlingException",
    "Throttling",
    "RequestLimitExceeded",
    "LimitExceededException",
    "InternalServerError",
    "ServiceUnavailable",
    "TransactionConflictException",
    "TransactionInProgressException",
    "ReplicatedWriteConflictException",
    "RequestTimeout",
    "RequestTimeoutException",
    "ExpiredTokenException",
    "ExpiredToken",
];

/// Why a request has no answer of use.
#[derive(Debug)]
pub(super) enum Failure<E> {
    /// It was answered, and the answer will not change. Boxed, for it is large.
    Permanent(Box<SdkError<E>>),
    /// Nothing has succeeded for too long.
    GaveUp(Error),
}

/// One for all requests of a sink, so that they share what they learn about DynamoDB's state.
#[derive(Debug)]
pub(super) struct Retry {
    endpoint: String,
    patience: Duration,
    retries: Counter,
    credentials_are_proven: bool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    last_success: Instant,
    last_warning: Option<Instant>,
}

impl Retry {
    pub(super) fn new(endpoint: String, patience: Duration, retries: Counter) -> Self {
        let state = Mutex::new(State { last_success: Instant::now(), last_warning: None });
        Retry { endpoint, patience, retries, credentials_are_proven: false, state }
    }

    /// Once a request was signed, a failure to find credentials is one that may pass.
    pub(super) fn with_proven_credentials(mut self) -> Self {
        self.credentials_are_proven = true;
        self
    }

    pub(super) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Begins a series of requests: the time without requests was no time without success.
    pub(super) fn begin(&self) {
        self.state().last_success = Instant::now();
    }

    /// Sends a request until it is answered for good.
    pub(super) async fn call<T, E, Sent>(&self, request: impl Fn() -> Sent) -> Result<T, Failure<E>>
    where
        E: ProvideErrorMetadata + StdError + 'static,
        Sent: Future<Output = Result<T, SdkError<E>>>,
    {
        let mut attempt = 0;
        loop {
            match request().await {
                Ok(output) => {
                    self.begin();
                    return Ok(output);
                }
                Err(error) if self.is_transient(&error) => self.note(&error).map_err(Failure::GaveUp)?,
                Err(error) => {
                    // A refusal is an answer too.
                    self.begin();
                    return Err(Failure::Permanent(Box::new(error)));
                }
            }
            tokio::time::sleep(full_jitter(attempt)).await;
            attempt += 1;
            self.retries.inc();
        }
    }

    fn is_transient<E: ProvideErrorMetadata>(&self, error: &SdkError<E>) -> bool {
        match error {
            SdkError::TimeoutError(_) | SdkError::ResponseError(_) => true,
            SdkError::DispatchFailure(failure) => {
                failure.is_io() || failure.is_timeout() || self.credentials_are_proven
            }
            SdkError::ServiceError(failure) => {
                failure.raw().status().as_u16() >= 500
                    || failure.err().code().is_some_and(|code| TRANSIENT_CODES.contains(&code))
            }
            _ => false,
        }
    }

    fn note<E: ProvideErrorMetadata + StdError + 'static>(&self, error: &SdkError<E>) -> Result<(), Error> {
        let mut state = self.state();
        let without_success = state.last_success.elapsed();
        if without_success >= self.patience {
            return Err(Error::Unavailable(format!(
                "DynamoDB at {} has not served a request for {} s: {}; check AWS_ENDPOINT_URL, the network and the \
                 table's capacity",
                self.endpoint,
                without_success.as_secs(),
                reason(error)
            )));
        }
        if state.last_warning.is_none_or(|last| last.elapsed() >= WARN_EVERY) {
            state.last_warning = Some(Instant::now());
            drop(state);
            let endpoint = self.endpoint.as_str();
            warn!(endpoint, reason = reason(error), "a request to DynamoDB failed and is sent again");
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a request failed, in a few words: DynamoDB's code and message, or the innermost cause.
pub(super) fn reason<E: ProvideErrorMetadata + StdError + 'static>(error: &SdkError<E>) -> String {
    if let Some(answer) = error.as_service_error() {
        return match (answer.code(), answer.message()) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            (Some(text), None) | (None, Some(text)) => text.to_owned(),
            (None, None) => match error.raw_response() {
                Some(response) => format!("HTTP status {}", response.status()),
                None => "an answer without a reason".to_owned(),
            },
        };
    }
    let mut cause: &dyn StdError = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// A random time between nothing and the exponentially growing limit.
fn full_jitter(attempt: u32) -> Duration {
    let limit = FIRST_WAIT.saturating_mul(1_u32.checked_shl(attempt).unwrap_or(u32::MAX)).min(LONGEST_WAIT);
    // The standard library's hasher has random keys, which is all the randomness that is needed.
    let fraction = (RandomState::new().hash_one(attempt) >> 11) as f64 / (1_u64 << 53) as f64;
    limit.mul_f64(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_are_random_and_stay_within_their_limits() {
        for (attempt, limit_ms) in [(0, 50), (1, 100), (3, 400), (6, 3200), (7, 5000), (31, 5000), (200, 5000)] {
            let waits: Vec<_> = (0..200).map(|_| full_jitter(attempt)).collect();
            assert!(waits.iter().all(|wait| *wait <= Duration::from_millis(limit_ms)), "attempt {attempt}");
            let longest = waits.iter().max().copied().unwrap_or_default();
            assert!(longest > Duration::from_millis(limit_ms) * 3 / 4, "attempt {attempt}: longest {longest:?}");
            let shortest = waits.iter().min().copied().unwrap_or_default();
            assert!(shortest < Duration::from_millis(limit_ms) / 4, "attempt {attempt}: shortest {shortest:?}");
        }
    }
}
