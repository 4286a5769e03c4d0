//! How many streams are open, and why others no longer are.

use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use service_kit::{Kind, Problem};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// All streams of a replica.
#[derive(Debug)]
pub(in crate::analytics) struct Streams {
    permits: Arc<Semaphore>,
    metrics: Metrics,
}

#[derive(Clone, Debug, Default)]
struct Metrics {
    open: Gauge,
    closed: Family<ClosedLabels, Counter>,
    rows: Counter,
    resets: Counter,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClosedLabels {
    reason: &'static str,
}

/// Why a stream has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// The client has hung up.
    Client,
    /// It did not take its rows in time.
    Slow,
    /// The gateway stops.
    Stop,
}

impl Reason {
    /// As the metric's label has it.
    const fn name(self) -> &'static str {
        match self {
            Reason::Client => "client",
            Reason::Slow => "slow",
            Reason::Stop => "stop",
        }
    }
}

/// An open stream, until it is dropped.
#[derive(Debug)]
pub(super) struct Open {
    metrics: Metrics,
    reason: Reason,
    _permit: OwnedSemaphorePermit,
}

impl Streams {
    /// Up to `most` at once.
    pub(in crate::analytics) fn new(most: usize, registry: &mut Registry) -> Self {
        let metrics = Metrics::default();
        let Metrics { open, closed, rows, resets } = &metrics;
        registry.register("analytics_streams", "Open streams of counts", open.clone());
        registry.register("analytics_streams_closed", "Streams that have ended, by the reason", closed.clone());
        registry.register("analytics_stream_rows_sent", "Rows sent by streams", rows.clone());
        registry.register("analytics_streams_reset", "Streams that could not go on from the id sent", resets.clone());
        Streams { permits: Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))), metrics }
    }

    /// Opens one more.
    ///
    /// # Errors
    /// 503 where there are too many.
    pub(super) fn open(&self) -> Result<Open, Problem> {
        let permit = Arc::clone(&self.permits).try_acquire_owned().map_err(|_| {
            Problem::new(Kind::Overloaded, "too many streams are open; try again in a moment, or poll /analytics/top")
        })?;
        self.metrics.open.inc();
        Ok(Open { metrics: self.metrics.clone(), reason: Reason::Client, _permit: permit })
    }
}

impl Open {
    /// Why it is going to end, unless the client hangs up.
    pub(super) const fn ends(&mut self, reason: Reason) {
        self.reason = reason;
    }

    /// So many rows have been sent.
    pub(super) fn sent(&self, rows: usize) {
        self.metrics.rows.inc_by(rows as u64);
    }

    /// It has begun anew.
    pub(super) fn is_reset(&self) {
        self.metrics.resets.inc();
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.metrics.open.dec();
        self.metrics.closed.get_or_create(&ClosedLabels { reason: self.reason.name() }).inc();
    }
}
