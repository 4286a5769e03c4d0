//! Partitions that come, that have nothing to read, that come back, and whose beginning is gone.

use std::time::Duration;

use dataflow::commit::record::ResumeRecord;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use schemas::{EventTime, Window};

use crate::broker::{Broker, broker};
use crate::jobs::{Job, closed_through, counts, event};
use crate::operator::{delete_records, grow_topic};
use crate::streams::final_of;
use crate::topics::{read_committed, send};

/// Sends events of product 42 as `(partition, user, time)`.
fn send_events(broker: &Broker, topic: &str, events: &[(i32, &str, &str)]) {
    let values: Vec<_> = events.iter().map(|(partition, user, time)| (*partition, event(user, "42", time))).collect();
    send(broker, topic, values.iter().map(|(partition, value)| (*partition, None, Some(value.as_bytes()))));
}

/// The windows that were counted, as `(minute, users)`; each has one row.
fn windows(job: &Job<'_>) -> Vec<(String, u64)> {
    let rows = final_of(job.broker, &job.topics.results);
    let counted = counts(&rows);
    assert_eq!(counted.len(), rows.len(), "{rows:?}");
    counted.into_iter().map(|((_, start), users)| (start["2024-01-01T".len()..][..5].to_owned(), users)).collect()
}

fn expected(windows: &[(&str, u64)]) -> Vec<(String, u64)> {
    windows.iter().map(|(start, users)| ((*start).to_owned(), *users)).collect()
}

#[test]
fn partitions_that_a_topic_gets_while_the_job_runs_are_read_from_their_beginning() {
    let Some(broker) = broker() else { return };
    let mut job = Job::new(broker, "partitions-running", 1);
    send_events(broker, &job.topics.raw, &[(0, "u1", "12:00:00"), (0, "u1", "12:01:30")]);
    let mut running = job.start(&["-w", "2"]);
    job.until_closed(&mut running, "2024-01-01T12:01:00Z");

    grow_topic(broker, &job.topics.raw, 3);
    job.grown_to(3);
    // 12:00 is closed, 12:01 is not.
    send_events(broker, &job.topics.raw, &[(1, "u2", "12:00:10"), (1, "u2", "12:01:10"), (2, "u3", "12:01:20")]);
    running.until_said("has a new partition", 2);
    job.until_read(&mut running, 5);
    running.kill();

    // Killed: what was late is late again, and once in its topic.
    let mut running = job.start(&["-w", "1"]);
    send_events(broker, &job.topics.raw, &[0, 1, 2].map(|partition| (partition, "u9", "12:10:00")));
    job.until_closed(&mut running, "2024-01-01T12:09:00Z");
    running.stop();
    assert_eq!(windows(&job), expected(&[("12:00", 1), ("12:01", 3)]));
    assert_eq!(read_committed(broker, &job.topics.late).len(), 1);
    assert_eq!(job.records().iter().map(|record| record.partitions).collect::<Vec<_>>(), [3, 3, 3]);
}

#[test]
fn partitions_that_a_topic_gets_while_the_job_is_stopped_are_read_from_their_beginning() {
    let Some(broker) = broker() else { return };
    let mut job = Job::new(broker, "partitions-stopped", 1);
    send_events(broker, &job.topics.raw, &[(0, "u1", "12:00:00"), (0, "u1", "12:01:30")]);
    let mut running = job.start(&[]);
    job.until_closed(&mut running, "2024-01-01T12:01:00Z");
    running.stop();

    grow_topic(broker, &job.topics.raw, 3);
    job.grown_to(3);
    send_events(broker, &job.topics.raw, &[(1, "u2", "12:00:10"), (1, "u2", "12:01:10"), (2, "u3", "12:01:20")]);
    // Not `end`: the group has begun long ago.
    let mut running = job.start(&["--from", "end"]);
    job.until_read(&mut running, 5);
    send_events(broker, &job.topics.raw, &[0, 1, 2].map(|partition| (partition, "u9", "12:10:00")));
    job.until_closed(&mut running, "2024-01-01T12:09:00Z");
    running.stop();
    assert_eq!(windows(&job), expected(&[("12:00", 1), ("12:01", 3)]));
    assert_eq!(read_committed(broker, &job.topics.late).len(), 1);
}

