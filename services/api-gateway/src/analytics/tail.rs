//! The thread that reads the results topic: each replica of the gateway reads all of it, from half an hour back, and
//! belongs to no group.

use std::ops::Range;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use kafka_client::{Inspector, KafkaArgs, TIME_LIMIT, client_error};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use schemas::{EventTime, TopicRow};
use service_kit::Error;
use tokio_util::sync::CancellationToken;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::memory::MINUTES;
use super::recent::{Recent, Record};
use crate::NAME;

/// How long a poll waits for a row until it looks whether to stop.
const POLL: Duration = Duration::from_millis(100);
/// How many records are taken in at once: waking streams is dearer than reading.
const BATCH: usize = 1_000;
/// How often it is asked whether the topic has more partitions.
const ASK_EVERY: Duration = Duration::from_secs(60);
/// How long to wait until the topic is looked for again.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// How many bytes of rows the client may fetch ahead.
const QUEUED_BYTES: usize = 4 << 20;

type Consumer = BaseConsumer<kafka_client::Context>;

/// What reads, and for whom.
struct Tail {
    args: KafkaArgs,
    topic: String,
    recent: Arc<Recent>,
    metrics: Metrics,
    stop: CancellationToken,
}

#[derive(Debug, Default)]
struct Metrics {
    rows: Counter,
    unreadable: Counter,
    connected: Gauge,
}

impl Metrics {
    fn register(registry: &mut Registry) -> Self {
        let metrics = Metrics::default();
        let Metrics { rows, unreadable, connected } = &metrics;
        registry.register("analytics_rows_read", "Rows read from the results topic", rows.clone());
        registry.register(
            "analytics_rows_unreadable",
            "Records of the results topic that are no rows",
            unreadable.clone(),
        );
        registry.register("analytics_topic_assigned", "1 while the results topic is being read", connected.clone());
        metrics
    }
}

/// Whether the settings go together.
pub(crate) fn check(args: &KafkaArgs) -> Result<(), Error> {
    args.consumer_config(NAME, QUEUED_BYTES).map(drop).map_err(usage)
}

/// Begins to read in the background until `stop`; `reading` is held until that has ended. While Kafka does not answer,
/// counts come from the table alone.
pub(super) fn start(
    args: &KafkaArgs,
    topic: &str,
    registry: &mut Registry,
    stop: CancellationToken,
    reading: TaskTrackerToken,
) -> Result<Arc<Recent>, Error> {
    check(args)?;
    let recent = Arc::new(Recent::default());
    let tail = Tail {
        args: args.clone(),
        topic: topic.to_owned(),
        recent: Arc::clone(&recent),
        metrics: Metrics::register(registry),
        stop,
    };
    thread::Builder::new()
        .name("results".to_owned())
        .spawn(move || {
            tail.read();
            drop(reading);
        })
        .map_err(|error| Error::Failed(format!("cannot start the thread that reads results: {error}")))?;
    Ok(recent)
}

impl Tail {
    fn read(&self) {
        while !self.stop.is_cancelled() {
            let result = Inspector::connect(&self.args, NAME).and_then(|mut inspector| {
                let result = self.follow(&mut inspector);
                self.set_connected(false);
                if result.is_err() && !self.stop.is_cancelled() {
                    inspector.wait(RETRY_AFTER);
                }
                result
            });
            if let Err(error) = result
                && !self.stop.is_cancelled()
            {
                tracing::warn!(topic = self.topic, %error, "results are not read; trying again");
            }
        }
    }

    fn set_connected(&self, is_connected: bool) {
        self.recent.set_connected(is_connected);
        self.metrics.connected.set(is_connected.into());
    }

