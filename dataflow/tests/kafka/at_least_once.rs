//! Resume records in a file, for brokers without transactions: rows may be there twice, but never differ.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dataflow::commit::file;
use dataflow::commit::record::{RecordTotals, ResumeRecord};
use schemas::{EventTime, ResultRow, TopicRow};

use crate::broker::{Broker, broker};
use crate::jobs::{Job, Running, closed_through, positions, until};
use crate::streams::{Records, own_rows};
use crate::topics::read_committed;

const END: Duration = Duration::from_secs(20);

/// A job whose records are in a file.
struct FileJob<'a> {
    job: Job<'a>,
    folder: tempfile::TempDir,
}

impl<'a> FileJob<'a> {
    fn new(broker: &'a Broker, test: &str, partitions: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let resume = format!("file:{}", folder.path().join("resume").display());
        let flags = ["--delivery", "at-least-once", "--resume", &resume, "--live-interval", "0s"];
        FileJob { job: Job::new(broker, test, partitions).with(&flags), folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("resume")
    }

    fn until(&self, running: &mut Running, what: &str, is_so: impl Fn(&[ResumeRecord]) -> bool) {
        until(what, || {
            running.must_run();
            is_so(&records_in(&self.path())).then_some(())
        });
    }

    fn until_closed(&self, running: &mut Running, time: &str) {
        let wanted = EventTime::parse(time.as_bytes()).unwrap();
        self.until(running, time, |records| closed_through(records) >= Some(wanted));
    }

    /// The final rows, each with how often it is there. Of a key there may be one row only.
    fn rows(&self) -> (Vec<ResultRow>, usize) {
        let mut rows: BTreeMap<_, ResultRow> = BTreeMap::new();
        let stored = read_committed(self.job.broker, &self.job.topics.results);
        for stored in &stored {
            let TopicRow { row, is_final } = serde_json::from_slice(stored.value.as_ref().unwrap()).unwrap();
            assert!(is_final);
            let before = rows.insert((row.window, row.product_id.clone()), row.clone());
            assert!(before.is_none_or(|before| before == row), "two rows of one key differ: {row:?}");
        }
        (own_rows(rows.into_values().collect()), stored.len())
    }
}

/// What a reader of the file finds, whenever it looks: it is never half written.
fn records_in(path: &Path) -> Vec<ResumeRecord> {
    let lines = file::read(path).unwrap();
    lines.into_iter().map(|line| line.unwrap().metadata.parse().unwrap()).collect()
}

#[test]
fn after_a_stop_and_after_crashes_no_row_differs_and_none_is_missing() {
    let Some(broker) = broker() else { return };
    let it = FileJob::new(broker, "at-least-once-crashes", 3);
    let mut records = Records::generate(6_000, 3, 41);
    std::thread::scope(|scope| {
        let feed = scope.spawn(|| records.send_slowly(broker, &it.job.topics.raw, 60));
        let mut running = it.job.start(&["-w", "2"]);
        it.until_closed(&mut running, "2024-01-01T12:01:00Z");
        running.kill();
        let mut running = it.job.start(&["-w", "1"]);
        it.until_closed(&mut running, "2024-01-01T12:03:00Z");
        running.stop();
        let mut running = it.job.start(&["-w", "3"]);
        it.until_closed(&mut running, "2024-01-01T12:05:00Z");
        running.kill();
        feed.join().unwrap();
    });
    let mut running = it.job.start(&["-w", "2"]);
    it.until_closed(&mut running, "2024-01-01T12:29:00Z");
    it.until(&mut running, "all read", |found| positions(found) == records.len() as u64);
    running.stop();
    let (rows, _) = it.rows();
    assert_eq!(rows, records.rows());
    let totals = records_in(&it.path()).iter().map(|record| record.totals).reduce(RecordTotals::plus).unwrap();
    assert!(totals.balance() && totals.received == records.len() as u64, "{totals:?}");
    // Nothing is kept in the group.
    assert_eq!(it.job.commits(), [None, None, None]);
}

#[test]
fn after_stops_in_order_nothing_is_there_twice() {
    let Some(broker) = broker() else { return };
    let it = FileJob::new(broker, "at-least-once-stops", 2);
    let mut records = Records::generate(3_000, 2, 42);
    for share in [0.3, 0.6, 1.0] {
        records.send_until(broker, &it.job.topics.raw, share);
        let mut running = it.job.start(&["-w", "2"]);
        it.until(&mut running, "all read", |found| positions(found) == records.sent() as u64);
        if share == 1.0 {
            it.until_closed(&mut running, "2024-01-01T12:29:00Z");
        }
        running.stop();
    }
    let (rows, stored) = it.rows();
    assert_eq!(rows, records.rows());
    // One more, of the closing events of 12:20.
    assert_eq!(stored, rows.len() + 1);
    let names: Vec<_> = std::fs::read_dir(it.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!names.iter().any(|name| name.to_string_lossy().ends_with(".partial")), "{names:?}");
}

#[test]
fn a_second_job_on_the_same_file_is_refused_and_the_first_goes_on() {
    let Some(broker) = broker() else { return };
    let it = FileJob::new(broker, "at-least-once-second", 2);
    let mut records = Records::generate(2_000, 2, 43);
    records.send_until(broker, &it.job.topics.raw, 0.5);
    let mut first = it.job.start(&[]);
    it.until(&mut first, "half read", |found| positions(found) == records.sent() as u64);
    let path = it.path().display().to_string();
    let second = it.job.start(&["--group", "at-least-once-another-group"]).ended(END);
    second.expect(78, &[&path, "another job", "stop it"]);
    records.send_until(broker, &it.job.topics.raw, 1.0);
    it.until_closed(&mut first, "2024-01-01T12:29:00Z");
    first.stop();
    assert_eq!(it.rows().0, records.rows());
    // The lock ends with the job.
    let mut third = it.job.start(&[]);
    third.until_said("recovered", 1);
    third.kill();
    let mut fourth = it.job.start(&[]);
    fourth.until_said("recovered", 1);
    fourth.stop();
    assert_eq!(it.rows().0, records.rows());
}

#[test]
fn a_file_that_cannot_be_used_is_refused_and_left_as_it_is() {
    let Some(broker) = broker() else { return };
    let it = FileJob::new(broker, "at-least-once-refused", 2);
    let mut records = Records::generate(1_000, 2, 44);
    records.send_until(broker, &it.job.topics.raw, 0.5);
    let mut running = it.job.start(&[]);
    it.until(&mut running, "half read", |found| positions(found) == records.sent() as u64);
    running.stop();
    let ours = std::fs::read_to_string(it.path()).unwrap();
    let torn = &ours[..ours.len() / 2];
    let newer = ours.replace("v=1;", "v=2;");
    let first_line = &ours[..=ours.find('\n').unwrap()];
    let cases = [
        (torn, "resume"),
        ("no record at all\n", "not a resume record"),
        (&newer, "version 2"),
        (first_line, "missing-record"),
    ];
    for (text, words) in cases {
        std::fs::write(it.path(), text).unwrap();
        it.job.start(&[]).ended(END).expect(78, &[words]);
        assert_eq!(std::fs::read_to_string(it.path()).unwrap(), text);
    }
    std::fs::write(it.path(), &ours).unwrap();
    it.job.start(&["--out-of-orderness", "11s"]).ended(END).expect(78, &["other-settings", "--out-of-orderness"]);
    let mut running = it.job.start(&[]);
    running.until_said("recovered", 1);
    running.stop();

    std::fs::remove_file(it.path()).unwrap();
    std::fs::create_dir(it.path()).unwrap();
    it.job.start(&[]).ended(END).expect(74, &[&it.path().display().to_string(), "check the path"]);
}
