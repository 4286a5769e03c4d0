//! Requests that are sent again.

use reqwest::header::AUTHORIZATION;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use service_kit::auth::{Caller, Role};

use crate::harness::{SECRET, Shop, all, answer, authorization, count};

fn keyed(shop: &Shop, key: &str, body: &Value) -> RequestBuilder {
    shop.sends(Role::Service, Method::POST, "/products", body).header("idempotency-key", key)
}

fn lamp() -> Value {
    json!({"name": "Lamp", "price": "19.99"})
}

async fn products(shop: &Shop) -> i64 {
    shop.database().number("SELECT count(*) FROM product_catalog.products").await
}

#[tokio::test]
async fn a_request_that_is_sent_again_gets_the_first_answer_and_makes_nothing() {
    let shop = Shop::start().await;
    let first = answer(keyed(&shop, "key", &lamp())).await;
    assert_eq!((first.status, first.header("idempotency-replayed")), (201, ""));
    // Also when the product has changed since.
    shop.patch("/products/1", &json!({"name": "Chair"})).await;
    let again = answer(keyed(&shop, "key", &lamp())).await;
    assert_eq!((again.status, again.header("idempotency-replayed")), (201, "true"));
    assert_eq!((&again.text, again.etag(), again.header("location")), (&first.text, first.etag(), "/products/1"));
    assert_eq!(again.header("content-type"), "application/json");
    assert_eq!(products(&shop).await, 1);
}

#[tokio::test]
async fn twenty_identical_requests_at_once_make_one_product() {
    let shop = Shop::start().await;
    shop.warm_up().await;
    let answers = all((0..20).map(|_| keyed(&shop, "key", &lamp()))).await;
    assert_eq!(count(&answers, 201) + count(&answers, 409), 20, "{answers:?}");
    assert!(count(&answers, 201) >= 1);
    for answer in &answers {
        if answer.status == 409 {
            answer.is(409, "request-in-progress");
            assert_eq!(answer.header("retry-after"), "1");
        } else {
            assert_eq!(answer.header("location"), "/products/1");
        }
    }
    assert_eq!(products(&shop).await, 1);
}

#[tokio::test]
async fn a_key_belongs_to_one_body_and_one_caller() {
    let shop = Shop::start().await;
    assert_eq!(answer(keyed(&shop, "key", &lamp())).await.status, 201);
    let other = answer(keyed(&shop, "key", &json!({"name": "Chair", "price": "19.99"}))).await;
    other.is(422, "idempotency-key-reused");
    let request = shop.anyones(Method::POST, "/products").header("idempotency-key", "key");
    let somebody = authorization(product_catalog::NAME, SECRET, &Caller::new("somebody else", Role::Service));
    let body = lamp().to_string();
    let request = request.header(AUTHORIZATION, somebody).header("content-type", "application/json").body(body);
    let made = answer(request).await;
    assert_eq!((made.status, made.header("location"), made.header("idempotency-replayed")), (201, "/products/2", ""));
    assert_eq!(products(&shop).await, 2);
}

#[tokio::test]
async fn a_request_that_failed_leaves_its_key_free() {
    let shop = Shop::start().await;
    answer(keyed(&shop, "key", &json!({"name": "Lamp"}))).await.is(422, "validation-failed");
    let mended = answer(keyed(&shop, "key", &lamp())).await;
    assert_eq!((mended.status, mended.header("idempotency-replayed")), (201, ""));
}

#[tokio::test]
async fn an_answer_that_has_expired_is_forgotten_and_those_of_imports_are_kept_longer() {
    let shop = Shop::with(&["--idempotency-ttl", "0s"]).await;
    for location in ["/products/1", "/products/2"] {
        let made = answer(keyed(&shop, "key", &lamp())).await;
        assert_eq!((made.status, made.header("location")), (201, location));
    }
    for _ in 0..2 {
        assert_eq!(answer(keyed(&shop, "csv-1", &lamp())).await.header("location"), "/products/3");
    }
}

#[tokio::test]
async fn without_a_key_every_request_makes_a_product() {
    let shop = Shop::start().await;
    assert_eq!([shop.product(0).await, shop.product(0).await], ["/products/1", "/products/2"]);
}

#[tokio::test]
async fn a_key_that_cannot_be_read_is_refused_once_the_role_is_right() {
    let shop = Shop::start().await;
    for key in [String::new(), "two words".to_owned(), "x".repeat(256)] {
        let refused = answer(keyed(&shop, &key, &lamp())).await;
        refused.is(400, "malformed-request");
        assert_eq!(refused.faults(), [("Idempotency-Key".to_owned(), "invalid_format".to_owned())]);
    }
    let customers = shop.sends(Role::Customer, Method::POST, "/products", &lamp()).header("idempotency-key", "");
    answer(customers).await.is(403, "forbidden");
    assert_eq!(answer(keyed(&shop, &"x".repeat(255), &lamp())).await.status, 201);
}
