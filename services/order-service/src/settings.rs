//! What the service is told.

use std::time::Duration;

use clap::Parser;
use kafka_client::{KafkaArgs, check_name};
use reqwest::Url;
use schemas::names::ORDERS_TOPIC;
use service_kit::Error;
use service_kit::config::{InternalTokenArgs, Secret, ServiceArgs, duration};
use service_kit::database::DatabaseArgs;
use service_kit::idempotency::IdempotencyArgs;

use crate::outbox::QueueArgs;
use crate::usage;

/// Takes orders, and tells others what becomes of them.
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

    /// Where product-catalog is
    #[arg(long, env = "PRODUCT_SERVICE_URL", value_name = "URL", help_heading = "Services")]
    pub product_service_url: Url,

    /// The secret of internal tokens for product-catalog
    #[arg(
        long,
        env = "PRODUCT_SERVICE_SECRET",
        value_name = "SECRET",
        hide_env_values = true,
        help_heading = "Services"
    )]
    pub product_service_secret: Secret,

    /// How to reach Kafka.
    #[command(flatten)]
    pub kafka: KafkaArgs,

    /// The topic that events of orders are published to
    #[arg(
        long,
        env = "KAFKA_ORDERS_TOPIC",
        value_name = "TOPIC",
        default_value = ORDERS_TOPIC,
        help_heading = "Kafka"
    )]
    pub kafka_orders_topic: String,

    /// The queue that gets the same events.
    #[command(flatten)]
    pub queue: QueueArgs,

    /// What time runs out for.
    #[command(flatten)]
    pub limits: LimitArgs,
}

/// What time runs out for.
#[derive(Clone, Copy, Debug, clap::Args)]
#[command(next_help_heading = "Orders")]
pub struct LimitArgs {
    /// How long an order may take to be placed until it is given up and its stock released
    #[arg(long, env = "ORDER_PENDING_TIMEOUT", value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub order_pending_timeout: Duration,

    /// How long a confirmed order waits for its payment until it is cancelled and its stock released
    #[arg(long, env = "ORDER_PAYMENT_TIMEOUT", value_name = "TIME", default_value = "30m", value_parser = duration)]
    pub order_payment_timeout: Duration,

    /// How long events that were sent are kept. A queue that is added gets those of this time
    #[arg(long, env = "OUTBOX_KEEP", value_name = "TIME", default_value = "24h", value_parser = duration)]
    pub outbox_keep: Duration,
}

impl Args {
    /// Whether the settings go together, without connecting to anything.
    ///
    /// # Errors
    /// [`Error::Usage`] where they do not.
    pub fn check(&self) -> Result<(), Error> {
        check_name(&self.kafka_orders_topic).map_err(usage)?;
        self.kafka.producer_config(crate::NAME).map(drop).map_err(usage)
    }
}
