//! A partition of a Kafka topic.
//!
//! Each worker has one consumer, to which its partitions are assigned: there is no group and no rebalancing. The
//! client's threads fetch into one queue for each partition; the source polls them without waiting, and an empty queue
//! wakes the source when it fills. A partition that is not polled, because it is ahead of the others or too much is in
//! flight, fills its queue, and then the client pauses its fetching: that bounds the memory without losing what was
//! fetched.

use std::ops::{Range, RangeInclusive};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers, Message as _};
use rdkafka::topic_partition_list::{Offset as KafkaOffset, TopicPartitionList};
use timely::scheduling::SyncActivator;

mod ends;
mod watch;

use self::ends::EndsContext;
use super::{Extent, Inputs, Message, Opened, PartitionReader, Progress, Reader, Record, Value, Watched};
use crate::commit::begin::Begin;
use crate::error::Error;
use crate::kafka::{KafkaArgs, NAME, topic};
use crate::partitions::Partition;
use crate::record::{Offset, PartitionId};

/// What the queues of all partitions may hold together, in bytes of records; the client takes about as much again, and more,
/// to keep track of them. Larger queues have made no replay faster.
const QUEUED_BYTES: usize = 32 << 20;
/// The least and the most for one partition.
const PARTITION_QUEUE_BYTES: RangeInclusive<usize> = 1 << 20..=4 << 20;
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

/// A topic that is read, up to where it ends now or for ever.
#[derive(Debug)]
pub struct KafkaInputs {
    args: KafkaArgs,
    topic: String,
    partitions: u32,
    /// The first and the next offset of each partition, for a replay.
    bounds: Option<Vec<Range<u64>>>,
}

impl KafkaInputs {
    /// Looks the topic up. Bounded: it is read from its beginning up to where it ends now.
    ///
    /// # Errors
    /// [`Error::Usage`] when flags are wrong or there is no such topic, [`Error::Unavailable`] when no broker answers.
    pub fn describe(args: &KafkaArgs, topic: &str, is_bounded: bool) -> Result<Self, Error> {
        let mut inspector = topic::inspect(args)?;
        let partitions = inspector.partitions(topic, topic::TIME_LIMIT)?;
        let bounds = is_bounded.then(|| inspector.extents(topic)).transpose()?;
        Ok(KafkaInputs { args: args.clone(), topic: topic.to_owned(), partitions, bounds })
    }

    /// The topic.
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// How many partitions it had when it was looked up.
    #[must_use]
    pub const fn partitions(&self) -> u32 {
        self.partitions
    }

    /// How much there is to read of a bounded topic.
    #[must_use]
    pub fn extent(&self) -> Option<Extent> {
        let bounds = self.bounds.as_ref()?;
        Some(Extent::Records(bounds.iter().map(|bound| bound.end.saturating_sub(bound.start)).sum()))
    }

    /// Opens partitions with a client of their own.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when no broker answers or a partition has gone.
    pub fn open(&self, begins: Vec<(PartitionId, Begin)>) -> Result<Vec<Opened<Reader>>, Error> {
        if begins.is_empty() {
            return Ok(Vec::new());
        }
        let queued_bytes = (QUEUED_BYTES / (self.partitions as usize).max(1))
            .clamp(*PARTITION_QUEUE_BYTES.start(), *PARTITION_QUEUE_BYTES.end());
        let mut config = self.args.consumer_config(NAME, queued_bytes)?;
        // The client tells once a second how long the partitions are.
        config.set("statistics.interval.ms", "1000");
        let topic = self.topic.as_str();
        let consumer: BaseConsumer<EndsContext> = config
            .create_with_context(EndsContext::new(self.args.context()))
            .map_err(|error| unavailable(topic, &error))?;
        let consumer = Arc::new(consumer);
        // Clients that log in with tokens ask for the first one here.
        consumer.poll(Duration::ZERO);
        let mut list = TopicPartitionList::new();
        for (PartitionId(id), begin) in &begins {
            let (id, offset) = (signed(*id), KafkaOffset::Offset(i64::try_from(begin.offset.0).unwrap_or(i64::MAX)));
            list.add_partition_offset(topic, id, offset).map_err(|error| unavailable(topic, &error))?;
        }
        consumer.assign(&list).map_err(|error| unavailable(topic, &error))?;
        let mut opened = Vec::new();
        for (id, begin) in begins {
            let partition = signed(id.0);
            let queue = consumer.split_partition_queue(topic, partition).ok_or_else(|| {
                Error::Unavailable(format!("partition {partition} of topic {topic} has gone; was the topic deleted?"))
            })?;
            let end = self.bounds.as_ref().and_then(|bounds| bounds.get(id.0 as usize)).map(|bound| bound.end);
            let reader = Reader::Kafka(KafkaReader {
                topic: topic.to_owned(),
                partition,
                consumer: Arc::clone(&consumer),
                queue,
                end,
                end_at_start: begin.end.0,
                has_met_end: false,
                waiting_since: None,
                looked: None,
            });
            opened.push(Opened { id, reader, begin });
        }
        discard_what_came_before_the_split(&consumer, topic, &list)?;
        Ok(opened)
    }
}

