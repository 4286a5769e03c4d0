//! Placing orders: what is answered, and what it takes.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Shop, admin, customer, ids};
use test_kit::{all, answer, count};

const ORDERS: &str = "SELECT count(*) FROM orders";
const UNSETTLED: &str = "SELECT count(*) FROM orders WHERE status = 'PENDING'";
const ABANDONED: &str = "SELECT count(*) FROM orders WHERE abandoned_at IS NOT NULL";

#[tokio::test]
async fn an_order_is_confirmed_with_its_stock_and_price_as_they_were_reserved() {
    let shop = Shop::start().await;
    let product = shop.stage.product("19.99", 5).await;
    let placed = answer(shop.desk.ordering(&product, 3)).await;
    assert_eq!((placed.status, placed.header("location"), placed.etag()), (201, "/orders/1", "\"2\""), "{placed:?}");
    let mut order = placed.json();
    for time in ["created_at", "updated_at"] {
        assert!(order[time].as_str().unwrap().ends_with('Z'), "{order}");
        order.as_object_mut().unwrap().remove(time);
    }
    let expected = json!({
        "id": "1", "customer_id": "7", "product_id": product, "product_name": "Lamp", "quantity": 3,
        "unit_price": "19.99", "total_price": "59.97", "currency": "EUR", "status": "CONFIRMED",
    });
    assert_eq!(order, expected);
    assert_eq!(shop.stage.stock(&product).await, 2);

    // What the product costs later changes no order.
    let change = json!({"price": "1.00", "name": "Chair"});
    answer(shop.stage.catalogs(Method::PATCH, &format!("/products/{product}")).json(&change)).await;
    let read = shop.desk.get("/orders/1").await;
    assert_eq!((read.etag(), read.json()), ("\"2\"", placed.json()));
    let known = shop.desk.request(&admin(), Method::GET, "/orders/1").header("if-none-match", "\"2\"");
    assert_eq!(answer(known).await.status, 304);
}

#[tokio::test]
async fn of_200_buyers_of_the_last_10_pieces_at_once_10_succeed() {
    let shop = Shop::with(&["--order-pending-timeout", "10s"]).await;
    shop.warm_up().await;
    let product = shop.stage.product("19.99", 10).await;
    let (mut confirmed, mut buyers) = (0, 200);
    // A machine that is busy with other things lets some wait too long for a connection. They have taken nothing that does
    // not come back, so once all of it is back, whoever has no order tries again.
    loop {
        let answers = all((0..buyers).map(|_| shop.desk.ordering(&product, 1))).await;
        let (placed, refused) = (count(&answers, 201), count(&answers, 409));
        assert!(answers.iter().all(|answer| matches!(answer.status, 201 | 409 | 503 | 504)), "{answers:?}");
        for answer in answers.iter().filter(|answer| answer.status == 409) {
            answer.is(409, "insufficient-stock");
            assert_eq!(answer.json()["available"], 0);
        }
        (confirmed, buyers) = (confirmed + placed, buyers - placed);
        assert!(confirmed <= 10, "{confirmed} orders of 10 pieces");
        if refused == buyers {
            break;
        }
        crate::harness::until("all is given back", async || shop.number(UNSETTLED).await == 0).await;
    }
    assert_eq!((confirmed, buyers, shop.stage.stock(&product).await), (10, 190, 0));
    // What was refused goes without a trace.
    crate::harness::until("nothing is left", async || shop.number(ORDERS).await == 10).await;
    assert_eq!((shop.desk.listed().await.len(), shop.stage.stock(&product).await), (10, 0));
    assert_eq!(shop.number("SELECT count(*) FROM outbox WHERE payload LIKE '%order.confirmed%'").await, 10);
}

#[tokio::test]
async fn an_order_of_more_than_there_is_is_refused_and_takes_nothing() {
    let shop = Shop::start().await;
    let product = shop.stage.product("1", 5).await;
    let refused = answer(shop.desk.keyed("key", &product, 6)).await;
    refused.is(409, "insufficient-stock");
    assert_eq!(refused.json()["available"], 5);
    assert_eq!(shop.desk.listed().await, [""; 0]);
    // The key is free at once.
    let stock = json!({"stock_delta": 1});
    answer(shop.stage.catalogs(Method::PATCH, &format!("/products/{product}")).json(&stock)).await;
    let placed = answer(shop.desk.keyed("key", &product, 6)).await;
    assert_eq!((placed.status, placed.header("idempotency-replayed")), (201, ""), "{placed:?}");
    assert_eq!(shop.stage.stock(&product).await, 0);
}

