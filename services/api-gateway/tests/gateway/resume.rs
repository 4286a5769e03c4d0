//! Streams that go on elsewhere: nothing is lost, nothing comes twice, and what cannot go on begins anew.

use std::collections::HashMap;
use std::time::Duration;

use proptest::prelude::RngExt as _;
use proptest::test_runner::{RngAlgorithm, TestRng};
use schemas::{TopicRow, Window};

use crate::harness::Platform;
use crate::sse::Stream;
use crate::topic::{Topic, row};
use crate::windows::platform_with;

async fn gateway(topic: &Topic) -> Platform {
    platform_with(&topic.flags()).await
}

/// What a client knows: the newest row of each product and minute.
#[derive(Debug, Default, PartialEq)]
struct Known(HashMap<(String, Window), TopicRow>);

impl Known {
    fn learn(&mut self, row: TopicRow) {
        let key = (row.row.product_id.clone(), row.row.window);
        if self.0.get(&key).is_none_or(|present| present.rank() < row.rank()) {
            self.0.insert(key, row);
        }
    }
}

/// Random, and the same in every run.
struct Chance(TestRng);

impl Chance {
    fn below(&mut self, bound: u32) -> u32 {
        self.0.random_range(0..bound)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_cut_off_again_and_again_and_moves_between_replicas_loses_nothing_and_gets_nothing_twice() {
    const PARTITIONS: u32 = 3;
    const BURSTS: u32 = 40;
    let topic = Topic::start(3).await;
    let mut chance = Chance(TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let replicas = [gateway(&topic).await, gateway(&topic).await];
    let mut stream = Stream::of_all(&replicas[0], None).await;
    stream.wait_for_id().await;
    Stream::of_all(&replicas[1], None).await.wait_for_id().await;

    let bursts: Vec<(u32, Vec<TopicRow>)> = (0..BURSTS)
        .map(|burst| {
            let partition = chance.below(PARTITIONS);
            let rows = (0..=chance.below(30)).map(|_| {
                // A product's rows stand in one partition; minutes go on.
                let product = format!("{partition}-{}", chance.below(5));
                row(&product, burst / 4 + chance.below(2), chance.below(4) == 0, u64::from(chance.below(40)) + 1)
            });
            (partition, rows.collect())
        })
        .collect();
    let mut expected = Known::default();
    bursts.iter().flat_map(|(_, rows)| rows).for_each(|row| expected.learn(row.clone()));
    let last: Vec<TopicRow> = (0..PARTITIONS).map(|partition| row(&format!("end-{partition}"), 12, true, 1)).collect();
    last.iter().for_each(|row| expected.learn(row.clone()));
    let sending = tokio::spawn(async move {
        for (partition, rows) in bursts {
            topic.send(i32::try_from(partition).unwrap(), rows).await;
        }
        for (partition, row) in (0..).zip(last) {
            topic.send(partition, [row]).await;
        }
        topic
    });

    let (mut known, mut seen, mut ends, mut cuts) = (Known::default(), HashMap::new(), 0, 0);
    while ends < PARTITIONS {
        for _ in 0..=chance.below(25) {
            let event = stream.next_but_watermarks().await.unwrap();
            let row = event.row().unwrap_or_else(|| panic!("{event:?}"));
            ends += u32::from(row.row.product_id.starts_with("end-"));
            let key = (row.row.product_id.clone(), row.row.window);
            // Within a product and minute each row is newer than the one before, so none came twice.
            if let Some(before) = seen.insert(key, row.rank()) {
                assert!(before < row.rank(), "{row:?} after {before:?}");
            }
            known.learn(row);
            if ends == PARTITIONS {
                break;
            }
        }
        cuts += 1;
        let last_id = stream.last_id.clone();
        drop(stream);
        stream = Stream::of_all(&replicas[chance.below(2) as usize], Some(&last_id)).await;
    }
    let _topic = sending.await.unwrap();
    assert_eq!(known, expected);
    assert!(cuts > 5, "{cuts}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_goes_on_after_the_gateway_was_started_again() {
    let topic = Topic::start(2).await;
    topic.send(0, [row("a", 1, false, 1), row("b", 1, false, 1)]).await;
    let platform = gateway(&topic).await;
    let mut stream = Stream::of_all(&platform, None).await;
    stream.rows(2).await;
    platform.stop().await.unwrap();
    assert_eq!(stream.next_but_watermarks().await, None);
    topic.send(1, [row("c", 1, false, 1)]).await;
    topic.send(0, [row("a", 1, true, 2)]).await;
    let platform = gateway(&topic).await;
    let mut stream = Stream::of_all(&platform, Some(&stream.last_id)).await;
    let mut rows = stream.rows(2).await;
    rows.sort_by(|a, b| a.row.product_id.cmp(&b.row.product_id));
    assert_eq!(rows, [row("a", 1, true, 2), row("c", 1, false, 1)]);
    // The same, from a tool that cannot set the header; the header goes first where both are there.
    let url = format!("{}/analytics/stream?last_event_id=0:2,1:0", platform.url);
    let mut stream = Stream::open(&platform.client, &url, None).await;
    assert_eq!(stream.rows(2).await.len(), 2);
    let mut stream = Stream::open(&platform.client, &url, Some("0:2,1:1")).await;
    assert_eq!(stream.row().await, row("a", 1, true, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_was_cut_off_within_the_first_rows_gets_the_others() {
    let topic = Topic::start(2).await;
    topic.send(0, [row("a", 1, false, 1), row("b", 1, false, 1)]).await;
    topic.send(1, [row("c", 1, false, 1), row("d", 1, false, 1)]).await;
    let platform = gateway(&topic).await;
    let mut products = Vec::new();
    let mut last_id = None;
    for _ in 0..4 {
        let mut stream = Stream::of_all(&platform, last_id.as_deref()).await;
        products.push(stream.row().await.row.product_id);
        last_id = Some(stream.last_id);
    }
    products.sort_unstable();
    assert_eq!(products, ["a", "b", "c", "d"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_is_too_old_or_no_place_in_the_topic_begins_the_stream_anew() {
    let topic = Topic::start(1).await;
    // What is older than what the gateway reads at its start.
    topic.send_dated(0, [row("a", 0, true, 1), row("b", 0, true, 1)], Duration::from_secs(40 * 60)).await;
    topic.send(0, [row("a", 40, true, 2), row("a", 41, false, 3)]).await;
    let platform = gateway(&topic).await;
    let beyond = "0:4000";
    for id in ["0:0", "0:1", "0:4,1:0", "1:4", "x", "reset", beyond] {
        let mut stream = Stream::of_all(&platform, Some(id)).await;
        let event = stream.next_but_watermarks().await.unwrap();
        assert_eq!(event.name, "reset", "{id}");
        // A client that is cut off now needs no second one.
        assert_eq!(stream.last_id, "0:3");
        assert_eq!(stream.row().await, row("a", 41, false, 3), "{id}");
    }
    for (id, expected) in
        [("0:2", row("a", 40, true, 2)), ("0:3", row("a", 41, false, 3)), ("", row("a", 41, false, 3))]
    {
        let mut stream = Stream::of_all(&platform, Some(id)).await;
        assert_eq!(stream.row().await, expected, "{id}");
    }
}
