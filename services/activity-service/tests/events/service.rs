//! The service of one test, at ports of its own.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use activity_service::{Args, NAME};
use clap::Parser as _;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;
use service_kit::auth::{Caller, Role, TokenSigner};
use service_kit::{Error, Listeners};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const PATIENCE: Duration = Duration::from_secs(30);

/// A running service and a client of it. Its methods block: not to be called from asynchronous code.
pub(crate) struct Service {
    pub(crate) runtime: Runtime,
    base: String,
    admin: String,
    client: Client,
    stop: CancellationToken,
    served: Option<JoinHandle<Result<(), Error>>>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The problem's kind; the answer must be one, whole.
    pub(crate) fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status);
        assert!(problem["trace_id"].is_string() && problem["detail"].is_string(), "{problem}");
        problem["type"].as_str().unwrap().trim_start_matches("/problems/").to_owned()
    }
}

/// The settings with these flags.
pub(crate) fn args(bootstrap: &str, topic: &str, flags: &[&str]) -> Args {
    let own = [NAME, "--internal-token-secret", SECRET, "--kafka-bootstrap-servers", bootstrap, "--kafka-topic", topic];
    Args::try_parse_from(own.iter().chain(flags)).unwrap()
}

impl Service {
    pub(crate) fn start(bootstrap: &str, topic: &str, flags: &[&str]) -> Self {
        let runtime = Runtime::new().unwrap();
        let bind = || runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let (public, admin) = (bind(), bind());
        let url = |listener: &TcpListener| format!("http://{}", listener.local_addr().unwrap());
        let (base, admin_base) = (url(&public), url(&admin));
        let stop = CancellationToken::new();
        let listeners = Listeners { public, admin: Some(admin) };
        let served = runtime.spawn(activity_service::run(args(bootstrap, topic, flags), listeners, stop.clone()));
        Service { runtime, base, admin: admin_base, client: Client::new(), stop, served: Some(served) }
    }

    /// A service whose Kafka nobody is.
    pub(crate) fn without_kafka(flags: &[&str]) -> Self {
        Service::start("127.0.0.1:1", "events", flags)
    }

    /// An `Authorization` header as the gateway makes it.
    pub(crate) fn authorization(audience: &'static str, role: Role) -> String {
        let caller = Caller::new("test", role);
        TokenSigner::new(audience, &SECRET.parse().unwrap()).authorization(&caller).unwrap()
    }

    /// A request without anything that it needs.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base))
    }

    /// A request of events by a holder of a write key.
    pub(crate) fn events(&self, body: impl Into<reqwest::Body>) -> RequestBuilder {
        self.events_as(Role::Writer, body)
    }

    /// A request of events.
    pub(crate) fn events_as(&self, role: Role, body: impl Into<reqwest::Body>) -> RequestBuilder {
        self.request(Method::POST, "/events")
            .header(AUTHORIZATION, Service::authorization(NAME, role))
            .header(CONTENT_TYPE, "application/json")
            .body(body)
    }

    pub(crate) fn send(&self, request: RequestBuilder) -> Answer {
        self.runtime.block_on(answer(request))
    }

    pub(crate) fn post(&self, body: impl Into<reqwest::Body>) -> Answer {
        self.send(self.events(body))
    }

    /// What the operator reads.
    pub(crate) fn metrics(&self) -> String {
        self.send(self.client.get(format!("{}/metrics", self.admin))).text
    }

    pub(crate) fn readiness(&self) -> Answer {
        self.send(self.request(Method::GET, "/readyz"))
    }

    /// Asks until it is ready.
    pub(crate) fn wait_until_ready(&self) {
        self.wait_for(|service| service.readiness().status == 200);
    }

    /// Asks until it is so.
    pub(crate) fn wait_for(&self, is_so: impl Fn(&Service) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_so(self) {
            assert!(Instant::now() < deadline, "still not so: {:?}", self.readiness());
            self.runtime.block_on(async { tokio::time::sleep(Duration::from_millis(50)).await });
        }
    }

    /// Stops it, and waits for its end.
    pub(crate) fn stop(mut self) -> Result<(), Error> {
        self.stop.cancel();
        self.runtime.block_on(self.served.take().unwrap()).unwrap()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub(crate) async fn answer(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Answer { status, headers, text: response.text().await.unwrap() }
}

/// A valid event.
pub(crate) fn event(user_id: &str, product_id: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let now = schemas::EventTime::from_millis(i64::try_from(now).unwrap()).unwrap();
    format!(
        r#"{{"user_id":"{user_id}","product_id":"{product_id}","event_type":"VIEW_PRODUCT","timestamp":{}}}"#,
        serde_json::to_string(&now).unwrap()
    )
}
