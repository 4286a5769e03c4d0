//! A topic in memory, and the home of its resume records: what a job needs to be stopped, killed and started again.

use std::ops::Range;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use dataflow::clock::now_millis;
use dataflow::cluster::Links;
use dataflow::commit::begin::{Begin, Expected, Start, resume};
use dataflow::commit::home::{Commit, Failure, Home, Output};
use dataflow::commit::kafka::{From, Source};
use dataflow::commit::ledger::Identity;
use dataflow::commit::record::{Fingerprint, MAX_BYTES, ResumeRecord};
use dataflow::control::Control;
use dataflow::error::Error;
use dataflow::job::{Job, LivePlan, Plan, ResumePlan};
use dataflow::kafka::{CommittedOffset, KafkaArgs};
use dataflow::partitions::{OnAllIdle, Partition};
use dataflow::record::{Offset, PartitionId, Quarantined};
use dataflow::source::operator::SourceSettings;
use dataflow::source::{Inputs, Opened, PartitionReader, Progress, Record, Watched};
use schemas::ResultRow;
use timely::scheduling::SyncActivator;

use crate::fixture::{Scripted, hand_over, wait_until};

pub(crate) const TOPIC: &str = "topic";

/// A topic whose partitions grow, and that may get more of them. Clones are the same topic.
#[derive(Clone, Default)]
pub(crate) struct Topic(Arc<Mutex<Vec<Log>>>);

#[derive(Default)]
struct Log {
    records: Vec<Scripted>,
    wake: Option<SyncActivator>,
    /// How many records a reader gets to see, where it is not all of them: the others are still on their way.
    gate: Option<usize>,
}

impl Topic {
    pub(crate) fn of(partitions: &[Vec<Scripted>]) -> Self {
        let log = |records: &Vec<Scripted>| Log { records: records.clone(), ..Log::default() };
        Topic(Arc::new(Mutex::new(partitions.iter().map(log).collect())))
    }

    fn logs(&self) -> MutexGuard<'_, Vec<Log>> {
        self.0.lock().unwrap()
    }

    pub(crate) fn append(&self, partition: usize, records: impl IntoIterator<Item = Scripted>) {
        let log = &mut self.logs()[partition];
        log.records.extend(records);
        if let Some(wake) = &log.wake {
            // A job that has ended needs no waking.
            let _ = wake.activate();
        }
    }

    pub(crate) fn add_partition(&self, records: Vec<Scripted>) {
        self.logs().push(Log { records, ..Log::default() });
    }

    /// Lets readers of a partition see only its first records, or all.
    pub(crate) fn gate(&self, partition: usize, gate: Option<usize>) {
        self.logs()[partition].gate = gate;
        self.append(partition, []);
    }

    pub(crate) fn extents(&self) -> Vec<Range<u64>> {
        self.logs().iter().map(|log| 0..log.records.len() as u64).collect()
    }

    /// All records, by partition.
    pub(crate) fn contents(&self) -> Vec<Vec<Scripted>> {
        self.logs().iter().map(|log| log.records.clone()).collect()
    }
}

/// Reads a partition of the topic, so many records at a time.
pub(crate) struct TopicReader {
    topic: Topic,
    partition: usize,
    position: usize,
    chunk: usize,
}

impl PartitionReader for TopicReader {
    fn start(&mut self, wake: &SyncActivator) -> Result<(), Error> {
        self.topic.logs()[self.partition].wake = Some(wake.clone());
        Ok(())
    }

