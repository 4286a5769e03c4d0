//! What Footfall needs around it, in one process on a laptop and in tests: PostgreSQL, DynamoDB, SQS, S3 and Kafka without a
//! container, a cloud account or a JVM.
//!
//! All speak the real protocol on a port of 127.0.0.1, so that the same client code runs as in production. All but SQS keep
//! their data in a folder, so that it is there again after a restart, however the process ended.
//!
//! | backend | what it is |
//! |---|---|
//! | [`postgres`] | the PostgreSQL of the system, as a child process that ends with this one |
//! | [`dynamodb`] | an emulator in this process, over SQLite |
//! | [`sqs`] | an emulator in this process, in memory; cargo feature `sqs` |
//! | [`s3`] | an emulator in this process, over files; cargo feature `s3` |
//! | [`kafka`] | a broker in this process, without transactions; cargo feature `kafka` |
//!
//! None of them is global: a process may run several, each on a port and a folder of its own. A folder belongs to one of
//! them at a time, by a [`lock`].

pub mod dynamodb;
mod error;
#[cfg(feature = "kafka")]
pub mod kafka;
pub mod lock;
mod ports;
pub mod postgres;
#[cfg(feature = "s3")]
pub mod s3;
pub mod secret;
#[cfg(any(feature = "s3", feature = "sqs"))]
mod server;
#[cfg(feature = "sqs")]
pub mod sqs;

pub use dynamodb::DynamoDb;
pub use error::Error;
#[cfg(feature = "kafka")]
pub use kafka::Kafka;
pub use lock::Lock;
pub use postgres::Postgres;
#[cfg(feature = "s3")]
pub use s3::S3;
#[cfg(feature = "sqs")]
pub use sqs::Sqs;
