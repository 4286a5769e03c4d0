//! Resources with what belongs to them: every part that can be had, and the reason for the others.

use axum::extract::Path;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use service_kit::auth::{Caller, Role};
use service_kit::input::Parameters;
use service_kit::{Id, Problem};
use tokio_util::sync::CancellationToken;

use crate::harness::{Platform, closed_address, problem, serve};
use crate::json;

async fn customers() -> String {
    let read = |caller: Caller, Path(id): Path<i64>| async move {
        let is_there = id != 404 && caller.may_reach(Id::new(id).unwrap());
        is_there.then(|| Json(json!({"id": id.to_string(), "name": "Ada"}))).ok_or_else(|| Problem::not_found("nobody"))
    };
    url("customer-service", Router::new().route("/customers/{id}", get(read))).await
}

async fn products() -> String {
    let read = |_: Caller, Path(id): Path<String>| async move { Json(json!({"id": id, "name": "Lamp"})) };
    url("product-catalog", Router::new().route("/products/{id}", get(read))).await
}

/// Order 7 of customer 1, and order 8 of a customer who is gone.
async fn orders() -> String {
    let order = |id: &str, customer: &str| json!({"id": id, "customer_id": customer, "product_id": "42"});
    let read = move |_: Caller, Path(id): Path<String>| async move {
        match id.as_str() {
            "7" => Ok(([("etag", "\"1\"")], Json(order("7", "1")))),
            "8" => Ok(([("etag", "\"1\"")], Json(order("8", "404")))),
            _ => Err(Problem::not_found("no such order")),
        }
    };
    let list = move |_: Caller, mut parameters: Parameters| async move {
        let of = parameters.optional("customer_id", |id| Ok(id.to_owned())).unwrap_or_default();
        let status = parameters.optional("status", |status| Ok(status.to_owned()));
        parameters.finish()?;
        Ok::<_, Problem>(Json(json!({"items": [order("7", &of)], "next_cursor": status})))
    };
    url("order-service", Router::new().route("/orders/{id}", get(read)).route("/orders", get(list))).await
}

async fn url(name: &'static str, routes: Router) -> String {
    format!("http://{}", serve(name, routes, CancellationToken::new()).await)
}

async fn nobody() -> String {
    format!("http://{}", closed_address().await)
}

/// A gateway in front of these services.
async fn gateway(products: &str, customers: &str, orders: &str) -> Platform {
    let flags = ["--product-service-url", products, "--customer-service-url", customers, "--order-service-url", orders];
    Platform::start(&flags).await
}

async fn get_as(platform: &Platform, role: Role, customer: Option<i64>, path: &str) -> Value {
    let token = platform.log_in(role, customer).await;
    json(platform.get(path).bearer_auth(token)).await
}

#[tokio::test]
async fn an_order_comes_with_its_customer_and_product_and_without_a_version_of_its_own() {
    let platform = gateway(&products().await, &customers().await, &orders().await).await;
    let token = platform.log_in(Role::Customer, Some(1)).await;
    let response = platform.get("/orders/7?expand=customer,product,customer").bearer_auth(token).send().await.unwrap();
    assert!(response.headers().get("etag").is_none());
    let expected = json!({
        "id": "7", "customer_id": "1", "product_id": "42", "unavailable": [],
        "customer": {"id": "1", "name": "Ada"}, "product": {"id": "42", "name": "Lamp"},
    });
    assert_eq!(response.json::<Value>().await.unwrap(), expected);
}

