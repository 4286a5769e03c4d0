//! Work that no request asks for: deletions that were interrupted are finished, sessions that have expired are forgotten.
//!
//! Every replica does it. All of it may be broken off at any point and done twice.

use std::sync::Arc;
use std::time::Duration;

use service_kit::{Problem, Readiness};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::{Customers, deletion};

/// How often it is looked for deletions that nobody goes on with.
const FINISH_EVERY: Duration = Duration::from_secs(2);
/// How often sessions that have expired are forgotten.
const SWEEP_EVERY: Duration = Duration::from_secs(600);
/// Between two looks whether the tables are there.
const TABLES: Duration = Duration::from_millis(50);
/// How long logins, changes of passwords and deletions may take when the service stops.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// Works until `stop`.
pub(crate) fn start(customers: &Arc<Customers>, readiness: &Readiness, stop: &CancellationToken) {
    let finish = {
        let customers = Arc::clone(customers);
        let finish = move || {
            let customers = Arc::clone(&customers);
            async move { deletion::finish_all(&customers).await }
        };
        repeat("deletions are not finished", FINISH_EVERY, readiness.clone(), finish)
    };
    let sweep = {
        let customers = Arc::clone(customers);
        let sweep = move || {
            let customers = Arc::clone(&customers);
            async move { customers.sessions.sweep().await }
        };
        repeat("expired sessions are not forgotten", SWEEP_EVERY, readiness.clone(), sweep)
    };
    let (finishing, sweeping) = (stop.clone(), stop.clone());
    tokio::spawn(async move { finishing.run_until_cancelled(finish).await });
    tokio::spawn(async move { sweeping.run_until_cancelled(sweep).await });
}

/// Does a piece of work again and again, once the tables are there.
async fn repeat<F>(failure: &'static str, every: Duration, readiness: Readiness, work: impl Fn() -> F)
where
    F: Future<Output = Result<(), Problem>>,
{
    while readiness.missing().contains(&"database") {
        tokio::time::sleep(TABLES).await;
    }
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(problem) = work().await {
            tracing::warn!(kind = problem.kind().slug(), "{failure}; trying again in {every:?}");
        }
    }
}

/// Lets what clients have asked for come to its end, as far as that is possible in time.
pub(crate) async fn drain(tasks: &TaskTracker) {
    tasks.close();
    if tokio::time::timeout(STOP_LIMIT, tasks.wait()).await.is_err() {
        tracing::warn!(tasks = tasks.len(), "stopping in the middle of what clients have asked for");
    }
}
