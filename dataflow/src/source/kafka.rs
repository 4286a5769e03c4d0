//! A partition of a Kafka topic.
//!
//! Each worker has one consumer, to which its partitions are assigned: there is no group and no rebalancing. The
//! client's threads fetch into one queue for each partition; the source polls them without waiting, and an empty queue
//! wakes the source when it fills. A partition that is not polled, because it is ahead of the others or too much is in
//! flight, fills its queue, and then the client pauses its fetching: that bounds the memory without losing what was
//! fetched.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers, Message as _};
use rdkafka::topic_partition_list::{Offset as KafkaOffset, TopicPartitionList};
use timely::scheduling::SyncActivator;

use super::{Extent, Input, Message, PartitionReader, Progress, Reader, Record, Value};
use crate::error::Error;
use crate::kafka::{Context, KafkaArgs, topic};
use crate::partitions::Partition;
use crate::record::Offset;

/// What the queues of all partitions may hold together.
const QUEUED_BYTES: usize = 256 << 20;
/// What is taken from a partition's queue at a time.
const RECORDS_A_READ: usize = 4_096;
const BYTES_A_READ: usize = 256 << 10;
/// How long a replay waits for records that the broker has said there are.
const PATIENCE: Duration = Duration::from_secs(60);
/// Errors, log lines and statistics of the client that are taken at a time. A lost broker makes several a second, and
/// an idle partition is read about once a second: what is left over would be told long after the broker has come back.
const EVENTS_A_LOOK: usize = 16;
/// How often a reader looks for them: a look costs as much as some records.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Opens all partitions of `topic`, from their beginnings; bounded: up to the ends that they have now.
///
/// # Errors
/// [`Error::Usage`] when flags are wrong or there is no such topic, [`Error::Unavailable`] when no broker answers.
pub fn open(args: &KafkaArgs, topic: &str, workers: usize, is_bounded: bool) -> Result<Vec<Input>, Error> {
    let partitions = topic::describe(args, topic)? as usize;
    let queued_bytes = (QUEUED_BYTES / partitions.max(1)).clamp(1 << 20, 16 << 20);
    let mut config = args.consumer_config(queued_bytes)?;
    // The client tells once a second how long the partitions are.
    config.set("statistics.interval.ms", "1000");
    let mut by_partition: Vec<Option<KafkaReader>> = (0..partitions).map(|_| None).collect();
    for worker in 0..workers.min(partitions) {
        let consumer: BaseConsumer<Context> =
            config.create_with_context(args.context()).map_err(|error| unavailable(topic, &error))?;
        let consumer = Arc::new(consumer);
        // Clients that log in with tokens ask for the first one here.
        consumer.poll(Duration::ZERO);
        let own = (worker..partitions).step_by(workers);
        for reader in assign(&consumer, topic, own, is_bounded)? {
            let index = reader.partition as usize;
            by_partition[index] = Some(reader);
        }
    }
    Ok(by_partition.into_iter().flatten().map(|reader| reader.into_input(topic)).collect())
}

fn assign(
    consumer: &Arc<BaseConsumer<Context>>,
    topic: &str,
    partitions: impl Iterator<Item = usize> + Clone,
    is_bounded: bool,
) -> Result<Vec<KafkaReader>, Error> {
    let ids = partitions.filter_map(|partition| i32::try_from(partition).ok());
    let mut ends = Vec::new();
    for id in ids.clone() {
        ends.push(if is_bounded {
            let range = consumer.fetch_watermarks(topic, id, topic::TIME_LIMIT);
            Some(range.map_err(|error| unavailable(topic, &error))?)
        } else {
            None
        });
    }
    let mut list = TopicPartitionList::new();
    for id in ids.clone() {
        list.add_partition_offset(topic, id, KafkaOffset::Beginning).map_err(|error| unavailable(topic, &error))?;
    }
    consumer.assign(&list).map_err(|error| unavailable(topic, &error))?;
    let mut readers = Vec::new();
    for (id, range) in ids.zip(ends) {
        let queue = consumer.split_partition_queue(topic, id).ok_or_else(|| {
            Error::Unavailable(format!("partition {id} of topic {topic} has gone; was the topic deleted?"))
        })?;
        readers.push(KafkaReader {
            topic: topic.to_owned(),
            partition: id,
            consumer: Arc::clone(consumer),
            queue,
            bounds: range.map(|(low, high)| Bounds { begin: offset(low), end: offset(high) }),
            waiting_since: None,
            looked: None,
        });
    }
    discard_what_came_before_the_split(consumer, topic, &list)?;
    Ok(readers)
}

