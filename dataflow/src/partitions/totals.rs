//! What became of all records.

use schemas::Reason;

/// Sums over all partitions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Records received.
    pub received: u64,
    /// Records that went into a count.
    pub counted: u64,
    /// Valid events of windows that were final.
    pub late: u64,
    /// Records that are no valid events, by reason in the order of [`Reason::ALL`].
    pub rejected: [u64; Reason::ALL.len()],
    /// Valid events whose type is not asked for.
    pub filtered: u64,
    /// Records read again after a restart; not among those received.
    pub replayed: u64,
    /// Bytes of input read, as stored.
    pub bytes_read: u64,
}

impl Totals {
    /// Records that are no valid events.
    #[must_use]
    pub fn all_rejected(&self) -> u64 {
        self.rejected.iter().sum()
    }

    /// Whether every record received was counted, late, rejected or filtered, and none was twice.
    #[must_use]
    pub fn balances(&self) -> bool {
        self.received == self.counted + self.late + self.all_rejected() + self.filtered
    }
}
