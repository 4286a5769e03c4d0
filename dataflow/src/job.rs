//! The job: source, distinct, views and sinks, wired into one dataflow on every worker.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use differential_dataflow::AsCollection;
use prometheus_client::registry::Registry;
use timely::dataflow::operators::Probe;
use timely::dataflow::operators::probe::Handle;
use timely::worker::Worker;

use crate::control::Control;
use crate::distinct::{Time, distinct};
use crate::error::Error;
use crate::metrics::Metrics;
use crate::partitions::Partitions;
use crate::record::PartitionId;
use crate::sink::Sink;
use crate::sink::operator::{Spread, write_quarantined, write_rows};
use crate::sink::thread::{SinkHandle, SinkThread};
use crate::source::PartitionReader;
use crate::source::operator::{SourceSettings, Sources, source};
use crate::views;
use crate::windows::Windows;

/// How long a worker sleeps at most: the source then looks after the connection to its broker.
const LONGEST_PARK: Duration = Duration::from_secs(1);

/// How long a failed job waits for a sink that is busy.
const PATIENCE_WITH_SINKS: Duration = Duration::from_millis(300);

/// What a running job shares with those who watch and steer it.
#[derive(Clone, Debug)]
pub struct Job {
    /// Stop, failure and back-pressure.
    pub control: Arc<Control>,
    /// The input's partitions and how far they are.
    pub partitions: Arc<Partitions>,
    /// The open windows.
    pub windows: Arc<Windows>,
    /// Handles to the metrics.
    pub metrics: Metrics,
}

/// A sink and what it is for.
pub struct SinkPlan {
    /// The destination.
    pub sink: Box<dyn Sink>,
    /// How it wants final rows; `None`: not at all.
    pub rows: Option<Spread>,
    /// Whether it keeps late and rejected records.
    pub keeps_quarantined: bool,
}

impl Job {
    /// A job of `workers` workers over inputs of these names, in the order of their partitions.
    #[must_use]
    pub fn new(workers: usize, input_names: impl IntoIterator<Item = String>) -> Self {
        Job {
            control: Arc::new(Control::new(workers)),
            partitions: Arc::new(Partitions::new(input_names)),
            windows: Arc::default(),
            metrics: Metrics::default(),
        }
    }

    /// The metrics of the job, to be encoded at each scrape.
    #[must_use]
    pub fn registry(&self) -> Registry {
        let Job { control, partitions, windows, metrics } = self.clone();
        metrics.registry(partitions, windows, control)
    }

    /// Runs until the input ends, [`Control::stop`] is called, or something fails. `readers` stand in the order of
    /// their partitions. Outputs are completed unless the job has failed.
    ///
    /// # Errors
    /// The first failure of a source, a sink or a worker.
    pub fn run<R: PartitionReader>(
        &self,
        readers: Vec<R>,
        settings: SourceSettings,
        sinks: Vec<SinkPlan>,
    ) -> Result<(), Error> {
        let mut threads = Vec::new();
        let mut row_sinks = Vec::new();
        let mut quarantine_sinks = Vec::new();
        for SinkPlan { sink, rows, keeps_quarantined } in sinks {
            let (thread, handle) = SinkThread::spawn(sink, &self.control)?;
            threads.push(thread);
            row_sinks.extend(rows.map(|spread| (handle.clone(), spread)));
            quarantine_sinks.extend(keeps_quarantined.then_some(handle));
        }
        let plan = Plan {
            job: self.clone(),
            readers: Mutex::new(spread_over_workers(readers, self.control.workers())),
            settings,
            row_sinks,
            quarantine_sinks,
        };
        let config = timely::Config::process(self.control.workers());
        let workers = timely::execute(config, move |worker| plan.run_worker(worker))
            .map_err(|error| Error::Internal(format!("cannot start the workers: {error}")))?;
        for ended in workers.join() {
            if let Err(panic) = ended {
                self.control.fail(Error::Internal(format!("a worker panicked: {panic}; please report it")));
            }
        }
        self.complete(threads)
    }

