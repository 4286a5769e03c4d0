//! Fetch: records from an offset on, at once or as soon as there are some.

use std::time::Duration;

use tansu_sans_io::fetch_request::{FetchPartition, FetchTopic};
use tansu_sans_io::fetch_response::{FetchableTopicResponse, PartitionData};
use tansu_sans_io::record::deflated::{Batch, Frame};
use tansu_sans_io::{ErrorCode, FetchRequest, FetchResponse, IsolationLevel};
use tansu_storage::{Error, Result, Storage as _, TopicId, Topition};
use tokio::time::{Instant, sleep_until};

use super::log::Log;

/// What one answer holds at most, whatever is asked for.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// What is left of an answer, and whether it is worth sending.
struct Budget {
    isolation: IsolationLevel,
    left: usize,
    used: usize,
    has_fault: bool,
}

impl Log {
    /// Answers a fetch: waits until there are as many bytes as asked for, or the time is up.
    pub(super) async fn fetch(&self, request: &FetchRequest) -> Result<FetchResponse> {
        let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
        let deadline = Instant::now() + wait;
        let enough = usize::try_from(request.min_bytes).unwrap_or(0);
        let asked = request.max_bytes.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(MAX_BYTES);
        let isolation = request.isolation_level.map_or(Ok(IsolationLevel::default()), IsolationLevel::try_from)?;
        loop {
            // Before the look, so that nothing comes between.
            let mut news = self.news();
            let mut budget = Budget { isolation, left: asked.min(MAX_BYTES), used: 0, has_fault: false };
            let mut topics = Vec::new();
            for topic in request.topics.iter().flatten() {
                topics.push(self.fetch_topic(topic, &mut budget).await?);
            }
            if budget.used >= enough || budget.has_fault || Instant::now() >= deadline {
                return Ok(FetchResponse::default()
                    .throttle_time_ms(Some(0))
                    .error_code(Some(ErrorCode::None.into()))
                    .session_id(Some(0))
                    .node_endpoints(Some(Vec::new()))
                    .responses(Some(topics)));
            }
            tokio::select! {
                // The sender lives as long as we do.
                _ = news.changed() => {}
                () = sleep_until(deadline) => {}
            }
        }
    }

    async fn fetch_topic(&self, asked: &FetchTopic, budget: &mut Budget) -> Result<FetchableTopicResponse> {
        let (name, id) = self.name_and_id(asked).await?;
        let mut partitions = Vec::new();
        for partition in asked.partitions.iter().flatten() {
            let data = match &name {
                Some(name) => self.fetch_partition(name, partition, budget).await,
                None => Err(Error::Api(ErrorCode::UnknownTopicId)),
            };
            partitions.push(match data {
                Ok(data) => data,
                Err(Error::Api(code)) => {
                    budget.has_fault = true;
                    partition_data(partition.partition, code)
                }
                Err(error) => return Err(error),
            });
        }
        Ok(FetchableTopicResponse::default().topic(asked.topic.clone()).topic_id(id).partitions(Some(partitions)))
    }

    /// Clients name a topic, or since version 13 its id.
    async fn name_and_id(&self, asked: &FetchTopic) -> Result<(Option<String>, Option<[u8; 16]>)> {
        if asked.topic.is_some() || asked.topic_id.is_none() {
            return Ok((asked.topic.clone(), asked.topic_id));
        }
        let metadata = self.engine.metadata(Some(&[TopicId::from(asked)])).await?;
        Ok((metadata.topics().first().and_then(|topic| topic.name.clone()), asked.topic_id))
    }

    async fn fetch_partition(&self, topic: &str, asked: &FetchPartition, budget: &mut Budget) -> Result<PartitionData> {
        let partition = Topition::new(topic, asked.partition);
        let stage = self.engine.offset_stage(&partition).await?;
        if !(stage.log_start()..=stage.high_watermark()).contains(&asked.fetch_offset) {
            return Err(Error::Api(ErrorCode::OffsetOutOfRange));
        }
        let limit = usize::try_from(asked.partition_max_bytes).unwrap_or(0).min(budget.left);
        let mut batches = Vec::new();
        if limit > 0 && asked.fetch_offset < stage.high_watermark() {
            // None where its records were deleted one by one: then from the next ones on.
            let held = self.batch_of(&partition, asked.fetch_offset, &stage).await?;
            let from = held.map_or(asked.fetch_offset, |batch| batch.base_offset);
            let limit = u32::try_from(limit).unwrap_or(u32::MAX);
            batches = self.engine.fetch(&partition, from, 0, limit, budget.isolation).await?;
        }
        let bytes: usize = batches.iter().map(size).sum();
        budget.left = budget.left.saturating_sub(bytes);
        budget.used += bytes;
        Ok(partition_data(asked.partition, ErrorCode::None)
            .high_watermark(stage.high_watermark())
            .last_stable_offset(Some(stage.last_stable()))
            .log_start_offset(Some(stage.log_start()))
            .records((!batches.is_empty()).then_some(Frame { batches })))
    }
}

fn size(batch: &Batch) -> usize {
    batch.record_data.len()
}

/// Without records, and with offsets that are not known.
fn partition_data(partition: i32, code: ErrorCode) -> PartitionData {
    PartitionData::default()
        .partition_index(partition)
        .error_code(code.into())
        .high_watermark(-1)
        .last_stable_offset(Some(-1))
        .log_start_offset(Some(-1))
        .aborted_transactions(Some(Vec::new()))
        .preferred_read_replica(Some(-1))
        .records(None)
}
