//! Where orders can go, and what that does.

use reqwest::Method;
use serde_json::json;

use crate::harness::{Shop, admin, customer, service, until};
use test_kit::{all, answer, count};

const STATUSES: [&str; 7] = ["PENDING", "CONFIRMED", "PAID", "SHIPPED", "DELIVERED", "CANCELLED", "REFUNDED"];

/// The specification's table, apart from PENDING to CONFIRMED, which is no request's to make.
fn allowed(from: &str) -> &'static [&'static str] {
    match from {
        "PENDING" => &["CANCELLED"],
        "CONFIRMED" => &["PAID", "CANCELLED"],
        "PAID" => &["SHIPPED", "REFUNDED"],
        "SHIPPED" => &["DELIVERED", "REFUNDED"],
        "DELIVERED" => &["REFUNDED"],
        _ => &[],
    }
}

/// The way from CONFIRMED.
fn way_to(status: &str) -> &'static [&'static str] {
    match status {
        "PAID" => &["PAID"],
        "SHIPPED" => &["PAID", "SHIPPED"],
        "DELIVERED" => &["PAID", "SHIPPED", "DELIVERED"],
        "CANCELLED" => &["CANCELLED"],
        "REFUNDED" => &["PAID", "REFUNDED"],
        _ => &[],
    }
}

/// The path of a new order that stands there.
async fn order_in(shop: &Shop, product: &str, status: &str) -> String {
    if status == "PENDING" {
        let insert =
            "WITH made AS (INSERT INTO orders (customer_id, product_id, quantity) VALUES (7, 1, 1) RETURNING id)
                      SELECT id FROM made";
        return format!("/orders/{}", shop.number(insert).await);
    }
    let path = shop.desk.order(product, 1).await;
    for step in way_to(status) {
        let changed = shop.desk.set(&service(), &path, step).await;
        assert_eq!((changed.status, &*changed.text("status")), (200, *step), "{changed:?}");
    }
    path
}

#[tokio::test]
async fn an_order_goes_where_the_table_says_and_nowhere_else() {
    let shop = Shop::start().await;
    let product = shop.stage.product("19.99", 1_000).await;
    for from in STATUSES {
        for to in STATUSES {
            let path = order_in(&shop, &product, from).await;
            let before = shop.desk.get(&path).await;
            assert_eq!(before.text("status"), from);
            let changed = shop.desk.set(&admin(), &path, to).await;
            let after = shop.desk.get(&path).await;
            if from == to {
                assert_eq!((changed.status, changed.etag(), &changed.text), (200, before.etag(), &before.text));
            } else if allowed(from).contains(&to) {
                assert_eq!((changed.status, &*changed.text("status")), (200, to), "{from} to {to}: {changed:?}");
                assert_eq!((changed.etag(), &changed.text), (after.etag(), &after.text));
                assert_ne!(changed.etag(), before.etag());
            } else {
                changed.is(409, "illegal-transition");
                assert_eq!(changed.json()["allowed"], json!(allowed(from)), "{from} to {to}");
                assert_eq!(after.text, before.text);
            }
        }
    }
}

#[tokio::test]
async fn a_customer_cancels_its_own_orders_and_nothing_else() {
    let shop = Shop::start().await;
    let product = shop.stage.product("19.99", 100).await;
    for to in STATUSES {
        let path = order_in(&shop, &product, "CONFIRMED").await;
        shop.desk.set(&customer(8), &path, to).await.is(404, "not-found");
        let changed = shop.desk.set(&customer(7), &path, to).await;
        if to == "CANCELLED" {
            assert_eq!((changed.status, &*changed.text("status")), (200, "CANCELLED"));
        } else {
            changed.is(403, "forbidden");
        }
    }
    let paid = order_in(&shop, &product, "PAID").await;
    shop.desk.set(&customer(7), &paid, "CANCELLED").await.is(409, "illegal-transition");
}

#[tokio::test]
async fn a_change_that_names_no_status_or_none_that_there_is_changes_nothing() {
    let shop = Shop::start().await;
    let product = shop.stage.product("19.99", 5).await;
    let path = shop.desk.order(&product, 1).await;
    let patch = async |body| answer(shop.desk.sends(&admin(), Method::PATCH, &path, &body)).await;
    let unchanged = patch(json!({})).await;
    assert_eq!((unchanged.status, unchanged.etag()), (200, "\"2\""));
    for (body, fault) in [
        (json!({"status": "paid"}), ("/status", "invalid_format")),
        (json!({"status": null}), ("/status", "wrong_type")),
        (json!({"quantity": 1}), ("/quantity", "unknown")),
    ] {
        let refused = patch(body).await;
        refused.is(422, "validation-failed");
        assert_eq!(refused.faults(), [(fault.0.to_owned(), fault.1.to_owned())]);
    }
    for path in ["/orders/0", "/orders/x", "/orders/99"] {
        shop.desk.set(&admin(), path, "PAID").await.is(404, "not-found");
        shop.desk.get(path).await.is(404, "not-found");
    }
    assert_eq!(shop.desk.get(&path).await.etag(), "\"2\"");
}

