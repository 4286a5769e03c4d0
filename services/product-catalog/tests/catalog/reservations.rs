//! Reservations: what orders take off the stock, and give back.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use service_kit::auth::Role;

use crate::harness::{Answer, Shop, all, answer, count};

fn path(order: u32) -> String {
    format!("/internal/reservations/{order}")
}

fn lines(lines: &[(u32, i64)]) -> Value {
    let line = |(product, quantity): &(u32, i64)| json!({"product_id": product.to_string(), "quantity": quantity});
    json!({"lines": lines.iter().map(line).collect::<Vec<_>>()})
}

fn reserving(shop: &Shop, order: u32, of: &[(u32, i64)]) -> RequestBuilder {
    shop.sends(Role::Service, Method::PUT, &path(order), &lines(of))
}

async fn reserve(shop: &Shop, order: u32, of: &[(u32, i64)]) -> Answer {
    answer(reserving(shop, order, of)).await
}

async fn release(shop: &Shop, order: u32) {
    let released = answer(shop.request(Role::Service, Method::DELETE, &path(order))).await;
    assert_eq!((released.status, &*released.text), (204, ""), "{released:?}");
}

/// A shop with products of so many pieces, with the ids 1, 2, ...
async fn shop_with(stocks: &[i64]) -> Shop {
    let shop = Shop::start().await;
    for stock in stocks {
        shop.product(*stock).await;
    }
    shop
}

async fn stocks(shop: &Shop) -> Vec<i64> {
    let page = shop.get("/products").await.json();
    page["items"].as_array().unwrap().iter().map(|item| item["stock_quantity"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn a_reservation_takes_every_line_and_tells_names_and_prices() {
    let shop = shop_with(&[5, 7]).await;
    let reserved = reserve(&shop, 9, &[(2, 3), (1, 1)]).await;
    assert_eq!(reserved.status, 200, "{reserved:?}");
    let expected = json!({
        "order_id": "9",
        "currency": "EUR",
        "lines": [
            {"product_id": "1", "quantity": 1, "name": "Lamp", "unit_price": "19.99"},
            {"product_id": "2", "quantity": 3, "name": "Lamp", "unit_price": "19.99"},
        ],
    });
    assert_eq!(reserved.json(), expected);
    assert_eq!(stocks(&shop).await, [4, 4]);
    assert_eq!(shop.get("/products/1").await.etag(), "\"2\"");
}

#[tokio::test]
async fn of_200_buyers_of_the_last_10_pieces_at_once_10_succeed() {
    let shop = shop_with(&[10]).await;
    shop.warm_up().await;
    let mut answers = all((1..=200).map(|order| reserving(&shop, order, &[(1, 1)]))).await;
    // A machine that is busy with other things lets some wait too long for a connection. They have taken nothing.
    let shed = count(&answers, 503);
    answers.retain(|answer| answer.status != 503);
    answers.extend(all((201..).take(shed).map(|order| reserving(&shop, order, &[(1, 1)]))).await);
    assert_eq!((count(&answers, 200), count(&answers, 409)), (10, 190), "{answers:?}");
    for refused in answers.iter().filter(|answer| answer.status == 409) {
        refused.is(409, "insufficient-stock");
        assert_eq!((&refused.json()["available"], &refused.json()["product_id"]), (&json!(0), &json!("1")));
    }
    assert_eq!(stocks(&shop).await, [0]);
    let held = "SELECT count(*) FROM product_catalog.reservation_lines";
    assert_eq!(shop.database().number(held).await, 10);
}

#[tokio::test]
async fn a_reservation_of_which_one_line_fails_takes_nothing() {
    let shop = shop_with(&[5, 2]).await;
    let refused = reserve(&shop, 9, &[(1, 1), (2, 3)]).await;
    refused.is(409, "insufficient-stock");
    assert_eq!((&refused.json()["available"], &refused.json()["product_id"]), (&json!(2), &json!("2")));
    let unknown = reserve(&shop, 9, &[(1, 1), (3, 1)]).await;
    unknown.is(404, "not-found");
    assert_eq!(unknown.json()["product_id"], "3");
    shop.delete("/products/2").await;
    reserve(&shop, 9, &[(1, 1), (2, 1)]).await.is(404, "not-found");
    assert_eq!(stocks(&shop).await, [5]);
    // It failed, so the order may try again.
    assert_eq!(reserve(&shop, 9, &[(1, 5)]).await.status, 200);
}

#[tokio::test]
async fn a_request_that_is_sent_again_takes_once_and_is_answered_the_same() {
    let shop = shop_with(&[50, 50]).await;
    shop.warm_up().await;
    let of = [(1, 2), (2, 1)];
    let answers = all((0..20).map(|_| reserving(&shop, 9, &of))).await;
    assert_eq!(count(&answers, 200), 20, "{answers:?}");
    assert_eq!(stocks(&shop).await, [48, 49]);
    // Also when the product has changed since, and however the lines are ordered.
    shop.patch("/products/1", &json!({"name": "Chair", "price": 1})).await;
    shop.delete("/products/2").await;
    let again = reserve(&shop, 9, &[(2, 1), (1, 2)]).await;
    assert_eq!(again.json(), answers[0].json());
    for other in [&[(1, 2)][..], &[(1, 3), (2, 1)], &[(1, 2), (2, 1), (3, 1)]] {
        reserve(&shop, 9, other).await.is(422, "idempotency-key-reused");
    }
    assert_eq!(stocks(&shop).await, [48]);
}

#[tokio::test]
async fn a_released_reservation_gives_back_once_and_can_never_be_made_again() {
    let shop = shop_with(&[5, 7]).await;
    assert_eq!(reserve(&shop, 9, &[(1, 5), (2, 1)]).await.status, 200);
    let releases = all((0..10).map(|_| shop.request(Role::Service, Method::DELETE, &path(9)))).await;
    assert_eq!(count(&releases, 204), 10, "{releases:?}");
    assert_eq!(stocks(&shop).await, [5, 7]);
    let late = reserve(&shop, 9, &[(1, 5), (2, 1)]).await;
    late.is(409, "illegal-transition");
    assert_eq!(late.json()["allowed"], json!([]));
    assert_eq!(stocks(&shop).await, [5, 7]);
    assert_eq!(reserve(&shop, 10, &[(1, 5)]).await.status, 200);
}

#[tokio::test]
async fn a_reservation_that_is_released_before_it_is_made_takes_nothing() {
    let shop = shop_with(&[5]).await;
    release(&shop, 9).await;
    reserve(&shop, 9, &[(1, 1)]).await.is(409, "illegal-transition");
    assert_eq!(stocks(&shop).await, [5]);
}

#[tokio::test]
async fn whichever_of_a_reservation_and_its_release_comes_first_nothing_stays_taken() {
    let shop = shop_with(&[1_000]).await;
    shop.warm_up().await;
    let both = |order| [reserving(&shop, order, &[(1, 1)]), shop.request(Role::Service, Method::DELETE, &path(order))];
    let answers = all((1..=30).flat_map(both)).await;
    assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 204 | 409)), "{answers:?}");
    assert_eq!(stocks(&shop).await, [1_000]);
}

