//! Orders, from their placing to their end.
//!
//! An order takes its stock at the product catalog while it is placed (`orders::placing` tells how both come to agree), and
//! gives it back when it is cancelled. From then on it goes through the statuses that `order::status` draws, in a
//! version that grows by every change.
//!
//! Whoever wants to know of orders is told by events, which carry the whole order. Each is written into the `outbox` in the
//! transaction that makes it true, and a relay sends it to Kafka and to a queue, again and again until they have it.
//!
//! The service starts without its database, the catalog, Kafka and the queue, and is ready once its tables are there:
//! orders are taken while events wait.

mod background;
mod closing;
mod locks;
mod metrics;
mod order;
mod orders;
mod outbox;
mod settings;
mod stock;

use std::sync::Arc;

use axum::Router;
use service_kit::auth::TokenVerifier;
use service_kit::client::{self, Peer};
use service_kit::database::Database;
use service_kit::idempotency::{self, IdempotencyArgs};
use service_kit::{Error, Listeners, Service};
use sqlx::migrate::Migrator;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::background::Background;
use crate::metrics::Metrics;
use crate::outbox::Outbox;
use crate::settings::LimitArgs;
use crate::stock::Stock;

pub use crate::outbox::QueueArgs;
pub use crate::settings::Args;

/// The service's name, in logs, metrics, tokens and to Kafka.
pub const NAME: &str = "order-service";
/// The schema of its tables.
pub const SCHEMA: &str = "order_service";
/// The service that has the stock.
const CATALOG: &str = "product-catalog";

/// What handlers and background work share.
#[derive(Debug)]
struct Orders {
    database: Database,
    idempotency: IdempotencyArgs,
    limits: LimitArgs,
    stock: Stock,
    outbox: Outbox,
    metrics: Metrics,
    /// Orders that are being placed, each in a task of its own.
    placing: TaskTracker,
    /// Told of orders that were given up.
    reaper: Notify,
}

impl Orders {
    fn new(args: &Args, database: Database, metrics: Metrics) -> Result<Self, Error> {
        let (url, secret) = (args.product_service_url.clone(), &args.product_service_secret);
        Ok(Orders {
            database,
            idempotency: args.idempotency.clone(),
            limits: args.limits,
            stock: Stock::new(Peer::new(CATALOG, url, secret, client::new()?)),
            outbox: Outbox::new(args),
            metrics,
            placing: TaskTracker::new(),
            reaper: Notify::new(),
        })
    }
}

/// Runs the service until `stop`, or brings its tables up to date and ends where that is all that is asked for.
///
/// # Errors
/// [`Error::Usage`] where settings are missing or contradict each other, before anything connects; [`Error::Failed`] where it
/// cannot serve, or cannot migrate.
pub async fn run(args: Args, listeners: Listeners, stop: CancellationToken) -> Result<(), Error> {
    args.check()?;
    let database = Database::new(SCHEMA, &args.database);
    if args.database.migrate_only {
        return database.migrate(SCHEMA, migrations()).await;
    }
    let verifier = TokenVerifier::new(NAME, &args.internal_token);
    let mut service = Service::new(NAME, env!("CARGO_PKG_VERSION"), &args.service).with_verifier(verifier);
    database.register(service.registry());
    let metrics = Metrics::register(service.registry());
    database.migrate_in_background(SCHEMA, migrations, service.readiness(), stop.clone());
    idempotency::sweep_in_background(&database, stop.clone());
    let orders = Arc::new(Orders::new(&args, database, metrics)?);
    let background = Background::start(&orders, service.readiness());
    let routes = Router::from(router()).merge(closing::router()).with_state(Arc::clone(&orders));
    let served = service.serve(listeners, routes, stop).await;
    background.stop(&orders).await;
    served
}

// Errors are mapped by value.
#[allow(clippy::needless_pass_by_value)]
fn usage(error: kafka_client::Error) -> Error {
    Error::Usage(error.to_string())
}

/// The service's part of the API's description. Closed customers are not in it: no client closes them.
#[must_use]
pub fn openapi() -> OpenApi {
    router().into_openapi()
}

fn router() -> OpenApiRouter<Arc<Orders>> {
    OpenApiRouter::default()
        .routes(routes!(orders::list_orders, orders::place_order))
        .routes(routes!(orders::read_order, orders::change_order))
}

fn migrations() -> Migrator {
    sqlx::migrate!()
}
