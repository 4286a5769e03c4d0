//! A reader of the results topic, as an application has it: committed records only, each stamped when it is there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use kit::Trouble;
use kit::broker::Broker;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};
use schemas::{TopicRow, Window};

use crate::key::Key;
use crate::moment::Moment;

const POLL: Duration = Duration::from_millis(100);

/// A row as it came.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Row {
    /// Product and window.
    pub(crate) key: Key,
    /// The count.
    pub(crate) users: u64,
    /// Whether it is the final row.
    pub(crate) is_final: bool,
    /// When the job handed it to its Kafka client, which stamps it.
    pub(crate) sent: Moment,
    /// When the reader had it.
    pub(crate) received: Moment,
}

/// Reads in a thread of its own, and takes rows apart in another one: no row waits for the one before it.
pub(crate) struct RowReader {
    progress: Arc<Progress>,
    reader: JoinHandle<Result<(), Trouble>>,
    parser: JoinHandle<Result<Vec<Row>, Trouble>>,
}

/// A row that was not taken apart.
struct Raw {
    received: Moment,
    sent_millis: Option<i64>,
    value: Vec<u8>,
}

#[derive(Default)]
struct Progress {
    is_stopped: AtomicBool,
    /// The last window of which a final row has come.
    closed: AtomicU32,
    finals: AtomicU32,
}

impl RowReader {
    /// Begins to read.
    pub(crate) fn start(broker: &Broker, topic: &str, partitions: u32, fetch_wait: u32) -> Result<Self, Trouble> {
        let consumer: BaseConsumer = broker
            .client()
            // Nothing is committed: the reader is in no group.
            .set("group.id", "latency-reader")
            .set("enable.auto.commit", "false")
            .set("isolation.level", "read_committed")
            .set("auto.offset.reset", "error")
            .set("fetch.wait.max.ms", fetch_wait.to_string())
            .create()?;
        let mut list = TopicPartitionList::new();
        for partition in 0..partitions {
            list.add_partition_offset(topic, partition.cast_signed(), Offset::Beginning)?;
        }
        consumer.assign(&list)?;
        let progress = Arc::new(Progress::default());
        let (sender, received) = mpsc::channel();
        let shared = Arc::clone(&progress);
        let reader = thread::spawn(move || read(&consumer, &shared, &sender));
        let shared = Arc::clone(&progress);
        let parser = thread::spawn(move || received.into_iter().map(|raw: Raw| parse(&raw, &shared)).collect());
        Ok(RowReader { progress, reader, parser })
    }

    /// The last window of which a final row has come, as far as one has.
    pub(crate) fn last_closed(&self) -> Window {
        Window::from_ordinal(self.progress.closed.load(Ordering::Relaxed))
    }

    /// How many final rows have come.
    pub(crate) fn finals(&self) -> u32 {
        self.progress.finals.load(Ordering::Relaxed)
    }

    /// Whether it has failed.
    pub(crate) fn has_ended(&self) -> bool {
        self.reader.is_finished() || self.parser.is_finished()
    }

    /// Stops, and hands out what has come.
    pub(crate) fn stop(self) -> Result<Vec<Row>, Trouble> {
        self.progress.is_stopped.store(true, Ordering::Relaxed);
        self.reader.join().map_err(|_| "the reader of rows has panicked")??;
        self.parser.join().map_err(|_| "the reader of rows has panicked")?
    }
}

fn read(consumer: &BaseConsumer, progress: &Progress, rows: &Sender<Raw>) -> Result<(), Trouble> {
    while !progress.is_stopped.load(Ordering::Relaxed) {
        let Some(message) = consumer.poll(POLL) else { continue };
        let received = Moment::now();
        let message = message.map_err(|error| format!("cannot read the rows: {error}"))?;
        let value = message.payload().unwrap_or_default().to_vec();
        // Nobody takes rows apart any more: that has failed, and its own end says why.
        if rows.send(Raw { received, sent_millis: message.timestamp().to_millis(), value }).is_err() {
            break;
        }
    }
    Ok(())
}

fn parse(raw: &Raw, progress: &Progress) -> Result<Row, Trouble> {
    let TopicRow { row, is_final } = serde_json::from_slice(&raw.value)?;
    if is_final {
        progress.closed.fetch_max(row.window.ordinal(), Ordering::Relaxed);
        progress.finals.fetch_add(1, Ordering::Relaxed);
    }
    let (key, users) = (Key::new(row.window, &row.product_id)?, row.unique_user_count);
    let sent = Moment::from_millis(raw.sent_millis.ok_or("a row has no timestamp")?);
    Ok(Row { key, users, is_final, sent, received: raw.received })
}
