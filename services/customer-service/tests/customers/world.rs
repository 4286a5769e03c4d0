//! What the service of one test needs around it: a database of its own on a server that the tests share, a DynamoDB, and a
//! stand-in for the order service.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use backends::{DynamoDb, Postgres};
use clap::Parser as _;
use customer_service::{Args, NAME};
use service_kit::session::{self, Sessions};
use sqlx::{Connection as _, PgConnection};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::Mutex;

use crate::order_service::OrderService;

pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";
/// How many connections a service opens.
pub(crate) const MAX_CONNECTIONS: usize = 8;
const PATIENCE: Duration = Duration::from_secs(60);

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

/// Everything around a service, which outlives it.
pub(crate) struct World {
    pub(crate) server: Arc<Server>,
    database: String,
    pub(crate) orders: OrderService,
    /// None while it is down.
    dynamodb: Option<DynamoDb>,
    dynamodb_port: u16,
    folder: TempDir,
}

impl World {
    pub(crate) async fn create() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let database = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let server = Server::shared().await;
        server.postgres.create_database(&database).await.unwrap();
        let folder = folder();
        let dynamodb = DynamoDb::start(Some(&folder.path().join("tables")), 0).await.unwrap();
        let (orders, dynamodb_port) = (OrderService::start(0).await, dynamodb.address().port());
        let world = World { server, database, orders, dynamodb: Some(dynamodb), dynamodb_port, folder };
        world.sessions().await.create_table().await.unwrap();
        world
    }

    /// How the service is told of all of it.
    pub(crate) fn flags(&self) -> Vec<String> {
        self.flags_on(&self.server.postgres, &self.database)
    }

    /// The same with another database.
    pub(crate) fn flags_on(&self, postgres: &Postgres, database: &str) -> Vec<String> {
        let max_connections = MAX_CONNECTIONS.to_string();
        let order_service = format!("http://127.0.0.1:{}", self.orders.port);
        let dynamodb = format!("http://127.0.0.1:{}", self.dynamodb_port);
        [
            ("--db-host", postgres.host()),
            ("--db-port", &postgres.port().to_string()),
            ("--db-name", database),
            ("--db-user", postgres.user()),
            ("--db-password", postgres.password()),
            ("--db-ssl-mode", "disable"),
            ("--db-max-connections", &max_connections),
            ("--internal-token-secret", SECRET),
            ("--idempotency-secret", SECRET),
            ("--order-service-url", &order_service),
            ("--order-service-secret", SECRET),
            ("--dynamodb-endpoint-url", &dynamodb),
        ]
        .into_iter()
        .flat_map(|(flag, value)| [flag.to_owned(), value.to_owned()])
        .collect()
    }

    pub(crate) fn args(&self) -> Args {
        Args::try_parse_from(std::iter::once(NAME.to_owned()).chain(self.flags())).unwrap()
    }

    /// The table of sessions, as the gateway looks into it.
    pub(crate) async fn sessions(&self) -> Sessions {
        let args = self.args().dynamodb;
        Sessions::new(session::client(&args).await, &args)
    }

    /// Whether a token is worth anything now.
    pub(crate) async fn is_live(&self, token: &str) -> bool {
        self.sessions().await.find(token).await.unwrap().is_some()
    }

    /// The hashes of all tokens in DynamoDB.
    pub(crate) async fn stored_sessions(&self) -> Vec<String> {
        let client = session::client(&self.args().dynamodb).await;
        let items = client.scan().table_name("sessions").consistent_read(true).send().await.unwrap().items.unwrap();
        let mut hashes: Vec<_> = items.iter().map(|item| item["token_hash"].as_s().unwrap().clone()).collect();
        hashes.sort();
        hashes
    }

    pub(crate) async fn stop_dynamodb(&mut self) {
        self.dynamodb.take().unwrap().stop().await.unwrap();
    }

    /// Starts it again, with what it had.
    pub(crate) async fn start_dynamodb(&mut self) {
        let tables = self.folder.path().join("tables");
        self.dynamodb = Some(DynamoDb::start(Some(&tables), self.dynamodb_port).await.unwrap());
    }

    /// It takes connections and answers nothing, until the listener is dropped.
    pub(crate) async fn let_dynamodb_hang(&mut self) -> TcpListener {
        self.stop_dynamodb().await;
        TcpListener::bind(("127.0.0.1", self.dynamodb_port)).await.unwrap()
    }

    /// A connection to the database of the test's own.
    pub(crate) async fn connect(&self) -> PgConnection {
        PgConnection::connect_with(&self.server.postgres.connect_options(&self.database)).await.unwrap()
    }

    /// The one number that a query answers.
    pub(crate) async fn number(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(&mut self.connect().await).await.unwrap()
    }

    /// The hashes of all tokens that the database lists.
    pub(crate) async fn listed_sessions(&self) -> Vec<String> {
        sqlx::query_scalar("SELECT token_hash FROM customer_service.sessions ORDER BY token_hash COLLATE \"C\"")
            .fetch_all(&mut self.connect().await)
            .await
            .unwrap()
    }

    pub(crate) async fn execute(&self, statement: &'static str) {
        sqlx::raw_sql(statement).execute(&mut self.connect().await).await.unwrap();
    }

    /// Makes deletions that are on their way look as if nobody had gone on with them for a minute.
    pub(crate) async fn let_a_minute_pass(&self) {
        self.execute("UPDATE customer_service.customers SET closing_at = closing_at - interval '61 seconds'").await;
    }

    /// How many customers are being deleted.
    pub(crate) async fn closing(&self) -> i64 {
        self.number(
            "SELECT count(*) FROM customer_service.customers WHERE closing_at IS NOT NULL AND deleted_at IS NULL",
        )
        .await
    }

    /// Waits until no customer is being deleted.
    pub(crate) async fn wait_until_nothing_closes(&self) {
        wait_until("deletions are over", async || self.closing().await == 0).await;
    }

    /// Waits until the service waits for a lock that the test has.
    pub(crate) async fn wait_until_it_waits_for_a_lock(&self) {
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                       AND application_name = 'customer_service' AND wait_event_type = 'Lock'";
        wait_until("the service waits for a lock", async || self.number(waiting).await > 0).await;
    }
}

/// Looks again and again until something holds.
pub(crate) async fn wait_until(what: &str, holds: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
