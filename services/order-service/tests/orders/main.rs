//! The service over real sockets, on a real PostgreSQL with a database for each test, beside the real product catalog.
//!
//! Tests on Kafka begin with `let Some(kafka) = kafka::shared().await else { return };`: a machine without Java or Maven leaves
//! them out, unless `FOOTFALL_REQUIRE_KAFKA=1` (see loadtest/kafka/README.md).

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod child;
mod closing;
mod harness;
mod held;
mod identity;
mod kafka;
mod kills;
mod lists;
mod outages;
mod placing;
mod program;
mod proxy;
mod queue;
mod reaper;
mod relay;
mod statuses;
