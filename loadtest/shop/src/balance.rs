//! The balance: what clients were told of is there, once, and nothing else is.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use aws_sdk_sqs::Client as SqsClient;
use aws_sdk_sqs::config::{Credentials, Region};
use kit::Trouble;
use kit::topic::Reader;
use rdkafka::Message as _;
use schemas::names::{ORDERS_TOPIC, RAW_EVENTS_TOPIC};
use schemas::{OrderEvent, OrderEventType};
use serde_json::Value;
use sqlx::PgPool;

use crate::books::Entries;
use crate::platform::{PARTITIONS, Platform};
use crate::shop::Product;

/// How long the relay and the reaper may need for what is left.
const PATIENCE: Duration = Duration::from_secs(120);
const ASK_EVERY: Duration = Duration::from_millis(200);

/// One line of the balance.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) what: &'static str,
    pub(crate) told: i64,
    pub(crate) found: i64,
}

impl Line {
    fn new(what: &'static str, told: usize, found: usize) -> Self {
        let number = |count| i64::try_from(count).unwrap_or(i64::MAX);
        Line { what, told: number(told), found: number(found) }
    }

    pub(crate) const fn is_even(&self) -> bool {
        self.told == self.found
    }
}

/// An order as the database has it.
#[derive(sqlx::FromRow)]
struct Kept {
    id: i64,
    product_id: i64,
    quantity: i64,
    status: String,
}

/// Waits until nothing is on its way any more, and compares.
pub(crate) async fn draw(platform: &Platform, entries: &Entries, products: &[Product]) -> Result<Vec<Line>, Trouble> {
    let database = platform.database().await?;
    settle(&database).await?;
    let kept: Vec<Kept> = sqlx::query_as("SELECT id, product_id, quantity, status FROM order_service.orders")
        .fetch_all(&database)
        .await?;
    let mut lines = orders(entries, &kept);
    lines.extend(stock(&database, &kept, products).await?);
    lines.extend(order_events("order events on Kafka", entries, &on_kafka(platform)?));
    lines.extend(order_events("order events on SQS", entries, &on_sqs(platform).await?));
    lines.push(views(platform, entries)?);
    Ok(lines)
}

