//! Processes end together: well when all do, and with exit code 75 when one is lost.

use std::time::{Duration, Instant};

use crate::harness::Cluster;
use crate::process::LEAVE_AFTER_MILLIS;

#[test]
fn processes_that_are_stopped_end_well_whoever_is_the_first() {
    for slow in [0, 1, 2] {
        let cluster = Cluster::of(3, 2);
        let pause = [(LEAVE_AFTER_MILLIS, "1000")];
        let mut all = [0, 1, 2].map(|it| cluster.start(it, if it == slow { &pause } else { &[] }));
        all.iter_mut().for_each(|process| process.waits_until_says("knows"));
        all.iter_mut().for_each(|process| process.tell("stop"));
        all.into_iter().for_each(|process| drop(process.ends_with(0)));
    }
}

#[test]
fn the_others_end_when_a_process_is_killed() {
    for workers in [1, 2] {
        let mut all = Cluster::of(3, workers).start_all(&[]);
        let began = Instant::now();
        all.remove(1).kill();
        for process in all {
            process.fails_with(75, "process 1 at 127.0.0.1:");
        }
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    }
}

#[test]
fn a_worker_that_panics_ends_all_processes() {
    for workers in [1, 2] {
        let mut all = Cluster::of(2, workers).start_all(&[]);
        all[1].tell("panic");
        let worker = format!("worker {workers} panicked");
        all.remove(1).fails_with(70, &worker);
        all.remove(0).fails_with(75, "process 1 at 127.0.0.1:");
    }
}

#[test]
fn a_worker_that_panics_ends_a_process_that_is_alone() {
    for workers in [1, 2] {
        let mut all = Cluster::of(1, workers).start_all(&[]);
        all[0].tell("panic");
        all.remove(0).fails_with(70, "worker 0 panicked");
    }
}

#[test]
fn a_process_that_fails_ends_the_others_at_once() {
    let mut all = Cluster::of(2, 2).start_all(&[]);
    let began = Instant::now();
    all[0].tell("fail");
    all.remove(0).fails_with(74, "as the test wants it");
    all.remove(0).fails_with(75, "process 0 at 127.0.0.1:");
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

#[test]
fn a_process_that_goes_on_alone_ends_after_a_while() {
    let mut all = Cluster::of(2, 1).start_all(&[]);
    all[0].tell("stop");
    all.remove(1).fails_with(75, "process 0 has ended but this one has not");
    all.remove(0).ends_with(0);
}
