//! Exactly once: resume records, and the committer through which they and the output become durable together.
//!
//! The state of the job lives for about as long as its windows are open, so it is not saved: a restart reads again what
//! the open windows were made of. What must survive is where to begin, and what was written already. That is the
//! [resume record](record) of each partition. Readers tell how far they are by [markers](marker), which follow the
//! records that they have sent; the [committer] turns the latest marker of each partition into a record and commits it
//! with the output that it stands for, in the [home] of the records: a [Kafka group](kafka), in one transaction with the
//! output, or a [file](mod@file).
//!
//! `docs/concepts/exactly-once.md` explains the protocol and why it holds.

pub mod begin;
pub mod committer;
pub mod file;
pub mod home;
pub mod kafka;
pub mod ledger;
pub mod marker;
pub mod operator;
pub mod record;
