//! How the parts of a running job reach each other outside of the dataflow: stop, failure, wake-up, back-pressure.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use timely::scheduling::SyncActivator;

use crate::error::Error;

/// How many bytes of records each worker may have read that are not taken in yet.
pub const IN_FLIGHT_LIMIT_BYTES: usize = 32 << 20;

/// Shared by all workers and threads of one job.
#[derive(Debug)]
pub struct Control {
    stop: AtomicBool,
    failure: OnceLock<Error>,
    workers: Vec<WorkerControl>,
    /// Commands given to sinks that are not acknowledged.
    unacknowledged: AtomicUsize,
}

#[derive(Debug, Default)]
struct WorkerControl {
    in_flight_bytes: AtomicUsize,
    /// The window from which on its source holds time back, once it reads no more.
    rests_at: OnceLock<u64>,
    source: Mutex<Option<SyncActivator>>,
}

impl Control {
    /// For a job of `workers` workers.
    #[must_use]
    pub fn new(workers: usize) -> Self {
        Control {
            stop: AtomicBool::new(false),
            failure: OnceLock::new(),
            workers: (0..workers).map(|_| WorkerControl::default()).collect(),
            unacknowledged: AtomicUsize::new(0),
        }
    }

    /// How many workers the job has.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.workers.len()
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
    /// it, or a closed window's rows, are still on their way between two operators.
    #[must_use]
    pub fn may_leave(&self, acknowledged: u64) -> bool {
        if !self.is_stopping() || self.failure().is_some() {
            return self.failure().is_some();
        }
        // Looked at first: a source that rests sends nothing more.
        let rests_at = self
            .workers
            .iter()
            .map(|worker| worker.rests_at.get().copied())
            .try_fold(u64::MAX, |first, at| at.map(|window| first.min(window)));
        rests_at.is_some_and(|window| acknowledged >= window)
            && self.unacknowledged.load(Ordering::Acquire) == 0
            && self.workers.iter().all(|worker| worker.in_flight_bytes.load(Ordering::Acquire) == 0)
    }

    /// Notes that the source of `worker` reads no more, and from which window on it holds time back; `u64::MAX`: none.
    pub fn source_rests(&self, worker: usize, window: u64) {
        if self.workers[worker].rests_at.set(window).is_ok() {
            self.wake_all_if_stopping();
        }
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
        for worker in 0..self.workers.len() {
            self.wake(worker);
        }
    }

    /// Notes that `worker` has sent records of this size.
    pub fn sent(&self, worker: usize, bytes: usize) {
        self.workers[worker].in_flight_bytes.fetch_add(bytes, Ordering::AcqRel);
    }

    /// Notes that records which `worker` had sent are taken in, and wakes it when that lets it read on.
    pub fn taken_in(&self, worker: usize, bytes: usize) {
        let before = self.workers[worker].in_flight_bytes.fetch_sub(bytes, Ordering::AcqRel);
        let resume = IN_FLIGHT_LIMIT_BYTES / 2;
        if before >= resume && before - bytes < resume {
            self.wake(worker);
        }
        if before == bytes {
            self.wake_all_if_stopping();
        }
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
