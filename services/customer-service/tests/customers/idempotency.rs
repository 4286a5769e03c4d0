//! Requests that are sent again.

use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::harness::{PASSWORD, Shop, all, answer, count};

fn keyed(shop: &Shop, key: &str, body: &Value) -> RequestBuilder {
    shop.posts(body).header("idempotency-key", key)
}

fn ann() -> Value {
    json!({"name": "Ann", "email": "a@b", "password": PASSWORD})
}

async fn customers(shop: &Shop) -> i64 {
    shop.world.number("SELECT count(*) FROM customer_service.customers").await
}

#[tokio::test]
async fn a_request_that_is_sent_again_gets_the_first_answer_and_makes_nothing() {
    let shop = Shop::start().await;
    let first = answer(keyed(&shop, "key", &ann())).await;
    assert_eq!((first.status, first.header("idempotency-replayed")), (201, ""));
    // Also when the customer has changed since.
    shop.patch("/customers/1", &json!({"email": "c@d"})).await;
    let again = answer(keyed(&shop, "key", &ann())).await;
    assert_eq!((again.status, again.header("idempotency-replayed")), (201, "true"));
    assert_eq!((&again.text, again.etag(), again.header("location")), (&first.text, first.etag(), "/customers/1"));
    assert_eq!(customers(&shop).await, 1);
}

#[tokio::test]
async fn twenty_identical_requests_at_once_make_one_customer() {
    let shop = Shop::start().await;
    shop.warm_up().await;
    let answers = all((0..20).map(|_| keyed(&shop, "key", &ann()))).await;
    assert_eq!(count(&answers, 201) + count(&answers, 409), 20, "{answers:?}");
    assert!(count(&answers, 201) >= 1);
    for answer in &answers {
        if answer.status == 409 {
            answer.is(409, "request-in-progress");
        } else {
            assert_eq!(answer.header("location"), "/customers/1");
        }
    }
    assert_eq!(customers(&shop).await, 1);
}

#[tokio::test]
async fn a_request_that_failed_leaves_its_key_free() {
    let shop = Shop::start().await;
    shop.customer("a@b").await;
    answer(keyed(&shop, "key", &json!({"name": "Ann"}))).await.is(422, "validation-failed");
    answer(keyed(&shop, "key", &ann())).await.is(409, "email-taken");
    shop.patch("/customers/1", &json!({"email": "c@d"})).await;
    let made = answer(keyed(&shop, "key", &ann())).await;
    assert_eq!((made.status, made.header("idempotency-replayed")), (201, ""));
}

#[tokio::test]
async fn a_key_that_cannot_be_read_is_refused() {
    let shop = Shop::start().await;
    let refused = answer(keyed(&shop, "two words", &ann())).await;
    refused.is(400, "malformed-request");
    assert_eq!(refused.faults(), [("Idempotency-Key".to_owned(), "invalid_format".to_owned())]);
}

#[tokio::test]
async fn logins_have_no_keys() {
    let shop = Shop::start().await;
    shop.customer("a@b").await;
    let login = || async {
        let session = answer(shop.logs_in("a@b", PASSWORD).header("idempotency-key", "key")).await;
        assert_eq!((session.status, session.header("idempotency-replayed")), (201, ""));
        session.json()["token"].as_str().unwrap().to_owned()
    };
    assert_ne!(login().await, login().await);
}
