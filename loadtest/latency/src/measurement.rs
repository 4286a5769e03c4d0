//! One setting: topics, job, generator and reader of its own, and what became of it.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use kit::Trouble;
use kit::broker::Broker;
use kit::dynamo::Dynamo;
use kit::generator::{Generator, START, Shape};
use kit::http_proxy::HttpProxy;
use kit::job::{Job, Names, OUT_OF_ORDERNESS_MILLIS, Plan};
use kit::processes;
use schemas::{EventTime, Window};
use serde::Serialize;
use tokio::runtime::Handle;

use crate::args::{Args, Sinks};
use crate::arrivals::Arrivals;
use crate::figures::{self, Latencies};
use crate::machine::{Load, Watch};
use crate::rows::RowReader;
use crate::store::Store;

const LISTEN: Duration = Duration::from_millis(100);
/// How long a start, an end, and what is left when the generator has ended may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// When no final row has come for so long, all have.
const QUIET: Duration = Duration::from_secs(3);
/// Event time beyond what closes the last window, so that every partition passes it.
const MARGIN_MILLIS: i64 = 5_000;

/// What is measured.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Setting {
    /// Events per second on the wall.
    pub(crate) rate: u64,
    /// Where rows go.
    pub(crate) sinks: Sinks,
}

/// What came out.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Outcome {
    /// What was measured.
    pub(crate) setting: Setting,
    /// The figures.
    pub(crate) latencies: Latencies,
    /// How busy the machine was.
    pub(crate) load: Load,
    /// How many events there were.
    pub(crate) events: u64,
    /// What is wrong with rows; then the figures mean nothing.
    pub(crate) findings: Vec<String>,
}

/// What all settings share.
pub(crate) struct Bench<'a> {
    /// The command line.
    pub(crate) args: &'a Args,
    /// Kafka.
    pub(crate) broker: &'a Broker,
    /// What the store and its proxy run on.
    pub(crate) runtime: &'a Handle,
    /// Where logs go.
    pub(crate) folder: &'a Path,
}

/// A job that does not outlive the measurement.
struct Running(Job);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.signal("KILL");
    }
}

impl Bench<'_> {
    /// Measures a setting.
    pub(crate) fn measure(&self, setting: Setting) -> Result<Outcome, Trouble> {
        let Args { windows, warm_up, partitions, .. } = *self.args;
        let sinks = if setting.sinks == Sinks::Kafka { "kafka" } else { "dynamodb" };
        let names = Names::of(&format!("{sinks}-{}", setting.rate));
        // An event arrives when the broker appends it.
        self.broker.create_topic(&names.raw, partitions, &[("message.timestamp.type", "LogAppendTime")])?;
        let outputs = [&names.results, &names.late, &names.rejected].map(|name| (name.as_str(), partitions));
        self.broker.create_topics(&outputs)?;

        let store = Store::default();
        let rows = RowReader::start(self.broker, &names.results, partitions, self.args.fetch_wait)?;
        let mut job = self.start_job(setting, &names, &store)?;
        let watch = Watch::start(job.0.pid, self.broker.pid()?)?;
        let first = Window::of(EventTime::parse(START.as_bytes()).map_err(|_| "the generator's start is no time")?);
        let generator = self.start_generator(setting, &names)?;
        let end = first.ordinal() + warm_up + windows;
        wait_until_written(generator, &mut job.0, &rows, Window::from_ordinal(end - 1))?;
        let load = watch.end()?;
        processes::signal(job.0.pid, "TERM");
        match job.0.wait(PATIENCE) {
            Some(status) if status.success() => {}
            ended => return Err(format!("the job did not end in order ({ended:?}): {}", job.0.last_line).into()),
        }
        let (rows, stored) = (rows.stop()?, store.take());
        let stored = (setting.sinks == Sinks::KafkaAndDynamodb).then_some(&stored);

        eprintln!("latency: reading the events");
        let arrivals = Arrivals::read(self.broker, &names.raw, partitions, first)?;
        self.broker.delete_topics(&[&names.raw, &names.results, &names.late, &names.rejected])?;
        let measured: BTreeSet<Window> = (first.ordinal() + warm_up..end).map(Window::from_ordinal).collect();
        let (latencies, findings) = figures::work_out(&measured, &arrivals, &rows, stored);
        Ok(Outcome { setting, latencies, load, events: arrivals.events, findings })
    }

    /// Starts the job, and waits until it is ready.
    fn start_job(&self, setting: Setting, names: &Names, store: &Store) -> Result<Running, Trouble> {
        let dynamo = Dynamo::start(self.runtime.clone())?;
        let proxy = HttpProxy::start_with(dynamo.address, self.args.seed, self.runtime, store.witness())?;
        let plan = Plan {
            program: self.args.dataflow.clone(),
            bootstrap: self.broker.bootstrap.clone(),
            store: proxy.address,
            names: names.clone(),
            workers: self.args.workers,
            processes: 1,
            has_table: setting.sinks == Sinks::KafkaAndDynamodb,
            max_partition_skew: None,
            lateness_minutes: 0,
            idle_timeout: "10m",
            properties: Vec::new(),
            recovers: true,
            flags: self.args.flags.clone(),
        };
        let mut job = Running(Job::start(&plan, &self.folder.join(format!("{}.log", names.scenario)))?);
        let deadline = Instant::now() + PATIENCE;
        while job.0.epoch == 0 {
            job.0.listen(LISTEN);
            if job.0.exit.is_some() || Instant::now() >= deadline {
                return Err(format!("the job does not get ready: {}", job.0.last_line).into());
            }
        }
        Ok(job)
    }

    fn start_generator(&self, setting: Setting, names: &Names) -> Result<Generator, Trouble> {
        let windows = i64::from(self.args.warm_up + self.args.windows);
        let event_millis = windows * Window::MILLIS + OUT_OF_ORDERNESS_MILLIS + MARGIN_MILLIS;
        let shape = Shape {
            seconds: event_millis.cast_unsigned().div_ceil(self.args.speed * 1000),
            rate: setting.rate,
            speed: self.args.speed,
            partitions: self.args.partitions,
            products: self.args.products,
            users: self.args.users,
            odd_share: 0.0,
            // What must come out is worked out from the topic afterwards.
            has_key: false,
            ..Shape::default()
        };
        let Args { dataflow, seed, .. } = self.args;
        Generator::start(dataflow, shape, *seed, &self.broker.bootstrap, &names.raw, self.folder)
    }
}

/// Waits until the generator has ended, and every final row up to the last window has come.
fn wait_until_written(mut generator: Generator, job: &mut Job, rows: &RowReader, last: Window) -> Result<(), Trouble> {
    let limit = Instant::now() + Duration::from_secs(generator.shape.seconds) + PATIENCE;
    let (mut has_ended, mut finals, mut since) = (false, 0, Instant::now());
    while !(has_ended && rows.last_closed() >= last && since.elapsed() >= QUIET) {
        job.listen(LISTEN);
        if job.exit.is_some() {
            return Err(format!("the job has ended: {}", job.last_line).into());
        }
        if rows.has_ended() {
            return Err("the reader of rows has failed".into());
        }
        if Instant::now() >= limit {
            return Err(format!("window {last} is not closed in time; the last one is {}", rows.last_closed()).into());
        }
        if !has_ended && generator.ended()?.is_some() {
            generator.expect_success()?;
            has_ended = true;
        }
        if rows.finals() != finals {
            (finals, since) = (rows.finals(), Instant::now());
        }
    }
    Ok(())
}
