//! The broker, by way of the client that the job and the services use.
#![cfg(feature = "kafka")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use backends::Kafka;
use common::{child_folder, folder, kill, ready, start_child, taken_port};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{ClientConfig, Message as _, Offset, TopicPartitionList};

const TOPIC: &str = "events";
const PATIENCE: Duration = Duration::from_secs(20);

fn config(kafka: &Kafka) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", kafka.address().to_string()).set("group.id", "test");
    config
}

async fn make_topic(kafka: &Kafka, partitions: i32) {
    let admin: AdminClient<DefaultClientContext> = config(kafka).create().unwrap();
    let topic = NewTopic::new(TOPIC, partitions, TopicReplication::Fixed(1));
    let results = admin.create_topics([&topic], &AdminOptions::new()).await.unwrap();
    assert!(results.iter().all(Result::is_ok), "{results:?}");
}

/// Clients of Kafka block; the broker runs on other threads.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

fn producer(config: &ClientConfig) -> BaseProducer {
    let mut config = config.clone();
    config.set("enable.idempotence", "true").set("compression.type", "zstd").create().unwrap()
}

/// One batch for each call.
async fn send(config: &ClientConfig, partition: i32, payloads: Vec<String>) {
    let mut config = config.clone();
    config.set("linger.ms", "50");
    blocking(move || {
        let producer = producer(&config);
        for payload in &payloads {
            producer.send(BaseRecord::<(), _>::to(TOPIC).partition(partition).payload(payload)).unwrap();
        }
        producer.flush(PATIENCE).unwrap();
    })
    .await;
}

/// What a reader finds that begins there and reads to the end.
async fn read(config: &ClientConfig, partition: i32, from: Offset) -> Vec<(i64, String)> {
    let mut config = config.clone();
    config.set("enable.partition.eof", "true").set("auto.offset.reset", "error");
    blocking(move || {
        let consumer: BaseConsumer = config.create().unwrap();
        let mut place = TopicPartitionList::new();
        place.add_partition_offset(TOPIC, partition, from).unwrap();
        consumer.assign(&place).unwrap();
        let mut found = Vec::new();
        let deadline = Instant::now() + PATIENCE;
        loop {
            assert!(Instant::now() < deadline, "no end of the partition; so far {}", found.len());
            match consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => {
                    found.push((message.offset(), String::from_utf8(message.payload().unwrap().to_vec()).unwrap()));
                }
                Some(Err(rdkafka::error::KafkaError::PartitionEOF(_))) => return found,
                Some(Err(error)) => panic!("{error}"),
                None => {}
            }
        }
    })
    .await
}

