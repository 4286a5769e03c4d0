//! What lies on the topic, and what was answered for it.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::json;
use service_kit::auth::Role;

use crate::kafka;
use crate::service::{Answer, Service, answer, event};

#[test]
fn accepted_events_lie_on_the_topic_byte_for_byte_under_their_user() {
    let Some(kafka) = kafka::shared() else { return };
    let topic = "bytes";
    kafka.create_topic(topic);
    let service = Service::start(&kafka.broker.bootstrap, topic, &[]);
    // Order, spaces, escapes, unknown and repeated fields: whatever the decoder accepts.
    let odd = r#"{ "timestamp":"2024-01-01T13:00:00.5+01:00" , "extra":[1e400, null],"event_type" :"X","product_id":42,
        "user_id":"\u00fc", "user_id": "\u00fcser" }"#;
    let integer = r#"{"user_id":-7,"product_id":"p","event_type":"X","timestamp":"2024-01-01T12:00:00Z"}"#;

    let one = service.post(format!("\n {odd}\t"));
    assert_eq!((one.status, one.json()), (202, json!({"accepted": 1, "rejected": []})));
    let two = service.post(format!("[{integer} ,{odd}]"));
    assert_eq!((two.status, two.json()), (202, json!({"accepted": 2, "rejected": []})));

    let mut lying: Vec<_> =
        kafka.records(topic).into_iter().map(|record| (record.key.unwrap(), record.value.unwrap())).collect();
    lying.sort();
    let expected = [("-7", integer), ("üser", odd), ("üser", odd)];
    assert_eq!(lying, expected.map(|(key, value)| (key.as_bytes().to_vec(), value.as_bytes().to_vec())));
}

#[test]
fn of_an_array_the_valid_events_are_published_and_the_others_told() {
    let Some(kafka) = kafka::shared() else { return };
    let topic = "mixed";
    kafka.create_topic(topic);
    let service = Service::start(&kafka.broker.bootstrap, topic, &[]);
    service.wait_until_ready();
    let (first, last) = (event("u1", "p1"), event("u2", "p2"));
    let late = r#"{"user_id":"u","product_id":"p","event_type":"X","timestamp":"9999-01-01T00:00:00Z"}"#;
    let answer = service.post(format!(r#"[{first}, {{"user_id":"u"}}, {late}, {last}]"#));
    assert_eq!(answer.status, 202, "{answer:?}");
    let receipt = answer.json();
    assert_eq!(receipt["accepted"], 2);
    let told = receipt["rejected"].as_array().unwrap();
    assert_eq!(
        told.iter().map(|told| json!([told["index"], told["reason"], told["pointer"]])).collect::<Vec<_>>(),
        [json!([1, "missing_product_id", "/1/product_id"]), json!([2, "future", "/2/timestamp"])]
    );
    assert!(told.iter().all(|told| told["detail"].is_string()));
    assert_eq!(kafka.values(topic), BTreeMap::from([(first, 1), (last, 1)]));

    let metrics = service.metrics();
    for line in [
        "activity_events_accepted_total 2\n",
        "activity_events_rejected_total{reason=\"future\"} 1\n",
        "activity_producer_queue_events 0\n",
        "activity_publish_duration_seconds_count 1\n",
    ] {
        assert!(metrics.contains(line), "no {line:?} in {metrics}");
    }
}

#[test]
fn every_role_that_showed_credentials_may_send() {
    let Some(kafka) = kafka::shared() else { return };
    kafka.create_topic("roles");
    let service = Service::start(&kafka.broker.bootstrap, "roles", &[]);
    for role in [Role::Writer, Role::Customer, Role::Service, Role::Admin] {
        let answer = service.send(service.events_as(role, event("u1", "p1")));
        assert_eq!(answer.status, 202, "{role:?}");
    }
}

#[test]
fn events_of_one_user_lie_in_one_partition_in_their_order() {
    let Some(kafka) = kafka::shared() else { return };
    let topic = "order";
    kafka.create_topic(topic);
    let service = Service::start(&kafka.broker.bootstrap, topic, &[]);
    let sent: Vec<_> = (0..300).map(|product| event("u1", &product.to_string())).collect();
    for chunk in sent.chunks(100) {
        assert_eq!(service.post(format!("[{}]", chunk.join(","))).status, 202);
    }
    let records = kafka.records(topic);
    let partitions: BTreeSet<_> = records.iter().map(|record| record.partition).collect();
    assert_eq!(partitions.len(), 1);
    assert_eq!(records.iter().map(kit::topic::Record::text).collect::<Vec<_>>(), sent);
}

/// What a client may send as an item.
#[derive(Clone, Copy, Debug)]
enum Item {
    Valid,
    NoUser,
    NoObject,
}

#[test]
fn what_was_answered_as_accepted_is_on_the_topic_exactly_once_and_nothing_else_is() {
    let Some(kafka) = kafka::shared() else { return };
    let topic = "conservation";
    kafka.create_topic(topic);
    let service = Service::start(&kafka.broker.bootstrap, topic, &[]);
    service.wait_until_ready();
    let item = prop_oneof![4 => Just(Item::Valid), 1 => Just(Item::NoUser), 1 => Just(Item::NoObject)];
    let requests = prop::collection::vec(prop::collection::vec(item, 1..40), 1..12);
    let mut expected = BTreeMap::new();
    let mut runner = TestRunner::deterministic();
    for case in 0..12 {
        let requests = requests.new_tree(&mut runner).unwrap().current();
        let bodies: Vec<Vec<String>> = requests.iter().enumerate().map(|(n, items)| texts(items, case, n)).collect();
        let answers = send_at_once(&service, &bodies);
        for (items, (texts, answer)) in requests.iter().zip(bodies.iter().zip(answers)) {
            let valid: Vec<_> =
                items.iter().zip(texts).filter(|(item, _)| matches!(item, Item::Valid)).map(|(_, text)| text).collect();
            assert_eq!(answer.status, if valid.is_empty() { 422 } else { 202 }, "{answer:?}");
            if answer.status == 202 {
                assert_eq!(answer.json()["accepted"], valid.len());
                assert_eq!(answer.json()["rejected"].as_array().map(Vec::len), Some(items.len() - valid.len()));
            }
            expected.extend(valid.into_iter().map(|text| (text.clone(), 1)));
        }
        assert_eq!(kafka.values(topic), expected);
    }
}

/// Items that are unlike any other.
fn texts(items: &[Item], case: u32, request: usize) -> Vec<String> {
    let text = |(n, item): (usize, &Item)| {
        let id = format!("{case}-{request}-{n}");
        match item {
            Item::Valid => event(&format!("u{n}"), &id),
            Item::NoUser => format!(r#"{{"product_id":"{id}"}}"#),
            Item::NoObject => format!("\"{id}\""),
        }
    };
    items.iter().enumerate().map(text).collect()
}

fn send_at_once(service: &Service, bodies: &[Vec<String>]) -> Vec<Answer> {
    let requests = bodies.iter().map(|items| service.events(format!("[{}]", items.join(","))));
    let under_way: Vec<_> = requests.map(|request| service.runtime.spawn(answer(request))).collect();
    under_way.into_iter().map(|answer| service.runtime.block_on(answer).unwrap()).collect()
}