    fn read(
        &mut self,
        _scratch: &mut Vec<u8>,
        shared: &Partition,
        receive: &mut impl FnMut(Record<'_>),
    ) -> Result<Progress, Error> {
        let (records, end): (Vec<_>, _) = {
            let logs = self.topic.logs();
            let Log { records, gate, .. } = &logs[self.partition];
            let seen = &records[..gate.unwrap_or(records.len())];
            let next = seen.iter().skip(self.position).take(self.chunk);
            (next.cloned().collect(), records.len() as u64)
        };
        for record in &records {
            hand_over(record, self.position as u64, receive);
            self.position += 1;
        }
        shared.end.store(end, Ordering::Relaxed);
        shared.position.store(self.position as u64, Ordering::Relaxed);
        Ok(if records.is_empty() { Progress::Waiting } else { Progress::Ready })
    }
}

/// The topic as a job reads it, and what the job wants to know about it.
#[derive(Clone)]
pub(crate) struct TopicInputs {
    topic: Topic,
    chunk: usize,
    watched: Arc<Mutex<Option<Watched<TopicReader>>>>,
}

impl TopicInputs {
    fn opened(&self, id: PartitionId, begin: Begin) -> Opened<TopicReader> {
        let position = usize::try_from(begin.offset.0).unwrap();
        let reader = TopicReader { topic: self.topic.clone(), partition: id.0 as usize, position, chunk: self.chunk };
        Opened { id, reader, begin }
    }
}

impl Inputs for TopicInputs {
    type Reader = TopicReader;

    fn open(&self, begins: Vec<(PartitionId, Begin)>) -> Result<Vec<Opened<TopicReader>>, Error> {
        Ok(begins.into_iter().map(|(id, begin)| self.opened(id, begin)).collect())
    }

    fn name(&self, _id: PartitionId) -> String {
        TOPIC.to_owned()
    }

    fn watch(&self, watched: Watched<TopicReader>) -> Result<(), Error> {
        *self.watched.lock().unwrap() = Some(watched);
        Ok(())
    }
}

/// What a test does to a job at one of its commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disturbance {
    /// It is killed before the commit has happened.
    KilledBefore(usize),
    /// It is killed when the commit has happened, and before it knows.
    KilledAfter(usize),
    /// It is asked to end, as by SIGTERM.
    StoppedAt(usize),
    /// The commit is aborted, and made again.
    AbortedAt(usize),
}

/// What outlives a job: its output and its records.
#[derive(Clone, Default)]
pub(crate) struct Store(Arc<Mutex<Stored>>);

#[derive(Clone, Default)]
pub(crate) struct Stored {
    pub(crate) offsets: Vec<Option<CommittedOffset>>,
    pub(crate) outputs: Vec<Output>,
    /// How every job of this store began.
    pub(crate) starts: Vec<Start>,
    pub(crate) commits: usize,
}

impl Store {
    pub(crate) fn stored(&self) -> Stored {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn record(&self, partition: usize) -> Option<(u64, ResumeRecord)> {
        let stored = self.0.lock().unwrap();
        let commit = stored.offsets.get(partition)?.as_ref()?;
        Some((commit.offset, commit.metadata.parse().unwrap()))
    }

    /// As if the last valid record of a partition had been read at this time.
    pub(crate) fn backdate_seen(&self, partition: usize, seen: &str) {
        let (_, mut record) = self.record(partition).unwrap();
        record.seen = schemas::EventTime::parse(seen.as_bytes()).unwrap();
        self.0.lock().unwrap().offsets[partition].as_mut().unwrap().metadata = record.to_string();
    }

    /// Whether the records say that all that the topic has was received, and that windows before `open` are durable.
    pub(crate) fn covers(&self, topic: &Topic, open: u64) -> bool {
        let is_covered = |(partition, extent): (usize, Range<u64>)| {
            self.record(partition).is_some_and(|(_, record)| {
                let closed = record.closed_through.map_or(0, |time| time.millis() / schemas::Window::MILLIS);
                record.position.0 == extent.end && closed.unsigned_abs() >= open
            })
        };
        topic.extents().into_iter().enumerate().all(is_covered)
    }
}

impl Stored {
    pub(crate) fn rows(&self) -> Vec<ResultRow> {
        let rows = self.outputs.iter().filter_map(|output| match output {
            Output::Rows(rows) => Some(rows.clone()),
            _ => None,
        });
        rows.flatten().collect()
    }

    pub(crate) fn live_rows(&self) -> Vec<ResultRow> {
        let rows = self.outputs.iter().filter_map(|output| match output {
            Output::Live(rows) => Some(rows.clone()),
            _ => None,
        });
        rows.flatten().collect()
    }

