//! The bare client: what it costs to get the records from the broker at all.

use std::collections::BTreeSet;
use std::num::NonZero;
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};

use crate::Trouble;

const TIME_LIMIT: Duration = Duration::from_secs(10);

/// Reads the topic up to where it ends now, and prints how much that was. Of N threads each has a
/// client of its own, which reads every N-th partition.
pub(crate) fn poll(bootstrap_servers: &str, topic: &str, threads: NonZero<usize>) -> Result<(), Trouble> {
    let partitions = partitions(bootstrap_servers, topic)?;
    let read: Result<Vec<Read>, Trouble> = std::thread::scope(|scope| {
        let own = |thread: usize| partitions.iter().skip(thread).step_by(threads.get()).copied().collect::<Vec<_>>();
        let threads: Vec<_> = (0..threads.get())
            .map(|thread| scope.spawn(move || poll_partitions(bootstrap_servers, topic, own(thread))))
            .collect();
        threads.into_iter().map(|thread| thread.join().map_err(|_| "a thread has panicked")?).collect()
    });
    let read = read?;
    let (records, bytes) = (read.iter().map(|read| read.records).sum::<u64>(), read.iter().map(|read| read.bytes));
    println!("{records} records, {} bytes", bytes.sum::<u64>());
    Ok(())
}

struct Read {
    records: u64,
    bytes: u64,
}

fn client(bootstrap_servers: &str) -> Result<BaseConsumer, Trouble> {
    Ok(ClientConfig::new()
        .set("bootstrap.servers", bootstrap_servers)
        .set("group.id", "footfall-limit")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .create()?)
}

fn partitions(bootstrap_servers: &str, topic: &str) -> Result<Vec<i32>, Trouble> {
    let metadata = client(bootstrap_servers)?.fetch_metadata(Some(topic), TIME_LIMIT)?;
    let partitions = metadata.topics().first().map(rdkafka::metadata::MetadataTopic::partitions).unwrap_or_default();
    Ok(partitions.iter().map(rdkafka::metadata::MetadataPartition::id).collect())
}

fn poll_partitions(bootstrap_servers: &str, topic: &str, partitions: Vec<i32>) -> Result<Read, Trouble> {
    let consumer = client(bootstrap_servers)?;
    let mut assignment = TopicPartitionList::new();
    for partition in &partitions {
        assignment.add_partition_offset(topic, *partition, Offset::Beginning)?;
    }
    consumer.assign(&assignment)?;
    let mut open: BTreeSet<_> = partitions.into_iter().collect();
    let mut read = Read { records: 0, bytes: 0 };
    while !open.is_empty() {
        match consumer.poll(TIME_LIMIT) {
            Some(Ok(message)) => {
                read.records += 1;
                read.bytes += message.payload().map_or(0, <[u8]>::len) as u64;
            }
            Some(Err(rdkafka::error::KafkaError::PartitionEOF(partition))) => {
                open.remove(&partition);
            }
            Some(Err(error)) => return Err(error.into()),
            None => return Err(format!("no record of {topic} within {} s", TIME_LIMIT.as_secs()).into()),
        }
    }
    Ok(read)
}
