//! The whole job, in this process: scripted partitions in, rows and quarantined records out, compared with a naive
//! model.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod fixture;
mod flow;
mod idle;
mod lateness;
mod live;
mod memory;
mod model;
mod properties;
mod resumption;
mod time;
mod topic;
