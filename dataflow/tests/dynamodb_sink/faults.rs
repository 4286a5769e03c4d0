//! A store that is slow, throttles, fails or goes away: the job waits, and loses nothing.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use dataflow::error::Error;
use dataflow::sink::Sink;

use crate::dynamo::Dynamo;
use crate::fault::{Fault, FaultProxy};
use crate::{Sinks, TABLE, job, row, rows};

const FAULTS: [Fault; 6] =
    [Fault::Throughput, Fault::Throttling, Fault::Http500, Fault::Http503, Fault::HangUp, Fault::LoseAnswer];

#[test]
fn an_endpoint_that_nobody_serves_is_named_in_time() {
    let dynamo = Dynamo::start();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let started = Instant::now();
    let error = dynamo.connect_at(address, false).unwrap_err();
    let Error::Unavailable(text) = &error else { panic!("{error:?}") };
    assert!(text.contains(&format!("http://{address}")) && text.contains("refused"), "{text}");
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[test]
fn errors_of_the_service_throttling_and_lost_connections_are_retried_and_counted() {
    let dynamo = Dynamo::start();
    let proxy = FaultProxy::start(dynamo.address);
    for (epoch, fault) in (1..).zip(FAULTS) {
        let (mut sink, metrics) = dynamo.sink_at(proxy.address, job(epoch));
        proxy.spoil(fault, 5, &[".PutItem"]);
        sink.write_rows(&rows(20)).unwrap();
        let epochs: Vec<_> = dynamo.items(TABLE).iter().map(|item| item["job_epoch"].as_n().unwrap().clone()).collect();
        assert_eq!(epochs, vec![epoch.to_string(); 20], "{fault:?}");
        assert_eq!(metrics.rows.get(), 20, "{fault:?}");
        // The connection pool may repeat a request by itself where a reused connection was closed under it.
        let retries = metrics.retries.get();
        let closes = matches!(fault, Fault::HangUp | Fault::LoseAnswer);
        assert!(if closes { retries <= 5 } else { retries == 5 }, "{fault:?}: {retries}");
        assert_eq!(proxy.spoiled(), 5, "{fault:?}");
    }
}

#[test]
fn a_throttled_table_slows_the_sink_and_loses_nothing() {
    let dynamo = Dynamo::start();
    let proxy = FaultProxy::start(dynamo.address);
    let (mut sink, metrics) = dynamo.sink_at(proxy.address, job(1));
    // All that are in flight are refused again and again.
    proxy.spoil(Fault::Throughput, 40, &[".PutItem"]);
    sink.write_rows(&rows(100)).unwrap();
    assert_eq!(dynamo.items(TABLE).len(), 100);
    assert_eq!((metrics.rows.get(), metrics.retries.get()), (100, 40));
}

#[test]
fn a_slow_store_is_waited_for() {
    let dynamo = Dynamo::start();
    let proxy = FaultProxy::start(dynamo.address);
    let (mut sink, metrics) = dynamo.sink_at(proxy.address, job(1));
    proxy.spoil(Fault::Delay(Duration::from_millis(100)), u32::MAX, &[".PutItem"]);
    sink.write_rows(&rows(16)).unwrap();
    assert_eq!((dynamo.items(TABLE).len(), metrics.retries.get()), (16, 0));
}

#[test]
fn a_service_that_never_recovers_is_given_up_with_the_last_cause() {
    let dynamo = Dynamo::start();
    let proxy = FaultProxy::start(dynamo.address);
    let (connected, metrics) = dynamo.connect_at(proxy.address, true).unwrap();
    let mut sink = connected.with_patience(Duration::from_secs(1)).into_sink(job(1));
    proxy.spoil(Fault::Throttling, u32::MAX, &[".PutItem"]);
    let error = sink.write_rows(&[row("42", 1, 0)]).unwrap_err();
    let Error::Unavailable(text) = &error else { panic!("{error:?}") };
    assert!(text.contains("ThrottlingException: slow down") && text.contains("has not served a request for"), "{text}");
    assert!(metrics.retries.get() >= 2);
    assert_eq!(metrics.rows.get(), 0);
}

#[test]
fn a_denial_is_not_retried() {
    let dynamo = Dynamo::start();
    let proxy = FaultProxy::start(dynamo.address);
    let (mut sink, metrics) = dynamo.sink_at(proxy.address, job(1));
    proxy.spoil(Fault::AccessDenied, 1, &[".PutItem"]);
    let error = sink.write_rows(&[row("42", 1, 0)]).unwrap_err();
    assert!(matches!(&error, Error::Unavailable(text) if text.contains("grant dynamodb:PutItem")), "{error}");
    assert_eq!(metrics.retries.get(), 0);
}
