//! `/internal/closed-customers/{customer_id}`: customers whose accounts end, and of whom no order is taken any more.
//!
//! | request | answer |
//! |---|---|
//! | PUT | 204: from now on no order of the customer is taken; 409 while one is open |
//! | DELETE | 204: orders of the customer are taken again, for a deletion that was given up |
//!
//! Whoever begins an order holds a lock of its customer, shared with other orders, until the order is there; whoever closes
//! an account holds it alone. So each of them sees the other's work or comes first.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::put;
use service_kit::auth::{Caller, Role};
use service_kit::input::Parameters;
use service_kit::{Id, Kind, PathId, Problem};
use sqlx::PgConnection;

use crate::{Orders, locks};

/// The routes. They are not in the API's description: the gateway does not pass them on.
pub(crate) fn router() -> Router<Arc<Orders>> {
    Router::new().route("/internal/closed-customers/{customer_id}", put(close).delete(reopen))
}

async fn close(
    State(orders): State<Arc<Orders>>,
    caller: Caller,
    customer: PathId,
    parameters: Parameters,
) -> Result<StatusCode, Problem> {
    caller.require(&[Role::Service])?;
    parameters.finish()?;
    let customer = customer.found()?;
    let mut transaction = orders.database.begin().await?;
    lock_alone(&mut transaction, customer).await?;
    let open = open_orders(&mut transaction, customer).await?;
    if open > 0 {
        let detail = format!("{open} orders of customer {customer} are open; cancel them, or wait for their end");
        return Err(Problem::new(Kind::OpenOrders, detail));
    }
    insert(&mut transaction, customer).await?;
    transaction.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn reopen(
    State(orders): State<Arc<Orders>>,
    caller: Caller,
    customer: PathId,
    parameters: Parameters,
) -> Result<StatusCode, Problem> {
    caller.require(&[Role::Service])?;
    parameters.finish()?;
    let customer = customer.found()?;
    let deletion = sqlx::query("DELETE FROM closed_customers WHERE customer_id = $1");
    deletion.bind(customer.get()).execute(orders.database.pool()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whether no order of the customer is taken any more. Until the transaction ends, the answer stays the same.
pub(crate) async fn is_closed(connection: &mut PgConnection, customer: Id) -> Result<bool, sqlx::Error> {
    // A statement of its own: the next one sees what the one who held the lock has done.
    sqlx::query("SELECT pg_advisory_xact_lock_shared($1, hashint8($2))")
        .bind(locks::CUSTOMER)
        .bind(customer.get())
        .execute(&mut *connection)
        .await?;
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM closed_customers WHERE customer_id = $1)")
        .bind(customer.get())
        .fetch_one(connection)
        .await
}

async fn lock_alone(connection: &mut PgConnection, customer: Id) -> Result<(), sqlx::Error> {
    let lock = sqlx::query("SELECT pg_advisory_xact_lock($1, hashint8($2))");
    lock.bind(locks::CUSTOMER).bind(customer.get()).execute(connection).await.map(drop)
}

/// How many orders of the customer have not ended.
async fn open_orders(connection: &mut PgConnection, customer: Id) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT count(*) FROM orders
         WHERE customer_id = $1 AND abandoned_at IS NULL AND status IN ('PENDING', 'CONFIRMED', 'PAID', 'SHIPPED')",
    )
    .bind(customer.get())
    .fetch_one(connection)
    .await
}

async fn insert(connection: &mut PgConnection, customer: Id) -> Result<(), sqlx::Error> {
    let insertion = sqlx::query("INSERT INTO closed_customers (customer_id) VALUES ($1) ON CONFLICT DO NOTHING");
    insertion.bind(customer.get()).execute(connection).await.map(drop)
}
