//! One product: made, read, replaced, changed, deleted.

use reqwest::Method;
use schemas::EventTime;
use serde_json::{Value, json};
use service_kit::auth::Role;

use crate::harness::{Shop, answer};

#[tokio::test]
async fn a_product_that_was_made_is_where_its_location_says_with_defaults_for_what_was_left_out() {
    let shop = Shop::start().await;
    let made = shop.post(&json!({"name": "Lamp", "price": 19.9})).await;
    assert_eq!((made.status, made.header("location"), made.etag()), (201, "/products/1", "\"1\""));
    let product = made.json();
    for time in ["created_at", "updated_at"] {
        assert_eq!(product[time], product["created_at"]);
        serde_json::from_value::<EventTime>(product[time].clone()).unwrap();
    }
    let expected = json!({
        "id": "1", "name": "Lamp", "description": "", "price": "19.90", "currency": "EUR", "category": "",
        "stock_quantity": 0, "created_at": product["created_at"], "updated_at": product["created_at"],
    });
    assert_eq!(product, expected);
    let read = shop.get("/products/1").await;
    assert_eq!((read.status, read.etag(), read.json()), (200, "\"1\"", expected));
}

#[tokio::test]
async fn everybody_reads_and_admins_and_services_change() {
    let shop = Shop::start().await;
    let path = shop.product(1).await;
    let body = json!({"name": "Lamp", "price": 1});
    for role in [Role::Admin, Role::Service, Role::Customer, Role::Writer, Role::Anonymous] {
        let may_change = matches!(role, Role::Admin | Role::Service);
        for path in [&*path, "/products"] {
            assert_eq!(answer(shop.request(role, Method::GET, path)).await.status, 200, "{role:?}");
        }
        let made = answer(shop.sends(role, Method::POST, "/products", &body)).await;
        let patched = answer(shop.sends(role, Method::PATCH, &path, &json!({}))).await;
        let own = shop.product(1).await;
        let deleted = answer(shop.request(role, Method::DELETE, &own)).await;
        match role {
            _ if may_change => assert_eq!([made.status, patched.status, deleted.status], [201, 200, 204]),
            Role::Anonymous => [made, patched, deleted].iter().for_each(|answer| answer.is(401, "unauthenticated")),
            _ => [made, patched, deleted].iter().for_each(|answer| answer.is(403, "forbidden")),
        }
    }
}

#[tokio::test]
async fn a_replaced_product_has_what_it_was_replaced_with_and_defaults() {
    let shop = Shop::start().await;
    let made = shop.post(&json!({"name": "Lamp", "price": "1.00", "category": "lamps", "stock_quantity": 3})).await;
    let replaced = shop.put("/products/1", made.etag(), &json!({"name": "Chair", "price": "2.5"})).await;
    assert_eq!((replaced.status, replaced.etag()), (200, "\"2\""));
    let product = replaced.json();
    let has = |field: &str| product[field].clone();
    assert_eq!([has("name"), has("price"), has("category")], [json!("Chair"), json!("2.50"), json!("")]);
    assert_eq!([has("stock_quantity"), has("created_at")], [json!(0), made.json()["created_at"].clone()]);
    assert_eq!(shop.get("/products/1").await.json(), product);
}

