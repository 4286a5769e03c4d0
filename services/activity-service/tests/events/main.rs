//! The service over real sockets, and on a real Kafka where that matters.
//!
//! Tests on Kafka begin with `let Some(kafka) = kafka::shared() else { return };`: a machine without Java or Maven leaves
//! them out, unless `FOOTFALL_REQUIRE_KAFKA=1` (see loadtest/kafka/README.md).

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod faults;
mod kafka;
mod outages;
mod publishing;
mod service;
