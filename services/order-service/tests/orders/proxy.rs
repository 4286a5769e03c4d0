//! A proxy in front of the product catalog: a place to stop reservations on their way there and back.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use reqwest::Client;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// The proxy. Gates stand open at first, and hold nothing but reservations.
#[derive(Clone)]
pub(crate) struct Proxy {
    pub(crate) url: String,
    road: Arc<Road>,
}

struct Road {
    target: String,
    client: Client,
    there: Gate,
    back: Gate,
    /// Whether everything is answered with 503.
    is_down: watch::Sender<bool>,
    releases: watch::Sender<u64>,
}

/// Where reservations wait while it is shut.
struct Gate {
    is_open: watch::Sender<bool>,
    /// How many have come to it.
    came: watch::Sender<u64>,
}

impl Gate {
    fn open() -> Self {
        Gate { is_open: watch::Sender::new(true), came: watch::Sender::new(0) }
    }

    async fn pass(&self) {
        self.came.send_modify(|count| *count += 1);
        self.is_open.subscribe().wait_for(|is_open| *is_open).await.unwrap();
    }

    async fn reached(&self, count: u64) {
        self.came.subscribe().wait_for(|came| *came >= count).await.unwrap();
    }
}

impl Proxy {
    /// Starts a proxy to the service at `target`.
    pub(crate) async fn start(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (is_down, releases) = (watch::Sender::new(false), watch::Sender::new(0));
        let road = Road { target, client: Client::new(), there: Gate::open(), back: Gate::open(), is_down, releases };
        let road = Arc::new(road);
        let routes = Router::new().fallback(travel).with_state(Arc::clone(&road));
        tokio::spawn(axum::serve(listener, routes).into_future());
        Proxy { url, road }
    }

    /// Whether reservations reach the catalog.
    pub(crate) fn open_there(&self, is_open: bool) {
        self.road.there.is_open.send_replace(is_open);
    }

    /// Whether answers to reservations come back.
    pub(crate) fn open_back(&self, is_open: bool) {
        self.road.back.is_open.send_replace(is_open);
    }

    /// Whether everything is answered with 503.
    pub(crate) fn set_down(&self, is_down: bool) {
        self.road.is_down.send_replace(is_down);
    }

    /// Waits until so many reservations were on their way, since the start.
    pub(crate) async fn asked(&self, count: u64) {
        self.road.there.reached(count).await;
    }

    /// Waits until the catalog has answered so many reservations, since the start.
    pub(crate) async fn answered(&self, count: u64) {
        self.road.back.reached(count).await;
    }

    /// How many reservations were released, by answers of the catalog.
    pub(crate) fn releases(&self) -> u64 {
        *self.road.releases.borrow()
    }
}

/// In a task of its own: what is on its way arrives, also when the one who sent it is dead.
async fn travel(State(road): State<Arc<Road>>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let journey = async move { road.forward(method, uri, headers, body).await };
    tokio::spawn(journey).await.unwrap()
}

impl Road {
    async fn forward(&self, method: Method, uri: Uri, mut headers: HeaderMap, body: Bytes) -> Response {
        let is_held = method == Method::PUT;
        if is_held {
            self.there.pass().await;
        }
        if *self.is_down.borrow() {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        headers.remove(header::HOST);
        headers.remove(header::CONTENT_LENGTH);
        let url = format!("{}{uri}", self.target);
        let is_release = method == Method::DELETE;
        let sent = self.client.request(method, url).headers(headers).body(body).send().await;
        let Ok(answer) = sent else { return StatusCode::BAD_GATEWAY.into_response() };
        let (status, content_type) = (answer.status(), answer.headers().get(header::CONTENT_TYPE).cloned());
        let body = answer.bytes().await.unwrap();
        if is_held {
            self.back.pass().await;
        }
        if is_release && status.is_success() {
            self.releases.send_modify(|count| *count += 1);
        }
        let mut response = (status, body).into_response();
        response.headers_mut().extend(content_type.map(|value| (header::CONTENT_TYPE, value)));
        response
    }
}
