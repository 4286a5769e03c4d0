//! Idempotency keys: a request that is sent again gets the first one's answer, and does nothing.
//!
//! The answer is stored in the transaction that makes the change, so that there is one exactly where there is the other:
//! a process that dies in between leaves neither. While the transaction runs, an advisory lock keeps the same request out.

use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::header::{ETAG, LOCATION};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use clap::Args;
use hmac::{Hmac, Mac as _};
use schemas::FieldCode;
use secrecy::ExposeSecret as _;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use sqlx::{PgConnection, Postgres, Transaction};

use crate::auth::{Caller, Role};
use crate::config::{Secret, duration};
use crate::database::Database;
use crate::etag::Version;
use crate::idempotency_headers::{IDEMPOTENCY_KEY, REPLAYED};
use crate::{Kind, Problem};

mod claim;

pub use claim::{BeginClaim, Claim, free};

/// The longest key, in bytes.
const MAX_KEY_BYTES: usize = 255;
/// What keys of the import of products begin with.
const IMPORT_PREFIX: &str = "csv-";
/// How often answers that have expired are deleted.
const SWEEP_EVERY: Duration = Duration::from_secs(600);

/// How long answers are kept, and with which secret requests are told apart.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Idempotency keys")]
pub struct IdempotencyArgs {
    /// How long the answer to a request is kept for its retries
    #[arg(long, env = "IDEMPOTENCY_TTL", value_name = "TIME", default_value = "24h", value_parser = duration)]
    pub idempotency_ttl: Duration,

    /// The same for requests of the import of products, whose keys begin with csv-
    #[arg(long, env = "IDEMPOTENCY_IMPORT_TTL", value_name = "TIME", default_value = "30d", value_parser = duration)]
    pub idempotency_import_ttl: Duration,

    /// The secret of the fingerprints by which requests are told apart; a new one makes retries of earlier requests look different
    #[arg(long, env = "IDEMPOTENCY_SECRET", value_name = "SECRET", hide_env_values = true)]
    pub idempotency_secret: Secret,
}

/// What identifies a request: who sends what where, and the client's key, where there is one.
#[derive(Clone, Debug)]
pub struct Keyed {
    key: Option<String>,
    method: Method,
    path: String,
}

impl<S: Send + Sync> FromRequestParts<S> for Keyed {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut values = parts.headers.get_all(&IDEMPOTENCY_KEY).iter();
        let is_visible =
            |key: &&str| (1..=MAX_KEY_BYTES).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic());
        let key = match (values.next(), values.next()) {
            (None, _) => None,
            (Some(value), None) if value.to_str().is_ok_and(|key| is_visible(&key)) => {
                value.to_str().ok().map(str::to_owned)
            }
            _ => {
                let detail = "Idempotency-Key must be one value of 1 to 255 visible ASCII characters".to_owned();
                return Err(Problem::parameter("Idempotency-Key", FieldCode::InvalidFormat, detail));
            }
        };
        Ok(Keyed { key, method: parts.method.clone(), path: parts.uri.path().to_owned() })
    }
}

/// What to do with a request.
#[derive(Debug)]
pub enum Begin {
    /// Do it, in this attempt's transaction.
    First(Attempt),
    /// It was done before: this was the answer.
    Replay(Response),
}

/// A request that is being done. Dropped without [`commit`](Attempt::commit), it has not happened.
#[derive(Debug)]
pub struct Attempt {
    transaction: Transaction<'static, Postgres>,
    stored: Option<Stored>,
}

/// A request with a key, as the table has it.
#[derive(Clone, Debug)]
struct Stored {
    scope: Vec<u8>,
    fingerprint: Vec<u8>,
    keep: Duration,
}

impl Stored {
    /// `None` without a key.
    fn of(args: &IdempotencyArgs, caller: &Caller, keyed: &Keyed, body: &[u8]) -> Result<Option<Self>, Problem> {
        let Some(key) = &keyed.key else { return Ok(None) };
        let fingerprint = fingerprint(args, body)?;
        let scope = scope(caller, keyed, key, &fingerprint);
        let keep = if key.starts_with(IMPORT_PREFIX) { args.idempotency_import_ttl } else { args.idempotency_ttl };
        Ok(Some(Stored { scope, fingerprint, keep }))
    }

    /// What is known of the request, which nobody else may begin until the transaction ends.
    ///
    /// # Errors
    /// 409 while somebody else does, 422 where the key came with another body.
    async fn find(&self, connection: &mut PgConnection) -> Result<Option<Row>, Problem> {
        let is_alone: bool = sqlx::query_scalar("SELECT pg_try_advisory_xact_lock($1)")
            .bind(lock_number(&self.scope))
            .fetch_one(&mut *connection)
            .await?;
        if !is_alone {
            return Err(in_progress());
        }
        sqlx::query("DELETE FROM idempotency_keys WHERE scope = $1 AND expires_at <= now()")
            .bind(&self.scope)
            .execute(&mut *connection)
            .await?;
        let row = find(connection, &self.scope).await?;
        match row {
            Some(row) if row.fingerprint != self.fingerprint => Err(Problem::new(
                Kind::IdempotencyKeyReused,
                "this Idempotency-Key came with another body before; use a new key for a new request",
            )),
            row => Ok(row),
        }
    }
}

/// An answer to a request that made something.
#[derive(Clone, Debug)]
pub struct Answer {
    status: StatusCode,
    location: Option<String>,
    etag: Option<String>,
    body: Vec<u8>,
}

