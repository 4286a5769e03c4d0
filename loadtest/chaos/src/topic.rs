//! Reads a topic as every reader of ours has to: committed records only.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Headers as _, Message};
use rdkafka::{Offset, TopicPartitionList};

use crate::Trouble;
use crate::broker::Broker;

const PATIENCE: Duration = Duration::from_secs(30);
const ANSWER: Duration = Duration::from_secs(10);

/// A record as it lies in a topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Record {
    /// The partition.
    pub(crate) partition: u32,
    /// The offset in the partition.
    pub(crate) offset: i64,
    /// The key.
    pub(crate) key: Option<Vec<u8>>,
    /// The value.
    pub(crate) value: Option<Vec<u8>>,
    /// The headers that are text, by name.
    pub(crate) headers: BTreeMap<String, String>,
}

impl Record {
    /// The value as text, whatever it is.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(self.value.as_deref().unwrap_or_default()).into_owned()
    }
}

/// Everything in a topic so far; of each partition in order.
pub(crate) struct Reader {
    consumer: BaseConsumer,
    topic: String,
    partitions: u32,
    /// What was read.
    pub(crate) records: Vec<Record>,
}

impl Reader {
    /// A reader at the beginning of a topic with so many partitions.
    pub(crate) fn new(broker: &Broker, topic: &str, partitions: u32) -> Result<Self, Trouble> {
        let consumer: BaseConsumer = broker
            .client()
            // Nothing is committed: the reader is in no group.
            .set("group.id", "chaos-reader")
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
    pub(crate) fn ends(&self) -> Result<Vec<i64>, Trouble> {
        let end = |partition: u32| self.consumer.fetch_watermarks(&self.topic, partition.cast_signed(), ANSWER);
        (0..self.partitions).map(|partition| Ok(end(partition)?.1)).collect()
    }

    /// Reads on to the present end.
    pub(crate) fn catch_up(&mut self) -> Result<&[Record], Trouble> {
        let deadline = Instant::now() + PATIENCE;
        let ends = self.ends()?;
        while !self.has_reached(&ends)? {
            if Instant::now() >= deadline {
                return Err(format!("cannot read topic {} to its end {ends:?}", self.topic).into());
            }
            match self.consumer.poll(Duration::from_millis(200)) {
                Some(Ok(message)) => self.records.push(record_of(&message)),
                // A broker that was away is met again; the end of a partition shows in the position.
                None | Some(Err(KafkaError::PartitionEOF(_))) => {}
                Some(Err(error)) if is_passing(&error) => {}
                Some(Err(error)) => return Err(format!("cannot read topic {}: {error}", self.topic).into()),
            }
        }
        Ok(&self.records)
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
