//! Kafka: how brokers are reached, and what every client of ours has in common.
//!
//! [`KafkaArgs`] are the flags and variables; from them come the configurations of consumers and producers. Whatever
//! our guarantees rest on (what is committed and when, what a reader may see, what counts as acknowledged) is set
//! here once and cannot be overridden. [`topic`] looks topics up without creating them, [`Producer`] writes,
//! [`Group`] keeps offsets, and [`Transactions`] writes records and offsets at once or not at all.

mod args;
mod config;
mod context;
mod group;
mod msk_iam;
mod producer;
pub mod topic;
mod transactions;

pub use args::{KafkaArgs, Property, SaslMechanism, Secret, SecurityProtocol};
pub use context::Context;
pub use group::{CommittedOffset, Group};
pub use producer::{DeliveryContext, Producer};
pub use transactions::{Failure, Transactions};
