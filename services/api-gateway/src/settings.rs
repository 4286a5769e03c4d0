//! What the gateway is told.

use std::time::Duration;

use clap::Parser;
use kafka_client::KafkaArgs;
use reqwest::Url;
use schemas::names::{ANALYTICS_TABLE, RESULTS_TOPIC};
use service_kit::Error;
use service_kit::config::{Secret, ServiceArgs, duration};
use service_kit::session::DynamoDbArgs;

use crate::{analytics, browsers};

/// The public entry of Footfall: verifies who calls, routes requests to the services and answers live counts.
#[derive(Clone, Debug, Parser)]
#[command(name = crate::NAME, version, about)]
pub struct Args {
    #[command(flatten)]
    #[allow(missing_docs, reason = "its docstring would be the help of every flag in it")]
    pub service: ServiceArgs,

    #[command(flatten)]
    #[allow(missing_docs, reason = "see above")]
    pub services: ServicesArgs,

    #[command(flatten)]
    #[allow(missing_docs, reason = "see above")]
    pub identity: IdentityArgs,

    #[command(flatten)]
    #[allow(missing_docs, reason = "see above")]
    pub limits: LimitArgs,

    #[command(flatten)]
    #[allow(missing_docs, reason = "see above")]
    pub streams: StreamArgs,

    #[command(flatten)]
    #[allow(missing_docs, reason = "see above")]
    pub dynamodb: DynamoDbArgs,

    /// The table of result rows; the job says how far it is in the table of this name with -control at its end
    #[arg(long, env = "DYNAMODB_TABLE", value_name = "TABLE", default_value = ANALYTICS_TABLE, help_heading = "DynamoDB")]
    pub dynamodb_table: String,

    /// The topic of result rows
    #[arg(long, env = "KAFKA_OUTPUT_TOPIC", value_name = "TOPIC", default_value = RESULTS_TOPIC, help_heading = "Kafka")]
    pub kafka_output_topic: String,

    #[command(flatten)]
    #[allow(missing_docs, reason = "see above")]
    pub kafka: KafkaArgs,
}

impl Args {
    /// Whether the settings go together, without connecting to anything.
    ///
    /// # Errors
    /// [`Error::Usage`] where they do not.
    pub fn check(&self) -> Result<(), Error> {
        self.identity.jwt()?;
        drop(browsers::layers(&self.identity.cors_allowed_origins)?);
        analytics::check(&self.kafka)
    }
}

/// Where the services are, and how they know the gateway.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Services")]
pub struct ServicesArgs {
    /// Where product-catalog is
    #[arg(long, env = "PRODUCT_SERVICE_URL", value_name = "URL")]
    pub product_service_url: Url,

    /// The secret of internal tokens for product-catalog
    #[arg(long, env = "PRODUCT_SERVICE_SECRET", value_name = "SECRET", hide_env_values = true)]
    pub product_service_secret: Secret,

    /// Where customer-service is
    #[arg(long, env = "CUSTOMER_SERVICE_URL", value_name = "URL")]
    pub customer_service_url: Url,

    /// The secret of internal tokens for customer-service
    #[arg(long, env = "CUSTOMER_SERVICE_SECRET", value_name = "SECRET", hide_env_values = true)]
    pub customer_service_secret: Secret,

    /// Where order-service is
    #[arg(long, env = "ORDER_SERVICE_URL", value_name = "URL")]
    pub order_service_url: Url,

    /// The secret of internal tokens for order-service
    #[arg(long, env = "ORDER_SERVICE_SECRET", value_name = "SECRET", hide_env_values = true)]
    pub order_service_secret: Secret,

    /// Where activity-service is
    #[arg(long, env = "ACTIVITY_SERVICE_URL", value_name = "URL")]
    pub activity_service_url: Url,

    /// The secret of internal tokens for activity-service
    #[arg(long, env = "ACTIVITY_SERVICE_SECRET", value_name = "SECRET", hide_env_values = true)]
    pub activity_service_secret: Secret,
}

/// How callers prove who they are.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Identity")]
pub struct IdentityArgs {
    /// Where the keys are that JSON Web Tokens are signed with; without it only session tokens are accepted
    #[arg(long, env = "JWT_JWKS_URL", value_name = "URL")]
    pub jwt_jwks_url: Option<Url>,

    /// Who issues JSON Web Tokens
    #[arg(long, env = "JWT_ISSUER", value_name = "ISSUER")]
    pub jwt_issuer: Option<String>,

    /// For whom JSON Web Tokens are issued
    #[arg(long, env = "JWT_AUDIENCE", value_name = "AUDIENCE")]
    pub jwt_audience: Option<String>,

    /// The publishable keys with which pages may send events, separated by commas
    #[arg(long, env = "EVENTS_WRITE_KEYS", value_name = "KEY,...", value_delimiter = ',')]
    pub events_write_keys: Vec<String>,

    /// How many proxies in front of the gateway add to X-Forwarded-For; with 0 the header is not believed
    #[arg(long, env = "TRUSTED_HOPS", value_name = "N", default_value_t = 0)]
    pub trusted_hops: usize,

    /// The origins whose pages may call the API from a browser, separated by commas; * for all
    #[arg(long, env = "CORS_ALLOWED_ORIGINS", value_name = "ORIGIN,...", value_delimiter = ',')]
    pub cors_allowed_origins: Vec<String>,
}

/// How many requests callers may send. Twice as many may come at once.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Rate limits")]
pub struct LimitArgs {
    /// Requests a second of each customer; 0 for no limit
    #[arg(long, env = "RATE_LIMIT_CUSTOMER", value_name = "N", default_value_t = 200)]
    pub rate_limit_customer: u32,

    /// Requests a second from each address without a login; 0 for no limit
    #[arg(long, env = "RATE_LIMIT_ANONYMOUS", value_name = "N", default_value_t = 1_000)]
    pub rate_limit_anonymous: u32,

    /// How old the job's last word may be until counts are called stale
    #[arg(long, env = "STALE_AFTER", value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub stale_after: Duration,
}

/// How many streams of counts there may be, and how long they wait for their clients.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Streams")]
pub struct StreamArgs {
    /// How many streams may be open at once, beside other requests; further ones are answered 503
    #[arg(long, env = "MAX_STREAMS", value_name = "N", default_value_t = 2_000)]
    pub max_streams: usize,

    /// How long a row may wait for the client of a stream until the stream is ended
    #[arg(long, env = "STREAM_MAX_LAG", value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub stream_max_lag: Duration,
}

/// How JSON Web Tokens are verified.
#[derive(Clone, Debug)]
pub(crate) struct JwtSettings {
    pub(crate) jwks_url: Url,
    pub(crate) issuer: String,
    pub(crate) audience: String,
}

impl IdentityArgs {
    /// All of it, or none.
    pub(crate) fn jwt(&self) -> Result<Option<JwtSettings>, Error> {
        match (&self.jwt_jwks_url, &self.jwt_issuer, &self.jwt_audience) {
            (None, None, None) => Ok(None),
            (Some(jwks_url), Some(issuer), Some(audience)) => {
                Ok(Some(JwtSettings { jwks_url: jwks_url.clone(), issuer: issuer.clone(), audience: audience.clone() }))
            }
            _ => Err(Error::Usage(
                "of JWT_JWKS_URL, JWT_ISSUER and JWT_AUDIENCE some are set and some are not; set all three, or none"
                    .to_owned(),
            )),
        }
    }
}
