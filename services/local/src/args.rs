//! What the platform is told.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::Parser;

use crate::command::Command;
use crate::demo::DemoArgs;

/// The whole of Footfall on this machine: PostgreSQL, a broker that speaks Kafka's protocol, DynamoDB, SQS, S3, the dataflow job, the
/// import of products and every service, in one process, with a demo shop.
///
/// A backend is replaced by a real one through its variable: DB_HOST (with DB_PORT, DB_NAME, DB_USER, DB_PASSWORD),
/// KAFKA_BOOTSTRAP_SERVERS, AWS_ENDPOINT_URL_DYNAMODB, ORDER_EVENTS_QUEUE_URL, AWS_ENDPOINT_URL_S3. Every other variable of the services works here as well.
#[derive(Clone, Debug, Parser)]
#[command(name = "footfall", version, max_term_width = 100)]
pub struct Args {
    /// What is wanted of a platform that runs; without it, one is started
    #[command(subcommand)]
    pub command: Option<Command>,

    /// The folder that keeps everything; without it a temporary one that is removed at the end. A command finds the only
    /// platform that runs by itself
    #[arg(long, env = "FOOTFALL_DATA", value_name = "DIR", global = true)]
    pub data: Option<PathBuf>,

    /// The port of the gateway on 127.0.0.1; 0 takes free ones, also for the backends, which else are at 5433
    /// (PostgreSQL), 8000 (DynamoDB), 9092 (Kafka), 9324 (SQS) and 9000 (S3)
    #[arg(long, env = "FOOTFALL_PORT", value_name = "PORT", default_value_t = 8080)]
    pub port: u16,

    /// Where the metrics of all parts are served [default: 127.0.0.1:9600; a free port with --port 0]
    #[arg(long, env = "ADMIN_ADDR", value_name = "IP:PORT")]
    pub admin_addr: Option<SocketAddr>,

    /// The token of the session with the role admin; a random one, kept in the folder, when it is not set
    #[arg(long, env = "FOOTFALL_ADMIN_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub admin_token: Option<String>,

    /// The key with which pages may send events; a random one, kept in the folder, when it is not set
    #[arg(long, env = "EVENTS_WRITE_KEYS", value_name = "KEY")]
    pub write_key: Option<String>,

    /// A PostgreSQL to use instead of one of its own
    #[arg(long, env = "DB_HOST", value_name = "HOST")]
    pub db_host: Option<String>,

    /// A Kafka to use instead of the embedded broker
    #[arg(long, env = "KAFKA_BOOTSTRAP_SERVERS", value_name = "HOST:PORT,...")]
    pub kafka_bootstrap_servers: Option<String>,

    /// A DynamoDB to use instead of the embedded one
    #[arg(long, env = "AWS_ENDPOINT_URL_DYNAMODB", value_name = "URL")]
    pub dynamodb_endpoint_url: Option<String>,

    /// The SQS queue of order events to use instead of one of its own
    #[arg(long, env = "ORDER_EVENTS_QUEUE_URL", value_name = "URL")]
    pub order_events_queue_url: Option<String>,

    /// An S3 to use instead of the embedded one; its files are imported by the function there, not here
    #[arg(long, env = "AWS_ENDPOINT_URL_S3", value_name = "URL")]
    pub s3_endpoint_url: Option<String>,

    /// Which log lines are written beside the checklist, such as `info`
    #[arg(long, env = "RUST_LOG", value_name = "FILTER", default_value = "warn,dynoxide=error")]
    pub log: String,

    /// The demo shop.
    #[command(flatten)]
    pub demo: DemoArgs,
}

/// Where metrics are served unless told.
const ADMIN_PORT: u16 = 9600;

impl Args {
    /// Where metrics are served.
    pub(crate) fn admin_addr(&self) -> SocketAddr {
        let port = if self.port == 0 { 0 } else { ADMIN_PORT };
        self.admin_addr.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    }
}