#[tokio::test]
async fn a_part_that_cannot_be_had_is_null_and_named_with_the_reason() {
    let platform = gateway(&nobody().await, &customers().await, &orders().await).await;
    let order = get_as(&platform, Role::Admin, None, "/orders/7?expand=product,customer").await;
    assert_eq!((&order["product"], &order["customer"]["name"]), (&Value::Null, &json!("Ada")));
    assert_eq!(order["unavailable"], json!([{"part": "product", "reason": "dependency-unavailable"}]));
    let order = get_as(&platform, Role::Admin, None, "/orders/8?expand=customer").await;
    assert_eq!(order["unavailable"], json!([{"part": "customer", "reason": "not-found"}]));
    // Nobody reads the results topic here.
    let platform = gateway(&products().await, &customers().await, &orders().await).await;
    let product = json(platform.get("/products/42?expand=live")).await;
    assert_eq!((&product["name"], &product["live"]), (&json!("Lamp"), &Value::Null));
    assert_eq!(product["unavailable"], json!([{"part": "live", "reason": "dependency-unavailable"}]));
}

#[tokio::test]
async fn a_resource_that_cannot_be_had_is_told_as_without_parts() {
    let platform = gateway(&products().await, &customers().await, &orders().await).await;
    let token = platform.log_in(Role::Customer, Some(1)).await;
    let told = problem(platform.get("/orders/9?expand=customer").bearer_auth(&token), 404).await;
    assert_eq!((&told["type"], &told["instance"]), (&json!("/problems/not-found"), &json!("/orders/9")));
    problem(platform.get("/orders/7?expand=customer"), 401).await;
    let platform = gateway(&products().await, &customers().await, &nobody().await).await;
    let token = platform.log_in(Role::Customer, Some(1)).await;
    let told = problem(platform.get("/orders/7?expand=customer").bearer_auth(&token), 503).await;
    assert!(told["detail"].as_str().unwrap().contains("order-service"));
}

#[tokio::test]
async fn parts_that_a_resource_does_not_have_are_refused() {
    let platform = gateway(&products().await, &customers().await, &orders().await).await;
    for query in ["expand=stock", "expand=", "expand=live,", "expand=live&expand=live", "expand=live&colour=red"] {
        let told = problem(platform.get(&format!("/products/42?{query}")), 400).await;
        assert!(told["errors"][0]["parameter"].is_string(), "{query}: {told}");
    }
}

#[tokio::test]
async fn a_customer_comes_with_a_page_of_its_orders() {
    let platform = gateway(&products().await, &customers().await, &orders().await).await;
    let found = get_as(&platform, Role::Customer, Some(1), "/customers/1/orders?status=PAID").await;
    let expected = json!({
        "customer": {"id": "1", "name": "Ada"},
        "orders": {"items": [{"id": "7", "customer_id": "1", "product_id": "42"}], "next_cursor": "PAID"},
        "unavailable": [],
    });
    assert_eq!(found, expected);
    let token = platform.log_in(Role::Customer, Some(1)).await;
    problem(platform.get("/customers/2/orders").bearer_auth(&token), 404).await;
    problem(platform.get("/customers/one/orders").bearer_auth(&token), 404).await;
    for query in ["colour=red", "customer_id=2"] {
        let told = problem(platform.get(&format!("/customers/1/orders?{query}")).bearer_auth(&token), 400).await;
        assert_eq!(told["errors"][0]["code"], "unknown", "{query}");
    }
    problem(platform.get("/customers/1/orders"), 401).await;
}

#[tokio::test]
async fn of_a_customer_and_its_orders_one_is_told_while_the_other_is_down_and_503_while_both_are() {
    let path = "/customers/1/orders";
    let platform = gateway(&products().await, &customers().await, &nobody().await).await;
    let found = get_as(&platform, Role::Customer, Some(1), path).await;
    assert_eq!((&found["customer"]["name"], &found["orders"]), (&json!("Ada"), &Value::Null));
    assert_eq!(found["unavailable"], json!([{"part": "orders", "reason": "dependency-unavailable"}]));
    let platform = gateway(&products().await, &nobody().await, &orders().await).await;
    let found = get_as(&platform, Role::Customer, Some(1), path).await;
    assert_eq!((&found["customer"], &found["orders"]["items"][0]["id"]), (&Value::Null, &json!("7")));
    let platform = gateway(&products().await, &nobody().await, &nobody().await).await;
    let token = platform.log_in(Role::Customer, Some(1)).await;
    problem(platform.get(path).bearer_auth(token), 503).await;
}