impl Inputs for KafkaInputs {
    type Reader = Reader;

    fn open(&self, begins: Vec<(PartitionId, Begin)>) -> Result<Vec<Opened<Reader>>, Error> {
        KafkaInputs::open(self, begins)
    }

    fn name(&self, _id: PartitionId) -> String {
        self.topic.clone()
    }

    fn beginnings(&self, partitions: usize) -> Vec<Offset> {
        match &self.bounds {
            Some(bounds) => bounds.iter().map(|bound| Offset(bound.start)).collect(),
            None => vec![Offset(0); partitions],
        }
    }

    fn watch(&self, watched: Watched<Reader>) -> Result<(), Error> {
        if self.bounds.is_some() {
            return Ok(());
        }
        let topic = KafkaInputs {
            args: self.args.clone(),
            topic: self.topic.clone(),
            partitions: self.partitions,
            bounds: None,
        };
        watch::spawn(topic, watched)
    }
}

fn signed(partition: u32) -> i32 {
    i32::try_from(partition).unwrap_or(i32::MAX)
}

/// What the client fetched between the assignment and the split lies in the consumer's own queue, where no reader
/// looks: seeking to where it begins makes it outdated, and it is fetched again into the queues of the partitions.
fn discard_what_came_before_the_split(
    consumer: &BaseConsumer<EndsContext>,
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
    queue: PartitionQueue<EndsContext>,
    consumer: Arc<BaseConsumer<EndsContext>>,
    /// Where a replay ends; none: it goes on.
    end: Option<u64>,
    /// Where the partition ended when the job started.
    end_at_start: u64,
    /// Whether the end was met: before, the client may speak of an end that it met before it was sent back.
    has_met_end: bool,
    waiting_since: Option<Instant>,
    /// When the client was last looked after.
    looked: Option<Instant>,
}

impl KafkaReader {
    fn has_ended(&self, position: u64) -> bool {
        // Offsets have gaps (transactions, compaction): the last record need not be just before the end.
        self.end.is_some_and(|end| position >= end)
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
        if self.end.is_some() && since.elapsed() > PATIENCE {
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
        if let Some(end) = self.end {
            shared.end.store(end, Ordering::Relaxed);
        }
        let mut position = shared.position.load(Ordering::Relaxed);
        // Taken before the queue is emptied: what the client had fetched by then lies in the queue.
        let fetched_to_end = self.consumer.context().fetched_to_end(self.partition).filter(|_| self.has_met_end);
        let (mut records, mut bytes) = (0, 0);
        let progress = loop {
            if self.has_ended(position) {
                break Progress::Finished;
            }
            if records == RECORDS_A_READ || bytes >= BYTES_A_READ {
                break Progress::Ready;
            }
            match self.queue.poll(Duration::ZERO) {
                None => {
                    // Offsets have gaps: a transaction ends with a record that no reader sees.
                    position = position.max(fetched_to_end.unwrap_or(0));
                    break Progress::Waiting;
                }
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
                    // The client has read what there is, so it has passed where the partition ended at the start.
                    self.has_met_end = true;
                    position = position.max(self.end_at_start);
                    shared.end.fetch_max(position, Ordering::Relaxed);
                    if self.end.is_some() {
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
        event: None,
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
