//! What the service is told.

use clap::Parser;
use kafka_client::{KafkaArgs, check_name, raw_events};
use service_kit::Error;
use service_kit::config::{InternalTokenArgs, ServiceArgs};

use crate::usage;

/// Takes events over HTTP and publishes them to Kafka.
#[derive(Clone, Debug, Parser)]
#[command(name = crate::NAME, version)]
pub struct Args {
    /// What every service is told.
    #[command(flatten)]
    pub service: ServiceArgs,

    /// How the gateway is known.
    #[command(flatten)]
    pub internal_token: InternalTokenArgs,

    /// How to reach Kafka.
    #[command(flatten)]
    pub kafka: KafkaArgs,

    /// The topic that events are published to. The variable KAFKA_INPUT_TOPIC means the same; if both are set they must
    /// agree.
    #[arg(
        long,
        env = raw_events::TOPIC,
        value_name = "TOPIC",
        default_value_t = raw_events::default_topic(raw_events::INPUT_TOPIC)
    )]
    pub kafka_topic: String,

    /// The topic's other variable, read when the command line is parsed.
    #[arg(skip = raw_events::named_by(raw_events::INPUT_TOPIC))]
    pub kafka_input_topic: Option<String>,
}

impl Args {
    /// Whether the settings go together, without connecting to anything.
    ///
    /// # Errors
    /// [`Error::Usage`] where they do not.
    pub fn check(&self) -> Result<(), Error> {
        self.topic().map_err(usage)?;
        self.kafka.producer_config(crate::NAME).map(drop).map_err(usage)
    }

    /// The topic that events are published to.
    ///
    /// # Errors
    /// [`kafka_client::Error::Setting`] where two different ones are named, or one that no topic can have.
    pub fn topic(&self) -> Result<&str, kafka_client::Error> {
        raw_events::check(&self.kafka_topic, raw_events::INPUT_TOPIC, self.kafka_input_topic.as_deref())?;
        check_name(&self.kafka_topic)?;
        Ok(&self.kafka_topic)
    }
}
