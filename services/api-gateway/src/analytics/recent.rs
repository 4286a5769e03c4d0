//! Counts of the last half hour, from the results topic: each replica of the gateway reads all of it, from half an hour
//! back, and belongs to no group.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use kafka_client::{Inspector, KafkaArgs, TIME_LIMIT, client_error};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use schemas::{EventTime, TopicRow, Window};
use service_kit::Error;
use tokio_util::sync::CancellationToken;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::NAME;

/// How many minutes are remembered: half an hour and the running one.
const MINUTES: u32 = 31;
/// How long a poll waits for a row until it looks whether to stop.
const POLL: Duration = Duration::from_millis(100);
/// How often it is asked whether the topic has more partitions.
const ASK_EVERY: Duration = Duration::from_secs(60);
/// How long to wait until the topic is looked for again.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// How many bytes of rows the client may fetch ahead.
const QUEUED_BYTES: usize = 4 << 20;

/// The newest row of each product in each of the last minutes.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    rows: RwLock<Rows>,
    metrics: Metrics,
}

#[derive(Debug, Default)]
struct Rows {
    by_window: BTreeMap<Window, HashMap<String, TopicRow>>,
}

#[derive(Debug, Default)]
struct Metrics {
    rows: Counter,
    unreadable: Counter,
    connected: Gauge,
}

impl Rows {
    /// Keeps a row, unless there is a newer one or it is too old.
    fn put(&mut self, row: TopicRow) {
        let newest =
            self.by_window.last_key_value().map_or(row.row.window, |(window, _)| (*window).max(row.row.window));
        let oldest = Window::from_ordinal(newest.ordinal().saturating_sub(MINUTES - 1));
        if row.row.window < oldest {
            return;
        }
        self.by_window = self.by_window.split_off(&oldest);
        let products = self.by_window.entry(row.row.window).or_default();
        match products.get_mut(&row.row.product_id) {
            Some(present) if present.rank() >= row.rank() => {}
            Some(present) => *present = row,
            None => drop(products.insert(row.row.product_id.clone(), row)),
        }
    }
}

impl Recent {
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
    ) -> Result<Arc<Self>, Error> {
        Self::check(args)?;
        let recent = Arc::new(Recent::default());
        let Metrics { rows, unreadable, connected } = &recent.metrics;
        registry.register("analytics_rows_read", "Rows read from the results topic", rows.clone());
        registry.register(
            "analytics_rows_unreadable",
            "Records of the results topic that are no rows",
            unreadable.clone(),
        );
        registry.register("analytics_topic_assigned", "1 while the results topic is being read", connected.clone());
        let (reader, args, topic) = (Arc::clone(&recent), args.clone(), topic.to_owned());
        thread::Builder::new()
            .name("results".to_owned())
            .spawn(move || {
                reader.read_until(&args, &topic, &stop);
                drop(reading);
            })
            .map_err(|error| Error::Failed(format!("cannot start the thread that reads results: {error}")))?;
        Ok(recent)
    }

    /// Whether the topic is being read now.
    pub(super) fn is_connected(&self) -> bool {
        self.metrics.connected.get() == 1
    }

    /// A product's rows from `first` to `last`.
    pub(super) fn rows(&self, product_id: &str, first: Window, last: Window) -> Vec<TopicRow> {
        let rows = self.rows.read().unwrap_or_else(PoisonError::into_inner);
        let windows = rows.by_window.range(first..=last);
        windows.filter_map(|(_, products)| products.get(product_id)).cloned().collect()
    }

    fn read_until(&self, args: &KafkaArgs, topic: &str, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            let result = Inspector::connect(args, NAME).and_then(|mut inspector| {
                let result = self.follow(&mut inspector, args, topic, stop);
                self.metrics.connected.set(0);
                if result.is_err() && !stop.is_cancelled() {
                    inspector.wait(RETRY_AFTER);
                }
                result
            });
            if let Err(error) = result
                && !stop.is_cancelled()
            {
                tracing::warn!(topic, %error, "results are not read; trying again");
            }
        }
    }

    /// Reads until the topic has more partitions, something fails or `stop`.
    fn follow(
        &self,
        inspector: &mut Inspector,
        args: &KafkaArgs,
        topic: &str,
        stop: &CancellationToken,
    ) -> Result<(), kafka_client::Error> {
        let extents = inspector.extents(topic)?;
        let offsets = inspector.offsets_at(topic, &extents, begin()?)?;
        let config = args.consumer_config(NAME, QUEUED_BYTES)?;
        let consumer: BaseConsumer<kafka_client::Context> =
            config.create_with_context(args.context()).map_err(|error| client_error(&error))?;
        let mut assignment = TopicPartitionList::new();
        let unavailable = |error| kafka_client::Error::Unavailable(format!("topic {topic} cannot be read: {error}"));
        for (partition, offset) in (0..).zip(&offsets) {
            let offset = Offset::Offset(i64::try_from(*offset).unwrap_or(i64::MAX));
            assignment.add_partition_offset(topic, partition, offset).map_err(unavailable)?;
        }
        consumer.assign(&assignment).map_err(unavailable)?;
        self.metrics.connected.set(1);
        let mut asked = Instant::now();
        while !stop.is_cancelled() {
            match consumer.poll(POLL) {
                Some(Ok(message)) => self.take(message.payload()),
                Some(Err(KafkaError::PartitionEOF(_))) | None => {}
                Some(Err(error)) => return Err(unavailable(error)),
            }
            if asked.elapsed() >= ASK_EVERY {
                asked = Instant::now();
                if inspector.find(topic, TIME_LIMIT)?.is_some_and(|count| count as usize != extents.len()) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn take(&self, payload: Option<&[u8]>) {
        match payload.map(serde_json::from_slice::<TopicRow>) {
            Some(Ok(row)) => {
                self.metrics.rows.inc();
                self.rows.write().unwrap_or_else(PoisonError::into_inner).put(row);
            }
            // A deletion by key: the topic may be compacted.
            None => {}
            Some(Err(error)) => {
                self.metrics.unreadable.inc();
                tracing::warn!(%error, "a record of the results topic is no row");
            }
        }
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

#[cfg(test)]
mod tests {
    use schemas::ResultRow;

    use super::*;

    fn row(product: &str, minute: u32, is_final: bool, count: u64) -> TopicRow {
        let window = Window::from_ordinal(minute);
        let row = ResultRow { product_id: product.to_owned(), window, unique_user_count: count, revision: 0 };
        TopicRow { row, is_final }
    }

    #[test]
    fn the_newest_row_of_each_minute_is_kept_in_whatever_order_rows_come() {
        let rows = [row("a", 100, false, 3), row("a", 100, true, 5), row("a", 100, false, 4), row("b", 100, false, 1)];
        for turn in 0..rows.len() {
            let mut kept = Rows::default();
            let mut turned = rows.clone();
            turned.rotate_left(turn);
            turned.into_iter().for_each(|row| kept.put(row));
            let products = &kept.by_window[&Window::from_ordinal(100)];
            assert_eq!(products["a"], row("a", 100, true, 5));
            assert_eq!(products.len(), 2);
        }
    }

    #[test]
    fn minutes_are_forgotten_when_they_are_31_behind_the_newest() {
        let mut kept = Rows::default();
        for minute in 1..=100 {
            kept.put(row("a", minute, true, 1));
        }
        kept.put(row("a", 1, true, 1));
        assert_eq!(kept.by_window.len(), 31);
        assert_eq!(kept.by_window.first_key_value().unwrap().0.ordinal(), 70);
    }
}
