//! The gateway over real sockets: identity, limits, what is passed on and what is not.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test fails by panicking")]

mod expand;
mod harness;
mod page;
mod recent;
mod resume;
mod sse;
mod stream;
mod tokens;
mod top;
mod topic;
mod windows;

use futures_util::StreamExt as _;
use serde_json::Value;
use service_kit::auth::Role;

use self::harness::{Platform, WRITE_KEY, problem};

async fn json(request: reqwest::RequestBuilder) -> Value {
    let response = request.send().await.unwrap();
    assert!(response.status().is_success(), "{}", response.status());
    response.json().await.unwrap()
}

#[tokio::test]
async fn unknown_routes_are_404_and_unknown_methods_405_with_allow_also_without_a_token() {
    let platform = Platform::start(&[]).await;
    let told = problem(platform.get("/nothing/here"), 404).await;
    assert_eq!(
        (told["type"].as_str(), told["instance"].as_str()),
        (Some("/problems/not-found"), Some("/nothing/here"))
    );
    assert_eq!(told["trace_id"].as_str().unwrap().len(), 32);
    let response = platform.client.delete(format!("{}/products", platform.url)).send().await.unwrap();
    assert_eq!(response.status(), 405);
    let mut allowed: Vec<_> = response.headers()["allow"].to_str().unwrap().split(',').collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["GET", "HEAD", "POST"]);
    assert_eq!(response.json::<Value>().await.unwrap()["type"], "/problems/method-not-allowed");
}

#[tokio::test]
async fn a_caller_arrives_at_the_service_as_an_internal_token_and_its_own_credentials_do_not() {
    let platform = Platform::start(&[]).await;
    let token = platform.log_in(Role::Customer, Some(7)).await;
    let seen = json(platform.get("/products?q=a%20b&write_key=x").bearer_auth(&token).header("cookie", "a=b")).await;
    assert_eq!(seen["caller"]["role"], "customer");
    assert_eq!(seen["caller"]["customer_id"], "7");
    assert_eq!(seen["uri"], "/products?q=a%20b");
    assert!(seen["headers"].get("cookie").is_none());
    assert!(!seen["headers"]["authorization"].as_str().unwrap().contains(&token));
    let seen = json(platform.get("/products")).await;
    assert_eq!(seen["caller"]["role"], "anonymous");
}

#[tokio::test]
async fn a_request_is_named_in_and_out() {
    let platform = Platform::start(&[]).await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let request = platform.get("/products").header("x-request-id", "mine-1").header("traceparent", trace);
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["x-request-id"], "mine-1");
    let seen: Value = response.json().await.unwrap();
    assert_eq!(seen["headers"]["x-request-id"], "mine-1");
    let passed = seen["headers"]["traceparent"].as_str().unwrap();
    assert!(passed.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-") && passed != trace, "{passed}");
    let without = platform.get("/products").send().await.unwrap();
    assert_eq!(without.headers()["x-request-id"].len(), 36);
}

#[tokio::test]
async fn credentials_that_are_not_valid_are_refused_even_where_none_are_needed() {
    let platform = Platform::start(&[]).await;
    let told = problem(platform.get("/products").bearer_auth("nobody"), 401).await;
    assert_eq!(told["type"], "/problems/unauthenticated");
    problem(platform.get("/products").header("authorization", "Basic YTpi"), 401).await;
    let response = platform.post("/products", "{}").send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.headers()["www-authenticate"].to_str().unwrap()), (401, "Bearer"));
}

#[tokio::test]
async fn a_session_that_has_expired_is_none() {
    let platform = Platform::start(&[]).await;
    let token = platform.log_in(Role::Admin, None).await;
    json(platform.get("/products").bearer_auth(&token)).await;
    let items = platform.dynamodb.scan().table_name("sessions").send().await.unwrap();
    let mut item = items.items()[0].clone();
    item.insert("expires_at".to_owned(), aws_sdk_dynamodb::types::AttributeValue::N("1".to_owned()));
    platform.dynamodb.put_item().table_name("sessions").set_item(Some(item)).send().await.unwrap();
    problem(platform.get("/products").bearer_auth(&token), 401).await;
}

#[tokio::test]
async fn events_need_a_write_key_in_the_header_or_the_query_or_a_token() {
    let platform = Platform::start(&[]).await;
    problem(platform.post("/events", "{}"), 401).await;
    problem(platform.post("/events?write_key=wrong", "{}"), 401).await;
    for request in [
        platform.post("/events", "{}").header("x-write-key", WRITE_KEY),
        platform.post(&format!("/events?write_key={WRITE_KEY}"), "{}"),
    ] {
        let seen = json(request).await;
        assert_eq!((seen["caller"]["role"].as_str(), seen["uri"].as_str()), (Some("writer"), Some("/events")));
        assert!(!seen.to_string().contains(WRITE_KEY));
    }
    let token = platform.log_in(Role::Customer, Some(7)).await;
    assert_eq!(json(platform.post("/events", "{}").bearer_auth(token)).await["caller"]["role"], "customer");
    // A write key writes events, and nothing else.
    problem(platform.post("/products", "{}").header("x-write-key", WRITE_KEY), 401).await;
}

