//! Which sessions a customer has.
//!
//! DynamoDB finds a session by its token's hash, which is all that the gateway needs. To end all sessions of a customer they
//! must be known: the table `sessions` in PostgreSQL lists them, and always holds every one that DynamoDB has.
//!
//! A session *begins* in two steps. (1) A transaction of its own lists it. (2) Another one takes the customer's row, shared with
//! other logins, looks whether the customer is still there and the password still the one that was verified, puts the session
//! into DynamoDB, and commits. Whoever *ends* all sessions has the row alone until the list is empty and what it does besides,
//! a new password or a deletion, is committed.
//!
//! | a login has | when the row is taken alone | then |
//! |---|---|---|
//! | not begun (2) | it waits for the row | it finds the password changed or the customer closing: no session |
//! | begun (2) | it is waited for | its session is in the list and in DynamoDB, and is ended with the others |
//! | died after (1), or after DynamoDB has it | the row is free | the list has it: it is ended, whether it is there or not |
//!
//! A token is told to the client last of all. A session whose login failed, whatever of it was made, is nobody's.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use futures_util::{TryStreamExt as _, stream};
use schemas::EventTime;
use service_kit::auth::{Caller, Role, SessionId};
use service_kit::database::Database;
use service_kit::session::Sessions;
use service_kit::{Id, Problem};
use sqlx::{PgConnection, PgPool};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::Args;

/// How many sessions are ended at once.
const ENDED_AT_ONCE: usize = 16;
/// How long to wait for one of the connections that may wait for DynamoDB.
const TURN_LIMIT: Duration = Duration::from_secs(2);
/// How long a session stays listed after it has expired, in seconds: clocks differ.
const LISTED_AFTER: f64 = 3_600.0;

/// The sessions of customers.
#[derive(Debug)]
pub(crate) struct SessionList {
    database: Database,
    sessions: Sessions,
    lifetime: Duration,
    /// Connections to the database that may wait for DynamoDB: half of them, so that the others serve while it is slow.
    turns: Semaphore,
}

/// What became of the beginning of a session.
#[derive(Debug)]
pub(crate) enum Beginning {
    /// It has begun.
    Begun(Begun),
    /// The password is no longer the one that was verified.
    PasswordChanged,
    /// The customer is gone, or about to go.
    Closed,
}

/// A session that has begun.
pub(crate) struct Begun {
    pub(crate) token: String,
    pub(crate) expires_at: EventTime,
}

impl Begun {
    /// With a token that nobody guesses, and in whole seconds, as DynamoDB has it.
    fn new(lifetime: Duration) -> Result<Self, Problem> {
        let token = BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(Problem::internal)?;
        let seconds = i64::try_from((now + lifetime).as_secs()).map_err(Problem::internal)?;
        let expires_at = EventTime::from_millis(seconds.saturating_mul(1_000)).map_err(Problem::internal)?;
        Ok(Begun { token, expires_at })
    }
}

impl std::fmt::Debug for Begun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Begun").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

impl SessionList {
    pub(crate) fn new(database: Database, sessions: Sessions, args: &Args) -> Self {
        let connections = usize::try_from(args.database.db_max_connections).unwrap_or(usize::MAX);
        SessionList {
            database,
            sessions,
            lifetime: args.session_ttl,
            turns: Semaphore::new((connections / 2).clamp(1, Semaphore::MAX_PERMITS)),
        }
    }

