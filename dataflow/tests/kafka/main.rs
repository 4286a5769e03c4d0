//! The program on real Apache Kafka: topics in, topics and a DynamoDB table out.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod broker;
#[path = "../common/dynamo.rs"]
mod dynamo;
mod failures;
mod harness;
mod program;
mod records;
mod replay;
mod run;
mod security;
mod topics;
mod transactions;
