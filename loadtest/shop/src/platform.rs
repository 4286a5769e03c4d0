//! The whole shop: backends in this process, and each service as a process of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use backends::{DynamoDb, Postgres, Sqs};
use clap::Parser as _;
use kit::Trouble;
use kit::broker::Broker;
use schemas::names::{ORDER_EVENTS_QUEUE, ORDERS_TOPIC, RAW_EVENTS_TOPIC};
use service_kit::auth::{Caller, Role};
use service_kit::session::{self, DynamoDbArgs, Sessions};
use tempfile::TempDir;
use tokio::runtime::Handle;

use crate::program::{End, Program};

/// The partitions of the topics that the balance reads.
pub(crate) const PARTITIONS: u32 = 4;
/// Every secret of a shop that nobody else reaches.
const SECRET: &str = "a-secret-of-a-shop-that-only-the-load-reaches";
pub(crate) const WRITE_KEY: &str = "wk_load";
pub(crate) const ADMIN_TOKEN: &str = "the-token-of-the-admin-of-the-load";
const DATABASE: &str = "shop";

/// What runs.
pub(crate) struct Platform {
    pub(crate) postgres: Postgres,
    pub(crate) sqs: Sqs,
    pub(crate) queue_url: String,
    pub(crate) broker: Broker,
    dynamodb: DynamoDb,
    /// From the inside out.
    services: Vec<Program>,
    job: Program,
    folder: TempDir,
}

impl Platform {
    pub(crate) async fn start(programs: &Path) -> Result<Self, Trouble> {
        let folder = folder()?;
        let logs = folder.path().join("logs");
        fs::create_dir(&logs)?;
        let postgres = Postgres::start(&folder.path().join("postgres"), None).await?;
        postgres.create_database(DATABASE).await?;
        let dynamodb = DynamoDb::start(Some(&folder.path().join("dynamodb.sqlite")), 0).await?;
        let sqs = Sqs::start(0).await?;
        let queue_url = sqs.create_queue(ORDER_EVENTS_QUEUE).await?;
        let broker = start_broker(folder.path().join("kafka")).await?;
        make_admin(&dynamodb).await?;
        let dynamodb_url = dynamodb.endpoint();
        let mut job = vec!["run", "--source", "kafka", "--sink", "kafka,dynamodb", "--create-topics", "--create-table"];
        job.extend(["--workers", "1", "--live-store-interval", "2s"]);
        job.extend(["--kafka-bootstrap-servers", &broker.bootstrap, "--dynamodb-endpoint-url", &dynamodb_url]);
        let job = Program::job(programs, &logs, &job).await?;
        let port = postgres.port().to_string();
        let database = [
            ("--db-host", postgres.host()),
            ("--db-port", port.as_str()),
            ("--db-name", DATABASE),
            ("--db-user", postgres.user()),
            ("--db-password", postgres.password()),
            ("--idempotency-secret", SECRET),
            ("--internal-token-secret", SECRET),
        ];
        let catalog = Program::service("product-catalog", programs, &logs, &database).await?;
        let sqs_url = sqs.endpoint();
        let own = [
            ("--product-service-url", catalog.url.as_str()),
            ("--product-service-secret", SECRET),
            ("--kafka-bootstrap-servers", &broker.bootstrap),
            ("--sqs-endpoint-url", &sqs_url),
            ("--order-events-queue-url", &queue_url),
        ];
        let orders = Program::service("order-service", programs, &logs, &[&database[..], &own].concat()).await?;
        let own = [
            ("--order-service-url", orders.url.as_str()),
            ("--order-service-secret", SECRET),
            ("--dynamodb-endpoint-url", &dynamodb_url),
        ];
        let customers = Program::service("customer-service", programs, &logs, &[&database[..], &own].concat()).await?;
        let own = [("--internal-token-secret", SECRET), ("--kafka-bootstrap-servers", &broker.bootstrap)];
        let activity = Program::service("activity-service", programs, &logs, &own).await?;
        let own = [
            ("--product-service-url", catalog.url.as_str()),
            ("--product-service-secret", SECRET),
            ("--customer-service-url", &customers.url),
            ("--customer-service-secret", SECRET),
            ("--order-service-url", &orders.url),
            ("--order-service-secret", SECRET),
            ("--activity-service-url", &activity.url),
            ("--activity-service-secret", SECRET),
            ("--events-write-keys", WRITE_KEY),
            ("--dynamodb-endpoint-url", &dynamodb_url),
            ("--kafka-bootstrap-servers", &broker.bootstrap),
            // All users of the load have one address.
            ("--rate-limit-anonymous", "0"),
            // As in production: while it drains, clients are told to leave, instead of being cut off.
            ("--drain-delay", "2s"),
        ];
        let gateway = Program::service("api-gateway", programs, &logs, &own).await?;
        let services = vec![catalog, orders, customers, activity, gateway];
        Ok(Platform { postgres, sqs, queue_url, broker, dynamodb, services, job, folder })
    }