    /// The right to hold a connection to the database while DynamoDB is asked.
    ///
    /// # Errors
    /// 503 where too many others do so.
    pub(crate) async fn turn(&self) -> Result<SemaphorePermit<'_>, Problem> {
        let turn = tokio::time::timeout(TURN_LIMIT, self.turns.acquire()).await;
        let slow = |_| Problem::unavailable("the store of sessions", "too many requests wait for it");
        turn.map_err(slow)?.map_err(Problem::internal)
    }

    /// Begins a session of a customer whose password was verified against this hash.
    ///
    /// # Errors
    /// 503 where the database or DynamoDB does not answer.
    pub(crate) async fn begin(&self, customer: Id, verified_hash: &str) -> Result<Beginning, Problem> {
        let begun = Begun::new(self.lifetime)?;
        let id = SessionId::of_token(&begun.token);
        insert(self.database.pool(), &id, customer, begun.expires_at).await?;

        let _turn = self.turn().await?;
        let mut transaction = self.database.begin().await?;
        let refusal = match share_customer(&mut transaction, customer).await? {
            Some(hash) if hash == verified_hash => None,
            Some(_) => Some(Beginning::PasswordChanged),
            None => Some(Beginning::Closed),
        };
        if let Some(refusal) = refusal {
            // DynamoDB has never heard of it.
            delete_all(&mut transaction, &[id]).await?;
            transaction.commit().await?;
            return Ok(refusal);
        }
        let caller =
            Caller { customer_id: Some(customer), ..Caller::new(format!("customer-{customer}"), Role::Customer) };
        self.sessions.put(&begun.token, &caller, self.lifetime).await?;
        transaction.commit().await?;
        Ok(Beginning::Begun(begun))
    }

    /// Ends every session of a customer whose row is locked, but one.
    ///
    /// # Errors
    /// 503 where DynamoDB does not answer: then some may have ended.
    pub(crate) async fn end_all(
        &self,
        connection: &mut PgConnection,
        customer: Id,
        kept: Option<&SessionId>,
    ) -> Result<(), Problem> {
        let listed = others(connection, customer, kept).await?;
        let to_end = stream::iter(listed.clone().into_iter().map(Ok));
        to_end.try_for_each_concurrent(ENDED_AT_ONCE, |id| async move { self.sessions.end(&id).await }).await?;
        delete_all(connection, &listed).await?;
        Ok(())
    }

    /// Ends a session, of a customer or of anybody else.
    ///
    /// # Errors
    /// 503 where DynamoDB does not answer.
    pub(crate) async fn end(&self, id: &SessionId) -> Result<(), Problem> {
        self.sessions.end(id).await?;
        // It has ended: that it stays listed until it would have expired harms nobody.
        let unlisted =
            async { delete_all(&mut *self.database.pool().acquire().await?, std::slice::from_ref(id)).await };
        if let Err(error) = unlisted.await {
            tracing::warn!(%error, "a session that has ended is still listed");
        }
        Ok(())
    }

    /// Forgets sessions that have expired.
    pub(crate) async fn sweep(&self) -> Result<(), Problem> {
        let deletion = sqlx::query("DELETE FROM sessions WHERE expires_at <= now() - make_interval(secs => $1)");
        deletion.bind(LISTED_AFTER).execute(self.database.pool()).await?;
        Ok(())
    }
}

async fn insert(pool: &PgPool, id: &SessionId, customer: Id, expires_at: EventTime) -> Result<(), sqlx::Error> {
    let insertion = sqlx::query(
        "INSERT INTO sessions (token_hash, customer_id, expires_at) VALUES ($1, $2, to_timestamp($3::bigint / 1000))",
    );
    insertion.bind(id.as_str()).bind(customer.get()).bind(expires_at.millis()).execute(pool).await.map(drop)
}

/// The hash of a customer's password, which stays what it is until the transaction ends; none of a customer that is gone, or
/// about to go.
async fn share_customer(connection: &mut PgConnection, customer: Id) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT password_hash FROM customers
         WHERE id = $1 AND deleted_at IS NULL AND closing_at IS NULL FOR SHARE",
    )
    .bind(customer.get())
    .fetch_optional(connection)
    .await
}

/// The sessions that are listed of a customer, but one.
async fn others(
    connection: &mut PgConnection,
    customer: Id,
    kept: Option<&SessionId>,
) -> Result<Vec<SessionId>, sqlx::Error> {
    let listed: Vec<String> =
        sqlx::query_scalar("SELECT token_hash FROM sessions WHERE customer_id = $1 AND token_hash IS DISTINCT FROM $2")
            .bind(customer.get())
            .bind(kept.map(SessionId::as_str))
            .fetch_all(connection)
            .await?;
    Ok(listed.into_iter().map(SessionId::stored).collect())
}

async fn delete_all(connection: &mut PgConnection, ids: &[SessionId]) -> Result<(), sqlx::Error> {
    let ids: Vec<&str> = ids.iter().map(SessionId::as_str).collect();
    sqlx::query("DELETE FROM sessions WHERE token_hash = ANY($1)").bind(ids).execute(connection).await.map(drop)
}
