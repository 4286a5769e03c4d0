//! Settings that every service has, and the kinds of values that settings are written in.

use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};
use secrecy::SecretString;

/// A secret as it is given: never shown, not even in `--help` or debug output.
#[derive(Clone, Debug)]
pub struct Secret(pub SecretString);

/// The least bytes of a secret that signs tokens: as long as the hash (RFC 7518, 3.2).
const MIN_SECRET_BYTES: usize = 32;

impl FromStr for Secret {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // The value is not repeated.
        if text.len() < MIN_SECRET_BYTES {
            return Err(format!(
                "it has {} bytes; use at least {MIN_SECRET_BYTES}, such as the output of `openssl rand -hex 32`",
                text.len()
            ));
        }
        Ok(Secret(SecretString::from(text)))
    }
}

/// A length of time such as `500ms`, `30s` or `24h`.
///
/// # Errors
/// What is no length of time, with examples.
pub fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|error| format!("{error}; write a length of time such as 500ms, 30s or 24h"))
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object for each line.
    Json,
    /// For people.
    Text,
}

/// What every service is told.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Service")]
pub struct ServiceArgs {
    /// Where requests are taken
    #[arg(long, env = "LISTEN_ADDR", value_name = "IP:PORT", default_value = "0.0.0.0:8080")]
    pub listen_addr: SocketAddr,

    /// Where /metrics, /healthz and /readyz are served to the operator; port 0 for any
    #[arg(long, env = "ADMIN_ADDR", value_name = "IP:PORT")]
    pub admin_addr: Option<SocketAddr>,

    /// How log lines are written
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value = "json")]
    pub log_format: LogFormat,

    /// Which log lines are written, such as `info` or `info,product_catalog=debug`
    #[arg(long, env = "RUST_LOG", value_name = "FILTER", default_value = "info")]
    pub log: String,

    /// How many requests may be in work at once; further ones are answered 503
    #[arg(long, env = "MAX_IN_FLIGHT", value_name = "N", default_value_t = 1_024)]
    pub max_in_flight: usize,

    /// How long a request may take until it is answered 504
    #[arg(long, env = "REQUEST_TIMEOUT", value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub request_timeout: Duration,

    /// How long a client may take nothing of its answer until the connection is broken off
    #[arg(long, env = "CLIENT_TIMEOUT", value_name = "TIME", default_value = "20s", value_parser = duration)]
    pub client_timeout: Duration,

    /// How long /readyz fails before a stopping service takes no more connections: the time that load balancers need to notice
    #[arg(long, env = "DRAIN_DELAY", value_name = "TIME", default_value = "0s", value_parser = duration)]
    pub drain_delay: Duration,

    /// How long requests in work may take to end when the service stops
    #[arg(long, env = "DRAIN_TIMEOUT", value_name = "TIME", default_value = "25s", value_parser = duration)]
    pub drain_timeout: Duration,
}

/// The secret by which a service knows that a request comes from the gateway.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Identity")]
pub struct InternalTokenArgs {
    /// The secret that internal tokens for this service are signed with
    #[arg(long, env = "INTERNAL_TOKEN_SECRET", value_name = "SECRET", hide_env_values = true)]
    pub internal_token_secret: Secret,

    /// The secret before the last rotation, which is accepted as well
    #[arg(long, env = "INTERNAL_TOKEN_PREVIOUS_SECRET", value_name = "SECRET", hide_env_values = true)]
    pub internal_token_previous_secret: Option<Secret>,
}
