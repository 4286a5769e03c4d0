//! Why the program ends with something other than success, and with which exit code.

use serde::{Deserialize, Serialize};

/// One sentence for the user; the variant is the exit code, named after `sysexits.h`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Error {
    /// 64: a flag, a variable, a path or a combination of them cannot be used as given.
    #[error("{0}")]
    Usage(String),
    /// 65: the input is damaged, or has rejected records under `--strict`.
    #[error("{0}")]
    BadData(String),
    /// 69: a broker, a store or another dependency cannot be reached or refuses to serve.
    #[error("{0}")]
    Unavailable(String),
    /// 70: the job contradicts itself; a defect of ours.
    #[error("{0}")]
    Internal(String),
    /// 75: the job cannot go on, but can be started again: it takes up where its last commit was.
    #[error("{0}")]
    Restart(String),
    /// 78: another job has taken its place, or its resume records cannot be used; a restart is of no use.
    #[error("{0}")]
    Refused(String),
    /// 130: the user interrupted it.
    #[error("interrupted; the replay is incomplete, and output files are left as they were")]
    Interrupted,
    /// 74: reading the input failed, or an output cannot be written.
    #[error("{0}")]
    Io(String),
}

impl From<kafka_client::Error> for Error {
    fn from(error: kafka_client::Error) -> Self {
        match error {
            kafka_client::Error::Setting(text) => Error::Usage(text),
            kafka_client::Error::NoSuchTopic(text) => Error::Usage(format!("{text}, or let --create-topics do it")),
            kafka_client::Error::Unavailable(text) => Error::Unavailable(text),
        }
    }
}

impl Error {
    /// The exit code that tells a supervisor what happened.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Error::Usage(_) => 64,
            Error::BadData(_) => 65,
            Error::Unavailable(_) => 69,
            Error::Internal(_) => 70,
            Error::Io(_) => 74,
            Error::Restart(_) => 75,
            Error::Refused(_) => 78,
            Error::Interrupted => 130,
        }
    }
}
