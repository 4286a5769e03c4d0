//! Versions: no update is lost.

use reqwest::Method;
use reqwest::header::{IF_MATCH, IF_NONE_MATCH};
use serde_json::json;
use service_kit::auth::Role;

use crate::harness::{PASSWORD, Shop, all, answer, count, customer, of};

#[tokio::test]
async fn a_client_that_has_the_version_gets_no_body() {
    let shop = Shop::start().await;
    let path = shop.customer("a@b").await;
    let ann = customer(1, None);
    let read = |tags: &'static str| answer(shop.request(&ann, Method::GET, &path).header(IF_NONE_MATCH, tags));
    let known = read("\"1\"").await;
    assert_eq!((known.status, known.etag(), &*known.text), (304, "\"1\"", ""));
    shop.patch(&path, &json!({"name": "Eve"})).await;
    assert_eq!(read("\"1\"").await.status, 200);
    read("1").await.is(400, "malformed-request");
}

#[tokio::test]
async fn a_change_of_an_older_version_is_refused_with_the_present_one() {
    let shop = Shop::start().await;
    let path = shop.customer("a@b").await;
    shop.patch(&path, &json!({"name": "Eve"})).await;
    let admin = of(Role::Admin);
    let body = json!({"name": "Ida", "email": "a@b"});
    answer(shop.sends(&admin, Method::PUT, &path, &body)).await.is(428, "precondition-required");
    for request in [
        shop.sends(&admin, Method::PUT, &path, &body),
        shop.sends(&admin, Method::PATCH, &path, &json!({"name": "Ida"})),
        shop.request(&admin, Method::DELETE, &path),
    ] {
        let answer = answer(request.header(IF_MATCH, "\"1\"")).await;
        answer.is(412, "stale-version");
        assert_eq!(answer.etag(), "\"2\"");
    }
    assert_eq!(shop.get(&path).await.json()["name"], "Eve");
    assert_eq!(shop.world.closing().await, 0);
    assert_eq!(answer(shop.request(&admin, Method::DELETE, &path).header(IF_MATCH, "\"2\"")).await.status, 204);
}

#[tokio::test]
async fn a_change_that_changes_nothing_and_a_new_password_keep_the_version_and_the_time() {
    let shop = Shop::start().await;
    let made = shop.post(&json!({"name": "Ann", "email": "a@b", "password": PASSWORD})).await;
    let set = answer(shop.sets_password(&of(Role::Admin), "/customers/1", None, "another password")).await;
    assert_eq!(set.status, 204, "{set:?}");
    let same = [
        shop.put("/customers/1", "\"1\"", &json!({"name": "Ann", "email": "a@b"})).await,
        shop.patch("/customers/1", &json!({})).await,
        shop.patch("/customers/1", &json!({"email": "a@b", "phone": null})).await,
    ];
    for answer in same {
        assert_eq!((answer.status, answer.etag(), answer.json()), (200, "\"1\"", made.json()));
    }
}

#[tokio::test]
async fn of_changes_of_one_version_at_once_one_is_made() {
    let shop = Shop::start().await;
    shop.warm_up().await;
    let path = shop.customer("a@b").await;
    for version in 1..=8 {
        let tag = format!("\"{version}\"");
        let changes = (0..12).map(|i| {
            let body = json!({"name": format!("Ann {version}.{i}"), "email": "a@b"});
            shop.sends(&of(Role::Admin), Method::PUT, &path, &body).header(IF_MATCH, &tag)
        });
        let answers = all(changes).await;
        assert_eq!((count(&answers, 200), count(&answers, 412)), (1, 11), "{answers:?}");
        let made = answers.iter().find(|answer| answer.status == 200).unwrap();
        assert_eq!(shop.get(&path).await.json(), made.json());
    }
}
