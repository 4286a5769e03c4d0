//! What keeps the store small and quick to open while it runs for days.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use slatedb::Db;
use slatedb::config::{FlushOptions, FlushType};
use tansu_storage::Storage as _;
use tokio::time::MissedTickBehavior;
use uuid::Uuid;

use super::front::Turn;
use super::log::Log;

/// How often.
const INTERVAL: Duration = Duration::from_secs(60);
/// Between two batches whose times are remembered.
const TIMES_APART_MILLIS: i64 = 60_000;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Runs for ever.
pub(super) async fn run(store: Arc<Db>, log: Arc<Log>, turn: Turn) {
    let mut timer = tokio::time::interval(INTERVAL);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        timer.tick().await;
        if let Err(error) = once(&store, &log, &turn).await {
            tracing::warn!(%error, "Kafka's store cannot be tidied up");
        }
    }
}

/// Thins out what the engine remembers of times, and writes out what else only the write-ahead log holds, so that its
/// files can go and the next start need not read them.
async fn once(store: &Db, log: &Log, turn: &Turn) -> Result<(), Failure> {
    let metadata = log.engine.metadata(None).await?;
    for topic in metadata.topics() {
        let Some(id) = topic.topic_id else { continue };
        for partition in topic.partitions.iter().flatten() {
            let _turn = turn.lock().await;
            thin_out(store, Uuid::from_bytes(id), partition.partition_index).await?;
        }
    }
    Ok(store.flush_with_options(FlushOptions { flush_type: FlushType::MemTable }).await?)
}

/// Under which the engine keeps how far a partition reaches.
#[derive(Debug, Serialize)]
struct ReachKey {
    prefix: char,
    topic: Uuid,
    #[serde(with = "postcard::fixint::be")]
    partition: i32,
}

/// How far a partition reaches, and when which batch came: a map that grows with each batch and is written with each.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Reach {
    low: Option<i64>,
    high: Option<i64>,
    times: Option<BTreeMap<i64, i64>>,
}

async fn thin_out(store: &Db, topic: Uuid, partition: i32) -> Result<(), Failure> {
    let key = postcard::to_stdvec(&ReachKey { prefix: 'w', topic, partition })?;
    let Some(bytes) = store.get(&key).await? else { return Ok(()) };
    let mut reach: Reach = postcard::from_bytes(&bytes)?;
    if let Some(times) = &mut reach.times {
        let before = times.len();
        keep_apart(times);
        if times.len() < before {
            store.put(&key, postcard::to_stdvec(&reach)?).await?;
        }
    }
    Ok(())
}

/// Keeps of each minute the first.
fn keep_apart(times: &mut BTreeMap<i64, i64>) {
    let mut last = None;
    times.retain(|time, _| {
        let minute = time.div_euclid(TIMES_APART_MILLIS);
        last.replace(minute) != Some(minute)
    });
}

#[cfg(test)]
mod tests {
    use rdkafka::ClientConfig;
    use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
    use rdkafka::client::DefaultClientContext;
    use rdkafka::consumer::{BaseConsumer, Consumer as _};
    use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
    use rdkafka::{Offset, TopicPartitionList};
    use tansu_storage::slate::Engine;

    use super::*;
    use crate::Kafka;

    const PATIENCE: Duration = Duration::from_secs(20);
    const BATCHES: i64 = 90;

    /// What the engine has written about the only partition there is.
    async fn reach(store: &Db, log: &Log) -> Reach {
        let topic = log.engine.metadata(None).await.unwrap().topics()[0].topic_id.unwrap();
        let key = ReachKey { prefix: 'w', topic: Uuid::from_bytes(topic), partition: 0 };
        let bytes = store.get(postcard::to_stdvec(&key).unwrap()).await.unwrap().unwrap();
        postcard::from_bytes(&bytes).unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn tidying_up_thins_out_times_and_changes_no_offset() {
        let folder = tempfile::tempdir().unwrap();
        let kafka = Kafka::start(&folder.path().join("kafka"), 0).await.unwrap();
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", kafka.address().to_string()).set("group.id", "test");
        let admin: AdminClient<DefaultClientContext> = client.create().unwrap();
        let topic = NewTopic::new("events", 1, TopicReplication::Fixed(1));
        admin.create_topics([&topic], &AdminOptions::new()).await.unwrap();
        // A batch each second, a minute and a half.
        let writer = client.clone();
        let write = move || {
            let producer: BaseProducer = writer.create().unwrap();
            for second in 0..BATCHES {
                let record = BaseRecord::<(), _>::to("events").payload("event").timestamp(6_000_000 + second * 1_000);
                producer.send(record).unwrap();
                producer.flush(PATIENCE).unwrap();
            }
        };
        tokio::task::spawn_blocking(write).await.unwrap();
        let url = url::Url::parse("tcp://127.0.0.1").unwrap();
        let log = Log::new(Engine::new(crate::kafka::CLUSTER, crate::kafka::NODE, url, Arc::clone(&kafka.store)));
        let before = reach(&kafka.store, &log).await;
        assert_eq!(before.times.as_ref().unwrap().len(), usize::try_from(BATCHES).unwrap());

        once(&kafka.store, &log, &Turn::default()).await.unwrap();

        let after = reach(&kafka.store, &log).await;
        assert_eq!(after.times.unwrap().into_iter().collect::<Vec<_>>(), [(6_000_000, 0), (6_060_000, 60)]);
        assert_eq!((after.low, after.high), (before.low, before.high));
        let reader: BaseConsumer = client.create().unwrap();
        let look = move || {
            let mut asked = TopicPartitionList::new();
            asked.add_partition_offset("events", 0, Offset::Offset(6_030_000)).unwrap();
            let found = reader.offsets_for_times(asked, PATIENCE).unwrap().elements()[0].offset();
            (found, reader.fetch_watermarks("events", 0, PATIENCE).unwrap())
        };
        assert_eq!(tokio::task::spawn_blocking(look).await.unwrap(), (Offset::Offset(30), (0, BATCHES)));
        kafka.stop().await.unwrap();
    }

    #[test]
    fn of_the_times_of_a_minute_the_first_is_kept_and_a_second_round_changes_nothing() {
        let mut times: BTreeMap<i64, i64> = (0..600).map(|second| (second * 1_000 + 500, second)).collect();
        keep_apart(&mut times);
        let kept: Vec<_> = (0..10).map(|minute| (minute * 60_000 + 500, minute * 60)).collect();
        assert_eq!(times.clone().into_iter().collect::<Vec<_>>(), kept);
        keep_apart(&mut times);
        assert_eq!(times.len(), kept.len());
    }
}
