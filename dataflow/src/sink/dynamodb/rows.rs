//! The sink: many puts at the same time, final rows before live ones.

use std::sync::Arc;

use schemas::ResultRow;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::live::LiveRows;
use super::put::Writer;
use crate::error::Error;
use crate::metrics::SinkMetrics;
use crate::sink::Sink;

/// Writes rows to DynamoDB. Final rows block until they are durable, live ones never; not to be called from
/// asynchronous code.
#[derive(Debug)]
pub struct DynamoDbSink {
    writer: Arc<Writer>,
    in_flight: usize,
    live: LiveRows,
    metrics: SinkMetrics,
    runtime: Handle,
}

impl DynamoDbSink {
    pub(super) fn new(writer: Arc<Writer>, in_flight: usize, metrics: SinkMetrics, runtime: Handle) -> Self {
        let live = LiveRows::new(Arc::clone(&writer), in_flight, metrics.live_rows_dropped.clone());
        DynamoDbSink { writer, in_flight, live, metrics, runtime }
    }

    /// Waits until the live rows given so far are written or given up, which takes some seconds at most.
    ///
    /// # Errors
    /// As of [`Sink::write_live`]: one that came up in the meantime.
    pub fn settle_live(&mut self) -> Result<(), Error> {
        self.runtime.block_on(self.live.settle())
    }

    async fn write_all(&self, windows: &[&[ResultRow]], durable: &mut dyn FnMut(usize)) -> Result<(), Error> {
        self.writer.retry.begin();
        let mut left: Vec<usize> = windows.iter().map(|rows| rows.len()).collect();
        (0..windows.len()).filter(|place| left[*place] == 0).for_each(&mut *durable);
        let mut done = |place: usize| {
            self.metrics.acknowledge_rows(1);
            left[place] -= 1;
            if left[place] == 0 {
                durable(place);
            }
        };
        // Dropped on the first error, which stops what is in flight: the job ends, and writes these rows again.
        let mut puts = JoinSet::new();
        for (place, row) in
            windows.iter().enumerate().flat_map(|(place, rows)| rows.iter().map(move |row| (place, row)))
        {
            if puts.len() >= self.in_flight {
                done(one_of(&mut puts).await?);
            }
            let writer = Arc::clone(&self.writer);
            let row = row.clone();
            puts.spawn(async move { writer.put(&row).await.map(|()| place) });
        }
        while !puts.is_empty() {
            done(one_of(&mut puts).await?);
        }
        Ok(())
    }
}

/// The place of the window of which a row has become durable.
async fn one_of(puts: &mut JoinSet<Result<usize, Error>>) -> Result<usize, Error> {
    match puts.join_next().await {
        Some(Ok(place)) => place,
        Some(Err(error)) => Err(Error::Internal(format!("a task that writes to DynamoDB failed: {error}"))),
        None => Err(Error::Internal("no task writes to DynamoDB, but rows are left; please report it".to_owned())),
    }
}

impl Sink for DynamoDbSink {
    fn write_rows(&mut self, rows: &[ResultRow]) -> Result<(), Error> {
        self.write_windows(&[rows], &mut |_| ())
    }

    fn write_windows(&mut self, windows: &[&[ResultRow]], durable: &mut dyn FnMut(usize)) -> Result<(), Error> {
        self.live.check()?;
        let _held = self.live.hold_back();
        self.runtime.block_on(self.write_all(windows, durable))
    }

    fn write_live(&mut self, rows: &[ResultRow]) -> Result<(), Error> {
        self.live.check()?;
        self.live.write(rows.to_vec(), &self.runtime);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<(), Error> {
        // Each call returned when its final rows were durable; live ones are worth nothing to wait for.
        Ok(())
    }
}
