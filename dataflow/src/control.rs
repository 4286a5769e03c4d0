//! How the parts of a running job reach each other outside of the dataflow: stop, failure, wake-up, back-pressure.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use timely::scheduling::SyncActivator;

use crate::cluster::Nudge;
use crate::error::Error;

/// How many bytes of records each worker may have read that are not taken in yet.
pub const IN_FLIGHT_LIMIT_BYTES: usize = 32 << 20;

/// Shared by all workers and threads of one job.
#[derive(Debug)]
pub struct Control {
    stop: AtomicBool,
    failure: OnceLock<Error>,
    /// Of all processes.
    workers: Vec<WorkerControl>,
    /// Those of this process.
    local: Range<usize>,
    /// Tells the other processes what is new in this one.
    nudge: OnceLock<Nudge>,
    /// Commands given to sinks that are not acknowledged.
    unacknowledged: AtomicUsize,
    /// Whether the job keeps resume records: then it may leave open what a restart would read again.
    is_resumable: AtomicBool,
    /// The first window whose rows are not known to be durable by the resume records.
    committed: AtomicU64,
    /// Whether a stopping job has nothing left to finish, in any process.
    is_over: AtomicBool,
    /// Whether the other processes were told so.
    has_told_over: AtomicBool,
}

#[derive(Debug, Default)]
struct WorkerControl {
    in_flight_bytes: AtomicUsize,
    /// Bytes that its source has sent and that were taken in by this process, all told; for a worker of another one.
    taken_in_here: AtomicU64,
    /// The window from which on its source holds time back, once it reads no more.
    rests_at: OnceLock<u64>,
    source: Mutex<Option<SyncActivator>>,
    /// Whether all that its source had read, when the job had caught up, is taken in.
    has_settled: AtomicBool,
}

impl Control {
    /// For a job of `workers` workers in one process.
    #[must_use]
    pub fn new(workers: usize) -> Self {
        Self::of_process(0, 1, workers)
    }

    /// For a process of several, each with `workers` workers.
    #[must_use]
    pub fn of_process(process: usize, processes: usize, workers: usize) -> Self {
        Control {
            stop: AtomicBool::new(false),
            failure: OnceLock::new(),
            workers: (0..workers * processes).map(|_| WorkerControl::default()).collect(),
            local: process * workers..(process + 1) * workers,
            nudge: OnceLock::new(),
            unacknowledged: AtomicUsize::new(0),
            is_resumable: AtomicBool::new(false),
            committed: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
            has_told_over: AtomicBool::new(false),
        }
    }

    /// Notes that the job keeps resume records.
    pub fn set_resumable(&self) {
        self.is_resumable.store(true, Ordering::Release);
    }

    /// Whether the job keeps resume records.
    #[must_use]
    pub fn is_resumable(&self) -> bool {
        self.is_resumable.load(Ordering::Acquire)
    }

    /// Notes that a stopping job has nothing left to finish. Who knows it leaves, and can tell nobody else any more.
    pub fn set_over(&self) {
        self.is_over.store(true, Ordering::Release);
        self.nudge();
    }

    /// Whether a stopping job has nothing left to finish; `tell`: the other processes hear of it now.
    pub fn is_over(&self, tell: bool) -> bool {
        let is_over = self.is_over.load(Ordering::Acquire);
        if is_over && tell {
            self.has_told_over.store(true, Ordering::Release);
        }
        is_over
    }

    /// Whether the other processes were told that nothing is left to finish.
    #[must_use]
    pub fn has_told_over(&self) -> bool {
        self.has_told_over.load(Ordering::Acquire)
    }

    /// Notes that the rows of every window before `first_open` are durable, and recorded so.
    pub fn set_committed(&self, first_open: u64) {
        self.committed.fetch_max(first_open, Ordering::AcqRel);
    }

    /// The first window whose rows are not recorded as durable.
    #[must_use]
    pub fn committed(&self) -> u64 {
        self.committed.load(Ordering::Acquire)
    }

    /// Notes that a worker has nothing on its way since the job has caught up.
    pub fn settle(&self, worker: usize) {
        self.workers[worker].has_settled.store(true, Ordering::Release);
    }

    /// Whether all that was read until the job had caught up is taken in.
    #[must_use]
    pub fn has_settled(&self) -> bool {
        self.workers.iter().all(|worker| worker.has_settled.load(Ordering::Acquire))
    }

