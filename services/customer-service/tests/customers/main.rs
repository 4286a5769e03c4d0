//! The service over real sockets, on a real PostgreSQL with a database for each test, with a DynamoDB of its own and a
//! stand-in for the one route of the order service that it calls.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod customers;
mod deletion;
mod harness;
mod idempotency;
mod identity;
mod kills;
mod limits;
mod lists;
mod order_service;
mod outages;
mod passwords;
mod process;
mod program;
mod races;
mod secrets;
mod sessions;
mod versions;
mod world;