    pub(crate) fn quarantined(&self) -> Vec<Quarantined> {
        let records = self.outputs.iter().filter_map(|output| match output {
            Output::Quarantined(records) => Some(records.clone()),
            _ => None,
        });
        records.flatten().collect()
    }

    fn keep(&mut self, commits: &[Commit]) {
        for Commit { partition: PartitionId(partition), offset, record } in commits {
            let metadata = record.to_string();
            assert!(metadata.len() <= MAX_BYTES, "the record has {} bytes: {metadata}", metadata.len());
            let index = *partition as usize;
            self.offsets.resize(self.offsets.len().max(index + 1), None);
            self.offsets[index] = Some(CommittedOffset { partition: *partition, offset: offset.0, metadata });
        }
    }
}

/// Takes output and records into the store at once, as a transaction does.
struct MemoryHome {
    store: Store,
    topic: Topic,
    source: Source,
    disturbance: Option<Disturbance>,
    control: Arc<Control>,
    commits: usize,
    /// A job that was killed writes no more.
    is_dead: bool,
}

impl MemoryHome {
    fn die(&mut self) -> Failure {
        self.is_dead = true;
        Failure::Final(killed())
    }
}

pub(crate) fn killed() -> Error {
    Error::Restart("killed by the test".to_owned())
}

impl Home for MemoryHome {
    fn open(&mut self, least_epoch: u64) -> Result<Start, Error> {
        let extents = self.topic.extents();
        let mut guard = self.store.0.lock().unwrap();
        let stored = &mut *guard;
        stored.offsets.resize(stored.offsets.len().max(extents.len()), None);
        let expected: Expected<'_> = self.source.expected("memory", "begin anew", &extents);
        let resumed = resume(&stored.offsets, &expected, now_millis())?;
        let mut start = match resumed {
            Some(start) => start,
            None => self.source.first_start(&extents)?,
        };
        start.epoch = start.epoch.max(least_epoch);
        stored.keep(&self.source.commits(&start));
        stored.starts.push(start.clone());
        Ok(start)
    }

    fn commit(&mut self, outputs: &[Output], commits: &[Commit]) -> Result<(), Failure> {
        assert!(!self.is_dead, "a job that was killed has written");
        self.commits += 1;
        let is_now = |commit: usize| commit == self.commits;
        match self.disturbance {
            Some(Disturbance::KilledBefore(at)) if is_now(at) => return Err(self.die()),
            Some(Disturbance::AbortedAt(at)) if is_now(at) => return Err(Failure::Aborted("of the test".to_owned())),
            _ => {}
        }
        {
            let mut stored = self.store.0.lock().unwrap();
            if self.control.failure().is_some() {
                self.is_dead = true;
                return Err(Failure::Final(killed()));
            }
            stored.outputs.extend_from_slice(outputs);
            stored.commits += 1;
            stored.keep(commits);
        }
        match self.disturbance {
            Some(Disturbance::KilledAfter(at)) if is_now(at) => return Err(self.die()),
            Some(Disturbance::StoppedAt(at)) if is_now(at) => self.control.stop(),
            _ => {}
        }
        Ok(())
    }

    fn takes_output(&self) -> bool {
        true
    }
}

/// How a job is run over a topic.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) workers: usize,
    pub(crate) chunk: usize,
    pub(crate) settings: SourceSettings,
    pub(crate) on_all_idle: OnAllIdle,
    pub(crate) live: Option<LivePlan>,
    pub(crate) commit_interval: Duration,
    pub(crate) disturbance: Option<Disturbance>,
}

impl Setup {
    /// Of a topic without end, and commits as often as there is something to commit.
    pub(crate) fn new(workers: usize) -> Self {
        Setup {
            workers,
            chunk: 10,
            settings: SourceSettings { is_unbounded: true, ..SourceSettings::default() },
            on_all_idle: OnAllIdle::Freeze,
            live: None,
            commit_interval: Duration::ZERO,
            disturbance: None,
        }
    }

