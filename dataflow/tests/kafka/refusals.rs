//! A start that would count something twice, or not at all, is refused: with the reason and the remedy, and before
//! anything is written.

use std::time::Duration;

use dataflow::kafka::CommittedOffset;
use rdkafka::consumer::{BaseConsumer, Consumer};

use crate::broker::{Broker, broker};
use crate::jobs::{Job, counts, event, until};
use crate::operator::{commit_by_hand, delete_group, delete_records, recreate_topic};
use crate::program::{dataflow, finish};
use crate::streams::final_of;
use crate::topics::{contents, send};

const END: Duration = Duration::from_secs(30);

fn send_events(broker: &Broker, topic: &str, events: &[(i32, String)]) {
    send(broker, topic, events.iter().map(|(partition, value)| (*partition, None, Some(value.as_bytes()))));
}

/// A job over two partitions that has closed 12:00 and has records; 12:05 is open.
fn job_with_records<'a>(broker: &'a Broker, test: &str) -> Job<'a> {
    let job = Job::new(broker, &format!("refusals-{test}"), 2);
    let events = [(0, event("u1", "42", "12:00:00")), (1, event("u2", "42", "12:00:30"))];
    send_events(broker, &job.topics.raw, &events);
    send_events(broker, &job.topics.raw, &[0, 1].map(|partition| (partition, event("u3", "42", "12:05:30"))));
    let mut running = job.start(&[]);
    job.until_closed(&mut running, "2024-01-01T12:05:00Z");
    job.until_read(&mut running, 4);
    running.stop();
    job
}

/// Starts the job, which must be refused in these words, and must not have written anything, records included. What
/// comes in meanwhile is not lost: it is counted once the reason is gone.
fn is_refused(job: &Job<'_>, flags: &[&str], words: &[&str]) {
    let before = (contents(job.broker, &job.topics.results), job.commits());
    for _ in 0..2 {
        let ended = job.start(flags).ended(END);
        ended.expect(78, words);
        let sentences = ended.said.lines().filter(|line| line.starts_with("dataflow: ")).count();
        assert_eq!(sentences, 1, "one sentence says why: {}", ended.said);
    }
    assert_eq!((contents(job.broker, &job.topics.results), job.commits()), before);
}

/// The commits of a job, the one of partition 0 changed.
fn with_first(job: &Job<'_>, change: impl FnOnce(&mut CommittedOffset)) -> Vec<CommittedOffset> {
    let mut commits: Vec<_> = job.commits().into_iter().flatten().collect();
    change(&mut commits[0]);
    commits
}

/// Closes 12:05 as well: a job that is not refused any more has counted it once.
fn goes_on(job: &Job<'_>, flags: &[&str]) {
    let closing = [0, 1].map(|partition| (partition, event("u4", "42", "12:10:30")));
    send_events(job.broker, &job.topics.raw, &closing);
    let mut running = job.start(flags);
    job.until_closed(&mut running, "2024-01-01T12:10:00Z");
    running.stop();
    let rows = final_of(job.broker, &job.topics.results);
    let expected = [("12:00", 2), ("12:05", 1)]
        .map(|(start, users)| (("42".to_owned(), format!("2024-01-01T{start}:00Z")), users));
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert_eq!(counts(&rows), expected.into());
}

#[test]
fn a_commit_of_another_program_in_the_group() {
    let Some(broker) = broker() else { return };
    let job = job_with_records(broker, "foreign");
    let ours: Vec<_> = job.commits().into_iter().flatten().collect();
    for metadata in ["", "another program's words"] {
        let theirs = with_first(&job, |commit| metadata.clone_into(&mut commit.metadata));
        commit_by_hand(broker, &job.group, &job.topics.raw, &theirs);
        let (group, topic) = (job.group.as_str(), job.topics.raw.as_str());
        let words = [group, topic, "partition 0", "--group", "docs/runbooks/foreign-commit.md"];
        is_refused(&job, &[], &words);
    }
    commit_by_hand(broker, &job.group, &job.topics.raw, &ours);
    goes_on(&job, &[]);
}

#[test]
fn a_record_of_a_newer_version() {
    let Some(broker) = broker() else { return };
    let job = job_with_records(broker, "newer");
    let ours: Vec<_> = job.commits().into_iter().flatten().collect();
    let newer = with_first(&job, |commit| commit.metadata = commit.metadata.replace("v=1;", "v=2;"));
    commit_by_hand(broker, &job.group, &job.topics.raw, &newer);
    let words =
        [&job.group, "version 2", "up to version 1", "run the version that wrote it", "docs/runbooks/newer-record.md"];
    is_refused(&job, &[], &words);
    commit_by_hand(broker, &job.group, &job.topics.raw, &ours);
    goes_on(&job, &[]);
}

#[test]
fn settings_that_would_count_the_same_events_differently() {
    let Some(broker) = broker() else { return };
    let job = job_with_records(broker, "settings");
    for flags in [["--out-of-orderness", "11s"], ["--allowed-lateness", "1m"], ["--event-types", "PURCHASE"]] {
        is_refused(&job, &flags, &[&job.group, "--out-of-orderness", "--group", "docs/runbooks/other-settings.md"]);
    }
    // Others may change.
    goes_on(&job, &["-w", "3", "--idle-timeout", "20s", "--commit-interval", "300ms"]);
}

