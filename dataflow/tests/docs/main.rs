//! The documentation is a contract too: what README.md and `docs/` say is run, or compared with what the program says.
//!
//! `UPDATE_GOLDEN=1 cargo test -p dataflow --test docs` rewrites what is generated, and the outputs of commands.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod backends;
mod book;
mod cli;
mod links;
mod metrics;
mod runbooks;
mod shape;
mod tables;
mod transcript;
mod transcripts;
