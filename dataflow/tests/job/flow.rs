//! Flow control and failure: alignment, back-pressure, and what happens when a part breaks.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use dataflow::error::Error;
use dataflow::job::SinkPlan;
use dataflow::partitions::Partition;
use dataflow::sink::Sink;
use dataflow::sink::operator::Spread;
use dataflow::source::operator::SourceSettings;
use dataflow::source::{PartitionReader, Progress, Record, Value};
use schemas::ResultRow;
use timely::scheduling::SyncActivator;

use crate::fixture::{RecordingSink, ScriptReader, Scripted, event, job, replay, settings, short, wait_until};

/// `events_per_minute` events in each of the first `minutes` minutes after noon.
fn minutes(minutes: u32, events_per_minute: u32) -> Vec<Scripted> {
    let time = |minute: u32| format!("{:02}:{:02}:00", 12 + minute / 60, minute % 60);
    (0..minutes)
        .flat_map(|minute| (0..events_per_minute).map(move |user| event(&format!("u{user}"), "a", &time(minute))))
        .collect()
}

/// Reads a script one record at a time and takes note of how many minutes it is ahead of the slowest partition.
struct TrackedReader {
    script: ScriptReader,
    partition: usize,
    track: Arc<Track>,
}

struct Track {
    /// The minute that each partition has reached; `END` once it has ended.
    minutes: Vec<AtomicI64>,
    greatest_lead: AtomicI64,
}

const END: i64 = i64::MAX;

impl PartitionReader for TrackedReader {
    fn start(&mut self, wake: &SyncActivator) -> Result<(), Error> {
        self.script.start(wake)
    }

    fn read(
        &mut self,
        scratch: &mut Vec<u8>,
        shared: &Partition,
        receive: &mut impl FnMut(Record<'_>),
    ) -> Result<Progress, Error> {
        let Track { minutes, greatest_lead } = &*self.track;
        let own = &minutes[self.partition];
        let progress = self.script.read(scratch, shared, &mut |record| {
            if let Value::Whole(bytes) = record.value
                && let Ok(event) = schemas::decode(bytes)
            {
                own.store(i64::from(schemas::Window::of(event.timestamp).ordinal()) - NOON, Ordering::SeqCst);
            }
            receive(record);
        })?;
        if progress == Progress::Finished {
            own.store(END, Ordering::SeqCst);
        } else {
            let slowest = minutes.iter().map(|minute| minute.load(Ordering::SeqCst)).min().unwrap();
            greatest_lead.fetch_max(own.load(Ordering::SeqCst) - slowest, Ordering::SeqCst);
        }
        Ok(progress)
    }
}

/// The ordinal of the window that starts at 2024-01-01T12:00:00Z.
const NOON: i64 = 28_401_840;

/// Replays the scripts; returns by how many minutes a partition was ahead of the slowest at the most, and the rows.
fn greatest_lead(partitions: &[Vec<Scripted>], workers: usize, settings: SourceSettings) -> (i64, Vec<ResultRow>) {
    let minutes = partitions.iter().map(|_| AtomicI64::new(0)).collect();
    let track = Arc::new(Track { minutes, greatest_lead: AtomicI64::new(0) });
    let reader = |(partition, records): (usize, &Vec<Scripted>)| TrackedReader {
        script: ScriptReader::new(records, 1),
        partition,
        track: Arc::clone(&track),
    };
    let sink = RecordingSink::default();
    let readers = partitions.iter().enumerate().map(reader).collect();
    job(workers, partitions.len()).run(readers, settings, vec![sink.plan()]).unwrap();
    (track.greatest_lead.load(Ordering::SeqCst), sink.recorded().rows)
}

#[test]
fn a_partition_is_not_read_further_ahead_of_the_slowest_than_the_skew_allows() {
    let unequal = [minutes(200, 50), minutes(200, 1), Vec::new()];
    for workers in [1, 2, 3] {
        let (lead, aligned) = greatest_lead(&unequal, workers, settings());
        // Two windows of skew, and the read that oversteps them.
        assert!(lead <= 3, "a partition was {lead} minutes ahead");

        let mut unbounded = settings();
        unbounded.max_partition_skew = None;
        let (lead, free) = greatest_lead(&unequal, workers, unbounded);
        assert!(lead > 20, "a partition was only {lead} minutes ahead");
        assert_eq!(aligned, free);
    }
}

#[test]
fn while_a_partition_has_no_valid_event_the_others_are_aligned_to_the_earliest_event() {
    let garbage: Vec<_> = (0..2_000).map(|_| Scripted::bytes("garbage")).collect();
    let (lead, rows) = greatest_lead(&[minutes(100, 1), garbage], 2, settings());
    assert!(lead <= 3, "a partition was {lead} minutes ahead of one without an event");
    assert_eq!(rows.len(), 100);
}

/// Writes nothing until it is told to.
struct BlockedSink {
    release: Receiver<()>,
    inner: RecordingSink,
}

impl Sink for BlockedSink {
    fn write_rows(&mut self, rows: &[ResultRow]) -> Result<(), Error> {
        // A dropped sender has released the sink for good.
        let _ = self.release.recv();
        self.inner.write_rows(rows)
    }