    fn complete(&self, threads: Vec<SinkThread>) -> Result<(), Error> {
        if let Some(failure) = self.control.failure() {
            threads.into_iter().for_each(|thread| thread.abandon(PATIENCE_WITH_SINKS));
            return Err(failure.clone());
        }
        let sinks: Vec<_> = threads.into_iter().map(SinkThread::join).collect::<Result<_, _>>()?;
        match self.control.failure() {
            Some(failure) => Err(failure.clone()),
            None => sinks.into_iter().try_for_each(Sink::finish),
        }
    }
}

/// What every worker builds its part of the dataflow from.
struct Plan<R> {
    job: Job,
    readers: Mutex<Vec<Vec<(PartitionId, R)>>>,
    settings: SourceSettings,
    row_sinks: Vec<(SinkHandle, Spread)>,
    quarantine_sinks: Vec<SinkHandle>,
}

impl<R: PartitionReader> Plan<R> {
    fn run_worker(&self, worker: &mut Worker) {
        let control = &self.job.control;
        let _guard = PanicGuard(Arc::clone(control));
        let progress = self.build(worker);
        let mut acknowledged = first_unacknowledged(&progress);
        let mut last_woken = Instant::now();
        while !progress.done() && !control.may_leave(acknowledged) {
            worker.step_or_park(Some(LONGEST_PARK));
            let now = first_unacknowledged(&progress);
            if now != acknowledged || last_woken.elapsed() >= LONGEST_PARK {
                (acknowledged, last_woken) = (now, Instant::now());
                control.wake(worker.index());
            }
        }
        // A stopped job leaves open windows behind, and with them a dataflow that would wait for their ends.
        for dataflow in worker.installed_dataflows() {
            worker.drop_dataflow(dataflow);
        }
    }

    /// The whole dataflow, as the data flows. Returns the progress of what all sinks have acknowledged.
    fn build(&self, worker: &mut Worker) -> Handle<Time> {
        let Job { control, partitions, windows, metrics } = &self.job;
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        let readers = std::mem::take(&mut readers[worker.index()]);
        let progress = Handle::new();
        worker.dataflow::<Time, _, _>(|scope| {
            let acknowledged = progress.clone();
            let acknowledged = move || first_unacknowledged(&acknowledged);
            let keeps_quarantined = !self.quarantine_sinks.is_empty();
            let Sources { blocks, quarantined } = source(
                scope,
                readers,
                &self.settings,
                keeps_quarantined,
                Arc::clone(control),
                Arc::clone(partitions),
                acknowledged,
            );
            let increments =
                distinct(blocks, Arc::clone(control), Arc::clone(partitions), Arc::clone(windows), metrics);
            let viewers = increments.as_collection();
            let counts = views::unique_users(viewers);
            for (sink, spread) in &self.row_sinks {
                write_rows(counts.inner.clone(), sink.clone(), *spread).probe_with(&progress);
            }
            write_quarantined(quarantined, self.quarantine_sinks.clone(), Arc::clone(control)).probe_with(&progress);
        });
        progress
    }
}

/// The first window whose rows are not known to be durable in every sink.
fn first_unacknowledged(progress: &Handle<Time>) -> Time {
    progress.with_frontier(|frontier| frontier.first().copied().unwrap_or(Time::MAX))
}

/// Partition p belongs to worker p mod W.
fn spread_over_workers<R>(readers: Vec<R>, workers: usize) -> Vec<Vec<(PartitionId, R)>> {
    let mut by_worker: Vec<Vec<_>> = (0..workers).map(|_| Vec::new()).collect();
    for (id, reader) in (0_u32..).zip(readers) {
        by_worker[id as usize % workers].push((PartitionId(id), reader));
    }
    by_worker
}

/// A worker that panics takes the job down: the others would wait for it for ever.
struct PanicGuard(Arc<Control>);

impl Drop for PanicGuard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail(Error::Internal("a worker panicked; please report it with the message above".to_owned()));
        }
    }
}
