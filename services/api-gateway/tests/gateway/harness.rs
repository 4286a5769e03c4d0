//! A gateway on a free port, an emulator of DynamoDB behind it, and a service that answers what it was sent.

use std::net::SocketAddr;
use std::time::Duration;

use api_gateway::Args;
use aws_sdk_dynamodb::Client;
use axum::body::Bytes;
use axum::extract::Request;
use axum::routing::{any, get};
use axum::{Json, Router};
use backends::DynamoDb;
use clap::Parser as _;
use serde_json::{Value, json};
use service_kit::auth::{Caller, Role, TokenVerifier};
use service_kit::config::InternalTokenArgs;
use service_kit::session::{self, Sessions};
use service_kit::{Listeners, Service};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The secret of internal tokens in all tests.
const SECRET: &str = "a-secret-of-internal-tokens-for-tests";
/// The write key that the gateway knows.
pub(crate) const WRITE_KEY: &str = "wk_test";

/// What runs; everything stops when it is dropped.
pub(crate) struct Platform {
    pub(crate) url: String,
    pub(crate) client: reqwest::Client,
    pub(crate) dynamodb: Client,
    sessions: Sessions,
    stop: CancellationToken,
    _store: DynamoDb,
}

impl Drop for Platform {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Platform {
    /// Starts a gateway with further flags.
    pub(crate) async fn start(flags: &[&str]) -> Self {
        let store = DynamoDb::start(None, 0).await.unwrap();
        let stop = CancellationToken::new();
        let mut services = Vec::new();
        for name in ["product-catalog", "customer-service", "order-service", "activity-service"] {
            services.push(format!("http://{}", serve(name, echo(name), stop.clone()).await));
        }
        // Nobody listens there: the gateway works without the results topic.
        let closed = closed_address().await.to_string();
        let endpoint = store.endpoint();
        let own = [
            ("--product-service-url", services[0].as_str()),
            ("--product-service-secret", SECRET),
            ("--customer-service-url", &services[1]),
            ("--customer-service-secret", SECRET),
            ("--order-service-url", &services[2]),
            ("--order-service-secret", SECRET),
            ("--activity-service-url", &services[3]),
            ("--activity-service-secret", SECRET),
            ("--events-write-keys", WRITE_KEY),
            ("--dynamodb-endpoint-url", &endpoint),
            ("--kafka-bootstrap-servers", &closed),
        ];
        let own = own.into_iter().filter(|(flag, _)| !flags.contains(flag)).flat_map(|(flag, value)| [flag, value]);
        let args = Args::parse_from(["api-gateway"].into_iter().chain(own).chain(flags.iter().copied()));
        let dynamodb = session::client(&args.dynamodb).await;
        let sessions = Sessions::new(dynamodb.clone(), &args.dynamodb);
        sessions.create_table().await.unwrap();
        let public = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", public.local_addr().unwrap());
        tokio::spawn(api_gateway::run(args, Listeners { public, admin: None }, stop.clone()));
        let client = reqwest::Client::builder().timeout(Duration::from_secs(20)).build().unwrap();
        Platform { url, client, dynamodb, sessions, stop, _store: store }
    }

    /// A session's token.
    pub(crate) async fn log_in(&self, role: Role, customer: Option<i64>) -> String {
        let token = format!("token-of-{role:?}-{customer:?}");
        let customer_id = customer.and_then(service_kit::Id::new);
        let caller = Caller { customer_id, ..Caller::new(format!("{role:?}-{customer:?}"), role) };
        self.sessions.put(&token, &caller, Duration::from_secs(60)).await.unwrap();
        token
    }

    pub(crate) fn get(&self, path: &str) -> reqwest::RequestBuilder {
        self.client.get(format!("{}{path}", self.url))
    }

    pub(crate) fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> reqwest::RequestBuilder {
        let request = self.client.post(format!("{}{path}", self.url));
        request.header("content-type", "application/json").body(body)
    }
}

/// The problem of an answer, which must be one of this status.
pub(crate) async fn problem(request: reqwest::RequestBuilder, status: u16) -> Value {
    let response = request.send().await.unwrap();
    assert_eq!(response.status().as_u16(), status);
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let problem: Value = response.json().await.unwrap();
    assert_eq!(problem["status"], status);
    problem
}

/// An address at which nobody listens.
pub(crate) async fn closed_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// Routes that tell what arrived.
fn echo(name: &'static str) -> Router {
    let echo = move |caller: Caller, request: Request| async move {
        let (parts, body) = request.into_parts();
        let body: Bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
        let headers: serde_json::Map<String, Value> = parts
            .headers
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), value.to_str().unwrap_or("").into()))
            .collect();
        Json(json!({
            "service": name,
            "caller": caller,
            "method": parts.method.as_str(),
            "uri": parts.uri.to_string(),
            "headers": headers,
            "length": body.len(),
        }))
    };
    Router::new().route("/{*rest}", any(echo)).route("/", get(|| async { "" }))
}

/// A service of the kit with these routes.
pub(crate) async fn serve(name: &'static str, routes: Router, stop: CancellationToken) -> SocketAddr {
    let secret = SECRET.parse().unwrap();
    let verifier = TokenVerifier::new(
        name,
        &InternalTokenArgs { internal_token_secret: secret, internal_token_previous_secret: None },
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let args = ServiceOnly::parse_from(["echo"]).service;
    let service = Service::new(name, "0", &args).with_verifier(verifier);
    tokio::spawn(service.serve(Listeners { public: listener, admin: None }, routes, stop));
    address
}

#[derive(clap::Parser)]
struct ServiceOnly {
    #[command(flatten)]
    service: service_kit::config::ServiceArgs,
}
