//! What every service does around its routes, over real sockets.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::{get, post};
use clap::Parser as _;
use serde_json::Value;
use service_kit::auth::{Caller, Role, TokenSigner, TokenVerifier};
use service_kit::config::{InternalTokenArgs, ServiceArgs};
use service_kit::input::{Fields, RawBody, rule};
use service_kit::{Error, Gate, Listeners, Service};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const SECRET: &str = "a-secret-of-internal-tokens-for-tests";

#[derive(clap::Parser)]
struct Args {
    #[command(flatten)]
    service: ServiceArgs,
}

struct Running {
    url: String,
    admin: String,
    client: reqwest::Client,
    gate: Gate,
    /// Lets requests to `/wait` go on.
    go_on: Arc<Notify>,
    /// Says that a request to `/wait` is in work.
    waiting: Arc<Notify>,
    stop: CancellationToken,
    served: JoinHandle<Result<(), Error>>,
}

async fn bind() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn start(flags: &[&str]) -> Running {
    let args = Args::parse_from(["test"].iter().chain(flags)).service;
    let tokens =
        InternalTokenArgs { internal_token_secret: SECRET.parse().unwrap(), internal_token_previous_secret: None };
    let service = Service::new("test", "1.2.3", &args).with_verifier(TokenVerifier::new("test", &tokens));
    let gate = service.readiness().gate("database");
    let (go_on, waiting) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let wait = {
        let (go_on, waiting) = (Arc::clone(&go_on), Arc::clone(&waiting));
        move || async move {
            waiting.notify_one();
            go_on.notified().await;
            "done"
        }
    };
    let create = |caller: Caller, RawBody(body): RawBody| async move {
        caller.require(&[Role::Admin])?;
        let mut fields = Fields::parse(&body)?;
        let name = fields.required("name", rule::text(1..=3));
        fields.finish(|| name)
    };
    #[allow(clippy::panic, reason = "the subject of a test")]
    let panics = || async {
        if true {
            panic!("on purpose")
        }
    };
    let routes = Router::new()
        .route("/wait", get(wait))
        .route("/panic", get(panics))
        .route("/things", post(create))
        .route("/stream", get(|| async { ([("content-type", "text/event-stream")], "data: {}\n\n") }))
        .route("/things/{id}", get(|| async { "thing" }));
    let ((public, address), (admin, admin_address)) = (bind().await, bind().await);
    let stop = CancellationToken::new();
    let listeners = Listeners { public, admin: Some(admin) };
    let served = tokio::spawn(service.serve(listeners, routes, stop.clone()));
    let client = reqwest::Client::builder().timeout(Duration::from_secs(20)).build().unwrap();
    let (url, admin) = (format!("http://{address}"), format!("http://{admin_address}"));
    Running { url, admin, client, gate, go_on, waiting, stop, served }
}

impl Running {
    async fn get(&self, path: &str) -> reqwest::Response {
        self.client.get(format!("{}{path}", self.url)).send().await.unwrap()
    }

    async fn admin(&self, path: &str) -> (u16, String) {
        let response = self.client.get(format!("{}{path}", self.admin)).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    fn post(&self, role: Option<Role>, content_type: &str, body: impl Into<reqwest::Body>) -> reqwest::RequestBuilder {
        let request = self.client.post(format!("{}/things", self.url)).header("content-type", content_type).body(body);
        let Some(role) = role else { return request };
        let caller = Caller { role, ..Caller::anonymous() };
        let token = TokenSigner::new("test", &SECRET.parse().unwrap()).authorization(&caller).unwrap();
        request.header("authorization", token)
    }
}

async fn problem(response: reqwest::Response) -> (u16, String) {
    let status = response.status().as_u16();
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["status"], status);
    (status, body["type"].as_str().unwrap().strip_prefix("/problems/").unwrap().to_owned())
}

