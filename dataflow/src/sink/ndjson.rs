//! Rows as newline-delimited JSON, to a file or to standard output.

use schemas::ResultRow;

use super::Sink;
use crate::error::Error;
use crate::metrics::SinkMetrics;
use crate::output::Output;

/// Writes each row as one line of JSON.
pub struct NdjsonSink {
    output: Output,
    metrics: SinkMetrics,
    buffer: Vec<u8>,
}

impl NdjsonSink {
    /// Writes to `output`.
    #[must_use]
    pub fn new(output: Output, metrics: SinkMetrics) -> Self {
        NdjsonSink { output, metrics, buffer: Vec::new() }
    }
}

impl Sink for NdjsonSink {
    fn write_rows(&mut self, rows: &[ResultRow]) -> Result<(), Error> {
        self.buffer.clear();
        for row in rows {
            write_json_line(&mut self.buffer, row)?;
        }
        self.output.write(&self.buffer)?;
        self.output.flush()?;
        self.metrics.acknowledge_rows(rows.len());
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<(), Error> {
        self.output.finish()
    }
}

/// Appends `value` as one line of JSON.
pub(super) fn write_json_line(buffer: &mut Vec<u8>, value: &impl serde::Serialize) -> Result<(), Error> {
    serde_json::to_writer(&mut *buffer, value)
        .map_err(|error| Error::Internal(format!("cannot write JSON: {error}")))?;
    buffer.push(b'\n');
    Ok(())
}
