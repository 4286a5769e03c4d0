//! The clock on the wall.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since the Unix epoch; 0 where the clock is set to before it.
#[must_use]
pub fn now_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.ok().and_then(|since| i64::try_from(since.as_millis()).ok()).unwrap_or(0)
}

/// The same in seconds.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a clock is far below 2^52 milliseconds")]
pub fn now_seconds() -> f64 {
    now_millis() as f64 / 1000.0
}
