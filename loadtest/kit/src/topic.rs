//! Reads a topic as every reader of ours has to: committed records only.

use std::collections::BTreeMap;
use std::mem;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers as _, Message};
use rdkafka::{Offset, TopicPartitionList};

use crate::Trouble;
use crate::broker::Broker;

const PATIENCE: Duration = Duration::from_secs(30);
const ANSWER: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(200);
/// After so many records at most it is looked whether the end is reached.
const BATCH: u32 = 1000;

/// A record as it lies in a topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The partition.
    pub partition: u32,
    /// The offset in the partition.
    pub offset: i64,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The value.
    pub value: Option<Vec<u8>>,
    /// The headers that are text, by name.
    pub headers: BTreeMap<String, String>,
}

impl Record {
    /// The value as text, whatever it is.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.value.as_deref().unwrap_or_default()).into_owned()
    }
}

/// Everything in a topic so far; of each partition in order.
pub struct Reader {
    consumer: BaseConsumer,
    topic: String,
    partitions: u32,
    /// What was read.
    pub records: Vec<Record>,
}

impl Reader {
    /// A reader at the beginning of a topic with so many partitions.
    pub fn new(broker: &Broker, topic: &str, partitions: u32) -> Result<Self, Trouble> {
        let consumer: BaseConsumer = broker
            .client()
            // Nothing is committed: the reader is in no group.
            .set("group.id", "loadtest-reader")
            .set("enable.auto.commit", "false")
            .set("isolation.level", "read_committed")
            .set("enable.partition.eof", "true")
            .set("auto.offset.reset", "error")
            .set("fetch.wait.max.ms", "50")
            .create()?;
        let mut list = TopicPartitionList::new();
        for partition in 0..partitions {
            list.add_partition_offset(topic, partition.cast_signed(), Offset::Beginning)?;
        }
        consumer.assign(&list)?;
        Ok(Reader { consumer, topic: topic.to_owned(), partitions, records: Vec::new() })
    }

    /// The end of each partition, as a reader of committed records sees it.
    pub fn ends(&self) -> Result<Vec<i64>, Trouble> {
        let end = |partition: u32| self.consumer.fetch_watermarks(&self.topic, partition.cast_signed(), ANSWER);
        (0..self.partitions).map(|partition| Ok(end(partition)?.1)).collect()
    }

    /// Reads on to the present end, and keeps the records.
    pub fn catch_up(&mut self) -> Result<&[Record], Trouble> {
        let mut records = mem::take(&mut self.records);
        let outcome = self.visit(|message| {
            records.push(record_of(message));
            Ok(())
        });
        // What was read before the trouble is kept: it does not come again.
        self.records = records;
        outcome?;
        Ok(&self.records)
    }

    /// Reads on to the present end, and shows each record.
    pub fn visit(&self, mut show: impl FnMut(&BorrowedMessage<'_>) -> Result<(), Trouble>) -> Result<(), Trouble> {
        let ends = self.ends()?;
        let mut deadline = Instant::now() + PATIENCE;
        while !self.has_reached(&ends)? {
            if Instant::now() >= deadline {
                return Err(format!("cannot read topic {} to its end {ends:?}", self.topic).into());
            }
            // Whether the end is reached is asked seldom: the question costs as much as many records.
            for _ in 0..BATCH {
                match self.consumer.poll(POLL) {
                    Some(Ok(message)) => {
                        show(&message)?;
                        deadline = Instant::now() + PATIENCE;
                    }
                    // A broker that was away is met again; the end of a partition shows in the position.
                    None | Some(Err(KafkaError::PartitionEOF(_))) => break,
                    Some(Err(error)) if is_passing(&error) => break,
                    Some(Err(error)) => return Err(format!("cannot read topic {}: {error}", self.topic).into()),
                }
            }
        }
        Ok(())
    }

    /// Offsets of markers are passed over without a record, so the client's own position is asked.
    fn has_reached(&self, ends: &[i64]) -> Result<bool, Trouble> {
        let positions = self.consumer.position()?;
        Ok(ends.iter().zip(0..).all(|(end, partition)| {
            let position = positions.find_partition(&self.topic, partition).map(|element| element.offset());
            *end == 0 || matches!(position, Some(Offset::Offset(offset)) if offset >= *end)
        }))
    }
}

fn is_passing(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{AllBrokersDown, BrokerTransportFailure, OperationTimedOut};
    matches!(error.rdkafka_error_code(), Some(AllBrokersDown | BrokerTransportFailure | OperationTimedOut))
}

fn record_of(message: &impl Message) -> Record {
    let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
    Record {
        partition: message.partition().cast_unsigned(),
        offset: message.offset(),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers: headers
            .map(|header| {
                (header.key.to_owned(), String::from_utf8_lossy(header.value.unwrap_or_default()).into_owned())
            })
            .collect(),
    }
}
