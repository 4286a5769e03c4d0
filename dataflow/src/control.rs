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

    /// Whether a stopping job has nothing left to finish, or has failed.
    #[must_use]
    pub fn may_leave(&self) -> bool {
        let is_drained = || {
            self.unacknowledged.load(Ordering::Acquire) == 0
                && self.workers.iter().all(|worker| worker.in_flight_bytes.load(Ordering::Acquire) == 0)
        };
        self.is_stopping() && (self.failure().is_some() || is_drained())
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
        self.unacknowledged.fetch_sub(1, Ordering::AcqRel);
    }
}