#[tokio::test]
async fn a_change_of_an_older_version_is_refused_with_the_present_one() {
    let shop = Shop::start().await;
    let product = shop.stage.product("19.99", 5).await;
    let path = shop.desk.order(&product, 1).await;
    assert_eq!(shop.desk.set_if("\"2\"", &path, "PAID").await.status, 200);
    // Somebody else saw it CONFIRMED. That SHIPPED would be right now does not matter, nor that PAID changes nothing.
    for status in ["SHIPPED", "PAID", "CANCELLED"] {
        let stale = shop.desk.set_if("\"2\"", &path, status).await;
        stale.is(412, "stale-version");
        assert_eq!(stale.etag(), "\"3\"");
    }
    assert_eq!(shop.desk.set_if("\"3\"", &path, "SHIPPED").await.etag(), "\"4\"");
}

#[tokio::test]
async fn of_changes_of_one_version_at_once_one_is_made() {
    let shop = Shop::start().await;
    shop.warm_up().await;
    let product = shop.stage.product("19.99", 5).await;
    let path = shop.desk.order(&product, 1).await;
    let changes = (0..12).map(|change| {
        let status = if change % 2 == 0 { "PAID" } else { "CANCELLED" };
        shop.desk.sends(&admin(), Method::PATCH, &path, &json!({"status": status})).header("if-match", "\"2\"")
    });
    let answers = all(changes).await;
    assert_eq!((count(&answers, 200), count(&answers, 412)), (1, 11), "{answers:?}");
    let made = answers.iter().find(|answer| answer.status == 200).unwrap();
    assert_eq!(shop.desk.get(&path).await.json(), made.json());
    assert_eq!(shop.number("SELECT count(*) FROM outbox").await, 2);
}

#[tokio::test]
async fn a_cancelled_order_gives_its_stock_back_once_and_a_refunded_one_does_not() {
    let shop = Shop::start().await;
    shop.warm_up().await;
    let product = shop.stage.product("19.99", 10).await;
    let [cancelled, refunded] = [shop.desk.order(&product, 3).await, shop.desk.order(&product, 2).await];
    assert_eq!(shop.stage.stock(&product).await, 5);
    let cancel = |_| shop.desk.sends(&customer(7), Method::PATCH, &cancelled, &json!({"status": "CANCELLED"}));
    let answers = all((0..10).map(cancel)).await;
    assert_eq!(count(&answers, 200), 10, "{answers:?}");
    assert!(answers.iter().all(|answer| answer.etag() == "\"3\""), "{answers:?}");
    shop.stage.wait_for_stock(&product, 8).await;
    for status in ["PAID", "REFUNDED"] {
        assert_eq!(shop.desk.set(&service(), &refunded, status).await.status, 200);
    }
    let settled = "SELECT count(*) FROM outbox WHERE releases_stock AND released_at IS NULL";
    until("nothing is to be released", async || shop.number(settled).await == 0).await;
    assert_eq!((shop.stage.stock(&product).await, shop.stage.proxy.releases()), (8, 1));
}

#[tokio::test]
async fn stock_goes_back_when_the_catalog_is_there_again_and_the_cancellation_does_not_wait_for_it() {
    let shop = Shop::start().await;
    let product = shop.stage.product("19.99", 10).await;
    let path = shop.desk.order(&product, 3).await;
    shop.stage.proxy.set_down(true);
    assert_eq!(shop.desk.set(&customer(7), &path, "CANCELLED").await.status, 200);
    shop.wait_for_metric("outbox_rows_waiting{target=\"stock\"} 1").await;
    assert_eq!(shop.stage.stock(&product).await, 7);
    shop.stage.proxy.set_down(false);
    shop.stage.wait_for_stock(&product, 10).await;
}

#[tokio::test]
async fn an_order_that_is_cancelled_while_it_is_placed_takes_nothing_and_nobody_is_told_of_it() {
    let shop = Shop::start().await;
    let product = shop.stage.product("19.99", 10).await;
    shop.stage.proxy.open_back(false);
    let placing = tokio::spawn(answer(shop.desk.keyed("key", &product, 3)));
    shop.stage.proxy.answered(1).await;
    let pending = shop.desk.get("/orders/1").await;
    assert_eq!((&*pending.text("status"), pending.etag()), ("PENDING", "\"1\""));
    let order = pending.json();
    assert!(order["total_price"].is_null() && order["product_name"].is_null(), "{order}");
    let cancelled = shop.desk.set(&customer(7), "/orders/1", "CANCELLED").await;
    assert_eq!((&*cancelled.text("status"), cancelled.etag()), ("CANCELLED", "\"2\""));
    shop.stage.wait_for_stock(&product, 10).await;
    shop.stage.proxy.open_back(true);
    let refused = placing.await.unwrap();
    refused.is(409, "illegal-transition");
    assert_eq!(shop.stage.stock(&product).await, 10);
    assert_eq!(shop.desk.get("/orders/1").await.json(), cancelled.json());
    assert_eq!(shop.number("SELECT count(payload) FROM outbox").await, 0);
    // A new request with the key is a new order.
    let placed = answer(shop.desk.keyed("key", &product, 3)).await;
    assert_eq!((placed.status, placed.header("location")), (201, "/orders/2"), "{placed:?}");
}
