//! The broker of these tests.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use kit::broker::{self, Broker};
use kit::topic::{Reader, Record};
use tokio::runtime::Runtime;

/// Of every topic here.
const PARTITIONS: u32 = 3;

/// A broker, and the runtime that its admin client needs. Not to be called from asynchronous code.
pub(crate) struct Kafka {
    pub(crate) broker: Broker,
    _runtime: Runtime,
}

/// The broker that tests share, or `None` where Kafka cannot run. It ends with this process.
pub(crate) fn shared() -> Option<&'static Kafka> {
    static SHARED: OnceLock<Option<Kafka>> = OnceLock::new();
    SHARED.get_or_init(own).as_ref()
}

/// A broker of one test's own, which may stop it.
pub(crate) fn own() -> Option<Kafka> {
    if !broker::is_available().unwrap() {
        return None;
    }
    let runtime = Runtime::new().unwrap();
    // Not deleted here: the script does it when this process is gone.
    let folder = tempfile::Builder::new().prefix("footfall-kafka.").tempdir().unwrap().keep();
    let broker = Broker::start(folder, &[], runtime.handle().clone()).unwrap();
    Some(Kafka { broker, _runtime: runtime })
}

impl Kafka {
    /// Creates a topic; tests share the broker, so the name must be the test's own.
    pub(crate) fn create_topic(&self, name: &str) {
        self.broker.create_topics(&[(name, PARTITIONS)]).unwrap();
    }

    /// Everything in a topic.
    pub(crate) fn records(&self, topic: &str) -> Vec<Record> {
        let mut reader = Reader::new(&self.broker, topic, PARTITIONS).unwrap();
        reader.catch_up().unwrap().to_vec()
    }

    /// How often each value lies in a topic.
    pub(crate) fn values(&self, topic: &str) -> BTreeMap<String, usize> {
        let mut values = BTreeMap::new();
        for record in self.records(topic) {
            *values.entry(record.text()).or_default() += 1;
        }
        values
    }
}
