//! `/analytics/products/{id}/windows` over the table that the job writes.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use schemas::{EventTime, Window};
use serde_json::Value;

use crate::harness::{Platform, problem};

const TABLE: &str = "ecom-analytics";
const CONTROL: &str = "ecom-analytics-control";
/// 2024-01-01T12:00:00Z.
const NOON: u32 = 28_401_840;

async fn create_table(platform: &Platform, name: &str, keys: &[&str]) {
    let mut request = platform.dynamodb.create_table().table_name(name).billing_mode(BillingMode::PayPerRequest);
    for (key, key_type) in keys.iter().zip([KeyType::Hash, KeyType::Range]) {
        request = request
            .key_schema(KeySchemaElement::builder().attribute_name(*key).key_type(key_type).build().unwrap())
            .attribute_definitions(
                AttributeDefinition::builder()
                    .attribute_name(*key)
                    .attribute_type(ScalarAttributeType::S)
                    .build()
                    .unwrap(),
            );
    }
    request.send().await.unwrap();
}

pub(crate) async fn put_count(platform: &Platform, product: &str, minute: u32, count: u64, is_final: bool) {
    let window = Window::from_ordinal(minute);
    let request = platform.dynamodb.put_item().table_name(TABLE);
    let request = request
        .item("product_id", AttributeValue::S(product.to_owned()))
        .item("window_start", AttributeValue::S(window.start_text()))
        .item("window_end", AttributeValue::S(window.end_text()))
        .item("unique_user_count", AttributeValue::N(count.to_string()))
        .item("revision", AttributeValue::N("0".to_owned()))
        .item("final", AttributeValue::Bool(is_final));
    request.send().await.unwrap();
}

pub(crate) async fn put_status(platform: &Platform, seconds_ago: i64) {
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    let at = EventTime::from_millis(now - seconds_ago * 1_000).unwrap().to_string();
    let request = platform.dynamodb.put_item().table_name(CONTROL);
    let request = request
        .item("key", AttributeValue::S("job".to_owned()))
        .item("job_epoch", AttributeValue::N("1".to_owned()))
        .item("watermark", AttributeValue::S(at.clone()))
        .item("processed_at", AttributeValue::S(at))
        .item("v", AttributeValue::N("1".to_owned()));
    request.send().await.unwrap();
}

async fn platform() -> Platform {
    platform_with(&[]).await
}

/// A gateway with further flags, on empty tables.
pub(crate) async fn platform_with(flags: &[&str]) -> Platform {
    let platform = Platform::start(flags).await;
    create_table(&platform, TABLE, &["product_id", "window_start"]).await;
    create_table(&platform, CONTROL, &["key"]).await;
    platform
}

pub(crate) async fn windows(platform: &Platform, query: &str) -> Value {
    let response = platform.get(&format!("/analytics/products/42/windows{query}")).send().await.unwrap();
    assert_eq!(response.status(), 200, "{query}");
    response.json().await.unwrap()
}

fn starts(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|row| row["window_start"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_product_that_nobody_looked_at_has_no_rows_and_a_job_that_never_ran_is_stale() {
    let platform = platform().await;
    let page = windows(&platform, "").await;
    assert_eq!(page["items"].as_array().map(Vec::len), Some(0));
    assert_eq!((page["next_cursor"].is_null(), page["freshness"]["stale"].as_bool()), (true, Some(true)));
    assert!(page["freshness"]["watermark"].is_null() && page["freshness"]["age_seconds"].is_null());
}

#[tokio::test]
async fn a_quiet_shop_and_a_dead_job_look_different() {
    let alive = platform().await;
    put_status(&alive, 2).await;
    let freshness = windows(&alive, "").await["freshness"].clone();
    assert_eq!(freshness["stale"], false);
    assert!((1.0..9.0).contains(&freshness["age_seconds"].as_f64().unwrap()), "{freshness}");
    let dead = platform().await;
    put_status(&dead, 60).await;
    assert_eq!(windows(&dead, "").await["freshness"]["stale"], true);
}

#[tokio::test]
async fn pages_show_every_minute_once_from_the_last_to_the_first_within_from_and_to() {
    let platform = platform().await;
    for minute in 0..7 {
        put_count(&platform, "42", NOON + minute, u64::from(minute) + 1, minute < 6).await;
        put_count(&platform, "420", NOON + minute, 99, true).await;
    }
    let span = "from=2024-01-01T12:00:00.001Z&to=2024-01-01T12:06:00Z";
    let (mut seen, mut query) = (Vec::new(), format!("?{span}&limit=2"));
    loop {
        let page = windows(&platform, &query).await;
        seen.extend(starts(&page).into_iter().map(str::to_owned));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        query = format!("?limit=2&cursor={cursor}");
    }
    let expected: Vec<String> = (1..6).rev().map(|minute| Window::from_ordinal(NOON + minute).start_text()).collect();
    assert_eq!(seen, expected);
    let all = windows(&platform, "").await;
    assert_eq!(all["items"][0]["final"], false);
    assert_eq!(all["items"][6]["unique_user_count"], 1);
    assert_eq!(all["items"][6]["window_end"], "2024-01-01T12:01:00Z");
    // A span without a minute in it.
    assert!(starts(&windows(&platform, "?from=2024-01-01T12:01:00Z&to=2024-01-01T12:01:00Z").await).is_empty());
}

#[tokio::test]
async fn the_same_rows_come_as_a_csv_file() {
    let platform = platform().await;
    put_count(&platform, "42", NOON, 17, true).await;
    put_count(&platform, "42", NOON + 1, 3, false).await;
    let request = platform.get("/analytics/products/42/windows?limit=1").header("accept", "text/csv");
    let response = request.send().await.unwrap();
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/csv"));
    assert!(response.headers()["link"].to_str().unwrap().ends_with("; rel=\"next\""));
    assert_eq!(
        response.text().await.unwrap(),
        "product_id,window_start,window_end,unique_user_count,revision,final\r\n\
         42,2024-01-01T12:01:00Z,2024-01-01T12:02:00Z,3,0,false\r\n"
    );
}

#[tokio::test]
async fn every_fault_of_the_query_is_told_at_once() {
    let platform = platform().await;
    let told = problem(platform.get("/analytics/products/42/windows?from=today&limit=0&frm=1&cursor=x"), 400).await;
    let mut parameters: Vec<_> =
        told["errors"].as_array().unwrap().iter().map(|fault| fault["parameter"].as_str().unwrap()).collect();
    parameters.sort_unstable();
    assert_eq!(parameters, ["cursor", "frm", "from", "limit"]);
    let long = "x".repeat(257);
    problem(platform.get(&format!("/analytics/products/{long}/windows")), 404).await;
}

#[tokio::test]
async fn without_the_table_counts_are_told_to_be_unavailable() {
    let platform = Platform::start(&["--dynamodb-table", "not-there"]).await;
    let told = problem(platform.get("/analytics/products/42/windows"), 503).await;
    assert_eq!(told["type"], "/problems/dependency-unavailable");
}
