//! The commands: from flags to a job that runs, and to the words with which it ends.

use std::net::SocketAddr;
use std::pin::Pin;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::args::{AllIdle, DemoArgs, JobArgs, LiveArgs, ReplayArgs, RunArgs, SinkSpec, SourceSpec};
use super::progress::Display;
use super::{demo as demo_stream, logging, resume, sinks, sources, stalls, summary};
use crate::admin;
use crate::cluster::{self, Hello, Members};
use crate::control::Control;
use crate::error::Error;
use crate::job::{Job, LivePlan, Plan, SinkPlan};
use crate::live::LiveSettings;
use crate::output::Output;
use crate::partitions::OnAllIdle;
use crate::sink::dynamodb::WriteMode;
use crate::sink::operator::Spread;
use crate::sink::table::TableSink;
use crate::source::Reader;
use crate::source::operator::SourceSettings;

/// How long an interrupted job may take to finish what it has read.
const DRAIN_LIMIT: Duration = Duration::from_millis(1_500);
/// How long the last commit of an interrupted job may take.
const COMMIT_LIMIT: Duration = Duration::from_secs(10);
/// The exit code by convention of a program that SIGINT ended.
pub(super) const INTERRUPTED: i32 = 130;

/// What stops a job that would go on.
pub(super) enum Stop {
    /// SIGINT and SIGTERM, which are this program's own.
    AtSignals,
    /// The program that the job is a part of.
    When(Host),
}

/// The program that a job is a part of.
pub(super) struct Host {
    /// Done when the job is to end.
    pub(super) stop: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// Is told where the metrics are.
    pub(super) tell_admin_addr: Box<dyn FnOnce(SocketAddr) + Send>,
}

/// `dataflow run`.
pub(super) fn run(args: &RunArgs, stop: Stop) -> Result<(), Error> {
    let launch = Launch {
        verb: "counted",
        is_bounded: args.job.source != SourceSpec::Kafka,
        on_interrupt: OnInterrupt::Drain,
        mode: None,
        admin_addr: args.admin_addr.0,
        members: args.cluster.members()?,
        run: Some(args),
    };
    launch.start(&args.job, stop)
}

/// `dataflow replay`.
pub(super) fn replay(args: &ReplayArgs) -> Result<(), Error> {
    let launch = Launch {
        verb: "replayed",
        is_bounded: true,
        on_interrupt: OnInterrupt::GiveUp,
        mode: Some(WriteMode::Replay { overwrite: args.overwrite }),
        admin_addr: args.admin_addr.0,
        members: Members::alone(),
        run: None,
    };
    launch.start(&args.job, Stop::AtSignals)
}

/// `dataflow demo`.
pub(super) fn demo(args: &DemoArgs) -> Result<(), Error> {
    let runtime = runtime()?;
    let inputs = demo_stream::inputs(args)?;
    let job = Job::new(inputs.len(), inputs.iter().map(|input| input.name.clone()));
    let sink = Box::new(TableSink::new(Output::stdout(), job.metrics.sink("stdout")));
    let plan = SinkPlan { sink, rows: Some(Spread::OneWriter), keeps_quarantined: false };
    logging::note(&demo_stream::introduction(args));
    let started = Instant::now();
    watch_signals(&runtime, &job, OnInterrupt::Drain)?;
    let readers = inputs.into_iter().map(|input| input.reader).collect();
    job.run::<Reader>(readers, SourceSettings::default(), vec![plan])?;
    let context = summary::Context { verb: "counted", rejects: None, late: None, elapsed: started.elapsed() };
    if !logging::is_json() {
        // Apart from the last table.
        logging::say("\n");
    }
    summary::say(&job, &context);
    Ok(())
}

/// What an interrupt (Ctrl-C, SIGTERM) means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OnInterrupt {
    /// Finish what has been read, then end well.
    Drain,
    /// An incomplete replay is no result: write nothing.
    GiveUp,
}

