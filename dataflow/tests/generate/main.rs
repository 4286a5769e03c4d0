//! The event generator keeps its promises: the seed fixes every byte, the answer key is right, shares are what was
//! asked for, and it stops when told to.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod files;
mod fixture;
mod flags;
mod oracle;
mod pace;
mod stream;
