//! Writing to Kafka: a full queue is waited for, and nothing counts as written before it is acknowledged.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use kafka_client::{ClientError, Context, DELIVERY_TIMEOUT, KafkaArgs, client_error};
use rdkafka::ClientConfig;
use rdkafka::Message as _;
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext};

use super::NAME;
use super::config::transactional_config;
use crate::error::Error;

/// How long one poll waits. The client's poll always takes all of its time, so this is what an acknowledgement can be
/// noticed late by.
const POLL: Duration = Duration::from_millis(2);
/// After so many records acknowledgements are taken in between, so that they do not pile up.
const POLL_EVERY: u64 = 1024;
/// How much longer than a record's own time limit [`Producer::flush`] waits before it gives up on the client itself.
const GRACE: Duration = Duration::from_secs(30);

/// A producer for one thread. It writes each record once, in order for each partition.
pub struct Producer {
    client: BaseProducer<DeliveryContext>,
    servers: String,
    /// How long a record may wait for its acknowledgement; `None`: for ever.
    delivery_timeout: Option<Duration>,
    sent: u64,
}

impl std::fmt::Debug for Producer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Producer").field("servers", &self.servers).field("sent", &self.sent).finish_non_exhaustive()
    }
}

impl Producer {
    /// A producer; it connects by itself, and topics are looked up [elsewhere](super::topic).
    ///
    /// # Errors
    /// [`Error::Usage`] where the flags are wrong.
    pub fn new(args: &KafkaArgs) -> Result<Self, Error> {
        Producer::with(args, &args.producer_config(NAME)?)
    }

    /// A producer whose records count only when the transaction around them is committed.
    ///
    /// # Errors
    /// [`Error::Usage`] where the flags are wrong.
    pub(super) fn transactional(args: &KafkaArgs, transactional_id: &str) -> Result<Self, Error> {
        Producer::with(args, &transactional_config(args, transactional_id)?)
    }

    fn with(args: &KafkaArgs, config: &ClientConfig) -> Result<Self, Error> {
        let timeout = config.get("message.timeout.ms").or_else(|| config.get("delivery.timeout.ms"));
        let delivery_timeout =
            timeout.and_then(|text| text.parse().ok()).map_or(DELIVERY_TIMEOUT, Duration::from_millis);
        let context = DeliveryContext { common: args.context(), deliveries: Deliveries::default() };
        let client = config.create_with_context(context).map_err(|error| client_error(&error))?;
        Ok(Producer {
            client,
            servers: args.servers()?.to_owned(),
            delivery_timeout: (!delivery_timeout.is_zero()).then_some(delivery_timeout),
            sent: 0,
        })
    }

