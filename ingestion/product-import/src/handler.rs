//! An invocation: every import that its event asks for, one after the other.

use serde_json::Value;
use tokio::time::Instant;

use schemas::FieldCode;

use crate::event::{Continuation, tasks};
use crate::file::Refusal;
use crate::import::{Ending, Import, Task};
use crate::report::{Progress, Rows};
use crate::row::Origin;
use crate::settings::{ImportArgs, TimeLimit};
use crate::store::{Found, ObjectId, Store, StoreOutputs};
use crate::summary::Summary;
use crate::{Error, Gateway};

/// How often an import is continued at most.
pub const MAX_HOPS: u32 = 50;

/// How an import is gone on with later: in the cloud, the function invokes itself.
pub trait Continue: Send + Sync {
    /// Sees to it that this is handled, soon.
    ///
    /// # Errors
    /// Where that cannot be done.
    fn go_on(&self, continuation: &Continuation) -> impl Future<Output = Result<(), Error>> + Send;
}

/// What imports objects of S3.
#[derive(Clone, Debug)]
pub struct Importer {
    /// Where objects are.
    pub store: Store,
    /// Where products are made.
    pub gateway: Gateway,
    /// How it is done.
    pub args: ImportArgs,
}

impl Importer {
    /// Handles an event: one of S3, with any number of records, or a [`Continuation`]. What happened is added to `summary`.
    ///
    /// # Errors
    /// The first one, once every record was tried: then the event is to be handled again, which makes no product twice.
    pub async fn handle(
        &self,
        event: Value,
        limit: Option<TimeLimit>,
        next: &impl Continue,
        summary: &mut Summary,
    ) -> Result<(), Error> {
        let mut result = Ok(());
        for task in tasks(event)? {
            let id = task.clone();
            let began = Instant::now();
            let imported = match limit {
                Some(limit) if limit.is_over() => self.later(task, next, summary).await,
                limit => self.import(task, limit, next, summary).await,
            };
            if let Err(error) = imported {
                tracing::error!(bucket = id.origin.bucket, key = id.origin.key, %error, "not imported");
                result = result.and(Err(error));
            } else {
                tracing::info!(bucket = id.origin.bucket, key = id.origin.key, took = ?began.elapsed(), "done");
            }
        }
        result
    }

    async fn import(
        &self,
        task: Task,
        limit: Option<TimeLimit>,
        next: &impl Continue,
        summary: &mut Summary,
    ) -> Result<(), Error> {
        let Task { origin, version, etag, progress } = task;
        let body = match self.store.open(ObjectId { origin: origin.clone(), version, etag }).await? {
            Found::Object(body) => body,
            Found::Output => {
                summary.skipped += 1;
                return Ok(());
            }
            Found::Gone => {
                tracing::info!(
                    bucket = origin.bucket,
                    key = origin.key,
                    "the object was deleted or replaced meanwhile"
                );
                summary.gone += 1;
                return Ok(());
            }
        };
        let before = progress.rows;
        let task = Task { origin: origin.clone(), version: body.version(), etag: body.etag(), progress };
        let outputs = StoreOutputs::new(self.store.clone(), &origin);
        let mut import = Import::new(task.clone(), Some(self.gateway.clone()), outputs, self.args.clone(), limit);
        let ending = import.run(*body).await;
        summary.add(before, import.report().progress.rows);
        match ending {
            Ok(Ending::Finished) => summary.finished += 1,
            Ok(Ending::Refused) => summary.refused += 1,
            Ok(Ending::Stopped) => {
                let progress = import.report().progress.clone();
                if progress.hop >= MAX_HOPS {
                    let refusal = Refusal { code: FieldCode::Interrupted, detail: too_long(), line: None };
                    import.refuse(refusal, None).await?;
                }
                self.later(Task { progress, ..task }, next, summary).await?;
            }
            Err(Error::Gone { bucket, key }) => {
                tracing::info!(bucket, key, "the object was deleted or replaced while it was imported");
                summary.gone += 1;
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Leaves an import to the next invocation.
    async fn later(&self, task: Task, next: &impl Continue, summary: &mut Summary) -> Result<(), Error> {
        if task.progress.hop >= MAX_HOPS {
            let Origin { bucket, key } = &task.origin;
            return Err(Error::Unfinished(format!("s3://{bucket}/{key}: {}", too_long())));
        }
        let progress = Progress { hop: task.progress.hop + 1, ..task.progress };
        next.go_on(&Continuation::of(Task { progress, ..task })).await?;
        summary.continued += 1;
        Ok(())
    }
}

fn too_long() -> String {
    format!("the import did not end within {MAX_HOPS} continuations; divide the file into smaller ones")
}

impl Summary {
    /// Adds the rows by which an import has come on. One that began again has come on by all of them.
    fn add(&mut self, before: Rows, after: Rows) {
        let before = if after.read < before.read { Rows::default() } else { before };
        self.rows.read += after.read - before.read;
        self.rows.created += after.created.saturating_sub(before.created);
        self.rows.unchanged += after.unchanged.saturating_sub(before.unchanged);
        self.rows.failed += after.failed.saturating_sub(before.failed);
    }
}
