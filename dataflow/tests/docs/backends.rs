//! What stands in for the brokers and stores of a page: the same wire, in this process.
//!
//! A page asks with a comment: `<!-- backend: kafka localhost:9092 -->` or `<!-- backend: dynamodb localhost:8000 -->`.
//! The address is the one that the page tells its readers; in the test it is exchanged for the real one.

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use schemas::names;
use tokio::runtime::Runtime;

pub(crate) struct Backend {
    /// The address on the page.
    pub(crate) written: String,
    /// The address that is listened on.
    pub(crate) real: String,
    _running: Running,
}

enum Running {
    Kafka { _cluster: MockCluster<'static, DefaultProducerContext> },
    DynamoDb { _runtime: Runtime },
}

/// Starts the backends that a page asks for.
pub(crate) fn start(page: &str) -> Vec<Backend> {
    let comments = page.lines().filter_map(|line| line.strip_prefix("<!-- backend: ")?.strip_suffix(" -->"));
    let wishes = comments.map(|comment| comment.split_once(' ').unwrap());
    wishes
        .map(|(kind, address)| {
            let (real, running) = match kind {
                "kafka" => kafka(),
                "dynamodb" => dynamodb(),
                _ => panic!("there is no backend {kind}"),
            };
            Backend { written: address.to_owned(), real, _running: running }
        })
        .collect()
}

/// A broker with the default topics: it cannot create topics by request.
fn kafka() -> (String, Running) {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(names::RAW_EVENTS_TOPIC, 4, 1).unwrap();
    for name in [names::RESULTS_TOPIC, names::LATE_EVENTS_TOPIC, names::REJECTED_EVENTS_TOPIC] {
        cluster.create_topic(name, 1, 1).unwrap();
    }
    (cluster.bootstrap_servers(), Running::Kafka { _cluster: cluster })
}

/// An empty DynamoDB.
fn dynamodb() -> (String, Running) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    runtime.spawn(dynoxide::server::serve_on(listener, dynoxide::Database::memory().unwrap()));
    (address.to_string(), Running::DynamoDb { _runtime: runtime })
}
