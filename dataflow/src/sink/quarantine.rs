//! Files that keep late and rejected records: one JSON line for each, with its origin and its original text.

use super::Sink;
use super::ndjson::write_json_line;
use crate::error::Error;
use crate::metrics::SinkMetrics;
use crate::output::Output;
use crate::record::{Envelope, Quarantined};
use schemas::ResultRow;

/// Writes rejected records to one file and late records to another.
pub struct QuarantineFiles {
    rejects: Option<Output>,
    late: Option<Output>,
    metrics: SinkMetrics,
}

impl QuarantineFiles {
    /// Records without an output of their kind are passed over: they are counted elsewhere.
    #[must_use]
    pub fn new(rejects: Option<Output>, late: Option<Output>, metrics: SinkMetrics) -> Self {
        QuarantineFiles { rejects, late, metrics }
    }
}

impl Sink for QuarantineFiles {
    fn write_rows(&mut self, _rows: &[ResultRow]) -> Result<(), Error> {
        Ok(())
    }

    fn write_quarantined(&mut self, records: &[Quarantined]) -> Result<(), Error> {
        let mut line = Vec::new();
        for record in records {
            let envelope = record.envelope();
            let output = match envelope {
                Envelope::Rejected(_) => &mut self.rejects,
                Envelope::Late(_) => &mut self.late,
            };
            let Some(output) = output else { continue };
            line.clear();
            write_json_line(&mut line, &envelope)?;
            output.write(&line)?;
            self.metrics.quarantined.inc();
        }
        for output in self.rejects.iter_mut().chain(&mut self.late) {
            output.flush()?;
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<(), Error> {
        self.rejects.into_iter().chain(self.late).try_for_each(Output::finish)
    }
}
