//! A shop of one test: the service, the product catalog and the proxy between them, on a database of their own.

use std::time::{Duration, Instant};

use clap::Parser as _;
use order_service::{Args, NAME, SCHEMA};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, IF_MATCH};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use service_kit::auth::{Caller, Role};
use service_kit::{Error, Id, Listeners};
use test_kit::{Answer, Database, MAX_CONNECTIONS, SECRET, all, answer, count};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::proxy::Proxy;

const PATIENCE: Duration = Duration::from_secs(60);
/// Nobody listens there.
pub(crate) const NOBODY: &str = "127.0.0.1:1";

/// Waits until it is so.
pub(crate) async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(Instant::now() < deadline, "still not so: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A customer as a caller.
pub(crate) fn customer(id: i64) -> Caller {
    Caller { customer_id: Id::new(id), ..Caller::new(format!("customer-{id}"), Role::Customer) }
}

pub(crate) fn admin() -> Caller {
    Caller::new("admin", Role::Admin)
}

pub(crate) fn service() -> Caller {
    Caller::new("service", Role::Service)
}

/// An `Authorization` header as the gateway makes it.
pub(crate) fn authorization(audience: &'static str, caller: &Caller) -> String {
    test_kit::authorization(audience, SECRET, caller)
}

/// A service that runs in this process.
pub(crate) struct Running {
    pub(crate) url: String,
    pub(crate) admin_url: String,
    stop: CancellationToken,
    served: JoinHandle<Result<(), Error>>,
}

impl Running {
    pub(crate) async fn start<F>(run: impl FnOnce(Listeners, CancellationToken) -> F, port: u16) -> Self
    where
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        let public = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let admin = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = |listener: &TcpListener| format!("http://{}", listener.local_addr().unwrap());
        let (url, admin_url, stop) = (url(&public), url(&admin), CancellationToken::new());
        let served = tokio::spawn(run(Listeners { public, admin: Some(admin) }, stop.clone()));
        Running { url, admin_url, stop, served }
    }

    pub(crate) async fn wait_until_ready(&self) {
        wait_until_ready(&self.url).await;
    }

    /// Stops it, and waits for its end.
    pub(crate) async fn stop(self) -> Result<(), Error> {
        self.stop.cancel();
        self.served.await.unwrap()
    }
}

pub(crate) async fn wait_until_ready(url: &str) {
    let (client, url) = (Client::new(), format!("{url}/readyz"));
    until("it is ready", async || client.get(&url).send().await.is_ok_and(|answer| answer.status() == 200)).await;
}

/// The product catalog on a database.
pub(crate) async fn catalog(flags: &[String], port: u16) -> Running {
    let flags = [&[product_catalog::NAME.to_owned()], flags].concat();
    let args = product_catalog::Args::try_parse_from(flags).unwrap();
    Running::start(|listeners, stop| product_catalog::run(args, listeners, stop), port).await
}

/// The flags of the service with this catalog.
pub(crate) fn flags(database: &[String], catalog: &str, more: &[&str]) -> Vec<String> {
    let own = ["--product-service-url", catalog, "--product-service-secret", SECRET];
    let own = own.iter().chain(more).map(|flag| (*flag).to_owned());
    let mut flags: Vec<_> = database.iter().cloned().chain(own).collect();
    if !flags.iter().any(|flag| flag == "--kafka-bootstrap-servers") {
        flags.extend(["--kafka-bootstrap-servers".to_owned(), NOBODY.to_owned()]);
    }
    flags
}

/// The service with these flags.
pub(crate) async fn orders(flags: &[String]) -> Running {
    let args = Args::try_parse_from([&[NAME.to_owned()], flags].concat()).unwrap();
    Running::start(|listeners, stop| order_service::run(args, listeners, stop), 0).await
}

/// A shop without its order service: what a test starts one or several of, here or as programs.
pub(crate) struct Stage {
    pub(crate) database: Database,
    pub(crate) catalog: Running,
    pub(crate) proxy: Proxy,
}

impl Stage {
    pub(crate) async fn set() -> Self {
        let database = Database::create(SCHEMA).await;
        let catalog = catalog(&database.flags(), 0).await;
        catalog.wait_until_ready().await;
        let proxy = Proxy::start(catalog.url.clone()).await;
        Stage { database, catalog, proxy }
    }

    pub(crate) fn flags(&self, more: &[&str]) -> Vec<String> {
        flags(&self.database.flags(), &self.proxy.url, more)
    }

    /// A product with so many pieces at this price; returns its id.
    pub(crate) async fn product(&self, price: &str, stock: i64) -> String {
        let body = json!({"name": "Lamp", "price": price, "stock_quantity": stock});
        let made = answer(self.catalogs(Method::POST, "/products").json(&body)).await;
        assert_eq!(made.status, 201, "{made:?}");
        made.text("id")
    }

