//! The whole platform: a process, real backends, HTTP.

#![cfg(feature = "kafka")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod authorization;
mod demo;
mod faults;
mod harness;
mod imports;
mod k6;
mod key;
mod lifecycle;
mod walk;
