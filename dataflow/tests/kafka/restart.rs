//! A job that ends, in whichever way, and is started again: nothing is missing, nothing is there twice.

use dataflow::commit::record::ResumeRecord;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use schemas::EventTime;

use crate::broker::{Broker, broker};
use crate::jobs::{Job, counts, epoch, event, positions};
use crate::program::{dataflow, finish};
use crate::streams::{Records, final_of, own_rows};
use crate::topics::{Topics, contents};

#[test]
fn a_job_that_was_stopped_goes_on_where_it_was_with_any_number_of_workers() {
    let Some(broker) = broker() else { return };
    let job = Job::new(broker, "restart-stopped", 4);
    let mut records = Records::generate(9_000, 4, 11);
    for (start, (workers, share)) in (1..).zip([("1", 0.3), ("3", 0.5), ("6", 0.8)]) {
        records.send_until(broker, &job.topics.raw, share);
        let mut running = job.start(&["-w", workers]);
        running.until_said(&format!("epoch {start}"), 1);
        if start == 3 {
            // What is read at the moment of the signal is committed as well.
            running.until_said("recovered", 1);
        } else {
            job.until_read(&mut running, records.sent());
        }
        running.stop();
        assert_eq!(epoch(&job.records()), start);
        assert!(positions(&job.records()) <= records.sent() as u64);
    }
    records.send_until(broker, &job.topics.raw, 1.0);
    records.finish(&job, job.start(&["-w", "2"]));
    records.check(&job);
}

#[test]
fn a_job_that_is_killed_at_any_moment_leaves_nothing_out_and_nothing_twice() {
    let Some(broker) = broker() else { return };
    let job = Job::new(broker, "restart-killed", 4);
    let mut records = Records::generate(9_000, 4, 12);
    std::thread::scope(|scope| {
        let feed = scope.spawn(|| records.send_slowly(broker, &job.topics.raw, 60));
        // As soon as it has its epoch; in the middle of the first windows; while it replays, or a little later.
        let mut running = job.start(&["-w", "2"]);
        running.until_said("first start", 1);
        running.kill();
        let mut running = job.start(&["-w", "1"]);
        job.until_closed(&mut running, "2024-01-01T12:02:00Z");
        running.kill();
        let mut running = job.start(&["-w", "3"]);
        running.until_said("resuming at", 1);
        running.kill();
        let mut running = job.start(&["-w", "2"]);
        job.until_closed(&mut running, "2024-01-01T12:05:00Z");
        running.kill();
        feed.join().unwrap();
    });
    records.finish(&job, job.start(&["-w", "3"]));
    records.check(&job);
    assert_eq!(epoch(&job.records()), 5);
}

#[test]
fn revisions_are_those_of_a_replay_however_often_the_job_was_killed() {
    let Some(broker) = broker() else { return };
    let lateness = ["--allowed-lateness", "3m"];
    let job = Job::new(broker, "restart-revisions", 3).with(&lateness);
    let mut records = Records::generate(6_000, 3, 13);
    std::thread::scope(|scope| {
        let feed = scope.spawn(|| records.send_slowly(broker, &job.topics.raw, 40));
        for (workers, closed) in [("2", "12:02:00"), ("1", "12:04:00"), ("3", "12:06:00")] {
            let mut running = job.start(&["-w", workers]);
            job.until_closed(&mut running, &format!("2024-01-01T{closed}Z"));
            running.kill();
        }
        feed.join().unwrap();
    });
    records.finish(&job, job.start(&["-w", "2"]));

    let replayed = Topics { results: "restart-revisions-replayed".to_owned(), ..job.topics.clone() };
    broker.create_topic(&replayed.results, 2);
    let mut arguments = vec!["replay", "--sink", "kafka"];
    arguments.extend(replayed.flags());
    arguments.extend(lateness);
    let output = finish(&mut dataflow(broker, &arguments));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let rows = own_rows(final_of(broker, &job.topics.results));
    assert!(rows.iter().any(|row| row.revision > 0), "no late event has changed a row");
    assert_eq!(rows, own_rows(final_of(broker, &replayed.results)));
}

