//! What the service needs is not there, goes and comes back. Of the catalog it is told in `placing`, of Kafka and the queue in
//! `relay`.

use std::time::{Duration, Instant};

use backends::Postgres;

use crate::harness::{self, Desk, Running, catalog, customer, orders, until};
use crate::proxy::Proxy;
use test_kit::answer;
use test_kit::{flags, folder};

/// How long an answer may take when the database does not: the time limit of a connection, and what a busy machine adds.
const LIMIT: Duration = Duration::from_secs(5);

async fn assert_unavailable(desk: &Desk) {
    let began = Instant::now();
    for request in [
        desk.ordering("1", 1),
        desk.keyed("key", "1", 1),
        desk.request(&customer(7), reqwest::Method::GET, "/orders"),
        desk.request(&customer(7), reqwest::Method::GET, "/orders/1"),
    ] {
        let refused = answer(request).await;
        refused.is(503, "dependency-unavailable");
        assert!(!refused.header("retry-after").is_empty());
    }
    assert!(began.elapsed() < 4 * LIMIT, "{:?}", began.elapsed());
}

async fn make_product(catalog: &Running) {
    let body = serde_json::json!({"name": "Lamp", "price": "19.99", "stock_quantity": 5});
    let request = reqwest::Client::new().post(format!("{}/products", catalog.url)).json(&body);
    let token = harness::authorization(product_catalog::NAME, &harness::admin());
    assert_eq!(answer(request.header("authorization", token)).await.status, 201);
}

#[tokio::test]
async fn a_service_that_lost_its_database_says_so_quickly_and_goes_on_when_it_is_back() {
    let folder = folder();
    let data = folder.path().join("data");
    let postgres = Postgres::start(&data, None).await.unwrap();
    postgres.create_database("shop").await.unwrap();
    let (port, database) = (postgres.port(), flags(&postgres, "shop"));
    postgres.stop().await.unwrap();

    // Started before its database.
    let catalog = catalog(&database, 0).await;
    let proxy = Proxy::start(catalog.url.clone()).await;
    let service = orders(&harness::flags(&database, &proxy.url, &[])).await;
    let desk = Desk::at(&service.url);
    let readiness = answer(desk.anyones(reqwest::Method::GET, "/readyz")).await;
    assert_eq!((readiness.status, &*readiness.text), (503, "not ready: database\n"));
    assert_unavailable(&desk).await;
    let postgres = Postgres::start(&data, Some(port)).await.unwrap();
    catalog.wait_until_ready().await;
    service.wait_until_ready().await;
    make_product(&catalog).await;
    assert_eq!(desk.order("1", 1).await, "/orders/1");

    // Lost while an order is placed: nobody knows yet what comes of it.
    proxy.open_back(false);
    let placing = tokio::spawn(answer(desk.keyed("lost", "1", 1)));
    proxy.answered(2).await;
    postgres.stop().await.unwrap();
    proxy.open_back(true);
    placing.await.unwrap().is(503, "dependency-unavailable");
    assert_unavailable(&desk).await;

    let postgres = Postgres::start(&data, Some(port)).await.unwrap();
    // A pool that lost its connections finds that out one by one.
    let ready = async || answer(desk.request(&customer(7), reqwest::Method::GET, "/orders")).await.status == 200;
    until("orders are listed again", ready).await;
    until("orders are taken again", async || answer(desk.ordering("1", 1)).await.status == 201).await;
    service.stop().await.unwrap();
    catalog.stop().await.unwrap();
    postgres.stop().await.unwrap();
}
