//! `/analytics/top`: who leads, in the minute that is over and in the running one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use service_kit::auth::Caller;
use service_kit::input::Parameters;
use tokio_util::sync::CancellationToken;

use crate::harness::{Platform, closed_address, problem, serve};
use crate::json;
use crate::topic::{PATIENCE, Topic, revised, row};
use crate::windows::platform_with;

/// A gateway on the topic, in front of this catalog.
async fn gateway(topic: &Topic, catalog: &str) -> Platform {
    let [a, b, c, d] = topic.flags();
    platform_with(&[a, b, c, d, "--product-service-url", catalog]).await
}

/// A catalog of products 1, 2 and 42 that counts what it is asked.
async fn catalog() -> (String, Arc<AtomicUsize>) {
    let list = |State(asked): State<Arc<AtomicUsize>>, _: Caller, mut parameters: Parameters| async move {
        asked.fetch_add(1, Ordering::Relaxed);
        let ids = parameters.optional("ids", |ids| Ok(ids.to_owned())).unwrap();
        let ids: Vec<u32> = ids.split(',').map(|id| id.parse().unwrap()).filter(|id| [1, 2, 42].contains(id)).collect();
        let items: Vec<_> =
            ids.iter().map(|id| json!({"id": id.to_string(), "name": format!("Lamp {id}"), "price": "1.00"})).collect();
        Json(json!({"items": items, "next_cursor": null}))
    };
    let asked = Arc::new(AtomicUsize::new(0));
    let routes = Router::new().route("/products", get(list)).with_state(Arc::clone(&asked));
    (format!("http://{}", serve("product-catalog", routes, CancellationToken::new()).await), asked)
}

/// Asks until it is so.
async fn top_when(platform: &Platform, query: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let response = platform.get(&format!("/analytics/top{query}")).send().await.unwrap();
        // Until the topic has been read.
        if response.status() == 200 {
            let top: Value = response.json().await.unwrap();
            if is_so(&top) {
                return top;
            }
            assert!(began.elapsed() < PATIENCE, "{top}");
        }
        assert!(began.elapsed() < PATIENCE, "the topic is not read");
        tokio::task::yield_now().await;
    }
}

