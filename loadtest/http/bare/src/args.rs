//! The command line, by the names that the services have.

use std::net::SocketAddr;

use clap::Parser;
use kafka_client::{Context, KafkaArgs};
use rdkafka::producer::FutureProducer;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::server::Trouble;

/// As many connections as a service has, unless told.
const MAX_CONNECTIONS: u32 = 16;

/// Bare handlers with the services' database and Kafka calls, to measure the services against
#[derive(Parser)]
pub(crate) struct Args {
    /// Where requests are taken
    #[arg(long, env = "LISTEN_ADDR", value_name = "IP:PORT")]
    pub(crate) listen_addr: SocketAddr,
    /// The host of PostgreSQL
    #[arg(long, env = "DB_HOST", value_name = "HOST")]
    db_host: String,
    /// The port of PostgreSQL
    #[arg(long, env = "DB_PORT", value_name = "PORT", default_value_t = 5432)]
    db_port: u16,
    /// The name of the database
    #[arg(long, env = "DB_NAME", value_name = "NAME", default_value = "footfall")]
    db_name: String,
    /// The user to log in as
    #[arg(long, env = "DB_USER", value_name = "USER")]
    db_user: String,
    /// The user's password
    #[arg(long, env = "DB_PASSWORD", value_name = "PASSWORD", hide_env_values = true)]
    db_password: String,
    /// The topic that events are published to
    #[arg(long, env = "KAFKA_TOPIC", value_name = "TOPIC")]
    pub(crate) kafka_topic: String,
    #[command(flatten)]
    kafka: KafkaArgs,
}

impl Args {
    /// Connections to the tables of product-catalog, none of which is open yet.
    pub(crate) fn pool(&self) -> PgPool {
        let options = PgConnectOptions::new_without_pgpass()
            .host(&self.db_host)
            .port(self.db_port)
            .database(&self.db_name)
            .username(&self.db_user)
            .password(&self.db_password)
            .options([("search_path", "product_catalog")]);
        // The services ask after a second of idleness only.
        PgPoolOptions::new().max_connections(MAX_CONNECTIONS).test_before_acquire(false).connect_lazy_with(options)
    }

    /// A client that publishes with the settings of activity-service.
    pub(crate) fn producer(&self) -> Result<FutureProducer<Context>, Trouble> {
        Ok(self.kafka.producer_config("bare-limit")?.create_with_context(self.kafka.context())?)
    }
}
