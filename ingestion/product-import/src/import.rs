//! The import of one file: rows are read one after the other, sent several at once, and settled in the file's order.
//!
//! Settling in order makes everything else simple: the rows before a line are done, so that one line says how far the import
//! is; the file of errors has the file's order; and what was in work when an import ends is sent again by the next one, under
//! the same keys.

mod rows;

use schemas::FieldCode;
use tokio::time::Instant;

use self::rows::Last;
use crate::duplicates::Duplicates;
use crate::errors_file::ErrorsFile;
use crate::file::{Chunks, CsvFile, Layout, Refusal};
use crate::gateway::Gateway;
use crate::outputs::Outputs;
use crate::report::{Report, Status, now};
use crate::row::Origin;
use crate::settings::{ImportArgs, TimeLimit};
use crate::{Error, Progress};

/// Which file is imported, and from where on.
#[derive(Clone, Debug)]
pub struct Task {
    /// Where it is.
    pub origin: Origin,
    /// Which version of the object it is.
    pub version: Option<String>,
    /// The object's ETag.
    pub etag: Option<String>,
    /// What is done already.
    pub progress: Progress,
}

/// How an import ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Every row is done.
    Finished,
    /// The file is not imported, or not to its end: the report says why.
    Refused,
    /// The time was over: it goes on from the line in the report.
    Stopped,
}

/// An import.
pub struct Import<O> {
    gateway: Option<Gateway>,
    outputs: O,
    args: ImportArgs,
    limit: Option<TimeLimit>,
    origin: Origin,
    /// Rows before this line are done.
    from_line: u64,
    duplicates: Duplicates,
    report: Report,
    /// Rows settled, and rows that had failed, when the outputs were last written; and when that was.
    saved_rows: u64,
    saved_failed: u64,
    saved_at: Instant,
}

impl<O: Outputs> Import<O> {
    /// An import through this gateway; without one, rows are looked at and not sent.
    pub fn new(task: Task, gateway: Option<Gateway>, outputs: O, args: ImportArgs, limit: Option<TimeLimit>) -> Self {
        let Task { origin, version, etag, progress } = task;
        let report = Report {
            status: Status::Running,
            bucket: origin.bucket.clone(),
            key: origin.key.clone(),
            version,
            etag,
            progress,
            updated_at: now(),
            finished_at: None,
            errors_key: None,
            reason: None,
            ignored_columns: Vec::new(),
            encoding: None,
            delimiter: None,
        };
        Import {
            gateway,
            outputs,
            args,
            limit,
            origin,
            from_line: report.progress.line,
            duplicates: Duplicates::default(),
            saved_rows: report.progress.rows.read,
            saved_failed: 0,
            saved_at: Instant::now(),
            report,
        }
    }

    /// How far it is.
    pub const fn report(&self) -> &Report {
        &self.report
    }

    /// Imports what these bytes say.
    ///
    /// # Errors
    /// What keeps it from going on. What is done until then is written down.
    pub async fn run<C: Chunks>(&mut self, chunks: C) -> Result<Ending, Error> {
        let (mut file, layout) = match CsvFile::open(chunks).await? {
            Ok(opened) => opened,
            Err(refusal) => return self.refuse(refusal, None).await,
        };
        self.report.describe(&layout);
        let mut errors = ErrorsFile::create(&layout)?;
        self.restore(&layout, &mut errors).await?;
        // From the start, there is a report.
        self.save(Some(&mut errors)).await?;
        match self.rows(&mut file, &layout, &mut errors).await {
            Ok(Last::Stop) => {
                self.save(Some(&mut errors)).await?;
                Ok(Ending::Stopped)
            }
            Ok(Last::End) => {
                self.report.status = if self.gateway.is_some() { Status::Finished } else { Status::Checked };
                self.end(Some(&mut errors)).await?;
                Ok(Ending::Finished)
            }
            Ok(Last::Unreadable(refusal)) => self.refuse(refusal, Some(&mut errors)).await,
            // The outputs belong to what has replaced it.
            Err(error @ Error::Gone { .. }) => Err(error),
            Err(error) => {
                self.report.reason =
                    Some(Refusal { code: FieldCode::Interrupted, detail: error.to_string(), line: None });
                if let Err(second) = self.save(Some(&mut errors)).await {
                    tracing::warn!(error = %second, "how far the import is cannot be written down");
                }
                Err(error)
            }
        }
    }

    /// Ends it for a reason that lies in the file, or because it takes too long.
    pub(crate) async fn refuse(&mut self, refusal: Refusal, errors: Option<&mut ErrorsFile>) -> Result<Ending, Error> {
        self.report.status = Status::Refused;
        self.report.reason = Some(refusal);
        self.end(errors).await?;
        Ok(Ending::Refused)
    }

    /// Takes over the rows that failed before; if they are not there, begins from the beginning.
    async fn restore(&mut self, layout: &Layout, errors: &mut ErrorsFile) -> Result<(), Error> {
        let failed = self.report.progress.rows.failed;
        if failed == 0 {
            return Ok(());
        }
        let left = tempfile::NamedTempFile::new().map_err(|cause| Error::file(&std::env::temp_dir(), cause))?;
        let restored = match self.outputs.fetch_errors(left.path()).await? {
            true => errors.restore(left.path(), self.from_line)?,
            false => 0,
        };
        if restored != failed {
            // Another import of the same file has written there meanwhile.
            tracing::warn!(failed, restored, "rows that failed are missing; beginning again from the first line");
            *errors = ErrorsFile::create(layout)?;
            self.report.progress = self.report.progress.again();
            self.from_line = self.report.progress.line;
            self.saved_rows = 0;
        } else {
            self.saved_failed = failed;
        }
        Ok(())
    }

    async fn save_if_due(&mut self, errors: &mut ErrorsFile) -> Result<(), Error> {
        let rows = self.report.progress.rows.read - self.saved_rows;
        let is_due = rows >= self.args.import_checkpoint_rows
            || (rows > 0 && self.saved_at.elapsed() >= self.args.import_checkpoint_interval);
        // The file of errors is written whole each time: not before it has grown by a quarter.
        let grown = self.report.progress.rows.failed - self.saved_failed;
        let errors = (grown * 4 >= self.saved_failed).then_some(errors);
        if is_due { self.save(errors).await } else { Ok(()) }
    }

    /// Writes the outputs: the rows that failed first, then the report, which speaks of them.
    async fn save(&mut self, errors: Option<&mut ErrorsFile>) -> Result<(), Error> {
        let failed = self.report.progress.rows.failed;
        if let Some(errors) = errors
            && failed > self.saved_failed
        {
            self.outputs.keep_errors(errors.flushed()?).await?;
            self.saved_failed = failed;
        }
        self.report.errors_key = (failed > 0).then(|| self.outputs.errors_key());
        self.report.updated_at = now();
        self.outputs.keep_report(&self.report).await?;
        self.saved_rows = self.report.progress.rows.read;
        self.saved_at = Instant::now();
        Ok(())
    }

    async fn end(&mut self, errors: Option<&mut ErrorsFile>) -> Result<(), Error> {
        if self.report.progress.rows.failed == 0 {
            self.outputs.forget_errors().await?;
        }
        self.report.finished_at = Some(now());
        self.save(errors).await
    }
}
