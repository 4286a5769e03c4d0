//! Topics as an ordinary client sees them.

use std::time::{Duration, Instant};

use dataflow::generate::{AnswerKey, Generated, Shape, Stream, Summary};
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use schemas::{ResultRow, TopicRow};

use crate::broker::Broker;

const TIMEOUT: Duration = Duration::from_secs(60);

/// A record as it stands in a topic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stored {
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Stored {
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let (_, value) = self.headers.iter().find(|(key, _)| key == name)?;
        value.as_ref().map(|value| String::from_utf8_lossy(value).into_owned())
    }
}

/// The topics of one test: their names begin with the test's own.
#[derive(Clone, Debug)]
pub(crate) struct Topics {
    pub(crate) raw: String,
    pub(crate) results: String,
    pub(crate) late: String,
    pub(crate) rejected: String,
}

impl Topics {
    /// Creates all four; the raw one with so many partitions, the results with three.
    pub(crate) fn create(broker: &Broker, test: &str, partitions: i32) -> Self {
        let [raw, results, late, rejected] =
            ["raw", "results", "late", "rejected"].map(|purpose| format!("{test}-{purpose}"));
        broker.create_topic(&raw, partitions);
        broker.create_topic(&results, 3);
        broker.create_topic(&late, 1);
        broker.create_topic(&rejected, 1);
        Topics { raw, results, late, rejected }
    }

    /// The flags that name them.
    pub(crate) fn flags(&self) -> Vec<&str> {
        let Topics { raw, results, late, rejected } = self;
        vec!["--input-topic", raw, "--output-topic", results, "--late-topic", late, "--rejected-topic", rejected]
    }
}

/// Sends records to the partitions that they are for; returns once all are acknowledged.
pub(crate) fn send<'a>(
    broker: &Broker,
    topic: &str,
    records: impl IntoIterator<Item = (i32, Option<&'a [u8]>, Option<&'a [u8]>)>,
) {
    let producer: BaseProducer = broker.client().set("linger.ms", "20").create().unwrap();
    for (partition, key, value) in records {
        let mut record = BaseRecord::<[u8], [u8]>::to(topic).partition(partition);
        (record.key, record.payload) = (key, value);
        while let Err((_, returned)) = producer.send(record) {
            producer.poll(Duration::from_millis(10));
            record = returned;
        }
    }
    producer.flush(TIMEOUT).unwrap();
}

/// Sends one record with headers.
pub(crate) fn send_with_headers(broker: &Broker, topic: &str, key: &str, value: &str, headers: OwnedHeaders) {
    let producer: BaseProducer = broker.client().create().unwrap();
    let record = BaseRecord::to(topic).partition(0).key(key).payload(value).headers(headers);
    assert!(producer.send(record).is_ok());
    producer.flush(TIMEOUT).unwrap();
}

/// Sends a generated stream; returns the rows and the totals that must come of it.
pub(crate) fn send_generated(broker: &Broker, topic: &str, shape: &Shape) -> (Vec<ResultRow>, Summary) {
    let mut stream = Stream::new(shape).unwrap();
    let mut answers = AnswerKey::new(shape);
    let mut record = Generated::default();
    let producer: BaseProducer = broker.client().set("linger.ms", "20").create().unwrap();
    while stream.next(&mut record) {
        answers.observe(&record);
        let mut message = BaseRecord::<[u8], [u8]>::to(topic).partition(i32::try_from(record.partition).unwrap());
        message.payload = Some(&record.value);
        message.key = (!record.key.is_empty()).then_some(&record.key);
        while let Err((_, returned)) = producer.send(message) {
            producer.poll(Duration::from_millis(10));
            message = returned;
        }
    }
    producer.flush(TIMEOUT).unwrap();
    answers.finish()
}

/// Everything that a reader of committed records finds in a topic, partition by partition.
pub(crate) fn read_committed(broker: &Broker, topic: &str) -> Vec<Stored> {
    let consumer: BaseConsumer = broker
        .client()
        .set("group.id", "test-reader")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true")
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest")
        .create()
        .unwrap();
    let metadata = consumer.fetch_metadata(Some(topic), TIMEOUT).unwrap();
    let partitions = metadata.topics()[0].partitions().len();
    let mut assignment = rdkafka::TopicPartitionList::new();
    for partition in 0..i32::try_from(partitions).unwrap() {
        assignment.add_partition_offset(topic, partition, rdkafka::Offset::Beginning).unwrap();
    }
    consumer.assign(&assignment).unwrap();

    let deadline = Instant::now() + TIMEOUT;
    let mut stored = Vec::new();
    let mut ended = 0;
    while ended < partitions {
        assert!(Instant::now() < deadline, "the topic {topic} does not end");
        match consumer.poll(Duration::from_millis(100)) {
            None => {}
            Some(Err(rdkafka::error::KafkaError::PartitionEOF(_))) => ended += 1,
            Some(message) => {
                let message = message.unwrap();
                let headers = message.headers().map_or_else(Vec::new, |headers| {
                    let owned = |header: rdkafka::message::Header<'_, &[u8]>| {
                        (header.key.to_owned(), header.value.map(<[u8]>::to_vec))
                    };
                    headers.iter().map(owned).collect()
                });
                stored.push(Stored {
                    key: message.key().map(<[u8]>::to_vec),
                    value: message.payload().map(<[u8]>::to_vec),
                    headers,
                });
            }
        }
    }
    stored
}

/// The same, in an order that does not depend on the partition that was read first: to be compared.
pub(crate) fn contents(broker: &Broker, topic: &str) -> Vec<Stored> {
    let mut stored = read_committed(broker, topic);
    stored.sort();
    stored
}

/// The final rows in a results topic, sorted as files have them; every row must be final and keyed by its product.
pub(crate) fn final_rows(broker: &Broker, topic: &str) -> Vec<ResultRow> {
    let mut rows: Vec<ResultRow> = read_committed(broker, topic)
        .into_iter()
        .map(|stored| {
            let TopicRow { row, is_final } = serde_json::from_slice(&stored.value.unwrap()).unwrap();
            assert!(is_final);
            assert_eq!(stored.key.as_deref(), Some(row.product_id.as_bytes()));
            row
        })
        .collect();
    rows.sort_by(|a, b| (a.window, &a.product_id).cmp(&(b.window, &b.product_id)));
    rows
}