#[tokio::test]
async fn faults_are_told_in_one_order_identity_then_type_and_size_then_role_then_syntax_then_rules() {
    let service = start(&[]).await;
    let long = || vec![b' '; (1 << 20) + 1];
    let told = |request: reqwest::RequestBuilder| async { problem(request.send().await.unwrap()).await.1 };
    assert_eq!(told(service.post(None, "text/plain", long())).await, "unauthenticated");
    assert_eq!(told(service.post(Some(Role::Customer), "application/json", long())).await, "body-too-large");
    assert_eq!(told(service.post(Some(Role::Customer), "text/plain", "{")).await, "unsupported-media-type");
    assert_eq!(told(service.post(Some(Role::Customer), "application/json", "{")).await, "forbidden");
    assert_eq!(told(service.post(Some(Role::Admin), "application/json", "{")).await, "malformed-request");
    assert_eq!(told(service.post(Some(Role::Admin), "application/json", "{}")).await, "validation-failed");
    let made =
        service.post(Some(Role::Admin), "application/json; charset=utf-8", r#"{"name":"abc"}"#).send().await.unwrap();
    assert_eq!(made.text().await.unwrap(), "abc");
}

#[tokio::test]
async fn an_unknown_method_is_told_with_the_known_ones() {
    let service = start(&[]).await;
    let response = service.get("/things").await;
    assert_eq!(response.headers()["allow"], "POST");
    assert_eq!(problem(response).await, (405, "method-not-allowed".to_owned()));
    assert_eq!(problem(service.get("/elsewhere").await).await, (404, "not-found".to_owned()));
}

#[tokio::test]
async fn a_panic_is_a_problem_and_the_service_lives_on() {
    let service = start(&[]).await;
    assert_eq!(problem(service.get("/panic").await).await, (500, "internal".to_owned()));
    assert_eq!(service.get("/things/1").await.status(), 200);
}

#[tokio::test]
async fn more_requests_than_may_be_in_work_are_shed_and_the_next_ones_served() {
    let service = Arc::new(start(&["--max-in-flight", "1"]).await);
    let first = tokio::spawn({
        let service = Arc::clone(&service);
        async move { service.get("/wait").await.text().await.unwrap() }
    });
    service.waiting.notified().await;
    let shed = service.get("/things/1").await;
    assert_eq!(shed.headers()["retry-after"], "1");
    assert_eq!(problem(shed).await, (503, "overloaded".to_owned()));
    service.go_on.notify_one();
    assert_eq!(first.await.unwrap(), "done");
    assert_eq!(service.get("/things/1").await.status(), 200);
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_a_problem() {
    let service = start(&["--request-timeout", "50ms"]).await;
    assert_eq!(problem(service.get("/wait").await).await, (504, "timeout".to_owned()));
}

#[tokio::test]
async fn readiness_tells_what_is_missing_until_nothing_is() {
    let service = start(&[]).await;
    assert_eq!(service.admin("/readyz").await, (503, "not ready: database\n".to_owned()));
    assert_eq!(service.admin("/healthz").await.0, 200);
    service.gate.set(true);
    assert_eq!(service.admin("/readyz").await, (200, "ready\n".to_owned()));
    assert_eq!(service.get("/readyz").await.status(), 200);
}

#[tokio::test]
async fn a_service_that_stops_is_not_ready_first_and_lets_requests_end() {
    let service = Arc::new(start(&["--drain-delay", "300ms"]).await);
    service.gate.set(true);
    let first = tokio::spawn({
        let service = Arc::clone(&service);
        async move { service.get("/wait").await.text().await.unwrap() }
    });
    service.waiting.notified().await;
    service.stop.cancel();
    // It still takes connections, and says that it will not for long.
    while service.admin("/readyz").await.0 == 200 {
        tokio::task::yield_now().await;
    }
    let answer = service.get("/readyz").await;
    assert_eq!(answer.headers()["connection"], "close");
    assert_eq!(answer.text().await.unwrap(), "not ready: draining\n");
    service.go_on.notify_one();
    assert_eq!(first.await.unwrap(), "done");
    let service = Arc::into_inner(service).unwrap();
    service.served.await.unwrap().unwrap();
    assert!(service.client.get(&service.url).send().await.is_err());
}

#[tokio::test]
async fn clients_that_had_connected_before_the_service_took_no_more_are_answered() {
    let service = start(&["--drain-delay", "400ms"]).await;
    service.gate.set(true);
    let address = service.url.strip_prefix("http://").unwrap();
    let mut connected = TcpStream::connect(address).await.unwrap();
    service.stop.cancel();
    // Whoever is refused can be sure that nothing was read; whoever is not has to be answered.
    let (mut later, mut pace) = (Vec::new(), tokio::time::interval(Duration::from_millis(2)));
    while let Ok(connection) = TcpStream::connect(address).await {
        later.push(connection);
        pace.tick().await;
    }
    for connection in later.iter_mut().chain([&mut connected]) {
        connection.write_all(b"GET /things/1 HTTP/1.1\r\nHost: test\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("\r\nconnection: close\r\n"), "{answer}");
    }
    service.served.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_request_that_does_not_end_does_not_keep_the_service_from_stopping() {
    let service = start(&["--drain-timeout", "100ms"]).await;
    let hanging = tokio::spawn(service.client.get(format!("{}/wait", service.url)).send());
    service.waiting.notified().await;
    let began = Instant::now();
    service.stop.cancel();
    let text = service.served.await.unwrap().unwrap_err().to_string();
    assert!(text.contains("requests in work") && text.ends_with("raise DRAIN_TIMEOUT"), "{text}");
    assert!(began.elapsed() < Duration::from_secs(10));
    hanging.abort();
}

#[tokio::test]
async fn requests_are_counted_by_the_template_of_their_route() {
    let service = start(&[]).await;
    for path in ["/things/1", "/things/2", "/made-up/1", "/made-up/2"] {
        service.get(path).await;
    }
    let (_, page) = service.admin("/metrics").await;
    let has = |line: &str| assert!(page.lines().any(|present| present == line), "{line} is not in\n{page}");
    has(r#"http_requests_total{service="test",method="GET",route="/things/{id}",status="200"} 2"#);
    has(r#"http_requests_total{service="test",method="GET",route="none",status="404"} 2"#);
    has(r#"http_request_duration_seconds_count{service="test",route="/things/{id}"} 2"#);
    has(r#"http_requests_in_flight{service="test"} 0"#);
}

#[tokio::test]
async fn a_stream_of_events_is_counted_and_not_timed() {
    let service = start(&[]).await;
    assert_eq!(service.get("/stream").await.text().await.unwrap(), "data: {}\n\n");
    let (_, page) = service.admin("/metrics").await;
    assert!(page.contains(r#"route="/stream",status="200"} 1"#), "{page}");
    assert!(!page.contains(r#"http_request_duration_seconds_count{service="test",route="/stream"}"#), "{page}");
}
