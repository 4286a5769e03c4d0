//! The relay: events to Kafka and to the queue.

use std::collections::HashSet;

use rdkafka::mocking::MockCluster;
use schemas::{OrderEvent, OrderEventType};
use sqlx::{Connection as _, Row as _};

use crate::child::Program;
use crate::harness::{Desk, Shop, Stage, orders, service, until};
use crate::held::hold;
use crate::kafka;
use crate::queue::Queue;
use test_kit::answer;

const TO_KAFKA: &str = "SELECT count(*) FROM outbox WHERE kafka_sent_at IS NULL";
const TO_QUEUE: &str = "SELECT count(*) FROM outbox WHERE sqs_sent_at IS NULL";
const MARKED: &str = "CREATE TRIGGER wait BEFORE UPDATE ON outbox FOR EACH ROW EXECUTE FUNCTION wait()";
/// The connection that holds the relay's lock.
const RELAY: &str = "SELECT pid::bigint FROM pg_locks WHERE locktype = 'advisory' AND classid = 252116994 AND granted
                     AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
const RELAYS: &str = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 252116994 AND granted
                      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
/// The life of an order that was sent and came back.
const LIFE: [&str; 4] = ["PAID", "SHIPPED", "DELIVERED", "REFUNDED"];

/// Leads an order through its life.
async fn live(desk: &Desk, path: &str) {
    for status in LIFE {
        assert_eq!(desk.set(&service(), path, status).await.status, 200);
    }
}

/// What receivers make of it: each event once.
fn without_repetitions(events: Vec<OrderEvent>) -> Vec<OrderEvent> {
    let mut seen = HashSet::new();
    events.into_iter().filter(|event| seen.insert(event.event_id.clone())).collect()
}

fn of_order(events: &[OrderEvent], order: &str) -> Vec<(OrderEventType, u64)> {
    let of_it = events.iter().filter(|event| event.order_id == order);
    of_it.map(|event| (event.event_type, event.version)).collect()
}

fn life() -> Vec<(OrderEventType, u64)> {
    use OrderEventType::{Confirmed, Delivered, Paid, Refunded, Shipped};
    [Confirmed, Paid, Shipped, Delivered, Refunded].into_iter().zip(2..).collect()
}

#[tokio::test]
async fn the_queue_gets_every_event_with_the_whole_order_while_kafka_is_down() {
    let queue = Queue::start(0).await;
    let shop = Shop::with(&queue.flags()).await;
    let product = shop.stage.product("19.99", 100).await;
    let path = shop.desk.order(&product, 3).await;
    live(&shop.desk, &path).await;
    let events = queue.take(5).await;
    assert_eq!(of_order(&events, "1"), life());
    let last = shop.desk.get(&path).await.json();
    let event = serde_json::to_value(&events[4]).unwrap();
    for member in
        ["customer_id", "product_id", "quantity", "unit_price", "total_price", "currency", "status", "created_at"]
    {
        assert_eq!(event[member], last[member], "{member}");
    }
    assert_eq!((&event["user_id"], &event["group_id"]), (&last["customer_id"], &last["id"]));
    assert_eq!(event["timestamp"], last["updated_at"]);
    until("all are marked", async || shop.number(TO_QUEUE).await == 0).await;
    assert_eq!(shop.number(TO_KAFKA).await, 5);
    shop.wait_for_metric("outbox_rows_waiting{target=\"kafka\"} 5").await;
    shop.wait_for_metric("outbox_rows_waiting{target=\"sqs\"} 0").await;
}

#[tokio::test]
async fn events_wait_for_a_queue_that_is_not_there_yet() {
    // Free at this moment, and nobody listens.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let endpoint = format!("http://127.0.0.1:{port}");
    let url = format!("{endpoint}/123456789012/{}", schemas::names::ORDER_EVENTS_QUEUE);
    let shop = Shop::with(&["--sqs-endpoint-url", &endpoint, "--order-events-queue-url", &url]).await;
    let product = shop.stage.product("19.99", 100).await;
    let path = shop.desk.order(&product, 1).await;
    live(&shop.desk, &path).await;
    let queue = Queue::start(port).await;
    assert_eq!(of_order(&queue.take(5).await, "1"), life());
}

