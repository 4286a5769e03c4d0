//! Publishing events to Kafka, and waiting until it has acknowledged them.

use std::fmt;
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use kafka_client::{Context, KafkaArgs, client_error};
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{DeliveryFuture, FutureProducer, FutureRecord, Producer as _};
use service_kit::{Kind, Problem};

use crate::NAME;
use crate::judge::Accepted;

/// How long Kafka has to acknowledge the events of a request.
const TIME_LIMIT: Duration = Duration::from_secs(5);
/// How soon a broker that is back is noticed, unless told; librdkafka's own default is ten seconds.
const RECONNECT_WITHIN: Duration = Duration::from_secs(1);

type Client = FutureProducer<Context>;

/// Publishes events to one topic.
pub(crate) struct Publisher {
    args: KafkaArgs,
    config: ClientConfig,
    topic: String,
    client: RwLock<Client>,
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher").field("topic", &self.topic).finish_non_exhaustive()
    }
}

/// Why events may not be in Kafka. They may be all the same: what was not acknowledged is not known to be lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unpublished {
    /// Too many events wait already.
    QueueFull,
    /// Kafka has not acknowledged them, for this reason.
    Unacknowledged(String),
}

impl Publisher {
    /// A publisher; it connects by itself, and again whenever a connection is lost.
    ///
    /// # Errors
    /// [`kafka_client::Error::Setting`] where the flags are wrong.
    pub(crate) fn new(args: &KafkaArgs, topic: &str) -> Result<Self, kafka_client::Error> {
        let mut config = args.producer_config(NAME)?;
        // The sender is told by then that its events are not known to be written, so nothing goes on trying.
        config.remove("message.timeout.ms");
        config.set("delivery.timeout.ms", TIME_LIMIT.as_millis().to_string());
        if config.get("reconnect.backoff.max.ms").is_none() {
            config.set("reconnect.backoff.max.ms", RECONNECT_WITHIN.as_millis().to_string());
        }
        let client = RwLock::new(connect(args, &config)?);
        Ok(Publisher { args: args.clone(), config, topic: topic.to_owned(), client })
    }

    /// Publishes events and waits until all of them are acknowledged; returns how long that took.
    ///
    /// # Errors
    /// Where not all are within [`TIME_LIMIT`]; any of them may be in Kafka then.
    pub(crate) async fn publish(&self, events: &[Accepted<'_>]) -> Result<Duration, Unpublished> {
        let began = Instant::now();
        let client = self.client();
        let delivered = self.deliver(&client, events).await;
        if delivered.is_err() {
            self.replace_if_dead(&client);
        }
        delivered.map(|()| began.elapsed())
    }

    async fn deliver(&self, client: &Client, events: &[Accepted<'_>]) -> Result<(), Unpublished> {
        let deliveries: Vec<_> =
            events.iter().map(|event| self.enqueue(client, event)).collect::<Result<_, Unpublished>>()?;
        tokio::time::timeout(TIME_LIMIT, all(deliveries)).await.unwrap_or_else(|_| {
            Err(Unpublished::Unacknowledged(format!("no acknowledgement within {} s", TIME_LIMIT.as_secs())))
        })
    }

    fn enqueue(&self, client: &Client, event: &Accepted<'_>) -> Result<DeliveryFuture, Unpublished> {
        let record = FutureRecord::to(&self.topic).key(&*event.user_id).payload(event.json);
        client.send_result(record).map_err(|(error, _)| match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::QueueFull) => Unpublished::QueueFull,
            _ => Unpublished::unacknowledged(&error),
        })
    }

    /// How many events wait for their acknowledgement.
    pub(crate) fn queue_length(&self) -> i64 {
        self.client().in_flight_count().into()
    }

