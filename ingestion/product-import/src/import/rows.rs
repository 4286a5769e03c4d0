//! The rows of an import, from the file to what became of them.

use futures_util::StreamExt as _;
use futures_util::stream::FuturesOrdered;
use schemas::FieldCode;
use tokio_util::task::AbortOnDropHandle;

use super::Import;
use crate::errors_file::{ErrorsFile, RowFault};
use crate::file::records::{Record, Step};
use crate::file::{Chunks, CsvFile, Layout, Refusal, too_long};
use crate::gateway::{Verdict, until};
use crate::outputs::Outputs;
use crate::row::Row;
use crate::{Error, Progress};

/// Why no more rows are read.
pub(super) enum Last {
    /// There are none.
    End,
    /// There is no time.
    Stop,
    /// The rest of the file cannot be read.
    Unreadable(Refusal),
}

/// What is done for a row.
enum Work {
    Known(Verdict),
    Asked(AbortOnDropHandle<Result<Verdict, Error>>),
}

impl<O: Outputs> Import<O> {
    /// Reads, sends and settles rows until there are no more, no time, or something is wrong.
    pub(super) async fn rows<C: Chunks>(
        &mut self,
        file: &mut CsvFile<C>,
        layout: &Layout,
        errors: &mut ErrorsFile,
    ) -> Result<Last, Error> {
        let mut in_work = FuturesOrdered::new();
        let mut last = None;
        let (stop, give_up) =
            (until(self.limit.map(|limit| limit.stop_at)), until(self.limit.map(|limit| limit.give_up_at)));
        tokio::pin!(stop, give_up);
        loop {
            tokio::select! {
                biased;
                () = &mut stop, if last.is_none() => last = Some(Last::Stop),
                () = &mut give_up, if !in_work.is_empty() => return Ok(Last::Stop),
                Some((record, verdict)) = in_work.next(), if !in_work.is_empty() => {
                    let verdict: Result<Verdict, Error> = verdict;
                    match verdict? {
                        Verdict::Unknown => return Ok(Last::Stop),
                        verdict => self.settle(&record, verdict, errors)?,
                    }
                }
                step = file.next(), if last.is_none() && in_work.len() < self.args.import_concurrency => match step? {
                    Step::Record(record) => {
                        if let Some(work) = self.begin(&record, layout)? {
                            in_work.push_back(finish(record, work));
                        }
                    }
                    Step::TooLong(line) => last = Some(Last::Unreadable(too_long(line))),
                    Step::End | Step::More => last = Some(Last::End),
                },
                else => return Ok(last.unwrap_or(Last::End)),
            }
            self.save_if_due(errors).await?;
        }
    }

    /// Looks at a row, and sends it; `None` for one that is done.
    fn begin(&mut self, record: &Record, layout: &Layout) -> Result<Option<Work>, Error> {
        let is_done = record.line < self.from_line;
        let failed =
            |code: FieldCode, detail| Work::Known(Verdict::Failed(RowFault { code: code.code().to_owned(), detail }));
        if let Some((code, detail)) = record.fault(&layout.columns) {
            return Ok((!is_done).then(|| failed(code, detail)));
        }
        let row = Row::read(record, layout);
        let hash = row.hash(&self.origin);
        let first_line = self.duplicates.first_line(hash, record.line);
        if is_done {
            return Ok(None);
        }
        if let Some(first_line) = first_line {
            let detail = format!("the row is the same as the one on line {first_line}; leave one of them out");
            return Ok(Some(failed(FieldCode::DuplicateRow, detail)));
        }
        let Some(gateway) = self.gateway.clone() else { return Ok(Some(Work::Known(Verdict::Unsent))) };
        let (key, body, stop) = (hash.key(), row.body()?, self.limit.map(|limit| limit.stop_at));
        // A task of its own: it goes on while the outputs are written.
        let asked = tokio::spawn(async move { gateway.create(key, body, stop).await });
        Ok(Some(Work::Asked(AbortOnDropHandle::new(asked))))
    }

    /// Writes down what became of a row; those before it are settled.
    fn settle(&mut self, record: &Record, verdict: Verdict, errors: &mut ErrorsFile) -> Result<(), Error> {
        let Progress { line, rows, reasons, .. } = &mut self.report.progress;
        match verdict {
            Verdict::Created => rows.created += 1,
            Verdict::Unchanged => rows.unchanged += 1,
            Verdict::Failed(fault) => {
                errors.add(record, &fault)?;
                rows.failed += 1;
                *reasons.entry(fault.code).or_default() += 1;
            }
            Verdict::Unsent | Verdict::Unknown => {}
        }
        rows.read += 1;
        *line = record.line + 1;
        Ok(())
    }
}

/// A row, once it is known what became of it.
async fn finish(record: Record, work: Work) -> (Record, Result<Verdict, Error>) {
    let verdict = match work {
        Work::Known(verdict) => Ok(verdict),
        Work::Asked(task) => {
            task.await.unwrap_or_else(|error| Err(Error::Internal(format!("the request of a row ended: {error}"))))
        }
    };
    (record, verdict)
}