#[test]
fn an_idle_partition_holds_nobody_up_and_joins_when_it_comes_back_also_after_a_crash() {
    let Some(broker) = broker() else { return };
    let job = Job::new(broker, "partitions-idle", 2).with(&["--idle-timeout", "2s"]);
    send_events(broker, &job.topics.raw, &[(0, "u1", "12:00:00"), (1, "u2", "12:00:10")]);
    let mut running = job.start(&["-w", "2"]);
    job.until_read(&mut running, 2);
    // Nothing more in partition 1, which says nothing of 12:01.
    job.until(&mut running, "partition 1 is idle", |records| records[1].is_idle);
    send_events(broker, &job.topics.raw, &[(0, "u1", "12:02:30")]);
    job.until_closed(&mut running, "2024-01-01T12:02:00Z");

    // It comes back: too late for 12:00 and 12:01, not for 12:02. Partition 0 must not be idle before that.
    send_events(broker, &job.topics.raw, &[(1, "u3", "12:01:59"), (1, "u3", "12:02:01"), (0, "u4", "12:02:31")]);
    job.until_read(&mut running, 6);
    running.kill();
    let mut running = job.start(&["-w", "1"]);
    send_events(broker, &job.topics.raw, &[(0, "u9", "12:10:00"), (1, "u9", "12:10:00")]);
    job.until_closed(&mut running, "2024-01-01T12:09:00Z");
    running.stop();
    assert_eq!(windows(&job), expected(&[("12:00", 2), ("12:02", 3)]));
    let late = read_committed(broker, &job.topics.late);
    let [late] = &late[..] else { panic!("{late:?}") };
    assert_eq!(late.value.as_deref(), Some(event("u3", "42", "12:01:59").as_bytes()));
}

#[test]
fn a_partition_that_never_had_an_event_becomes_idle_and_a_restart_does_not_wait_again() {
    let Some(broker) = broker() else { return };
    let job = Job::new(broker, "partitions-never", 2).with(&["--idle-timeout", "5s"]);
    send_events(broker, &job.topics.raw, &[(0, "u1", "12:00:00")]);
    let mut running = job.start(&[]);
    job.until(&mut running, "partition 1 is idle", |records| records[1].is_idle);
    running.stop();
    send_events(broker, &job.topics.raw, &[(0, "u1", "12:05:00")]);
    let started = std::time::Instant::now();
    let mut running = job.start(&[]);
    job.until_closed(&mut running, "2024-01-01T12:04:00Z");
    assert!(started.elapsed() < Duration::from_secs(5), "it took {:?}", started.elapsed());
    running.stop();
    assert_eq!(windows(&job), expected(&[("12:00", 1)]));
}

#[test]
fn a_topic_of_a_transactional_producer_can_be_idle() {
    let Some(broker) = broker() else { return };
    let job = Job::new(broker, "partitions-transactional", 2).with(&["--idle-timeout", "2s"]);
    let producer: BaseProducer =
        broker.client().set("transactional.id", "partitions-transactional-producer").create().unwrap();
    let limit = Duration::from_secs(20);
    producer.init_transactions(limit).unwrap();
    // Each ends with a record that no reader sees; the last one is aborted, so that no reader sees its event either.
    for (user, is_committed) in [("u1", true), ("u2", true), ("u3", false)] {
        producer.begin_transaction().unwrap();
        for partition in [0, 1] {
            let value = event(user, "42", "12:00:00");
            assert!(
                producer.send(BaseRecord::<(), _>::to(&job.topics.raw).partition(partition).payload(&value)).is_ok()
            );
        }
        producer.flush(limit).unwrap();
        if is_committed { producer.commit_transaction(limit) } else { producer.abort_transaction(limit) }.unwrap();
    }
    let is_at_end = |records: &[ResumeRecord]| records.iter().all(|record| record.is_idle && record.position.0 == 6);
    let mut running = job.start(&["--on-all-idle", "freeze"]);
    job.until(&mut running, "both partitions are idle at their ends", is_at_end);
    running.kill();
    let mut running = job.start(&["--on-all-idle", "freeze"]);
    send_events(broker, &job.topics.raw, &[(0, "u4", "12:05:00")]);
    // The other one is idle still.
    job.until_closed(&mut running, "2024-01-01T12:04:00Z");
    running.stop();
    assert_eq!(windows(&job), expected(&[("12:00", 2)]));
}