    fn client(&self) -> Client {
        self.client.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// An idempotent producer whose sequence broke, for one because brokers lost records, refuses everything from then on.
    /// Here each event stands for itself, so another producer takes its place.
    fn replace_if_dead(&self, client: &Client) {
        let Some((code, reason)) = client.client().fatal_error() else { return };
        let mut current = self.client.write().unwrap_or_else(PoisonError::into_inner);
        // Another request may have been here first.
        if current.client().fatal_error().is_none() {
            return;
        }
        match connect(&self.args, &self.config) {
            Ok(new) => {
                tracing::warn!(%code, reason, "the Kafka client gave up; another takes its place");
                *current = new;
            }
            Err(error) => tracing::error!(%error, "the Kafka client gave up, and no other can be made"),
        }
    }
}

fn connect(args: &KafkaArgs, config: &ClientConfig) -> Result<Client, kafka_client::Error> {
    config.create_with_context(args.context()).map_err(|error| client_error(&error))
}

/// All are under way already, so they can be waited for one after the other.
async fn all(deliveries: Vec<DeliveryFuture>) -> Result<(), Unpublished> {
    for delivery in deliveries {
        match delivery.await {
            Ok(Ok(_)) => {}
            Ok(Err((error, _))) => return Err(Unpublished::unacknowledged(&error)),
            Err(_) => return Err(Unpublished::Unacknowledged("the Kafka client ended".to_owned())),
        }
    }
    Ok(())
}

impl Unpublished {
    fn unacknowledged(error: &KafkaError) -> Self {
        Unpublished::Unacknowledged(error.to_string())
    }

    /// For metrics.
    pub(crate) const fn cause(&self) -> &'static str {
        match self {
            Unpublished::QueueFull => "queue_full",
            Unpublished::Unacknowledged(_) => "unacknowledged",
        }
    }
}

impl From<Unpublished> for Problem {
    fn from(unpublished: Unpublished) -> Self {
        match unpublished {
            Unpublished::QueueFull => Problem::new(
                Kind::Overloaded,
                "too many events wait for Kafka; send the same request again in a moment, which counts nobody twice",
            ),
            Unpublished::Unacknowledged(cause) => {
                tracing::warn!(dependency = "Kafka", cause, "events were not acknowledged");
                let detail = format!(
                    "Kafka has not acknowledged all events within {} s; send the same request again in a moment, which \
                     counts nobody twice",
                    TIME_LIMIT.as_secs()
                );
                Problem::new(Kind::DependencyUnavailable, detail)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use kafka_client::Property;
    use rdkafka::mocking::MockCluster;
    use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

    use super::*;

    fn publisher(servers: String, properties: &[&str]) -> Publisher {
        let properties = properties.iter().map(|text| text.parse::<Property>().unwrap()).collect();
        let args = KafkaArgs { bootstrap_servers: Some(servers), properties, ..KafkaArgs::default() };
        Publisher::new(&args, "events").unwrap()
    }

    fn events(count: usize) -> Vec<Accepted<'static>> {
        (0..count).map(|_| Accepted { user_id: Cow::Borrowed("u1"), json: "{}" }).collect()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_client_that_gave_up_for_good_is_replaced() {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("events", 1, 1).unwrap();
        let publisher = publisher(cluster.bootstrap_servers(), &[]);
        publisher.publish(&events(1)).await.unwrap();
        let desynchronized = RDKafkaRespErr::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
        cluster.request_errors(RDKafkaApiKey::Produce, &[desynchronized]);
        let refused = publisher.publish(&events(1)).await.unwrap_err();
        assert_eq!(refused.cause(), "unacknowledged");
        publisher.publish(&events(1)).await.unwrap();
    }

    #[tokio::test]
    async fn a_full_queue_is_told_at_once_and_what_is_in_it_is_counted() {
        // Nobody listens there.
        let publisher = publisher("127.0.0.1:1".to_owned(), &["queue.buffering.max.messages=3"]);
        let began = Instant::now();
        assert_eq!(publisher.publish(&events(4)).await, Err(Unpublished::QueueFull));
        assert!(began.elapsed() < TIME_LIMIT);
        // The client's own events count with them.
        assert!(publisher.queue_length() >= 3);
    }

    #[tokio::test]
    async fn the_time_limit_cannot_be_stretched_by_a_property() {
        for name in ["message.timeout.ms", "delivery.timeout.ms"] {
            let publisher = publisher("127.0.0.1:1".to_owned(), &[&format!("{name}=60000")]);
            assert_eq!(publisher.config.get("delivery.timeout.ms"), Some("5000"));
            assert_eq!(publisher.config.get("message.timeout.ms"), None);
        }
    }

    #[tokio::test]
    async fn a_broker_that_is_not_there_is_waited_for_no_longer_than_the_limit() {
        let publisher = publisher("127.0.0.1:1".to_owned(), &[]);
        let began = Instant::now();
        let refused = publisher.publish(&events(1)).await.unwrap_err();
        assert_eq!(refused.cause(), "unacknowledged");
        assert!(began.elapsed() < TIME_LIMIT + Duration::from_secs(1));
    }
}
