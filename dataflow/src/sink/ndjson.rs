//! Rows as newline-delimited JSON, to a file or to standard output.

use schemas::{ResultRow, RowEncoder};

use super::Sink;
use crate::error::Error;
use crate::metrics::SinkMetrics;
use crate::output::Output;

/// Writes each row as one line of JSON.
pub struct NdjsonSink {
    output: Output,
    encoder: RowEncoder,
    /// Kept for its room.
    line: Vec<u8>,
    metrics: SinkMetrics,
}

impl NdjsonSink {
    /// Writes to `output`.
    #[must_use]
    pub fn new(output: Output, metrics: SinkMetrics) -> Self {
        NdjsonSink { output, encoder: RowEncoder::default(), line: Vec::new(), metrics }
    }
}

impl Sink for NdjsonSink {
    fn write_rows(&mut self, rows: &[ResultRow]) -> Result<(), Error> {
        for row in rows {
            self.line.clear();
            self.encoder.encode(row, None, &mut self.line);
            self.line.push(b'\n');
            self.output.write(&self.line)?;
        }
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
