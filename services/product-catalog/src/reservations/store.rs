//! Reservations in the database. Every function runs in the caller's transaction.

use service_kit::Id;
use sqlx::PgConnection;

use super::lines::Line;

/// Whether a reservation can be made.
#[derive(Debug)]
pub(super) enum Reserving {
    /// It is this transaction's to make.
    First,
    /// It was made before.
    Again(Vec<HeldLine>),
    /// It was released, before it was made or after.
    Released,
}

/// A line as it was taken.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct HeldLine {
    pub(super) product_id: i64,
    pub(super) quantity: i64,
    pub(super) name: String,
    /// In minor units.
    pub(super) unit_price: i64,
}

impl HeldLine {
    pub(super) const fn line(&self) -> (i64, i64) {
        (self.product_id, self.quantity)
    }
}

/// Begins a reservation. The same order's requests wait here for each other.
pub(super) async fn begin(connection: &mut PgConnection, order_id: Id) -> Result<Reserving, sqlx::Error> {
    if insert(connection, order_id).await? {
        return Ok(Reserving::First);
    }
    // Rows are never deleted: it is there.
    let (is_released,): (bool,) =
        sqlx::query_as("SELECT released_at IS NOT NULL FROM reservations WHERE order_id = $1")
            .bind(order_id.get())
            .fetch_one(&mut *connection)
            .await?;
    if is_released {
        return Ok(Reserving::Released);
    }
    lines(connection, order_id).await.map(Reserving::Again)
}

/// Releases a reservation, made or not, and says whether it held anything until now.
pub(super) async fn release(connection: &mut PgConnection, order_id: Id) -> Result<bool, sqlx::Error> {
    let is_new = insert(connection, order_id).await?;
    let released =
        sqlx::query("UPDATE reservations SET released_at = now() WHERE order_id = $1 AND released_at IS NULL")
            .bind(order_id.get())
            .execute(connection)
            .await?;
    Ok(!is_new && released.rows_affected() == 1)
}

async fn insert(connection: &mut PgConnection, order_id: Id) -> Result<bool, sqlx::Error> {
    let insertion = sqlx::query("INSERT INTO reservations (order_id) VALUES ($1) ON CONFLICT DO NOTHING");
    Ok(insertion.bind(order_id.get()).execute(connection).await?.rows_affected() == 1)
}

/// What a reservation has taken, by ascending product id.
pub(super) async fn lines(connection: &mut PgConnection, order_id: Id) -> Result<Vec<HeldLine>, sqlx::Error> {
    sqlx::query_as(
        "SELECT product_id, quantity, name, unit_price FROM reservation_lines WHERE order_id = $1 ORDER BY product_id",
    )
    .bind(order_id.get())
    .fetch_all(connection)
    .await
}

/// Takes a line off the stock, where there is enough.
pub(super) async fn take(
    connection: &mut PgConnection,
    order_id: Id,
    line: &Line,
) -> Result<Option<HeldLine>, sqlx::Error> {
    sqlx::query_as(
        "WITH taken AS (
             UPDATE products SET stock_quantity = stock_quantity - $3, version = version + 1,
                 updated_at = clock_timestamp()
             WHERE id = $2 AND deleted_at IS NULL AND stock_quantity >= $3
             RETURNING id, name, price
         )
         INSERT INTO reservation_lines (order_id, product_id, quantity, name, unit_price)
         SELECT $1, id, $3, name, price FROM taken
         RETURNING product_id, quantity, name, unit_price",
    )
    .bind(order_id.get())
    .bind(line.product_id.get())
    .bind(line.quantity)
    .fetch_optional(connection)
    .await
}

/// How many pieces of a product there are now.
pub(super) async fn available(connection: &mut PgConnection, product_id: Id) -> Result<Option<i64>, sqlx::Error> {
    let found: Option<(i64,)> =
        sqlx::query_as("SELECT stock_quantity FROM products WHERE id = $1 AND deleted_at IS NULL")
            .bind(product_id.get())
            .fetch_optional(connection)
            .await?;
    Ok(found.map(|(stock,)| stock))
}

/// Gives a line's pieces back to the stock, also of a product that is deleted.
pub(super) async fn give_back(connection: &mut PgConnection, line: &HeldLine) -> Result<(), sqlx::Error> {
    let addition = sqlx::query(
        "UPDATE products SET stock_quantity = stock_quantity + $2, version = version + 1, updated_at = clock_timestamp()
         WHERE id = $1",
    );
    addition.bind(line.product_id).bind(line.quantity).execute(connection).await.map(drop)
}
