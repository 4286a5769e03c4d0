//! Events to the topic of orders.

use kafka_client::{Context, KafkaArgs, client_error};
use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::producer::{DeliveryFuture, FutureProducer, FutureRecord, Producer as _};

use super::relay::Carrier;
use super::store::{Row, Target};
use crate::NAME;

/// How long Kafka has to acknowledge an event, in milliseconds; then it is sent again.
const TIME_LIMIT_MILLIS: &str = "5000";
/// How soon a broker that is back is noticed, in milliseconds; librdkafka's own default is ten seconds.
const RECONNECT_MILLIS: &str = "1000";

/// A producer for one topic. Dropped, it forgets what was not acknowledged.
pub(super) struct Kafka {
    args: KafkaArgs,
    config: ClientConfig,
    topic: String,
    client: FutureProducer<Context>,
}

impl Kafka {
    /// A producer; it connects by itself, and again whenever a connection is lost.
    pub(super) fn new(args: &KafkaArgs, topic: &str) -> Result<Self, kafka_client::Error> {
        let mut config = args.producer_config(NAME)?;
        // What is not acknowledged by then is sent again from the outbox, so nothing goes on trying.
        config.remove("message.timeout.ms");
        config.set("delivery.timeout.ms", TIME_LIMIT_MILLIS);
        if config.get("reconnect.backoff.max.ms").is_none() {
            config.set("reconnect.backoff.max.ms", RECONNECT_MILLIS);
        }
        let client = connect(args, &config)?;
        Ok(Kafka { args: args.clone(), config, topic: topic.to_owned(), client })
    }

    fn enqueue(&self, row: &Row) -> Result<DeliveryFuture, KafkaError> {
        let (key, (_, payload)) = (row.order_id.to_string(), row.event());
        self.client.send_result(FutureRecord::to(&self.topic).key(&key).payload(payload)).map_err(|(error, _)| error)
    }

    /// An idempotent producer whose sequence broke, for one because brokers lost records, refuses everything from then on.
    /// What it had not sent is in the outbox, so another producer takes its place.
    fn replace_if_dead(&mut self) {
        let Some((code, reason)) = self.client.client().fatal_error() else { return };
        match connect(&self.args, &self.config) {
            Ok(client) => {
                tracing::warn!(%code, reason, "the Kafka client gave up; another takes its place");
                self.client = client;
            }
            Err(error) => tracing::error!(%error, "the Kafka client gave up, and no other can be made"),
        }
    }
}

fn connect(args: &KafkaArgs, config: &ClientConfig) -> Result<FutureProducer<Context>, kafka_client::Error> {
    config.create_with_context(args.context()).map_err(|error| client_error(&error))
}

impl Carrier for Kafka {
    const TARGET: Target = Target::Kafka;
    const AT_ONCE: i64 = 500;

    async fn send(&mut self, rows: &[Row]) -> Result<Vec<i64>, String> {
        let deliveries: Vec<_> = rows.iter().map(|row| (row.id, self.enqueue(row))).collect();
        let (mut sent, mut failed) = (Vec::with_capacity(rows.len()), None);
        // All are under way already, so they can be waited for one after the other.
        for (id, delivery) in deliveries {
            match acknowledged(delivery).await {
                Ok(()) => sent.push(id),
                Err(reason) => failed = Some(reason),
            }
        }
        let Some(reason) = failed else { return Ok(sent) };
        self.replace_if_dead();
        if sent.is_empty() { Err(reason) } else { Ok(sent) }
    }
}

async fn acknowledged(delivery: Result<DeliveryFuture, KafkaError>) -> Result<(), String> {
    match delivery.map_err(|error| error.to_string())?.await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err((error, _))) => Err(error.to_string()),
        Err(_) => Err("the Kafka client ended".to_owned()),
    }
}
