//! What the job tells about itself: the registry behind `/metrics`.
//!
//! Names, types and meanings are a contract, listed in `docs/reference/metrics.md`; a test compares. No metric is
//! labelled by product, user, offset or window: label values are bounded by the job's shape, not by its data.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use schemas::Reason;

use crate::clock;
use crate::control::Control;
use crate::partitions::{Partition, Partitions, Watermark};
use crate::windows::Windows;

/// A gauge of fractional seconds.
pub type SecondsGauge = Gauge<f64, AtomicU64>;

/// Label of a metric that is kept per worker.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ByWorker {
    /// The worker's index.
    pub worker: usize,
}

/// Label of a metric that is kept per sink.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct BySink {
    /// `stdout`, `ndjson`, `kafka`, `dynamodb` or `quarantine`.
    pub sink: &'static str,
}

/// Handles to every metric of the job; clones share their values.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// Pairs of user and product in memory.
    pub distinct_entries: Family<ByWorker, Gauge>,
    /// Rows that a sink has acknowledged.
    pub sink_rows: Family<BySink, Counter>,
    /// Late and rejected records that a sink has acknowledged.
    pub sink_quarantined: Family<BySink, Counter>,
    /// Rows of open windows that a sink has acknowledged.
    pub sink_live_rows: Family<BySink, Counter>,
    /// Live rows that a sink gave up.
    pub sink_live_rows_dropped: Family<BySink, Counter>,
    /// Requests that a sink sent again.
    pub sink_retries: Family<BySink, Counter>,
    /// When a sink last acknowledged something.
    pub sink_last_acknowledgement: Family<BySink, SecondsGauge>,
    /// About commits.
    pub commit: CommitMetrics,
}

/// What is told about commits.
#[derive(Clone, Debug, Default)]
pub struct CommitMetrics {
    /// Commits of resume records.
    pub commits: Counter,
    /// Commits that were aborted and made again.
    pub aborted: Counter,
    /// When the last one was.
    pub last: SecondsGauge,
    /// The epoch of the job; 0 where it keeps no records.
    pub epoch: Gauge,
    /// How long the job took from its start until it had read as far as its topic reached when it started.
    pub recovery: SecondsGauge,
}

impl CommitMetrics {
    fn register(&self, registry: &mut Registry) {
        registry.register("commits", "Commits of resume records", self.commits.clone());
        registry.register("commits_aborted", "Commits that were aborted and made again", self.aborted.clone());
        let help = "When resume records were last committed, since the Unix epoch";
        registry.register_with_unit("last_commit_timestamp", help, Unit::Seconds, self.last.clone());
        registry.register("epoch", "The job's epoch; 0 where it keeps no resume records", self.epoch.clone());
        let help = "How long it took to read as far as the topic reached at the start, with a commit";
        registry.register_with_unit("recovery", help, Unit::Seconds, self.recovery.clone());
    }

    /// Takes note of a commit.
    pub fn committed(&self) {
        self.commits.inc();
        self.last.set(clock::now_seconds());
    }
}

impl Metrics {
    /// Registers every metric under the prefix `dataflow`; those of partitions are read from the table at each scrape.
    #[must_use]
    pub fn registry(&self, partitions: Arc<Partitions>, windows: Arc<Windows>, control: Arc<Control>) -> Registry {
        let mut registry = Registry::with_prefix("dataflow");
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The version that runs", build);
        registry.register_collector(Box::new(JobCollector { partitions, windows, control }));
        registry.register("distinct_entries", "Pairs of user and product in memory", self.distinct_entries.clone());
        registry.register("sink_rows", "Rows that a sink has acknowledged", self.sink_rows.clone());
        registry.register(
            "sink_quarantined",
            "Late and rejected records that a sink has acknowledged",
            self.sink_quarantined.clone(),
        );
        registry.register(
            "sink_live_rows",
            "Rows of open windows that a sink has acknowledged",
            self.sink_live_rows.clone(),
        );
        registry.register(
            "sink_live_rows_dropped",
            "Live rows that a sink gave up, as the destination was too slow",
            self.sink_live_rows_dropped.clone(),
        );
        registry.register("sink_retries", "Requests that a sink sent again", self.sink_retries.clone());
        registry.register_with_unit(
            "sink_last_acknowledgement_timestamp",
            "When a sink last acknowledged something, since the Unix epoch",
            Unit::Seconds,
            self.sink_last_acknowledgement.clone(),
        );
        self.commit.register(&mut registry);
        registry
    }

    /// The sink's own handles.
    #[must_use]
    pub fn sink(&self, sink: &'static str) -> SinkMetrics {
        let by = BySink { sink };
        SinkMetrics {
            rows: self.sink_rows.get_or_create_owned(&by),
            quarantined: self.sink_quarantined.get_or_create_owned(&by),
            live_rows: self.sink_live_rows.get_or_create_owned(&by),
            live_rows_dropped: self.sink_live_rows_dropped.get_or_create_owned(&by),
            retries: self.sink_retries.get_or_create_owned(&by),
            last_acknowledgement: self.sink_last_acknowledgement.get_or_create_owned(&by),
        }
    }
}

/// A sink's handles.
#[derive(Clone, Debug)]
pub struct SinkMetrics {
    /// Rows acknowledged.
    pub rows: Counter,
    /// Late and rejected records acknowledged.
    pub quarantined: Counter,
    /// Rows of open windows acknowledged.
    pub live_rows: Counter,
    /// Live rows given up.
    pub live_rows_dropped: Counter,
    /// Requests sent again.
    pub retries: Counter,
    /// When something was last acknowledged.
    pub last_acknowledgement: SecondsGauge,
}