impl Answer {
    /// 201 with the new resource at `location`.
    ///
    /// # Errors
    /// Where the resource cannot be written as JSON.
    pub fn created(location: String, version: Version, resource: &impl Serialize) -> Result<Self, Problem> {
        let body = serde_json::to_vec(resource).map_err(Problem::internal)?;
        Ok(Answer { status: StatusCode::CREATED, location: Some(location), etag: Some(version.tag()), body })
    }

    pub(crate) fn into_response(self) -> Result<Response, Problem> {
        let json = HeaderValue::from_static("application/json");
        let mut response = (self.status, [(header::CONTENT_TYPE, json)], self.body).into_response();
        for (name, value) in [(LOCATION, self.location), (ETAG, self.etag)] {
            if let Some(value) = value {
                response.headers_mut().insert(name, HeaderValue::from_str(&value).map_err(Problem::internal)?);
            }
        }
        Ok(response)
    }
}

/// Looks whether a request was done before, and else begins to do it.
///
/// # Errors
/// 409 while the same request is being answered, 422 where the key came with another body.
pub async fn begin(
    database: &Database,
    args: &IdempotencyArgs,
    caller: &Caller,
    keyed: &Keyed,
    body: &[u8],
) -> Result<Begin, Problem> {
    let mut transaction = database.begin().await?;
    let Some(stored) = Stored::of(args, caller, keyed, body)? else {
        return Ok(Begin::First(Attempt { transaction, stored: None }));
    };
    match stored.find(&mut transaction).await? {
        Some(row) => row.replay()?.map(Begin::Replay).ok_or_else(in_progress),
        None => Ok(Begin::First(Attempt { transaction, stored: Some(stored) })),
    }
}

fn in_progress() -> Problem {
    Problem::new(
        Kind::RequestInProgress,
        "a request with this Idempotency-Key is being answered; send it again in a second",
    )
}

impl Attempt {
    /// The connection on which the change is made.
    pub fn connection(&mut self) -> &mut PgConnection {
        &mut self.transaction
    }

    /// Makes the change and its answer durable together.
    ///
    /// # Errors
    /// 503 where the database does not answer: then a retry finds out what happened.
    pub async fn commit(mut self, answer: Answer) -> Result<Response, Problem> {
        if let Some(Stored { scope, fingerprint, keep }) = self.stored {
            sqlx::query(
                "INSERT INTO idempotency_keys (scope, fingerprint, status, location, etag, body, expires_at)
                 VALUES ($1, $2, $3, $4, $5, $6, now() + make_interval(secs => $7))",
            )
            .bind(scope)
            .bind(fingerprint)
            .bind(answer.status.as_u16().cast_signed())
            .bind(&answer.location)
            .bind(&answer.etag)
            .bind(&answer.body)
            .bind(keep.as_secs_f64())
            .execute(&mut *self.transaction)
            .await?;
        }
        self.transaction.commit().await?;
        answer.into_response()
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    fingerprint: Vec<u8>,
    /// None while the request is running.
    status: Option<i16>,
    location: Option<String>,
    etag: Option<String>,
    body: Option<Vec<u8>>,
    /// What a running request works on, and whether its lease has ended.
    resource_id: Option<i64>,
    is_left: Option<bool>,
}

impl Row {
    /// The stored answer, where there is one.
    fn replay(self) -> Result<Option<Response>, Problem> {
        let Row { status: Some(status), location, etag, body, .. } = self else { return Ok(None) };
        let status = StatusCode::from_u16(status.cast_unsigned()).map_err(Problem::internal)?;
        let mut response = Answer { status, location, etag, body: body.unwrap_or_default() }.into_response()?;
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
        Ok(Some(response))
    }
}

async fn find(connection: &mut PgConnection, scope: &[u8]) -> Result<Option<Row>, sqlx::Error> {
    sqlx::query_as(
        "SELECT fingerprint, status, location, etag, body, resource_id, leased_until <= now() AS is_left
         FROM idempotency_keys WHERE scope = $1",
    )
    .bind(scope)
    .fetch_optional(connection)
    .await
}

fn fingerprint(args: &IdempotencyArgs, body: &[u8]) -> Result<Vec<u8>, Problem> {
    let secret = args.idempotency_secret.0.expose_secret().as_bytes();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).map_err(Problem::internal)?;
    mac.update(body);
    Ok(mac.finalize().into_bytes().to_vec())
}

/// One caller's key for one resource. Callers without a name have nothing but what they send to be told apart by.
fn scope(caller: &Caller, keyed: &Keyed, key: &str, fingerprint: &[u8]) -> Vec<u8> {
    let mut hash = Sha256::new();
    for part in [caller.principal.as_str(), keyed.method.as_str(), &keyed.path, key] {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    if caller.role == Role::Anonymous {
        hash.update(fingerprint);
    }
    hash.finalize().to_vec()
}

/// Locks have numbers: the beginning of the hash.
fn lock_number(scope: &[u8]) -> i64 {
    scope.iter().take(8).fold(0, |number, byte| (number << 8) | i64::from(*byte))
}

/// Deletes answers that have expired, again and again until `stop`.
pub fn sweep_in_background(database: &Database, stop: tokio_util::sync::CancellationToken) {
    let pool = database.pool().clone();
    let sweep = async move {
        // Not at once: there may be no table yet.
        let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + SWEEP_EVERY, SWEEP_EVERY);
        loop {
            ticks.tick().await;
            let deletion = sqlx::query("DELETE FROM idempotency_keys WHERE expires_at <= now()").execute(&pool);
            if let Err(error) = deletion.await {
                tracing::warn!(%error, "expired idempotency keys are not deleted; trying again in {SWEEP_EVERY:?}");
            }
        }
    };
    tokio::spawn(async move { stop.run_until_cancelled(sweep).await });
}