/// What the client fetched between the assignment and the split lies in the consumer's own queue, where no reader
/// looks: seeking to the beginning makes it outdated, and it is fetched again into the queues of the partitions.
fn discard_what_came_before_the_split(
    consumer: &BaseConsumer<Context>,
    topic: &str,
    beginnings: &TopicPartitionList,
) -> Result<(), Error> {
    let deadline = Instant::now() + topic::TIME_LIMIT;
    loop {
        let sought = consumer.seek_partitions(beginnings.clone(), topic::TIME_LIMIT);
        let sought = sought.map_err(|error| unavailable(topic, &error))?;
        let Some(error) = sought.elements().iter().find_map(|partition| partition.error().err()) else { return Ok(()) };
        // The client takes an assignment up in the background, and cannot seek before it has.
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::State) || Instant::now() >= deadline {
            return Err(unavailable(topic, &error));
        }
        consumer.poll(Duration::from_millis(10));
    }
}

/// Reads a partition of a topic.
pub struct KafkaReader {
    topic: String,
    partition: i32,
    queue: PartitionQueue<Context>,
    consumer: Arc<BaseConsumer<Context>>,
    /// Where a replay begins and ends; none: it goes on.
    bounds: Option<Bounds>,
    waiting_since: Option<Instant>,
    /// When the client was last looked after.
    looked: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Bounds {
    begin: u64,
    end: u64,
}

impl KafkaReader {
    fn into_input(self, topic: &str) -> Input {
        let extent = self.bounds.map(|bounds| Extent::Records(bounds.end.saturating_sub(bounds.begin)));
        Input { name: topic.to_owned(), extent, reader: Reader::Kafka(self) }
    }

    fn has_ended(&self, position: u64) -> bool {
        // Offsets have gaps (transactions, compaction): the last record need not be just before the end.
        self.bounds.is_some_and(|bounds| position >= bounds.end)
    }

    /// Errors that end the job; others the client mends by itself.
    fn judge(&self, error: &KafkaError) -> Result<(), Error> {
        let (topic, partition) = (&self.topic, self.partition);
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::OffsetOutOfRange | RDKafkaErrorCode::AutoOffsetReset) => {
                Err(Error::Unavailable(format!(
                    "partition {partition} of topic {topic} no longer has the records that come next; its retention is too short"
                )))
            }
            Some(
                RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownPartition,
            ) => Err(Error::Unavailable(format!(
                "topic {topic} has gone, or partitions of it have; was it deleted? create it and start again"
            ))),
            Some(RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::Fatal) => {
                Err(unavailable(topic, error))
            }
            // The client's own log lines say which broker is lost, and why.
            Some(
                RDKafkaErrorCode::AllBrokersDown | RDKafkaErrorCode::BrokerTransportFailure | RDKafkaErrorCode::Resolve,
            ) => Ok(()),
            _ => {
                tracing::warn!(topic, partition, %error, "reading from kafka; the client tries again");
                Ok(())
            }
        }
    }

    /// Takes what comes by the consumer's own queue, one thing for each poll: errors, log lines, statistics, the wish
    /// for a new token.
    fn look_after_the_client(&self) -> Result<(), Error> {
        for _ in 0..EVENTS_A_LOOK {
            match self.consumer.poll(Duration::ZERO) {
                None => {}
                Some(Err(error)) => self.judge(&error)?,
                Some(Ok(message)) => {
                    return Err(Error::Internal(format!(
                        "record {} of partition {} of topic {} came outside of its queue; please report it",
                        message.offset(),
                        message.partition(),
                        self.topic
                    )));
                }
            }
        }
        Ok(())
    }

    /// A replay knows that there is more: it does not wait for it for ever.
    fn wait(&mut self) -> Result<Progress, Error> {
        let since = *self.waiting_since.get_or_insert_with(Instant::now);
        if self.bounds.is_some() && since.elapsed() > PATIENCE {
            return Err(Error::Unavailable(format!(
                "no record of partition {} of topic {} came for {} s although there are more; is the broker up?",
                self.partition,
                self.topic,
                PATIENCE.as_secs()
            )));
        }
        Ok(Progress::Waiting)
    }
}

