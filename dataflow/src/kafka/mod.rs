//! Kafka: how brokers are reached, and what every client of ours has in common.
//!
//! [`KafkaArgs`] are the flags and variables; from them come the configurations of consumers and producers. Whatever
//! our guarantees rest on (what is committed and when, what a reader may see, what counts as acknowledged) is set
//! here once and cannot be overridden. [`topic`] looks topics up without creating them, [`Producer`] writes.

mod args;
mod config;
mod context;
mod msk_iam;
mod producer;
pub mod topic;

pub use args::{KafkaArgs, Property, SaslMechanism, Secret, SecurityProtocol};
pub use context::Context;
pub use producer::{DeliveryContext, Producer};
