//! Streams of counts: what comes, how they end, and what they cost others.

use std::time::{Duration, Instant};

use schemas::TopicRow;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::harness::{Platform, problem};
use crate::sse::Stream;
use crate::topic::{PATIENCE, Topic, revised, row};
use crate::windows::{platform_with, put_status};

async fn gateway(topic: &Topic, more: &[&str]) -> Platform {
    let flags: Vec<&str> = topic.flags().into_iter().chain(more.iter().copied()).collect();
    platform_with(&flags).await
}

fn product(row: &TopicRow) -> (&str, u64) {
    (&row.row.product_id, row.row.unique_user_count)
}

/// Asks until the operator sees this line.
async fn metric(platform: &Platform, line: &str) {
    let began = Instant::now();
    loop {
        let page = platform.metrics().await;
        if page.lines().any(|present| present == line) {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{line} is not in\n{page}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_begins_with_the_minutes_that_are_not_over_and_goes_on_with_what_is_newer() {
    let topic = Topic::start(2).await;
    topic.send(0, [row("a", 0, true, 7), row("a", 1, false, 1), row("a", 1, false, 2)]).await;
    topic.send(1, [row("b", 1, false, 5), row("b", 2, false, 1)]).await;
    let platform = gateway(&topic, &[]).await;
    put_status(&platform, 1).await;
    let mut stream = Stream::of_all(&platform, None).await;
    let mut begun = stream.rows(3).await;
    begun.sort_by(|a, b| product(a).cmp(&product(b)));
    assert_eq!(begun, [row("a", 1, false, 2), row("b", 2, false, 1), row("b", 1, false, 5)]);
    assert_eq!((stream.retry.as_deref(), stream.last_id.as_str()), (Some("2000"), "0:3,1:2"));
    // What is not newer than what the client has does not come again.
    topic.send(0, [row("a", 1, false, 2), row("a", 1, false, 1), row("a", 1, true, 2), revised("a", 0, 6, 1)]).await;
    assert_eq!(stream.rows(2).await, [row("a", 1, true, 2), revised("a", 0, 6, 1)]);
    assert_eq!(stream.last_id, "0:7,1:2");
    // The job's word may not have been there for the first one.
    while stream.event("watermark").await.data["stale"] != json!(false) {}
    assert_eq!(stream.last_id, "0:7,1:2");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_of_a_product_has_no_other_rows_and_its_id_moves_on_all_the_same() {
    let topic = Topic::start(2).await;
    topic.send(0, [row("a", 1, false, 1), row("b", 1, false, 1)]).await;
    let platform = gateway(&topic, &[]).await;
    let mut stream =
        Stream::open(&platform.client, &format!("{}/analytics/products/b/stream", platform.url), None).await;
    assert_eq!(product(&stream.row().await), ("b", 1));
    topic.send(1, (2..50).map(|count| row("a", 1, false, count))).await;
    topic.send(0, [row("b", 1, false, 2)]).await;
    assert_eq!(product(&stream.row().await), ("b", 2));
    while stream.last_id != "0:3,1:48" {
        stream.event("watermark").await;
    }
    let long = "x".repeat(257);
    problem(platform.get(&format!("/analytics/products/{long}/stream")), 404).await;
    problem(platform.get("/analytics/stream?product=b"), 400).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_kafka_is_away_streams_stay_open_and_say_that_counts_are_old() {
    let mut topic = Topic::start(1).await;
    topic.send(0, [row("a", 1, false, 1)]).await;
    let platform = gateway(&topic, &["--stale-after", "1h"]).await;
    put_status(&platform, 1).await;
    let mut stream = Stream::of_all(&platform, None).await;
    assert_eq!(product(&stream.row().await), ("a", 1));
    while stream.event("watermark").await.data["stale"] != json!(false) {}
    topic.stop_broker().await;
    while stream.event("watermark").await.data["stale"] != json!(true) {}
    topic.start_broker().await;
    topic.send(0, [row("a", 1, false, 2)]).await;
    assert_eq!(product(&stream.row().await), ("a", 2));
    while stream.event("watermark").await.data["stale"] != json!(false) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_stops_ends_its_streams_at_once_and_tells_them_where_they_are() {
    let topic = Topic::start(1).await;
    topic.send(0, [row("a", 1, false, 1)]).await;
    // Not the limits end them.
    let platform = gateway(&topic, &["--drain-timeout", "10m", "--drain-delay", "1s"]).await;
    let mut streams = Vec::new();
    for _ in 0..20 {
        let mut stream = Stream::of_all(&platform, None).await;
        stream.row().await;
        streams.push(stream);
    }
    timeout(PATIENCE, platform.stop()).await.expect("the streams keep the gateway").unwrap();
    for mut stream in streams {
        assert_eq!(stream.next_but_watermarks().await, None);
        assert_eq!(stream.last_id, "0:1");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_have_a_limit_of_their_own_and_are_not_timed_as_requests() {
    let topic = Topic::start(1).await;
    topic.send(0, [row("a", 1, false, 1)]).await;
    let flags = ["--max-streams", "2", "--max-in-flight", "1", "--request-timeout", "1s"];
    let platform = gateway(&topic, &flags).await;
    let mut first = Stream::of_all(&platform, None).await;
    first.row().await;
    let second = Stream::of_all(&platform, None).await;
    metric(&platform, "analytics_streams 2").await;
    metric(&platform, "analytics_stream_rows_sent_total 2").await;
    let page = platform.metrics().await;
    assert!(page.contains(r#"route="/analytics/stream",status="200"} 2"#), "{page}");
    assert!(!page.contains(r#"duration_seconds_count{service="api-gateway",route="/analytics/stream"}"#), "{page}");
    let response = platform.get("/analytics/stream").send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.headers()["retry-after"].to_str().unwrap()), (503, "1"));
    let told: serde_json::Value = response.json().await.unwrap();
    assert_eq!(told["type"], "/problems/overloaded");
    // Other requests have room, and a stream goes on after the time of a request.
    assert_eq!(platform.get("/analytics/top").send().await.unwrap().status(), 200);
    while first.event("watermark").await.data["stale"] != json!(true) {}
    first.event("watermark").await;
    drop(second);
    metric(&platform, r#"analytics_streams_closed_total{reason="client"} 1"#).await;
    assert_eq!(Stream::of_all(&platform, None).await.row().await.row.product_id, "a");
}

/// A row whose product has a long id.
fn long(number: u64) -> TopicRow {
    row(&format!("{number:0>250}"), 1, false, 1)
}

/// A client that opens a stream, and takes no more than what fits into a small buffer.
async fn open_and_take_nothing(platform: &Platform) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 << 10).unwrap();
    let address = platform.url.strip_prefix("http://").unwrap();
    let mut connection = socket.connect(address.parse().unwrap()).await.unwrap();
    connection.write_all(b"GET /analytics/stream HTTP/1.1\r\nhost: gateway\r\n\r\n").await.unwrap();
    metric(platform, "analytics_streams 1").await;
    connection
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_takes_nothing_at_all_is_hung_up_on() {
    let topic = Topic::start(1).await;
    let platform = gateway(&topic, &["--client-timeout", "500ms", "--drain-timeout", "10m"]).await;
    let _connection = open_and_take_nothing(&platform).await;
    topic.send(0, (0..12_000).map(long)).await;
    metric(&platform, "analytics_streams 0").await;
    timeout(PATIENCE, platform.stop()).await.expect("it keeps the gateway").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_keep_up_is_sent_away_and_goes_on_from_where_it_was() {
    const PRODUCTS: u64 = 12_000;
    let topic = Topic::start(1).await;
    let lag = Duration::from_millis(300);
    let platform = gateway(&topic, &["--stream-max-lag", "300ms", "--client-timeout", "10m"]).await;
    let mut connection = open_and_take_nothing(&platform).await;
    topic.send(0, (0..PRODUCTS).map(long)).await;
    metric(&platform, &format!("analytics_rows_read_total {PRODUCTS}")).await;
    // Longer than a row may wait.
    tokio::time::sleep(lag * 2).await;
    let mut received = Vec::new();
    let last_chunk = b"\r\n0\r\n\r\n";
    while !received.ends_with(last_chunk) {
        let read = timeout(PATIENCE, connection.read_buf(&mut received)).await.expect("nothing comes").unwrap();
        assert!(read > 0, "the connection was broken off");
    }
    metric(&platform, r#"analytics_streams_closed_total{reason="slow"} 1"#).await;
    let received = String::from_utf8(received).unwrap();
    let last_id = received.lines().filter_map(|line| line.strip_prefix("id: ")).next_back().unwrap();
    let sent = received.lines().filter(|line| *line == "event: window").count() as u64;
    assert_eq!(last_id, format!("0:{sent}"));
    assert!(sent < PRODUCTS, "it kept up");
    // One that reads has the rest, also where the gateway is in a hurry to send it away once more.
    let mut rest = Stream::of_all(&platform, Some(last_id)).await;
    let mut next = sent;
    while next < PRODUCTS {
        match rest.next_but_watermarks().await {
            Some(event) => {
                assert_eq!(event.row(), Some(long(next)));
                next += 1;
            }
            None => rest = Stream::of_all(&platform, Some(&rest.last_id)).await,
        }
    }
}