#[test]
fn a_topic_with_fewer_partitions_than_were_read() {
    let Some(broker) = broker() else { return };
    let job = job_with_records(broker, "fewer");
    let commits: Vec<_> = job.commits().into_iter().flatten().collect();
    recreate_topic(broker, &job.topics.raw, 1);
    // Brokers forget the offsets of a topic that is deleted, but not where groups are copied from another cluster.
    commit_by_hand(broker, &job.group, &job.topics.raw, &commits[..1]);
    let ended = job.start(&[]).ended(END);
    ended.expect(78, &[&job.topics.raw, "has 1 partitions", "know 2", "--group", "docs/runbooks/fewer-partitions.md"]);
    assert_eq!(job.commits()[0].as_ref(), Some(&commits[0]));
}

#[test]
fn a_partition_whose_record_has_gone() {
    let Some(broker) = broker() else { return };
    let job = job_with_records(broker, "missing");
    let commits: Vec<_> = job.commits().into_iter().flatten().collect();
    for gone in [0, 1] {
        delete_group(broker, &job.group);
        commit_by_hand(broker, &job.group, &job.topics.raw, &commits[1 - gone..2 - gone]);
        let partition = format!("partition {gone}");
        let words = [job.group.as_str(), &partition, "--from", "--group", "docs/runbooks/missing-record.md"];
        is_refused(&job, &[], &words);
    }
    commit_by_hand(broker, &job.group, &job.topics.raw, &commits);
    goes_on(&job, &[]);
}

#[test]
fn events_that_retention_has_deleted_before_they_were_final() {
    let Some(broker) = broker() else { return };
    let job = job_with_records(broker, "log-start");
    let needed = job.commits()[1].as_ref().unwrap().offset;
    assert_eq!(needed, 1, "the event of 12:05");
    delete_records(broker, &job.topics.raw, 1, 2);
    let words = [
        &job.topics.raw,
        "partition 1",
        "begins at offset 2",
        "from 1",
        "--from",
        "--group",
        "docs/runbooks/below-the-log-start.md",
    ];
    is_refused(&job, &[], &words);
}

#[test]
fn what_retention_deletes_of_windows_that_are_final_is_not_missed() {
    let Some(broker) = broker() else { return };
    let job = job_with_records(broker, "retention");
    for partition in [0, 1] {
        delete_records(broker, &job.topics.raw, partition, 1);
    }
    goes_on(&job, &[]);
}

#[test]
fn a_topic_that_ends_before_what_was_read() {
    let Some(broker) = broker() else { return };
    let job = job_with_records(broker, "end");
    let commits: Vec<_> = job.commits().into_iter().flatten().collect();
    recreate_topic(broker, &job.topics.raw, 2);
    commit_by_hand(broker, &job.group, &job.topics.raw, &commits);
    let words = [&job.topics.raw, "ends at offset 0", "up to 2", "--group", "docs/runbooks/beyond-the-end.md"];
    is_refused(&job, &[], &words);
    // One record for each partition lies at the resume offset, and below the position all the same.
    send_events(broker, &job.topics.raw, &[0, 1].map(|partition| (partition, event("u9", "42", "12:05:40"))));
    is_refused(&job, &[], &["ends at offset 1", "up to 2"]);
}

#[test]
fn a_group_that_has_a_member() {
    let Some(broker) = broker() else { return };
    let job = job_with_records(broker, "member");
    let member: BaseConsumer = broker
        .client()
        .set("group.id", &job.group)
        .set("client.id", "the-other-program")
        .set("enable.auto.commit", "false")
        .create()
        .unwrap();
    member.subscribe(&[&job.topics.raw]).unwrap();
    until("the member has partitions", || {
        let _ = member.poll(Duration::from_millis(50));
        (member.assignment().unwrap().count() > 0).then_some(())
    });
    std::thread::scope(|scope| {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        // A member that does not poll is put out of the group.
        scope.spawn(move || {
            while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                let _ = member.poll(Duration::from_millis(50));
            }
        });
        is_refused(&job, &[], &[&job.group, "the-other-program", "stop them", "--group"]);
        drop(stop);
    });
    goes_on(&job, &[]);
}

#[test]
fn flags_that_do_not_go_together() {
    let Some(broker) = broker() else { return };
    for (flags, word) in [
        (&["--delivery", "at-least-once"][..], "--resume"),
        (&["--resume", "file:/tmp/never"], "at-least-once"),
        (&["--delivery", "twice"], "at-least-once"),
        (&["--delivery", "at-least-once", "--resume", "/tmp/never"], "file:/tmp/never"),
        (&["--from", "yesterday"], "beginning"),
        (&["--group", ""], "--group"),
        (&["--processes", "0"], "--processes"),
        (&["--processes", "2", "-n", "2"], "--processes"),
        (&["-n", "2", "-p", "2"], "--process"),
        (&["-n", "2", "--hosts", "/no/such/file"], "/no/such/file"),
        (&["--on-all-idle", "wait"], "advance"),
    ] {
        let output = finish(dataflow(broker, &["run", "--admin-addr", "off"]).args(flags));
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(64), "{flags:?}: {said}");
        assert!(said.contains(word), "{flags:?}: {said}");
    }
}
