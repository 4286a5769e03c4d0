//! `dataflow run`: a topic that goes on.

use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

use crate::broker::{Broker, broker};
use crate::program::{dataflow, lines_until, signal, wait};
use crate::topics::{Topics, send};

fn event(user: &str, time: &str) -> String {
    format!(r#"{{"user_id":"{user}","product_id":"42","event_type":"VIEW_PRODUCT","timestamp":"2024-01-01T{time}Z"}}"#)
}

fn send_events(broker: &Broker, topic: &str, events: &[(i32, String)]) {
    send(broker, topic, events.iter().map(|(partition, value)| (*partition, None, Some(value.as_bytes()))));
}

#[test]
fn rows_come_when_their_window_closes_and_an_interrupt_ends_the_job_well() {
    let Some(broker) = broker() else { return };
    let topics = Topics::create(broker, "run-live", 2);
    send_events(broker, &topics.raw, &[(0, event("u1", "12:00:00")), (1, event("u2", "12:00:30"))]);

    let mut arguments = vec!["run", "--sink", "stdout", "--admin-addr", "127.0.0.1:0"];
    arguments.extend(topics.flags());
    let mut child = dataflow(broker, &arguments).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let start = lines_until(&mut stderr, "first start");
    assert!(start.iter().any(|line| line.contains("first start, epoch 1")), "{start:?}");
    let mut rows = BufReader::new(child.stdout.take().unwrap()).lines();

    // Both partitions pass 12:01:00, less ten seconds of disorder: the window closes while the job runs.
    send_events(broker, &topics.raw, &[(0, event("u1", "12:01:10")), (1, event("u1", "12:01:15"))]);
    let row = rows.next().unwrap().unwrap();
    assert_eq!(
        row,
        r#"{"product_id":"42","window_start":"2024-01-01T12:00:00Z","window_end":"2024-01-01T12:01:00Z","unique_user_count":2,"revision":0}"#
    );

    let interrupted = Instant::now();
    signal(&child, "INT");
    let status = wait(&mut child, Duration::from_secs(10));
    assert!(status.success(), "{status}");
    assert!(interrupted.elapsed() < Duration::from_secs(5), "it took {:?} to end", interrupted.elapsed());
    assert_eq!(rows.next().map(Result::unwrap), None, "12:01 is not over");
    let said: Vec<_> = stderr.lines().map(Result::unwrap).collect();
    assert!(said.iter().any(|line| line.contains("counted 4 records in 2 partitions")), "{said:?}");
}

#[test]
fn a_job_to_which_nothing_comes_takes_next_to_no_processor_time() {
    let Some(broker) = broker() else { return };
    let topics = Topics::create(broker, "run-idle", 8);
    send_events(broker, &topics.raw, &[(0, event("u1", "12:00:00"))]);
    let mut arguments = vec!["run", "--sink", "stdout", "--admin-addr", "127.0.0.1:0", "-w", "2"];
    arguments.extend(topics.flags());
    let mut child = dataflow(broker, &arguments).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    lines_until(&mut stderr, "metrics at");

    // Connecting and the first fetches come first, and a broker that is busy with other tests may come between: one
    // quiet while is enough, which a job that is never at rest does not have.
    let watched = Duration::from_secs(3);
    let mut shares = (0..6).map(|_| {
        let before = processor_time(child.id());
        std::thread::sleep(watched);
        (processor_time(child.id()) - before).as_secs_f64() / watched.as_secs_f64()
    });
    let is_at_rest = shares.any(|share| share < 0.02);
    signal(&child, "TERM");
    assert!(wait(&mut child, Duration::from_secs(10)).success());
    assert!(is_at_rest, "it took 2 % of a core or more in each of six times {watched:?}");
}

/// User and system time of a process so far, from `/proc/PID/stat` (proc(5): fields 14 and 15, in ticks of 10 ms).
fn processor_time(process: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let (_, behind_name) = stat.rsplit_once(") ").unwrap();
    let ticks: u64 = behind_name.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}
