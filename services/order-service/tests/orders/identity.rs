//! Who may do what.

use reqwest::header::AUTHORIZATION;
use reqwest::{Method, RequestBuilder};
use serde_json::json;
use service_kit::auth::{Caller, Role};

use crate::harness::{Desk, Shop, admin, authorization, customer, ids, service};
use test_kit::answer;

/// Every request of the API, for order 1 of customer 7.
fn requests(desk: &Desk, product: &str, caller: &Caller) -> [RequestBuilder; 4] {
    let order = json!({"customer_id": 7, "product_id": product, "quantity": 1});
    [
        desk.request(caller, Method::GET, "/orders"),
        desk.sends(caller, Method::POST, "/orders", &order),
        desk.request(caller, Method::GET, "/orders/1"),
        desk.sends(caller, Method::PATCH, "/orders/1", &json!({})),
    ]
}

#[tokio::test]
async fn nobody_is_believed_without_a_token_of_the_gateway_for_this_service() {
    let shop = Shop::start().await;
    let elsewhere = authorization("product-catalog", &admin());
    for (method, path) in [(Method::GET, "/orders"), (Method::POST, "/orders"), (Method::PATCH, "/orders/1")] {
        answer(shop.desk.anyones(method.clone(), path)).await.is(401, "unauthenticated");
        let request = shop.desk.anyones(method, path).header(AUTHORIZATION, &elsewhere);
        answer(request).await.is(401, "unauthenticated");
    }
}

#[tokio::test]
async fn orders_are_for_customers_admins_and_services() {
    let shop = Shop::start().await;
    let product = shop.stage.product("19.99", 10).await;
    shop.desk.order(&product, 1).await;
    for caller in [customer(7), admin(), service()] {
        let mut statuses = Vec::new();
        for request in requests(&shop.desk, &product, &caller) {
            statuses.push(answer(request).await.status);
        }
        assert_eq!(statuses, [200, 201, 200, 200], "{caller:?}");
    }
    for request in requests(&shop.desk, &product, &Caller::new("w", Role::Writer)) {
        answer(request).await.is(403, "forbidden");
    }
    for request in requests(&shop.desk, &product, &Caller::anonymous()) {
        answer(request).await.is(401, "unauthenticated");
    }
    assert_eq!(shop.stage.stock(&product).await, 6);
}

#[tokio::test]
async fn a_customer_sees_its_own_orders_and_nothing_of_others() {
    let shop = Shop::start().await;
    let product = shop.stage.product("19.99", 10).await;
    shop.desk.order(&product, 1).await;
    answer(shop.desk.ordering_for(8, &product, 1)).await;
    let get = async |caller: &Caller, path: &str| answer(shop.desk.request(caller, Method::GET, path)).await;
    for path in
        ["/orders", "/orders?customer_id=7", "/orders?status=CONFIRMED", "/orders?status=CONFIRMED&customer_id=7"]
    {
        assert_eq!(ids(&get(&customer(7), path).await.json()), ["1"], "{path}");
    }
    get(&customer(7), "/orders?customer_id=8").await.is(404, "not-found");
    get(&customer(7), "/orders/2").await.is(404, "not-found");
    assert_eq!(ids(&get(&admin(), "/orders?customer_id=8").await.json()), ["2"]);
    assert_eq!(ids(&get(&service(), "/orders").await.json()), ["2", "1"]);
    // Not even that there is a customer 8.
    let order = json!({"customer_id": 8, "product_id": product, "quantity": 1});
    let foreign = answer(shop.desk.sends(&customer(7), Method::POST, "/orders", &order)).await;
    foreign.is(404, "not-found");
    assert_eq!(shop.stage.stock(&product).await, 8);
}

#[tokio::test]
async fn a_customer_without_an_id_is_nobodys_customer() {
    let shop = Shop::start().await;
    let product = shop.stage.product("19.99", 10).await;
    shop.desk.order(&product, 1).await;
    let nobody = Caller::new("nobody", Role::Customer);
    answer(shop.desk.request(&nobody, Method::GET, "/orders")).await.is(403, "forbidden");
    answer(shop.desk.request(&nobody, Method::GET, "/orders?customer_id=7")).await.is(404, "not-found");
    answer(shop.desk.request(&nobody, Method::GET, "/orders/1")).await.is(404, "not-found");
    answer(shop.desk.sends(&nobody, Method::PATCH, "/orders/1", &json!({"status": "CANCELLED"})))
        .await
        .is(404, "not-found");
}
