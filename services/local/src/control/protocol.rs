//! What is said over the socket: a line of JSON for the request, and lines of JSON in answer until one says that it is over.

use serde::{Deserialize, Serialize};

use crate::faults::Fault;

/// What somebody wants of a platform that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "want", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Request {
    /// That something goes wrong for a while; to hang up ends it.
    Fault { fault: Fault, millis: u64 },
    /// The demo's answer key of the last minutes.
    Key { minutes: u32 },
}

/// A line of the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Answer {
    /// Something to be shown.
    Said(String),
    /// It was done. Nothing follows.
    Done,
    /// It was not, for this reason. Nothing follows.
    Refused(String),
}
