//! Products and their stock.
//!
//! A product has a version that grows by every change that a client can see, its stock included; changes that would
//! overwrite name the version that they were made from. Every change is made under the lock of the product's row, so that
//! the stock never goes below zero and no change is lost.
//!
//! Orders take pieces by reservations: all lines of an order or none, once for each order id, however often the request is
//! sent. A reservation that is released gives the pieces back once and can never be made again, so that a request that
//! was slow on its way takes nothing for an order that is gone.
//!
//! The service starts without its database and is ready once the tables are there.

mod product;
mod products;
mod reservations;
mod settings;

use std::sync::Arc;

use axum::Router;
use schemas::Currency;
use service_kit::auth::TokenVerifier;
use service_kit::database::Database;
use service_kit::idempotency::{self, IdempotencyArgs};
use service_kit::{Error, Listeners, Service};
use sqlx::migrate::Migrator;
use tokio_util::sync::CancellationToken;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use crate::settings::Args;

/// The service's name, in logs, metrics and tokens.
pub const NAME: &str = "product-catalog";
/// The schema of its tables.
pub const SCHEMA: &str = "product_catalog";

/// What the handlers share.
#[derive(Debug)]
struct Catalog {
    database: Database,
    idempotency: IdempotencyArgs,
    currency: Currency,
}

/// Runs the service until `stop`, or brings its tables up to date and ends where that is all that is asked for.
///
/// # Errors
/// [`Error::Failed`] where it cannot serve, or cannot migrate.
pub async fn run(args: Args, listeners: Listeners, stop: CancellationToken) -> Result<(), Error> {
    let database = Database::new(SCHEMA, &args.database);
    if args.database.migrate_only {
        return database.migrate(SCHEMA, migrations()).await;
    }
    let verifier = TokenVerifier::new(NAME, &args.internal_token);
    let mut service = Service::new(NAME, env!("CARGO_PKG_VERSION"), &args.service).with_verifier(verifier);
    database.register(service.registry());
    database.migrate_in_background(SCHEMA, migrations, service.readiness(), stop.clone());
    idempotency::sweep_in_background(&database, stop.clone());
    let catalog = Catalog { database, idempotency: args.idempotency, currency: args.shop_currency };
    let routes = Router::from(router()).merge(reservations::router()).with_state(Arc::new(catalog));
    service.serve(listeners, routes, stop).await
}

/// The service's part of the API's description. Reservations are not in it: no client makes them.
#[must_use]
pub fn openapi() -> OpenApi {
    router().into_openapi()
}

fn router() -> OpenApiRouter<Arc<Catalog>> {
    OpenApiRouter::default().routes(routes!(products::list_products, products::create_product)).routes(routes!(
        products::read_product,
        products::replace_product,
        products::change_product,
        products::delete_product
    ))
}

fn migrations() -> Migrator {
    sqlx::migrate!()
}
