//! What the Kafka client tells us while it works: log lines, errors, the wish for a new token.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tracing::{debug, error, info, warn};

use crate::msk_iam;

/// How often a client says that no broker can be reached; it notices that several times a second.
const ALL_DOWN_EVERY: Duration = Duration::from_secs(10);

/// The context of every client: passes log lines on, remembers the last error, signs tokens for Amazon MSK.
///
/// Callbacks run on the thread that polls the client, and only then. A client that has more to take in wraps this
/// context in one of its own, which hands on what it does not know.
#[derive(Debug, Default)]
pub struct Context {
    aws_region: Option<String>,
    last_error: Mutex<Option<ClientError>>,
    /// When it was last said that no broker can be reached.
    all_down: Mutex<Option<Instant>>,
}

/// An error of the client as a whole: no broker, no login, no agreement on encryption.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientError {
    /// Which kind of error.
    pub code: RDKafkaErrorCode,
    /// What the client says of it.
    pub reason: String,
}

impl ClientError {
    /// Whether waiting is of no use: what was refused will be refused again.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(
            self.code,
            RDKafkaErrorCode::Authentication
                | RDKafkaErrorCode::SaslAuthenticationFailed
                | RDKafkaErrorCode::UnsupportedSASLMechanism
                | RDKafkaErrorCode::SSL
        )
    }
}

impl Context {
    /// A context; `aws_region` is where tokens are valid, where the mechanism is OAUTHBEARER.
    #[must_use]
    pub fn new(aws_region: Option<String>) -> Self {
        Context { aws_region, ..Context::default() }
    }

    /// The last error that the client reported, and forgets it.
    #[must_use]
    pub fn take_error(&self) -> Option<ClientError> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether it is time to say that no broker can be reached.
    fn is_all_down_news(&self) -> bool {
        let mut said = self.all_down.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = said.is_none_or(|said| said.elapsed() >= ALL_DOWN_EVERY);
        if is_news {
            *said = Some(Instant::now());
        }
        is_news
    }
}

impl ClientContext for Context {
    // Only clients that log in by OAUTHBEARER ever ask for a token, so one context serves every mechanism.
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        // Consumers and producers share --kafka-config, and each says which properties are not for it.
        if facility == "CONFWARN" && message.contains("property and will be ignored by") {
            debug!(target: "librdkafka", facility, "{message}");
            return;
        }
        // A broker that hangs up on the first question is no error to the library, which only logs it. It is all there
        // is to learn where the broker encrypts and we do not.
        if facility == "FAIL" && message.contains("in state APIVERSION_QUERY") {
            let reason = message.split_once("]: ").map_or(message, |(_thread, reason)| reason).to_owned();
            let seen = ClientError { code: RDKafkaErrorCode::BrokerTransportFailure, reason };
            self.last_error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(seen);
        }
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                error!(target: "librdkafka", facility, "{message}");
            }
            // A lost connection is an error to the library; to us it is one that it mends by itself.
            RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => warn!(target: "librdkafka", facility, "{message}"),
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => info!(target: "librdkafka", facility, "{message}"),
            RDKafkaLogLevel::Debug => debug!(target: "librdkafka", facility, "{message}"),
        }
    }

    fn error(&self, kafka_error: KafkaError, reason: &str) {
        let code = kafka_error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
        match code {
            RDKafkaErrorCode::Fatal => error!(target: "librdkafka", %code, "{reason}"),
            RDKafkaErrorCode::AllBrokersDown if self.is_all_down_news() => {
                warn!(target: "librdkafka", %code, "{reason}");
            }
            // The log line says the same.
            _ => debug!(target: "librdkafka", %code, "{reason}"),
        }
        // The end of a partition comes as an error too. That all brokers are down follows from why each of them is.
        if matches!(code, RDKafkaErrorCode::PartitionEOF | RDKafkaErrorCode::AllBrokersDown) {
            return;
        }
        let seen = ClientError { code, reason: reason.to_owned() };
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
    }

    fn generate_oauth_token(&self, _configuration: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        let region = self.aws_region.clone().ok_or("AWS_REGION is not set; set it to the region of the MSK cluster")?;
        msk_iam::token(region)
    }
}

impl ConsumerContext for Context {}
