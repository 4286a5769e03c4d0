//! How fresh counts are, told to all streams at once: one reader of the table, however many streams there are.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::freshness::{Freshness, JobStatus};
use super::recent::Recent;
use super::stream::event;

/// How often it is told.
const EVERY: Duration = Duration::from_secs(5);

/// Begins to tell, until `stop`; `background` waits for the end. The event comes without an id.
pub(super) fn start(
    status: Arc<JobStatus>,
    recent: Arc<Recent>,
    stop: CancellationToken,
    background: &TaskTracker,
) -> watch::Receiver<Option<Bytes>> {
    let (tell, told) = watch::channel(None);
    background.spawn(async move {
        let telling = async {
            let mut ticks = interval(EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                // Why it is not known has been logged. Streams go on: that counts may be old is what they tell.
                let freshness = status.freshness().await.unwrap_or(Freshness::UNKNOWN);
                tell.send_replace(Some(event("watermark", &freshness.by_topic(recent.is_live()))));
            }
        };
        stop.run_until_cancelled(telling).await;
    });
    told
}
