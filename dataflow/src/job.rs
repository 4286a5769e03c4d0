//! The job: source, distinct, views and sinks, wired into one dataflow on every worker.

mod outputs;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use differential_dataflow::AsCollection;
use prometheus_client::registry::Registry;
use timely::dataflow::operators::Probe;
use timely::dataflow::operators::probe::Handle;
use timely::dataflow::operators::vec::ToStream;
use timely::worker::Worker;

use self::outputs::{Outputs, Prepared};
use crate::cluster::news::{share_news, tell_that_it_is_over};
use crate::cluster::{self, Links};
use crate::commit::begin::Start;
use crate::commit::home::Home;
use crate::commit::ledger::Identity;
use crate::commit::operator::commit;
use crate::control::Control;
use crate::distinct::{Distinct, DistinctSettings, Time, distinct};
use crate::error::Error;
use crate::live::{LiveCount, LiveSettings, live_rows};
use crate::metrics::Metrics;
use crate::partitions::{OnAllIdle, Partitions};
use crate::record::PartitionId;
use crate::sink::Sink;
use crate::sink::operator::{Spread, write_live, write_rows};
use crate::source::operator::{Shared, SourceSettings, Sources, source};
use crate::source::{Arrivals, Inputs, Opened, PartitionReader, Ready, Watched};
use crate::views;
use crate::windows::Windows;

/// How long a worker sleeps at most: the source then looks after the connection to its broker.
const LONGEST_PARK: Duration = Duration::from_secs(1);

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

/// Where a job keeps its resume records, and what they are made of.
pub struct ResumePlan {
    /// Where they live.
    pub home: Box<dyn Home>,
    /// What is the same in all of them.
    pub identity: Identity,
    /// How long output may wait for its commit.
    pub interval: Duration,
}

/// How counts of open windows are told.
#[derive(Clone, Copy, Debug)]
pub struct LivePlan {
    /// To sinks with one writer.
    pub rows: LiveSettings,
    /// How often to sinks that every worker writes to; `None`: not at all.
    pub store_interval: Option<Duration>,
}

/// All that makes a job, beside its input.
pub struct Plan {
    /// The rules of time and the limits of reading.
    pub source: SourceSettings,
    /// Where results go.
    pub sinks: Vec<SinkPlan>,
    /// Whether late and rejected records are kept, or only counted; in whichever process.
    pub keeps_quarantined: bool,
    /// Where a restart goes on; `None`: it begins anew.
    pub resume: Option<ResumePlan>,
    /// Whether counts of open windows are told.
    pub live: Option<LivePlan>,
    /// The connections to the other processes.
    pub links: Links,
    /// When the program was started, to tell how long it took to recover.
    pub started: Instant,
}

impl Plan {
    /// A job of one process without resume records and live counts.
    #[must_use]
    pub fn new(source: SourceSettings, sinks: Vec<SinkPlan>) -> Self {
        let keeps_quarantined = sinks.iter().any(|sink| sink.keeps_quarantined);
        Plan {
            source,
            sinks,
            keeps_quarantined,
            resume: None,
            live: None,
            links: Links::none(),
            started: Instant::now(),
        }
    }
}

impl Job {
    /// A job of `workers` workers over inputs of these names, in the order of their partitions.
    #[must_use]
    pub fn new(workers: usize, input_names: impl IntoIterator<Item = String>) -> Self {
        Self::of_process(Control::new(workers), input_names, OnAllIdle::Freeze)
    }

