//! The DynamoDB sink: one item for each product and window, written under a condition that keeps the newest.
//!
//! Items carry `job_epoch`, `final` and `revision` beside the row. A job writes only over items of an earlier epoch,
//! over live ones, and over revisions that are not newer; so a row may be written any number of times, in any order, by
//! a job that is about to be replaced too, and the table ends up with the same content. A job that meets a higher epoch
//! has been replaced, and ends.
//!
//! A second table holds one item, by which the job takes the results over and then says every second how far it is.

mod control;
mod job;
mod live;
mod put;
mod retry;
mod rows;
mod table;

use std::sync::Arc;
use std::time::Duration;

use aws_client::DynamoDbEndpointArgs;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use clap::Args;
use clap::builder::BoolishValueParser;
use schemas::names::ANALYTICS_TABLE;
use tokio::runtime::Handle;

pub use self::control::{JobControl, Keeper};
pub use self::job::JobSink;
use self::put::Writer;
use self::retry::Retry;
pub use self::rows::DynamoDbSink;
use self::table::Table;
use crate::error::Error;
use crate::metrics::SinkMetrics;

/// How long writes go on without a single success before the job gives up.
const PATIENCE: Duration = Duration::from_secs(300);
/// The same at the start, where somebody waits for the answer.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);

/// Where and how rows go to DynamoDB. The region comes from AWS_REGION, the endpoint from a flag, AWS_ENDPOINT_URL_DYNAMODB or
/// AWS_ENDPOINT_URL, the credentials from the AWS default chain.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "DynamoDB")]
pub struct DynamoDbArgs {
    /// The table of result rows: partition key product_id, sort key window_start, both strings. A run also uses
    /// the table of this name with `-control` at its end: partition key `key`, a string.
    #[arg(long = "dynamodb-table", env = "DYNAMODB_TABLE", default_value = ANALYTICS_TABLE, value_name = "TABLE")]
    pub table: String,

    /// How many items are written at the same time.
    #[arg(
        long = "dynamodb-in-flight",
        env = "DYNAMODB_IN_FLIGHT",
        default_value_t = 64,
        value_parser = clap::value_parser!(u16).range(1..=1024),
        value_name = "N"
    )]
    pub in_flight: u16,

    /// Create both tables where they do not exist, with on-demand capacity. For local use: in production they are part
    /// of the infrastructure.
    #[arg(long = "create-table", env = "DYNAMODB_CREATE_TABLE", value_parser = BoolishValueParser::new())]
    pub create_table: bool,

    #[command(flatten)]
    #[allow(missing_docs, reason = "its docstring would be the help of its flag")]
    pub endpoint: DynamoDbEndpointArgs,
}

/// Who writes, and thus what may be overwritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteMode {
    /// The running job.
    Job {
        /// Rises with each job that takes the table over; at least 1.
        epoch: u64,
    },
    /// A replay. Its items have epoch 0, so that any job may replace them.
    Replay {
        /// Whether rows of a job may be replaced.
        overwrite: bool,
    },
}

/// DynamoDB with a table for our rows, checked at the start, before it is known as whom the job writes.
#[derive(Debug)]
pub struct DynamoDb {
    client: Client,
    endpoint: String,
    table: String,
    in_flight: usize,
    patience: Duration,
    metrics: SinkMetrics,
    runtime: Handle,
}

impl DynamoDb {
    /// Checks that the table is there (or creates it), has the right keys and can be used.
    ///
    /// # Errors
    /// [`Error::Usage`] where the region is not set, or the table does not exist or has other keys;
    /// [`Error::Unavailable`] where DynamoDB is not reached or refuses.
    pub fn connect(args: &DynamoDbArgs, metrics: SinkMetrics, runtime: Handle) -> Result<Self, Error> {
        let settings = runtime.block_on(args.endpoint.loader().load());
        Self::connect_with(&settings, args, metrics, runtime)
    }

    /// The same with settings for AWS that do not come from the environment.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub fn connect_with(
        settings: &SdkConfig,
        args: &DynamoDbArgs,
        metrics: SinkMetrics,
        runtime: Handle,
    ) -> Result<Self, Error> {
        let Some(region) = settings.region() else {
            return Err(Error::Usage("AWS_REGION is not set; set it to the region of the DynamoDB table".to_owned()));
        };
        if args.table.trim().is_empty() {
            return Err(Error::Usage("DYNAMODB_TABLE is empty; name the table of result rows".to_owned()));
        }
        // For messages; the order is the SDK's own.
        let endpoint = args
            .endpoint
            .url
            .clone()
            .or_else(|| settings.endpoint_url().map(str::to_owned))
            .unwrap_or_else(|| format!("https://dynamodb.{region}.amazonaws.com"));
        let limits = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(3))
            .operation_attempt_timeout(Duration::from_secs(10))
            .build();
        let config = aws_sdk_dynamodb::config::Builder::from(settings)
            .timeout_config(limits)
            // Requests are repeated by `Retry`, which says why.
            .retry_config(RetryConfig::disabled())
            .build();
        let dynamo = DynamoDb {
            client: Client::from_conf(config),
            endpoint,
            table: args.table.clone(),
            in_flight: usize::from(args.in_flight.max(1)),
            patience: PATIENCE,
            metrics,
            runtime,
        };
        dynamo.prepare(&Table::of_rows(&dynamo.table), args.create_table)?;
        if args.create_table {
            // Also for a replay, which does not use it, so that a later run finds both.
            dynamo.prepare(&Table::of_control(&dynamo.table), true)?;
        }
        Ok(dynamo)
    }

    /// Sets how long writes of final rows go on without a single success before they are given up; 5 minutes at first.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The item by which a job takes the results over and says how far it is. Checks that its table is there.
    ///
    /// # Errors
    /// As [`connect`](Self::connect), for the control table.
    pub fn control(&self) -> Result<JobControl, Error> {
        let table = Table::of_control(&self.table);
        self.prepare(&table, false)?;
        let retry = self.retry(CONNECT_PATIENCE).with_proven_credentials();
        Ok(JobControl::new(self.client.clone(), table, retry, self.runtime.clone()))
    }

    /// Begins to write rows, now that it is known as whom.
    #[must_use]
    pub fn into_sink(self, mode: WriteMode) -> DynamoDbSink {
        let retry = self.retry(self.patience).with_proven_credentials();
        let live_retry = self.retry(live::PATIENCE).with_proven_credentials();
        let table = Table::of_rows(&self.table);
        let writer = Arc::new(Writer { client: self.client, table, mode, retry, live_retry });
        DynamoDbSink::new(writer, self.in_flight, self.metrics, self.runtime)
    }

    fn prepare(&self, table: &Table, create_it: bool) -> Result<(), Error> {
        let retry = self.retry(CONNECT_PATIENCE);
        self.runtime.block_on(table::prepare(&self.client, table, create_it, &retry))
    }

    fn retry(&self, patience: Duration) -> Retry {
        Retry::new(self.endpoint.clone(), patience, self.metrics.retries.clone())
    }
}

/// The sentence of a job that has met its successor in `place` of a table.
fn fenced(table: &Table, place: &str, theirs: u64, ours: u64) -> Error {
    Error::Refused(format!(
        "another job with epoch {theirs} owns table {} ({place}; this one has epoch {ours}); let one of the two run, or \
         give each a table of its own in DYNAMODB_TABLE (docs/runbooks/fenced.md)",
        table.name
    ))
}
