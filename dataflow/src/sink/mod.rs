//! Where results go. Every sink has a thread of its own, so that a slow one never blocks a worker.

pub mod dynamodb;
pub mod kafka;
pub mod ndjson;
pub mod operator;
pub mod quarantine;
pub mod table;
pub mod thread;

use schemas::ResultRow;

use crate::error::Error;
use crate::record::Quarantined;

/// A destination of final rows and of records that were not counted.
///
/// What a call was given is durable once [`flush`](Self::flush) has returned, so far as the destination can promise
/// that; calls may block. Rows come window by window, sorted by product id as UTF-8 bytes. A sink retries by itself what can be
/// retried; an error ends the job.
pub trait Sink: Send {
    /// The highest epoch that the destination knows of; 0 where it keeps none.
    ///
    /// # Errors
    /// When the destination cannot be asked.
    fn recorded_epoch(&self) -> Result<u64, Error> {
        Ok(0)
    }

    /// The job has this epoch, higher than any before it. `is_first`: the process of the first worker says so to the
    /// destination as well.
    ///
    /// # Errors
    /// When another job has taken over.
    fn begin(&mut self, epoch: u64, is_first: bool) -> Result<(), Error> {
        let _ = (epoch, is_first);
        Ok(())
    }

    /// Writes the final rows of one window (or, of a sink that is spread over workers, a part of them).
    ///
    /// # Errors
    /// When the rows cannot be written and trying again is no use.
    fn write_rows(&mut self, rows: &[ResultRow]) -> Result<(), Error>;

    /// Keeps records that were not counted. Sinks that have no place for them leave this out.
    ///
    /// # Errors
    /// When the records cannot be written and trying again is no use.
    fn write_quarantined(&mut self, records: &[Quarantined]) -> Result<(), Error> {
        let _ = records;
        Ok(())
    }

    /// The same of several windows. Says of each, by its place, when its rows are durable, in any order.
    ///
    /// # Errors
    /// As of [`write_rows`](Self::write_rows); windows that were not named are then not known to be durable.
    fn write_windows(&mut self, windows: &[&[ResultRow]], durable: &mut dyn FnMut(usize)) -> Result<(), Error> {
        windows.iter().try_for_each(|rows| self.write_rows(rows))?;
        self.flush()?;
        (0..windows.len()).for_each(durable);
        Ok(())
    }

    /// Takes the running counts of open windows, without a promise: some may never be written. Does not wait for the
    /// destination. Sinks that show final rows alone leave this out.
    ///
    /// # Errors
    /// When this or an earlier call has found that the job must end.
    fn write_live(&mut self, rows: &[ResultRow]) -> Result<(), Error> {
        let _ = rows;
        Ok(())
    }

    /// Waits until all that was written is durable.
    ///
    /// # Errors
    /// When it cannot be made so.
    fn flush(&mut self) -> Result<(), Error> {
        Ok(())
    }

    /// Completes the output after the last call: what was written becomes visible as a whole.
    ///
    /// # Errors
    /// When completing fails.
    fn finish(self: Box<Self>) -> Result<(), Error>;
}
