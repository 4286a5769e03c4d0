//! What tests of the whole job stand on: a real Kafka, a DynamoDB emulator, the generator and the job as child
//! processes, and readers of what comes out.

pub mod broker;
pub mod dynamo;
pub mod generator;
pub mod http_proxy;
pub mod job;
pub mod processes;
pub mod table;
pub mod topic;
pub mod totals;

/// What can go wrong with a test itself, in a sentence.
pub type Trouble = Box<dyn std::error::Error + Send + Sync>;
