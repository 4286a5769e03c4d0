//! Why an import does not go on.

use std::io;

/// What stops an import. What is wrong with a row is told in the file of errors, what is wrong with a file in its report:
/// neither is one of these.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting is missing or wrong.
    #[error("{0}")]
    Settings(String),
    /// The gateway answers in a way that has nothing to do with the row.
    #[error("{0}")]
    Gateway(String),
    /// We may not do this in S3.
    #[error("s3://{bucket}/{key}: access denied; give the function's role {permission}")]
    AccessDenied {
        /// The bucket.
        bucket: String,
        /// The object's key.
        key: String,
        /// What the role lacks.
        permission: &'static str,
    },
    /// S3 does not do what it was asked to.
    #[error("s3://{bucket}/{key}: {cause}")]
    Store {
        /// The bucket.
        bucket: String,
        /// The object's key.
        key: String,
        /// What happened.
        cause: String,
    },
    /// The object was deleted or replaced while it was read: what replaced it has an event of its own.
    #[error("s3://{bucket}/{key}: it was deleted or replaced while it was imported")]
    Gone {
        /// The bucket.
        bucket: String,
        /// The object's key.
        key: String,
    },
    /// A file on this machine cannot be read or written.
    #[error("{path}: {cause}")]
    File {
        /// Where it is.
        path: String,
        /// What happened.
        cause: io::Error,
    },
    /// The event is none that can be imported.
    #[error("{0}")]
    Event(String),
    /// The import has no time left and cannot be continued.
    #[error("{0}")]
    Unfinished(String),
    /// A defect of ours.
    #[error("{0}; please report this")]
    Internal(String),
}

impl Error {
    /// What kind of error it is, for those who count them.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Error::Settings(_) => "Settings",
            Error::Gateway(_) => "Gateway",
            Error::AccessDenied { .. } => "AccessDenied",
            Error::Store { .. } => "Store",
            Error::Gone { .. } => "Gone",
            Error::File { .. } => "File",
            Error::Event(_) => "Event",
            Error::Unfinished(_) => "Unfinished",
            Error::Internal(_) => "Internal",
        }
    }

    pub(crate) fn file(path: &std::path::Path, cause: io::Error) -> Self {
        Error::File { path: path.display().to_string(), cause }
    }
}

/// An error and what it came from, in one line.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        // Some errors tell their cause themselves.
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}
