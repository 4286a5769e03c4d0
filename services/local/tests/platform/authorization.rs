//! `docs/reference/authorization.md`: every cell of the table is what the platform answers.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use clap::Parser;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use service_kit::auth::{Caller, Role};
use service_kit::session::{self, DynamoDbArgs, Sessions};

use crate::harness::{Footfall, folder};

const PAGE: &str = "../../docs/reference/authorization.md";
const PASSWORD: &str = "a password of the test";
/// The columns of the table behind the request.
const CALLERS: [&str; 6] = ["nobody", "write key", "owner", "other", "service", "admin"];

/// A row of the table.
struct Row {
    method: Method,
    path: String,
    /// What the request does, where that makes a difference.
    variant: String,
    statuses: Vec<u16>,
}

fn rows() -> Vec<Row> {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE)).unwrap();
    let mut rows = Vec::new();
    for line in page.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        if cells[0] == "request" {
            assert_eq!(cells[1..], CALLERS);
        }
        let Some(request) = cells[0].strip_prefix('`') else { continue };
        let (request, variant) = request.split_once('`').unwrap();
        let (method, path) = request.split_once(' ').unwrap();
        let statuses: Vec<u16> = cells[1..].iter().map(|cell| cell.parse().unwrap()).collect();
        assert_eq!(statuses.len(), CALLERS.len(), "{line}");
        let (method, path) = (method.parse().unwrap(), path.to_owned());
        rows.push(Row { method, path, variant: variant.trim().to_owned(), statuses });
    }
    rows
}

/// A customer who is logged in.
struct Customer {
    id: String,
    email: String,
    token: String,
}

/// The platform, and means to make what a request is about.
struct Scene {
    platform: Footfall,
    client: Client,
    sessions: Sessions,
    admin: String,
    count: u32,
}

#[derive(Parser)]
struct Only {
    #[command(flatten)]
    dynamodb: DynamoDbArgs,
}

impl Scene {
    async fn new(platform: Footfall) -> Self {
        let url = platform.variable("AWS_ENDPOINT_URL_DYNAMODB");
        let args = Only::parse_from(["test", "--dynamodb-endpoint-url", &url]).dynamodb;
        let sessions = Sessions::new(session::client(&args).await, &args);
        let admin = platform.variable("FOOTFALL_ADMIN_TOKEN");
        Scene { platform, client: Client::new(), sessions, admin, count: 0 }
    }

