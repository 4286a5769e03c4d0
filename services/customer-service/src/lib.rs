//! Customers, their passwords and their login sessions.
//!
//! A customer has a version that grows by every change that a client can see; changes that would overwrite name the version
//! that they were made from. E-mail addresses are unique without regard to small and capital letters.
//!
//! Passwords are kept as Argon2id hashes (`hashing`), and guesses at one are counted for each e-mail address (`guesses`).
//! A login makes a session: a token for the client, and its hash in DynamoDB for the gateway. How every session of a customer
//! is ended when the password changes or the customer goes, whatever fails in between, is told by `sessions::list`; how a
//! customer is deleted, by `deletion`.
//!
//! The service starts without its database, DynamoDB and the order service, and is ready once its tables are there.

mod background;
mod credentials;
mod customer;
mod customers;
mod deletion;
mod guesses;
mod hashing;
mod metrics;
mod orders;
mod password;
mod sessions;
mod settings;

use std::sync::Arc;

use axum::Router;
use prometheus_client::registry::Registry;
use service_kit::auth::TokenVerifier;
use service_kit::client::{self, Peer};
use service_kit::database::Database;
use service_kit::idempotency::{self, IdempotencyArgs};
use service_kit::session::{self, Sessions};
use service_kit::{Error, Listeners, Problem, Service};
use sqlx::migrate::Migrator;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::credentials::Judge;
use crate::hashing::Hasher;
use crate::metrics::Metrics;
use crate::orders::OrderService;
use crate::sessions::list::SessionList;

pub use crate::settings::Args;

/// The service's name, in logs, metrics and tokens.
pub const NAME: &str = "customer-service";
/// The schema of its tables.
pub const SCHEMA: &str = "customer_service";

/// What handlers and background work share.
#[derive(Debug)]
struct Customers {
    database: Database,
    idempotency: IdempotencyArgs,
    judge: Judge,
    sessions: SessionList,
    orders: OrderService,
    metrics: Metrics,
    /// What goes on although its client hangs up.
    tasks: TaskTracker,
}

impl Customers {
    async fn new(args: &Args, database: Database, registry: &mut Registry) -> Result<Self, Error> {
        let sessions = Sessions::new(session::client(&args.dynamodb).await, &args.dynamodb);
        let (url, secret) = (args.order_service_url.clone(), &args.order_service_secret);
        Ok(Customers {
            sessions: SessionList::new(database.clone(), sessions, args),
            database,
            idempotency: args.idempotency.clone(),
            judge: Judge::new(Hasher::new(registry)?, args.rate_limit_logins),
            orders: OrderService::new(Peer::new(orders::NAME, url, secret, client::new()?)),
            metrics: Metrics::register(registry),
            tasks: TaskTracker::new(),
        })
    }

    /// Does a piece of work to its end, also where the client hangs up or its time is over.
    async fn to_the_end<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Problem>> + Send + 'static,
    ) -> Result<T, Problem> {
        self.tasks.spawn(work.in_current_span()).await.unwrap_or_else(|panic| Err(Problem::internal(panic)))
    }
}

/// Runs the service until `stop`, or brings its tables up to date and ends where that is all that is asked for.
///
/// # Errors
/// [`Error::Usage`] where settings contradict each other, before anything connects; [`Error::Failed`] where it cannot serve,
/// or cannot migrate.
pub async fn run(args: Args, listeners: Listeners, stop: CancellationToken) -> Result<(), Error> {
    args.check()?;
    let database = Database::new(SCHEMA, &args.database);
    if args.database.migrate_only {
        return database.migrate(SCHEMA, migrations()).await;
    }
    let verifier = TokenVerifier::new(NAME, &args.internal_token);
    let mut service = Service::new(NAME, env!("CARGO_PKG_VERSION"), &args.service).with_verifier(verifier);
    database.register(service.registry());
    let customers = Arc::new(Customers::new(&args, database.clone(), service.registry()).await?);
    database.migrate_in_background(SCHEMA, migrations, service.readiness(), stop.clone());
    idempotency::sweep_in_background(&database, stop.clone());
    background::start(&customers, service.readiness(), &stop);
    let routes = Router::from(router()).with_state(Arc::clone(&customers));
    let served = service.serve(listeners, routes, stop).await;
    background::drain(&customers.tasks).await;
    served
}

/// The service's part of the API's description.
#[must_use]
pub fn openapi() -> OpenApi {
    router().into_openapi()
}

fn router() -> OpenApiRouter<Arc<Customers>> {
    OpenApiRouter::default()
        .routes(routes!(customers::list_customers, customers::create_customer))
        .routes(routes!(
            customers::read_customer,
            customers::replace_customer,
            customers::change_customer,
            customers::delete_customer
        ))
        .routes(routes!(password::change_password))
        .routes(routes!(sessions::begin_session))
        .routes(routes!(sessions::end_session))
}

fn migrations() -> Migrator {
    sqlx::migrate!()
}
