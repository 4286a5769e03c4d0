//! The outputs of a process, from how they were given to threads that write, and to their ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Job, ResumePlan, SinkPlan};
use crate::clock;
use crate::commit::begin::Start;
use crate::commit::committer::{Committer, CommitterHandle, CommitterThread, Destination, Resume};
use crate::commit::ledger::Ledger;
use crate::control::Control;
use crate::error::Error;
use crate::record::Offset;
use crate::sink::Sink;
use crate::sink::operator::Spread;
use crate::sink::thread::{SinkHandle, SinkThread};

/// How long a failed job waits for a sink that is busy.
const PATIENCE_WITH_SINKS: Duration = Duration::from_millis(300);

/// The sinks: as they were given, and then the threads that they run on.
#[derive(Default)]
pub(super) struct Outputs {
    sinks: Vec<SinkPlan>,
    resume: Option<ResumePlan>,
    threads: Vec<SinkThread>,
    committer: Option<CommitterThread>,
}

/// What workers build their dataflow with.
#[derive(Clone)]
pub(super) struct Prepared {
    /// Sinks that every worker writes to.
    pub(super) row_sinks: Vec<SinkHandle>,
    pub(super) committer: CommitterHandle,
}

impl Outputs {
    pub(super) fn new(sinks: Vec<SinkPlan>, resume: Option<ResumePlan>) -> Self {
        Outputs { sinks, resume, threads: Vec::new(), committer: None }
    }

    /// Where the job begins: where its resume records say, or, where it keeps none, at `beginnings`.
    pub(super) fn begin(&mut self, beginnings: impl FnOnce() -> Vec<Offset>) -> Result<Start, Error> {
        let mut recorded = 0;
        for plan in &self.sinks {
            recorded = recorded.max(plan.sink.recorded_epoch()?);
        }
        match &mut self.resume {
            Some(resume) => resume.home.open(recorded + 1),
            None => Ok(Start { epoch: recorded + 1, ..Start::first(beginnings(), clock::now_millis()) }),
        }
    }

    /// Starts the threads that write.
    pub(super) fn ready(&mut self, start: &Start, job: &Job, started: Instant) -> Result<Prepared, Error> {
        let Job { control, partitions, metrics, .. } = job;
        let is_first = control.is_local(0);
        let mut row_sinks = Vec::new();
        let mut destinations = Vec::new();
        for SinkPlan { mut sink, rows, keeps_quarantined } in std::mem::take(&mut self.sinks) {
            sink.begin(start.epoch, is_first)?;
            if rows == Some(Spread::EveryWorker) {
                let (thread, handle) = SinkThread::spawn(sink, control)?;
                self.threads.push(thread);
                row_sinks.push(handle);
            } else {
                destinations.push(Destination {
                    sink,
                    takes_rows: rows.is_some(),
                    takes_quarantined: keeps_quarantined,
                });
            }
        }
        let resume = self.resume.take().filter(|_| is_first).map(|plan| {
            match (start.is_first, start.first_open) {
                (true, _) => tracing::info!("first start, epoch {}", start.epoch),
                (_, 0) => tracing::info!("epoch {}, resuming before the first window has closed", start.epoch),
                _ => tracing::info!("epoch {}, resuming at {}", start.epoch, start.closed_through()),
            }
            metrics.commit.epoch.set(i64::try_from(start.epoch).unwrap_or(i64::MAX));
            Resume {
                home: plan.home,
                ledger: Ledger::new(plan.identity, start),
                interval: plan.interval,
                metrics: metrics.commit.clone(),
                recovery: Some((started, Arc::clone(partitions))),
            }
        });
        let (thread, committer) = CommitterThread::spawn(destinations, resume, control)?;
        self.committer = Some(thread);
        Ok(Prepared { row_sinks, committer })
    }

    /// Completes every output, unless the job has failed.
    pub(super) fn complete(self, control: &Control) -> Result<(), Error> {
        let Outputs { sinks: unused, threads, committer, .. } = self;
        if let Some(failure) = control.failure() {
            committer.into_iter().for_each(|committer| committer.abandon(PATIENCE_WITH_SINKS));
            threads.into_iter().for_each(|thread| thread.abandon(PATIENCE_WITH_SINKS));
            return Err(failure.clone());
        }
        let committer = committer.map(|committer| committer.join(control)).transpose()?;
        let mut sinks = Vec::new();
        for thread in threads {
            if control.is_resumable() {
                // What it has not written is written by the next start.
                thread.abandon(PATIENCE_WITH_SINKS);
            } else {
                sinks.push(thread.join()?);
            }
        }
        if let Some(failure) = control.failure() {
            return Err(failure.clone());
        }
        // A job that was stopped before it began has written nothing, and that is its output.
        unused.into_iter().try_for_each(|plan| plan.sink.finish())?;
        sinks.into_iter().try_for_each(Sink::finish)?;
        committer.map_or(Ok(()), Committer::finish)
    }
}