fn numbered(range: std::ops::Range<i64>) -> Vec<String> {
    range.map(|number| format!("event {number}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_begins_at_any_offset_finds_every_record_from_there_on() {
    let folder = folder();
    let kafka = Kafka::start(&folder.path().join("kafka"), 0).await.unwrap();
    make_topic(&kafka, 1).await;
    let config = config(&kafka);
    // Batches of different sizes, so that a wrong step cannot come out right by chance.
    let mut next = 0;
    for size in [7, 1, 30, 2, 2, 11] {
        send(&config, 0, numbered(next..next + size)).await;
        next += size;
    }
    for from in 0..=next {
        let found = read(&config, 0, Offset::Offset(from)).await;
        let expected: Vec<_> = (from..next).zip(numbered(from..next)).collect();
        assert_eq!(found, expected, "from {from}");
    }
    kafka.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_offset_is_the_first_one_even_when_later_batches_have_earlier_times() {
    let folder = folder();
    let kafka = Kafka::start(&folder.path().join("kafka"), 0).await.unwrap();
    make_topic(&kafka, 1).await;
    let client = config(&kafka);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
    for time in [now, now - 60_000, now, now - 1] {
        let client = client.clone();
        blocking(move || {
            let producer = producer(&client);
            let record = BaseRecord::<(), _>::to(TOPIC).partition(0).payload("event").timestamp(time);
            producer.send(record).unwrap();
            producer.flush(PATIENCE).unwrap();
        })
        .await;
    }
    assert_eq!(read(&client, 0, Offset::Beginning).await.len(), 4);
    let watermarks = blocking(move || {
        let consumer: BaseConsumer = client.create().unwrap();
        consumer.fetch_watermarks(TOPIC, 0, PATIENCE).unwrap()
    });
    assert_eq!(watermarks.await, (0, 4));
    kafka.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_is_found_without_missing_a_record_and_one_after_all_records_is_the_end() {
    let folder = folder();
    let kafka = Kafka::start(&folder.path().join("kafka"), 0).await.unwrap();
    make_topic(&kafka, 1).await;
    let client = config(&kafka);
    // Two batches, each a minute long: 0 to 59 s, 60 to 119 s.
    for minute in 0..2 {
        let mut client = client.clone();
        client.set("linger.ms", "50");
        blocking(move || {
            let producer = producer(&client);
            for second in minute * 60..minute * 60 + 60 {
                let record = BaseRecord::<(), _>::to(TOPIC).partition(0).payload("event");
                producer.send(record.timestamp(1_000_000 + second * 1_000)).unwrap();
            }
            producer.flush(PATIENCE).unwrap();
        })
        .await;
    }
    for (second, expected) in [(0, Some(0)), (30, Some(0)), (59, Some(0)), (60, Some(60)), (90, Some(60)), (500, None)]
    {
        let client = client.clone();
        let found = blocking(move || {
            let consumer: BaseConsumer = client.create().unwrap();
            let mut asked = TopicPartitionList::new();
            asked.add_partition_offset(TOPIC, 0, Offset::Offset(1_000_000 + second * 1_000)).unwrap();
            consumer.offsets_for_times(asked, PATIENCE).unwrap().elements()[0].offset()
        });
        assert_eq!(found.await, expected.map_or(Offset::End, Offset::Offset), "{second} s");
    }
    kafka.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn idempotent_producers_that_write_at_once_lose_and_repeat_nothing() {
    const PRODUCERS: usize = 8;
    const EACH: usize = 500;
    let folder = folder();
    let kafka = Kafka::start(&folder.path().join("kafka"), 0).await.unwrap();
    make_topic(&kafka, 4).await;
    let mut client = config(&kafka);
    // Many small batches, so that they meet.
    client.set("linger.ms", "0").set("batch.num.messages", "5");
    let writers: Vec<_> = (0..PRODUCERS)
        .map(|writer| {
            let client = client.clone();
            // All at once: a handle runs before it is waited for.
            tokio::task::spawn_blocking(move || {
                let producer = producer(&client);
                for number in 0..EACH {
                    let record = BaseRecord::<(), _>::to(TOPIC).partition((number % 4) as i32);
                    producer.send(record.payload(&format!("{writer}-{number}"))).unwrap();
                    if number % 100 == 0 {
                        producer.poll(Duration::ZERO);
                    }
                }
                producer.flush(PATIENCE).unwrap();
                producer.in_flight_count()
            })
        })
        .collect();
    for writer in writers {
        assert_eq!(writer.await.unwrap(), 0);
    }
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for partition in 0..4 {
        for (_, payload) in read(&client, partition, Offset::Beginning).await {
            *times.entry(payload).or_default() += 1;
        }
    }
    assert_eq!(times.len(), PRODUCERS * EACH);
    assert!(times.values().all(|times| *times == 1));
    kafka.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_waits_gets_a_record_as_soon_as_it_is_there() {
    let folder = folder();
    let kafka = Kafka::start(&folder.path().join("kafka"), 0).await.unwrap();
    make_topic(&kafka, 1).await;
    let mut client = config(&kafka);
    client.set("fetch.wait.max.ms", "10000").set("socket.timeout.ms", "20000");
    let waited = blocking(move || {
        let consumer: BaseConsumer = client.create().unwrap();
        let mut place = TopicPartitionList::new();
        place.add_partition_offset(TOPIC, 0, Offset::Beginning).unwrap();
        consumer.assign(&place).unwrap();
        // The reader's fetch is under way.
        assert!(consumer.poll(Duration::from_secs(1)).is_none());
        let producer = producer(&client);
        producer.send(BaseRecord::<(), _>::to(TOPIC).partition(0).payload("event")).unwrap();
        producer.flush(PATIENCE).unwrap();
        let acknowledged = Instant::now();
        consumer.poll(PATIENCE).unwrap().unwrap();
        acknowledged.elapsed()
    })
    .await;
    assert!(waited < Duration::from_secs(2), "{waited:?}");
    kafka.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_there_after_a_stop_and_after_the_process_was_killed() {
    let folder = folder();
    let data = folder.path().join("kafka");
    let (child, count) = start_child("child_writes_records", folder.path());
    kill(child);
    let count: i64 = count.parse().unwrap();
    let expected: Vec<_> = (0..count).zip(numbered(0..count)).collect();

    let kafka = Kafka::start(&data, 0).await.unwrap();
    assert_eq!(read(&config(&kafka), 0, Offset::Beginning).await, expected);
    // The log goes on behind them.
    send(&config(&kafka), 0, vec!["after".to_owned()]).await;
    kafka.stop().await.unwrap();

    let kafka = Kafka::start(&data, 0).await.unwrap();
    let found = read(&config(&kafka), 0, Offset::Beginning).await;
    assert_eq!(found.last(), Some(&(count, "after".to_owned())));
    assert_eq!(found.len() as i64, count + 1);
    kafka.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the process that another test kills"]
async fn child_writes_records() {
    let kafka = Kafka::start(&child_folder().join("kafka"), 0).await.unwrap();
    make_topic(&kafka, 1).await;
    for batch in 0..5 {
        send(&config(&kafka), 0, numbered(batch * 100..batch * 100 + 100)).await;
    }
    ready(500).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_is_said_in_one_sentence() {
    let folder = folder();
    let (port, _listener) = taken_port();
    let refusal = Kafka::start(&folder.path().join("kafka"), port).await.unwrap_err().to_string();
    assert_eq!(
        refusal,
        format!("port {port} for Kafka is in use; end the program that listens there, or choose another port")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_another_broker_has_is_refused_and_that_one_goes_on() {
    let folder = folder();
    let data = folder.path().join("kafka");
    let first = Kafka::start(&data, 0).await.unwrap();
    let refusal = Kafka::start(&data, 0).await.unwrap_err().to_string();
    let process = std::process::id();
    assert_eq!(
        refusal,
        format!("{} is in use by process {process}; end that process, or choose another folder", data.display())
    );
    make_topic(&first, 1).await;
    send(&config(&first), 0, numbered(0..3)).await;
    assert_eq!(read(&config(&first), 0, Offset::Beginning).await.len(), 3);
    first.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offset_beyond_the_end_is_refused() {
    let folder = folder();
    let kafka = Kafka::start(&folder.path().join("kafka"), 0).await.unwrap();
    make_topic(&kafka, 1).await;
    let mut client = config(&kafka);
    client.set("auto.offset.reset", "error");
    let error = blocking(move || {
        let consumer: BaseConsumer = client.create().unwrap();
        let mut place = TopicPartitionList::new();
        place.add_partition_offset(TOPIC, 0, Offset::Offset(7)).unwrap();
        consumer.assign(&place).unwrap();
        consumer.poll(PATIENCE).unwrap().err().unwrap().to_string()
    });
    let error = error.await;
    assert!(error.contains("OutOfRange") || error.contains("AutoOffsetReset"), "{error}");
    kafka.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_producer_that_has_given_up_records_goes_on_when_the_broker_is_back() {
    let folder = folder();
    let place = folder.path().join("kafka");
    let kafka = Kafka::start(&place, 0).await.unwrap();
    make_topic(&kafka, 1).await;
    let (mut config, port) = (config(&kafka), kafka.address().port());
    config.set("delivery.timeout.ms", "1000").set("reconnect.backoff.max.ms", "100");
    let producer = std::sync::Arc::new(producer(&config));
    let send = async |payload: &'static str| {
        let producer = std::sync::Arc::clone(&producer);
        blocking(move || {
            producer.send(BaseRecord::<(), _>::to(TOPIC).partition(0).payload(payload)).unwrap();
            producer.flush(PATIENCE).unwrap();
        })
        .await;
    };
    send("before").await;
    kafka.stop().await.unwrap();
    // Not acknowledged in its time: the producer cannot know whether it has arrived, and takes the next epoch.
    send("lost").await;
    let kafka = Kafka::start(&place, port).await.unwrap();
    let deadline = Instant::now() + PATIENCE;
    loop {
        send("after").await;
        let found = read(&config, 0, Offset::Beginning).await;
        if found.iter().any(|(_, payload)| payload == "after") {
            break;
        }
        assert!(Instant::now() < deadline, "{found:?}");
    }
    // And a broker that starts anew takes what the producer counts on.
    send("last").await;
    kafka.stop().await.unwrap();
    let kafka = Kafka::start(&place, port).await.unwrap();
    send("end").await;
    let found = read(&config, 0, Offset::Beginning).await;
    assert_eq!(found.last().unwrap().1, "end", "{found:?}");
    kafka.stop().await.unwrap();
}
