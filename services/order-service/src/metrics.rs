//! What is measured of orders, beside what the kit measures of requests.

use std::sync::atomic::AtomicU64;

use axum::response::Response;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use service_kit::Problem;
use service_kit::idempotency_headers::REPLAYED;

/// What became of orders, and how far their events are.
#[derive(Debug)]
pub(crate) struct Metrics {
    placed: Family<Outcome, Counter>,
    given_up: Counter,
    released: Counter,
    unpaid: Counter,
    waiting: Family<Target, Gauge>,
    oldest: Family<Target, Gauge<f64, AtomicU64>>,
    relaying: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    /// `confirmed`, `replayed`, or the name of the problem.
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Target {
    target: &'static str,
}

impl Metrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let metrics = Metrics {
            placed: Family::default(),
            given_up: Counter::default(),
            released: Counter::default(),
            unpaid: Counter::default(),
            waiting: Family::default(),
            oldest: Family::default(),
            relaying: Gauge::default(),
        };
        // The library adds `_total`.
        registry.register("orders_placed", "Requests for orders, by what became of them", metrics.placed.clone());
        registry.register("orders_given_up", "Orders that were not placed in time", metrics.given_up.clone());
        registry.register(
            "orders_released",
            "Orders that came to nothing and were deleted once their stock was released",
            metrics.released.clone(),
        );
        registry.register("orders_unpaid", "Orders that were cancelled for want of a payment", metrics.unpaid.clone());
        registry.register(
            "outbox_rows_waiting",
            "Rows of the outbox that a target has not got",
            metrics.waiting.clone(),
        );
        registry.register(
            "outbox_oldest_age_seconds",
            "Since when the oldest row of the outbox waits for a target; 0 where none does",
            metrics.oldest.clone(),
        );
        registry.register("outbox_relaying", "Whether this replica is the one that sends", metrics.relaying.clone());
        metrics
    }

    /// Counts a request for an order.
    pub(crate) fn count_placed(&self, result: &Result<Response, Problem>) {
        let outcome = match result {
            Ok(response) if response.headers().contains_key(REPLAYED) => "replayed",
            Ok(_) => "confirmed",
            Err(problem) => problem.kind().slug(),
        };
        self.placed.get_or_create(&Outcome { outcome }).inc();
    }

    /// Counts orders that the reaper gave up.
    pub(crate) fn count_given_up(&self, orders: usize) {
        self.given_up.inc_by(count(orders));
    }

    /// Counts orders that the reaper has released and deleted.
    pub(crate) fn count_released(&self, orders: usize) {
        self.released.inc_by(count(orders));
    }

    /// Counts orders that were cancelled because nobody paid.
    pub(crate) fn count_unpaid(&self, orders: usize) {
        self.unpaid.inc_by(count(orders));
    }

    /// Takes note of whether this replica sends.
    pub(crate) fn set_relaying(&self, is_relaying: bool) {
        self.relaying.set(i64::from(is_relaying));
    }

    /// Takes note of what waits for a target.
    pub(crate) fn observe_waiting(&self, target: &'static str, rows: i64, oldest_age_seconds: f64) {
        self.waiting.get_or_create(&Target { target }).set(rows);
        self.oldest.get_or_create(&Target { target }).set(oldest_age_seconds);
    }
}

fn count(orders: usize) -> u64 {
    u64::try_from(orders).unwrap_or(u64::MAX)
}
