//! Produce: batches, behind one another in each partition, acknowledged once they are in a file.

use futures_util::future::join_all;
use slatedb::ErrorKind;
use tansu_sans_io::produce_request::{PartitionProduceData, TopicProduceData};
use tansu_sans_io::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use tansu_sans_io::record::deflated::Batch;
use tansu_sans_io::{ErrorCode, ProduceRequest, ProduceResponse};
use tansu_storage::{Error, Result, Storage as _, Topition};

use super::log::Log;

impl Log {
    /// Answers a request to write. Its partitions are written at the same time, and so wait for one file together.
    pub(super) async fn produce(&self, request: ProduceRequest) -> ProduceResponse {
        let transaction = request.transactional_id.as_deref();
        let topics = request.topic_data.into_iter().flatten();
        let topics = join_all(topics.map(|topic| self.produce_topic(transaction, topic))).await;
        ProduceResponse::default().responses(Some(topics)).throttle_time_ms(Some(0)).node_endpoints(None)
    }

    async fn produce_topic(&self, transaction: Option<&str>, topic: TopicProduceData) -> TopicProduceResponse {
        let partitions = topic.partition_data.into_iter().flatten();
        let partitions = partitions.map(|partition| self.produce_partition(transaction, &topic.name, partition));
        let partitions = join_all(partitions).await;
        TopicProduceResponse::default().name(topic.name).partition_responses(Some(partitions))
    }

    async fn produce_partition(
        &self,
        transaction: Option<&str>,
        topic: &str,
        asked: PartitionProduceData,
    ) -> PartitionProduceResponse {
        let partition = Topition::new(topic, asked.index);
        let mut first = None;
        let mut code = ErrorCode::None;
        for batch in asked.records.into_iter().flat_map(|records| records.batches) {
            match self.append(transaction, &partition, batch).await {
                Ok(offset) => first = first.or(Some(offset)),
                Err(Error::Api(refusal)) => code = refusal,
                Err(error) => {
                    tracing::warn!(%error, topic, partition = asked.index, "a batch cannot be written");
                    // Clients send it again.
                    code = ErrorCode::KafkaStorageError;
                }
            }
            if code != ErrorCode::None {
                break;
            }
        }
        PartitionProduceResponse::default()
            .index(asked.index)
            .error_code(code.into())
            .base_offset(first.filter(|_| code == ErrorCode::None).unwrap_or(-1))
            .log_append_time_ms(Some(-1))
            .log_start_offset(Some(0))
            .record_errors(Some(Vec::new()))
            .error_message(None)
            .current_leader(None)
    }

    /// Writes one batch.
    ///
    /// The engine keeps the state of all producers in one value, so transactions that overlap refuse one another, with an
    /// error that idempotent producers do not get over. The first one has committed then, and the others try again: all
    /// come through, and all wait for the file at the same time.
    async fn append(&self, transaction: Option<&str>, partition: &Topition, batch: Batch) -> Result<i64> {
        // It is never closed.
        let _permit = self.writers.acquire().await.map_err(|_| Error::Api(ErrorCode::KafkaStorageError))?;
        loop {
            match self.engine.produce(transaction, partition, batch.clone()).await {
                Err(Error::Slate(error)) if matches!(error.kind(), ErrorKind::Transaction) => {
                    tokio::task::yield_now().await;
                }
                result => return result,
            }
        }
    }
}
