//! What tests of the services share: [answers](answer) held against the contract, [callers](authorization) as the gateway
//! makes them, a [database](Database) for each test on a server that they share, and services as [programs](program).
//!
//! Everything panics where it fails: that is how a test says so.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test fails by panicking")]

mod answer;
mod database;
pub mod program;

use service_kit::auth::{Caller, TokenSigner};

pub use answer::{Answer, all, answer, count};
pub use database::{Database, MAX_CONNECTIONS, Server, flags, folder};

/// Every secret in tests.
pub const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// An `Authorization` header as the gateway makes it.
#[must_use]
pub fn authorization(audience: &'static str, secret: &str, caller: &Caller) -> String {
    TokenSigner::new(audience, &secret.parse().unwrap()).authorization(caller).unwrap()
}
