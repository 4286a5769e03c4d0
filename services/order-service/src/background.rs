//! Work that no request asks for, from the moment at which the tables are there until the service has stopped.

use std::sync::Arc;
use std::time::Duration;

use service_kit::{Problem, Readiness};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::orders::reaper;
use crate::{Orders, outbox};

/// How often it is looked for orders whose time has run out.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often the outbox is measured and swept.
const TIDY_EVERY: Duration = Duration::from_secs(5);
/// How soon work that failed is tried again.
const RETRY: Duration = Duration::from_secs(2);
/// Between two looks whether the tables are there.
const TABLES: Duration = Duration::from_millis(50);
/// How long orders that are being placed, and then events that are being sent, may take when the service stops.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// The tasks, which end when this is dropped.
#[derive(Debug)]
pub(crate) struct Background {
    tasks: JoinSet<()>,
    halt: CancellationToken,
}

impl Background {
    pub(crate) fn start(orders: &Arc<Orders>, readiness: &Readiness) -> Self {
        let (mut tasks, halt) = (JoinSet::new(), CancellationToken::new());
        let (orders, readiness, halted) = (Arc::clone(orders), readiness.clone(), halt.clone());
        tasks.spawn(async move {
            let is_there = halted.run_until_cancelled(tables(&readiness)).await.is_some();
            if is_there {
                work(&orders, &halted).await;
            }
        });
        Background { tasks, halt }
    }

    /// Lets orders that are being placed come to their end and then what they leave to be sent, as far as that is possible
    /// in time. What is not sent now is sent by the next service that runs.
    pub(crate) async fn stop(mut self, orders: &Orders) {
        orders.placing.close();
        if tokio::time::timeout(STOP_LIMIT, orders.placing.wait()).await.is_err() {
            tracing::warn!("stopping although {} orders are still being placed", orders.placing.len());
        }
        self.halt.cancel();
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_LIMIT, ended).await.is_err() {
            tracing::warn!("stopping although events are still being sent; they will come again");
        }
    }
}

/// Waits until the tables are there.
async fn tables(readiness: &Readiness) {
    while readiness.missing().contains(&"database") {
        tokio::time::sleep(TABLES).await;
    }
}

async fn work(orders: &Arc<Orders>, halt: &CancellationToken) {
    let never = Notify::new();
    tokio::join!(
        outbox::relay(orders, halt),
        repeat("orders are not given up or released", LOOK_EVERY, &orders.reaper, halt, || reaper::reap(orders)),
        repeat("unpaid orders are not cancelled", LOOK_EVERY, &never, halt, || reaper::cancel_unpaid(orders)),
        repeat("the outbox is not tidied up", TIDY_EVERY, &never, halt, || outbox::tidy(orders)),
    );
}

/// Does a piece of work again and again, and early when it is woken. What it has begun, it ends.
async fn repeat<F>(
    failure: &'static str,
    every: Duration,
    wake: &Notify,
    halt: &CancellationToken,
    work: impl Fn() -> F,
) where
    F: Future<Output = Result<(), Problem>>,
{
    while !halt.is_cancelled() {
        let done = work().await;
        if let Err(problem) = &done {
            tracing::warn!(kind = problem.kind().slug(), "{failure}; trying again in {RETRY:?}");
        }
        tokio::select! {
            () = halt.cancelled() => {}
            () = wake.notified(), if done.is_ok() => {}
            () = tokio::time::sleep(if done.is_ok() { every } else { RETRY }) => {}
        }
    }
}
