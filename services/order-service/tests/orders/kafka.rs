//! The broker of these tests.

use std::sync::OnceLock;

use kit::broker::{self, Broker};
use kit::topic::Reader;
use schemas::OrderEvent;
use tokio::runtime::Runtime;
use tokio::task::spawn_blocking;

/// Of every topic here.
const PARTITIONS: u32 = 3;

/// A broker, and the runtime that its admin client needs. It blocks, thus is used from threads that may.
struct Blocking {
    broker: Broker,
    _runtime: Runtime,
}

/// A broker.
#[derive(Clone, Copy)]
pub(crate) struct Kafka(&'static Blocking);

/// The broker that tests share, or `None` where Kafka cannot run. It ends with this process.
pub(crate) async fn shared() -> Option<Kafka> {
    static SHARED: OnceLock<Option<Blocking>> = OnceLock::new();
    let start = || {
        if !broker::is_available().unwrap() {
            return None;
        }
        let runtime = Runtime::new().unwrap();
        // Not deleted here: the script does it when this process is gone.
        let folder = tempfile::Builder::new().prefix("footfall-kafka.").tempdir().unwrap().keep();
        let broker = Broker::start(folder, &[], runtime.handle().clone()).unwrap();
        Some(Blocking { broker, _runtime: runtime })
    };
    spawn_blocking(move || SHARED.get_or_init(start).as_ref().map(Kafka)).await.unwrap()
}

impl Kafka {
    /// How the service is told of it and of a topic.
    pub(crate) fn flags(self, topic: &'static str) -> [&'static str; 4] {
        ["--kafka-bootstrap-servers", &self.0.broker.bootstrap, "--kafka-orders-topic", topic]
    }

    /// Creates a topic; tests share the broker, so the name must be the test's own.
    pub(crate) async fn create_topic(self, name: &'static str) {
        spawn_blocking(move || self.0.broker.create_topics(&[(name, PARTITIONS)]).unwrap()).await.unwrap();
    }

    /// The events of a topic, of each order in order. Their keys must be their orders'.
    pub(crate) async fn events(self, topic: &'static str) -> Vec<OrderEvent> {
        let read = move || {
            let mut reader = Reader::new(&self.0.broker, topic, PARTITIONS).unwrap();
            let records = reader.catch_up().unwrap().iter();
            records
                .map(|record| {
                    let event: OrderEvent = serde_json::from_str(&record.text()).unwrap();
                    assert_eq!(record.key.as_deref(), Some(event.order_id.as_bytes()));
                    event
                })
                .collect()
        };
        spawn_blocking(read).await.unwrap()
    }
}
