//! `dataflow replay --source kafka`: a topic up to its end.

use std::time::Duration;

use dataflow::generate::{Shape, Timing};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use schemas::ResultRow;
use schemas::names::{attribute, header};

use crate::broker::{Broker, broker};
use crate::dynamo::Dynamo;
use crate::program::{dataflow, finish};
use crate::topics::{Topics, final_rows, read_committed, send, send_generated, send_with_headers};

const VIEW: &str =
    r#"{"user_id":"u1","product_id":"42","event_type":"VIEW_PRODUCT","timestamp":"2024-01-01T12:00:00Z"}"#;

/// Replays the topics; the program must end well. Returns what it said.
fn replay(broker: &Broker, topics: &Topics, more: &[&str], environment: &[(&str, String)]) -> String {
    let mut arguments = vec!["replay", "--sink", "kafka"];
    arguments.extend(topics.flags());
    arguments.extend(more);
    let output = finish(dataflow(broker, &arguments).envs(environment.iter().cloned()));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    said
}

#[test]
fn a_generated_topic_leads_to_the_rows_of_its_answer_key_in_the_topic_and_in_the_table() {
    let Some(broker) = broker() else { return };
    let topics = Topics::create(broker, "replay-generated", 8);
    let dynamo = Dynamo::start();
    let shape = Shape {
        events: Some(30_000),
        timing: Timing::Spread(Duration::from_secs(8 * 60)),
        products: 50,
        users: 500,
        partitions: 8,
        partition_skew: 0.3,
        late_share: 0.01,
        malformed_share: 0.01,
        ..Shape::default()
    };
    let (rows, summary) = send_generated(broker, &topics.raw, &shape);

    let environment = [
        ("AWS_ENDPOINT_URL", format!("http://{}", dynamo.address)),
        ("AWS_REGION", "eu-central-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "key".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
    ];
    let said = replay(broker, &topics, &["--sink", "dynamodb", "--create-table", "-w", "3"], &environment);

    assert!(said.contains("replayed 30,000 records in 8 partitions"), "{said}");
    assert_eq!(final_rows(broker, &topics.results), rows);
    assert_eq!(rows_in(&dynamo), rows);
    assert_eq!(read_committed(broker, &topics.late).len() as u64, summary.late);
    assert_eq!(read_committed(broker, &topics.rejected).len() as u64, summary.rejected.values().sum::<u64>());
}

/// The table's rows, sorted as files have them.
fn rows_in(dynamo: &Dynamo) -> Vec<ResultRow> {
    let mut rows: Vec<ResultRow> = dynamo
        .items(schemas::names::ANALYTICS_TABLE)
        .iter()
        .map(|item| {
            assert_eq!(item[attribute::FINAL].as_bool(), Ok(&true));
            ResultRow {
                product_id: item[attribute::PRODUCT_ID].as_s().unwrap().clone(),
                window: schemas::Window::from_start_text(item[attribute::WINDOW_START].as_s().unwrap()).unwrap(),
                unique_user_count: item[attribute::UNIQUE_USER_COUNT].as_n().unwrap().parse().unwrap(),
                revision: item[attribute::REVISION].as_n().unwrap().parse().unwrap(),
            }
        })
        .collect();
    rows.sort_by(|a, b| (a.window, &a.product_id).cmp(&(b.window, &b.product_id)));
    rows
}

#[test]
fn what_our_own_generator_sends_to_a_topic_is_counted_as_its_answers_say() {
    let Some(broker) = broker() else { return };
    let topics = Topics::create(broker, "replay-own-generator", 4);
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (answers, rows) = (path("answers.ndjson"), path("rows.ndjson"));
    let generated = finish(&mut dataflow(
        broker,
        &[
            "generate",
            "--to",
            "kafka",
            "--topic",
            &topics.raw,
            "--partitions",
            "4",
            "--events",
            "20000",
            "--duration",
            "5m",
            "--late-share",
            "0.01",
            "--malformed-share",
            "0.01",
            "--answers",
            &answers,
        ],
    ));
    assert!(generated.status.success(), "{}", String::from_utf8_lossy(&generated.stderr));

    replay(broker, &topics, &["--sink", &format!("ndjson:{rows}")], &[]);
    assert_eq!(std::fs::read_to_string(rows).unwrap(), std::fs::read_to_string(answers).unwrap());
}

#[test]
fn aborted_records_are_not_counted_and_a_topic_that_ends_in_markers_ends() {
    let Some(broker) = broker() else { return };
    let topics = Topics::create(broker, "replay-transactions", 2);
    let producer: BaseProducer = broker.client().set("transactional.id", "replay-transactions").create().unwrap();
    let limit = Duration::from_secs(20);
    producer.init_transactions(limit).unwrap();
    for (user, is_committed) in [("u1", true), ("u2", false), ("u3", true), ("u4", false)] {
        producer.begin_transaction().unwrap();
        for partition in 0..2 {
            let value = VIEW.replace("u1", user);
            assert!(producer.send(BaseRecord::to(&topics.raw).partition(partition).key("k").payload(&value)).is_ok());
        }
        producer.flush(limit).unwrap();
        if is_committed { producer.commit_transaction(limit) } else { producer.abort_transaction(limit) }.unwrap();
    }

    let said = replay(broker, &topics, &[], &[]);
    assert!(said.contains("replayed 4 records"), "{said}");
    let rows = final_rows(broker, &topics.results);
    assert_eq!(rows.iter().map(|row| row.unique_user_count).collect::<Vec<_>>(), [2]);
}

#[test]
fn quarantined_records_keep_their_bytes_key_and_headers_and_say_where_they_came_from() {
    let Some(broker) = broker() else { return };
    let topics = Topics::create(broker, "replay-quarantine", 1);
    let own = OwnedHeaders::new()
        .insert(Header { key: "trace", value: Some("abc") })
        .insert(Header { key: "empty", value: None::<&[u8]> });
    send_with_headers(broker, &topics.raw, "u9", "not json", own);
    let large = vec![b'x'; 70_000];
    let late = VIEW.replace("12:00:00Z", "11:00:00Z");
    send(
        broker,
        &topics.raw,
        [
            (0, Some(&b"k"[..]), None),
            (0, None, Some(&b""[..])),
            (0, None, Some(&large[..])),
            (0, None, Some(VIEW.as_bytes())),
            (0, Some(&b"u1"[..]), Some(late.as_bytes())),
        ],
    );

    let said = replay(broker, &topics, &[], &[]);
    assert!(said.contains(&format!("kept in topic {}", topics.rejected)), "{said}");

    let rejected = read_committed(broker, &topics.rejected);
    let reasons: Vec<_> = rejected.iter().map(|stored| stored.header(header::REASON).unwrap()).collect();
    assert_eq!(reasons, ["not_json", "empty", "empty", "too_large"]);
    let [not_json, null, empty, too_large] = &rejected[..] else { panic!("{rejected:?}") };
    assert_eq!((not_json.key.as_deref(), not_json.value.as_deref()), (Some(&b"u9"[..]), Some(&b"not json"[..])));
    assert_eq!(not_json.headers[..2], [("trace".to_owned(), Some(b"abc".to_vec())), ("empty".to_owned(), None)]);
    assert_eq!(not_json.header(header::SOURCE).as_deref(), Some(topics.raw.as_str()));
    assert_eq!(not_json.header(header::OFFSET).as_deref(), Some("0"));
    assert_eq!((null.value.as_ref(), empty.value.as_deref()), (None, Some(&b""[..])));
    assert_eq!(too_large.value.as_deref(), Some(&large[..65_536]));
    assert_eq!(too_large.header(header::ORIGINAL_LENGTH).as_deref(), Some("70000"));

    let late_records = read_committed(broker, &topics.late);
    let [stored] = &late_records[..] else { panic!("{late_records:?}") };
    assert_eq!(stored.value.as_deref(), Some(late.as_bytes()));
    assert_eq!(stored.header(header::REASON).as_deref(), Some("late"));
    assert_eq!(stored.header(header::WINDOW_START).as_deref(), Some("2024-01-01T11:00:00Z"));
    // The watermark is 11:59:50, the window ended at 11:01:00.
    assert_eq!(stored.header(header::LATENESS_MS).as_deref(), Some("3530000"));
}

#[test]
fn an_empty_topic_is_replayed_at_once() {
    let Some(broker) = broker() else { return };
    let topics = Topics::create(broker, "replay-empty", 3);
    let said = replay(broker, &topics, &[], &[]);
    assert!(said.contains("replayed 0 records in 3 partitions"), "{said}");
    assert_eq!(final_rows(broker, &topics.results), []);
}
