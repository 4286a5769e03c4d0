//! Durations on the command line.

use std::time::Duration;

/// Reads a whole number with its unit: `ms`, `s`, `m`, `h` or `d`, such as `90s`.
pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let unit_millis = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err("not a duration; give a whole number with ms, s, m, h or d, such as 90s".into()),
    };
    let number: u64 = number.parse().map_err(|_| "not a duration; give a whole number before the unit".to_string())?;
    number.checked_mul(unit_millis).map(Duration::from_millis).ok_or_else(|| "too long a duration".into())
}
