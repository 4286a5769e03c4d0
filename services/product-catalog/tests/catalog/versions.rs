//! Versions: no update is lost, and the stock is what all changes together make of it.

use reqwest::Method;
use reqwest::header::{IF_MATCH, IF_NONE_MATCH};
use serde_json::json;
use service_kit::auth::Role;
use tokio::task::JoinSet;

use crate::harness::{Answer, Shop, all, answer, count};

#[tokio::test]
async fn a_client_that_has_the_version_gets_no_body() {
    let shop = Shop::start().await;
    let path = shop.product(1).await;
    let read =
        |tags: &'static str| answer(shop.request(Role::Anonymous, Method::GET, &path).header(IF_NONE_MATCH, tags));
    let known = read("\"1\"").await;
    assert_eq!((known.status, known.etag(), &*known.text), (304, "\"1\"", ""));
    assert_eq!(read("\"0\", W/\"1\"").await.status, 304);
    shop.patch(&path, &json!({"stock_delta": 1})).await;
    assert_eq!(read("\"1\"").await.status, 200);
    read("1").await.is(400, "malformed-request");
}

#[tokio::test]
async fn what_would_overwrite_must_name_its_version_and_what_adds_need_not() {
    let shop = Shop::start().await;
    let path = shop.product(1).await;
    let body = json!({"name": "Lamp", "price": 2});
    let put = answer(shop.sends(Role::Admin, Method::PUT, &path, &body)).await;
    put.is(428, "precondition-required");
    shop.patch(&path, &json!({"stock_quantity": 5})).await.is(428, "precondition-required");
    shop.patch(&path, &json!({"stock_quantity": null})).await.is(428, "precondition-required");
    assert_eq!(shop.patch(&path, &json!({"stock_delta": 5})).await.json()["stock_quantity"], 6);
    assert_eq!(shop.patch(&path, &json!({"name": "Chair"})).await.status, 200);
}

#[tokio::test]
async fn a_change_of_an_older_version_is_refused_with_the_present_one() {
    let shop = Shop::start().await;
    let path = shop.product(1).await;
    shop.patch(&path, &json!({"stock_delta": 1})).await;
    let stale = |request: reqwest::RequestBuilder| async {
        let answer = answer(request.header(IF_MATCH, "\"1\"")).await;
        answer.is(412, "stale-version");
        assert_eq!(answer.etag(), "\"2\"");
    };
    stale(shop.sends(Role::Admin, Method::PUT, &path, &json!({"name": "Lamp", "price": 2}))).await;
    stale(shop.sends(Role::Admin, Method::PATCH, &path, &json!({"name": "Chair"}))).await;
    stale(shop.sends(Role::Admin, Method::PATCH, &path, &json!({"stock_delta": 1}))).await;
    stale(shop.request(Role::Admin, Method::DELETE, &path)).await;
    let product = shop.get(&path).await;
    assert_eq!((product.etag(), &product.json()["name"]), ("\"2\"", &json!("Lamp")));
    let weak = shop.request(Role::Admin, Method::DELETE, &path).header(IF_MATCH, "W/\"2\"");
    answer(weak).await.is(412, "stale-version");
    let present = shop.request(Role::Admin, Method::DELETE, &path).header(IF_MATCH, "\"2\"");
    assert_eq!(answer(present).await.status, 204);
}

#[tokio::test]
async fn a_change_that_changes_nothing_keeps_the_version_and_the_time() {
    let shop = Shop::start().await;
    let body = json!({"name": "Lamp", "price": "1.00", "stock_quantity": 3});
    let made = shop.post(&body).await;
    let same = [
        shop.put("/products/1", "\"1\"", &body).await,
        shop.patch("/products/1", &json!({})).await,
        shop.patch("/products/1", &json!({"name": "Lamp", "price": 1, "category": null})).await,
        shop.patch("/products/1", &json!({"stock_delta": 0})).await,
    ];
    for answer in same {
        assert_eq!((answer.status, answer.etag(), answer.json()), (200, "\"1\"", made.json()));
    }
}

#[tokio::test]
async fn of_changes_of_one_version_at_once_one_is_made() {
    let shop = Shop::start().await;
    shop.warm_up().await;
    let path = shop.product(1).await;
    for version in 1..=8 {
        let tag = format!("\"{version}\"");
        let changes = (0..12).map(|i| {
            let body = json!({"name": format!("Lamp {version}.{i}"), "price": 1});
            shop.sends(Role::Admin, Method::PUT, &path, &body).header(IF_MATCH, &tag)
        });
        let answers = all(changes).await;
        assert_eq!((count(&answers, 200), count(&answers, 412)), (1, 11), "{answers:?}");
        let made = answers.iter().find(|answer| answer.status == 200).unwrap();
        assert_eq!(shop.get(&path).await.json(), made.json());
    }
}

#[tokio::test]
async fn counting_up_under_versions_loses_nothing() {
    const CLIENTS: i64 = 8;
    let shop = std::sync::Arc::new(Shop::start().await);
    let path = shop.product(0).await;
    shop.warm_up().await;
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (shop, path) = (std::sync::Arc::clone(&shop), path.clone());
        clients.spawn(async move {
            loop {
                let read = shop.get(&path).await;
                let next = json!({"stock_quantity": read.json()["stock_quantity"].as_i64().unwrap() + 1});
                let request = shop.sends(Role::Admin, Method::PATCH, &path, &next).header(IF_MATCH, read.etag());
                match answer(request).await.status {
                    200 => break,
                    status => assert_eq!(status, 412),
                }
            }
        });
    }
    clients.join_all().await;
    assert_eq!(shop.stock(&path).await, CLIENTS);
}

#[tokio::test]
async fn pieces_that_are_added_at_once_are_all_there() {
    let shop = Shop::start().await;
    shop.warm_up().await;
    let path = shop.product(0).await;
    let add = |_| shop.sends(Role::Service, Method::PATCH, &path, &json!({"stock_delta": 3}));
    let answers = all((0..50).map(add)).await;
    assert_eq!(count(&answers, 200), 50, "{answers:?}");
    let product = shop.get(&path).await;
    assert_eq!((&product.json()["stock_quantity"], product.etag()), (&json!(150), "\"51\""));
}

#[tokio::test]
async fn more_pieces_than_there_are_cannot_be_taken() {
    let shop = Shop::start().await;
    shop.warm_up().await;
    let path = shop.product(10).await;
    let take = |_| shop.sends(Role::Admin, Method::PATCH, &path, &json!({"stock_delta": -1}));
    let answers = all((0..30).map(take)).await;
    let refused: Vec<&Answer> = answers.iter().filter(|answer| answer.status != 200).collect();
    assert_eq!((count(&answers, 200), refused.len()), (10, 20), "{answers:?}");
    for answer in refused {
        answer.is(409, "insufficient-stock");
        assert_eq!(answer.json()["available"], 0);
    }
    assert_eq!(shop.stock(&path).await, 0);
}

#[tokio::test]
async fn a_stock_does_not_grow_beyond_its_limit() {
    let shop = Shop::start().await;
    let path = shop.product(999_999_999).await;
    assert_eq!(shop.patch(&path, &json!({"stock_delta": 1})).await.status, 200);
    let refused = shop.patch(&path, &json!({"stock_delta": 1})).await;
    refused.is(422, "validation-failed");
    assert_eq!(refused.faults(), [("/stock_delta".to_owned(), "above_maximum".to_owned())]);
}
