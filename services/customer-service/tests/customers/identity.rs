//! Who may call: nobody without the gateway's word; and what the API's description says of it.

use customer_service::NAME;
use reqwest::Method;
use reqwest::header::AUTHORIZATION;
use service_kit::auth::Role;

use crate::harness::{Shop, answer, authorization, of};
use test_kit::SECRET;

/// Every route of the description.
fn routes() -> Vec<(Method, String)> {
    let document = serde_json::to_value(customer_service::openapi()).unwrap();
    let mut routes = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        routes.extend(item.as_object().unwrap().keys().map(|method| {
            let method = method.to_uppercase().parse().unwrap();
            (method, path.replace("{id}", "1"))
        }));
    }
    routes
}

#[tokio::test]
async fn a_request_that_does_not_come_from_the_gateway_is_refused_by_every_route() {
    let shop = Shop::start().await;
    let routes = routes();
    assert_eq!(routes.len(), 9);
    let admin = of(Role::Admin);
    let of_other_secret = authorization(NAME, "another-secret-another-secret-xx", &admin);
    let of_other_service = authorization("order-service", SECRET, &admin);
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

#[test]
fn the_description_tells_what_is_open_to_everybody() {
    let document = serde_json::to_value(customer_service::openapi()).unwrap();
    let paths: Vec<_> = document["paths"].as_object().unwrap().keys().collect();
    assert_eq!(paths, ["/customers", "/customers/{id}", "/customers/{id}/password", "/sessions", "/sessions/current"]);
    for (path, method, tag, is_public) in [
        ("/customers", "get", "customers", false),
        ("/customers", "post", "customers", true),
        ("/customers/{id}", "get", "customers", false),
        ("/customers/{id}", "put", "customers", false),
        ("/customers/{id}", "patch", "customers", false),
        ("/customers/{id}", "delete", "customers", false),
        ("/customers/{id}/password", "put", "customers", false),
        ("/sessions", "post", "sessions", true),
        ("/sessions/current", "delete", "sessions", false),
    ] {
        let operation = &document["paths"][path][method];
        assert_eq!(operation.get("security").is_none(), is_public, "{method} {path}");
        assert_eq!(operation["tags"], serde_json::json!([tag]), "{method} {path}");
    }
}

#[test]
fn the_description_tells_the_statuses_that_clients_must_expect() {
    let document = serde_json::to_value(service_kit::openapi::complete(customer_service::openapi())).unwrap();
    for (path, method, expected) in [
        ("/customers", "get", &["200", "400", "401", "403", "503"][..]),
        ("/customers", "post", &["201", "409", "413", "415", "422", "503"]),
        ("/customers/{id}", "get", &["200", "304", "401", "404"]),
        ("/customers/{id}", "put", &["200", "404", "409", "412", "422", "428"]),
        ("/customers/{id}", "patch", &["200", "404", "409", "412", "422"]),
        ("/customers/{id}", "delete", &["204", "403", "404", "409", "412", "503"]),
        ("/customers/{id}/password", "put", &["204", "403", "404", "422", "429", "503"]),
        ("/sessions", "post", &["201", "401", "422", "429", "503"]),
        ("/sessions/current", "delete", &["204", "401", "404", "503"]),
    ] {
        let responses = document["paths"][path][method]["responses"].as_object().unwrap();
        for status in expected {
            assert!(responses.contains_key(*status), "{method} {path} does not tell {status}");
        }
    }
}

#[test]
fn a_password_is_described_as_something_that_is_never_shown() {
    let document = serde_json::to_value(customer_service::openapi()).unwrap();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let mut passwords = 0;
    for (name, schema) in schemas {
        for field in ["password", "current_password"] {
            if let Some(property) = schema["properties"].get(field) {
                assert_eq!(property["writeOnly"], true, "{name}.{field}");
                passwords += 1;
            }
        }
    }
    assert_eq!(passwords, 4);
    assert!(schemas["Customer"]["properties"].get("password").is_none());
}