impl PartitionReader for KafkaReader {
    fn start(&mut self, wake: &SyncActivator) -> Result<(), Error> {
        let wake = wake.clone();
        self.queue.set_nonempty_callback(move || {
            // A worker that has left needs no waking.
            let _ = wake.activate();
        });
        Ok(())
    }

    fn read(
        &mut self,
        _scratch: &mut Vec<u8>,
        shared: &Partition,
        receive: &mut impl FnMut(Record<'_>),
    ) -> Result<Progress, Error> {
        if self.looked.is_none_or(|looked| looked.elapsed() >= LOOK_EVERY) {
            self.looked = Some(Instant::now());
            self.look_after_the_client()?;
            if let Some(end) = self.consumer.context().end_offset(self.partition) {
                shared.end.fetch_max(end, Ordering::Relaxed);
            }
        }
        if let Some(Bounds { end, .. }) = self.bounds {
            shared.end.store(end, Ordering::Relaxed);
        }
        let mut position = shared.position.load(Ordering::Relaxed).max(self.bounds.map_or(0, |bounds| bounds.begin));
        let (mut records, mut bytes) = (0, 0);
        let progress = loop {
            if self.has_ended(position) {
                break Progress::Finished;
            }
            if records == RECORDS_A_READ || bytes >= BYTES_A_READ {
                break Progress::Ready;
            }
            match self.queue.poll(Duration::ZERO) {
                None => break Progress::Waiting,
                Some(Ok(message)) => {
                    let at = offset(message.offset());
                    if self.has_ended(at) {
                        break Progress::Finished;
                    }
                    position = at + 1;
                    records += 1;
                    bytes += message.payload_len();
                    receive(record(&KafkaMessage(&message)));
                }
                Some(Err(KafkaError::PartitionEOF(_))) => {
                    shared.end.fetch_max(position, Ordering::Relaxed);
                    if self.bounds.is_some() {
                        break Progress::Finished;
                    }
                }
                Some(Err(error)) => self.judge(&error)?,
            }
        };
        shared.position.store(position, Ordering::Relaxed);
        shared.bytes_read.fetch_add(bytes as u64, Ordering::Relaxed);
        if records > 0 || progress != Progress::Waiting {
            self.waiting_since = None;
            return Ok(progress);
        }
        self.wait()
    }
}

#[derive(Debug)]
struct KafkaMessage<'a>(&'a BorrowedMessage<'a>);

fn record<'a>(message: &'a KafkaMessage<'a>) -> Record<'a> {
    Record {
        offset: Offset(offset(message.0.offset())),
        value: message.0.payload().map_or(Value::Null, Value::Whole),
        time_millis: message.0.timestamp().to_millis().filter(|millis| *millis >= 0),
        message: Some(message),
    }
}

impl Message for KafkaMessage<'_> {
    fn key(&self) -> Option<Vec<u8>> {
        self.0.key().map(<[u8]>::to_vec)
    }

    fn headers(&self) -> Vec<(String, Option<Vec<u8>>)> {
        let Some(headers) = self.0.headers() else { return Vec::new() };
        let read = || headers.iter().map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec))).collect();
        // rdkafka panics on a header whose name is not UTF-8, and no record's content may stop the job.
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(read)).unwrap_or_else(|_| {
            let (partition, offset) = (self.0.partition(), self.0.offset());
            tracing::warn!(partition, offset, "the record's headers are lost: a name is not UTF-8");
            Vec::new()
        })
    }
}

/// An offset as the client has it; real ones are never negative.
fn offset(offset: i64) -> u64 {
    u64::try_from(offset).unwrap_or(0)
}

fn unavailable(topic: &str, error: &KafkaError) -> Error {
    Error::Unavailable(format!("cannot read topic {topic}: {error}; check the brokers and the access rights"))
}
