//! Several processes that run one job: they meet, agree, tell each other what is new, and end together.
//!
//! Each test starts this program again, once for each process ([`process`]), with a small job that does what the test
//! tells it on standard input ([`harness`]).

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod agreeing;
#[path = "../common/captured.rs"]
mod captured;
mod ending;
mod gossip;
mod harness;
mod meeting;
mod process;
