//! The harness that the tests on real Kafka stand on: a broker, a topic, a record there and back, a transaction.

use crate::broker::{self, Broker};
use rdkafka::Message;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const TIMEOUT: Duration = Duration::from_secs(20);

/// Sends `value` under keys `0..records`, so that every partition gets some.
fn send(producer: &BaseProducer, topic: &str, value: &str, records: usize) {
    for key in 0..records {
        producer.send(BaseRecord::to(topic).key(&key.to_string()).payload(value)).expect("room in the queue");
    }
    producer.flush(TIMEOUT).expect("delivery of every record");
}

/// Reads `records` committed records from all partitions: how often each value was met, in each partition.
fn read_committed(broker: &Broker, topic: &str, records: usize) -> BTreeMap<(i32, String), usize> {
    let consumer: BaseConsumer = broker
        .client()
        .set("group.id", topic)
        .set("isolation.level", "read_committed")
        .set("auto.offset.reset", "earliest")
        .create()
        .expect("a consumer");
    consumer.subscribe(&[topic]).expect("a subscription");
    let deadline = Instant::now() + TIMEOUT;
    let mut met = BTreeMap::new();
    while met.values().sum::<usize>() < records {
        assert!(Instant::now() < deadline, "only {met:?} of {records} records within {TIMEOUT:?}");
        let Some(message) = consumer.poll(Duration::from_millis(100)) else { continue };
        let message = message.expect("a record");
        let value = String::from_utf8_lossy(message.payload().expect("a value")).into_owned();
        *met.entry((message.partition(), value)).or_default() += 1;
    }
    met
}

fn producer(config: &ClientConfig) -> BaseProducer {
    config.create().expect("a producer")
}

#[test]
fn given_a_topic_of_eight_partitions_when_records_are_sent_then_each_comes_back_once() {
    let Some(broker) = broker::broker() else { return };
    let topic = "harness-there-and-back";
    broker.create_topic(topic, 8);

    send(&producer(&broker.client()), topic, "there", 1_000);

    let met = read_committed(broker, topic, 1_000);
    assert_eq!(met.len(), 8, "every partition has records: {met:?}");
    assert_eq!(met.values().sum::<usize>(), 1_000);
}

#[test]
fn given_an_aborted_and_a_committed_transaction_when_read_committed_then_only_the_second_is_seen() {
    let Some(broker) = broker::broker() else { return };
    let topic = "harness-transactions";
    broker.create_topic(topic, 8);
    let producer = producer(broker.client().set("transactional.id", topic));
    producer.init_transactions(TIMEOUT).expect("the broker's transaction coordinator");

    producer.begin_transaction().expect("a transaction");
    send(&producer, topic, "aborted", 100);
    producer.abort_transaction(TIMEOUT).expect("an abort");
    producer.begin_transaction().expect("a transaction");
    send(&producer, topic, "committed", 100);
    producer.commit_transaction(TIMEOUT).expect("a commit");

    let met = read_committed(broker, topic, 100);
    assert!(met.keys().all(|(_, value)| value == "committed"), "{met:?}");
    assert_eq!(met.len(), 8, "the transaction spans every partition: {met:?}");
}
