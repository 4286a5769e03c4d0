//! The dataflow job, on a thread of its own.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::thread;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use dataflow::classify::Rules;
use dataflow::kafka::{KafkaArgs, topic};
use schemas::names::{ANALYTICS_TABLE, CONTROL_TABLE_SUFFIX, control};
use service_kit::Error;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::backends::Backends;
use crate::folder::Folder;

/// The job as it runs.
#[derive(Debug)]
pub(crate) struct Job {
    /// Is told how it ended.
    pub(crate) ended: oneshot::Receiver<Result<(), Error>>,
    /// Where its metrics are; known before it says its first word.
    pub(crate) admin: Arc<OnceLock<SocketAddr>>,
}

/// Starts the job.
pub(crate) fn start(backends: &Backends, folder: &Folder, stop: CancellationToken) -> Result<Job, Error> {
    let flags = flags(backends, folder);
    let (sender, ended) = oneshot::channel();
    let admin = Arc::new(OnceLock::new());
    let told = Arc::clone(&admin);
    let run = move || {
        let until_stop = async move { stop.cancelled().await };
        let result = dataflow::cli::run_until(flags, until_stop, move |address| {
            // Told once.
            let _ = told.set(address);
        });
        let result = result.map_err(|error| Error::Failed(format!("the dataflow job ended: {error}")));
        // Nobody waits for it any more when the platform fails to start.
        drop(sender.send(result));
    };
    thread::Builder::new()
        .name("dataflow".to_owned())
        .spawn(run)
        .map_err(|error| Error::Failed(format!("cannot start the dataflow job: {error}")))?;
    Ok(Job { ended, admin })
}

/// What its counts depend on.
pub(crate) fn rules(backends: &Backends, folder: &Folder) -> Result<Rules, Error> {
    dataflow::cli::rules(flags(backends, folder)).map_err(|error| Error::Usage(error.to_string()))
}

/// Creates a topic that others than the job use, where it is not there.
pub(crate) async fn create_topic(kafka: &KafkaArgs, topic: &str) -> Result<(), Error> {
    let (kafka, topic) = (kafka.clone(), topic.to_owned());
    let create = move || topic::create_missing(&kafka, &[&topic], topic::DEFAULT_PARTITIONS);
    let created = tokio::task::spawn_blocking(create).await;
    created.map_err(|panic| Error::Failed(panic.to_string()))?.map_err(|error| Error::Failed(error.to_string()))
}

/// What the job last said of itself, where it ever did. It says something every second.
pub(crate) async fn last_word(dynamodb: &Client) -> Option<AttributeValue> {
    let table = std::env::var("DYNAMODB_TABLE").unwrap_or_else(|_| ANALYTICS_TABLE.to_owned());
    let request = dynamodb.get_item().table_name(format!("{table}{CONTROL_TABLE_SUFFIX}"));
    let request = request.key(control::KEY, AttributeValue::S(control::JOB.to_owned()));
    // Until the job has made the table there is an error, and no word.
    request.send().await.ok()?.item?.remove(control::PROCESSED_AT)
}

fn flags(backends: &Backends, folder: &Folder) -> Vec<String> {
    let mut flags: Vec<String> = [
        "--source",
        "kafka",
        "--sink",
        "kafka,dynamodb",
        "--create-topics",
        "--create-table",
        "--workers",
        "1",
        "--live-store-interval",
        "2s",
        "--kafka-bootstrap-servers",
        &backends.kafka_servers,
        "--dynamodb-endpoint-url",
        &backends.dynamodb_url,
        // The platform has a page for the metrics of all its parts.
        "--admin-addr",
        "127.0.0.1:0",
    ]
    .map(str::to_owned)
    .into();
    if backends.has_embedded_kafka() {
        // It has no transactions, and its fetches are answered when there is news.
        let resume = format!("file:{}", folder.join("resume").display());
        flags.extend(["--delivery", "at-least-once", "--resume", &resume].map(str::to_owned));
    }
    flags
}
