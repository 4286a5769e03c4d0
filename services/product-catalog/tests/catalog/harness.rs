//! The service of one test, with a database of its own on a server that the tests share.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use backends::Postgres;
use clap::Parser as _;
use product_catalog::{Args, NAME};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, IF_MATCH};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use service_kit::auth::{Caller, Role, TokenSigner};
use service_kit::{Error, Listeners};
use sqlx::{Connection as _, PgConnection};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";
/// How many connections a service opens.
const MAX_CONNECTIONS: usize = 8;
const PATIENCE: Duration = Duration::from_secs(30);

/// A database server and its folder.
pub(crate) struct Server {
    // Ends before the folder goes.
    pub(crate) postgres: Postgres,
    _folder: TempDir,
}

/// A folder that the server's user may enter.
pub(crate) fn folder() -> TempDir {
    tempfile::Builder::new().permissions(std::fs::Permissions::from_mode(0o755)).tempdir().unwrap()
}

impl Server {
    /// The server that tests share. It ends with the last of them.
    async fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Server>> = Mutex::const_new(Weak::new());
        let mut shared = SHARED.lock().await;
        if let Some(server) = shared.upgrade() {
            return server;
        }
        let folder = folder();
        let postgres = Postgres::start(&folder.path().join("data"), None).await.unwrap();
        let server = Arc::new(Server { postgres, _folder: folder });
        *shared = Arc::downgrade(&server);
        server
    }
}

/// A database that nobody else uses.
pub(crate) struct Database {
    pub(crate) server: Arc<Server>,
    pub(crate) name: String,
}

impl Database {
    pub(crate) async fn create() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let server = Server::shared().await;
        server.postgres.create_database(&name).await.unwrap();
        Database { server, name }
    }

    /// How the service is told where it is.
    pub(crate) fn flags(&self) -> Vec<String> {
        flags(&self.server.postgres, &self.name)
    }

    /// The one number that a query answers.
    pub(crate) async fn number(&self, query: &'static str) -> i64 {
        let mut connection =
            PgConnection::connect_with(&self.server.postgres.connect_options(&self.name)).await.unwrap();
        sqlx::query_scalar(query).fetch_one(&mut connection).await.unwrap()
    }
}

/// How the service is told where a database is.
pub(crate) fn flags(postgres: &Postgres, name: &str) -> Vec<String> {
    let (port, password) = (postgres.port().to_string(), postgres.password());
    let max_connections = MAX_CONNECTIONS.to_string();
    [
        ("--db-host", postgres.host()),
        ("--db-port", &port),
        ("--db-name", name),
        ("--db-user", postgres.user()),
        ("--db-password", password),
        ("--db-ssl-mode", "disable"),
        ("--db-max-connections", &max_connections),
        ("--internal-token-secret", SECRET),
        ("--idempotency-secret", SECRET),
    ]
    .into_iter()
    .flat_map(|(flag, value)| [flag.to_owned(), value.to_owned()])
    .collect()
}

/// A running service and a client of it.
pub(crate) struct Shop {
    base: String,
    admin: String,
    client: Client,
    stop: CancellationToken,
    served: JoinHandle<Result<(), Error>>,
    database: Option<Database>,
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
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn etag(&self) -> &str {
        self.header("etag")
    }

    /// The status and the problem's kind; the answer must be one, whole.
    pub(crate) fn problem(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status);
        assert!(problem["trace_id"].is_string() && problem["detail"].is_string(), "{problem}");
        (self.status, problem["type"].as_str().unwrap().strip_prefix("/problems/").unwrap().to_owned())
    }

    /// Asserts which problem it is.
    pub(crate) fn is(&self, status: u16, kind: &str) {
        assert_eq!(self.problem(), (status, kind.to_owned()), "{self:?}");
    }

    /// Where the faults lie and what they are, in order.
    pub(crate) fn faults(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let place = |fault: &Value| format!("{}{}", text(&fault["pointer"]), text(&fault["parameter"]));
        let problem = self.json();
        let mut faults: Vec<_> =
            problem["errors"].as_array().unwrap().iter().map(|fault| (place(fault), text(&fault["code"]))).collect();
        faults.sort();
        faults
    }
}

/// An `Authorization` header as the gateway makes it.
pub(crate) fn authorization(audience: &'static str, secret: &str, principal: &str, role: Role) -> String {
    let caller = Caller::new(principal, role);
    TokenSigner::new(audience, &secret.parse().unwrap()).authorization(&caller).unwrap()
}

impl Shop {
    /// A service that is ready.
    pub(crate) async fn start() -> Self {
        Shop::with(&[]).await
    }

    /// The same, with these flags.
    pub(crate) async fn with(flags: &[&str]) -> Self {
        let database = Database::create().await;
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
        self.anyones(method, path).header(AUTHORIZATION, authorization(NAME, SECRET, "test", role))
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

pub(crate) async fn answer(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Answer { status, headers, text: response.text().await.unwrap() }
}

/// Sends all at once.
pub(crate) async fn all(requests: impl IntoIterator<Item = RequestBuilder>) -> Vec<Answer> {
    let mut running: JoinSet<Answer> = requests.into_iter().map(answer).collect();
    let mut answers = Vec::new();
    while let Some(answer) = running.join_next().await {
        answers.push(answer.unwrap());
    }
    answers
}

/// How many answers have this status.
pub(crate) fn count(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}
