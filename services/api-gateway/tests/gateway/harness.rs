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
use service_kit::{Error, Listeners, Service};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The secret of internal tokens in all tests.
const SECRET: &str = "a-secret-of-internal-tokens-for-tests";
/// The write key that the gateway knows.
pub(crate) const WRITE_KEY: &str = "wk_test";

/// What runs; everything stops when it is dropped.
pub(crate) struct Platform {
    pub(crate) url: String,
    /// Where the operator reads metrics.
    admin: String,
    pub(crate) client: reqwest::Client,
    pub(crate) dynamodb: Client,
    sessions: Sessions,
    stop: CancellationToken,
    served: Option<JoinHandle<Result<(), Error>>>,
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
        let kafka = ["--kafka-bootstrap-servers", closed.as_str()];
        let flags = [kafka.as_slice(), flags].concat();
        let flags = flags_of(std::array::from_fn(|index| services[index].as_str()), &store.endpoint(), &flags);
        let args = Args::parse_from(std::iter::once("api-gateway".to_owned()).chain(flags));
        let dynamodb = session::client(&args.dynamodb).await;
        let sessions = Sessions::new(dynamodb.clone(), &args.dynamodb);
        sessions.create_table().await.unwrap();
        let bind = || async { TcpListener::bind("127.0.0.1:0").await.unwrap() };
        let (public, admin) = (bind().await, bind().await);
        let url = |listener: &TcpListener| format!("http://{}", listener.local_addr().unwrap());
        let (url, admin_url) = (url(&public), url(&admin));
        let listeners = Listeners { public, admin: Some(admin) };
        let served = Some(tokio::spawn(api_gateway::run(args, listeners, stop.clone())));
        let client = reqwest::Client::builder().timeout(Duration::from_secs(20)).build().unwrap();
        Platform { url, admin: admin_url, client, dynamodb, sessions, stop, served, _store: store }
    }

    /// Tells the gateway to stop, and waits until it has.
    pub(crate) async fn stop(mut self) -> Result<(), Error> {
        self.stop.cancel();
        self.served.take().unwrap().await.unwrap()
    }

    /// What the operator sees.
    pub(crate) async fn metrics(&self) -> String {
        self.client.get(format!("{}/metrics", self.admin)).send().await.unwrap().text().await.unwrap()
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

/// The command line of a gateway in front of these services and this DynamoDB. Of flags that are there twice, the last counts.
pub(crate) fn flags_of(services: [&str; 4], dynamodb: &str, more: &[&str]) -> Vec<String> {
    let [products, customers, orders, activity] = services;
    let own = [
        "--product-service-url",
        products,
        "--product-service-secret",
        SECRET,
        "--customer-service-url",
        customers,
        "--customer-service-secret",
        SECRET,
        "--order-service-url",
        orders,
        "--order-service-secret",
        SECRET,
        "--activity-service-url",
        activity,
        "--activity-service-secret",
        SECRET,
        "--events-write-keys",
        WRITE_KEY,
        "--dynamodb-endpoint-url",
        dynamodb,
    ];
    let flags: Vec<&str> = own.into_iter().chain(more.iter().copied()).collect();
    let pairs: Vec<&[&str]> = flags.chunks(2).collect();
    let is_last = |index: usize| pairs.iter().skip(index + 1).all(|later| later.first() != pairs[index].first());
    let kept = (0..pairs.len()).filter(|index| is_last(*index));
    kept.flat_map(|index| pairs[index]).map(|flag| (*flag).to_owned()).collect()
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
