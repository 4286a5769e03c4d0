//! Two jobs of one group: the last to come goes on, the other one ends and changes nothing.

use std::time::Duration;

use crate::broker::broker;
use crate::jobs::{Job, epoch, event};
use crate::streams::Records;
use crate::topics::{contents, send};

const END: Duration = Duration::from_secs(30);

#[test]
fn the_first_of_two_ends_and_names_the_second_which_goes_on_exactly() {
    let Some(broker) = broker() else { return };
    let job = Job::new(broker, "fencing-two", 3);
    let mut records = Records::generate(6_000, 3, 21);
    std::thread::scope(|scope| {
        let feed = scope.spawn(|| records.send_slowly(broker, &job.topics.raw, 60));
        let mut first = job.start(&["-w", "2"]);
        job.until_closed(&mut first, "2024-01-01T12:01:00Z");
        let mut second = job.start(&["-w", "2"]);
        second.until_said("epoch 2", 1);
        let successor = format!(":{}", second.pid());
        first.ended(END).expect(78, &[&job.group, "epoch 2", "epoch 1", &successor, "docs/runbooks/fenced.md"]);
        feed.join().unwrap();
        job.until_closed(&mut second, "2024-01-01T12:29:00Z");
        second.stop();
    });
    records.check(&job);
    assert_eq!(epoch(&job.records()), 2);
}

#[test]
fn a_job_that_wakes_up_after_another_took_over_ends_and_changes_no_row() {
    let Some(broker) = broker() else { return };
    let job = Job::new(broker, "fencing-sleeper", 3);
    let mut records = Records::generate(6_000, 3, 22);
    records.send_until(broker, &job.topics.raw, 0.5);
    let mut first = job.start(&["-w", "2"]);
    job.until_closed(&mut first, "2024-01-01T12:02:00Z");
    first.signal("STOP");
    records.send_until(broker, &job.topics.raw, 1.0);
    records.finish(&job, job.start(&["-w", "2"]));
    let before = (contents(broker, &job.topics.results), job.commits());

    first.signal("CONT");
    first.ended(END).expect(78, &[&job.group, "epoch 2", "docs/runbooks/fenced.md"]);
    assert_eq!((contents(broker, &job.topics.results), job.commits()), before);
    records.check(&job);
}

#[test]
fn a_job_to_which_nothing_comes_learns_of_its_successor_with_the_next_record() {
    let Some(broker) = broker() else { return };
    let job = Job::new(broker, "fencing-idle", 1);
    let send = |time| send(broker, &job.topics.raw, [(0, None, Some(event("u1", "42", time).as_bytes()))]);
    send("12:00:00");
    let mut first = job.start(&[]);
    job.until_read(&mut first, 1);
    let mut second = job.start(&[]);
    second.until_said("epoch 2", 1);
    send("12:05:00");
    first.ended(END).expect(78, &["epoch 2", &format!(":{}", second.pid())]);
    job.until_closed(&mut second, "2024-01-01T12:04:00Z");
    second.stop();
}
