//! Kafka, as the job uses it.
//!
//! [`kafka_client`] says how brokers are reached and what every client of ours has in common. On top of it, [`topic`]
//! creates topics that are missing, [`Producer`] writes, [`Group`] keeps offsets, and [`Transactions`] writes records
//! and offsets at once or not at all.

mod config;
mod group;
mod producer;
pub mod topic;
mod transactions;

pub use group::{CommittedOffset, Group};
pub use kafka_client::{KafkaArgs, Property};
pub use producer::{DeliveryContext, Producer};
pub use transactions::{Failure, Transactions};

/// As which program brokers know us.
pub(crate) const NAME: &str = "dataflow";