#[tokio::test]
async fn an_event_that_is_committed_late_is_not_passed_over() {
    let queue = Queue::start(0).await;
    let shop = Shop::with(&queue.flags()).await;
    let product = shop.stage.product("19.99", 100).await;
    shop.desk.order(&product, 1).await;
    let sent = queue.take(1).await;
    // A transaction that has got a low id and takes its time.
    let mut connection = shop.stage.database.connect().await;
    let mut late = connection.begin().await.unwrap();
    let copy = "INSERT INTO outbox (order_id, event_id, payload, releases_stock)
                SELECT 99, 'late', replace(replace(payload, '\"order_id\":\"1\"', '\"order_id\":\"99\"'), event_id, 'late'), false
                FROM outbox LIMIT 1 RETURNING id";
    let low: i64 = sqlx::query(copy).fetch_one(&mut *late).await.unwrap().get(0);
    shop.desk.order(&product, 1).await;
    let high = shop.number("SELECT max(id) FROM outbox").await;
    assert!(low < high, "{low} is not below {high}");
    assert_eq!(queue.take(1).await[0].order_id, "2");
    until("it is marked", async || shop.number(TO_QUEUE).await == 0).await;
    late.commit().await.unwrap();
    let events = queue.take(1).await;
    assert_eq!((&*events[0].order_id, &*events[0].event_id), ("99", "late"));
    assert_eq!(events[0].created_at, sent[0].created_at);
}

#[tokio::test]
async fn a_stopping_service_sends_what_it_has() {
    let queue = Queue::start(0).await;
    let shop = Shop::with(&queue.flags()).await;
    let product = shop.stage.product("19.99", 100).await;
    for _ in 0..15 {
        shop.desk.order(&product, 1).await;
    }
    let Shop { stage, orders, desk: _ } = shop;
    orders.stop().await.unwrap();
    assert_eq!((stage.database.number(TO_QUEUE).await, stage.database.number(RELAYS).await), (0, 0));
    assert_eq!(queue.take(15).await.len(), 15);
}

#[tokio::test]
async fn of_two_replicas_one_sends_and_when_it_is_killed_the_other_one() {
    let queue = Queue::start(0).await;
    let stage = Stage::set().await;
    let product = stage.product("19.99", 100).await;
    let first = Program::start(&stage.flags(&queue.flags())).await;
    until("the first one sends", async || stage.database.number(RELAYS).await == 1).await;
    let relay = stage.database.number(RELAY).await;
    let second = Program::start(&stage.flags(&queue.flags())).await;
    // Whoever takes an order, the first one sends.
    for url in [&first.url, &second.url] {
        Desk::at(url).order(&product, 1).await;
        queue.take(1).await;
    }
    assert_eq!(stage.database.number(RELAY).await, relay);
    first.kill();
    Desk::at(&second.url).order(&product, 1).await;
    assert_eq!(queue.take(1).await[0].order_id, "3");
    assert_eq!(stage.database.number(RELAYS).await, 1);
    assert_ne!(stage.database.number(RELAY).await, relay);
}

#[tokio::test]
async fn a_relay_that_lost_its_lock_sends_again_once_it_has_it() {
    let queue = Queue::start(0).await;
    let shop = Shop::with(&queue.flags()).await;
    let product = shop.stage.product("19.99", 100).await;
    shop.desk.order(&product, 1).await;
    queue.take(1).await;
    // Somebody else has the lock, before the relay notices that it has lost it.
    let mut other = shop.stage.database.connect().await;
    let taking = "SELECT pg_terminate_backend(pid) FROM pg_locks
                  WHERE locktype = 'advisory' AND classid = 252116994 AND granted
                  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    sqlx::query(taking).execute(&mut other).await.unwrap();
    sqlx::query("SELECT pg_advisory_lock(252116994, 0)").execute(&mut other).await.unwrap();
    shop.wait_for_metric("outbox_relaying 0").await;
    shop.desk.order(&product, 1).await;
    // It waits for as long as it takes to be measured.
    shop.wait_for_metric("outbox_rows_waiting{target=\"sqs\"} 1").await;
    assert_eq!(queue.take_some().await, []);
    other.close().await.unwrap();
    assert_eq!(queue.take(1).await[0].order_id, "2");
    shop.wait_for_metric("outbox_relaying 1").await;
}

