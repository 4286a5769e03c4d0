//! What an operator can do to topics and groups behind a job's back.

use std::time::Duration;

use dataflow::kafka::CommittedOffset;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::{Offset, TopicPartitionList};

use crate::broker::Broker;
use crate::jobs::until;

const TIMEOUT: Duration = Duration::from_secs(15);

fn with_admin<T>(broker: &Broker, act: impl AsyncFnOnce(&AdminClient<DefaultClientContext>, &AdminOptions) -> T) -> T {
    let admin: AdminClient<DefaultClientContext> = broker.client().create().unwrap();
    let options = AdminOptions::new().operation_timeout(Some(TIMEOUT)).request_timeout(Some(TIMEOUT));
    // The client has its own thread; the runtime only waits for it.
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(act(&admin, &options))
}

/// Deletes a topic, and creates it anew.
pub(crate) fn recreate_topic(broker: &Broker, topic: &str, partitions: i32) {
    with_admin(broker, async |admin, options| {
        for result in admin.delete_topics(&[topic], options).await.unwrap() {
            result.unwrap();
        }
    });
    let consumer: BaseConsumer = broker.client().create().unwrap();
    until("the topic is deleted", || {
        let metadata = consumer.fetch_metadata(None, TIMEOUT).unwrap();
        (!metadata.topics().iter().any(|found| found.name() == topic)).then_some(())
    });
    broker.create_topic(topic, partitions);
}

/// Adds partitions to a topic, up to this number.
pub(crate) fn grow_topic(broker: &Broker, topic: &str, partitions: usize) {
    with_admin(broker, async |admin, options| {
        for result in admin.create_partitions([&NewPartitions::new(topic, partitions)], options).await.unwrap() {
            result.unwrap();
        }
    });
    let consumer: BaseConsumer = broker.client().create().unwrap();
    until("the topic has its partitions", || {
        let metadata = consumer.fetch_metadata(Some(topic), TIMEOUT).unwrap();
        (metadata.topics()[0].partitions().len() == partitions).then_some(())
    });
}

/// Deletes the records of a partition below an offset, as retention does.
pub(crate) fn delete_records(broker: &Broker, topic: &str, partition: i32, below: i64) {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, Offset::Offset(below)).unwrap();
    with_admin(broker, async |admin, options| {
        let deleted = admin.delete_records(&list, options).await.unwrap();
        deleted.elements().iter().for_each(|partition| partition.error().unwrap());
    });
}

/// Deletes a group, with all that it has committed.
pub(crate) fn delete_group(broker: &Broker, group: &str) {
    with_admin(broker, async |admin, options| {
        for result in admin.delete_groups(&[group], options).await.unwrap() {
            result.unwrap();
        }
    });
}

/// Commits offsets as any other program does.
pub(crate) fn commit_by_hand(broker: &Broker, group: &str, topic: &str, commits: &[CommittedOffset]) {
    let consumer: BaseConsumer = broker.client().set("group.id", group).create().unwrap();
    let mut list = TopicPartitionList::new();
    for CommittedOffset { partition, offset, metadata } in commits {
        let mut element = list.add_partition(topic, i32::try_from(*partition).unwrap());
        element.set_offset(Offset::Offset(i64::try_from(*offset).unwrap())).unwrap();
        element.set_metadata(metadata);
    }
    consumer.commit(&list, CommitMode::Sync).unwrap();
}
