//! The bare client: what it costs to get the records from the broker at all.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};

use crate::Trouble;

const TIME_LIMIT: Duration = Duration::from_secs(10);

/// Reads the topic up to where it ends now, and prints how much that was.
pub(crate) fn poll(bootstrap_servers: &str, topic: &str) -> Result<(), Trouble> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap_servers)
        .set("group.id", "footfall-limit")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .create()?;
    let metadata = consumer.fetch_metadata(Some(topic), TIME_LIMIT)?;
    let partitions = metadata.topics().first().map(rdkafka::metadata::MetadataTopic::partitions).unwrap_or_default();
    let mut assignment = TopicPartitionList::new();
    let mut open = BTreeMap::new();
    for partition in partitions {
        let (low, high) = consumer.fetch_watermarks(topic, partition.id(), TIME_LIMIT)?;
        if low < high {
            assignment.add_partition_offset(topic, partition.id(), Offset::Offset(low))?;
            open.insert(partition.id(), high);
        }
    }
    consumer.assign(&assignment)?;
    let (mut records, mut bytes) = (0_u64, 0_u64);
    while !open.is_empty() {
        let message = match consumer.poll(TIME_LIMIT) {
            Some(Ok(message)) => message,
            Some(Err(rdkafka::error::KafkaError::PartitionEOF(partition))) => {
                open.remove(&partition);
                continue;
            }
            Some(Err(error)) => return Err(error.into()),
            None => return Err(format!("no record of {topic} within {} s", TIME_LIMIT.as_secs()).into()),
        };
        records += 1;
        bytes += message.payload().map_or(0, <[u8]>::len) as u64;
    }
    println!("{records} records, {bytes} bytes");
    Ok(())
}
