//! Up to when a stream is complete.

use std::fmt;

use schemas::{EventTime, Window};
use serde::{Deserialize, Serialize};

/// Event time up to which a stream is complete, in milliseconds since the Unix epoch.
///
/// `BEGINNING` before the first event, `END` after the last. Unlike an [`EventTime`] it may lie
/// before 1970, as it trails the events by the out-of-orderness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Watermark(pub(super) i64);

impl Watermark {
    /// Nothing is known to be complete.
    pub const BEGINNING: Watermark = Watermark(i64::MIN);
    /// Everything is complete: no further event comes.
    pub const END: Watermark = Watermark(i64::MAX);

    /// Complete up to `millis` milliseconds after the Unix epoch.
    #[must_use]
    pub const fn at(millis: i64) -> Self {
        Watermark(millis)
    }

    /// Milliseconds since the Unix epoch, unless it is `BEGINNING` or `END`.
    #[must_use]
    pub fn millis(self) -> Option<i64> {
        (self != Self::BEGINNING && self != Self::END).then_some(self.0)
    }

    /// Milliseconds since the Unix epoch, whatever it is.
    #[must_use]
    pub const fn raw_millis(self) -> i64 {
        self.0
    }

    /// Whether the window's last event is known to have come.
    #[must_use]
    pub const fn closes(self, window: Window) -> bool {
        window.end_millis() <= self.0
    }

    /// By how much it has passed the end of a window that it closes, in milliseconds.
    #[must_use]
    pub const fn passed(self, window: Window) -> u64 {
        self.0.saturating_sub(window.end_millis()).unsigned_abs()
    }

    /// The ordinal of the first window that is still open: the dataflow's timestamp for this watermark.
    #[must_use]
    pub const fn first_open_window(self) -> u64 {
        if self.0 <= 0 { 0 } else { (self.0 / Window::MILLIS).unsigned_abs() }
    }

    /// This watermark, `duration_millis` later.
    #[must_use]
    pub const fn plus(self, duration_millis: i64) -> Self {
        Watermark(self.0.saturating_add(duration_millis))
    }
}

impl fmt::Display for Watermark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (*self, EventTime::from_millis(self.0)) {
            (Watermark::END, _) => f.write_str("end"),
            (_, Ok(time)) => time.fmt(f),
            (_, Err(_)) => f.write_str("none yet"),
        }
    }
}
