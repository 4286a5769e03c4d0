//! The service over real sockets, on a real PostgreSQL with a database for each test.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod harness;
mod idempotency;
mod identity;
mod lists;
mod outages;
mod products;
mod program;
mod reservations;
mod versions;