    /// How many workers the job has, in all processes.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.workers.len()
    }

    /// The workers of this process.
    #[must_use]
    pub fn local(&self) -> Range<usize> {
        self.local.clone()
    }

    /// Whether a worker is one of this process.
    #[must_use]
    pub fn is_local(&self, worker: usize) -> bool {
        self.local.contains(&worker)
    }

    /// Makes known how other processes are told what is new.
    pub fn set_nudge(&self, nudge: Nudge) {
        // There is one for each process.
        let _ = self.nudge.set(nudge);
    }

    /// Something is new in this process that others should know.
    pub fn nudge(&self) {
        if let Some(nudge) = self.nudge.get() {
            nudge.nudge();
        }
    }

    /// Asks the job to read no more, to finish what it has read, and to end.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.wake_all();
    }

    /// Ends the job at once; the first failure is the one that is reported.
    pub fn fail(&self, error: Error) {
        // A later failure is a consequence of the first.
        let _ = self.failure.set(error);
        self.stop();
    }

    /// Whether the job was asked to end.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Why the job failed.
    #[must_use]
    pub fn failure(&self) -> Option<&Error> {
        self.failure.get()
    }

    /// Whether a stopping job has nothing left to finish, or has failed. `acknowledged` is the first window whose rows
    /// are not known to be durable.
    ///
    /// Nothing is left once no source reads, all that was read is taken in, and the rows of every window before those
    /// that the sources hold open are durable. Without the first and the last, a worker could leave while a block for
    /// it, or a closed window's rows, are still on their way between two operators. A job with resume records leaves rows
    /// that are not durable to its next start: what it waits for are the markers, which are committed when they are
    /// taken in.
    #[must_use]
    pub fn may_leave(&self, acknowledged: u64) -> bool {
        if !self.is_stopping() || self.failure().is_some() {
            return self.failure().is_some();
        }
        if self.is_over(false) {
            return true;
        }
        // Looked at first: a source that rests sends nothing more.
        let rests_at = self
            .workers
            .iter()
            .map(|worker| worker.rests_at.get().copied())
            .try_fold(u64::MAX, |first, at| at.map(|window| first.min(window)));
        let is_durable =
            |window| acknowledged >= window && self.unacknowledged.load(Ordering::Acquire) == 0 || self.is_resumable();
        rests_at.is_some_and(is_durable)
            && self.workers.iter().all(|worker| worker.in_flight_bytes.load(Ordering::Acquire) == 0)
    }

    /// Notes that the source of `worker` reads no more, and from which window on it holds time back; `u64::MAX`: none.
    pub fn source_rests(&self, worker: usize, window: u64) {
        if self.workers[worker].rests_at.set(window).is_ok() {
            self.nudge();
            self.wake_all_if_stopping();
        }
    }

    /// The window from which on the source of `worker` holds time back, once it reads no more.
    #[must_use]
    pub fn rests_at(&self, worker: usize) -> Option<u64> {
        self.workers[worker].rests_at.get().copied()
    }

    /// Something that workers wait for before they leave may have come about.
    fn wake_all_if_stopping(&self) {
        if self.is_stopping() {
            self.wake_all();
        }
    }

    /// Makes a worker's source known, so that other threads can wake it.
    pub fn register_source(&self, worker: usize, activator: SyncActivator) {
        *self.workers[worker].source.lock().unwrap_or_else(PoisonError::into_inner) = Some(activator);
    }

    /// Schedules the source of a worker.
    pub fn wake(&self, worker: usize) {
        let source = self.workers[worker].source.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(activator) = &*source {
            // A worker that has left needs no waking.
            let _ = activator.activate();
        }
    }

    /// Schedules the sources of all workers.
    pub fn wake_all(&self) {
        self.wake_local();
        self.nudge();
    }

    /// Schedules the sources of all workers of this process.
    pub fn wake_local(&self) {
        self.local().for_each(|worker| self.wake(worker));
    }

    /// Notes that `worker` has sent records of this size.
    pub fn sent(&self, worker: usize, bytes: usize) {
        self.workers[worker].in_flight_bytes.fetch_add(bytes, Ordering::AcqRel);
    }

    /// Notes that records which `worker` had sent are taken in, and wakes it when that lets it read on.
    pub fn taken_in(&self, worker: usize, bytes: usize) {
        if !self.is_local(worker) {
            let before = self.workers[worker].taken_in_here.fetch_add(bytes as u64, Ordering::AcqRel);
            let tell_every = (IN_FLIGHT_LIMIT_BYTES / 16) as u64;
            if self.is_stopping() || before / tell_every != (before + bytes as u64) / tell_every {
                self.nudge();
            }
            return;
        }
        let before = self.workers[worker].in_flight_bytes.fetch_sub(bytes, Ordering::AcqRel);
        let resume = IN_FLIGHT_LIMIT_BYTES / 2;
        if before >= resume && before - bytes < resume {
            self.wake(worker);
        }
        if before == bytes {
            self.wake_all_if_stopping();
        }
    }

    /// How much this process has taken in of what a worker of another one has sent, all told.
    #[must_use]
    pub fn taken_in_here(&self, worker: usize) -> u64 {
        self.workers[worker].taken_in_here.load(Ordering::Acquire)
    }

    /// What the process of a worker has told about it.
    pub fn hear(&self, worker: usize, in_flight_bytes: usize, rests_at: Option<u64>, has_settled: bool) {
        let known = &self.workers[worker];
        known.in_flight_bytes.store(in_flight_bytes, Ordering::Release);
        if has_settled {
            known.has_settled.store(true, Ordering::Release);
        }
        if let Some(window) = rests_at {
            // It says so again with whatever else it says.
            let _ = known.rests_at.set(window);
        }
    }

    /// Whether a worker has nothing on its way since the job has caught up.
    #[must_use]
    pub fn has_worker_settled(&self, worker: usize) -> bool {
        self.workers[worker].has_settled.load(Ordering::Acquire)
    }

    /// The size of the records that `worker` has sent and that are not taken in.
    #[must_use]
    pub fn in_flight_bytes(&self, worker: usize) -> usize {
        self.workers[worker].in_flight_bytes.load(Ordering::Acquire)
    }

    /// Notes that a sink was given something.
    pub fn handed_to_sink(&self) {
        self.unacknowledged.fetch_add(1, Ordering::AcqRel);
    }

    /// Notes that a sink has acknowledged it.
    pub fn acknowledged_by_sink(&self) {
        if self.unacknowledged.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.wake_all_if_stopping();
        }
    }
}
