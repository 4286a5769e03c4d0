//! Final rows: what an item holds, and what it replaces.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use dataflow::error::Error;
use dataflow::sink::Sink;
use dataflow::sink::dynamodb::WriteMode;

use crate::dynamo::Dynamo;
use crate::{REPLAY, Sinks, TABLE, job, n, row, rows, s};

#[test]
fn a_row_becomes_an_item_with_exactly_these_attributes() {
    let dynamo = Dynamo::start();
    let (mut sink, metrics) = dynamo.sink_at(dynamo.address, job(7));
    sink.write_rows(&[row("42", 17, 3)]).unwrap();
    let expected = HashMap::from([
        ("product_id".to_owned(), s("42")),
        ("window_start".to_owned(), s("2024-01-01T12:00:00Z")),
        ("window_end".to_owned(), s("2024-01-01T12:01:00Z")),
        ("unique_user_count".to_owned(), n(17)),
        ("revision".to_owned(), n(3)),
        ("final".to_owned(), AttributeValue::Bool(true)),
        ("job_epoch".to_owned(), n(7)),
    ]);
    assert_eq!(dynamo.items(TABLE), [expected]);
    assert_eq!((metrics.rows.get(), metrics.retries.get()), (1, 0));
    assert!(metrics.last_acknowledgement.get() > 1.7e9);
    Box::new(sink).finish().unwrap();
}

#[test]
fn more_rows_than_are_in_flight_all_arrive() {
    let dynamo = Dynamo::start();
    let (mut sink, metrics) = dynamo.sink_at(dynamo.address, job(1));
    sink.write_rows(&rows(100)).unwrap();
    sink.write_rows(&[]).unwrap();
    assert_eq!(dynamo.items(TABLE).len(), 100);
    assert_eq!(metrics.rows.get(), 100);
}

#[test]
fn writing_a_row_again_changes_nothing() {
    let dynamo = Dynamo::start();
    let mut sink = dynamo.sink(job(1));
    for _ in 0..3 {
        sink.write_rows(&[row("42", 17, 0)]).unwrap();
        assert_eq!(dynamo.only(), (17, 0, 1));
    }
}

#[test]
fn within_an_epoch_the_greatest_revision_stays_whatever_the_order() {
    let dynamo = Dynamo::start();
    let mut sink = dynamo.sink(job(1));
    for (users, revision, kept) in [(17, 0, (17, 0, 1)), (19, 2, (19, 2, 1)), (18, 1, (19, 2, 1)), (17, 0, (19, 2, 1))]
    {
        sink.write_rows(&[row("42", users, revision)]).unwrap();
        assert_eq!(dynamo.only(), kept);
    }
}

#[test]
fn a_final_row_replaces_a_live_one_of_any_count() {
    let dynamo = Dynamo::start();
    let mut sink = dynamo.sink(job(1));
    dynamo.put(
        TABLE,
        &[
            ("product_id", s("42")),
            ("window_start", s("2024-01-01T12:00:00Z")),
            ("unique_user_count", n(99)),
            ("revision", n(5)),
            ("final", AttributeValue::Bool(false)),
            ("job_epoch", n(1)),
        ],
    );
    sink.write_rows(&[row("42", 17, 0)]).unwrap();
    assert_eq!(dynamo.only(), (17, 0, 1));
}

#[test]
fn an_item_of_nobody_is_not_replaced() {
    let dynamo = Dynamo::start();
    let mut sink = dynamo.sink(job(1));
    dynamo.put(TABLE, &[("product_id", s("42")), ("window_start", s("2024-01-01T12:00:00Z")), ("note", s("by hand"))]);
    let error = sink.write_rows(&[row("42", 17, 0)]).unwrap_err();
    assert!(matches!(&error, Error::Unavailable(text) if text.contains("no job of ours wrote")), "{error}");
}

#[test]
fn a_replay_repeats_itself_but_spares_the_rows_of_a_job() {
    let dynamo = Dynamo::start();
    let mut replay = dynamo.sink(REPLAY);
    replay.write_rows(&[row("42", 17, 0)]).unwrap();
    replay.write_rows(&[row("42", 18, 0)]).unwrap();
    assert_eq!(dynamo.only(), (18, 0, 0));

    dynamo.sink(job(1)).write_rows(&[row("42", 20, 0)]).unwrap();
    let error = replay.write_rows(&[row("42", 17, 0)]).unwrap_err();
    let Error::Usage(text) = &error else { panic!("{error:?}") };
    assert_eq!(
        text,
        "table ecom-analytics holds rows written by a job (product \"42\", window 2024-01-01T12:00:00Z); pass --overwrite \
         to replace them"
    );
    assert_eq!(dynamo.only(), (20, 0, 1));

    dynamo.sink(WriteMode::Replay { overwrite: true }).write_rows(&[row("42", 17, 0)]).unwrap();
    assert_eq!(dynamo.only(), (17, 0, 0));
    dynamo.sink(job(1)).write_rows(&[row("42", 20, 0)]).unwrap();
    assert_eq!(dynamo.only(), (20, 0, 1));
}
