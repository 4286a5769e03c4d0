//! Why Kafka cannot be used as asked.

use rdkafka::error::KafkaError;

/// One sentence for the user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A flag, a variable or a combination of them cannot be used as given.
    #[error("{0}")]
    Setting(String),
    /// The broker has no such topic.
    #[error("{0}")]
    NoSuchTopic(String),
    /// No broker answers, or it refuses to serve.
    #[error("{0}")]
    Unavailable(String),
}

/// What it means that no client can be made of a configuration.
#[must_use]
pub fn client_error(error: &KafkaError) -> Error {
    match error {
        // The client's own sentence about settings that do not go together; it quotes no secret.
        KafkaError::ClientCreation(reason) => {
            Error::Setting(format!("the Kafka client refuses its settings: {reason}; correct the --kafka-... flags"))
        }
        KafkaError::ClientConfig(_, _, name, _) => {
            Error::Setting(format!("the Kafka client refuses the property {name}; correct --kafka-config"))
        }
        other => Error::Unavailable(format!("cannot start a Kafka client: {other}; check the --kafka-... flags")),
    }
}
