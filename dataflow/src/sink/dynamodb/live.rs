//! Live rows: written beside the final ones, and never in their way.
//!
//! They go through a share of their own, a quarter of the puts that final rows may have in flight, and none is begun
//! while final rows are being written. So at most that quarter is on its way when final rows begin. A batch that is not
//! written within some seconds is given up: by then newer counts are on their way.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use schemas::ResultRow;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;

use super::WriteMode;
use super::put::Writer;
use crate::error::Error;

/// How long a batch may take, and a live row is tried.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Which part of the puts in flight is theirs.
const SHARE: usize = 4;

/// The batches that are being written.
#[derive(Debug)]
pub(super) struct LiveRows {
    lane: Lane,
    /// Dropped with the sink, which stops them.
    batches: JoinSet<Result<(), Error>>,
}

/// What batches share.
#[derive(Clone, Debug)]
struct Lane {
    writer: Arc<Writer>,
    share: Arc<Semaphore>,
    /// Whether final rows are being written.
    held_back: Arc<watch::Sender<bool>>,
    dropped: Counter,
}

impl LiveRows {
    pub(super) fn new(writer: Arc<Writer>, in_flight: usize, dropped: Counter) -> Self {
        let share = Arc::new(Semaphore::new((in_flight / SHARE).max(1)));
        let lane = Lane { writer, share, held_back: Arc::new(watch::Sender::new(false)), dropped };
        LiveRows { lane, batches: JoinSet::new() }
    }

    /// Begins a batch. A replay has no live rows.
    pub(super) fn write(&mut self, rows: Vec<ResultRow>, runtime: &Handle) {
        if !rows.is_empty() && matches!(self.lane.writer.mode, WriteMode::Job { .. }) {
            self.batches.spawn_on(self.lane.clone().write(rows), runtime);
        }
    }

    /// An error of a batch that has ended.
    pub(super) fn check(&mut self) -> Result<(), Error> {
        while let Some(ended) = self.batches.try_join_next() {
            result_of(ended)?;
        }
        Ok(())
    }

    /// Waits for all batches.
    pub(super) async fn settle(&mut self) -> Result<(), Error> {
        while let Some(ended) = self.batches.join_next().await {
            result_of(ended)?;
        }
        Ok(())
    }

    /// No put of a live row begins while the answer is held.
    pub(super) fn hold_back(&self) -> HeldBack {
        self.lane.held_back.send_replace(true);
        HeldBack(Arc::clone(&self.lane.held_back))
    }
}

/// Final rows are being written.
#[derive(Debug)]
pub(super) struct HeldBack(Arc<watch::Sender<bool>>);

impl Drop for HeldBack {
    fn drop(&mut self) {
        self.0.send_replace(false);
    }
}

impl Lane {
    async fn write(self, rows: Vec<ResultRow>) -> Result<(), Error> {
        self.writer.live_retry.begin();
        let mut left = Left { rows: rows.len(), dropped: self.dropped.clone() };
        // Time is up: what is on its way stops with the set of puts.
        timeout(PATIENCE, self.write_all(rows, &mut left)).await.unwrap_or(Ok(()))
    }

    async fn write_all(&self, rows: Vec<ResultRow>, left: &mut Left) -> Result<(), Error> {
        let mut puts = JoinSet::new();
        let mut held_back = self.held_back.subscribe();
        for row in rows {
            let permit = Arc::clone(&self.share).acquire_owned().await.map_err(internal)?;
            held_back.wait_for(|held| !held).await.map_err(internal)?;
            let writer = Arc::clone(&self.writer);
            puts.spawn(async move {
                let settled = writer.put_live(&row).await;
                drop(permit);
                settled
            });
            while let Some(done) = puts.try_join_next() {
                left.note(result_of(done)?);
            }
        }
        while let Some(done) = puts.join_next().await {
            left.note(result_of(done)?);
        }
        Ok(())
    }
}

/// The rows of a batch that are not settled; those that never are count as dropped.
struct Left {
    rows: usize,
    dropped: Counter,
}

impl Left {
    fn note(&mut self, is_settled: bool) {
        self.rows -= usize::from(is_settled);
    }
}

impl Drop for Left {
    fn drop(&mut self) {
        self.dropped.inc_by(self.rows as u64);
    }
}

fn result_of<T>(ended: Result<Result<T, Error>, JoinError>) -> Result<T, Error> {
    ended.unwrap_or_else(|error| Err(internal(error)))
}

fn internal(error: impl std::fmt::Display) -> Error {
    Error::Internal(format!("a task that writes live rows to DynamoDB failed: {error}"))
}