    fn finish(self: Box<Self>) -> Result<(), Error> {
        Ok(())
    }
}

#[test]
fn a_sink_that_does_not_acknowledge_holds_the_source_up_and_nothing_is_lost() {
    let records = minutes(700, 3);
    let (release, blocked) = channel();
    let recorder = RecordingSink::default();
    let sink = Box::new(BlockedSink { release: blocked, inner: recorder.clone() });
    let plan = SinkPlan { sink, rows: Some(Spread::OneWriter), keeps_quarantined: false };
    let job = job(2, 1);
    let received = {
        let partitions = Arc::clone(&job.partitions);
        move || partitions.totals().received
    };
    let running = {
        let (job, readers) = (job.clone(), vec![ScriptReader::new(&records, 3)]);
        std::thread::spawn(move || job.run(readers, settings(), vec![plan]))
    };
    wait_until("the source has read ahead", || received() > 180);
    // It would read all in a few milliseconds if nothing held it up.
    std::thread::sleep(Duration::from_millis(300));
    assert!(received() < 300, "{} records were read although no window is acknowledged", received());

    drop(release);
    running.join().unwrap().unwrap();
    assert_eq!(received(), 2_100);
    assert_eq!(recorder.recorded().rows.len(), 700);
}

/// Fails on the first rows.
struct FailingSink;

impl Sink for FailingSink {
    fn write_rows(&mut self, _rows: &[ResultRow]) -> Result<(), Error> {
        Err(Error::Io("cannot write the moon: out of reach".to_owned()))
    }

    fn finish(self: Box<Self>) -> Result<(), Error> {
        Ok(())
    }
}

#[test]
fn a_failing_sink_ends_the_job_with_its_error_and_no_other_output_is_completed() {
    let job = job(2, 1);
    let other = RecordingSink::default();
    let failing = SinkPlan { sink: Box::new(FailingSink), rows: Some(Spread::OneWriter), keeps_quarantined: false };
    let result = job.run(vec![ScriptReader::new(&minutes(10, 3), 1)], settings(), vec![other.plan(), failing]);
    assert_eq!(result, Err(Error::Io("cannot write the moon: out of reach".to_owned())));
    assert!(!other.recorded().is_finished);
}

/// Breaks on its second read.
struct BrokenReader {
    reads: usize,
    panics: bool,
}

impl PartitionReader for BrokenReader {
    fn start(&mut self, _wake: &SyncActivator) -> Result<(), Error> {
        Ok(())
    }

    fn read(
        &mut self,
        _scratch: &mut Vec<u8>,
        shared: &Partition,
        _receive: &mut impl FnMut(Record<'_>),
    ) -> Result<Progress, Error> {
        self.reads += 1;
        shared.bytes_read.fetch_add(1, Ordering::Relaxed);
        match (self.reads, self.panics) {
            (1, _) => Ok(Progress::Ready),
            (_, false) => Err(Error::BadData("the disk has melted".to_owned())),
            (_, true) => panic!("a reader broke, on purpose"),
        }
    }
}

#[test]
fn a_reader_that_fails_ends_the_job_with_its_error() {
    let job = job(2, 2);
    let readers = vec![BrokenReader { reads: 0, panics: false }, BrokenReader { reads: 0, panics: false }];
    let result = job.run(readers, settings(), vec![RecordingSink::default().plan()]);
    assert_eq!(result, Err(Error::BadData("the disk has melted".to_owned())));
}

#[test]
fn a_worker_that_panics_ends_the_job_instead_of_leaving_the_others_waiting() {
    let job = job(3, 1);
    let result =
        job.run(vec![BrokenReader { reads: 0, panics: true }], settings(), vec![RecordingSink::default().plan()]);
    assert!(matches!(&result, Err(Error::Internal(sentence)) if sentence.contains("panicked")), "{result:?}");
}

#[test]
fn a_job_without_events_ends_and_writes_nothing() {
    for workers in [1, 4] {
        let outcome = replay(&[Vec::new(), Vec::new()], workers, 1, &settings());
        assert_eq!(short(&outcome.recorded.rows), Vec::<String>::new());
        assert!(outcome.recorded.is_finished);
    }
}
