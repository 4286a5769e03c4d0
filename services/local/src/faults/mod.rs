//! What goes wrong when somebody asks for it, so that it can be seen what Footfall makes of it.
//!
//! `kinds` lists the faults. Each is made by one module, lasts for a while, and is undone whatever happens. Two more are how
//! a part is stopped and started again: a `switch` for services, an `outage` for backends.

mod down;
mod events;
mod idle_partition;
mod kinds;
mod outage;
mod records;
mod switch;

use std::time::Duration;

use dataflow::classify::Rules;
use dataflow::kafka::KafkaArgs;
use service_kit::Error;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(crate) use self::kinds::list;
pub use self::kinds::{Dependency, Fault};
pub(crate) use self::outage::{Restartable, Stop};
pub(crate) use self::switch::{Switch, Switches, run_switched};
use crate::admin::{Metric, Parts};
use crate::backends::Backends;
use crate::demo::{Demo, Gateway};

/// How long it may take until a metric tells what happened.
const SETTLE_LIMIT: Duration = Duration::from_secs(15);
/// How often metrics and answers are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What faults are played on.
pub(crate) struct Stage<'a> {
    pub(crate) demo: Option<Demo>,
    pub(crate) gateway: Gateway,
    pub(crate) kafka: KafkaArgs,
    /// The topic of raw events.
    pub(crate) topic: String,
    /// What the job's counts depend on.
    pub(crate) rules: Rules,
    pub(crate) parts: Parts,
    pub(crate) backends: &'a Backends,
    pub(crate) switches: Switches,
}

/// How a fault ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It is over, and undone.
    Done,
    /// It was not made, or did not have the effect that it should; with the remedy.
    Refused(String),
    /// It cannot be undone.
    Fatal(Error),
}

/// Tells whoever asked for a fault what happens.
pub(crate) type Say<'a> = &'a dyn Fn(String);

/// A fault in work.
struct Play<'a> {
    stage: &'a Stage<'a>,
    duration: Duration,
    say: Say<'a>,
    /// Ends it before its time.
    over: &'a CancellationToken,
}

/// Makes a fault, undoes it after `duration` or when it is `over`, and tells what is to be seen.
pub(crate) async fn run(
    fault: Fault,
    duration: Duration,
    stage: &Stage<'_>,
    say: Say<'_>,
    over: &CancellationToken,
) -> Outcome {
    if let Err(sentence) = fault.check_duration(duration) {
        return Outcome::Refused(sentence);
    }
    say(format!("{fault}, for {} s: {}", duration.as_secs_f64(), fault.does()));
    say(format!("on the page: {}", fault.shows()));
    let before = stage.values(fault.metrics()).await;
    for (metric, value) in fault.metrics().iter().zip(&before) {
        say(format!("before  {metric} {}", shown(*value)));
    }
    let play = Play { stage, duration, say, over };
    let outcome = match fault {
        Fault::LateBurst => play.late_burst().await,
        Fault::ClockSkew => play.clock_skew().await,
        Fault::Poison => play.poison().await,
        Fault::IdlePartition => play.idle_partition().await,
        Fault::Down(dependency) => play.down(dependency).await,
    };
    if !matches!(outcome, Outcome::Done) {
        return outcome;
    }
    let after = match fault {
        Fault::LateBurst | Fault::ClockSkew | Fault::Poison => play.values_once_moved(fault.metrics(), &before).await,
        Fault::IdlePartition | Fault::Down(_) => stage.values(fault.metrics()).await,
    };
    for (metric, value) in fault.metrics().iter().zip(after) {
        say(format!("after   {metric} {}", shown(value)));
    }
    Outcome::Done
}

impl Stage<'_> {
    /// The demo.
    ///
    /// # Errors
    /// Where there is none.
    pub(crate) fn demo(&self) -> Result<&Demo, String> {
        self.demo.as_ref().ok_or_else(|| "there is no demo; start footfall without --no-demo".to_owned())
    }

    async fn values(&self, metrics: &[Metric]) -> Vec<Option<f64>> {
        let merged = self.parts.read().await;
        metrics.iter().map(|metric| merged.sum(metric)).collect()
    }
}

impl Play<'_> {
    /// Waits until it is over.
    async fn rest(&self, since: Instant) {
        let end = tokio::time::sleep_until(since + self.duration);
        self.over.run_until_cancelled(end).await;
    }

    /// The values once all of them are above what they were, or when that does not come.
    async fn values_once_moved(&self, metrics: &[Metric], before: &[Option<f64>]) -> Vec<Option<f64>> {
        let began = Instant::now();
        loop {
            let after = self.stage.values(metrics).await;
            let moved = |(after, before): (&Option<f64>, &Option<f64>)| after.unwrap_or(0.0) > before.unwrap_or(0.0);
            if after.iter().zip(before).all(moved) || began.elapsed() > SETTLE_LIMIT || !self.pause().await {
                return after;
            }
        }
    }

    /// Waits until metrics are looked at again; false: it is over.
    async fn pause(&self) -> bool {
        self.over.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await.is_some()
    }
}

/// A value for people; a counter that has not counted anything does not exist yet.
fn shown(value: Option<f64>) -> String {
    let value = value.unwrap_or(0.0);
    let digits = usize::from(value.fract() != 0.0);
    format!("{value:.digits$}")
}
