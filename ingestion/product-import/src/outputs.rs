//! Where an import leaves what it has to tell.

use std::path::Path;

use crate::{Error, Report};

/// The place of a file's report and of its rows that failed.
pub trait Outputs: Send {
    /// Where the rows that failed are, as the report names it.
    fn errors_key(&self) -> String;

    /// Puts the file of errors there, instead of the one before.
    ///
    /// # Errors
    /// Where that cannot be done.
    fn keep_errors(&mut self, file: &Path) -> impl Future<Output = Result<(), Error>> + Send;

    /// Brings the file of errors that an earlier part of the import has left; returns whether there is one.
    ///
    /// # Errors
    /// Where it cannot be read.
    fn fetch_errors(&mut self, to: &Path) -> impl Future<Output = Result<bool, Error>> + Send;

    /// Removes the file of errors that an earlier import has left.
    ///
    /// # Errors
    /// Where that cannot be done.
    fn forget_errors(&mut self) -> impl Future<Output = Result<(), Error>> + Send;

    /// Puts the report there, instead of the one before.
    ///
    /// # Errors
    /// Where that cannot be done.
    fn keep_report(&mut self, report: &Report) -> impl Future<Output = Result<(), Error>> + Send;
}

impl Report {
    /// The report as it is written.
    pub(crate) fn to_json(&self) -> Result<Vec<u8>, Error> {
        let json = serde_json::to_vec_pretty(self);
        json.map_err(|error| Error::Internal(format!("the report cannot be written as JSON: {error}")))
    }
}
