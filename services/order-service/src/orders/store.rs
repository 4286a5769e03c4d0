//! Orders in the database. Those that were given up while they were placed are seen by nobody.

use schemas::OrderStatus;
use service_kit::Id;
use service_kit::page::PageRequest;
use sqlx::{PgConnection, PgPool, Postgres, QueryBuilder};

use super::filters::Filters;
use crate::order::status;
use crate::order::{Record, Wish};
use crate::stock::Reserved;

/// What a [`Record`] is read from. By name: a column that a later version adds must not break this one's statements.
macro_rules! columns {
    () => {
        "id, customer_id, product_id, quantity, product_name, unit_price, total_price, currency, status, version,
         floor(extract(epoch FROM created_at) * 1000)::bigint AS created_at_millis,
         floor(extract(epoch FROM updated_at) * 1000)::bigint AS updated_at_millis"
    };
}

/// A page of orders, the newest first, and one more where there is a next page.
pub(super) async fn list(
    pool: &PgPool,
    page: &PageRequest<Filters, Id>,
    seen: &Filters,
) -> Result<Vec<Record>, sqlx::Error> {
    let mut query =
        QueryBuilder::<Postgres>::new(concat!("SELECT ", columns!(), " FROM orders WHERE abandoned_at IS NULL"));
    if let Some(customer) = seen.customer_id {
        query.push(" AND customer_id = ").push_bind(customer.get());
    }
    if let Some(status) = seen.status {
        query.push(" AND status = ").push_bind(status::name(status));
    }
    if let Some(after) = page.after {
        query.push(" AND id < ").push_bind(after.get());
    }
    query.push(" ORDER BY id DESC LIMIT ").push_bind(page.lookahead());
    query.build_query_as().fetch_all(pool).await
}

/// An order.
pub(super) async fn find(pool: &PgPool, id: Id) -> Result<Option<Record>, sqlx::Error> {
    sqlx::query_as(concat!("SELECT ", columns!(), " FROM orders WHERE id = $1 AND abandoned_at IS NULL"))
        .bind(id.get())
        .fetch_optional(pool)
        .await
}

/// The same, which nobody else can change until the transaction ends.
pub(super) async fn lock(connection: &mut PgConnection, id: Id) -> Result<Option<Record>, sqlx::Error> {
    sqlx::query_as(concat!(
        "SELECT ",
        columns!(),
        " FROM orders WHERE id = $1 AND abandoned_at IS NULL FOR NO KEY UPDATE"
    ))
    .bind(id.get())
    .fetch_optional(connection)
    .await
}

/// Brings an order that is locked to a status, and to its next version.
pub(super) async fn set_status(
    connection: &mut PgConnection,
    id: Id,
    status: OrderStatus,
) -> Result<Record, sqlx::Error> {
    sqlx::query_as(concat!(
        "UPDATE orders SET status = $2, version = version + 1, updated_at = clock_timestamp()
         WHERE id = $1 RETURNING ",
        columns!()
    ))
    .bind(id.get())
    .bind(status::name(status))
    .fetch_one(connection)
    .await
}

/// Begins to place an order; returns its id.
pub(super) async fn insert(connection: &mut PgConnection, wish: &Wish) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("INSERT INTO orders (customer_id, product_id, quantity) VALUES ($1, $2, $3) RETURNING id")
        .bind(wish.customer_id.get())
        .bind(wish.product_id.get())
        .bind(wish.quantity)
        .fetch_one(connection)
        .await
}

/// Begins again to place an order; false where it was given up.
pub(super) async fn resume(connection: &mut PgConnection, id: Id) -> Result<bool, sqlx::Error> {
    let update = sqlx::query(
        "UPDATE orders SET attempted_at = now() WHERE id = $1 AND status = 'PENDING' AND abandoned_at IS NULL",
    );
    Ok(update.bind(id.get()).execute(connection).await?.rows_affected() == 1)
}