    /// Hands a record to the client, which sends it in the background; waits while the client's queue is full.
    /// Without a `partition` the key decides, as in Kafka's Java clients. A `None` value is a Kafka null.
    ///
    /// # Errors
    /// When this record, or one sent before, cannot be written.
    pub fn send(
        &mut self,
        topic: &str,
        partition: Option<i32>,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: Option<OwnedHeaders>,
    ) -> Result<(), Error> {
        let mut record = BaseRecord::<[u8], [u8]>::to(topic);
        (record.partition, record.key, record.payload, record.headers) = (partition, key, value, headers);
        loop {
            match self.client.send(record) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), returned)) => {
                    self.client.poll(POLL);
                    self.check()?;
                    record = returned;
                }
                Err((error, _)) => {
                    let bytes = key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len);
                    let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
                    return Err(self.explain(&Failure { topic: topic.to_owned(), bytes, code }));
                }
            }
        }
        self.sent += 1;
        if self.sent.is_multiple_of(POLL_EVERY) {
            self.client.poll(Duration::ZERO);
            self.check()?;
        }
        Ok(())
    }

    /// Waits until every record sent is acknowledged.
    ///
    /// # Errors
    /// When a record cannot be written; the first such record decides.
    pub fn flush(&mut self) -> Result<(), Error> {
        let deadline = self.delivery_timeout.map(|timeout| Instant::now() + timeout + GRACE);
        loop {
            self.check()?;
            let waiting = self.sent - self.deliveries().acknowledged.load(Ordering::Relaxed);
            if waiting == 0 {
                return Ok(());
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Err(Error::Unavailable(format!(
                    "Kafka at {} has not acknowledged {waiting} records within their time; look at the brokers",
                    self.servers
                )));
            }
            self.client.poll(POLL);
        }
    }

    /// The client, for transactions around what is sent.
    #[must_use]
    pub const fn client(&self) -> &BaseProducer<DeliveryContext> {
        &self.client
    }

    /// Takes acknowledgements, log lines and requests for a token that have come in; waits for them up to `time`.
    pub(super) fn serve(&self, time: Duration) {
        self.client.poll(time);
    }

    /// Why the first of the records that could not be written was not, if there is one.
    pub(super) fn first_failure(&self) -> Option<RDKafkaErrorCode> {
        self.deliveries().first_failure.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|first| first.code)
    }

    /// Begins anew, once an abort has done away with all that was sent.
    pub(super) fn forget(&mut self) {
        self.sent = 0;
        self.deliveries().acknowledged.store(0, Ordering::Relaxed);
        *self.deliveries().first_failure.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The last error of the client as a whole, and forgets it.
    pub(super) fn take_error(&self) -> Option<ClientError> {
        self.context().common.take_error()
    }

    fn context(&self) -> &Arc<DeliveryContext> {
        self.client.client().context()
    }

    fn deliveries(&self) -> &Deliveries {
        &self.context().deliveries
    }

    fn check(&self) -> Result<(), Error> {
        let failure = self.deliveries().first_failure.lock().unwrap_or_else(PoisonError::into_inner).clone();
        failure.map_or(Ok(()), |failure| Err(self.explain(&failure)))
    }

    fn explain(&self, Failure { topic, bytes, code }: &Failure) -> Error {
        match code {
            RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::InvalidMessageSize => Error::Io(format!(
                "topic {topic} refuses a record of {bytes} bytes and its headers as too large; raise max.message.bytes of \
                 the topic"
            )),
            RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::UnknownPartition => Error::Unavailable(format!(
                "cannot write to topic {topic}: {code}; the topic or its partition is gone, create it and start again"
            )),
            RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::ClusterAuthorizationFailed => {
                Error::Unavailable(format!(
                    "cannot write to topic {topic}: {code}; grant WRITE on the topic and IDEMPOTENT_WRITE on the cluster"
                ))
            }
            RDKafkaErrorCode::MessageTimedOut => {
                let cause = self.context().common.take_error().map_or_else(|| code.to_string(), |seen| seen.reason);
                let seconds = self.delivery_timeout.unwrap_or(DELIVERY_TIMEOUT).as_secs();
                Error::Unavailable(format!(
                    "topic {topic} at {} has not acknowledged a record within {seconds} s: {cause}; look at the brokers",
                    self.servers
                ))
            }
            RDKafkaErrorCode::Fatal => {
                let cause = self.client.client().fatal_error().map_or_else(|| code.to_string(), |(_, reason)| reason);
                Error::Unavailable(format!("cannot write to topic {topic}: {cause}; start again"))
            }
            _ => Error::Unavailable(format!(
                "cannot write to topic {topic} at {}: {code}; look at the brokers",
                self.servers
            )),
        }
    }
}

/// What became of the records sent.
#[derive(Debug, Default)]
struct Deliveries {
    acknowledged: AtomicU64,
    first_failure: Mutex<Option<Failure>>,
}

/// A record that was not written.
#[derive(Clone, Debug)]
struct Failure {
    topic: String,
    /// Of key and value.
    bytes: usize,
    code: RDKafkaErrorCode,
}

/// The context of a producer: the common one, and what became of the records.
#[derive(Debug)]
pub struct DeliveryContext {
    common: Context,
    deliveries: Deliveries,
}

impl ClientContext for DeliveryContext {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = Context::ENABLE_REFRESH_OAUTH_TOKEN;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.common.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.common.error(error, reason);
    }

    fn generate_oauth_token(&self, configuration: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.common.generate_oauth_token(configuration)
    }
}

impl ProducerContext for DeliveryContext {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(_) => {
                self.deliveries.acknowledged.fetch_add(1, Ordering::Relaxed);
            }
            Err((error, message)) => {
                let failure = Failure {
                    topic: message.topic().to_owned(),
                    bytes: message.payload_len() + message.key_len(),
                    code: error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail),
                };
                self.deliveries.first_failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
            }
        }
    }
}