#[tokio::test]
async fn a_patch_changes_what_it_names() {
    let shop = Shop::start().await;
    let made = shop.post(&json!({"name": "Lamp", "description": "Bright", "price": "1.00", "category": "lamps"})).await;
    let mut expected = made.json();
    let patched = shop.patch("/products/1", &json!({"price": "3", "category": null})).await;
    expected["price"] = json!("3.00");
    expected["category"] = json!("");
    expected["updated_at"] = patched.json()["updated_at"].clone();
    assert_eq!((patched.status, patched.etag(), patched.json()), (200, "\"2\"", expected));
    let merge_patch = shop.request(Role::Admin, Method::PATCH, "/products/1");
    let merge_patch = merge_patch.header("content-type", "application/merge-patch+json").body(r#"{"name":"Chair"}"#);
    assert_eq!(answer(merge_patch).await.json()["name"], "Chair");
}

#[tokio::test]
async fn a_product_without_its_required_fields_cannot_be_made_by_a_patch() {
    let shop = Shop::start().await;
    let path = shop.product(1).await;
    let refused = shop.patch(&path, &json!({"name": null, "price": null, "stock_quantity": 1, "stock_delta": 1})).await;
    refused.is(422, "validation-failed");
    let expected = [("/name", "wrong_type"), ("/price", "wrong_type"), ("/stock_delta", "conflict")];
    assert_eq!(refused.faults(), expected.map(|(place, code)| (place.to_owned(), code.to_owned())));
}

#[tokio::test]
async fn a_deleted_product_is_nowhere() {
    let shop = Shop::start().await;
    let path = shop.product(1).await;
    assert_eq!(shop.delete(&path).await.status, 204);
    let body = json!({"name": "Lamp", "price": 1});
    shop.get(&path).await.is(404, "not-found");
    shop.delete(&path).await.is(404, "not-found");
    shop.patch(&path, &json!({"stock_delta": 1})).await.is(404, "not-found");
    shop.put(&path, "\"1\"", &body).await.is(404, "not-found");
    let listed = shop.get("/products").await.json();
    assert_eq!(listed, json!({"items": [], "next_cursor": null}));
    assert_eq!(shop.get("/products?ids=1").await.json()["items"], json!([]));
    // The id is not given again.
    assert_eq!(shop.product(1).await, "/products/2");
}

#[tokio::test]
async fn what_is_no_id_is_not_found() {
    let shop = Shop::start().await;
    shop.product(1).await;
    for id in ["0", "01", "-1", "1.0", "abc", "9223372036854775808", "%00", "%ff", "1%20"] {
        let path = format!("/products/{id}");
        shop.get(&path).await.is(404, "not-found");
        shop.delete(&path).await.is(404, "not-found");
        shop.patch(&path, &json!({})).await.is(404, "not-found");
        shop.put(&path, "*", &json!({"name": "Lamp", "price": 1})).await.is(404, "not-found");
    }
}

#[tokio::test]
async fn all_faults_of_a_product_are_told_at_once() {
    let shop = Shop::start().await;
    let body = json!({
        "name": "x".repeat(201), "description": 7, "price": 1.999, "category": "y".repeat(101),
        "stock_quantity": 1_000_000_001, "id": "1",
    });
    let refused = shop.post(&body).await;
    refused.is(422, "validation-failed");
    let expected = [
        ("/category", "too_long"),
        ("/description", "wrong_type"),
        ("/id", "unknown"),
        ("/name", "too_long"),
        ("/price", "too_many_digits"),
        ("/stock_quantity", "above_maximum"),
    ];
    assert_eq!(refused.faults(), expected.map(|(place, code)| (place.to_owned(), code.to_owned())));
    assert_eq!(shop.get("/products").await.json()["items"], json!([]));
}

#[tokio::test]
async fn the_longest_and_greatest_values_are_kept_as_they_came() {
    let shop = Shop::start().await;
    let body = json!({
        "name": "ä".repeat(200), "description": "\u{1f4a1}".repeat(10_000), "price": "92233720368547758.07",
        "category": "\"\\\n".repeat(33), "stock_quantity": 1_000_000_000,
    });
    let made = shop.post(&body).await;
    assert_eq!(made.status, 201, "{made:?}");
    let product = shop.get("/products/1").await.json();
    for (field, value) in body.as_object().unwrap() {
        assert_eq!(product[field], *value, "{field}");
    }
}

#[tokio::test]
async fn faults_are_told_in_one_order() {
    let shop = Shop::start().await;
    shop.product(0).await;
    let long = || "x".repeat((1 << 20) + 1);
    let json = "application/json";
    let put = |role: Option<Role>, query: &str, media: &str, body: String| {
        let path = format!("/products/7{query}");
        let request = match role {
            Some(role) => shop.request(role, Method::PUT, &path),
            None => shop.anyones(Method::PUT, &path),
        };
        request.header("content-type", media).body(body)
    };
    let valid = || r#"{"name":"Lamp","price":1}"#.to_owned();
    let told = |request| async { answer(request).await.problem().1 };
    assert_eq!(told(put(None, "?x=1", "text/plain", long())).await, "unauthenticated");
    assert_eq!(told(put(Some(Role::Customer), "?x=1", json, long())).await, "body-too-large");
    assert_eq!(told(put(Some(Role::Customer), "?x=1", "text/plain", valid())).await, "unsupported-media-type");
    assert_eq!(told(put(Some(Role::Customer), "?x=1", json, "{".to_owned())).await, "forbidden");
    assert_eq!(told(put(Some(Role::Admin), "?x=1", json, valid())).await, "malformed-request");
    assert_eq!(told(put(Some(Role::Admin), "", json, valid()).header("if-match", "7")).await, "malformed-request");
    assert_eq!(told(put(Some(Role::Admin), "", json, "{".to_owned())).await, "malformed-request");
    assert_eq!(told(put(Some(Role::Admin), "", json, "{}".to_owned())).await, "validation-failed");
    assert_eq!(told(put(Some(Role::Admin), "", json, valid())).await, "not-found");
    let present =
        shop.sends(Role::Admin, Method::PUT, "/products/1", &serde_json::from_str::<Value>(&valid()).unwrap());
    assert_eq!(told(present).await, "precondition-required");
    // The version is looked at before the stock.
    let taking = shop.sends(Role::Admin, Method::PATCH, "/products/1", &json!({"stock_delta": -1}));
    assert_eq!(told(taking.header("if-match", "\"9\"")).await, "stale-version");
}

#[tokio::test]
async fn unknown_routes_and_methods_are_problems() {
    let shop = Shop::start().await;
    shop.get("/elsewhere").await.is(404, "not-found");
    let answer = answer(shop.request(Role::Admin, Method::PATCH, "/products")).await;
    answer.is(405, "method-not-allowed");
    let allowed: Vec<_> = answer.header("allow").split(',').map(str::trim).collect();
    assert!(allowed.contains(&"GET") && allowed.contains(&"POST"), "{allowed:?}");
}

#[tokio::test]
async fn prices_have_the_digits_of_the_shops_currency() {
    let shop = Shop::with(&["--shop-currency", "JPY"]).await;
    let made = shop.post(&json!({"name": "Lamp", "price": 1500})).await.json();
    assert_eq!((&made["price"], &made["currency"]), (&json!("1500"), &json!("JPY")));
    shop.post(&json!({"name": "Lamp", "price": "1500.5"})).await.is(422, "validation-failed");
}
