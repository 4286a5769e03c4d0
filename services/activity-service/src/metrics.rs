//! What is measured of events, beside what the kit measures of requests.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::judge::Rejection;
use crate::publisher::{Publisher, Unpublished};

/// Bounds in seconds: from one round trip to the broker up to the time limit of an acknowledgement.
const SECONDS: [f64; 10] = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 5.0];

/// What became of events.
#[derive(Debug)]
pub(crate) struct Metrics {
    accepted: Counter,
    rejected: Family<Reason, Counter>,
    unpublished: Family<Cause, Counter>,
    latency: Histogram,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Cause {
    cause: &'static str,
}

impl Metrics {
    pub(crate) fn register(registry: &mut Registry, publisher: &Arc<Publisher>) -> Self {
        let metrics = Metrics {
            accepted: Counter::default(),
            rejected: Family::default(),
            unpublished: Family::default(),
            latency: Histogram::new(SECONDS),
        };
        // The library adds `_total`.
        registry.register("activity_events_accepted", "Events that Kafka has acknowledged", metrics.accepted.clone());
        registry.register("activity_events_rejected", "Events that would not be counted", metrics.rejected.clone());
        registry.register(
            "activity_events_unpublished",
            "Valid events whose sender was told to try again",
            metrics.unpublished.clone(),
        );
        registry.register(
            "activity_publish_duration_seconds",
            "Time until all events of a request were acknowledged",
            metrics.latency.clone(),
        );
        registry.register_collector(Box::new(Queue(Arc::clone(publisher))));
        metrics
    }

    pub(crate) fn count_rejected(&self, rejected: &[Rejection]) {
        for rejection in rejected {
            self.rejected.get_or_create(&Reason { reason: rejection.reason.code() }).inc();
        }
    }

    pub(crate) fn count_published(&self, events: usize, outcome: &Result<Duration, Unpublished>) {
        let events = u64::try_from(events).unwrap_or(u64::MAX);
        match outcome {
            Ok(latency) => {
                self.accepted.inc_by(events);
                self.latency.observe(latency.as_secs_f64());
            }
            Err(unpublished) => {
                self.unpublished.get_or_create(&Cause { cause: unpublished.cause() }).inc_by(events);
            }
        }
    }
}

/// Looks at the producer's queue whenever metrics are read.
#[derive(Debug)]
struct Queue(Arc<Publisher>);

impl Collector for Queue {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let length = ConstGauge::new(self.0.queue_length());
        let help = "Events that wait for Kafka's acknowledgement";
        let metric = encoder.encode_descriptor("activity_producer_queue_events", help, None, length.metric_type())?;
        length.encode(metric)
    }
}