/// A window that ended a moment ago, and an event in it.
fn event_of_last_minute() -> (EventTime, String) {
    let now = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
    let end = now / Window::MILLIS * Window::MILLIS;
    let time = EventTime::from_millis(end - 500).unwrap();
    let end = EventTime::from_millis(end).unwrap();
    (end, format!(r#"{{"user_id":"u1","product_id":"42","event_type":"VIEW_PRODUCT","timestamp":"{time}"}}"#))
}

#[test]
fn when_all_partitions_are_idle_the_clock_closes_the_last_window_and_no_other() {
    let Some(broker) = broker() else { return };
    let flags = ["--idle-timeout", "2s", "--out-of-orderness", "1s", "--live-interval", "0s"];
    let job = Job::new(broker, "partitions-advance", 2).with(&flags);
    let (end, value) = event_of_last_minute();
    send(broker, &job.topics.raw, [(0, None, Some(value.as_bytes())), (1, None, Some(value.as_bytes()))]);
    let mut running = job.start(&[]);
    job.until_closed(&mut running, &end.to_string());
    assert_eq!(closed_through(&job.records()), Some(end));
    // What comes for it now is late.
    send(broker, &job.topics.raw, [(0, None, Some(value.as_bytes()))]);
    job.until_read(&mut running, 3);
    running.kill();
    let mut running = job.start(&[]);
    running.until_said("recovered", 1);
    running.stop();
    let rows = final_of(broker, &job.topics.results);
    assert_eq!(rows.iter().map(|row| row.unique_user_count).collect::<Vec<_>>(), [1]);
    assert_eq!(read_committed(broker, &job.topics.late).len(), 1);
}

#[test]
fn when_all_partitions_are_idle_and_time_is_frozen_the_last_window_waits_for_the_next_event() {
    let Some(broker) = broker() else { return };
    let flags =
        ["--idle-timeout", "1s", "--out-of-orderness", "1s", "--live-interval", "0s", "--on-all-idle", "freeze"];
    let job = Job::new(broker, "partitions-freeze", 2).with(&flags);
    let (end, value) = event_of_last_minute();
    send(broker, &job.topics.raw, [(0, None, Some(value.as_bytes())), (1, None, Some(value.as_bytes()))]);
    let mut running = job.start(&[]);
    job.until(&mut running, "both are idle", |records| records.iter().all(|record| record.is_idle));
    // There is nothing to wait for: nothing must happen. The clock has passed the window by more than both limits.
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(final_of(broker, &job.topics.results), []);
    // It is open: the same user again, and another.
    let another = value.replace("u1", "u2");
    send(broker, &job.topics.raw, [(0, None, Some(another.as_bytes()))]);
    job.until_read(&mut running, 3);
    running.stop();
    assert!(closed_through(&job.records()) < Some(end));
    assert_eq!(final_of(broker, &job.topics.results), []);
    assert!(read_committed(broker, &job.topics.late).is_empty());
}

#[test]
fn a_first_start_begins_with_what_retention_has_left() {
    let Some(broker) = broker() else { return };
    let job = Job::new(broker, "partitions-retention", 2);
    let events = [(0, "u1", "12:00:00"), (0, "u2", "12:00:01"), (0, "u3", "12:00:02"), (1, "u4", "12:00:03")];
    send_events(broker, &job.topics.raw, &events);
    delete_records(broker, &job.topics.raw, 0, 2);
    delete_records(broker, &job.topics.raw, 1, 1);
    send_events(broker, &job.topics.raw, &[(0, "u9", "12:10:00"), (1, "u9", "12:10:00")]);
    let mut running = job.start(&[]);
    job.until_closed(&mut running, "2024-01-01T12:09:00Z");
    running.kill();
    let mut running = job.start(&[]);
    running.until_said("recovered", 1);
    running.stop();
    assert_eq!(windows(&job), expected(&[("12:00", 1)]));
}
