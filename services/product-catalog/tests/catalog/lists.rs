//! Lists: pages and filters.

use std::collections::HashSet;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::harness::Shop;

async fn make(shop: &Shop, products: &[(&str, &str)]) {
    for (name, category) in products {
        let made = shop.post(&json!({"name": name, "price": 1, "category": category})).await;
        assert_eq!(made.status, 201, "{made:?}");
    }
}

fn ids(page: &Value) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

/// The ids of the first page.
async fn listed(shop: &Shop, query: &str) -> Vec<String> {
    let answer = shop.get(&format!("/products?{query}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    ids(&answer.json())
}

#[tokio::test]
async fn pages_meet_every_product_once_while_others_are_made_and_deleted() {
    let shop = Shop::start().await;
    let lamps: Vec<_> = (0..20).map(|_| ("Lamp", "lamps")).collect();
    make(&shop, &lamps).await;
    let (mut met, mut next) = (Vec::new(), "/products?category=lamps&limit=3".to_owned());
    loop {
        let page = shop.get(&next).await;
        met.extend(ids(&page.json()));
        let link = page.header("link").to_owned();
        let Some(cursor) = page.json()["next_cursor"].as_str().map(str::to_owned) else {
            assert_eq!(link, "");
            break;
        };
        next = format!("/products?limit=3&cursor={cursor}");
        assert_eq!(link, format!("<{next}>; rel=\"next\""));
        // In the list and outside of it; and one that was met already.
        make(&shop, &[("Chair", "chairs")]).await;
        if met.len() < 10 {
            make(&shop, &[("Lamp", "lamps")]).await;
            assert_eq!(shop.delete(&format!("/products/{}", met.last().unwrap())).await.status, 204);
        }
    }
    assert_eq!(met.iter().collect::<HashSet<_>>().len(), met.len(), "{met:?}");
    for id in 1..=20 {
        assert!(met.contains(&id.to_string()), "{id} is not in {met:?}");
    }
    let numbers: Vec<u32> = met.iter().map(|id| id.parse().unwrap()).collect();
    assert!(numbers.is_sorted());
}

#[tokio::test]
async fn lists_are_filtered_by_category_part_of_the_name_and_ids() {
    let shop = Shop::start().await;
    let products = [
        ("Desk lamp", "lamps"),
        ("FLOOR LAMP", "lamps"),
        ("100% cotton", "Lamps"),
        ("snake_case", ""),
        ("Ärmel", ""),
        ("back\\slash", ""),
    ];
    make(&shop, &products).await;
    assert_eq!(listed(&shop, "").await.len(), 6);
    assert_eq!(listed(&shop, "category=lamps").await, ["1", "2"]);
    assert_eq!(listed(&shop, "category=").await, ["4", "5", "6"]);
    assert_eq!(listed(&shop, "category=lamp").await, [""; 0]);
    assert_eq!(listed(&shop, "q=LaMp").await, ["1", "2"]);
    assert_eq!(listed(&shop, "q=desk").await, ["1"]);
    assert_eq!(listed(&shop, "q=%25").await, ["3"]);
    assert_eq!(listed(&shop, "q=_").await, ["4"]);
    assert_eq!(listed(&shop, "q=%C3%A4RM").await, ["5"]);
    assert_eq!(listed(&shop, "q=%5C").await, ["6"]);
    assert_eq!(listed(&shop, "q=").await.len(), 6);
    assert_eq!(listed(&shop, "ids=6,2,99,2").await, ["2", "6"]);
    assert_eq!(listed(&shop, "ids=1,2,3&category=lamps&q=floor").await, ["2"]);
    shop.put("/products/1", "*", &json!({"name": "Chair", "price": 1})).await;
    assert_eq!(listed(&shop, "q=lamp").await, ["2"]);
    assert_eq!(listed(&shop, "q=CHAIR").await, ["1"]);
}

#[tokio::test]
async fn a_cursor_carries_the_filters_of_its_list() {
    let shop = Shop::start().await;
    make(&shop, &[("Lamp", "lamps"), ("Chair", "chairs"), ("Lamp", "lamps"), ("Lamp", "lamps")]).await;
    let first = shop.get("/products?category=lamps&limit=1").await.json();
    let cursor = first["next_cursor"].as_str().unwrap();
    assert_eq!(listed(&shop, &format!("cursor={cursor}")).await, ["3", "4"]);
    assert_eq!(listed(&shop, &format!("category=lamps&cursor={cursor}")).await, ["3", "4"]);
    let other = shop.get(&format!("/products?category=chairs&cursor={cursor}")).await;
    other.is(400, "malformed-request");
    assert_eq!(other.faults(), [("cursor".to_owned(), "conflict".to_owned())]);
}

#[tokio::test]
async fn a_list_has_up_to_200_products() {
    let shop = Shop::start().await;
    let all: Vec<_> = (0..201).map(|_| ("Lamp", "")).collect();
    make(&shop, &all).await;
    assert_eq!(listed(&shop, "").await.len(), 50);
    assert_eq!(listed(&shop, "limit=200").await.len(), 200);
    let of_ids: Vec<_> = (1..=200).map(|id| id.to_string()).collect();
    let of_ids = of_ids.join(",");
    assert_eq!(listed(&shop, &format!("limit=200&ids={of_ids}")).await.len(), 200);
    // A cursor that carries 200 ids is still a cursor.
    let page = shop.get(&format!("/products?limit=199&ids={of_ids}")).await.json();
    let cursor = page["next_cursor"].as_str().unwrap();
    assert_eq!(listed(&shop, &format!("cursor={cursor}")).await, ["200"]);
}

#[tokio::test]
async fn a_query_that_cannot_be_read_is_refused_with_all_its_faults() {
    let shop = Shop::start().await;
    let long = "x".repeat(201);
    let query = format!("limit=0&cursor=x&ids=1,,2&q={long}&category={long}&colour=red");
    let refused = shop.get(&format!("/products?{query}")).await;
    refused.is(400, "malformed-request");
    let places: Vec<_> = refused.faults().into_iter().map(|(place, _)| place).collect();
    assert_eq!(places, ["category", "colour", "cursor", "ids", "limit", "q"]);
    for query in ["q=%00", "category=a&category=b", "limit=201"] {
        shop.get(&format!("/products?{query}")).await.is(400, "malformed-request");
    }
    shop.get("/products/1?expand=all").await.is(400, "malformed-request");
}

#[tokio::test]
async fn a_cursor_that_somebody_made_up_does_no_harm() {
    let shop = Shop::start().await;
    for json in [
        r#"{"l":"/products","f":{"q":"\u0000"},"p":"1"}"#,
        r#"{"l":"/products","f":{"category":"\u0000"},"p":"1"}"#,
        r#"{"l":"/products","f":{"ids":["0"]},"p":"1"}"#,
        r#"{"l":"/products","f":{},"p":"-1"}"#,
        r#"{"l":"/orders","f":{},"p":"1"}"#,
        "null",
    ] {
        let cursor = BASE64_URL_SAFE_NO_PAD.encode(json);
        shop.get(&format!("/products?cursor={cursor}")).await.is(400, "malformed-request");
    }
}
