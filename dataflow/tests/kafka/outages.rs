//! The broker goes away while a job runs.

use std::time::{Duration, Instant};

use crate::broker::OwnBroker;
use crate::jobs::{Job, positions};
use crate::streams::Records;

#[test]
fn a_job_that_is_stopped_while_the_broker_is_away_ends_in_time_and_a_restart_is_exact() {
    let Some(own) = OwnBroker::start() else { return };
    let broker = own.broker();
    let job = Job::new(broker, "outages-stopped", 3);
    let mut records = Records::generate(3_000, 3, 51);
    records.send_until(broker, &job.topics.raw, 0.5);
    // Nothing is committed but at the start and with windows: so there is something to commit at the end.
    let mut running = job.start(&["-w", "2", "--commit-interval", "1h"]);
    running.until_said("first start", 1);
    job.until_closed(&mut running, "2024-01-01T12:01:00Z");
    let committed = positions(&job.records());
    own.kill();
    running.signal("TERM");
    let asked = Instant::now();
    let ended = running.ended(Duration::from_secs(30));
    assert!(asked.elapsed() < Duration::from_secs(15), "it took {:?}", asked.elapsed());
    // All may have been committed before the broker was gone.
    if ended.code != Some(0) {
        ended.expect(69, &["stopped before", "start again"]);
    }
    own.start_again();
    assert!(positions(&job.records()) >= committed);
    records.send_until(broker, &job.topics.raw, 1.0);
    records.finish(&job, job.start(&["-w", "1"]));
    records.check(&job);
}

#[test]
fn a_job_rides_out_a_broker_that_is_started_again() {
    let Some(own) = OwnBroker::start() else { return };
    let broker = own.broker();
    let job = Job::new(broker, "outages-ridden-out", 3);
    let mut records = Records::generate(3_000, 3, 52);
    records.send_until(broker, &job.topics.raw, 0.5);
    let mut running = job.start(&["-w", "2"]);
    job.until_closed(&mut running, "2024-01-01T12:02:00Z");
    own.kill();
    own.start_again();
    records.send_until(broker, &job.topics.raw, 1.0);
    records.finish(&job, running);
    records.check(&job);
}
