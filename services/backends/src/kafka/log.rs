//! The records of a partition: batches, one after the other, each found by its first offset.

use tansu_sans_io::IsolationLevel;
use tansu_sans_io::record::deflated::Batch;
use tansu_storage::slate::Engine;
use tansu_storage::{OffsetStage, Result, Storage as _, Topition};
use tokio::sync::watch;

/// The engine, and news that there is more in it.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) engine: Engine,
    grown: watch::Sender<()>,
}

impl Log {
    pub(super) fn new(engine: Engine) -> Self {
        Log { engine, grown: watch::Sender::new(()) }
    }

    /// Tells those who wait that there may be more records.
    pub(super) fn has_grown(&self) {
        self.grown.send_replace(());
    }

    /// Tells of what has grown since this was called.
    pub(super) fn news(&self) -> watch::Receiver<()> {
        self.grown.subscribe()
    }

    /// The first batch that begins at the offset or later.
    async fn next_batch(&self, partition: &Topition, offset: i64) -> Result<Option<Batch>> {
        // One byte at most: a fetch always gives one batch.
        let batches = self.engine.fetch(partition, offset, 0, 1, IsolationLevel::ReadUncommitted).await?;
        Ok(batches.into_iter().next())
    }

    /// The batch that holds an offset between the log's start and its end.
    ///
    /// Batches are found by their first offset alone, so we go back, further each time, until one begins early enough, and
    /// forward from there. Readers that go on where they were begin at a batch; there the first look suffices.
    pub(super) async fn batch_of(
        &self,
        partition: &Topition,
        offset: i64,
        stage: &OffsetStage,
    ) -> Result<Option<Batch>> {
        let mut back = 0;
        let mut batch = loop {
            let from = (offset - back).max(stage.log_start());
            match self.next_batch(partition, from).await? {
                Some(batch) if batch.base_offset <= offset => break batch,
                _ if from == stage.log_start() => return Ok(None),
                _ => back = (back * 2).max(1),
            }
        };
        while end_of(&batch) <= offset {
            match self.next_batch(partition, end_of(&batch)).await? {
                Some(next) if next.base_offset <= offset => batch = next,
                _ => return Ok(None),
            }
        }
        Ok(Some(batch))
    }
}

/// The offset after the batch's last one.
pub(super) fn end_of(batch: &Batch) -> i64 {
    batch.base_offset + i64::from(batch.last_offset_delta) + 1
}
