//! Durations on the command line, and as the milliseconds of event time.

use std::time::Duration;

/// Longer durations are mistyped units, and would not fit event time.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// Reads a duration such as `10s`, `1500ms` or `5m`, of at most a year.
///
/// # Errors
/// What is wrong with the text, and how to write it.
pub fn parse(text: &str) -> Result<Duration, String> {
    let duration =
        humantime::parse_duration(text).map_err(|error| format!("{error}; write it like 10s, 1500ms or 5m"))?;
    if duration > LONGEST { Err("it is longer than a year".to_owned()) } else { Ok(duration) }
}

/// The duration in whole milliseconds, as event time counts them.
#[must_use]
pub fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