#[tokio::test]
async fn what_has_arrived_everywhere_is_deleted_after_its_time_and_what_has_not_is_kept() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("orders", 1, 1).unwrap();
    let servers = cluster.bootstrap_servers();
    let kafka = ["--kafka-bootstrap-servers", &servers, "--kafka-orders-topic", "orders"];
    let queue = Queue::start(0).await;
    let stage = Stage::set().await;
    let product = stage.product("19.99", 100).await;
    // Without the queue, what Kafka has is kept for its time.
    let flags = [&kafka[..], &["--outbox-keep", "1h"]].concat();
    let alone = orders(&stage.flags(&flags)).await;
    alone.wait_until_ready().await;
    let path = Desk::at(&alone.url).order(&product, 1).await;
    assert_eq!(Desk::at(&alone.url).set(&service(), &path, "CANCELLED").await.status, 200);
    until("Kafka has them", async || stage.database.number(TO_KAFKA).await == 0).await;
    alone.stop().await.unwrap();
    assert_eq!(stage.database.number("SELECT count(*) FROM outbox").await, 2);

    // A queue that is added gets them, and then they go.
    let flags = [&kafka[..], &queue.flags(), &["--outbox-keep", "0s"]].concat();
    let both = orders(&stage.flags(&flags)).await;
    let events = queue.take(2).await;
    assert_eq!(of_order(&events, "1"), [(OrderEventType::Confirmed, 2), (OrderEventType::Cancelled, 3)]);
    until("they are deleted", async || stage.database.number("SELECT count(*) FROM outbox").await == 0).await;
    both.stop().await.unwrap();

    // What Kafka has not got is kept, however old it is.
    let flags = [&queue.flags()[..], &["--outbox-keep", "0s"]].concat();
    let third = orders(&stage.flags(&flags)).await;
    third.wait_until_ready().await;
    Desk::at(&third.url).order(&product, 1).await;
    let metrics = async || answer(reqwest::Client::new().get(format!("{}/metrics", third.admin_url))).await.text;
    // It was measured, and swept after that.
    until("it was swept", async || metrics().await.contains("outbox_rows_waiting{target=\"kafka\"} 1")).await;
    queue.take(1).await;
    assert_eq!(stage.database.number("SELECT count(*) FROM outbox").await, 1);
}

#[tokio::test]
async fn kafka_gets_every_event_under_its_orders_key_in_order() {
    let Some(kafka) = kafka::shared().await else { return };
    kafka.create_topic("every-event").await;
    let shop = Shop::with(&kafka.flags("every-event")).await;
    let product = shop.stage.product("19.99", 100).await;
    let mut lives = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let (desk, product) = (shop.desk.clone(), product.clone());
        lives.spawn(async move {
            let path = desk.order(&product, 1).await;
            live(&desk, &path).await;
        });
    }
    lives.join_all().await;
    until("all are marked", async || shop.number(TO_KAFKA).await == 0).await;
    let events = without_repetitions(kafka.events("every-event").await);
    assert_eq!(events.len(), 50);
    for order in 1..=10 {
        assert_eq!(of_order(&events, &order.to_string()), life());
    }
}

#[tokio::test]
async fn killed_between_kafkas_acknowledgement_and_its_mark_the_relay_sends_the_same_event_again() {
    let Some(kafka) = kafka::shared().await else { return };
    kafka.create_topic("killed-relay").await;
    let stage = Stage::set().await;
    let product = stage.product("19.99", 100).await;
    let flags = stage.flags(&kafka.flags("killed-relay"));
    let program = Program::start(&flags).await;
    let desk = Desk::at(&program.url);
    let path = desk.order(&product, 1).await;
    until("the first is marked", async || stage.database.number(TO_KAFKA).await == 0).await;
    let held = hold(&stage.database, MARKED).await;
    for status in ["PAID", "SHIPPED"] {
        assert_eq!(desk.set(&service(), &path, status).await.status, 200);
    }
    held.reached().await;
    program.kill();
    held.call_off().await;
    // PAID is in Kafka, and nobody took note of it.
    assert_eq!(kafka.events("killed-relay").await.len(), 2);
    assert_eq!(stage.database.number(TO_KAFKA).await, 2);

    let program = Program::start(&flags).await;
    for status in ["DELIVERED", "REFUNDED"] {
        assert_eq!(Desk::at(&program.url).set(&service(), &path, status).await.status, 200);
    }
    until("all are marked", async || stage.database.number(TO_KAFKA).await == 0).await;
    let events = kafka.events("killed-relay").await;
    let sent: Vec<_> = events.iter().map(|event| event.version).collect();
    assert_eq!(sent, [2, 3, 3, 4, 5, 6]);
    assert_eq!(events[1], events[2]);
    assert_eq!(of_order(&without_repetitions(events), "1"), life());
    assert_eq!(program.terminate().await, Some(0));
}
