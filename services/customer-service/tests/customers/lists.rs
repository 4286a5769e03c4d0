//! Lists: pages and the filter.

use std::collections::HashSet;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::harness::{Shop, all, count};

/// Makes so many customers, who do not have to log in.
async fn fill(shop: &Shop, customers: i64) {
    let mut connection = shop.world.database.connect().await;
    let insertion = sqlx::query(
        "INSERT INTO customer_service.customers (name, email, folded_email, phone, address, password_hash)
         SELECT 'Ann', 'Ann' || n || '@b', 'ann' || n || '@b', '', '', '' FROM generate_series(1, $1) AS n",
    );
    insertion.bind(customers).execute(&mut connection).await.unwrap();
}

fn ids(page: &Value) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

/// The ids of the first page.
async fn listed(shop: &Shop, query: &str) -> Vec<String> {
    let answer = shop.get(&format!("/customers?{query}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    ids(&answer.json())
}

#[tokio::test]
async fn pages_meet_every_customer_once_while_others_are_made_and_deleted() {
    let shop = Shop::start().await;
    fill(&shop, 20).await;
    let (mut met, mut next) = (Vec::new(), "/customers?limit=3".to_owned());
    loop {
        let page = shop.get(&next).await;
        met.extend(ids(&page.json()));
        let link = page.header("link").to_owned();
        let Some(cursor) = page.json()["next_cursor"].as_str().map(str::to_owned) else {
            assert_eq!(link, "");
            break;
        };
        next = format!("/customers?limit=3&cursor={cursor}");
        assert_eq!(link, format!("<{next}>; rel=\"next\""));
        if met.len() < 10 {
            shop.customer(&format!("late{}@b", met.len())).await;
            // The one that the cursor stands behind.
            assert_eq!(shop.delete(&format!("/customers/{}", met.last().unwrap())).await.status, 204);
        }
    }
    assert_eq!(met.iter().collect::<HashSet<_>>().len(), met.len(), "{met:?}");
    let numbers: Vec<u32> = met.iter().map(|id| id.parse().unwrap()).collect();
    assert!(numbers.is_sorted() && (1..=20).all(|id| numbers.contains(&id)), "{numbers:?}");
}

#[tokio::test]
async fn a_customer_is_found_by_its_whole_e_mail_address_in_small_or_capital_letters() {
    let shop = Shop::start().await;
    fill(&shop, 3).await;
    assert_eq!(listed(&shop, "email=aNN2@B").await, ["2"]);
    for query in ["email=ann2", "email=", "email=ann%@b", "email=bob@b"] {
        assert_eq!(listed(&shop, query).await, [""; 0], "{query}");
    }
    shop.patch("/customers/2", &serde_json::json!({"email": "eve@b"})).await;
    assert_eq!(listed(&shop, "email=ann2@b").await, [""; 0]);
    assert_eq!(listed(&shop, "email=EVE@b").await, ["2"]);
    shop.delete("/customers/2").await;
    assert_eq!(listed(&shop, "email=eve@b").await, [""; 0]);
    assert_eq!(listed(&shop, "").await, ["1", "3"]);
}

#[tokio::test]
async fn a_list_has_up_to_200_customers() {
    let shop = Shop::start().await;
    fill(&shop, 201).await;
    assert_eq!(listed(&shop, "").await.len(), 50);
    assert_eq!(listed(&shop, "limit=200").await.len(), 200);
}

#[tokio::test]
async fn a_query_that_cannot_be_read_is_refused_with_all_its_faults() {
    let shop = Shop::start().await;
    let refused = shop.get(&format!("/customers?limit=0&cursor=x&email={}&name=ann", "x".repeat(255))).await;
    refused.is(400, "malformed-request");
    let places: Vec<_> = refused.faults().into_iter().map(|(place, _)| place).collect();
    assert_eq!(places, ["cursor", "email", "limit", "name"]);
    for path in ["/customers?email=%00", "/customers?email=a&email=b", "/customers/1?expand=orders"] {
        shop.get(path).await.is(400, "malformed-request");
    }
}

#[tokio::test]
async fn a_cursor_that_somebody_made_up_does_no_harm() {
    let shop = Shop::start().await;
    for json in [
        r#"{"l":"/customers","f":{"email":"\u0000"},"p":"1"}"#,
        r#"{"l":"/customers","f":{"name":"x"},"p":"1"}"#,
        r#"{"l":"/customers","f":{},"p":"-1"}"#,
        r#"{"l":"/products","f":{},"p":"1"}"#,
        "null",
    ] {
        let cursor = BASE64_URL_SAFE_NO_PAD.encode(json);
        shop.get(&format!("/customers?cursor={cursor}")).await.is(400, "malformed-request");
    }
}

#[tokio::test]
async fn customers_that_are_listed_while_many_register_are_whole() {
    let shop = Shop::start().await;
    shop.warm_up().await;
    let body = |n: u32| serde_json::json!({"name": "Ann", "email": format!("a{n}@b"), "password": "long enough"});
    let answers = all((0..10).map(|n| shop.posts(&body(n)))).await;
    assert_eq!(count(&answers, 201), 10, "{answers:?}");
    let mut listed = shop.get("/customers").await.json()["items"].as_array().unwrap().clone();
    let mut made: Vec<_> = answers.iter().map(crate::harness::Answer::json).collect();
    let by_id = |customer: &Value| customer["id"].as_str().unwrap().parse::<u32>().unwrap();
    listed.sort_by_key(by_id);
    made.sort_by_key(by_id);
    assert_eq!(listed, made);
}
