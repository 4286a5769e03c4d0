//! What happens when nobody asks: orders that are not placed or not paid in time.

use crate::harness::{Shop, service, until};
use test_kit::{all, answer, count};

const ORDERS: &str = "SELECT count(*) FROM orders";

#[tokio::test]
async fn a_reservation_that_arrives_after_its_order_was_given_up_takes_nothing() {
    let shop = Shop::with(&["--order-pending-timeout", "1s"]).await;
    let product = shop.stage.product("19.99", 5).await;
    shop.stage.proxy.open_there(false);
    let placing = tokio::spawn(answer(shop.desk.keyed("key", &product, 2)));
    shop.stage.proxy.asked(1).await;
    until("it is given up and gone", async || shop.number(ORDERS).await == 0).await;
    shop.stage.proxy.open_there(true);
    let refused = placing.await.unwrap();
    refused.is(503, "dependency-unavailable");
    assert!(!refused.header("retry-after").is_empty());
    assert_eq!(shop.stage.stock(&product).await, 5);
    // As it says: the same request again makes an order.
    let placed = answer(shop.desk.keyed("key", &product, 2)).await;
    assert_eq!((placed.status, placed.header("location")), (201, "/orders/2"), "{placed:?}");
    shop.wait_for_metric("orders_given_up_total 1").await;
}

#[tokio::test]
async fn a_reservation_whose_answer_comes_after_its_order_was_given_up_confirms_nothing() {
    let shop = Shop::with(&["--order-pending-timeout", "1s"]).await;
    let product = shop.stage.product("19.99", 5).await;
    shop.stage.proxy.open_back(false);
    let placing = tokio::spawn(answer(shop.desk.ordering(&product, 2)));
    shop.stage.proxy.answered(1).await;
    assert_eq!(shop.stage.stock(&product).await, 3);
    until("it is given up and gone", async || shop.number(ORDERS).await == 0).await;
    assert_eq!(shop.stage.stock(&product).await, 5);
    shop.stage.proxy.open_back(true);
    placing.await.unwrap().is(503, "dependency-unavailable");
    assert_eq!((shop.number(ORDERS).await, shop.number("SELECT count(*) FROM outbox").await), (0, 0));
    assert_eq!(shop.stage.stock(&product).await, 5);
}

#[tokio::test]
async fn an_order_is_deleted_only_when_its_stock_is_known_to_be_released() {
    let shop = Shop::with(&["--order-pending-timeout", "1s"]).await;
    let product = shop.stage.product("19.99", 5).await;
    shop.stage.proxy.open_back(false);
    let placing = tokio::spawn(answer(shop.desk.ordering(&product, 2)));
    shop.stage.proxy.answered(1).await;
    shop.stage.proxy.set_down(true);
    let tried = "SELECT count(*) FROM orders WHERE abandoned_at IS NOT NULL AND releasing_until IS NOT NULL";
    until("its release was tried", async || shop.number(tried).await == 1).await;
    shop.stage.proxy.open_back(true);
    placing.await.unwrap().is(503, "dependency-unavailable");
    // Nobody sees it, and it is not forgotten.
    shop.desk.get("/orders/1").await.is(404, "not-found");
    shop.desk.set(&service(), "/orders/1", "CANCELLED").await.is(404, "not-found");
    assert_eq!((shop.desk.listed().await.len(), shop.number(ORDERS).await), (0, 1));
    shop.stage.proxy.set_down(false);
    shop.stage.wait_for_stock(&product, 5).await;
    until("it is gone", async || shop.number(ORDERS).await == 0).await;
}

#[tokio::test]
async fn an_order_that_is_not_paid_in_time_is_cancelled_and_gives_its_stock_back() {
    let shop = Shop::with(&["--order-payment-timeout", "2s"]).await;
    let product = shop.stage.product("19.99", 5).await;
    let [unpaid, paid] = [shop.desk.order(&product, 2).await, shop.desk.order(&product, 1).await];
    assert_eq!(shop.desk.set(&service(), &paid, "PAID").await.status, 200);
    let cancelled = async || shop.desk.get(&unpaid).await.json()["status"] == "CANCELLED";
    until("it is cancelled", cancelled).await;
    assert_eq!(shop.desk.get(&unpaid).await.etag(), "\"3\"");
    shop.stage.wait_for_stock(&product, 4).await;
    assert_eq!(shop.desk.get(&paid).await.text("status"), "PAID");
    shop.desk.set(&service(), &unpaid, "PAID").await.is(409, "illegal-transition");
    assert_eq!(shop.number("SELECT count(*) FROM outbox WHERE payload LIKE '%order.cancelled%'").await, 1);
    shop.wait_for_metric("orders_unpaid_total 1").await;
}

#[tokio::test]
async fn two_replicas_give_up_and_release_each_order_once() {
    let shop = Shop::with(&["--order-pending-timeout", "0s"]).await;
    let other = crate::harness::orders(&shop.stage.flags(&["--order-pending-timeout", "0s"])).await;
    other.wait_until_ready().await;
    shop.warm_up().await;
    let product = shop.stage.product("19.99", 1_000).await;
    // Some are confirmed in time, and some given up.
    let answers = all((0..60).map(|_| shop.desk.ordering(&product, 1))).await;
    let confirmed = count(&answers, 201);
    assert_eq!(confirmed + count(&answers, 503), 60, "{answers:?}");
    let pending = "SELECT count(*) FROM orders WHERE status = 'PENDING'";
    until("what was given up is gone", async || shop.number(pending).await == 0).await;
    let left = 1_000 - i64::try_from(confirmed).unwrap();
    assert_eq!(shop.stage.stock(&product).await, left);
    assert_eq!(shop.desk.listed().await.len(), confirmed);
}