/// Confirms an order that is still being placed: none where it is not, for it was given up, cancelled or confirmed.
pub(super) async fn confirm(
    connection: &mut PgConnection,
    id: Id,
    reserved: &Reserved,
) -> Result<Option<Record>, sqlx::Error> {
    sqlx::query_as(concat!(
        "UPDATE orders SET status = 'CONFIRMED', product_name = $2, unit_price = $3, total_price = $4, currency = $5,
             version = version + 1, updated_at = clock_timestamp(), confirmed_at = clock_timestamp()
         WHERE id = $1 AND status = 'PENDING' AND abandoned_at IS NULL RETURNING ",
        columns!()
    ))
    .bind(id.get())
    .bind(&reserved.product_name)
    .bind(reserved.unit_price.minor_units())
    .bind(reserved.total_price.minor_units())
    .bind(reserved.currency.code())
    .fetch_optional(connection)
    .await
}

/// Gives an order up that is still being placed; says whether it was.
pub(super) async fn abandon(connection: &mut PgConnection, id: Id) -> Result<bool, sqlx::Error> {
    let update = sqlx::query(
        "UPDATE orders SET abandoned_at = now() WHERE id = $1 AND status = 'PENDING' AND abandoned_at IS NULL",
    );
    Ok(update.bind(id.get()).execute(connection).await?.rows_affected() == 1)
}

/// Gives up orders whose placing began longer ago than `seconds`; returns their ids.
pub(super) async fn abandon_stale(connection: &mut PgConnection, seconds: f64) -> Result<Vec<i64>, sqlx::Error> {
    // Those that somebody works on at this moment are passed over.
    sqlx::query_scalar(
        "UPDATE orders SET abandoned_at = now() WHERE id = ANY (ARRAY (
             SELECT id FROM orders
             WHERE status = 'PENDING' AND abandoned_at IS NULL AND attempted_at < now() - make_interval(secs => $1)
             ORDER BY attempted_at LIMIT 100 FOR NO KEY UPDATE SKIP LOCKED
         )) RETURNING id",
    )
    .bind(seconds)
    .fetch_all(connection)
    .await
}

/// Takes orders that were given up, to release their reservations: nobody else takes them for `seconds`.
pub(super) async fn take_abandoned(pool: &PgPool, seconds: f64) -> Result<Vec<i64>, sqlx::Error> {
    sqlx::query_scalar(
        "UPDATE orders SET releasing_until = now() + make_interval(secs => $1) WHERE id = ANY (ARRAY (
             SELECT id FROM orders
             WHERE abandoned_at IS NOT NULL AND (releasing_until IS NULL OR releasing_until < now())
             ORDER BY id LIMIT 16 FOR NO KEY UPDATE SKIP LOCKED
         )) RETURNING id",
    )
    .bind(seconds)
    .fetch_all(pool)
    .await
}

/// Deletes an order that was given up and whose reservation is released.
pub(super) async fn delete_abandoned(pool: &PgPool, id: Id) -> Result<(), sqlx::Error> {
    let deletion = sqlx::query("DELETE FROM orders WHERE id = $1 AND abandoned_at IS NOT NULL");
    deletion.bind(id.get()).execute(pool).await.map(drop)
}

/// Cancels orders that were confirmed longer ago than `seconds` and are not paid.
pub(super) async fn cancel_unpaid(connection: &mut PgConnection, seconds: f64) -> Result<Vec<Record>, sqlx::Error> {
    sqlx::query_as(concat!(
        "UPDATE orders SET status = 'CANCELLED', version = version + 1, updated_at = clock_timestamp() WHERE id = ANY (ARRAY (
             SELECT id FROM orders
             WHERE status = 'CONFIRMED' AND confirmed_at < now() - make_interval(secs => $1)
             ORDER BY confirmed_at LIMIT 100 FOR NO KEY UPDATE SKIP LOCKED
         )) RETURNING ",
        columns!()
    ))
    .bind(seconds)
    .fetch_all(connection)
    .await
}
