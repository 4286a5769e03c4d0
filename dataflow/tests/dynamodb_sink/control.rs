//! The control item: taking the results over, telling readers how far they are, being replaced.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::AttributeValue;
use dataflow::error::Error;
use dataflow::sink::dynamodb::{JobControl, Keeper};
use schemas::{ControlItem, EventTime};
use serde_json::{Map, Value};

use crate::dynamo::Dynamo;
use crate::fault::{Fault, FaultProxy};
use crate::{CONTROL_TABLE, Sinks, n, refusal, s};

/// 2024-01-01T12:03:00Z.
const NOON: i64 = 1_704_110_580_000;
const SOON: Duration = Duration::from_secs(10);
const CONTROL_PUT: [&str; 2] = [".PutItem", r#""TableName":"ecom-analytics-control""#];

/// The only item, read as every reader of the contract does.
fn item(dynamo: &Dynamo) -> Option<ControlItem> {
    let items = dynamo.items(CONTROL_TABLE);
    assert!(items.len() <= 1, "{items:?}");
    let fields: Map<String, Value> =
        items.into_iter().next()?.into_iter().map(|(name, value)| (name, json(value))).collect();
    Some(serde_json::from_value(Value::Object(fields)).unwrap())
}

fn json(value: AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => Value::String(text),
        AttributeValue::N(number) => serde_json::from_str(&number).unwrap(),
        other => panic!("{other:?}"),
    }
}

/// Waits until the item is as it should be.
fn until(dynamo: &Dynamo, condition: impl Fn(&ControlItem) -> bool) -> ControlItem {
    let deadline = Instant::now() + SOON;
    loop {
        match item(dynamo) {
            Some(item) if condition(&item) => return item,
            other => assert!(Instant::now() < deadline, "{other:?}"),
        }
        std::thread::yield_now();
    }
}

fn keep(control: JobControl, epoch: u64) -> (Keeper, Receiver<Error>) {
    let (tell, told) = mpsc::channel();
    (control.keep(epoch, || Some(NOON), move |error| tell.send(error).unwrap()), told)
}

#[test]
fn before_the_first_job_no_epoch_is_recorded_and_then_that_which_claimed_last() {
    let dynamo = Dynamo::start();
    let control = dynamo.connect().control().unwrap();
    assert_eq!(control.recorded_epoch(), Ok(0));
    for epoch in [1, 2, 7] {
        control.claim(epoch, Some(NOON)).unwrap();
        assert_eq!(control.recorded_epoch(), Ok(epoch));
        let item = item(&dynamo).unwrap();
        assert_eq!((item.job_epoch, item.watermark.map(EventTime::millis)), (epoch, Some(NOON)));
    }
}

#[test]
fn only_a_higher_epoch_takes_over() {
    let dynamo = Dynamo::start();
    let control = dynamo.connect().control().unwrap();
    control.claim(3, None).unwrap();
    for epoch in [1, 2, 3] {
        let error = control.claim(epoch, None).unwrap_err();
        let expected = format!(
            "another job with epoch 3 owns table ecom-analytics-control (item \"job\"; this one has epoch {epoch}); let \
             one of the two run, or give each a table of its own in DYNAMODB_TABLE (docs/runbooks/fenced.md)"
        );
        assert_eq!(refusal(&error), expected);
    }
    assert_eq!(control.recorded_epoch(), Ok(3));
}

#[test]
fn a_claim_whose_answer_is_lost_is_no_claim_of_another() {
    let dynamo = Dynamo::start();
    dynamo.connect();
    let proxy = FaultProxy::start(dynamo.address);
    let control = dynamo.connect_at(proxy.address, false).unwrap().0.control().unwrap();
    for (epoch, fault) in (1..).zip([Fault::LoseAnswer, Fault::Throughput, Fault::Http503, Fault::HangUp]) {
        proxy.spoil(fault, 2, &CONTROL_PUT);
        control.claim(epoch, None).unwrap();
        assert!(proxy.spoiled() > 0);
        assert_eq!(item(&dynamo).unwrap().job_epoch, epoch, "{fault:?}");
    }
}

#[test]
fn the_item_is_written_every_second_also_when_nothing_happens() {
    let dynamo = Dynamo::start();
    let control = dynamo.connect().control().unwrap();
    let watermark = Arc::new(AtomicI64::new(-1));
    let shared = Arc::clone(&watermark);
    let read = move || Some(shared.load(Ordering::SeqCst)).filter(|millis| *millis >= 0);
    let keeper = control.keep(5, read, |error| panic!("{error}"));

    let first = until(&dynamo, |item| item.job_epoch == 5);
    assert_eq!(first.watermark, None);
    let second = until(&dynamo, |item| item.processed_at > first.processed_at);
    let apart = second.processed_at.millis() - first.processed_at.millis();
    assert!((900..5000).contains(&apart), "{apart} ms");
    watermark.store(NOON, Ordering::SeqCst);
    until(&dynamo, |item| item.watermark.is_some_and(|time| time.millis() == NOON));
    drop(keeper);
}