#[test]
fn a_restart_without_news_writes_nothing_but_its_epoch() {
    let Some(broker) = broker() else { return };
    let job = Job::new(broker, "restart-nothing-new", 2);
    let mut records = Records::generate(2_000, 2, 14);
    records.send_until(broker, &job.topics.raw, 1.0);
    records.finish(&job, job.start(&[]));
    let before = (contents(broker, &job.topics.results), job.records());
    for _ in 0..2 {
        let mut running = job.start(&["--live-interval", "0s"]);
        running.until_said("recovered", 1);
        running.stop();
    }
    records.check(&job);
    assert_eq!(contents(broker, &job.topics.results), before.0);
    let unnamed = |mut records: Vec<ResumeRecord>| {
        for record in &mut records {
            (record.epoch, record.owner) = (0, String::new());
        }
        records
    };
    assert_eq!(epoch(&job.records()), epoch(&before.1) + 2);
    assert_eq!(unnamed(job.records()), unnamed(before.1));
}

/// Sends events that the broker takes for as old as they are.
fn send_dated(broker: &Broker, topic: &str, events: &[(i32, &str, &str)]) {
    let producer: BaseProducer = broker.client().create().unwrap();
    for (partition, user, time) in events {
        let value = event(user, "42", time);
        let dated = EventTime::parse(format!("2024-01-01T{time}Z").as_bytes()).unwrap().millis();
        let record = BaseRecord::<(), _>::to(topic).partition(*partition).payload(&value).timestamp(dated);
        assert!(producer.send(record).is_ok());
    }
    producer.flush(std::time::Duration::from_secs(20)).unwrap();
}

/// Starts a job over a topic that has three windows, adds a fourth, closes all, kills and starts the job in between.
/// Returns the windows that were counted, with the number of users.
fn counted_from(test: &str, from: &[&str]) -> Vec<(String, u64)> {
    let Some(broker) = broker() else { return Vec::new() };
    let job = Job::new(broker, test, 2);
    let old = [(0, "u1", "12:00:10"), (1, "u2", "12:00:20"), (0, "u1", "12:01:10"), (1, "u2", "12:02:10")];
    send_dated(broker, &job.topics.raw, &old);
    let mut running = job.start(from);
    running.until_said("first start", 1);
    running.kill();
    // The first start has decided: what comes before the second is new to both.
    send_dated(broker, &job.topics.raw, &[(0, "u3", "12:02:20"), (1, "u4", "12:03:20")]);
    let mut running = job.start(from);
    send_dated(broker, &job.topics.raw, &[(0, "u5", "12:10:00"), (1, "u5", "12:10:00")]);
    job.until_closed(&mut running, "2024-01-01T12:09:00Z");
    running.stop();
    let rows = counts(&final_of(broker, &job.topics.results));
    rows.into_iter().map(|((_, start), users)| (start["2024-01-01T".len()..].to_owned(), users)).collect()
}

fn windows(expected: &[(&str, u64)]) -> Vec<(String, u64)> {
    expected.iter().map(|(start, users)| (format!("{start}:00Z"), *users)).collect()
}

#[test]
fn a_first_start_begins_at_the_beginning_unless_told() {
    let rows = counted_from("restart-from-default", &[]);
    if broker().is_some() {
        assert_eq!(rows, windows(&[("12:00", 2), ("12:01", 1), ("12:02", 2), ("12:03", 1)]));
    }
}

#[test]
fn a_first_start_at_the_end_counts_what_comes_after_it_also_after_a_crash() {
    let rows = counted_from("restart-from-end", &["--from", "end"]);
    if broker().is_some() {
        assert_eq!(rows, windows(&[("12:02", 1), ("12:03", 1)]));
    }
}

#[test]
fn a_first_start_at_a_time_begins_with_the_records_of_that_time() {
    let rows = counted_from("restart-from-time", &["--from", "2024-01-01T12:01:00Z"]);
    if broker().is_some() {
        assert_eq!(rows, windows(&[("12:01", 1), ("12:02", 2), ("12:03", 1)]));
    }
}
