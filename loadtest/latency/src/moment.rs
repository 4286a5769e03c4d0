//! Moments on the wall clock. Everything runs on one machine, so those of different programs can be compared.

use std::time::{SystemTime, UNIX_EPOCH};

/// Microseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(i64);

impl Moment {
    /// This moment.
    pub(crate) fn now() -> Self {
        let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Moment(i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX))
    }

    /// The moment so many milliseconds after the Unix epoch.
    pub(crate) const fn from_millis(millis: i64) -> Self {
        Moment(millis.saturating_mul(1000))
    }

    /// Whole milliseconds since the Unix epoch.
    pub(crate) const fn millis(self) -> i64 {
        self.0 / 1000
    }

    /// The milliseconds from an earlier moment to this one.
    pub(crate) fn millis_since(self, earlier: Moment) -> f64 {
        (self.0 - earlier.0) as f64 / 1000.0
    }
}