/// Rank, product and count of each item.
fn items(minute: &Value) -> Vec<(u64, &str, u64)> {
    let items = minute["items"].as_array().unwrap().iter();
    items
        .map(|item| {
            (
                item["rank"].as_u64().unwrap(),
                item["product_id"].as_str().unwrap(),
                item["unique_user_count"].as_u64().unwrap(),
            )
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_greatest_count_leads_and_equal_ones_go_by_the_products_id_also_after_revisions() {
    let topic = Topic::start(2).await;
    topic.send(0, [row("7", 0, true, 5), row("lamp", 0, true, 9), row("10", 0, true, 5)]).await;
    topic.send(1, [row("42", 0, true, 7), row("8", 1, false, 1)]).await;
    let platform = gateway(&topic, &catalog().await.0).await;
    let top = top_when(&platform, "", |top| !top["open"].is_null()).await;
    assert_eq!(items(&top["closed"]), [(1, "lamp", 9), (2, "42", 7), (3, "10", 5), (4, "7", 5)]);
    assert_eq!(
        (&top["closed"]["window_start"], &top["closed"]["window_end"]),
        (&json!("2024-01-01T12:00:00Z"), &json!("2024-01-01T12:01:00Z"))
    );
    assert_eq!(items(&top["open"]), [(1, "8", 1)]);
    assert_eq!((&top["open"]["items"][0]["final"], &top["closed"]["items"][0]["final"]), (&json!(false), &json!(true)));
    // A late event made the first one the last, by a revision: the newer row counts, not the greater number.
    topic.send(0, [revised("lamp", 0, 4, 1), revised("7", 0, 7, 2)]).await;
    let top = top_when(&platform, "?limit=3", |top| top["closed"]["items"][1]["product_id"] == "7").await;
    assert_eq!(items(&top["closed"]), [(1, "42", 7), (2, "7", 7), (3, "10", 5)]);
    assert_eq!(top["closed"]["items"][1]["revision"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_minute_that_is_final_for_some_products_and_not_for_others_is_not_over() {
    let topic = Topic::start(1).await;
    topic.send(0, [row("a", 0, true, 1), row("a", 1, false, 3), row("b", 1, false, 2), row("a", 1, true, 4)]).await;
    let platform = gateway(&topic, &catalog().await.0).await;
    let top = top_when(&platform, "", |top| !top["open"].is_null()).await;
    assert_eq!((items(&top["closed"]), items(&top["open"])), (vec![(1, "a", 1)], vec![(1, "a", 4), (2, "b", 2)]));
    topic.send(0, [row("b", 1, true, 2)]).await;
    let top = top_when(&platform, "", |top| top["open"].is_null()).await;
    assert_eq!(items(&top["closed"]), [(1, "a", 4), (2, "b", 2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_come_from_the_catalog_in_one_question_and_are_remembered() {
    let topic = Topic::start(1).await;
    let closed = [row("42", 0, true, 3), row("lamp", 0, true, 2), row("9", 0, true, 1)];
    topic.send(0, closed.into_iter().chain([row("1", 1, false, 1)])).await;
    let (url, asked) = catalog().await;
    let platform = gateway(&topic, &url).await;
    let before = asked.load(Ordering::Relaxed);
    let top = top_when(&platform, "", |top| !top["open"].is_null()).await;
    let names = |minute: &Value| -> Vec<Value> {
        minute["items"].as_array().unwrap().iter().map(|item| item["product_name"].clone()).collect()
    };
    // Neither an id that no product of the catalog can have, nor one that none has.
    assert_eq!(names(&top["closed"]), [json!("Lamp 42"), Value::Null, Value::Null]);
    assert_eq!((names(&top["open"]), &top["unavailable"]), (vec![json!("Lamp 1")], &json!([])));
    json(platform.get("/analytics/top?limit=2")).await;
    assert_eq!(asked.load(Ordering::Relaxed) - before, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_catalog_there_are_counts_without_names_and_the_reason() {
    let topic = Topic::start(1).await;
    topic.send(0, [row("42", 0, true, 3)]).await;
    let platform = gateway(&topic, &format!("http://{}", closed_address().await)).await;
    let top = top_when(&platform, "", |top| !top["closed"].is_null()).await;
    assert_eq!((items(&top["closed"]), &top["closed"]["items"][0]["product_name"]), (vec![(1, "42", 3)], &Value::Null));
    assert_eq!(top["unavailable"], json!([{"part": "product_name", "reason": "dependency-unavailable"}]));
    // That nobody is told how old counts are keeps nobody from reading them.
    let [a, b, c, d] = topic.flags();
    let platform = Platform::start(&[a, b, c, d, "--dynamodb-table", "not-there"]).await;
    let top = top_when(&platform, "", |top| !top["closed"].is_null()).await;
    assert_eq!(top["freshness"], Value::Null);
    let parts: Vec<_> = top["unavailable"].as_array().unwrap().iter().map(|part| &part["part"]).collect();
    assert!(parts.contains(&&json!("freshness")), "{parts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_product_comes_with_its_past_where_that_is_asked_for() {
    let topic = Topic::start(1).await;
    let past = [row("a", 0, true, 9), row("a", 27, true, 2), revised("a", 28, 5, 1), row("b", 28, true, 1)];
    topic.send(0, past.into_iter().chain([row("a", 30, false, 3)])).await;
    let platform = gateway(&topic, &catalog().await.0).await;
    let top = top_when(&platform, "?history=3", |top| !top["open"].is_null()).await;
    let count = |minute: u32, count: u32, revision: u32, is_final: bool| {
        let window_start = format!("2024-01-01T12:{minute:02}:00Z");
        json!({"window_start": window_start, "unique_user_count": count, "revision": revision, "final": is_final})
    };
    // The minutes 26 to 28, and 28 to 30; those without views are left out.
    assert_eq!(top["closed"]["items"][0]["history"], json!([count(28, 5, 1, true), count(27, 2, 0, true)]));
    assert_eq!(top["closed"]["items"][1]["history"], json!([count(28, 1, 0, true)]));
    assert_eq!(top["open"]["items"][0]["history"], json!([count(30, 3, 0, false), count(28, 5, 1, true)]));
    let top = json(platform.get("/analytics/top")).await;
    assert!(top["closed"]["items"][0].get("history").is_none());
    let top = json(platform.get("/analytics/top?history=30")).await;
    assert_eq!(top["closed"]["items"][0]["history"][2], count(0, 9, 0, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_has_looked_there_is_no_minute_and_before_the_topic_is_read_no_answer() {
    let topic = Topic::start(1).await;
    let platform = gateway(&topic, &catalog().await.0).await;
    let top = top_when(&platform, "", |_| true).await;
    assert_eq!((&top["closed"], &top["open"], &top["freshness"]["stale"]), (&Value::Null, &Value::Null, &json!(true)));
    let platform = Platform::start(&[]).await;
    assert_eq!(problem(platform.get("/analytics/top"), 503).await["type"], "/problems/dependency-unavailable");
}

#[tokio::test]
async fn limits_that_make_no_sense_are_told_at_once() {
    let platform = Platform::start(&[]).await;
    for query in ["limit=0", "limit=101", "limit=ten", "history=31", "history=-1", "from=now", "limit=1&limit=1"] {
        let told = problem(platform.get(&format!("/analytics/top?{query}")), 400).await;
        assert_eq!(told["errors"].as_array().unwrap().len(), 1, "{told}");
    }
    let told = problem(platform.get("/analytics/top?limit=0&history=99&of=me"), 400).await;
    assert_eq!(told["errors"].as_array().unwrap().len(), 3);
}
