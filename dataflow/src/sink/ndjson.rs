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
}

impl NdjsonSink {
    /// Writes to `output`.
    #[must_use]
    pub fn new(output: Output, metrics: SinkMetrics) -> Self {
        NdjsonSink { output, metrics }
    }
}

impl Sink for NdjsonSink {
    fn write_rows(&mut self, rows: &[ResultRow]) -> Result<(), Error> {
        rows.iter().try_for_each(|row| self.output.write_json_line(row))?;
        self.metrics.acknowledge_rows(rows.len());
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.output.flush()
    }

    fn finish(self: Box<Self>) -> Result<(), Error> {
        self.output.finish()
    }
}
