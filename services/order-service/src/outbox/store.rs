//! The outbox in the database.

use sqlx::{PgConnection, PgPool};

/// Who a row is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// The topic of orders.
    Kafka,
    /// The queue of order events.
    Queue,
    /// The stock of the product catalog.
    Stock,
}

/// What the statements of one target have: its flag, and which rows are for it.
macro_rules! statements {
    ($flag:literal, $for:literal) => {
        Statements {
            due: concat!(
                "SELECT id, order_id, event_id, payload FROM outbox WHERE ",
                $for,
                " AND ",
                $flag,
                " IS NULL ORDER BY id LIMIT $1"
            ),
            mark: concat!("UPDATE outbox SET ", $flag, " = now() WHERE id = ANY ($1) AND ", $flag, " IS NULL"),
            waiting: concat!(
                "SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float8
                 FROM outbox WHERE ",
                $for,
                " AND ",
                $flag,
                " IS NULL"
            ),
        }
    };
}

struct Statements {
    due: &'static str,
    mark: &'static str,
    waiting: &'static str,
}

impl Target {
    pub(super) const ALL: [Target; 3] = [Target::Kafka, Target::Queue, Target::Stock];

    /// Its name in metrics and logs.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Target::Kafka => "kafka",
            Target::Queue => "sqs",
            Target::Stock => "stock",
        }
    }

    const fn statements(self) -> Statements {
        match self {
            Target::Kafka => statements!("kafka_sent_at", "payload IS NOT NULL"),
            Target::Queue => statements!("sqs_sent_at", "payload IS NOT NULL"),
            Target::Stock => statements!("released_at", "releases_stock"),
        }
    }
}

/// A row that a target has not got.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct Row {
    pub(super) id: i64,
    pub(super) order_id: i64,
    event_id: Option<String>,
    payload: Option<String>,
}

impl Row {
    #[cfg(test)]
    pub(super) const fn of(id: i64, order_id: i64) -> Self {
        Row { id, order_id, event_id: None, payload: None }
    }

    /// The event's id and text. Rows for which there is none are not due where events are sent.
    pub(super) fn event(&self) -> (&str, &str) {
        (self.event_id.as_deref().unwrap_or_default(), self.payload.as_deref().unwrap_or_default())
    }
}

/// Writes a row.
pub(super) async fn insert(
    connection: &mut PgConnection,
    order_id: i64,
    event_id: Option<&str>,
    payload: Option<&str>,
    releases_stock: bool,
) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO outbox (order_id, event_id, payload, releases_stock) VALUES ($1, $2, $3, $4)")
        .bind(order_id)
        .bind(event_id)
        .bind(payload)
        .bind(releases_stock)
        .execute(connection)
        .await
        .map(drop)
}

/// The first rows that a target has not got.
pub(super) async fn due(pool: &PgPool, target: Target, limit: i64) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as(target.statements().due).bind(limit).fetch_all(pool).await
}

/// Takes note that a target has got rows.
pub(super) async fn mark(pool: &PgPool, target: Target, ids: &[i64]) -> Result<(), sqlx::Error> {
    sqlx::query(target.statements().mark).bind(ids).execute(pool).await.map(drop)
}

/// How many rows a target has not got, and how old the oldest of them is, in seconds.
pub(super) async fn waiting(pool: &PgPool, target: Target) -> Result<(i64, f64), sqlx::Error> {
    sqlx::query_as(target.statements().waiting).fetch_one(pool).await
}

/// Deletes some rows that are older than `keep_seconds` and have arrived everywhere; says whether there were any.
pub(super) async fn sweep(pool: &PgPool, keep_seconds: f64, has_queue: bool) -> Result<bool, sqlx::Error> {
    let deletion = sqlx::query(
        "DELETE FROM outbox WHERE id = ANY (ARRAY (
             SELECT id FROM outbox
             WHERE created_at < now() - make_interval(secs => $1)
                 AND (payload IS NULL OR kafka_sent_at IS NOT NULL AND (sqs_sent_at IS NOT NULL OR NOT $2))
                 AND (released_at IS NOT NULL OR NOT releases_stock)
             ORDER BY created_at LIMIT 1000
         ))",
    );
    Ok(deletion.bind(keep_seconds).bind(has_queue).execute(pool).await?.rows_affected() > 0)
}
