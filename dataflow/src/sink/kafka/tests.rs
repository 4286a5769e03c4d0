#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use rdkafka::Message as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Headers as _;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use rdkafka::{Offset as KafkaOffset, TopicPartitionList};
use schemas::Reason;

use super::*;
use crate::kafka::Property;
use crate::metrics::Metrics;
use crate::record::{Cut, Offset, PartitionId};

type Cluster = MockCluster<'static, DefaultProducerContext>;

/// A record as it was read back.
#[derive(Debug, PartialEq)]
struct Stored {
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

fn cluster() -> (Cluster, KafkaArgs) {
    let cluster = MockCluster::new(1).unwrap();
    let names = Topics::default();
    for name in [&names.results, &names.late, &names.rejected] {
        cluster.create_topic(name, 1, 1).unwrap();
    }
    let args = KafkaArgs { bootstrap_servers: Some(cluster.bootstrap_servers()), ..KafkaArgs::default() };
    (cluster, args)
}

fn with_properties(args: &KafkaArgs, properties: &[&str]) -> KafkaArgs {
    let properties = properties.iter().map(|text| text.parse::<Property>().unwrap()).collect();
    KafkaArgs { properties, ..args.clone() }
}

fn connect(args: &KafkaArgs) -> (KafkaSink, SinkMetrics) {
    let metrics = Metrics::default().sink("kafka");
    (connect_to(args, Topics::default(), metrics.clone()).unwrap(), metrics)
}

/// Everything in a topic, in order.
fn read(args: &KafkaArgs, topic: &str) -> Vec<Stored> {
    let consumer: BaseConsumer<_> =
        args.consumer_config("test", 1 << 20).unwrap().create_with_context(args.context()).unwrap();
    let mut partitions = TopicPartitionList::new();
    partitions.add_partition_offset(topic, 0, KafkaOffset::Beginning).unwrap();
    consumer.assign(&partitions).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut stored = Vec::new();
    loop {
        assert!(Instant::now() < deadline, "{topic} has no end");
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => stored.push(Stored {
                key: message.key().map(<[u8]>::to_vec),
                value: message.payload().map(<[u8]>::to_vec),
                headers: message.headers().map_or(Vec::new(), |headers| {
                    headers.iter().map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec))).collect()
                }),
            }),
            Some(Err(rdkafka::error::KafkaError::PartitionEOF(_))) => return stored,
            Some(Err(error)) => panic!("{error}"),
            None => {}
        }
    }
}

fn row(product: &str, users: u64) -> ResultRow {
    let window = Window::from_start_text("2024-01-01T12:00:00Z").unwrap();
    ResultRow { product_id: product.to_owned(), window, unique_user_count: users, revision: 0 }
}

fn quarantined(verdict: Verdict) -> Quarantined {
    Quarantined {
        verdict,
        source: "ecom-raw-events".to_owned(),
        partition: PartitionId(3),
        offset: Offset(17),
        key: Some(b"u1".to_vec()),
        headers: vec![("trace".to_owned(), Some(b"\xff\x00".to_vec())), ("none".to_owned(), None)],
        value: Some(b"{\"user_id\":\xff".to_vec()),
        cut: None,
    }
}

fn text(key: &str, value: &str) -> (String, Option<Vec<u8>>) {
    (key.to_owned(), Some(value.as_bytes().to_vec()))
}

#[test]
fn final_rows_arrive_as_json_keyed_by_product_and_are_counted_when_acknowledged() {
    let (_cluster, args) = cluster();
    let (mut sink, metrics) = connect(&args);
    sink.write_rows(&[row("42", 17), row("ü", 1)]).and_then(|()| sink.flush()).unwrap();
    assert_eq!(metrics.rows.get(), 2);
    assert!(metrics.last_acknowledgement.get() > 1.7e9);
    Box::new(sink).finish().unwrap();

    let stored = read(&args, "ecom-analytics-results");
    let json = r#"{"product_id":"42","window_start":"2024-01-01T12:00:00Z","window_end":"2024-01-01T12:01:00Z","unique_user_count":17,"revision":0,"final":true}"#;
    assert_eq!(stored.len(), 2);
    assert_eq!(stored[0].key.as_deref(), Some(&b"42"[..]));
    assert_eq!(stored[0].value.as_deref().map(String::from_utf8_lossy), Some(json.into()));
    assert_eq!(stored[1].key.as_deref(), Some("ü".as_bytes()));
}

#[test]
fn quarantined_records_keep_bytes_key_and_headers_and_gain_ours_behind_them() {
    let (_cluster, args) = cluster();
    let (mut sink, metrics) = connect(&args);
    let event_millis = EventTime::parse(b"2024-01-01T12:00:30Z").unwrap().millis();
    let late = quarantined(Verdict::Late { event_millis, lateness_millis: 4210 });
    let cut = Quarantined {
        cut: Some(Cut { length: 70_000, sha256: [0xab; 32] }),
        ..quarantined(Verdict::Rejected(Reason::TooLarge))
    };
    sink.write_quarantined(&[late.clone(), cut]).and_then(|()| sink.flush()).unwrap();
    assert_eq!(metrics.quarantined.get(), 2);

    let own = |reason: &str| {
        let mut headers = late.headers.clone();
        headers.extend([
            text("footfall-reason", reason),
            text("footfall-source", "ecom-raw-events"),
            text("footfall-partition", "3"),
            text("footfall-offset", "17"),
        ]);
        headers
    };
    let mut expected = own("late");
    expected.extend([text("footfall-window-start", "2024-01-01T12:00:00Z"), text("footfall-lateness-ms", "4210")]);
    let stored = read(&args, "ecom-late-events");
    assert_eq!(stored, [Stored { key: late.key.clone(), value: late.value.clone(), headers: expected }]);

    let mut expected = own("too_large");
    expected.extend([text("footfall-original-length", "70000"), text("footfall-original-sha256", &"ab".repeat(32))]);
    assert_eq!(read(&args, "ecom-rejected-events")[0].headers, expected);
}

