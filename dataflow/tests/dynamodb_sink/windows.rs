//! Several windows at the same time.

use std::time::{Duration, Instant};

use dataflow::sink::Sink;
use schemas::ResultRow;

use crate::dynamo::Dynamo;
use crate::fault::{Fault, FaultProxy};
use crate::{Sinks, TABLE, job, refusal, row, rows};

#[test]
fn each_window_is_durable_when_its_own_rows_are() {
    let dynamo = Dynamo::start();
    let proxy = FaultProxy::start(dynamo.address);
    let (mut sink, metrics) = dynamo.sink_at(proxy.address, job(1));
    proxy.spoil(Fault::Throughput, 8, &[".PutItem", r#""S":"slow""#]);
    let slow = [row("slow", 1, 0), row("a", 1, 0)];
    let windows: [&[ResultRow]; 4] = [&slow, &[row("b", 1, 0)], &[], &[row("c", 1, 0), row("d", 1, 0)]];
    let mut durable = Vec::new();
    sink.write_windows(&windows, &mut |place| durable.push(place)).unwrap();
    assert_eq!(durable.last(), Some(&0));
    durable.sort_unstable();
    assert_eq!(durable, [0, 1, 2, 3]);
    assert_eq!((dynamo.items(TABLE).len(), metrics.rows.get()), (5, 5));
}

#[test]
fn a_window_is_not_durable_while_a_row_of_it_is_refused() {
    let dynamo = Dynamo::start();
    dynamo.sink(job(2)).write_rows(&[row("taken", 1, 0)]).unwrap();
    let mut durable = Vec::new();
    let windows: [&[ResultRow]; 2] = [&[row("a", 1, 0)], &[row("b", 1, 0), row("taken", 1, 0)]];
    let error = dynamo.sink(job(1)).write_windows(&windows, &mut |place| durable.push(place)).unwrap_err();
    refusal(&error);
    assert!(!durable.contains(&1));
}

#[test]
fn windows_of_a_few_rows_share_one_wait() {
    let dynamo = Dynamo::start();
    let proxy = FaultProxy::start(dynamo.address);
    let (mut sink, _) = dynamo.sink_at(proxy.address, job(1));
    let wait = Duration::from_millis(200);
    proxy.spoil(Fault::Delay(wait), u32::MAX, &[".PutItem"]);
    let rows = rows(8);
    let windows: Vec<_> = rows.iter().map(std::slice::from_ref).collect();
    let started = Instant::now();
    sink.write_windows(&windows, &mut |_| ()).unwrap();
    let together = started.elapsed();
    // One after the other they would take 8 waits.
    assert!(together < wait * 6, "{together:?}");
}
