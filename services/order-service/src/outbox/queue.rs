//! Events to the queue: SQS FIFO, where an order is a group, and an event that comes again within five minutes is dropped.

use std::time::Duration;

use aws_client::SqsEndpointArgs;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use service_kit::causes;

use super::relay::Carrier;
use super::store::{Row, Target};

/// How many messages one request has at most, by SQS.
const BATCH: usize = 10;

/// Where the queue of order events is.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "SQS")]
pub struct QueueArgs {
    /// The FIFO queue that gets the events of orders as well; without it, none does
    #[arg(long, env = "ORDER_EVENTS_QUEUE_URL", value_name = "URL")]
    pub order_events_queue_url: Option<String>,

    /// Where SQS is.
    #[command(flatten)]
    pub sqs_endpoint: SqsEndpointArgs,
}

impl QueueArgs {
    /// The queue; an empty variable is an absent one.
    pub(super) fn url(&self) -> Option<&str> {
        self.order_events_queue_url.as_deref().filter(|url| !url.is_empty())
    }

    async fn client(&self) -> Client {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(1))
            .operation_attempt_timeout(Duration::from_secs(3))
            .operation_timeout(Duration::from_secs(6))
            .build();
        let retries = RetryConfig::standard().with_max_attempts(2);
        let settings = self.sqs_endpoint.loader().timeout_config(timeouts).retry_config(retries);
        Client::new(&settings.load().await)
    }
}

/// A sender to one queue.
pub(super) struct Queue {
    client: Client,
    url: String,
}

impl Queue {
    /// A sender to the queue that the settings name.
    pub(super) async fn new(args: &QueueArgs) -> Option<Self> {
        let url = args.url()?.to_owned();
        Some(Queue { client: args.client().await, url })
    }

    /// Sends up to ten rows; returns those that the queue has.
    async fn send_batch(&self, rows: &[Row]) -> Result<Vec<i64>, String> {
        let entries: Result<Vec<_>, _> = rows.iter().map(entry).collect();
        let request = self.client.send_message_batch().queue_url(&self.url);
        let request = request.set_entries(Some(entries.map_err(|error| error.to_string())?));
        let answer = request.send().await.map_err(|error| causes(&error))?;
        if let [first, ..] = answer.failed() {
            tracing::warn!(code = first.code(), reason = first.message(), "the queue refuses an event");
        }
        // An entry's id is its row's.
        Ok(answer.successful().iter().filter_map(|entry| entry.id().parse().ok()).collect())
    }
}

fn entry(row: &Row) -> Result<SendMessageBatchRequestEntry, aws_sdk_sqs::error::BuildError> {
    let (event_id, payload) = row.event();
    SendMessageBatchRequestEntry::builder()
        .id(row.id.to_string())
        .message_group_id(row.order_id.to_string())
        .message_deduplication_id(event_id)
        .message_body(payload)
        .build()
}

impl Carrier for Queue {
    const TARGET: Target = Target::Queue;
    const AT_ONCE: i64 = 100;

    async fn send(&mut self, rows: &[Row]) -> Result<Vec<i64>, String> {
        let mut sent = Vec::with_capacity(rows.len());
        for batch in rows.chunks(BATCH) {
            match self.send_batch(batch).await {
                Ok(ids) => sent.extend(ids),
                Err(reason) if sent.is_empty() => return Err(reason),
                // What has arrived is marked first.
                Err(_) => return Ok(sent),
            }
        }
        Ok(sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_variable_is_no_queue() {
        let args = |url: &str| QueueArgs { order_events_queue_url: Some(url.to_owned()), ..QueueArgs::default() };
        assert_eq!(args("").url(), None);
        assert_eq!(args("http://queue").url(), Some("http://queue"));
    }
}
