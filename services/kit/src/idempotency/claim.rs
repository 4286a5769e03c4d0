//! Requests whose work takes more than one transaction, such as orders, which ask another service in between.
//!
//! The first transaction stores that the request is running, under a lease, and which resource it works on; the last one
//! stores the answer. A request that comes again meanwhile is told to wait. After a process died in between, the lease
//! ends, and the next one that comes goes on with the same resource.

use std::time::Duration;

use axum::response::Response;
use sqlx::PgConnection;

use super::{Answer, IdempotencyArgs, Keyed, Stored, in_progress};
use crate::auth::Caller;
use crate::{Id, Problem};

/// How long a request may be at work before another one takes its place.
const LEASE: Duration = Duration::from_secs(30);

/// What to do with a request.
#[derive(Debug)]
pub enum BeginClaim {
    /// Do it, and say with [`Claim::hold`] what it works on.
    First(Claim),
    /// Go on where an attempt with this resource was left.
    Resume(Claim, Id),
    /// It was done before: this was the answer.
    Replay(Response),
}

/// A request that is being done. Without a key, nothing is stored of it.
#[derive(Clone, Debug)]
pub struct Claim(Option<Stored>);

impl Claim {
    /// Looks, in the caller's transaction, whether a request was done before or is being done.
    ///
    /// # Errors
    /// 409 while the same request is being answered, 422 where the key came with another body.
    pub async fn begin(
        connection: &mut PgConnection,
        args: &IdempotencyArgs,
        caller: &Caller,
        keyed: &Keyed,
        body: &[u8],
    ) -> Result<BeginClaim, Problem> {
        let Some(stored) = Stored::of(args, caller, keyed, body)? else {
            return Ok(BeginClaim::First(Claim(None)));
        };
        let Some(row) = stored.find(connection).await? else {
            return Ok(BeginClaim::First(Claim(Some(stored))));
        };
        if let (Some(resource), Some(true), None) = (row.resource_id.and_then(Id::new), row.is_left, row.status) {
            sqlx::query(
                "UPDATE idempotency_keys SET leased_until = now() + make_interval(secs => $2) WHERE scope = $1",
            )
            .bind(&stored.scope)
            .bind(LEASE.as_secs_f64())
            .execute(connection)
            .await?;
            return Ok(BeginClaim::Resume(Claim(Some(stored)), resource));
        }
        row.replay()?.map(BeginClaim::Replay).ok_or_else(in_progress)
    }

    /// Stores that the request is running, and on what.
    ///
    /// # Errors
    /// 503 where the database does not answer.
    pub async fn hold(&self, connection: &mut PgConnection, resource: Id) -> Result<(), Problem> {
        let Claim(Some(Stored { scope, fingerprint, keep })) = self else { return Ok(()) };
        sqlx::query(
            "INSERT INTO idempotency_keys (scope, fingerprint, resource_id, leased_until, expires_at)
             VALUES ($1, $2, $3, now() + make_interval(secs => $4), now() + make_interval(secs => $5))",
        )
        .bind(scope)
        .bind(fingerprint)
        .bind(resource.get())
        .bind(LEASE.as_secs_f64())
        .bind(keep.as_secs_f64())
        .execute(connection)
        .await?;
        Ok(())
    }

    /// Stores the answer, in the transaction that completes the work, and returns it.
    ///
    /// # Errors
    /// 503 where the database does not answer.
    pub async fn finish(&self, connection: &mut PgConnection, answer: Answer) -> Result<Response, Problem> {
        if let Claim(Some(Stored { scope, .. })) = self {
            sqlx::query(
                "UPDATE idempotency_keys SET status = $2, location = $3, etag = $4, body = $5, leased_until = NULL
                 WHERE scope = $1",
            )
            .bind(scope)
            .bind(answer.status.as_u16().cast_signed())
            .bind(&answer.location)
            .bind(&answer.etag)
            .bind(&answer.body)
            .execute(connection)
            .await?;
        }
        answer.into_response()
    }
}

/// Frees the key of the request that works on this resource, so that it can be begun anew: the resource came to nothing.
///
/// # Errors
/// Where the database does not answer.
pub async fn free(connection: &mut PgConnection, resource: Id) -> Result<(), sqlx::Error> {
    let deletion = sqlx::query("DELETE FROM idempotency_keys WHERE resource_id = $1 AND status IS NULL");
    deletion.bind(resource.get()).execute(connection).await.map(drop)
}