    /// A process of a job over inputs of these names, which may be idle.
    #[must_use]
    pub fn of_process(control: Control, input_names: impl IntoIterator<Item = String>, on_all_idle: OnAllIdle) -> Self {
        Job {
            control: Arc::new(control),
            partitions: Arc::new(Partitions::with_idle_rule(input_names, on_all_idle)),
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

    /// Runs over `readers`, which stand in the order of their partitions.
    ///
    /// # Errors
    /// As [`run_plan`](Self::run_plan).
    pub fn run<R: PartitionReader>(
        &self,
        readers: Vec<R>,
        settings: SourceSettings,
        sinks: Vec<SinkPlan>,
    ) -> Result<(), Error> {
        self.run_plan(Ready::new(readers), Plan::new(settings, sinks))
    }

    /// Runs until the input ends, [`Control::stop`] is called, or something fails. Outputs are completed unless the job
    /// has failed.
    ///
    /// # Errors
    /// The first failure of a source, a sink or a worker.
    pub fn run_plan<I: Inputs>(&self, inputs: I, plan: Plan) -> Result<(), Error> {
        let Plan { source, sinks, keeps_quarantined, resume, live, links, started } = plan;
        if resume.is_some() {
            self.control.set_resumable();
        }
        let process = Arc::new(Process {
            job: self.clone(),
            inputs,
            arrivals: Arrivals::new(self.control.workers()),
            settings: source,
            keeps_quarantined,
            sends_markers: self.control.is_resumable(),
            live,
            started,
            outputs: Mutex::new(Outputs::new(sinks, resume)),
            prepared: Mutex::default(),
        });
        let running = Arc::clone(&process);
        let control = Arc::clone(&self.control);
        let workers = cluster::start(links, self.control.local().len(), &self.control, move |worker| {
            if let Err(error) = running.run_worker(worker) {
                control.fail(error);
            }
        })?;
        workers.join();
        // Its handles keep the sinks waiting for more.
        process.prepared().take();
        let outputs = std::mem::take(&mut *process.outputs());
        outputs.complete(&self.control)
    }
}

/// What the workers of this process share while the job runs.
struct Process<I: Inputs> {
    job: Job,
    inputs: I,
    arrivals: Arrivals<I::Reader>,
    settings: SourceSettings,
    keeps_quarantined: bool,
    sends_markers: bool,
    live: Option<LivePlan>,
    started: Instant,
    outputs: Mutex<Outputs>,
    prepared: Mutex<Option<Result<Prepared, Error>>>,
}

impl<I: Inputs> Process<I> {
    fn run_worker(&self, worker: &mut Worker) -> Result<(), Error> {
        let control = &self.job.control;
        let Some(start) = cluster::agree(worker, control, || self.lead())? else { return Ok(()) };
        let prepared = self.prepared().get_or_insert_with(|| self.prepare(&start)).clone()?;
        let opened = self.open(worker, &start)?;
        share_news(worker, control, &self.job.partitions);
        let progress = self.build(worker, opened, prepared, &start);
        let mut acknowledged = first_unacknowledged(&progress);
        let mut last_woken = Instant::now();
        while !progress.done() && !control.may_leave(acknowledged) {
            worker.step_or_park(Some(LONGEST_PARK));
            let now = first_unacknowledged(&progress);
            if now != acknowledged || last_woken.elapsed() >= LONGEST_PARK {
                (acknowledged, last_woken) = (now, Instant::now());
                control.wake(worker.index());
                control.nudge();
            }
        }
        if !progress.done() {
            tell_that_it_is_over(worker, control);
        }
        Ok(())
    }

    fn prepared(&self) -> MutexGuard<'_, Option<Result<Prepared, Error>>> {
        self.prepared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn outputs(&self) -> MutexGuard<'_, Outputs> {
        self.outputs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Finds out, once for all workers of all processes, where the job begins.
    fn lead(&self) -> Result<Start, Error> {
        self.outputs().begin(|| self.inputs.beginnings(self.job.partitions.len()))
    }

    /// Readies this process for the start that was agreed on.
    fn prepare(&self, start: &Start) -> Result<Prepared, Error> {
        let Job { control, partitions, .. } = &self.job;
        for (id, _) in (0..).map(PartitionId).zip(&start.partitions) {
            partitions.ensure(id, &self.inputs.name(id));
        }
        control.set_committed(start.first_open);
        let prepared = self.outputs().ready(start, &self.job, self.started)?;
        self.inputs.watch(Watched {
            partitions: Arc::clone(partitions),
            arrivals: self.arrivals.clone(),
            control: Arc::clone(control),
        })?;
        Ok(prepared)
    }

    /// Opens the partitions of a worker: p belongs to worker p mod W.
    fn open(&self, worker: &Worker, start: &Start) -> Result<Vec<Opened<I::Reader>>, Error> {
        let begins = (0..).map(PartitionId).zip(start.partitions.iter().cloned());
        self.inputs.open(begins.filter(|(id, _)| id.0 as usize % worker.peers() == worker.index()).collect())
    }

    /// The whole dataflow, as the data flows. Returns the progress of what all sinks have acknowledged.
    fn build(
        &self,
        worker: &mut Worker,
        opened: Vec<Opened<I::Reader>>,
        prepared: Prepared,
        start: &Start,
    ) -> Handle<Time> {
        let Job { control, partitions, windows, metrics } = &self.job;
        let progress = Handle::new();
        let acknowledged = progress.clone();
        let shared = Shared {
            control: Arc::clone(control),
            partitions: Arc::clone(partitions),
            closed_through: start.closed_through(),
            keeps_quarantined: self.keeps_quarantined,
            sends_markers: self.sends_markers,
        };
        let distinct_settings = DistinctSettings {
            horizon_windows: self.settings.rules.horizon_windows(),
            live_interval: self.live.map(|live| live.rows.interval / 4),
        };
        worker.dataflow::<Time, _, _>(|scope| {
            let acknowledged = move || first_unacknowledged(&acknowledged);
            let Sources { blocks, quarantined } =
                source(scope, opened, self.arrivals.clone(), &self.settings, shared, acknowledged);
            let Distinct { increments, live } =
                distinct(blocks, distinct_settings, Arc::clone(control), Arc::clone(windows), metrics);
            let counts = views::unique_users(increments.as_collection(), distinct_settings.horizon_windows).inner;
            let live = match self.live {
                Some(plan) => live_rows(live, plan.rows, Arc::clone(partitions)),
                None => None::<LiveCount>.to_stream(scope),
            };
            let mut acknowledged = Vec::new();
            for sink in prepared.row_sinks {
                let written = write_rows(counts.clone(), sink.clone(), start.first_open);
                acknowledged.push(written.probe_with(&progress));
                if let Some(settings) = self.live.and_then(LivePlan::store) {
                    write_live(live.clone(), &sink, settings);
                }
            }
            let committer = prepared.committer;
            let control = Arc::clone(control);
            commit(counts, quarantined, live, acknowledged, committer, start.first_open, control).probe_with(&progress);
        });
        progress
    }
}

impl LivePlan {
    /// How they are told to sinks that every worker writes to.
    fn store(self) -> Option<LiveSettings> {
        Some(LiveSettings { interval: self.store_interval?, ..self.rows })
    }
}

/// The first window whose rows are not known to be durable in every sink.
fn first_unacknowledged(progress: &Handle<Time>) -> Time {
    progress.with_frontier(|frontier| frontier.first().copied().unwrap_or(Time::MAX))
}