    /// Where clients call.
    pub(crate) fn gateway_url(&self) -> &str {
        self.services.last().map_or("", |gateway| &gateway.url)
    }

    /// The services' names, from the inside out.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.services.iter().map(|service| service.name).collect()
    }

    /// Ends a service and starts it again; returns for how long it was away.
    pub(crate) async fn restart(&mut self, name: &str, kill: bool) -> Result<Duration, Trouble> {
        let service = self.services.iter_mut().find(|service| service.name == name);
        let service = service.ok_or_else(|| format!("there is no service {name}"))?;
        service.restart(if kill && name != "api-gateway" { End::Killed } else { End::Asked }).await
    }

    /// Connects to the database.
    pub(crate) async fn database(&self) -> Result<sqlx::PgPool, Trouble> {
        Ok(sqlx::PgPool::connect_with(self.postgres.connect_options(DATABASE)).await?)
    }

    /// Ends everything, from the outside in.
    pub(crate) async fn stop(mut self) -> Result<(), Trouble> {
        while let Some(mut service) = self.services.pop() {
            service.end(End::Asked).await?;
        }
        self.job.end(End::Asked).await?;
        self.sqs.stop().await?;
        self.dynamodb.stop().await?;
        self.postgres.stop().await?;
        drop(self.folder);
        Ok(())
    }

    /// Keeps the folder with the logs, and says where it is.
    pub(crate) fn keep(self) -> PathBuf {
        let Platform { folder, .. } = self;
        folder.keep()
    }
}

/// A folder that PostgreSQL gets into, which root runs as somebody else.
fn folder() -> Result<TempDir, Trouble> {
    use std::os::unix::fs::PermissionsExt as _;
    let others_may_enter = fs::Permissions::from_mode(0o711);
    Ok(tempfile::Builder::new().prefix("footfall-shop-").permissions(others_may_enter).tempdir()?)
}

async fn start_broker(folder: PathBuf) -> Result<Broker, Trouble> {
    let runtime = Handle::current();
    // The broker's client blocks.
    let start = move || {
        let broker = Broker::start(folder, &[], runtime)?;
        broker.create_topics(&[(RAW_EVENTS_TOPIC, PARTITIONS), (ORDERS_TOPIC, PARTITIONS)])?;
        Ok::<_, Trouble>(broker)
    };
    tokio::task::spawn_blocking(start).await?
}

/// Begins the admin's session.
async fn make_admin(dynamodb: &DynamoDb) -> Result<(), Trouble> {
    #[derive(clap::Parser)]
    struct Only {
        #[command(flatten)]
        dynamodb: DynamoDbArgs,
    }
    let args = Only::try_parse_from(["shop-load", "--dynamodb-endpoint-url", &dynamodb.endpoint()])?.dynamodb;
    let sessions = Sessions::new(session::client(&args).await, &args);
    sessions.create_table().await?;
    let admin = Caller::new("load-admin", Role::Admin);
    let begun = sessions.put(ADMIN_TOKEN, &admin, Duration::from_secs(24 * 3_600)).await;
    Ok(begun.map_err(|problem| format!("cannot begin the admin's session: {problem:?}"))?)
}
