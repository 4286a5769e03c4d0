//! A results topic on a broker in this process.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use backends::Kafka;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use schemas::{ResultRow, TopicRow, Window};
use tempfile::TempDir;

/// How long anything may be on its way.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// 2024-01-01T12:00:00Z.
pub(crate) const NOON: u32 = 28_401_840;
const TOPIC: &str = "results";

/// The topic, as the job writes it.
pub(crate) struct Topic {
    kafka: Option<Kafka>,
    address: String,
    // Goes behind the broker.
    folder: TempDir,
}

/// A row of a running minute, counted in minutes after noon; or a final one.
pub(crate) fn row(product: &str, minute: u32, is_final: bool, unique_user_count: u64) -> TopicRow {
    let window = Window::from_ordinal(NOON + minute);
    let row = ResultRow { product_id: product.to_owned(), window, unique_user_count, revision: 0 };
    TopicRow { row, is_final }
}

/// A final row that was written again.
pub(crate) fn revised(product: &str, minute: u32, unique_user_count: u64, revision: u64) -> TopicRow {
    let mut row = row(product, minute, true, unique_user_count);
    row.row.revision = revision;
    row
}

impl Topic {
    pub(crate) async fn start(partitions: i32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let kafka = Kafka::start(&folder.path().join("kafka"), 0).await.unwrap();
        let address = kafka.address().to_string();
        let topic = Topic { kafka: Some(kafka), address, folder };
        let admin: AdminClient<DefaultClientContext> = topic.config().create().unwrap();
        let new = NewTopic::new(TOPIC, partitions, TopicReplication::Fixed(1));
        let made = admin.create_topics([&new], &AdminOptions::new()).await.unwrap();
        assert!(made.iter().all(Result::is_ok), "{made:?}");
        topic
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.address).set("linger.ms", "5");
        config
    }

    /// How a gateway is told.
    pub(crate) fn flags(&self) -> [&str; 4] {
        ["--kafka-bootstrap-servers", &self.address, "--kafka-output-topic", TOPIC]
    }

    /// Writes rows to one partition.
    pub(crate) async fn send(&self, partition: i32, rows: impl IntoIterator<Item = TopicRow>) {
        self.send_dated(partition, rows, Duration::ZERO).await;
    }

    /// Writes rows as if that had been so long ago.
    pub(crate) async fn send_dated(&self, partition: i32, rows: impl IntoIterator<Item = TopicRow>, ago: Duration) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let time = i64::try_from((now - ago).as_millis()).unwrap();
        let rows: Vec<_> =
            rows.into_iter().map(|row| (row.row.product_id.clone(), serde_json::to_string(&row).unwrap())).collect();
        let producer: BaseProducer = self.config().create().unwrap();
        // The client blocks; the broker runs on other threads.
        let sending = tokio::task::spawn_blocking(move || {
            for (key, payload) in &rows {
                let record = BaseRecord::to(TOPIC).partition(partition).key(key).payload(payload).timestamp(time);
                producer.send(record).unwrap();
            }
            producer.flush(PATIENCE).unwrap();
        });
        sending.await.unwrap();
    }

    /// Stops the broker; its records stay.
    pub(crate) async fn stop_broker(&mut self) {
        self.kafka.take().unwrap().stop().await.unwrap();
    }

    /// Starts it again where it was.
    pub(crate) async fn start_broker(&mut self) {
        let port = self.address.rsplit_once(':').unwrap().1.parse().unwrap();
        self.kafka = Some(Kafka::start(&self.folder.path().join("kafka"), port).await.unwrap());
    }
}
