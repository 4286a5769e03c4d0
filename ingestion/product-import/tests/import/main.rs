//! Imports on the real wire: S3 over a folder, a gateway that fails as it is told to, and the compiled programs.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod catalog;
mod cli;
mod continuations;
mod events;
mod excel;
mod faults;
mod files;
mod function;
mod gateway;
mod guide;
mod properties;
mod runtime;
mod s3;
mod serve;
mod volume;
mod world;