    /// A name that was not used yet.
    fn name(&mut self, what: &str) -> String {
        self.count += 1;
        format!("{what}-{}", self.count)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, self.platform.url(path))
    }

    async fn make(&self, path: &str, token: &str, body: Value) -> Value {
        let response = self.request(Method::POST, path).bearer_auth(token).json(&body).send().await.unwrap();
        assert_eq!(response.status(), 201, "{path}: {}", self.platform.said());
        response.json().await.unwrap()
    }

    async fn customer(&mut self) -> Customer {
        let email = format!("{}@shop.example", self.name("customer"));
        let body = json!({"name": "Ada", "email": email, "password": PASSWORD});
        let made = self.make("/customers", &self.admin, body).await;
        let session = self.make("/sessions", &self.admin, json!({"email": email, "password": PASSWORD})).await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Customer { id: text(&made["id"]), email, token: text(&session["token"]) }
    }

    async fn product(&self) -> String {
        let body = json!({"name": "Lamp", "price": "19.99", "stock_quantity": 10});
        self.make("/products", &self.admin, body).await["id"].as_str().unwrap().to_owned()
    }

    async fn order(&self, customer: &Customer) -> String {
        let body = json!({"customer_id": customer.id, "product_id": self.product().await, "quantity": 1});
        self.make("/orders", &customer.token, body).await["id"].as_str().unwrap().to_owned()
    }

    /// A session of its own, which a request may end.
    async fn session(&mut self, role: Role) -> String {
        let token = self.name("token");
        self.sessions.put(&token, &Caller::new("test", role), Duration::from_secs(600)).await.unwrap();
        token
    }

    /// The status that this caller gets for a request that nothing is wrong with, about something new.
    async fn status(&mut self, row: &Row, caller: &str) -> u16 {
        let owner = self.customer().await;
        let (path, body) = self.about(row, caller, &owner).await;
        let mut request = self.request(row.method.clone(), &path);
        if let Some(body) = body {
            request = request.json(&body);
        }
        // Whatever the version is: what is judged here are callers.
        if row.method == Method::PUT && row.path != "/customers/{id}/password" {
            request = request.header("if-match", "*");
        }
        let request = match caller {
            "nobody" => request,
            "write key" => request.header("x-write-key", self.platform.variable("EVENTS_WRITE_KEYS")),
            "owner" => request.bearer_auth(&owner.token),
            "other" => request.bearer_auth(self.customer().await.token),
            "service" => request.bearer_auth(self.session(Role::Service).await),
            "admin" => request.bearer_auth(self.session(Role::Admin).await),
            _ => panic!("{caller}"),
        };
        request.send().await.unwrap().status().as_u16()
    }

    /// The path and body of a request.
    async fn about(&mut self, row: &Row, caller: &str, owner: &Customer) -> (String, Option<Value>) {
        let product = json!({"name": "Lamp", "price": "19.99"});
        let mut record = json!({"name": "Ada", "email": format!("{}@shop.example", self.name("new"))});
        let (id, body) = match (row.method.as_str(), row.path.as_str()) {
            ("POST", "/products") => (String::new(), Some(product)),
            ("PUT", "/products/{id}") => (self.product().await, Some(product)),
            ("PATCH", "/products/{id}") => (self.product().await, Some(json!({"category": "lamps"}))),
            ("GET" | "DELETE", "/products/{id}") => (self.product().await, None),
            ("POST", "/customers") => {
                record["password"] = PASSWORD.into();
                (String::new(), Some(record))
            }
            ("PUT" | "PATCH", "/customers/{id}") => (owner.id.clone(), Some(record)),
            ("PUT", "/customers/{id}/password") => {
                let mut body = json!({"password": "another password"});
                if matches!(caller, "owner" | "other") {
                    body["current_password"] = PASSWORD.into();
                }
                (owner.id.clone(), Some(body))
            }
            ("GET" | "DELETE", "/customers/{id}" | "/customers/{id}/orders") => (owner.id.clone(), None),
            ("POST", "/sessions") => (String::new(), Some(json!({"email": owner.email, "password": PASSWORD}))),
            ("POST", "/orders") => {
                let product = self.product().await;
                (String::new(), Some(json!({"customer_id": owner.id, "product_id": product, "quantity": 1})))
            }
            ("GET", "/orders/{id}") => (self.order(owner).await, None),
            ("PATCH", "/orders/{id}") => {
                let status = row.variant.strip_prefix("to ").unwrap();
                (self.order(owner).await, Some(json!({"status": status})))
            }
            ("POST", "/events") => (String::new(), Some(view())),
            ("GET", "/analytics/products/{id}/windows" | "/analytics/products/{id}/stream") => ("42".to_owned(), None),
            ("GET" | "DELETE", path) if !path.contains('{') => (String::new(), None),
            (method, path) => panic!("the test does not know how to call {method} {path}"),
        };
        (row.path.replace("{id}", &id), body)
    }
}

fn view() -> Value {
    json!({"user_id": "u1", "product_id": "42", "event_type": "VIEW_PRODUCT", "timestamp": "2024-01-01T12:00:00Z"})
}

#[test]
fn the_table_has_every_route() {
    let in_table: BTreeSet<_> = rows().into_iter().map(|row| (row.method.to_string(), row.path)).collect();
    let routed: BTreeSet<_> = api_gateway::routed().into_iter().collect();
    assert_eq!(in_table, routed);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_caller_gets_the_status_of_the_table() {
    let folder = folder();
    let mut scene = Scene::new(Footfall::start(folder.path(), &[])).await;
    let mut wrong = Vec::new();
    for row in rows() {
        for (caller, expected) in CALLERS.iter().zip(&row.statuses) {
            let status = scene.status(&row, caller).await;
            if status != *expected {
                wrong.push(format!(
                    "{} {} {}: {caller} gets {status}, not {expected}",
                    row.method, row.path, row.variant
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