#[test]
fn a_record_whose_own_key_and_headers_would_not_fit_goes_without_them() {
    let (_cluster, args) = cluster();
    let (mut sink, _) = connect(&args);
    let own = Quarantined {
        key: Some(vec![b'k'; 400_000]),
        headers: vec![("trace".to_owned(), Some(vec![b'h'; 600_000]))],
        ..quarantined(Verdict::Rejected(Reason::NotJson))
    };
    sink.write_quarantined(std::slice::from_ref(&own)).and_then(|()| sink.flush()).unwrap();

    let stored = read(&args, &Topics::default().rejected);
    let [stored] = &stored[..] else { panic!("{} records", stored.len()) };
    assert_eq!((&stored.key, &stored.value), (&None, &own.value));
    assert_eq!(stored.headers[0], text("footfall-left-out-bytes", "1000005"));
}

#[test]
fn a_null_value_stays_null_and_an_empty_one_stays_empty() {
    let (_cluster, args) = cluster();
    let (mut sink, _) = connect(&args);
    let null = Quarantined { key: None, value: None, ..quarantined(Verdict::Rejected(Reason::Empty)) };
    let empty = Quarantined { key: Some(Vec::new()), value: Some(Vec::new()), ..null.clone() };
    sink.write_quarantined(&[null, empty]).and_then(|()| sink.flush()).unwrap();
    let stored = read(&args, "ecom-rejected-events");
    assert_eq!((&stored[0].key, &stored[0].value), (&None, &None));
    assert_eq!((stored[1].key.as_deref(), stored[1].value.as_deref()), (Some(&[][..]), Some(&[][..])));
}

#[test]
fn a_full_queue_is_waited_for() {
    let (_cluster, args) = cluster();
    let args = with_properties(&args, &["queue.buffering.max.messages=10"]);
    let (mut sink, metrics) = connect(&args);
    let rows: Vec<_> = (0..500).map(|product| row(&product.to_string(), 1)).collect();
    sink.write_rows(&rows).and_then(|()| sink.flush()).unwrap();
    assert_eq!(metrics.rows.get(), 500);
    assert_eq!(read(&args, "ecom-analytics-results").len(), 500);
}

#[test]
fn a_record_that_the_broker_refuses_is_an_error_that_names_topic_and_cause() {
    let (cluster, args) = cluster();
    let (mut sink, metrics) = connect(&args);
    let refusals = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED; 3];
    cluster.request_errors(RDKafkaApiKey::Produce, &refusals);
    let error = sink.write_rows(&[row("42", 17)]).and_then(|()| sink.flush()).unwrap_err();
    assert!(
        matches!(&error, Error::Unavailable(text) if text.contains("ecom-analytics-results") && text.contains("WRITE")),
        "{error}"
    );
    assert_eq!(metrics.rows.get(), 0);
    // The first failure is remembered: nothing can be written behind a gap.
    assert!(sink.write_rows(&[row("43", 1)]).and_then(|()| sink.flush()).is_err());
}

#[test]
fn a_record_that_is_too_large_is_an_error_with_its_size() {
    let (_cluster, args) = cluster();
    let args = with_properties(&args, &["message.max.bytes=2000"]);
    let (mut sink, _) = connect(&args);
    let large = Quarantined { value: Some(vec![b'x'; 5000]), ..quarantined(Verdict::Rejected(Reason::NotJson)) };
    let error = sink.write_quarantined(&[large]).and_then(|()| sink.flush()).unwrap_err();
    assert!(
        matches!(&error, Error::Io(text) if text.contains("5002 bytes") && text.contains("max.message.bytes")),
        "{error}"
    );
}

#[test]
fn silent_brokers_are_an_error_after_the_delivery_timeout() {
    let (cluster, args) = cluster();
    let args = with_properties(&args, &["message.timeout.ms=1000"]);
    let (mut sink, _) = connect(&args);
    cluster.broker_down(1).unwrap();
    let error = sink.write_rows(&[row("42", 17)]).and_then(|()| sink.flush()).unwrap_err();
    assert!(matches!(&error, Error::Unavailable(text) if text.contains("within 1 s")), "{error}");
}

#[test]
fn a_missing_topic_is_an_error_with_the_command_that_creates_it() {
    let (_cluster, args) = cluster();
    let topics = Topics { late: "no-such-topic".to_owned(), ..Topics::default() };
    let error = connect_to(&args, topics, Metrics::default().sink("kafka")).unwrap_err();
    let Error::Usage(text) = &error else { panic!("{error:?}") };
    assert!(
        text.contains("kafka-topics.sh") && text.contains("--create --topic no-such-topic --partitions 4"),
        "{text}"
    );
    assert!(text.contains("--create-topics"), "{text}");
}

fn connect_to(args: &KafkaArgs, topics: Topics, metrics: SinkMetrics) -> Result<KafkaSink, Error> {
    KafkaSink::new(args, KafkaOutput::connect(args, topics, metrics)?)
}
