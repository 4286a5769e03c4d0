//! How every program of Footfall reaches Kafka.
//!
//! [`KafkaArgs`] are the flags and variables; from them come the configurations of consumers and producers. Whatever
//! our guarantees rest on (what is committed and when, what a reader may see, what counts as acknowledged) is set
//! here once and cannot be overridden. A client is made from a configuration and [`KafkaArgs::context`]; an
//! [`Inspector`] asks brokers about topics without creating them, and [`raw_events`] knows the two names of the
//! variable for the topic that events come by.
//!
//! ```
//! use kafka_client::{KafkaArgs, client_error};
//! use rdkafka::consumer::BaseConsumer;
//!
//! let args = KafkaArgs { bootstrap_servers: Some("localhost:9092".to_owned()), ..KafkaArgs::default() };
//! let config = args.consumer_config("example", 1 << 20)?;
//! let consumer: BaseConsumer<kafka_client::Context> =
//!     config.create_with_context(args.context()).map_err(|error| client_error(&error))?;
//! # Ok::<(), kafka_client::Error>(())
//! ```

mod args;
mod config;
mod context;
mod error;
mod inspector;
mod msk_iam;
pub mod raw_events;

pub use args::{KafkaArgs, Property, SaslMechanism, Secret, SecurityProtocol};
pub use config::DELIVERY_TIMEOUT;
pub use context::{ClientError, Context};
pub use error::{Error, client_error};
pub use inspector::{DEFAULT_PARTITIONS, Inspector, TIME_LIMIT, check_name, create_command};
