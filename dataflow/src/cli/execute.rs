//! The commands: from flags to a job that runs, and to the words with which it ends.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::args::{DemoArgs, JobArgs, ReplayArgs, RunArgs, SourceSpec};
use super::progress::Display;
use super::{demo as demo_stream, logging, sinks, sources, stalls, summary};
use crate::admin;
use crate::classify::Rules;
use crate::error::Error;
use crate::job::{Job, SinkPlan};
use crate::output::Output;
use crate::sink::dynamodb::WriteMode;
use crate::sink::operator::Spread;
use crate::sink::table::TableSink;
use crate::source::operator::SourceSettings;
use crate::source::{Extent, Input};

/// The epoch of a job that keeps no record of its epochs: every start writes the same rows.
const ONLY_EPOCH: u64 = 1;
/// How far a Kafka record's event may be dated after the record.
const DEFAULT_MAX_FUTURE_SKEW: Duration = Duration::from_secs(5 * 60);
/// How long an interrupted job may take to finish what it has read.
const DRAIN_LIMIT: Duration = Duration::from_millis(1_500);
/// The exit code by convention of a program that SIGINT ended.
pub(super) const INTERRUPTED: i32 = 130;

/// `dataflow run`.
pub(super) fn run(args: &RunArgs) -> Result<(), Error> {
    let is_kafka = args.job.source == SourceSpec::Kafka;
    let launch = Launch {
        verb: "counted",
        is_bounded: !is_kafka,
        on_interrupt: OnInterrupt::Drain,
        mode: WriteMode::Job { epoch: ONLY_EPOCH },
        admin_addr: args.admin_addr.0,
    };
    if is_kafka {
        tracing::info!(
            "reading topic {} from its beginning: this version keeps no record of how far it was",
            args.job.topics.input_topic
        );
    }
    launch.start(&args.job)
}

/// `dataflow replay`.
pub(super) fn replay(args: &ReplayArgs) -> Result<(), Error> {
    let launch = Launch {
        verb: "replayed",
        is_bounded: true,
        on_interrupt: OnInterrupt::GiveUp,
        mode: WriteMode::Replay { overwrite: args.overwrite },
        admin_addr: args.admin_addr.0,
    };
    launch.start(&args.job)
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
    drive(&job, inputs, SourceSettings::default(), vec![plan])?;
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
struct Launch {
    verb: &'static str,
    is_bounded: bool,
    on_interrupt: OnInterrupt,
    mode: WriteMode,
    admin_addr: Option<SocketAddr>,
}

impl Launch {
    fn start(&self, args: &JobArgs) -> Result<(), Error> {
        let started = Instant::now();
        sinks::check(args)?;
        let runtime = runtime()?;
        sinks::create_topics(args)?;
        let inputs = sources::open(args, self.is_bounded)?;
        sinks::check_against_inputs(args, &inputs)?;
        let job = Job::new(sources::workers(args), inputs.iter().map(|input| input.name.clone()));
        let plans = sinks::open(args, self.mode, &job.metrics, runtime.handle())?;
        // From the moment that there are files to take back.
        watch_signals(&runtime, &job, self.on_interrupt)?;
        if let Some(address) = self.admin_addr {
            let bound = runtime.block_on(admin::serve(address, &job))?;
            tracing::info!("version {}, metrics at http://{bound}/metrics", env!("CARGO_PKG_VERSION"));
        }
        if !self.is_bounded {
            stalls::report(&runtime, &job);
        }
        // Rows and the display would run into each other on one terminal.
        let display = (!sinks::write_to_terminal(args)).then(|| Display::start(&job, total_extent(&inputs)));
        let result = drive(&job, inputs, source_settings(args, self.is_bounded), plans);
        drop(display);
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
}

fn drive(job: &Job, inputs: Vec<Input>, settings: SourceSettings, plans: Vec<SinkPlan>) -> Result<(), Error> {
    job.run(inputs.into_iter().map(|input| input.reader).collect(), settings, plans)
}

fn source_settings(args: &JobArgs, is_bounded: bool) -> SourceSettings {
    let default_skew = (args.source == SourceSpec::Kafka).then_some(DEFAULT_MAX_FUTURE_SKEW);
    let window = Duration::from_millis(schemas::Window::MILLIS.unsigned_abs());
    SourceSettings {
        rules: Rules {
            out_of_orderness: args.out_of_orderness,
            max_future_skew: args.max_future_skew.or(default_skew),
            event_types: args.event_types.clone(),
        },
        max_partition_skew: (args.max_partition_skew > 0).then(|| window * args.max_partition_skew),
        is_unbounded: !is_bounded,
    }
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

fn total_extent(inputs: &[Input]) -> Option<Extent> {
    inputs.iter().map(|input| input.extent).reduce(|sum, next| match (sum?, next?) {
        (Extent::Bytes(a), Extent::Bytes(b)) => Some(Extent::Bytes(a + b)),
        (Extent::Records(a), Extent::Records(b)) => Some(Extent::Records(a + b)),
        _ => None,
    })?
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
            () = tokio::time::sleep(DRAIN_LIMIT) => job.control.fail(Error::Unavailable(
                "stopped before every sink had acknowledged what was read; start again to write it once more".to_owned(),
            )),
        }
        next(&mut interrupt, &mut terminate).await;
        std::process::exit(INTERRUPTED);
    });
    Ok(())
}

/// Waits for SIGINT or SIGTERM.
pub(super) async fn next(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