    pub(crate) fn start(&self, topic: &Topic, store: &Store) -> Running {
        let partitions = topic.extents().len();
        let names = std::iter::repeat_n(TOPIC.to_owned(), partitions);
        let job = Job::of_process(Control::new(self.workers), names, self.on_all_idle);
        let rules = &self.settings.rules;
        let identity = Identity {
            settings: Fingerprint(1),
            owner: "host:1,2026-11-21T23:00:00Z".to_owned(),
            out_of_orderness_millis: i64::try_from(rules.out_of_orderness.as_millis()).unwrap(),
            horizon_windows: rules.horizon_windows(),
        };
        let source = Source {
            args: KafkaArgs::default(),
            topic: TOPIC.to_owned(),
            from: From::Beginning,
            identity: identity.clone(),
        };
        let home = MemoryHome {
            store: store.clone(),
            topic: topic.clone(),
            source,
            disturbance: self.disturbance,
            control: Arc::clone(&job.control),
            commits: 0,
            is_dead: false,
        };
        let plan = Plan {
            source: self.settings.clone(),
            sinks: Vec::new(),
            keeps_quarantined: true,
            resume: Some(ResumePlan { home: Box::new(home), identity, interval: self.commit_interval }),
            live: self.live,
            links: Links::none(),
            started: std::time::Instant::now(),
        };
        let inputs = TopicInputs { topic: topic.clone(), chunk: self.chunk, watched: Arc::default() };
        let thread = {
            let (job, inputs) = (job.clone(), inputs.clone());
            std::thread::spawn(move || job.run_plan(inputs, plan))
        };
        Running { job, inputs, store: store.clone(), topic: topic.clone(), thread: Some(thread) }
    }
}

/// A job that runs in a thread of its own.
pub(crate) struct Running {
    pub(crate) job: Job,
    inputs: TopicInputs,
    store: Store,
    topic: Topic,
    thread: Option<std::thread::JoinHandle<Result<(), Error>>>,
}

impl Running {
    /// Waits until all is read and committed, and windows before `open` are closed; `false` where the job ends before.
    pub(crate) fn wait_for_all(&self, open: u64) -> bool {
        wait_until("all is committed", || self.has_ended() || self.store.covers(&self.topic, open));
        !self.has_ended()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.thread.as_ref().is_some_and(std::thread::JoinHandle::is_finished)
    }

    /// Asks it to end, as by SIGTERM.
    pub(crate) fn stop(mut self) -> Result<(), Error> {
        self.job.control.stop();
        self.thread.take().unwrap().join().unwrap()
    }

    /// Ends it as `kill -9` would: what is not committed by now is lost.
    pub(crate) fn kill(mut self) {
        self.job.control.fail(killed());
        assert_eq!(self.thread.take().unwrap().join().unwrap(), Err(killed()));
    }

    /// Lets the job know of a partition that the topic has got.
    pub(crate) fn announce_partition(&self, partition: u32) {
        let id = PartitionId(partition);
        let watched = self.inputs.watched.lock().unwrap();
        let Watched { partitions, arrivals, control } = watched.as_ref().unwrap();
        let begin = Begin::joining(Offset(0), now_millis(), partitions.watermark_without(id));
        let end = Offset(self.topic.extents()[partition as usize].end);
        let opened = self.inputs.opened(id, Begin { end, ..begin });
        partitions.ensure(id, TOPIC);
        arrivals.put(opened);
        control.wake_all();
    }

    /// Answers, as a broker that is up, where a partition ends, if the job wants to know.
    pub(crate) fn prove(&self, partition: u32) {
        let end = self.topic.extents()[partition as usize].end;
        let partition = self.partition(partition);
        if partition.wants_proof() {
            partition.prove(end, now_millis());
            self.job.control.wake_all();
        }
    }

    pub(crate) fn partition(&self, partition: u32) -> Arc<Partition> {
        self.job.partitions.get(PartitionId(partition))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A test that fails must not leave a job behind.
        self.job.control.fail(killed());
    }
}
