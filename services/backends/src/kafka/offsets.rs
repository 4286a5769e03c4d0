//! ListOffsets: where a partition begins and ends, and where a time is in it.

use std::time::{Duration, UNIX_EPOCH};

use tansu_sans_io::list_offsets_request::ListOffsetsPartition;
use tansu_sans_io::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use tansu_sans_io::{ErrorCode, IsolationLevel, ListOffset, ListOffsetsRequest, ListOffsetsResponse};
use tansu_storage::{Error, Result, Storage as _, Topition};

use super::log::Log;

/// Offset and time where there is none.
const NONE: i64 = -1;

impl Log {
    /// Answers a request for offsets.
    pub(super) async fn list_offsets(&self, request: &ListOffsetsRequest) -> Result<ListOffsetsResponse> {
        let isolation = request.isolation_level.map_or(Ok(IsolationLevel::default()), IsolationLevel::try_from)?;
        let mut topics = Vec::new();
        for topic in request.topics.iter().flatten() {
            let mut partitions = Vec::new();
            for asked in topic.partitions.iter().flatten() {
                let (code, offset, time) = match self.find(&topic.name, asked, isolation).await {
                    Ok((offset, time)) => (ErrorCode::None, offset, time),
                    Err(Error::Api(code)) => (code, NONE, NONE),
                    Err(error) => return Err(error),
                };
                partitions.push(
                    ListOffsetsPartitionResponse::default()
                        .partition_index(asked.partition_index)
                        .error_code(code.into())
                        .offset(Some(offset))
                        .timestamp(Some(time))
                        .leader_epoch(Some(0)),
                );
            }
            topics.push(ListOffsetsTopicResponse::default().name(topic.name.clone()).partitions(Some(partitions)));
        }
        Ok(ListOffsetsResponse::default().throttle_time_ms(Some(0)).topics(Some(topics)))
    }

    async fn find(&self, topic: &str, asked: &ListOffsetsPartition, isolation: IsolationLevel) -> Result<(i64, i64)> {
        let partition = Topition::new(topic, asked.partition_index);
        let stage = self.engine.offset_stage(&partition).await?;
        match ListOffset::try_from(asked.timestamp)? {
            ListOffset::Earliest => Ok((stage.log_start(), NONE)),
            ListOffset::Latest if isolation == IsolationLevel::ReadCommitted => Ok((stage.last_stable(), NONE)),
            ListOffset::Latest => Ok((stage.high_watermark(), NONE)),
            ListOffset::Timestamp(_) => self.find_time(&partition, asked.timestamp).await,
        }
    }

    /// The batch from which on all records of this time or later are found; nothing where there are none.
    ///
    /// The engine knows when batches begin, for some of them, but not when they end, and clients' clocks differ. So from
    /// the batch that it names we go back as long as the one before reaches the time.
    async fn find_time(&self, partition: &Topition, millis: i64) -> Result<(i64, i64)> {
        let stage = self.engine.offset_stage(partition).await?;
        let time = UNIX_EPOCH + Duration::from_millis(millis.unsigned_abs());
        let asked = [(partition.clone(), ListOffset::Timestamp(time))];
        let known = self.engine.list_offsets(IsolationLevel::ReadUncommitted, &asked).await?;
        let known = known.first().and_then(|(_, found)| found.timestamp.and(found.offset));
        let mut found = (known.unwrap_or(stage.high_watermark()), millis);
        while found.0 > stage.log_start() {
            match self.batch_of(partition, found.0 - 1, &stage).await? {
                Some(batch) if batch.max_timestamp >= millis => found = (batch.base_offset, batch.max_timestamp),
                _ => break,
            }
        }
        Ok(if found.0 < stage.high_watermark() { found } else { (NONE, NONE) })
    }
}