#[tokio::test]
async fn an_order_of_a_product_that_is_not_there_is_refused_at_its_field() {
    let shop = Shop::start().await;
    let refused = answer(shop.desk.ordering("42", 1)).await;
    refused.is(422, "validation-failed");
    assert_eq!(refused.faults(), [("/product_id".to_owned(), "not_found".to_owned())]);
    crate::harness::until("nothing is left", async || shop.number(ORDERS).await == 0).await;
}

#[tokio::test]
async fn an_order_that_nobody_can_pay_is_refused_and_gives_its_stock_back() {
    let shop = Shop::start().await;
    // 10^16 cents a piece: a million of them are more than 2^63 cents.
    let product = shop.stage.product("70368744177664.01", 1_000_000).await;
    let refused = answer(shop.desk.ordering(&product, 1_000_000)).await;
    refused.is(422, "validation-failed");
    assert_eq!(refused.faults(), [("/quantity".to_owned(), "above_maximum".to_owned())]);
    shop.stage.wait_for_stock(&product, 1_000_000).await;
    // What can be paid is exact.
    let placed = answer(shop.desk.ordering(&product, 1_310)).await;
    assert_eq!(placed.text("total_price"), "92183054872739853.10");
}

#[tokio::test]
async fn a_request_that_cannot_be_read_is_refused_with_all_its_faults() {
    let shop = Shop::start().await;
    let place = async |body: Value| answer(shop.desk.sends(&customer(7), Method::POST, "/orders", &body)).await;
    let refused = place(json!({"customer_id": "x", "quantity": 0, "price": 1})).await;
    refused.is(422, "validation-failed");
    let places: Vec<_> = refused.faults().into_iter().map(|(place, _)| place).collect();
    assert_eq!(places, ["/customer_id", "/price", "/product_id", "/quantity"]);
    place(json!({"customer_id": 7, "product_id": 1, "quantity": 1_000_001})).await.is(422, "validation-failed");
    place(json!([])).await.is(422, "validation-failed");
    let key = shop.desk.ordering("1", 1).header("idempotency-key", "two words");
    answer(key).await.is(400, "malformed-request");
    let query = shop.desk.sends(&customer(7), Method::POST, "/orders?now=1", &json!({}));
    answer(query).await.is(400, "malformed-request");
    assert_eq!(shop.number(ORDERS).await, 0);
}

#[tokio::test]
async fn twenty_identical_requests_at_once_place_one_order() {
    let shop = Shop::start().await;
    shop.warm_up().await;
    let product = shop.stage.product("19.99", 50).await;
    let answers = all((0..20).map(|_| shop.desk.keyed("key", &product, 2))).await;
    assert_eq!(count(&answers, 201) + count(&answers, 409), 20, "{answers:?}");
    assert!(count(&answers, 201) >= 1);
    for answer in &answers {
        if answer.status == 409 {
            answer.is(409, "request-in-progress");
            assert_eq!(answer.header("retry-after"), "1");
        } else {
            assert_eq!(answer.header("location"), "/orders/1");
        }
    }
    assert_eq!(shop.stage.stock(&product).await, 48);
    let again = answer(shop.desk.keyed("key", &product, 2)).await;
    assert_eq!((again.status, again.header("idempotency-replayed"), again.etag()), (201, "true", "\"2\""));
    let other = answer(shop.desk.keyed("key", &product, 3)).await;
    other.is(422, "idempotency-key-reused");
    assert_eq!((shop.number(ORDERS).await, shop.stage.stock(&product).await), (1, 48));
}

#[tokio::test]
async fn an_answer_is_kept_as_it_was_when_the_order_goes_on() {
    let shop = Shop::start().await;
    let product = shop.stage.product("19.99", 5).await;
    let first = answer(shop.desk.keyed("key", &product, 1)).await;
    assert_eq!(shop.desk.set(&admin(), "/orders/1", "CANCELLED").await.status, 200);
    let again = answer(shop.desk.keyed("key", &product, 1)).await;
    assert_eq!((again.status, &again.text, again.header("location")), (201, &first.text, "/orders/1"));
    assert_eq!(shop.number(ORDERS).await, 1);
}

#[tokio::test]
async fn without_a_key_every_request_places_an_order() {
    let shop = Shop::start().await;
    let product = shop.stage.product("19.99", 5).await;
    assert_eq!([shop.desk.order(&product, 1).await, shop.desk.order(&product, 1).await], ["/orders/1", "/orders/2"]);
    assert_eq!(shop.stage.stock(&product).await, 3);
}

