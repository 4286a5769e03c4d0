//! Where resume records live.

use schemas::ResultRow;

use super::begin::Start;
use super::record::ResumeRecord;
use crate::error::Error;
use crate::record::{Offset, PartitionId, Quarantined};

/// Something to be written, in order.
#[derive(Clone, Debug)]
pub enum Output {
    /// Final rows, sorted by window and product.
    Rows(Vec<ResultRow>),
    /// Counts of windows that are open.
    Live(Vec<ResultRow>),
    /// Late and rejected records.
    Quarantined(Vec<Quarantined>),
}

/// A partition's resume record and the offset that it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The partition.
    pub partition: PartitionId,
    /// Where a restart begins to read.
    pub offset: Offset,
    /// What it must know.
    pub record: ResumeRecord,
}

/// Why a commit has not happened.
#[derive(Debug)]
pub enum Failure {
    /// Nothing of it was written; the same can be tried again.
    Aborted(String),
    /// It cannot be tried again.
    Final(Error),
}

/// Keeps resume records. There are two: a Kafka group, together with output in the same transaction, and a file.
pub trait Home: Send {
    /// Shuts every earlier job out, reads the records and checks them; the epoch is higher than theirs and at least
    /// `least_epoch`. The records are written anew with this epoch before it returns, so that an earlier job finds it.
    ///
    /// # Errors
    /// [`Error::Refused`] where the records cannot be used, [`Error::Unavailable`] where they cannot be reached.
    fn open(&mut self, least_epoch: u64) -> Result<Start, Error>;

    /// Writes records, and output with them where the home takes output, all or nothing.
    ///
    /// # Errors
    /// [`Failure::Aborted`] where it may be tried again.
    fn commit(&mut self, outputs: &[Output], commits: &[Commit]) -> Result<(), Failure>;

    /// Whether output is written together with the records. What is not must be durable before.
    fn takes_output(&self) -> bool;

    /// Called about once a second, also where there is nothing to commit.
    ///
    /// # Errors
    /// When the records are no longer safe here.
    fn tend(&mut self) -> Result<(), Error> {
        Ok(())
    }
}
