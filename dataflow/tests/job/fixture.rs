//! Scripted inputs and recording outputs.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dataflow::error::Error;
use dataflow::job::{Job, SinkPlan};
use dataflow::partitions::Partition;
use dataflow::record::{Offset, Quarantined};
use dataflow::sink::Sink;
use dataflow::sink::operator::Spread;
use dataflow::source::operator::SourceSettings;
use dataflow::source::{PartitionReader, Progress, Record, Value};
use schemas::{EventTime, ResultRow};
use timely::scheduling::SyncActivator;

/// A record as a script gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scripted {
    /// Its bytes; `None` = a Kafka null.
    pub(crate) value: Option<Vec<u8>>,
    /// The time that the broker gave it, in milliseconds since the epoch.
    pub(crate) time_millis: Option<i64>,
}

impl Scripted {
    pub(crate) fn bytes(value: impl Into<Vec<u8>>) -> Self {
        Scripted { value: Some(value.into()), time_millis: None }
    }

    pub(crate) fn at(mut self, time: &str) -> Self {
        self.time_millis = Some(EventTime::parse(time.as_bytes()).unwrap().millis());
        self
    }
}

/// An event in the common layout, on 2024-01-01 at `time` (`HH:MM:SS` or finer).
pub(crate) fn event(user: &str, product: &str, time: &str) -> Scripted {
    typed_event(user, product, "VIEW_PRODUCT", time)
}

pub(crate) fn typed_event(user: &str, product: &str, event_type: &str, time: &str) -> Scripted {
    Scripted::bytes(format!(
        r#"{{"user_id":"{user}","product_id":"{product}","event_type":"{event_type}","timestamp":"2024-01-01T{time}Z"}}"#
    ))
}

/// Reads a script, so many records at a time.
pub(crate) struct ScriptReader {
    records: VecDeque<Scripted>,
    chunk: usize,
    offset: u64,
}

impl ScriptReader {
    pub(crate) fn new(records: &[Scripted], chunk: usize) -> Self {
        ScriptReader { records: records.iter().cloned().collect(), chunk: chunk.max(1), offset: 0 }
    }
}

impl PartitionReader for ScriptReader {
    fn start(&mut self, _wake: &SyncActivator) -> Result<(), Error> {
        Ok(())
    }

    fn read(
        &mut self,
        _scratch: &mut Vec<u8>,
        _shared: &Partition,
        receive: &mut impl FnMut(Record<'_>),
    ) -> Result<Progress, Error> {
        for _ in 0..self.chunk {
            let Some(next) = self.records.pop_front() else { return Ok(Progress::Finished) };
            hand_over(&next, self.offset, receive);
            self.offset += 1;
        }
        Ok(Progress::Ready)
    }
}

pub(crate) fn hand_over(record: &Scripted, offset: u64, receive: &mut impl FnMut(Record<'_>)) {
    let value = record.value.as_deref().map_or(Value::Null, Value::Whole);
    receive(Record { offset: Offset(offset), value, event: None, time_millis: record.time_millis, message: None });
}

/// Reads what a test sends, when it is sent; ends when the sender is dropped.
pub(crate) struct LiveReader {
    records: Receiver<Scripted>,
    wake: Arc<Mutex<Option<SyncActivator>>>,
    offset: u64,
}

/// Sends records to a [`LiveReader`].
pub(crate) struct LiveWriter {
    records: Sender<Scripted>,
    wake: Arc<Mutex<Option<SyncActivator>>>,
}

pub(crate) fn live() -> (LiveWriter, LiveReader) {
    let (sender, receiver) = channel();
    let wake = Arc::default();
    (LiveWriter { records: sender, wake: Arc::clone(&wake) }, LiveReader { records: receiver, wake, offset: 0 })
}

impl Drop for LiveWriter {
    fn drop(&mut self) {
        // The end is seen as a closed channel, so it must be closed before the job looks.
        self.records = channel().0;
        if let Some(wake) = &*self.wake.lock().unwrap() {
            let _ = wake.activate();
        }
    }
}

impl LiveWriter {
    pub(crate) fn send(&self, record: Scripted) {
        self.records.send(record).unwrap();
        if let Some(wake) = &*self.wake.lock().unwrap() {
            // A job that has ended needs no waking.
            let _ = wake.activate();
        }
    }
}

impl PartitionReader for LiveReader {
    fn start(&mut self, wake: &SyncActivator) -> Result<(), Error> {
        *self.wake.lock().unwrap() = Some(wake.clone());
        Ok(())
    }

    fn read(
        &mut self,
        _scratch: &mut Vec<u8>,
        _shared: &Partition,
        receive: &mut impl FnMut(Record<'_>),
    ) -> Result<Progress, Error> {
        match self.records.try_recv() {
            Ok(record) => {
                hand_over(&record, self.offset, receive);
                self.offset += 1;
                Ok(Progress::Ready)
            }
            Err(TryRecvError::Empty) => Ok(Progress::Waiting),
            Err(TryRecvError::Disconnected) => Ok(Progress::Finished),
        }
    }
}

/// What a sink was given.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recorded {
    pub(crate) rows: Vec<ResultRow>,
    pub(crate) quarantined: Vec<Quarantined>,
    pub(crate) is_finished: bool,
}

/// A sink that remembers.
#[derive(Clone, Default)]
pub(crate) struct RecordingSink(pub(crate) Arc<Mutex<Recorded>>);

impl RecordingSink {
    pub(crate) fn recorded(&self) -> Recorded {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn plan(&self) -> SinkPlan {
        SinkPlan { sink: Box::new(self.clone()), rows: Some(Spread::OneWriter), keeps_quarantined: true }
    }
}

impl Sink for RecordingSink {
    fn write_rows(&mut self, rows: &[ResultRow]) -> Result<(), Error> {
        self.0.lock().unwrap().rows.extend_from_slice(rows);
        Ok(())
    }

    fn write_quarantined(&mut self, records: &[Quarantined]) -> Result<(), Error> {
        self.0.lock().unwrap().quarantined.extend_from_slice(records);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<(), Error> {
        self.0.lock().unwrap().is_finished = true;
        Ok(())
    }
}

/// Settings as the command line has them by default, for files.
pub(crate) fn settings() -> SourceSettings {
    SourceSettings::default()
}

/// A job over so many partitions.
pub(crate) fn job(workers: usize, partitions: usize) -> Job {
    Job::new(workers, (0..partitions).map(|partition| format!("script-{partition}")))
}

/// What a job made of scripts.
pub(crate) struct Outcome {
    pub(crate) job: Job,
    pub(crate) recorded: Recorded,
}

/// Runs a job over scripts to their ends.
pub(crate) fn replay(partitions: &[Vec<Scripted>], workers: usize, chunk: usize, settings: &SourceSettings) -> Outcome {
    let readers = partitions.iter().map(|records| ScriptReader::new(records, chunk)).collect();
    let job = job(workers, partitions.len());
    let sink = RecordingSink::default();
    job.run(readers, settings.clone(), vec![sink.plan()]).unwrap();
    Outcome { job, recorded: sink.recorded() }
}

/// The rows as `product@HH:MM=count`, in the order in which they were written.
pub(crate) fn short(rows: &[ResultRow]) -> Vec<String> {
    let one =
        |row: &ResultRow| format!("{}@{}={}", row.product_id, &row.window.start_text()[11..16], row.unique_user_count);
    rows.iter().map(one).collect()
}

/// Waits until `condition` holds.
///
/// # Panics
/// When it does not within 20 seconds.
pub(crate) fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(std::time::Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