#[tokio::test]
async fn bodies_up_to_1_mib_pass_and_longer_ones_do_not_whether_their_length_is_told_or_not() {
    let platform = Platform::start(&[]).await;
    let post = |body: reqwest::Body| platform.post("/events", body).header("x-write-key", WRITE_KEY);
    let streamed = |bytes: usize| {
        let chunks = futures_util::stream::iter((0..8).map(move |_| Ok::<_, std::io::Error>(vec![b' '; bytes / 8])));
        reqwest::Body::wrap_stream(chunks.boxed())
    };
    assert_eq!(json(post(vec![b' '; 1 << 20].into())).await["length"], 1 << 20);
    assert_eq!(json(post(streamed(1 << 20))).await["length"], 1 << 20);
    assert_eq!(problem(post(vec![b' '; (1 << 20) + 1].into()), 413).await["type"], "/problems/body-too-large");
    problem(post(streamed((1 << 20) + 8)), 413).await;
}

#[tokio::test]
async fn more_requests_than_the_limit_are_told_when_to_come_back() {
    let platform = Platform::start(&["--rate-limit-anonymous", "2", "--rate-limit-customer", "1"]).await;
    let mut statuses = Vec::new();
    for _ in 0..8 {
        statuses.push(platform.get("/products").send().await.unwrap());
    }
    let refused = statuses.iter().find(|response| response.status() == 429).unwrap();
    assert_eq!(refused.headers()["retry-after"], "1");
    // Everybody has a bucket of their own, and admins need none.
    let customer = platform.log_in(Role::Customer, Some(1)).await;
    json(platform.get("/products").bearer_auth(customer)).await;
    let admin = platform.log_in(Role::Admin, None).await;
    for _ in 0..8 {
        json(platform.get("/products").bearer_auth(&admin)).await;
    }
}

#[tokio::test]
async fn the_address_behind_trusted_proxies_counts_and_one_that_a_client_made_up_does_not() {
    let flags = ["--rate-limit-anonymous", "1", "--trusted-hops", "1"];
    let platform = Platform::start(&flags).await;
    let from = |forwarded: String| platform.get("/products").header("x-forwarded-for", forwarded).send();
    // The client made up another first address each time; the proxy added the last one.
    let mut refused = 0;
    for number in 0..6 {
        refused += u32::from(from(format!("10.0.0.{number}, 192.0.2.1")).await.unwrap().status() == 429);
    }
    assert!(refused > 0);
    assert_eq!(from("10.0.0.1, 192.0.2.2".to_owned()).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_service_that_is_down_is_told_as_such() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let url = format!("http://{closed}");
    let platform = Platform::start(&["--product-service-url", &url]).await;
    let response = platform.get("/products").send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.headers()["retry-after"].to_str().unwrap()), (503, "1"));
    let told: Value = response.json().await.unwrap();
    assert_eq!(told["type"], "/problems/dependency-unavailable");
    assert!(told["detail"].as_str().unwrap().contains("product-catalog"));
}

#[tokio::test]
async fn answers_tell_browsers_what_they_may_do() {
    let platform = Platform::start(&["--cors-allowed-origins", "https://shop.example"]).await;
    let response = platform.get("/products").header("origin", "https://shop.example").send().await.unwrap();
    assert_eq!(response.headers()["access-control-allow-origin"], "https://shop.example");
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    assert!(response.headers()["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    let other = platform.get("/nothing").header("origin", "https://evil.example").send().await.unwrap();
    assert!(other.headers().get("access-control-allow-origin").is_none());
    assert_eq!(other.headers()["x-content-type-options"], "nosniff");
}

#[tokio::test]
async fn the_description_the_docs_page_and_the_pages_of_problems_are_served_without_any_other_host() {
    let platform = Platform::start(&[]).await;
    let document = json(platform.get("/openapi.json")).await;
    assert!(document["paths"].get("/products/{id}").is_some());
    let page = platform.get("/docs/").send().await.unwrap();
    assert_eq!(page.status(), 200);
    let page = page.text().await.unwrap();
    assert!(page.contains("swagger-ui") && !page.contains("https://") && !page.contains("//cdn"), "{page}");
    for kind in service_kit::Kind::ALL {
        let page = platform.get(&format!("/problems/{}", kind.slug())).send().await.unwrap();
        assert_eq!(page.status(), 200);
        assert!(page.text().await.unwrap().contains(kind.title()));
    }
    problem(platform.get("/problems/none-such"), 404).await;
}