/// How a command runs the job.
struct Launch<'a> {
    verb: &'static str,
    is_bounded: bool,
    on_interrupt: OnInterrupt,
    /// As whom DynamoDB is written to; none: as a job that has an epoch.
    mode: Option<WriteMode>,
    admin_addr: Option<SocketAddr>,
    members: Members,
    /// What `run` has beyond what it has in common with `replay`.
    run: Option<&'a RunArgs>,
}

impl Launch<'_> {
    fn start(&self, args: &JobArgs, stop: Stop) -> Result<(), Error> {
        let started = Instant::now();
        // A part of another program leaves what is said to that.
        let is_program = matches!(stop, Stop::AtSignals);
        sinks::check(args)?;
        if let Some(run) = self.run {
            resume::check(run, &self.members)?;
        }
        let runtime = runtime()?;
        let is_first = self.members.process == 0;
        // In whichever process comes first: all look the topics up.
        sinks::create_topics(args)?;
        let source = sources::open(args, self.is_bounded)?;
        sinks::check_against_inputs(args, &source.names)?;
        let settings = self.source_settings(args);
        let workers = sources::workers(args);
        let control = Control::of_process(self.members.process, self.members.count(), workers);
        let job = Job::of_process(control, source.names.iter().cloned(), self.on_all_idle(&settings));
        let resume_plan = match self.run {
            Some(run) if !self.is_bounded => Some(resume::plan(run, &settings.rules, &job.metrics)?),
            _ => None,
        };
        if resume_plan.is_some() {
            job.control.set_resumable();
        }
        let in_transactions = resume_plan.as_ref().is_some_and(|plan| plan.home.takes_output());
        let sinks = sinks::open(args, self.mode, is_first, in_transactions, &job, runtime.handle())?;
        // From the moment that there are files to take back.
        let mut tell_admin_addr = None;
        match stop {
            Stop::AtSignals => watch_signals(&runtime, &job, self.on_interrupt)?,
            Stop::When(host) => {
                tell_admin_addr = Some(host.tell_admin_addr);
                stop_when(&runtime, &job, host.stop);
            }
        }
        if let Some(address) = self.admin_addr {
            let bound = runtime.block_on(admin::serve(address, &job))?;
            tracing::info!("version {}, metrics at http://{bound}/metrics", env!("CARGO_PKG_VERSION"));
            if let Some(tell) = tell_admin_addr {
                tell(bound);
            }
        }
        if !self.is_bounded && is_first {
            stalls::report(&runtime, &job);
        }
        let hello = Hello::new(workers, resume::settings_in_common(args, self.run, &source.names));
        let Some(links) = cluster::connect(&self.members, &hello, &job.control)? else { return Ok(()) };
        // Rows and the display would run into each other on one terminal.
        let display =
            (is_program && is_first && !sinks::write_to_terminal(args)).then(|| Display::start(&job, source.extent));
        let plan = Plan {
            source: settings,
            keeps_quarantined: sinks::keep_quarantined(args),
            sinks,
            resume: resume_plan,
            live: self.run.filter(|_| !self.is_bounded).and_then(live_plan),
            links,
            started,
        };
        let result = job.run_plan(source.partitions, plan);
        drop(display);
        if !is_program {
            return result.and_then(|()| check_totals(&job, args.strict));
        }
        if !is_first {
            // The first process speaks for all.
            return result;
        }
        let (rejects, late) = sinks::places_of_quarantine(args);
        let context = summary::Context { verb: self.verb, rejects, late, elapsed: started.elapsed() };
        if let Err(error) = result {
            // A failed job says how far it came, and no more: its totals need not balance, and nothing is kept.
            summary::say_stopped(&job, &context);
            return Err(error);
        }
        summary::say(&job, &context);
        check_totals(&job, args.strict)
    }

    fn source_settings(&self, args: &JobArgs) -> SourceSettings {
        let window = Duration::from_millis(schemas::Window::MILLIS.unsigned_abs());
        let idle_timeout = self.run.filter(|_| !self.is_bounded).map(|run| run.idle.idle_timeout);
        SourceSettings {
            rules: args.rules.rules(&args.source),
            idle_timeout: idle_timeout.filter(|timeout| !timeout.is_zero()),
            max_partition_skew: (args.max_partition_skew > 0).then(|| window * args.max_partition_skew),
            is_unbounded: !self.is_bounded,
        }
    }

    fn on_all_idle(&self, settings: &SourceSettings) -> OnAllIdle {
        match (self.run.map(|run| run.idle.on_all_idle), settings.idle_timeout) {
            (Some(AllIdle::Advance), Some(timeout)) => {
                OnAllIdle::Advance { behind: settings.rules.out_of_orderness + timeout }
            }
            _ => OnAllIdle::Freeze,
        }
    }
}

