//! The Footfall job.

pub mod admin;
pub mod block;
pub mod classify;
pub mod cli;
pub mod clock;
pub mod control;
pub mod distinct;
pub mod duration;
pub mod error;
pub mod generate;
pub mod job;
pub mod kafka;
pub mod metrics;
pub mod output;
pub mod partitions;
pub mod record;
pub mod sink;
pub mod source;
pub mod views;
pub mod windows;
