//! Who may call: nobody without the gateway's word.

use reqwest::Method;
use reqwest::header::AUTHORIZATION;
use service_kit::auth::Role;

use crate::harness::{SECRET, Shop, answer, authorization, of};

/// Every route that the description has, and those that it has not.
fn routes() -> Vec<(Method, String)> {
    let document = serde_json::to_value(product_catalog::openapi()).unwrap();
    let mut routes: Vec<_> =
        ["PUT", "DELETE"].map(|method| (method.to_owned(), "/internal/reservations/1".to_owned())).into();
    for (path, item) in document["paths"].as_object().unwrap() {
        routes
            .extend(item.as_object().unwrap().keys().map(|method| (method.to_uppercase(), path.replace("{id}", "1"))));
    }
    routes.into_iter().map(|(method, path)| (method.parse().unwrap(), path)).collect()
}

#[tokio::test]
async fn a_request_that_does_not_come_from_the_gateway_is_refused_by_every_route() {
    let shop = Shop::start().await;
    let routes = routes();
    assert_eq!(routes.len(), 8);
    let of_other_secret = authorization(product_catalog::NAME, "another-secret-another-secret-xx", &of(Role::Admin));
    let of_other_service = authorization("activity-service", SECRET, &of(Role::Admin));
    for (method, path) in routes {
        for token in ["", "Bearer x", "Basic eDp5", &of_other_secret, &of_other_service] {
            let mut request = shop.anyones(method.clone(), &path);
            if !token.is_empty() {
                request = request.header(AUTHORIZATION, token);
            }
            let answer = answer(request).await;
            answer.is(401, "unauthenticated");
            assert_eq!(answer.header("www-authenticate"), "Bearer", "{method} {path}");
        }
    }
}

#[tokio::test]
async fn the_description_tells_what_clients_may_do_and_nothing_internal() {
    let document = serde_json::to_value(product_catalog::openapi()).unwrap();
    let paths: Vec<_> = document["paths"].as_object().unwrap().keys().collect();
    assert_eq!(paths, ["/products", "/products/{id}"]);
    for (path, method, is_public) in [
        ("/products", "get", true),
        ("/products", "post", false),
        ("/products/{id}", "get", true),
        ("/products/{id}", "put", false),
        ("/products/{id}", "patch", false),
        ("/products/{id}", "delete", false),
    ] {
        let operation = &document["paths"][path][method];
        assert_eq!(operation.get("security").is_none(), is_public, "{method} {path}");
    }
}

#[tokio::test]
async fn the_description_tells_the_statuses_that_clients_must_expect() {
    let document = serde_json::to_value(service_kit::openapi::complete(product_catalog::openapi())).unwrap();
    for (path, method, expected) in [
        ("/products", "get", &["200", "400", "503"][..]),
        ("/products", "post", &["201", "401", "403", "409", "413", "415", "422"]),
        ("/products/{id}", "get", &["200", "304", "404"]),
        ("/products/{id}", "put", &["200", "404", "412", "422", "428"]),
        ("/products/{id}", "patch", &["200", "404", "409", "412", "422", "428"]),
        ("/products/{id}", "delete", &["204", "404", "412"]),
    ] {
        let responses = document["paths"][path][method]["responses"].as_object().unwrap();
        for status in expected {
            assert!(responses.contains_key(*status), "{method} {path} does not tell {status}");
        }
        assert!(responses.keys().all(|status| status.parse::<u16>().is_ok()), "{responses:?}");
    }
}
