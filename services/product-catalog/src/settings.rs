//! What the service is told.

use clap::Parser;
use schemas::Currency;
use service_kit::config::{InternalTokenArgs, ServiceArgs};
use service_kit::database::DatabaseArgs;
use service_kit::idempotency::IdempotencyArgs;

/// Keeps products and their stock.
#[derive(Clone, Debug, Parser)]
#[command(name = crate::NAME, version)]
pub struct Args {
    /// What every service is told.
    #[command(flatten)]
    pub service: ServiceArgs,

    /// How the gateway is known.
    #[command(flatten)]
    pub internal_token: InternalTokenArgs,

    /// Where the database is.
    #[command(flatten)]
    pub database: DatabaseArgs,

    /// How requests that are sent again are known.
    #[command(flatten)]
    pub idempotency: IdempotencyArgs,

    /// The currency of all prices, by its ISO 4217 code. Chosen once: prices that are there keep their minor units
    #[arg(long, env = "SHOP_CURRENCY", value_name = "CODE", default_value = "EUR")]
    pub shop_currency: Currency,
}
