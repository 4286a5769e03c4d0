//! What happens to orders when nobody asks: those that are not placed in time are given up, those that were given up are
//! released and deleted, those that are not paid in time are cancelled.
//!
//! Every replica does it. Rows are taken with `SKIP LOCKED` or for a while, so that two of them seldom do the same work, and
//! all of it may be done twice.

use std::sync::Arc;
use std::time::Duration;

use service_kit::{Id, Problem, idempotency};
use tokio::task::JoinSet;

use super::store;
use crate::{Orders, outbox};

/// For how long others leave an order alone that somebody is releasing; then it is tried again.
const RELEASING: Duration = Duration::from_secs(10);

/// Gives up what has been PENDING for longer than the limit, and releases everything that was given up.
pub(crate) async fn reap(orders: &Arc<Orders>) -> Result<(), Problem> {
    while abandon_stale(orders).await? {}
    while release_abandoned(orders).await? {}
    Ok(())
}

/// One transaction's worth; says whether there may be more.
async fn abandon_stale(orders: &Orders) -> Result<bool, Problem> {
    let limit = orders.limits.order_pending_timeout.as_secs_f64();
    let mut transaction = orders.database.begin().await?;
    let ids = store::abandon_stale(&mut transaction, limit).await?;
    for id in ids.iter().copied().filter_map(Id::new) {
        idempotency::free(&mut transaction, id).await?;
    }
    transaction.commit().await?;
    orders.metrics.count_given_up(ids.len());
    if !ids.is_empty() {
        tracing::warn!(orders = ?ids, "given up: they were not placed in time");
    }
    Ok(!ids.is_empty())
}

/// The reservations of some orders, at once; says whether there may be more that can be released.
async fn release_abandoned(orders: &Arc<Orders>) -> Result<bool, Problem> {
    let ids = store::take_abandoned(orders.database.pool(), RELEASING.as_secs_f64()).await?;
    let mut releases = JoinSet::new();
    for id in ids.into_iter().filter_map(Id::new) {
        let orders = Arc::clone(orders);
        releases.spawn(async move { release(&orders, id).await });
    }
    let mut released = 0;
    for outcome in releases.join_all().await {
        match outcome {
            Ok(()) => released += 1,
            Err(problem) => tracing::warn!(?problem, "an order that was given up keeps its stock for now"),
        }
    }
    orders.metrics.count_released(released);
    Ok(released > 0)
}

async fn release(orders: &Orders, id: Id) -> Result<(), Problem> {
    orders.stock.release(id).await?;
    store::delete_abandoned(orders.database.pool(), id).await?;
    Ok(())
}

/// Cancels what has been CONFIRMED for longer than the limit.
pub(crate) async fn cancel_unpaid(orders: &Orders) -> Result<(), Problem> {
    while cancel_some(orders).await? {
        orders.outbox.wake();
    }
    Ok(())
}

async fn cancel_some(orders: &Orders) -> Result<bool, Problem> {
    let limit = orders.limits.order_payment_timeout.as_secs_f64();
    let mut transaction = orders.database.begin().await?;
    let cancelled = store::cancel_unpaid(&mut transaction, limit).await?;
    for record in &cancelled {
        outbox::record(&mut transaction, record, true).await?;
    }
    transaction.commit().await?;
    orders.metrics.count_unpaid(cancelled.len());
    Ok(!cancelled.is_empty())
}
