//! `dataflow resume`: where a job goes on, for people.

use std::io::BufReader;
use std::time::{Duration, Instant};

use crate::broker::{Broker, broker};
use crate::program::{dataflow, finish, lines_until, signal, wait};
use crate::topics::{Topics, send};

/// A minute of events in each of two partitions, and the one that closes it.
fn send_two_minutes(broker: &Broker, topic: &str) {
    let event = |user: &str, time: &str| {
        format!(r#"{{"user_id":"{user}","product_id":"42","event_type":"V","timestamp":"2024-01-01T{time}Z"}}"#)
    };
    let events: Vec<_> = (0..2)
        .flat_map(|partition| [(partition, event("u1", "12:00:00")), (partition, event("u2", "12:01:30"))])
        .chain([(0, "no event".to_owned())])
        .collect();
    send(broker, topic, events.iter().map(|(partition, value)| (*partition, None, Some(value.as_bytes()))));
}

fn resume(broker: &Broker, what: &str, topic: &str, group: &str, more: &[&str]) -> (Option<i32>, String, String) {
    let arguments = [&["resume", what, "--input-topic", topic, "--group", group], more].concat();
    let output = finish(&mut dataflow(broker, &arguments));
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_records_of_a_job_are_shown_with_what_a_start_would_read() {
    let Some(broker) = broker() else { return };
    let topics = Topics::create(broker, "records-shown", 2);
    let group = "records-shown";
    let (code, shown, _) = resume(broker, "show", &topics.raw, group, &[]);
    assert_eq!(code, Some(0));
    assert!(shown.contains("no resume record"), "{shown}");
    let (_, planned, _) = resume(broker, "plan", &topics.raw, group, &[]);
    assert!(planned.contains("a first start, by --from; the topic holds 0 records"), "{planned}");

    send_two_minutes(broker, &topics.raw);
    let mut arguments = vec!["run", "--sink", "kafka", "--admin-addr", "off", "--group", group];
    arguments.extend(topics.flags());
    let mut child = dataflow(broker, &arguments).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    lines_until(&mut stderr, "recovered in");
    let deadline = Instant::now() + Duration::from_secs(20);
    while !resume(broker, "show", &topics.raw, group, &[]).1.contains("is durable: 2024-01-01T12:01:00.000Z") {
        assert!(Instant::now() < deadline, "12:00 is not closed");
    }
    signal(&child, "TERM");
    assert!(wait(&mut child, Duration::from_secs(15)).success());

    let (_, shown, _) = resume(broker, "show", &topics.raw, group, &[]);
    let lines: Vec<_> = shown.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert!(lines[1].starts_with("epoch 1, settings "), "{shown}");
    assert!(lines[2].ends_with("is durable: 2024-01-01T12:01:00.000Z"), "{shown}");
    assert_eq!(
        lines[5..],
        ["0 1 3 3 2024-01-01T12:00:00.000Z no 3 2 0 1 0", "1 1 2 2 2024-01-01T12:00:00.000Z no 2 2 0 0 0"]
    );

    let (code, planned, _) = resume(broker, "plan", &topics.raw, group, &[]);
    assert_eq!(code, Some(0));
    assert!(
        planned.contains("a start would have epoch 2 and write no row of a window that ends at or before"),
        "{planned}"
    );
    assert!(planned.trim_end().ends_with("3    0"), "three records again, none new: {planned}");

    let (code, _, said) = resume(broker, "plan", &topics.raw, group, &["--out-of-orderness", "5s"]);
    assert_eq!(code, Some(78));
    assert!(said.contains("was made with other settings"), "{said}");
}