#[test]
fn a_job_that_is_replaced_hears_of_it_once_and_writes_no_more() {
    let dynamo = Dynamo::start();
    let old = dynamo.connect().control().unwrap();
    old.claim(1, None).unwrap();
    let (_keeper, told) = keep(old, 1);
    until(&dynamo, |item| item.watermark.is_some());

    let new = dynamo.connect().control().unwrap();
    assert_eq!(new.recorded_epoch(), Ok(1));
    new.claim(2, None).unwrap();
    let left = item(&dynamo);
    let error = told.recv_timeout(SOON).unwrap();
    assert!(refusal(&error).starts_with("another job with epoch 2 owns table ecom-analytics-control"), "{error}");
    // The task has ended, and its sender with it.
    assert_eq!(told.recv_timeout(SOON), Err(RecvTimeoutError::Disconnected));
    assert_eq!(item(&dynamo), left);
}

#[test]
fn a_store_that_does_not_show_the_item_of_the_other_job_fences_too() {
    let dynamo = Dynamo::start();
    dynamo.connect();
    let proxy = FaultProxy::start(dynamo.address);
    let control = dynamo.connect_at(proxy.address, false).unwrap().0.control().unwrap();
    proxy.spoil(Fault::ConditionFails, u32::MAX, &CONTROL_PUT);
    assert!(refusal(&control.claim(1, None).unwrap_err()).contains("has a higher epoch than 1"));
    let (_keeper, told) = keep(control, 1);
    refusal(&told.recv_timeout(SOON).unwrap());
}

#[test]
fn a_put_that_fails_is_made_good_by_the_next() {
    let dynamo = Dynamo::start();
    dynamo.connect();
    let proxy = FaultProxy::start(dynamo.address);
    let control = dynamo.connect_at(proxy.address, false).unwrap().0.control().unwrap();
    let (_keeper, told) = keep(control, 1);
    for fault in [Fault::Throughput, Fault::Http500, Fault::HangUp, Fault::AccessDenied] {
        proxy.spoil(fault, u32::MAX, &CONTROL_PUT);
        while proxy.spoiled() == 0 {
            std::thread::yield_now();
        }
        let stale = item(&dynamo);
        proxy.heal();
        until(&dynamo, |item| Some(item.processed_at) > stale.map(|stale| stale.processed_at));
    }
    assert!(told.try_recv().is_err());
}

#[test]
fn a_put_without_an_answer_does_not_stop_the_clock() {
    let dynamo = Dynamo::start();
    dynamo.connect();
    let proxy = FaultProxy::start(dynamo.address);
    let control = dynamo.connect_at(proxy.address, false).unwrap().0.control().unwrap();
    proxy.spoil(Fault::Delay(Duration::from_secs(60)), 1, &CONTROL_PUT);
    let (_keeper, _told) = keep(control, 1);
    until(&dynamo, |item| item.job_epoch == 1);
    assert_eq!(proxy.spoiled(), 1);
}

#[test]
fn the_item_is_left_alone_once_the_keeper_is_dropped() {
    let dynamo = Dynamo::start();
    let (keeper, told) = keep(dynamo.connect().control().unwrap(), 1);
    until(&dynamo, |item| item.job_epoch == 1);
    drop(keeper);
    // The task has gone, and nobody was told of a successor.
    assert_eq!(told.recv_timeout(SOON), Err(RecvTimeoutError::Disconnected));
}

#[test]
fn an_item_of_a_later_form_or_of_nobody_is_refused() {
    let dynamo = Dynamo::start();
    let control = dynamo.connect().control().unwrap();
    dynamo.put(CONTROL_TABLE, &[("key", s("job")), ("v", n(2)), ("epoch", n(9))]);
    let error = control.recorded_epoch().unwrap_err();
    assert!(matches!(&error, Error::Refused(text) if text.contains("has form 2") && text.contains("use the version")));
    dynamo.put(CONTROL_TABLE, &[("key", s("job")), ("job_epoch", s("many"))]);
    let error = control.recorded_epoch().unwrap_err();
    assert!(matches!(&error, Error::Refused(text) if text.contains("none that a job wrote")), "{error}");
    assert_eq!(control.claim(1, None).unwrap_err(), error);
}
