//! Counts from the results topic of a real Kafka, merged with those of the table.

use std::time::{Duration, Instant};

use kit::broker::{self, Broker};
use schemas::{ResultRow, TopicRow, Window};
use serde_json::Value;
use tokio::runtime::Handle;

use crate::harness::Platform;
use crate::windows::{platform_with, put_count, windows};

/// How long a row may be on its way.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(50);
/// 2024-01-01T12:00:00Z.
const NOON: u32 = 28_401_840;

fn record(partition: u32, minute: u32, unique_user_count: u64, is_final: bool) -> (u32, String, String) {
    let row =
        ResultRow { product_id: "42".to_owned(), window: Window::from_ordinal(minute), unique_user_count, revision: 0 };
    (partition, "42".to_owned(), serde_json::to_string(&TopicRow { row, is_final }).unwrap())
}

/// Asks until the counts, the last minute first, are these.
async fn wait_for(platform: &Platform, expected: &[(u64, bool)]) {
    let began = Instant::now();
    loop {
        let page = windows(platform, "").await;
        let row = |row: &Value| (row["unique_user_count"].as_u64().unwrap(), row["final"].as_bool().unwrap());
        let counts: Vec<_> = page["items"].as_array().unwrap().iter().map(row).collect();
        if counts == expected {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{page}");
        tokio::time::sleep(PAUSE).await;
    }
}

/// The broker's client blocks.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_row_of_topic_and_table_is_shown_also_after_the_broker_was_away() {
    let runtime = Handle::current();
    let start = move || {
        broker::is_available().unwrap().then(|| {
            // Not deleted here: the script does it when this process is gone.
            let folder = tempfile::Builder::new().prefix("footfall-kafka.").tempdir().unwrap().keep();
            let broker = Broker::start(folder, &[], runtime).unwrap();
            broker.create_topics(&[("results", 2)]).unwrap();
            // Of before the gateway started, behind a record that is no row.
            let broken = (0, "42".to_owned(), "{".to_owned());
            broker.send("results", &[broken, record(0, NOON + 1, 5, false), record(1, NOON + 2, 1, false)]).unwrap();
            broker
        })
    };
    let Some(broker) = blocking(start).await else { return };
    let flags = ["--kafka-bootstrap-servers", &broker.bootstrap, "--kafka-output-topic", "results"];
    let platform = platform_with(&flags).await;
    put_count(&platform, "42", NOON, 17, true).await;
    // Older than the topic's.
    put_count(&platform, "42", NOON + 1, 3, false).await;
    wait_for(&platform, &[(1, false), (5, false), (17, true)]).await;

    let broker = blocking(move || {
        broker.send("results", &[record(1, NOON + 1, 6, true), record(1, NOON + 2, 2, false)]).unwrap();
        broker
    })
    .await;
    wait_for(&platform, &[(2, false), (6, true), (17, true)]).await;

    let _broker = blocking(move || {
        broker.stop().unwrap();
        broker.start_again().unwrap();
        broker.send("results", &[record(0, NOON + 2, 4, false)]).unwrap();
        broker
    })
    .await;
    wait_for(&platform, &[(4, false), (6, true), (17, true)]).await;
}
