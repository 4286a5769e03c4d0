//! A user of the shop: registers, logs in, then looks around, and sometimes orders and cancels.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use reqwest::Method;
use schemas::EventTime;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::books::{Books, Ordered};
use crate::client::{Call, Client, think};
use crate::platform::WRITE_KEY;
use crate::shop::Product;

/// How long a user looks at what came.
const THINKS_MS: std::ops::Range<u64> = 300..1_500;
/// Enough for every rule about passwords.
const PASSWORD: &str = "a password of the load";

pub(crate) struct User {
    pub(crate) number: u32,
    pub(crate) client: Client,
    pub(crate) products: Arc<Vec<Product>>,
    pub(crate) books: Arc<Books>,
    pub(crate) end: CancellationToken,
    random: ChaCha8Rng,
}

/// A user who is logged in.
struct LoggedIn {
    token: String,
    customer_id: String,
}

impl User {
    pub(crate) fn new(
        number: u32,
        seed: u64,
        client: Client,
        products: Arc<Vec<Product>>,
        books: Arc<Books>,
        end: CancellationToken,
    ) -> Self {
        let random = ChaCha8Rng::seed_from_u64(seed.wrapping_mul(1 << 32).wrapping_add(number.into()));
        User { number, client, products, books, end, random }
    }

    /// Uses the shop until the load ends. A call that is on its way is answered first.
    pub(crate) async fn run(mut self) {
        let Some(login) = self.log_in().await else { return };
        loop {
            let wait = Duration::from_millis(self.random.random_range(THINKS_MS));
            if !think(wait, &self.end).await {
                return;
            }
            match self.random.random_range(0..100) {
                0..55 => self.browse().await,
                55..80 => self.look_closely().await,
                80..95 => self.order(&login).await,
                _ => self.read_orders(&login).await,
            }
        }
    }

    async fn log_in(&mut self) -> Option<LoggedIn> {
        let email = format!("user-{}@load.example", self.number);
        let body = json!({"name": format!("User {}", self.number), "email": email, "password": PASSWORD});
        let register = Call::new("register", Method::POST, "/customers").body(body);
        let register = register.header("idempotency-key", format!("load-{}", self.number));
        self.client.call(&register).await?;
        let login = Call::new("log in", Method::POST, "/sessions").body(json!({"email": email, "password": PASSWORD}));
        let session = self.client.call(&login).await?.body;
        let text = |name: &str| session[name].as_str().map(str::to_owned);
        Some(LoggedIn { token: text("token")?, customer_id: text("customer_id")? })
    }

    /// Products that few want are looked at as well.
    fn product(&mut self) -> String {
        let count = self.products.len();
        // The smaller of two: the first products are the popular ones.
        let index = self.random.random_range(0..count).min(self.random.random_range(0..count));
        self.products[index].id.clone()
    }

    async fn browse(&mut self) {
        self.client.call(&Call::get("list products", "/products?limit=20")).await;
        let product = self.product();
        self.client.call(&Call::get("read a product", format!("/products/{product}"))).await;
        self.view(&[product]).await;
    }

    async fn look_closely(&mut self) {
        let product = self.product();
        let counts = format!("/analytics/products/{product}/windows?limit=30");
        self.client.call(&Call::get("read counts", counts)).await;
        self.client
            .call(&Call::get("read a product with its counts", format!("/products/{product}?expand=live")))
            .await;
        let seen: Vec<_> = (0..self.random.random_range(1..=20)).map(|_| self.product()).collect();
        self.view(&seen).await;
    }

    async fn view(&mut self, products: &[String]) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let Ok(now) = EventTime::from_millis(i64::try_from(now.as_millis()).unwrap_or(0)) else { return };
        let event = |product: &String| {
            json!({
                "user_id": format!("u{}", self.number),
                "product_id": product,
                "event_type": "VIEW_PRODUCT",
                "timestamp": now,
                "metadata": {"event_id": Uuid::now_v7().to_string()},
            })
        };
        let events: Vec<Value> = products.iter().map(event).collect();
        let ids: Vec<_> = events.iter().filter_map(|event| event["metadata"]["event_id"].as_str()).collect();
        let call = Call::new("send events", Method::POST, "/events").header("x-write-key", WRITE_KEY.to_owned());
        let Some(answer) = self.client.call(&call.body(Value::Array(events.clone()))).await else { return };
        if answer.body["accepted"] != ids.len() {
            self.books.finding(format!("of {} events not all were accepted: {}", ids.len(), answer.body));
            return;
        }
        self.books.open().events.extend(ids.into_iter().map(str::to_owned));
    }

    async fn order(&mut self, login: &LoggedIn) {
        let (product_id, quantity) = (self.product(), self.random.random_range(1..=3));
        let body = json!({"customer_id": login.customer_id, "product_id": product_id, "quantity": quantity});
        let call = Call::new("order", Method::POST, "/orders").bearer(&login.token).body(body).expecting(&[409]);
        let call = call.header("idempotency-key", Uuid::now_v7().to_string());
        let Some(answer) = self.client.call(&call).await else { return };
        if answer.status == 409 {
            self.books.open().out_of_stock += 1;
            return;
        }
        let Some(id) = answer.body["id"].as_str().map(str::to_owned) else {
            return self.books.finding(format!("an order has no id: {}", answer.body));
        };
        self.books.ordered(&id, Ordered { product_id, quantity, is_cancelled: false });
        let read = Call::get("read an order", format!("/orders/{id}?expand=product")).bearer(&login.token);
        self.client.call(&read).await;
        if self.random.random_bool(0.3) {
            let cancel = Call::new("cancel an order", Method::PATCH, format!("/orders/{id}")).bearer(&login.token);
            if self.client.call(&cancel.body(json!({"status": "CANCELLED"}))).await.is_some() {
                self.books.cancelled(&id);
            }
        }
    }

    async fn read_orders(&mut self, login: &LoggedIn) {
        let path = format!("/customers/{}/orders", login.customer_id);
        self.client.call(&Call::get("read a customer's orders", path).bearer(&login.token)).await;
    }
}