    /// Reads until the topic has more partitions, something fails or `stop`.
    fn follow(&self, inspector: &mut Inspector) -> Result<(), kafka_client::Error> {
        let extents = inspector.extents(&self.topic)?;
        let back = inspector.offsets_at(&self.topic, &extents, begin()?)?;
        let offsets = self.recent.write(|memory| memory.resume(&extents, &back));
        let consumer = self.assign(&offsets)?;
        self.set_connected(true);
        // Partitions of which not all is read that was there just now.
        let mut unfinished: Vec<usize> = (0..extents.len()).collect();
        let mut asked = Instant::now();
        while !self.stop.is_cancelled() {
            let ended = self.take_batch(&consumer, &extents)?;
            unfinished.retain(|partition| !ended.contains(partition));
            if unfinished.is_empty() {
                self.recent.set_caught_up();
            }
            if asked.elapsed() >= ASK_EVERY {
                asked = Instant::now();
                if inspector.find(&self.topic, TIME_LIMIT)?.is_some_and(|count| count as usize != extents.len()) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Takes in what has come; returns the partitions whose end has been reached.
    fn take_batch(&self, consumer: &Consumer, extents: &[Range<u64>]) -> Result<Vec<usize>, kafka_client::Error> {
        let (mut records, mut ended, mut failed) = (Vec::new(), Vec::new(), None);
        let mut wait = POLL;
        while records.len() < BATCH {
            match consumer.poll(wait) {
                Some(Ok(message)) => records.extend(self.record(&message)),
                Some(Err(KafkaError::PartitionEOF(partition))) => ended.extend(usize::try_from(partition)),
                Some(Err(error)) => {
                    failed = Some(error);
                    break;
                }
                None => break,
            }
            wait = Duration::ZERO;
        }
        self.recent.take(records);
        for partition in &ended {
            // The last offsets may hold no record, but the end of a transaction: they have been read as well.
            if let Some(extent) = extents.get(*partition) {
                self.recent.write(|memory| memory.reach(*partition, extent.end));
            }
        }
        failed.map_or(Ok(ended), |error| Err(self.unavailable(&error)))
    }

    /// A reader of all partitions from these offsets on.
    fn assign(&self, offsets: &[u64]) -> Result<Consumer, kafka_client::Error> {
        let config = self.args.consumer_config(NAME, QUEUED_BYTES)?;
        let consumer: Consumer =
            config.create_with_context(self.args.context()).map_err(|error| client_error(&error))?;
        let mut assignment = TopicPartitionList::new();
        for (partition, offset) in (0..).zip(offsets) {
            let offset = Offset::Offset(i64::try_from(*offset).unwrap_or(i64::MAX));
            assignment
                .add_partition_offset(&self.topic, partition, offset)
                .map_err(|error| self.unavailable(&error))?;
        }
        consumer.assign(&assignment).map_err(|error| self.unavailable(&error))?;
        Ok(consumer)
    }

    fn record(&self, message: &BorrowedMessage<'_>) -> Option<Record> {
        let row = match message.payload().map(serde_json::from_slice::<TopicRow>) {
            Some(Ok(row)) => {
                self.metrics.rows.inc();
                Some(row)
            }
            // A deletion by key: the topic may be compacted.
            None => None,
            Some(Err(error)) => {
                self.metrics.unreadable.inc();
                tracing::warn!(%error, "a record of the results topic is no row");
                None
            }
        };
        // Kafka's own numbers are never negative.
        let partition = usize::try_from(message.partition()).ok()?;
        Some(Record { partition, offset: u64::try_from(message.offset()).ok()?, row })
    }

    fn unavailable(&self, error: &KafkaError) -> kafka_client::Error {
        kafka_client::Error::Unavailable(format!("topic {} cannot be read: {error}", self.topic))
    }
}

/// The time from which rows are read.
fn begin() -> Result<EventTime, kafka_client::Error> {
    let back = Duration::from_secs(u64::from(MINUTES) * 60);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let millis = i64::try_from(now.saturating_sub(back).as_millis()).unwrap_or(0);
    EventTime::from_millis(millis)
        .map_err(|error| kafka_client::Error::Unavailable(format!("the clock is wrong: {error}")))
}

fn usage(error: kafka_client::Error) -> Error {
    match error {
        kafka_client::Error::Setting(text) => Error::Usage(text),
        error => Error::Failed(error.to_string()),
    }
}
