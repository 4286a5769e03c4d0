//! The service of one test, with a database of its own on a server that the tests share.

use std::time::{Duration, Instant};

use clap::Parser as _;
use product_catalog::{Args, NAME, SCHEMA};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, IF_MATCH};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use service_kit::auth::{Caller, Role};
use service_kit::{Error, Listeners};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) use test_kit::{
    Answer, Database, MAX_CONNECTIONS, SECRET, all, answer, authorization, count, flags, folder,
};

const PATIENCE: Duration = Duration::from_secs(30);

/// A running service and a client of it.
pub(crate) struct Shop {
    base: String,
    admin: String,
    client: Client,
    stop: CancellationToken,
    served: JoinHandle<Result<(), Error>>,
    database: Option<Database>,
}

/// Somebody of this role.
pub(crate) fn of(role: Role) -> Caller {
    Caller::new("test", role)
}

impl Shop {
    /// A service that is ready.
    pub(crate) async fn start() -> Self {
        Shop::with(&[]).await
    }

    /// The same, with these flags.
    pub(crate) async fn with(flags: &[&str]) -> Self {
        let database = Database::create(SCHEMA).await;
        let mut all = database.flags();
        all.extend(flags.iter().map(|flag| (*flag).to_owned()));
        let mut shop = Shop::start_with(&all).await;
        shop.database = Some(database);
        shop.wait_until_ready().await;
        shop
    }

    /// A service with these flags alone, ready or not.
    pub(crate) async fn start_with(flags: &[String]) -> Self {
        let args = Args::try_parse_from(std::iter::once(&NAME.to_owned()).chain(flags)).unwrap();
        let public = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let admin = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = |listener: &TcpListener| format!("http://{}", listener.local_addr().unwrap());
        let (base, admin_base) = (url(&public), url(&admin));
        let stop = CancellationToken::new();
        let listeners = Listeners { public, admin: Some(admin) };
        let served = tokio::spawn(product_catalog::run(args, listeners, stop.clone()));
        Shop { base, admin: admin_base, client: Client::new(), stop, served, database: None }
    }

    pub(crate) fn database(&self) -> &Database {
        self.database.as_ref().unwrap()
    }

    /// A request without anything that it needs.
    pub(crate) fn anyones(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base))
    }

    /// A request of somebody.
    pub(crate) fn request(&self, role: Role, method: Method, path: &str) -> RequestBuilder {
        self.anyones(method, path).header(AUTHORIZATION, authorization(NAME, SECRET, &of(role)))
    }

    /// The same, with a body.
    pub(crate) fn sends(&self, role: Role, method: Method, path: &str, body: &Value) -> RequestBuilder {
        self.request(role, method, path).header(CONTENT_TYPE, "application/json").body(body.to_string())
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        answer(self.request(Role::Anonymous, Method::GET, path)).await
    }

    pub(crate) async fn post(&self, body: &Value) -> Answer {
        answer(self.sends(Role::Admin, Method::POST, "/products", body)).await
    }

    pub(crate) async fn put(&self, path: &str, etag: &str, body: &Value) -> Answer {
        answer(self.sends(Role::Admin, Method::PUT, path, body).header(IF_MATCH, etag)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Answer {
        answer(self.sends(Role::Admin, Method::PATCH, path, body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        answer(self.request(Role::Admin, Method::DELETE, path)).await
    }

    /// Opens connections to the database, so that requests which come at once also run at once. Not all in one go: without
    /// optimisation the handshake of each takes long enough for many of them to miss the time limit together.
    pub(crate) async fn warm_up(&self) {
        for requests in 2..=MAX_CONNECTIONS {
            let answers = all((0..requests).map(|_| self.request(Role::Anonymous, Method::GET, "/products"))).await;
            assert_eq!(count(&answers, 200), requests, "{answers:?}");
        }
    }

    /// Makes a product with so many pieces, and returns its path.
    pub(crate) async fn product(&self, stock: i64) -> String {
        let made = self.post(&json!({"name": "Lamp", "price": "19.99", "stock_quantity": stock})).await;
        assert_eq!(made.status, 201, "{made:?}");
        made.header("location").to_owned()
    }

    pub(crate) async fn stock(&self, path: &str) -> i64 {
        self.get(path).await.json()["stock_quantity"].as_i64().unwrap()
    }

    /// What the operator reads.
    pub(crate) async fn metrics(&self) -> String {
        answer(self.client.get(format!("{}/metrics", self.admin))).await.text
    }

    pub(crate) async fn readiness(&self) -> Answer {
        answer(self.anyones(Method::GET, "/readyz")).await
    }

    pub(crate) async fn wait_until_ready(&self) {
        let deadline = Instant::now() + PATIENCE;
        while self.readiness().await.status != 200 {
            assert!(Instant::now() < deadline, "still not ready: {:?}", self.readiness().await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Stops it, and waits for its end.
    pub(crate) async fn stop(self) -> Result<(), Error> {
        self.stop.cancel();
        self.served.await.unwrap()
    }
}
