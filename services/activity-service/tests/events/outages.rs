//! Kafka that is not there, goes and comes back.

use std::time::{Duration, Instant};

use crate::kafka;
use crate::service::{Service, event};

/// How long an answer may take when Kafka does not acknowledge: the time limit, and what a busy machine adds.
const LIMIT: Duration = Duration::from_secs(7);

fn assert_unavailable(service: &Service) {
    let began = Instant::now();
    let answer = service.post(event("u1", "lost"));
    assert_eq!((answer.status, &*answer.problem()), (503, "dependency-unavailable"), "{answer:?}");
    assert!(!answer.header("retry-after").is_empty());
    assert!(began.elapsed() < LIMIT, "{:?}", began.elapsed());
}

#[test]
fn a_service_without_kafka_lives_is_not_ready_and_says_so_within_five_seconds() {
    let service = Service::without_kafka(&[]);
    let readiness = service.readiness();
    assert_eq!((readiness.status, &*readiness.text), (503, "not ready: kafka\n"));
    assert_eq!(service.send(service.request(reqwest::Method::GET, "/healthz")).status, 200);
    assert_unavailable(&service);
    assert!(service.metrics().contains("activity_events_unpublished_total{cause=\"unacknowledged\"} 1\n"));
    service.stop().unwrap();
}

#[test]
fn a_full_queue_is_answered_at_once() {
    let service = Service::without_kafka(&["--kafka-config=queue.buffering.max.messages=3"]);
    let events: Vec<_> = (0..4).map(|user| event(&format!("u{user}"), "p1")).collect();
    let began = Instant::now();
    let answer = service.post(format!("[{}]", events.join(",")));
    assert_eq!((answer.status, &*answer.problem()), (503, "overloaded"), "{answer:?}");
    assert!(!answer.header("retry-after").is_empty());
    assert!(began.elapsed() < Duration::from_secs(4));
    let metrics = service.metrics();
    assert!(metrics.contains("activity_events_unpublished_total{cause=\"queue_full\"} 4\n"), "{metrics}");
    // The three that found room; the client's own events count with them for a moment.
    service.wait_for(|service| service.metrics().contains("activity_producer_queue_events 3\n"));
}

#[test]
fn a_missing_topic_keeps_the_service_from_being_ready_until_it_is_created() {
    let Some(kafka) = kafka::shared() else { return };
    let topic = "created-later";
    let service = Service::start(&kafka.broker.bootstrap, topic, &[]);
    assert_eq!(service.readiness().status, 503);
    kafka.create_topic(topic);
    service.wait_until_ready();
    assert_eq!(service.post(event("u1", "p1")).status, 202);
}

#[test]
fn a_service_that_lost_kafka_takes_events_again_when_kafka_is_back() {
    let Some(kafka) = kafka::own() else { return };
    let topic = "outage";
    kafka.create_topic(topic);
    kafka.broker.stop().unwrap();

    // Started before Kafka.
    let service = Service::start(&kafka.broker.bootstrap, topic, &[]);
    assert_unavailable(&service);
    assert_eq!(service.readiness().status, 503);
    kafka.broker.start_again().unwrap();
    service.wait_until_ready();
    let first = event("u1", "first");
    service.wait_for(|service| service.post(first.clone()).status == 202);

    // Lost without a word, then back.
    kafka.broker.kill().unwrap();
    assert_unavailable(&service);
    kafka.broker.start_again().unwrap();
    let second = event("u1", "second");
    service.wait_for(|service| service.post(second.clone()).status == 202);

    let values = kafka.values(topic);
    for acknowledged in [first, second] {
        assert!(values.contains_key(&acknowledged), "{acknowledged} is not in {values:?}");
    }
    service.stop().unwrap();
    kafka.broker.stop().unwrap();
}
