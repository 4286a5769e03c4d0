//! Customers whose accounts end.

use reqwest::{Method, RequestBuilder};

use crate::harness::{Desk, Shop, admin, customer, service, until};
use crate::held::hold;
use test_kit::{all, answer, count};

const ORDERED: &str = "CREATE TRIGGER wait BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION wait()";
const CLOSED: &str = "CREATE TRIGGER wait BEFORE INSERT ON closed_customers FOR EACH ROW EXECUTE FUNCTION wait()";
/// How many wait for the lock of a customer.
const WAITING: &str =
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND classid = 252116993
                       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";

fn asking(desk: &Desk, method: Method, customer: i64) -> RequestBuilder {
    desk.request(&service(), method, &format!("/internal/closed-customers/{customer}"))
}

#[tokio::test]
async fn no_order_is_taken_of_a_customer_whose_account_is_closed_until_it_is_opened_again() {
    let shop = Shop::start().await;
    let product = shop.stage.product("19.99", 5).await;
    for _ in 0..2 {
        let closed = answer(asking(&shop.desk, Method::PUT, 7)).await;
        assert_eq!((closed.status, &*closed.text), (204, ""), "{closed:?}");
    }
    answer(shop.desk.ordering(&product, 1)).await.is(404, "not-found");
    assert_eq!(answer(shop.desk.ordering_for(8, &product, 1)).await.status, 201);
    for _ in 0..2 {
        assert_eq!(answer(asking(&shop.desk, Method::DELETE, 7)).await.status, 204);
    }
    assert_eq!(answer(shop.desk.ordering(&product, 1)).await.status, 201);
    assert_eq!(shop.stage.stock(&product).await, 3);
}

#[tokio::test]
async fn an_account_with_an_open_order_is_not_closed() {
    let shop = Shop::start().await;
    let product = shop.stage.product("19.99", 5).await;
    let closing = async || answer(asking(&shop.desk, Method::PUT, 7)).await;
    // While it is placed, too.
    shop.stage.proxy.open_back(false);
    let placing = tokio::spawn(answer(shop.desk.ordering(&product, 1)));
    shop.stage.proxy.answered(1).await;
    closing().await.is(409, "open-orders");
    shop.stage.proxy.open_back(true);
    let path = placing.await.unwrap().header("location").to_owned();
    for status in ["CONFIRMED", "PAID", "SHIPPED"] {
        assert_eq!(shop.desk.set(&service(), &path, status).await.status, 200);
        closing().await.is(409, "open-orders");
    }
    assert_eq!(shop.desk.set(&service(), &path, "DELIVERED").await.status, 200);
    assert_eq!(closing().await.status, 204);
    // Its orders stay, and go on.
    assert_eq!(shop.desk.set(&service(), &path, "REFUNDED").await.status, 200);
}

#[tokio::test]
async fn an_order_and_the_end_of_its_customers_account_at_once_do_not_both_succeed() {
    let shop = Shop::start().await;
    shop.warm_up().await;
    let product = shop.stage.product("19.99", 1_000).await;
    let (mut closed, mut kept) = (0, 0);
    for customer in 1..=40 {
        // In changing order, so that each of them is first at times.
        let mut requests: Vec<_> = (0..4).map(|_| shop.desk.ordering_for(customer, &product, 1)).collect();
        requests.insert(usize::try_from(customer).unwrap() % 5, asking(&shop.desk, Method::PUT, customer));
        let answers = all(requests).await;
        let (orders, closings) = (count(&answers, 201), count(&answers, 204));
        assert!(answers.iter().all(|answer| matches!(answer.status, 201 | 204 | 404 | 409)), "{answers:?}");
        assert!(orders == 0 || closings == 0, "{answers:?}");
        assert!(orders == 4 || closings == 1, "an order was refused of an open account: {answers:?}");
        closed += closings;
        kept += usize::from(orders > 0);
    }
    assert_eq!(closed + kept, 40);
    assert!(closed > 0 && kept > 0, "closed {closed}, kept {kept}: nothing was told");
}

#[tokio::test]
async fn whoever_closes_an_account_waits_for_an_order_that_has_begun() {
    let shop = Shop::start().await;
    let product = shop.stage.product("19.99", 5).await;
    let held = hold(&shop.stage.database, ORDERED).await;
    let placing = tokio::spawn(answer(shop.desk.ordering(&product, 1)));
    held.reached().await;
    let closing = tokio::spawn(answer(asking(&shop.desk, Method::PUT, 7)));
    until("the closing waits", async || shop.number(WAITING).await == 1).await;
    held.let_go().await;
    let (placed, refused) = (placing.await.unwrap(), closing.await.unwrap());
    assert_eq!(placed.status, 201, "{placed:?}");
    refused.is(409, "open-orders");
}

#[tokio::test]
async fn an_order_waits_for_whoever_has_begun_to_close_its_account() {
    let shop = Shop::start().await;
    let product = shop.stage.product("19.99", 5).await;
    let held = hold(&shop.stage.database, CLOSED).await;
    let closing = tokio::spawn(answer(asking(&shop.desk, Method::PUT, 7)));
    held.reached().await;
    let placing = tokio::spawn(answer(shop.desk.ordering(&product, 1)));
    until("the order waits", async || shop.number(WAITING).await == 1).await;
    // Others do not.
    assert_eq!(answer(shop.desk.ordering_for(8, &product, 1)).await.status, 201);
    held.let_go().await;
    let (refused, closed) = (placing.await.unwrap(), closing.await.unwrap());
    assert_eq!(closed.status, 204, "{closed:?}");
    refused.is(404, "not-found");
}

#[tokio::test]
async fn only_services_close_accounts() {
    let shop = Shop::start().await;
    let path = "/internal/closed-customers/7";
    for method in [Method::PUT, Method::DELETE] {
        for caller in [admin(), customer(7)] {
            answer(shop.desk.request(&caller, method.clone(), path)).await.is(403, "forbidden");
        }
        answer(shop.desk.anyones(method.clone(), path)).await.is(401, "unauthenticated");
        answer(shop.desk.request(&service(), method.clone(), "/internal/closed-customers/x"))
            .await
            .is(404, "not-found");
        answer(shop.desk.request(&service(), method, &format!("{path}?now=1"))).await.is(400, "malformed-request");
    }
    assert_eq!(shop.number("SELECT count(*) FROM closed_customers").await, 0);
}