    pub(crate) async fn stock(&self, product: &str) -> i64 {
        let read = answer(self.catalogs(Method::GET, &format!("/products/{product}"))).await;
        read.json()["stock_quantity"].as_i64().unwrap_or_else(|| panic!("{read:?}"))
    }

    pub(crate) async fn wait_for_stock(&self, product: &str, stock: i64) {
        until(&format!("{stock} pieces are in stock"), async || self.stock(product).await == stock).await;
    }

    pub(crate) fn catalogs(&self, method: Method, path: &str) -> RequestBuilder {
        let request = Client::new().request(method, format!("{}{path}", self.catalog.url));
        request.header(AUTHORIZATION, authorization(product_catalog::NAME, &admin()))
    }
}

/// Requests to an order service, wherever it runs.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) url: String,
    client: Client,
}

impl Desk {
    pub(crate) fn at(url: &str) -> Self {
        Desk { url: url.to_owned(), client: Client::new() }
    }

    /// A request without anything that it needs.
    pub(crate) fn anyones(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    /// A request of somebody.
    pub(crate) fn request(&self, caller: &Caller, method: Method, path: &str) -> RequestBuilder {
        self.anyones(method, path).header(AUTHORIZATION, authorization(NAME, caller))
    }

    /// The same, with a body.
    pub(crate) fn sends(&self, caller: &Caller, method: Method, path: &str, body: &Value) -> RequestBuilder {
        self.request(caller, method, path).header(CONTENT_TYPE, "application/json").body(body.to_string())
    }

    /// An order of customer 7.
    pub(crate) fn ordering(&self, product: &str, quantity: i64) -> RequestBuilder {
        self.ordering_for(7, product, quantity)
    }

    pub(crate) fn ordering_for(&self, customer_id: i64, product: &str, quantity: i64) -> RequestBuilder {
        let body = json!({"customer_id": customer_id.to_string(), "product_id": product, "quantity": quantity});
        self.sends(&customer(customer_id), Method::POST, "/orders", &body)
    }

    pub(crate) fn keyed(&self, key: &str, product: &str, quantity: i64) -> RequestBuilder {
        self.ordering(product, quantity).header("idempotency-key", key)
    }

    /// Places an order of customer 7; returns its path.
    pub(crate) async fn order(&self, product: &str, quantity: i64) -> String {
        let placed = answer(self.ordering(product, quantity)).await;
        assert_eq!(placed.status, 201, "{placed:?}");
        placed.header("location").to_owned()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        answer(self.request(&admin(), Method::GET, path)).await
    }

    /// Brings an order to a status.
    pub(crate) async fn set(&self, caller: &Caller, path: &str, status: &str) -> Answer {
        answer(self.sends(caller, Method::PATCH, path, &json!({"status": status}))).await
    }

    pub(crate) async fn set_if(&self, etag: &str, path: &str, status: &str) -> Answer {
        let request = self.sends(&admin(), Method::PATCH, path, &json!({"status": status}));
        answer(request.header(IF_MATCH, etag)).await
    }

    /// The ids of all orders.
    pub(crate) async fn listed(&self) -> Vec<String> {
        ids(&self.get("/orders?limit=200").await.json())
    }
}

/// The ids on a page.
pub(crate) fn ids(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().unwrap_or_else(|| panic!("no page: {page}"));
    items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

/// A whole shop with the service in this process.
pub(crate) struct Shop {
    pub(crate) stage: Stage,
    pub(crate) orders: Running,
    pub(crate) desk: Desk,
}

impl Shop {
    pub(crate) async fn start() -> Self {
        Shop::with(&[]).await
    }

    /// The same, with these flags.
    pub(crate) async fn with(more: &[&str]) -> Self {
        let stage = Stage::set().await;
        let orders = orders(&stage.flags(more)).await;
        orders.wait_until_ready().await;
        let desk = Desk::at(&orders.url);
        Shop { stage, orders, desk }
    }

    /// Opens connections to the database, so that requests which come at once also run at once. Not all in one go: without
    /// optimisation the handshake of each takes long enough for many of them to miss the time limit together.
    pub(crate) async fn warm_up(&self) {
        for requests in 2..=MAX_CONNECTIONS {
            let reads = (0..requests).map(|_| self.desk.request(&admin(), Method::GET, "/orders"));
            assert_eq!(count(&all(reads).await, 200), requests);
            let reads = (0..requests).map(|_| self.stage.catalogs(Method::GET, "/products"));
            assert_eq!(count(&all(reads).await, 200), requests);
        }
    }

    pub(crate) async fn number(&self, query: &'static str) -> i64 {
        self.stage.database.number(query).await
    }

    /// What the operator reads.
    pub(crate) async fn metrics(&self) -> String {
        answer(Client::new().get(format!("{}/metrics", self.orders.admin_url))).await.text
    }

    /// Waits until the operator reads this line.
    pub(crate) async fn wait_for_metric(&self, line: &str) {
        until(line, async || self.metrics().await.lines().any(|metric| metric == line)).await;
    }
}
