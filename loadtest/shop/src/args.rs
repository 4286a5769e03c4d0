//! What the load is told.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

/// Mixed load on the whole shop (every service as a process of its own, on PostgreSQL, a real Kafka and emulators of DynamoDB and
/// SQS) while each service is restarted once, and then the balance of orders, stock and events.
///
/// Ends with success where every failed call was a refused connection or a 503 with Retry-After, succeeded when it was
/// sent again, and the balance is even.
#[derive(Clone, Debug, Parser)]
#[command(name = "shop-load", version, max_term_width = 100)]
pub(crate) struct Args {
    /// The folder that the services' programs are in
    #[arg(long, value_name = "DIR")]
    pub(crate) programs: PathBuf,

    /// How long the load lasts
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub(crate) seconds: u64,

    /// How many users are in the shop at once
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub(crate) users: u32,

    /// How many products the shop has
    #[arg(long, value_name = "N", default_value_t = 500)]
    pub(crate) products: u32,

    /// End services with SIGKILL instead of SIGTERM. The gateway is always asked to end: nobody can tell a client that a
    /// gateway was killed
    #[arg(long)]
    pub(crate) kill: bool,

    /// Restart nothing
    #[arg(long, conflicts_with = "kill")]
    pub(crate) no_restarts: bool,

    /// Another seed makes other users
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
}

impl Args {
    pub(crate) const fn duration(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}
