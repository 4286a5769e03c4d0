//! The contracts of Footfall as a specification that runs.
//!
//! `examples`, `lists` and `drift` hold the JSON Schemas, the example payloads and the Rust types against each
//! other. `decoder_*` state the rules of raw events one by one and as properties. `times`, `money` and `windows`
//! do the same for the small types. `fixtures` and `generators` serve them all.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod decoder_agreement;
mod decoder_ids;
mod decoder_json;
mod decoder_oracle;
mod decoder_verdicts;
mod drift;
mod drift_raw;
mod encoder;
mod examples;
mod fixtures;
mod generators;
mod lists;
mod money;
mod mutations;
mod quarantine;
mod texts;
mod times;
mod windows;