#[tokio::test]
async fn pieces_of_a_deleted_product_are_given_back_without_making_it_appear() {
    let shop = shop_with(&[5]).await;
    assert_eq!(reserve(&shop, 9, &[(1, 2)]).await.status, 200);
    shop.delete("/products/1").await;
    release(&shop, 9).await;
    shop.get("/products/1").await.is(404, "not-found");
    assert_eq!(shop.database().number("SELECT stock_quantity FROM product_catalog.products").await, 5);
}

#[tokio::test]
async fn orders_whose_lines_cross_do_not_keep_each_other_from_going_on() {
    let shop = shop_with(&[1_000, 1_000]).await;
    shop.warm_up().await;
    let crossing = |order: u32| {
        let of = if order.is_multiple_of(2) { [(1, 1), (2, 1)] } else { [(2, 1), (1, 1)] };
        reserving(&shop, order, &of)
    };
    let answers = all((1..=40).map(crossing)).await;
    assert_eq!(count(&answers, 200), 40, "{answers:?}");
    let releases = all((1..=40).map(|order| shop.request(Role::Service, Method::DELETE, &path(order)))).await;
    assert_eq!(count(&releases, 204), 40, "{releases:?}");
    assert_eq!(stocks(&shop).await, [1_000, 1_000]);
}

#[tokio::test]
async fn a_stock_that_was_set_to_its_limit_still_takes_pieces_back() {
    let shop = shop_with(&[5]).await;
    assert_eq!(reserve(&shop, 9, &[(1, 5)]).await.status, 200);
    let set = shop.sends(Role::Admin, Method::PATCH, "/products/1", &json!({"stock_quantity": 1_000_000_000}));
    assert_eq!(answer(set.header("if-match", "*")).await.status, 200);
    release(&shop, 9).await;
    assert_eq!(stocks(&shop).await, [1_000_000_005]);
    assert_eq!(shop.patch("/products/1", &json!({"stock_delta": -5})).await.status, 200);
}

#[tokio::test]
async fn only_services_reserve() {
    let shop = shop_with(&[5]).await;
    for role in [Role::Admin, Role::Customer, Role::Writer] {
        answer(shop.sends(role, Method::PUT, &path(9), &lines(&[(1, 1)]))).await.is(403, "forbidden");
        answer(shop.request(role, Method::DELETE, &path(9))).await.is(403, "forbidden");
    }
    assert_eq!(stocks(&shop).await, [5]);
}

#[tokio::test]
async fn a_reservation_that_cannot_be_read_is_refused() {
    let shop = shop_with(&[5]).await;
    for body in [json!({}), json!({"lines": []}), json!({"lines": [{"product_id": "1", "quantity": 0}]}), json!([])] {
        let refused = answer(shop.sends(Role::Service, Method::PUT, &path(9), &body)).await;
        refused.is(422, "validation-failed");
    }
    reserve(&shop, 9, &[(1, 1), (1, 1)]).await.is(422, "validation-failed");
    for order in ["0", "abc", "%ff"] {
        let path = format!("/internal/reservations/{order}");
        answer(shop.sends(Role::Service, Method::PUT, &path, &lines(&[(1, 1)]))).await.is(404, "not-found");
        answer(shop.request(Role::Service, Method::DELETE, &path)).await.is(404, "not-found");
    }
    assert_eq!(stocks(&shop).await, [5]);
}
