//! The queue of one test.

use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_sqs::{Client, Config};
use backends::Sqs;
use schemas::OrderEvent;
use schemas::names::ORDER_EVENTS_QUEUE;

use crate::harness::until;

/// An emulator with a queue.
pub(crate) struct Queue {
    _sqs: Sqs,
    endpoint: String,
    url: String,
    client: Client,
}

impl Queue {
    /// A queue at a port, 0 for any.
    pub(crate) async fn start(port: u16) -> Self {
        let sqs = Sqs::start(port).await.unwrap();
        let url = sqs.create_queue(ORDER_EVENTS_QUEUE).await.unwrap();
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(sqs.endpoint())
            .region(Region::new("local"))
            .credentials_provider(Credentials::new("any", "any", None, None, "test"));
        Queue { endpoint: sqs.endpoint(), url, client: Client::from_conf(config.build()), _sqs: sqs }
    }

    /// How the service is told of it.
    pub(crate) fn flags(&self) -> [&str; 4] {
        ["--sqs-endpoint-url", &self.endpoint, "--order-events-queue-url", &self.url]
    }

    /// Takes so many events off the queue.
    pub(crate) async fn take(&self, count: usize) -> Vec<OrderEvent> {
        let mut events = Vec::new();
        let taken = tokio::sync::Mutex::new(&mut events);
        until(&format!("{count} events are in the queue"), async || {
            let mut taken = taken.lock().await;
            taken.extend(self.take_some().await);
            taken.len() >= count
        })
        .await;
        assert_eq!(events.len(), count, "{events:?}");
        events
    }

    /// Takes what there is now, at most ten.
    pub(crate) async fn take_some(&self) -> Vec<OrderEvent> {
        let request = self.client.receive_message().queue_url(&self.url).max_number_of_messages(10);
        let received = request.send().await.unwrap();
        let mut events = Vec::new();
        for message in received.messages() {
            let handle = message.receipt_handle().unwrap();
            self.client.delete_message().queue_url(&self.url).receipt_handle(handle).send().await.unwrap();
            events.push(serde_json::from_str(message.body().unwrap()).unwrap());
        }
        events
    }
}
