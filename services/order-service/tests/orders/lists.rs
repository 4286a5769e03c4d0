//! Lists: pages and filters.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use reqwest::Method;

use crate::harness::{Shop, admin, customer, ids, service};
use test_kit::answer;

#[tokio::test]
async fn pages_meet_every_order_once_the_newest_first_while_others_are_placed() {
    let shop = Shop::start().await;
    let product = shop.stage.product("19.99", 1_000).await;
    for _ in 0..10 {
        shop.desk.order(&product, 1).await;
        answer(shop.desk.ordering_for(8, &product, 1)).await;
    }
    let (mut met, mut next) = (Vec::new(), "/orders?limit=3".to_owned());
    loop {
        // As the customer: the cursor leads on through its own.
        let page = answer(shop.desk.request(&customer(7), Method::GET, &next)).await;
        met.extend(ids(&page.json()));
        let Some(cursor) = page.json()["next_cursor"].as_str().map(str::to_owned) else { break };
        next = format!("/orders?limit=3&cursor={cursor}");
        assert_eq!(page.header("link"), format!("<{next}>; rel=\"next\""));
        shop.desk.order(&product, 1).await;
    }
    let expected: Vec<_> = (1..=10).rev().map(|place| (2 * place - 1).to_string()).collect();
    assert_eq!(met, expected);
}

#[tokio::test]
async fn filters_go_together_and_cursors_carry_them() {
    let shop = Shop::start().await;
    let product = shop.stage.product("19.99", 1_000).await;
    for customer in [7, 8, 7, 8, 7] {
        answer(shop.desk.ordering_for(customer, &product, 1)).await;
    }
    for path in ["/orders/1", "/orders/2", "/orders/3"] {
        shop.desk.set(&service(), path, "PAID").await;
    }
    let list = async |query: &str| ids(&shop.desk.get(&format!("/orders?{query}")).await.json());
    assert_eq!(list("").await, ["5", "4", "3", "2", "1"]);
    assert_eq!(list("status=PAID").await, ["3", "2", "1"]);
    assert_eq!(list("customer_id=7").await, ["5", "3", "1"]);
    assert_eq!(list("customer_id=7&status=PAID").await, ["3", "1"]);
    assert_eq!(list("customer_id=9").await, [""; 0]);
    assert_eq!(list("status=PENDING").await, [""; 0]);
    let first = shop.desk.get("/orders?status=PAID&limit=1").await.json();
    let cursor = first["next_cursor"].as_str().unwrap();
    assert_eq!(list(&format!("cursor={cursor}")).await, ["2", "1"]);
    assert_eq!(list(&format!("status=PAID&cursor={cursor}")).await, ["2", "1"]);
    let other = shop.desk.get(&format!("/orders?status=SHIPPED&cursor={cursor}")).await;
    other.is(400, "malformed-request");
    assert_eq!(other.faults(), [("cursor".to_owned(), "conflict".to_owned())]);
}

#[tokio::test]
async fn a_query_that_cannot_be_read_is_refused_with_all_its_faults() {
    let shop = Shop::start().await;
    let refused = shop.desk.get("/orders?limit=0&cursor=x&customer_id=0&status=paid&colour=red").await;
    refused.is(400, "malformed-request");
    let places: Vec<_> = refused.faults().into_iter().map(|(place, _)| place).collect();
    assert_eq!(places, ["colour", "cursor", "customer_id", "limit", "status"]);
    shop.desk.get("/orders/1?expand=all").await.is(400, "malformed-request");
}

#[tokio::test]
async fn a_cursor_that_somebody_made_up_shows_nothing_of_others() {
    let shop = Shop::start().await;
    let product = shop.stage.product("19.99", 10).await;
    for customer in [7, 8] {
        answer(shop.desk.ordering_for(customer, &product, 1)).await;
    }
    let list = async |caller, json: &str| {
        let cursor = BASE64_URL_SAFE_NO_PAD.encode(json);
        answer(shop.desk.request(&caller, Method::GET, &format!("/orders?cursor={cursor}"))).await
    };
    let foreign = r#"{"l":"/orders","f":{"customer_id":"8"},"p":"9"}"#;
    assert_eq!(ids(&list(admin(), foreign).await.json()), ["2"]);
    list(customer(7), foreign).await.is(404, "not-found");
    let everybodys = r#"{"l":"/orders","f":{},"p":"9"}"#;
    assert_eq!(ids(&list(customer(7), everybodys).await.json()), ["1"]);
    for json in [
        r#"{"l":"/orders","f":{"status":"paid"},"p":"1"}"#,
        r#"{"l":"/orders","f":{"customer_id":"0"},"p":"1"}"#,
        r#"{"l":"/orders","f":{},"p":"-1"}"#,
        r#"{"l":"/products","f":{},"p":"1"}"#,
        "null",
    ] {
        list(admin(), json).await.is(400, "malformed-request");
    }
}
