//! The program on real Apache Kafka: topics in, topics and a DynamoDB table out.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod at_least_once;
mod broker;
mod cluster;
#[path = "../common/dynamo.rs"]
mod dynamo;
mod failures;
mod fencing;
mod harness;
mod jobs;
mod operator;
mod outages;
mod partitions;
mod program;
mod records;
mod refusals;
mod replay;
mod restart;
mod run;
mod security;
mod streams;
mod tables;
mod topics;
mod transactions;
