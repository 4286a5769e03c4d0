//! Files that keep late and rejected records: one JSON line for each, with its origin and its original text.

use schemas::ResultRow;

use super::Sink;
use crate::error::Error;
use crate::metrics::SinkMetrics;
use crate::output::Output;
use crate::record::{Envelope, Quarantined};

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
        let mut kept = 0;
        for record in records {
            let envelope = record.envelope();
            let output = match envelope {
                Envelope::Rejected(_) => &mut self.rejects,
                Envelope::Late(_) => &mut self.late,
            };
            let Some(output) = output else { continue };
            output.write_json_line(&envelope)?;
            kept += 1;
        }
        self.metrics.acknowledge_quarantined(kept);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.rejects.iter_mut().chain(&mut self.late).try_for_each(Output::flush)
    }

    fn finish(self: Box<Self>) -> Result<(), Error> {
        self.rejects.into_iter().chain(self.late).try_for_each(Output::finish)
    }
}