fn live_plan(run: &RunArgs) -> Option<LivePlan> {
    let LiveArgs { live_interval, live_max_rows, live_store_interval } = run.live;
    let takes_live = |sink: &SinkSpec| matches!(sink, SinkSpec::Kafka | SinkSpec::DynamoDb);
    if live_interval.is_zero() || live_max_rows == 0 || !run.job.sinks.iter().any(takes_live) {
        return None;
    }
    Some(LivePlan {
        rows: LiveSettings { interval: live_interval, max_rows: live_max_rows },
        store_interval: Some(live_store_interval).filter(|interval| !interval.is_zero()),
    })
}

fn check_totals(job: &Job, is_strict: bool) -> Result<(), Error> {
    let totals = job.partitions.totals();
    if !totals.balances() {
        return Err(Error::Internal(format!(
            "the records do not balance: received {} but counted {} + late {} + rejected {} + filtered {}; please report it",
            totals.received,
            totals.counted,
            totals.late,
            totals.all_rejected(),
            totals.filtered
        )));
    }
    if is_strict && totals.all_rejected() > 0 {
        let rejected = totals.all_rejected();
        let records = summary::plural(rejected, "record");
        let were = if rejected == 1 { "was" } else { "were" };
        return Err(Error::BadData(format!("{records} {were} rejected, and --strict allows none")));
    }
    Ok(())
}

pub(super) fn runtime() -> Result<Runtime, Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.map_err(|error| Error::Internal(format!("cannot start the runtime: {error}")))
}

/// Ends the job on the first interrupt, and the program at once on the second.
fn watch_signals(runtime: &Runtime, job: &Job, on_interrupt: OnInterrupt) -> Result<(), Error> {
    let _guard = runtime.enter();
    let unusable = |error| Error::Internal(format!("cannot handle signals: {error}"));
    let mut interrupt = signal(SignalKind::interrupt()).map_err(unusable)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(unusable)?;
    let job = job.clone();
    runtime.spawn(async move {
        next(&mut interrupt, &mut terminate).await;
        match on_interrupt {
            OnInterrupt::GiveUp => job.control.fail(Error::Interrupted),
            OnInterrupt::Drain => job.control.stop(),
        }
        tokio::select! {
            () = next(&mut interrupt, &mut terminate) => std::process::exit(INTERRUPTED),
            () = give_up_in_time(&job) => {}
        }
        next(&mut interrupt, &mut terminate).await;
        std::process::exit(INTERRUPTED);
    });
    Ok(())
}

/// Ends the job when `stop` is done.
fn stop_when(runtime: &Runtime, job: &Job, stop: Pin<Box<dyn Future<Output = ()> + Send>>) {
    let job = job.clone();
    runtime.spawn(async move {
        stop.await;
        job.control.stop();
        give_up_in_time(&job).await;
    });
}

/// Fails a job that does not end.
async fn give_up_in_time(job: &Job) {
    tokio::time::sleep(drain_limit(job)).await;
    job.control.fail(Error::Unavailable(
        "stopped before every sink had acknowledged what was read; start again to write it once more".to_owned(),
    ));
}

fn drain_limit(job: &Job) -> Duration {
    if job.control.is_resumable() { COMMIT_LIMIT } else { DRAIN_LIMIT }
}

/// Waits for SIGINT or SIGTERM.
pub(super) async fn next(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
