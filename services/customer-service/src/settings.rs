//! What the service is told.

use std::ops::RangeInclusive;
use std::time::Duration;

use clap::Parser;
use reqwest::Url;
use service_kit::Error;
use service_kit::config::{InternalTokenArgs, Secret, ServiceArgs, duration};
use service_kit::database::DatabaseArgs;
use service_kit::idempotency::IdempotencyArgs;
use service_kit::session::DynamoDbArgs;

/// How long a session may be set to last: DynamoDB counts whole seconds, and a longer one than this never ends.
const SESSION_TTLS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3_650 * 86_400);

/// Keeps customers, their passwords and their login sessions.
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

    /// Where sessions are.
    #[command(flatten)]
    pub dynamodb: DynamoDbArgs,

    /// Where order-service is
    #[arg(long, env = "ORDER_SERVICE_URL", value_name = "URL", help_heading = "Services")]
    pub order_service_url: Url,

    /// The secret of internal tokens for order-service
    #[arg(
        long,
        env = "ORDER_SERVICE_SECRET",
        value_name = "SECRET",
        hide_env_values = true,
        help_heading = "Services"
    )]
    pub order_service_secret: Secret,

    /// How long a login session lasts
    #[arg(
        long,
        env = "SESSION_TTL",
        value_name = "TIME",
        default_value = "30d",
        value_parser = duration,
        help_heading = "Logins"
    )]
    pub session_ttl: Duration,

    /// How many logins may fail in a minute for each e-mail address; 0 for no limit
    #[arg(long, env = "RATE_LIMIT_LOGINS", value_name = "N", default_value_t = 10, help_heading = "Logins")]
    pub rate_limit_logins: u32,
}

impl Args {
    /// Whether the settings go together, without connecting to anything.
    ///
    /// # Errors
    /// [`Error::Usage`] where they do not.
    pub fn check(&self) -> Result<(), Error> {
        if SESSION_TTLS.contains(&self.session_ttl) {
            return Ok(());
        }
        Err(Error::Usage(format!(
            "SESSION_TTL is {:?}; set it to a time from 1s to 3650d, such as 30d",
            self.session_ttl
        )))
    }
}