impl SinkMetrics {
    /// Takes note that the destination has acknowledged rows.
    pub fn acknowledge_rows(&self, rows: usize) {
        self.rows.inc_by(rows as u64);
        self.last_acknowledgement.set(clock::now_seconds());
    }

    /// Takes note that the destination has acknowledged rows of open windows.
    pub fn acknowledge_live(&self, rows: usize) {
        self.live_rows.inc_by(rows as u64);
    }

    /// Takes note that the destination has acknowledged late or rejected records.
    pub fn acknowledge_quarantined(&self, records: usize) {
        self.quarantined.inc_by(records as u64);
        self.last_acknowledgement.set(clock::now_seconds());
    }
}

/// Reads the state that the job shares, when it is asked.
#[derive(Debug)]
struct JobCollector {
    partitions: Arc<Partitions>,
    windows: Arc<Windows>,
    control: Arc<Control>,
}

impl Collector for JobCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        self.counter(&mut encoder, "records_received", "Records read from the input.", |p| &p.received)?;
        self.counter(&mut encoder, "records_counted", "Records that went into a count.", |p| &p.counted)?;
        self.counter(&mut encoder, "records_late", "Valid events of windows that were final.", |p| &p.late)?;
        self.counter(&mut encoder, "records_filtered", "Valid events whose type is not asked for.", |p| &p.filtered)?;
        let help = "Records read again after a restart.";
        self.counter(&mut encoder, "records_replayed", help, |p| &p.replayed)?;
        self.rejected(&mut encoder)?;
        let (name, help) = ("partition_idle", "Whether the partition is known to have nothing to read.");
        let mut idle = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for partition in self.own_partitions() {
            let value = i64::from(partition.is_idle());
            ConstGauge::new(value).encode(idle.encode_family(&[("partition", partition.id.0)])?)?;
        }
        self.watermarks(&mut encoder)?;
        let open = encoder.encode_descriptor("open_windows", "Windows in memory.", None, MetricType::Gauge)?;
        ConstGauge::new(i64::try_from(self.windows.open_count()).unwrap_or(i64::MAX)).encode(open)?;
        let help = "Windows whose rows are final.";
        let closed = encoder.encode_descriptor("windows_closed", help, None, MetricType::Counter)?;
        ConstCounter::new(self.windows.closed_count()).encode(closed)?;
        let name = "partition_lag_records";
        let mut lag = encoder.encode_descriptor(
            name,
            "Records that the broker has beyond those read.",
            None,
            MetricType::Gauge,
        )?;
        for partition in self.own_partitions() {
            let value = i64::try_from(partition.lag()).unwrap_or(i64::MAX);
            ConstGauge::new(value).encode(lag.encode_family(&[("partition", partition.id.0)])?)?;
        }
        let (name, help) = ("in_flight", "Bytes of records read but not yet taken in.");
        let mut in_flight = encoder.encode_descriptor(name, help, Some(&Unit::Bytes), MetricType::Gauge)?;
        for worker in self.control.local() {
            let value = i64::try_from(self.control.in_flight_bytes(worker)).unwrap_or(i64::MAX);
            ConstGauge::new(value).encode(in_flight.encode_family(&[("worker", worker)])?)?;
        }
        Ok(())
    }
}

impl JobCollector {
    /// Those that this process reads: others tell of theirs.
    fn own_partitions(&self) -> impl Iterator<Item = Arc<Partition>> {
        let is_own =
            |partition: &Arc<Partition>| self.control.is_local(partition.id.0 as usize % self.control.workers());
        self.partitions.all().into_iter().filter(is_own)
    }

    fn counter(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        name: &str,
        help: &str,
        value: impl Fn(&Partition) -> &AtomicU64,
    ) -> Result<(), fmt::Error> {
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for partition in self.own_partitions() {
            let labels = [("partition", partition.id.0)];
            ConstCounter::new(value(&partition).load(Ordering::Relaxed)).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn rejected(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let help = "Records that are no valid events.";
        let mut family = encoder.encode_descriptor("records_rejected", help, None, MetricType::Counter)?;
        for partition in self.own_partitions() {
            for reason in Reason::ALL {
                let labels = [("partition", partition.id.0.to_string()), ("reason", reason.code().to_owned())];
                ConstCounter::new(partition.rejected(reason)).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }

    fn watermarks(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let (name, help) = ("partition_watermark_timestamp", "Event time up to which a partition is complete.");
        let mut family = encoder.encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Gauge)?;
        for partition in self.own_partitions() {
            let Some(seconds) = seconds(partition.event_watermark()) else { continue };
            ConstGauge::new(seconds).encode(family.encode_family(&[("partition", partition.id.0)])?)?;
        }
        let Some(job) = seconds(self.partitions.job_watermark()) else { return Ok(()) };
        let (name, help) = ("watermark_timestamp", "Event time up to which the results are complete.");
        let watermark = encoder.encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Gauge)?;
        ConstGauge::new(job).encode(watermark)?;
        let (name, help) = ("watermark_age", "How far the job's watermark is behind the clock.");
        let age = encoder.encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Gauge)?;
        ConstGauge::new(clock::now_seconds() - job).encode(age)
    }
}

/// Seconds since the Unix epoch; none before the first event and after the end.
#[expect(clippy::cast_precision_loss, reason = "event times are below 2^52 milliseconds")]
fn seconds(watermark: Watermark) -> Option<f64> {
    watermark.millis().map(|millis| millis as f64 / 1000.0)
}
