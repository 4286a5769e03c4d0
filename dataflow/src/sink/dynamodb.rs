//! The DynamoDB sink: one item for each product and window, written under a condition that keeps the newest.
//!
//! Items carry `job_epoch`, `final` and `revision` beside the row. A job writes only over items of an earlier epoch,
//! over live ones, and over revisions that are not newer; so a row may be written any number of times, in any order, by
//! a job that is about to be replaced too, and the table ends up with the same content.

mod put;
mod retry;
mod table;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use clap::Args;
use clap::builder::BoolishValueParser;
use schemas::ResultRow;
use schemas::names::ANALYTICS_TABLE;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use self::put::Writer;
use self::retry::Retry;
use super::Sink;
use crate::error::Error;
use crate::metrics::SinkMetrics;

/// How long writes go on without a single success before the job gives up.
const PATIENCE: Duration = Duration::from_secs(300);
/// The same at the start, where somebody waits for the answer.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);

/// Where and how rows go to DynamoDB. The region comes from AWS_REGION, the endpoint from AWS_ENDPOINT_URL_DYNAMODB or
/// AWS_ENDPOINT_URL, the credentials from the AWS default chain.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "DynamoDB")]
pub struct DynamoDbArgs {
    /// The table of result rows: partition key product_id, sort key window_start, both strings.
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

    /// Create the table where it does not exist, with on-demand capacity. For local use: in production it is part of
    /// the infrastructure.
    #[arg(long = "create-table", env = "DYNAMODB_CREATE_TABLE", value_parser = BoolishValueParser::new())]
    pub create_table: bool,
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

/// Writes final rows to DynamoDB. Blocks; not to be called from asynchronous code.
pub struct DynamoDbSink {
    writer: Arc<Writer>,
    in_flight: usize,
    metrics: SinkMetrics,
    runtime: Handle,
}

impl fmt::Debug for DynamoDbSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynamoDbSink").field("writer", &self.writer).finish_non_exhaustive()
    }
}

impl DynamoDbSink {
    /// Checks that the table is there (or creates it), has the right keys and can be used.
    ///
    /// # Errors
    /// [`Error::Usage`] where the region is not set, or the table does not exist or has other keys;
    /// [`Error::Unavailable`] where DynamoDB is not reached or refuses.
    pub fn connect(args: &DynamoDbArgs, mode: WriteMode, metrics: SinkMetrics, runtime: Handle) -> Result<Self, Error> {
        let settings = runtime.block_on(aws_config::defaults(BehaviorVersion::latest()).load());
        Self::connect_with(&settings, args, mode, metrics, runtime)
    }

    /// The same with settings for AWS that do not come from the environment.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub fn connect_with(
        settings: &SdkConfig,
        args: &DynamoDbArgs,
        mode: WriteMode,
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
        let endpoint = std::env::var("AWS_ENDPOINT_URL_DYNAMODB")
            .ok()
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
        let client = Client::from_conf(config);
        let at_start = Retry::new(endpoint.clone(), CONNECT_PATIENCE, metrics.retries.clone());
        runtime.block_on(table::prepare(&client, &args.table, args.create_table, &at_start))?;
        let retry = Retry::new(endpoint, PATIENCE, metrics.retries.clone()).with_proven_credentials();
        let writer = Arc::new(Writer { client, table: args.table.clone(), mode, retry });
        Ok(DynamoDbSink { writer, in_flight: usize::from(args.in_flight.max(1)), metrics, runtime })
    }

    /// Sets how long writes go on without a single success before [`Sink::write_rows`] gives up; 5 minutes at first.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        // Tasks share the writer only while rows are being written.
        if let Some(writer) = Arc::get_mut(&mut self.writer) {
            writer.retry.set_patience(patience);
        }
        self
    }

    async fn write_all(&self, rows: &[ResultRow]) -> Result<(), Error> {
        self.writer.retry.begin();
        // Dropped on the first error, which stops what is in flight: the job ends, and writes these rows again.
        let mut puts = JoinSet::new();
        for row in rows {
            if puts.len() >= self.in_flight {
                self.one_done(&mut puts).await?;
            }
            let writer = Arc::clone(&self.writer);
            let row = row.clone();
            puts.spawn(async move { writer.put(&row).await });
        }
        while !puts.is_empty() {
            self.one_done(&mut puts).await?;
        }
        Ok(())
    }

    async fn one_done(&self, puts: &mut JoinSet<Result<(), Error>>) -> Result<(), Error> {
        match puts.join_next().await {
            None => return Ok(()),
            Some(Ok(result)) => result?,
            Some(Err(error)) => return Err(Error::Internal(format!("a task that writes to DynamoDB failed: {error}"))),
        }
        self.metrics.acknowledge_rows(1);
        Ok(())
    }
}

impl Sink for DynamoDbSink {
    fn write_rows(&mut self, rows: &[ResultRow]) -> Result<(), Error> {
        self.runtime.block_on(self.write_all(rows))
    }

    fn finish(self: Box<Self>) -> Result<(), Error> {
        // Each call returned when its rows were durable.
        Ok(())
    }
}
