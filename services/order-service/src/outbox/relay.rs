//! The relay: of all replicas, one sends. It is the one whose connection holds the lock, and it stops when it loses that
//! connection, for then another one may hold it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use sqlx::{Connection as _, PgConnection, PgPool};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::kafka::Kafka;
use super::queue::Queue;
use super::returns::Returns;
use super::store::{self, Row, Target};
use crate::{Orders, locks};

/// How often it is looked for rows that another replica has committed.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How often those that do not send ask whether nobody does.
const ASK_EVERY: Duration = Duration::from_millis(500);
/// How often the one that sends asks whether it still may.
const CHECK_EVERY: Duration = Duration::from_secs(1);
/// How long the database may take to answer that.
const ANSWER_LIMIT: Duration = Duration::from_secs(3);
/// The pause after a target failed, doubled up to the most.
const LEAST_PAUSE: Duration = Duration::from_millis(100);
const MOST_PAUSE: Duration = Duration::from_secs(3);

/// Somebody who carries rows to a target.
pub(super) trait Carrier: Send {
    /// Which one.
    const TARGET: Target;
    /// How many rows are looked at together.
    const AT_ONCE: i64;

    /// Sends rows, each of another order; returns those that are acknowledged.
    ///
    /// # Errors
    /// Why none is.
    fn send(&mut self, rows: &[Row]) -> impl Future<Output = Result<Vec<i64>, String>> + Send;
}

/// Sends what is due whenever this replica is the one to do it, until `halt`; then, what is due at that moment.
pub(crate) async fn relay(orders: &Arc<Orders>, halt: &CancellationToken) {
    while !halt.is_cancelled() {
        match take_lock(orders.database.pool()).await {
            Ok(Some(mut lock)) => {
                tracing::info!("this replica sends the events of orders");
                orders.metrics.set_relaying(true);
                tokio::select! {
                    () = send_everything(orders, halt) => close(lock).await,
                    reason = lost(&mut lock) => tracing::warn!(reason, "this replica no longer sends; another one may"),
                }
                orders.metrics.set_relaying(false);
            }
            Ok(None) => tracing::debug!("another replica sends the events of orders"),
            Err(reason) => tracing::warn!(reason, "events of orders wait for the database"),
        }
        // Nothing waits for a clock once the service stops.
        halt.run_until_cancelled(tokio::time::sleep(ASK_EVERY)).await;
    }
}

/// A connection that holds the lock, none while another one does.
async fn take_lock(pool: &PgPool) -> Result<Option<PgConnection>, String> {
    // Not of the pool, which might hand it on with its lock.
    let options = pool.connect_options();
    let connect = async {
        let mut connection = PgConnection::connect_with(&options).await?;
        let is_ours: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1, 0)")
            .bind(locks::RELAY)
            .fetch_one(&mut connection)
            .await?;
        if is_ours {
            return Ok(Some(connection));
        }
        connection.close().await?;
        Ok(None)
    };
    match tokio::time::timeout(ANSWER_LIMIT, connect).await {
        Ok(result) => result.map_err(|error: sqlx::Error| error.to_string()),
        Err(_) => Err(format!("no connection within {ANSWER_LIMIT:?}")),
    }
}

/// Returns, with the reason, when the connection is lost.
async fn lost(lock: &mut PgConnection) -> String {
    loop {
        tokio::time::sleep(CHECK_EVERY).await;
        match tokio::time::timeout(ANSWER_LIMIT, lock.ping()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return error.to_string(),
            Err(_) => return format!("no answer within {ANSWER_LIMIT:?}"),
        }
    }
}

async fn close(lock: PgConnection) {
    if let Err(error) = lock.close().await {
        tracing::debug!(%error, "the relay's connection ended by itself");
    }
}

/// Every target by a loop of its own. Producers live as long as the lock is held.
async fn send_everything(orders: &Arc<Orders>, halt: &CancellationToken) {
    let outbox = &orders.outbox;
    let to_kafka = async {
        match Kafka::new(&outbox.kafka, &outbox.topic) {
            Ok(kafka) => send_due(orders, kafka, halt).await,
            // The settings were tried at the start.
            Err(error) => tracing::error!(%error, "no events of orders are published"),
        }
    };
    let to_queue = async {
        if let Some(queue) = Queue::new(&outbox.queue).await {
            send_due(orders, queue, halt).await;
        }
    };
    tokio::join!(to_kafka, to_queue, send_due(orders, Returns(Arc::clone(orders)), halt));
    // Without this, a target that cannot be made would make all of them begin anew for ever.
    halt.cancelled().await;
}

/// Sends a target what is due, until `halt` and nothing is due, or it fails then.
async fn send_due<C: Carrier>(orders: &Orders, mut carrier: C, halt: &CancellationToken) {
    let (mut wake, mut pause) = (orders.outbox.wake.subscribe(), LEAST_PAUSE);
    loop {
        wake.mark_unchanged();
        match send_some(orders.database.pool(), &mut carrier).await {
            Ok(true) => pause = LEAST_PAUSE,
            Ok(false) if halt.is_cancelled() => return,
            Ok(false) => wait(&mut wake, halt).await,
            Err(reason) => {
                tracing::warn!(target = C::TARGET.name(), reason, "events of orders wait; trying again in {pause:?}");
                if halt.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                    return;
                }
                pause = (pause * 2).min(MOST_PAUSE);
            }
        }
    }
}

async fn wait(wake: &mut watch::Receiver<()>, halt: &CancellationToken) {
    tokio::select! {
        () = halt.cancelled() => {}
        // The sender lives as long as the service.
        _ = wake.changed() => {}
        () = tokio::time::sleep(LOOK_EVERY) => {}
    }
}

/// One round; says whether anything was sent.
async fn send_some<C: Carrier>(pool: &PgPool, carrier: &mut C) -> Result<bool, String> {
    let due = store::due(pool, C::TARGET, C::AT_ONCE).await.map_err(|error| error.to_string())?;
    let rows = first_of_each_order(due);
    if rows.is_empty() {
        return Ok(false);
    }
    let sent = carrier.send(&rows).await?;
    if sent.is_empty() {
        return Err(format!("none of {} rows was accepted", rows.len()));
    }
    store::mark(pool, C::TARGET, &sent).await.map_err(|error| error.to_string())?;
    Ok(true)
}

/// The rows that do not wait for an earlier one of their order.
fn first_of_each_order(mut rows: Vec<Row>) -> Vec<Row> {
    let mut orders = HashSet::with_capacity(rows.len());
    rows.retain(|row| orders.insert(row.order_id));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_has_one_row_under_way_its_first() {
        let rows = [(1, 7), (2, 8), (3, 7), (5, 9), (6, 8)].map(|(id, order_id)| Row::of(id, order_id));
        let first = first_of_each_order(rows.to_vec());
        assert_eq!(first.iter().map(|row| (row.id, row.order_id)).collect::<Vec<_>>(), [(1, 7), (2, 8), (5, 9)]);
    }
}
