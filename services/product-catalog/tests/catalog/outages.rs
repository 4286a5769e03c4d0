//! A database that is not there, goes and comes back.

use std::time::{Duration, Instant};

use backends::Postgres;
use serde_json::json;

use crate::harness::{Shop, flags, folder};

/// How long an answer may take when the database does not: the time limit of a connection, and what a busy machine adds.
const LIMIT: Duration = Duration::from_secs(5);

async fn assert_unavailable(shop: &Shop) {
    let began = Instant::now();
    for answer in [shop.get("/products").await, shop.post(&json!({"name": "Lamp", "price": 1})).await] {
        answer.is(503, "dependency-unavailable");
        assert!(!answer.header("retry-after").is_empty());
    }
    assert!(began.elapsed() < 2 * LIMIT, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_service_that_lost_its_database_says_so_quickly_and_goes_on_when_it_is_back() {
    let folder = folder();
    let data = folder.path().join("data");
    let postgres = Postgres::start(&data, None).await.unwrap();
    postgres.create_database("shop").await.unwrap();
    let (port, flags) = (postgres.port(), flags(&postgres, "shop"));
    postgres.stop().await.unwrap();

    // Started before its database.
    let shop = Shop::start_with(&flags).await;
    let readiness = shop.readiness().await;
    assert_eq!((readiness.status, &*readiness.text), (503, "not ready: database\n"));
    assert_unavailable(&shop).await;
    let postgres = Postgres::start(&data, Some(port)).await.unwrap();
    shop.wait_until_ready().await;
    let path = shop.product(3).await;

    // Lost, then back.
    postgres.stop().await.unwrap();
    assert_unavailable(&shop).await;
    let _postgres = Postgres::start(&data, Some(port)).await.unwrap();
    assert_eq!(shop.stock(&path).await, 3);
    assert_eq!(shop.product(1).await, "/products/2");
    shop.stop().await.unwrap();
}

#[tokio::test]
async fn the_operator_sees_how_many_connections_there_are() {
    let shop = Shop::start().await;
    shop.product(1).await;
    let metrics = shop.metrics().await;
    let has = |start: &str| metrics.lines().any(|line| line.starts_with(start) && !line.ends_with(" 0"));
    assert!(has("database_connections_open "), "{metrics}");
    assert!(metrics.contains("database_connections_idle "), "{metrics}");
    assert!(has("http_requests_total{service=\"product-catalog\",method=\"POST\",route=\"/products\",status=\"201\"}"));
    shop.stop().await.unwrap();
}
