//! Live rows: the running counts of open windows, which give way to everything.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::AttributeValue;
use dataflow::error::Error;
use dataflow::sink::Sink;
use dataflow::sink::dynamodb::DynamoDbSink;

use crate::dynamo::Dynamo;
use crate::fault::{Fault, FaultProxy};
use crate::{REPLAY, Sinks, TABLE, job, n, row, rows, s};

/// What a put of a live row says.
const LIVE_PUT: [&str; 2] = [".PutItem", r#""final":{"BOOL":false}"#];

fn write_live(sink: &mut DynamoDbSink, users: u64) {
    sink.write_live(&[row("42", users, 0)]).unwrap();
    sink.settle_live().unwrap();
}

#[test]
fn a_live_row_becomes_an_item_that_says_so() {
    let dynamo = Dynamo::start();
    let (mut sink, metrics) = dynamo.sink_at(dynamo.address, job(7));
    sink.write_live(&[row("42", 17, 3)]).unwrap();
    sink.settle_live().unwrap();
    let expected = HashMap::from([
        ("product_id".to_owned(), s("42")),
        ("window_start".to_owned(), s("2024-01-01T12:00:00Z")),
        ("window_end".to_owned(), s("2024-01-01T12:01:00Z")),
        ("unique_user_count".to_owned(), n(17)),
        ("revision".to_owned(), n(0)),
        ("final".to_owned(), AttributeValue::Bool(false)),
        ("job_epoch".to_owned(), n(7)),
    ]);
    assert_eq!(dynamo.items(TABLE), [expected]);
    assert_eq!((metrics.rows.get(), metrics.live_rows_dropped.get()), (0, 0));
}

#[test]
fn a_live_row_never_lowers_a_count() {
    let dynamo = Dynamo::start();
    let (mut sink, mut next) = (dynamo.sink(job(1)), dynamo.sink(job(2)));
    for (users, left) in [(3, 3), (2, 3), (3, 3), (5, 5), (1, 5)] {
        write_live(&mut sink, users);
        assert_eq!(dynamo.only(), (left, 0, 1));
    }
    // Nor does that of the next job, which counts the window anew.
    write_live(&mut next, 4);
    assert_eq!(dynamo.only(), (5, 0, 1));
    write_live(&mut next, 6);
    assert_eq!(dynamo.only(), (6, 0, 2));
}

#[test]
fn a_final_row_is_never_replaced_by_a_live_one() {
    for mode in [REPLAY, job(1), job(2)] {
        let dynamo = Dynamo::start();
        dynamo.sink(mode).write_rows(&[row("42", 17, 0)]).unwrap();
        let before = dynamo.items(TABLE);
        let (mut sink, metrics) = dynamo.sink_at(dynamo.address, job(2));
        write_live(&mut sink, 99);
        assert_eq!(dynamo.items(TABLE), before);
        // It is done, not given up.
        assert_eq!(metrics.live_rows_dropped.get(), 0);
    }
}

#[test]
fn a_replay_writes_no_live_rows() {
    let dynamo = Dynamo::start();
    write_live(&mut dynamo.sink(REPLAY), 17);
    assert!(dynamo.items(TABLE).is_empty());
}

#[test]
fn more_live_rows_than_their_share_all_arrive() {
    let dynamo = Dynamo::start();
    let mut sink = dynamo.sink(job(1));
    sink.write_live(&rows(100)).unwrap();
    sink.settle_live().unwrap();
    assert_eq!(dynamo.items(TABLE).len(), 100);
}

#[test]
fn a_short_trouble_is_ridden_out() {
    for fault in [Fault::Throughput, Fault::Http503, Fault::HangUp, Fault::LoseAnswer] {
        let dynamo = Dynamo::start();
        let proxy = FaultProxy::start(dynamo.address);
        let (mut sink, metrics) = dynamo.sink_at(proxy.address, job(1));
        proxy.spoil(fault, 3, &LIVE_PUT);
        sink.write_live(&rows(10)).unwrap();
        sink.settle_live().unwrap();
        assert_eq!((dynamo.items(TABLE).len(), metrics.live_rows_dropped.get()), (10, 0), "{fault:?}");
    }
}

#[test]
fn live_rows_that_cannot_be_written_hold_up_no_final_row_and_are_given_up_soon() {
    let dynamo = Dynamo::start();
    let proxy = FaultProxy::start(dynamo.address);
    let (mut sink, metrics) = dynamo.sink_at(proxy.address, job(1));
    proxy.spoil(Fault::Throughput, u32::MAX, &LIVE_PUT);
    let started = Instant::now();
    sink.write_live(&rows(50)).unwrap();
    while proxy.spoiled() == 0 {
        std::thread::yield_now();
    }
    sink.write_rows(&[row("42", 17, 0)]).unwrap();
    assert_eq!(dynamo.only(), (17, 0, 1));
    // The batch is still being tried: the final row went past it.
    assert_eq!(metrics.live_rows_dropped.get(), 0);
    sink.settle_live().unwrap();
    assert_eq!(metrics.live_rows_dropped.get(), 50);
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
}

#[test]
fn no_put_of_a_live_row_begins_while_final_rows_are_written() {
    let dynamo = Dynamo::start();
    let proxy = FaultProxy::start(dynamo.address);
    let (mut sink, metrics) = dynamo.sink_at(proxy.address, job(1));
    proxy.spoil(Fault::Delay(Duration::from_secs(1)), 1, &[".PutItem", r#""final":{"BOOL":true}"#]);
    sink.write_live(&rows(100)).unwrap();
    sink.write_rows(&[row("42", 17, 0)]).unwrap();
    // A second is enough for all of them; before the final row there was time for a few.
    let live = dynamo.items(TABLE).len() - 1;
    assert!(live < 50, "{live}");
    sink.settle_live().unwrap();
    assert_eq!((dynamo.items(TABLE).len(), metrics.live_rows_dropped.get()), (100, 0));
}

#[test]
fn a_denial_of_a_live_row_ends_the_job_as_that_of_a_final_one_would() {
    let dynamo = Dynamo::start();
    let proxy = FaultProxy::start(dynamo.address);
    let (mut sink, _) = dynamo.sink_at(proxy.address, job(1));
    proxy.spoil(Fault::AccessDenied, 1, &LIVE_PUT);
    sink.write_live(&rows(1)).unwrap();
    let error = sink.settle_live().unwrap_err();
    assert!(matches!(&error, Error::Unavailable(text) if text.contains("grant dynamodb:PutItem")), "{error}");
}