/// The relay has sent everything, and no order is being placed or given up.
async fn settle(database: &PgPool) -> Result<(), Trouble> {
    let began = Instant::now();
    loop {
        let (left,): (i64,) = sqlx::query_as(
            "SELECT (SELECT count(*) FROM order_service.outbox
                     WHERE payload IS NOT NULL AND (kafka_sent_at IS NULL OR sqs_sent_at IS NULL)
                        OR releases_stock AND released_at IS NULL)
                  + (SELECT count(*) FROM order_service.orders WHERE status = 'PENDING')",
        )
        .fetch_one(database)
        .await?;
        if left == 0 {
            return Ok(());
        }
        if began.elapsed() > PATIENCE {
            return Err(format!("{left} orders or events are still on their way after {PATIENCE:?}").into());
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

fn orders(entries: &Entries, kept: &[Kept]) -> Vec<Line> {
    let by_id: BTreeMap<String, &Kept> = kept.iter().map(|order| (order.id.to_string(), order)).collect();
    let same = entries.orders.iter().filter(|(id, told)| {
        let status = if told.is_cancelled { "CANCELLED" } else { "CONFIRMED" };
        by_id.get(*id).is_some_and(|kept| {
            (kept.product_id.to_string(), kept.quantity, kept.status.as_str())
                == (told.product_id.clone(), told.quantity, status)
        })
    });
    vec![
        Line::new("orders in the database", entries.orders.len(), kept.len()),
        Line::new("orders that are as the client was told", entries.orders.len(), same.count()),
    ]
}

/// Pieces at first are pieces in stock and in orders that were not cancelled.
async fn stock(database: &PgPool, kept: &[Kept], products: &[Product]) -> Result<Vec<Line>, Trouble> {
    let rows: Vec<(i64, i64)> =
        sqlx::query_as("SELECT id, stock_quantity FROM product_catalog.products").fetch_all(database).await?;
    let in_stock: BTreeMap<String, i64> = rows.into_iter().map(|(id, quantity)| (id.to_string(), quantity)).collect();
    let mut ordered: BTreeMap<String, i64> = BTreeMap::new();
    for order in kept.iter().filter(|order| order.status != "CANCELLED") {
        *ordered.entry(order.product_id.to_string()).or_default() += order.quantity;
    }
    let there = |product: &Product| {
        let count = |of: &BTreeMap<String, i64>| of.get(&product.id).copied().unwrap_or(0);
        count(&in_stock) + count(&ordered)
    };
    let even = products.iter().filter(|product| there(product) == product.stock).count();
    Ok(vec![
        Line {
            what: "pieces in stock and in orders",
            told: products.iter().map(|product| product.stock).sum(),
            found: products.iter().map(there).sum(),
        },
        Line::new("products whose pieces are all there", products.len(), even),
    ])
}

fn on_kafka(platform: &Platform) -> Result<Vec<OrderEvent>, Trouble> {
    let mut reader = Reader::new(&platform.broker, ORDERS_TOPIC, PARTITIONS)?;
    let records = reader.catch_up()?;
    Ok(records.iter().map(|record| serde_json::from_str(&record.text())).collect::<Result<_, _>>()?)
}

async fn on_sqs(platform: &Platform) -> Result<Vec<OrderEvent>, Trouble> {
    let settings = aws_config::SdkConfig::builder()
        .behavior_version(aws_config::BehaviorVersion::latest())
        .endpoint_url(platform.sqs.endpoint())
        .region(Region::new("local"))
        .credentials_provider(aws_sdk_sqs::config::SharedCredentialsProvider::new(Credentials::new(
            "load", "load", None, None, "emulator",
        )))
        .build();
    let (client, queue) = (SqsClient::new(&settings), platform.queue_url.as_str());
    let mut events = Vec::new();
    loop {
        let received = client.receive_message().queue_url(queue).max_number_of_messages(10).send().await?;
        if received.messages().is_empty() {
            return Ok(events);
        }
        for message in received.messages() {
            events.push(serde_json::from_str(message.body().unwrap_or_default())?);
            let handle = message.receipt_handle().unwrap_or_default();
            client.delete_message().queue_url(queue).receipt_handle(handle).send().await?;
        }
    }
}

/// Each order has its events, once by their ids, in the order of its versions.
fn order_events(what: &'static str, entries: &Entries, events: &[OrderEvent]) -> Vec<Line> {
    let mut seen = BTreeSet::new();
    let mut by_order: BTreeMap<&str, Vec<&OrderEvent>> = BTreeMap::new();
    for event in events.iter().filter(|event| seen.insert(&event.event_id)) {
        by_order.entry(&event.order_id).or_default().push(event);
    }
    let even = entries.orders.iter().filter(|(id, order)| {
        let events = by_order.get(id.as_str()).map_or(&[][..], Vec::as_slice);
        let types: Vec<_> = events.iter().map(|event| event.event_type).collect();
        let is_in_order = events.is_sorted_by_key(|event| event.version);
        let expected: &[OrderEventType] = if order.is_cancelled {
            &[OrderEventType::Confirmed, OrderEventType::Cancelled]
        } else {
            &[OrderEventType::Confirmed]
        };
        is_in_order && types == expected
    });
    let expected = entries.orders.values().map(|order| 1 + usize::from(order.is_cancelled)).sum();
    let named = |kafka, sqs| if what.ends_with("Kafka") { kafka } else { sqs };
    vec![
        Line::new(what, expected, seen.len()),
        Line::new(
            named("orders whose events on Kafka are in order", "orders whose events on SQS are in order"),
            entries.orders.len(),
            even.count(),
        ),
    ]
}

/// Acknowledged views that are on the topic. A view whose batch was sent again may be there twice: it counts nobody twice.
fn views(platform: &Platform, entries: &Entries) -> Result<Line, Trouble> {
    let reader = Reader::new(&platform.broker, RAW_EVENTS_TOPIC, PARTITIONS)?;
    let mut found = BTreeSet::new();
    reader.visit(|message| {
        let event: Value = serde_json::from_slice(message.payload().unwrap_or_default())?;
        found.extend(event["metadata"]["event_id"].as_str().map(str::to_owned));
        Ok(())
    })?;
    let there = entries.events.iter().filter(|id| found.contains(*id)).count();
    Ok(Line::new("acknowledged views on the topic", entries.events.len(), there))
}
