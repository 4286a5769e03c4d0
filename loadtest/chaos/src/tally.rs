//! What happened in a scenario, in numbers.

use std::collections::BTreeMap;
use std::time::Duration;

use kit::job::Recovery;

/// What happened in a scenario.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// How often something was done to the job or to what it stands on.
    pub(crate) faults: u64,
    /// The recoveries by epoch: several processes tell of the same one.
    pub(crate) recoveries: BTreeMap<u64, Recovery>,
    /// Rows and records that were compared.
    pub(crate) compared: u64,
    /// What is not as it must be: a sentence each.
    pub(crate) findings: Vec<String>,
    /// What was measured: a line each, printed below the table.
    pub(crate) notes: Vec<String>,
    /// Rows and records that differ, and findings.
    pub(crate) differences: u64,
}

impl Tally {
    /// Notes something that is not as it must be.
    pub(crate) fn find(&mut self, finding: impl Into<String>) {
        self.findings.push(finding.into());
        self.differences += 1;
    }

    /// Notes a recovery.
    pub(crate) fn recovered(&mut self, recovery: Recovery) {
        self.recoveries.insert(recovery.epoch, recovery);
    }

    /// Records replayed in all recoveries.
    pub(crate) fn replayed(&self) -> u64 {
        self.recoveries.values().map(|recovery| recovery.replayed).sum()
    }

    /// The longest recovery.
    pub(crate) fn longest(&self) -> Duration {
        self.recoveries.values().map(|recovery| recovery.took).max().unwrap_or_default()
    }
}
