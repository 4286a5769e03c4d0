//! What the service of one test needs around it: a database of its own on a server that the tests share, a DynamoDB, and a
//! stand-in for the order service.

use std::time::{Duration, Instant};

use backends::{DynamoDb, Postgres};
use clap::Parser as _;
use customer_service::{Args, NAME, SCHEMA};
use service_kit::session::{self, Sessions};
use tempfile::TempDir;
use test_kit::{Database, SECRET, folder};
use tokio::net::TcpListener;

use crate::order_service::OrderService;

const PATIENCE: Duration = Duration::from_secs(60);

/// Everything around a service, which outlives it.
pub(crate) struct World {
    pub(crate) database: Database,
    pub(crate) orders: OrderService,
    /// None while it is down.
    dynamodb: Option<DynamoDb>,
    dynamodb_port: u16,
    folder: TempDir,
}

impl World {
    pub(crate) async fn create() -> Self {
        let database = Database::create(SCHEMA).await;
        let folder = folder();
        let dynamodb = DynamoDb::start(Some(&folder.path().join("tables")), 0).await.unwrap();
        let (orders, dynamodb_port) = (OrderService::start(0).await, dynamodb.address().port());
        let world = World { database, orders, dynamodb: Some(dynamodb), dynamodb_port, folder };
        world.sessions().await.create_table().await.unwrap();
        world
    }

    /// How the service is told of all of it.
    pub(crate) fn flags(&self) -> Vec<String> {
        self.flags_on(&self.database.server.postgres, &self.database.name)
    }

    /// The same with another database.
    pub(crate) fn flags_on(&self, postgres: &Postgres, database: &str) -> Vec<String> {
        let order_service = format!("http://127.0.0.1:{}", self.orders.port);
        let dynamodb = format!("http://127.0.0.1:{}", self.dynamodb_port);
        let own = [
            ("--order-service-url", order_service.as_str()),
            ("--order-service-secret", SECRET),
            ("--dynamodb-endpoint-url", &dynamodb),
        ];
        let own = own.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value.to_owned()]);
        test_kit::flags(postgres, database).into_iter().chain(own).collect()
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

    /// The one number that a query answers.
    pub(crate) async fn number(&self, query: &'static str) -> i64 {
        self.database.number(query).await
    }

    /// The hashes of all tokens that the database lists.
    pub(crate) async fn listed_sessions(&self) -> Vec<String> {
        sqlx::query_scalar("SELECT token_hash FROM customer_service.sessions ORDER BY token_hash COLLATE \"C\"")
            .fetch_all(&mut self.database.connect().await)
            .await
            .unwrap()
    }

    pub(crate) async fn execute(&self, statement: &'static str) {
        sqlx::raw_sql(statement).execute(&mut self.database.connect().await).await.unwrap();
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
