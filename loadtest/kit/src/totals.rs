//! How many records became what.

use std::iter::Sum;

/// What has become of the records of a partition, or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// All records.
    pub received: u64,
    /// Events that were counted.
    pub counted: u64,
    /// Events that came after their window.
    pub late: u64,
    /// Records that are no events.
    pub rejected: u64,
    /// Events of other types.
    pub filtered: u64,
}

impl Totals {
    /// Whether every record that was received has become something.
    pub fn is_balanced(self) -> bool {
        self.received == self.counted + self.late + self.rejected + self.filtered
    }
}

impl Sum for Totals {
    fn sum<I: Iterator<Item = Self>>(items: I) -> Self {
        items.fold(Totals::default(), |sum, item| Totals {
            received: sum.received + item.received,
            counted: sum.counted + item.counted,
            late: sum.late + item.late,
            rejected: sum.rejected + item.rejected,
            filtered: sum.filtered + item.filtered,
        })
    }
}