#[tokio::test]
async fn while_the_catalog_is_down_orders_are_answered_503_and_leave_nothing() {
    let shop = Shop::start().await;
    let product = shop.stage.product("19.99", 5).await;
    shop.stage.proxy.set_down(true);
    let refused = answer(shop.desk.keyed("key", &product, 1)).await;
    refused.is(503, "dependency-unavailable");
    assert!(!refused.header("retry-after").is_empty());
    assert_eq!((shop.desk.listed().await.len(), shop.number(ABANDONED).await), (0, 1));
    shop.stage.proxy.set_down(false);
    // The key was freed with the order: the same request is a new one.
    let placed = answer(shop.desk.keyed("key", &product, 1)).await;
    assert_eq!((placed.status, placed.header("location")), (201, "/orders/2"), "{placed:?}");
    crate::harness::until("the first is gone", async || shop.number(ORDERS).await == 1).await;
    assert_eq!(shop.stage.stock(&product).await, 4);
    assert_eq!(ids(&shop.desk.get("/orders").await.json()), ["2"]);
}

#[tokio::test]
async fn an_answer_of_the_catalog_that_never_comes_is_waited_for_5_seconds() {
    let shop = Shop::start().await;
    let product = shop.stage.product("19.99", 5).await;
    shop.stage.proxy.open_back(false);
    let began = std::time::Instant::now();
    answer(shop.desk.ordering(&product, 1)).await.is(503, "dependency-unavailable");
    assert!(began.elapsed() < std::time::Duration::from_secs(8), "{:?}", began.elapsed());
    // The reservation was made. It is given back.
    shop.stage.wait_for_stock(&product, 5).await;
    crate::harness::until("nothing is left", async || shop.number(ORDERS).await == 0).await;
}

#[tokio::test]
async fn the_operator_sees_what_became_of_orders() {
    let shop = Shop::start().await;
    let product = shop.stage.product("19.99", 1).await;
    for _ in 0..2 {
        answer(shop.desk.keyed("key", &product, 1)).await;
    }
    answer(shop.desk.ordering(&product, 1)).await;
    for outcome in ["confirmed", "replayed", "insufficient-stock"] {
        shop.wait_for_metric(&format!("orders_placed_total{{outcome=\"{outcome}\"}} 1")).await;
    }
    shop.wait_for_metric("orders_released_total 1").await;
    // Nobody takes the event of the first.
    shop.wait_for_metric("outbox_rows_waiting{target=\"kafka\"} 1").await;
    shop.wait_for_metric("outbox_rows_waiting{target=\"stock\"} 0").await;
    let metrics = shop.metrics().await;
    assert!(!metrics.contains("target=\"sqs\""), "there is no queue: {metrics}");
    let age = metrics.lines().find_map(|line| line.strip_prefix("outbox_oldest_age_seconds{target=\"kafka\"} "));
    assert!(age.unwrap().parse::<f64>().unwrap() > 0.0);
}

#[tokio::test]
async fn a_client_that_hangs_up_has_ordered_all_the_same() {
    let shop = Shop::start().await;
    let product = shop.stage.product("19.99", 5).await;
    shop.stage.proxy.open_back(false);
    let client = tokio::spawn(answer(shop.desk.ordering(&product, 1)));
    shop.stage.proxy.answered(1).await;
    client.abort();
    assert!(client.await.unwrap_err().is_cancelled());
    shop.stage.proxy.open_back(true);
    let confirmed = async || shop.desk.get("/orders/1").await.json()["status"] == "CONFIRMED";
    crate::harness::until("it is confirmed", confirmed).await;
    assert_eq!(shop.stage.stock(&product).await, 4);
}

#[tokio::test]
async fn two_attempts_of_one_request_at_once_confirm_one_order_and_answer_the_same() {
    let shop = Shop::start().await;
    let product = shop.stage.product("19.99", 5).await;
    shop.stage.proxy.open_back(false);
    let first = tokio::spawn(answer(shop.desk.keyed("key", &product, 2)));
    shop.stage.proxy.answered(1).await;
    answer(shop.desk.keyed("key", &product, 2)).await.is(409, "request-in-progress");
    // The lease has ended, although the first is still at work.
    shop.stage.database.execute("UPDATE idempotency_keys SET leased_until = now() - interval '1 second'").await;
    let second = tokio::spawn(answer(shop.desk.keyed("key", &product, 2)));
    shop.stage.proxy.answered(2).await;
    shop.stage.proxy.open_back(true);
    let (first, second) = (first.await.unwrap(), second.await.unwrap());
    assert_eq!((first.status, second.status, &first.text), (201, 201, &second.text), "{first:?} {second:?}");
    let replayed = [&first, &second].map(|answer| answer.header("idempotency-replayed"));
    assert!(replayed == ["", "true"] || replayed == ["true", ""], "{replayed:?}");
    assert_eq!((shop.number(ORDERS).await, shop.number("SELECT count(*) FROM outbox").await), (1, 1));
    assert_eq!(shop.stage.stock(&product).await, 3);
}
