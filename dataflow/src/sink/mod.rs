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
/// A call returns once what it was given is durable, so far as the destination can promise that; it may
/// block. Rows come window by window, sorted by product id as UTF-8 bytes. A sink retries by itself what can be
/// retried; an error ends the job.
pub trait Sink: Send {
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

    /// Completes the output after the last call: what was written becomes visible as a whole.
    ///
    /// # Errors
    /// When completing fails.
    fn finish(self: Box<Self>) -> Result<(), Error>;
}
