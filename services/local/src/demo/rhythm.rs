//! How busy the shop is through the day: most in the late afternoon, least before dawn, and never quiet.

use std::f64::consts::PI;

use schemas::EventTime;

/// The busiest hour where the shop is.
const BUSIEST_HOUR: f64 = 17.0;
/// By which part the busiest hour is above the average, and the quietest below.
const SWING: f64 = 0.4;
const HOUR_MILLIS: f64 = 3_600_000.0;

/// How many times the average it is, at a time of the clock and so many seconds east of Greenwich.
#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are below 2^52")]
pub(super) fn factor(now: EventTime, utc_offset_seconds: i32) -> f64 {
    let hour = now.millis() as f64 / HOUR_MILLIS + f64::from(utc_offset_seconds) / 3_600.0;
    1.0 + SWING * (2.0 * PI * (hour - BUSIEST_HOUR) / 24.0).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64) -> EventTime {
        EventTime::from_millis(hour * 3_600_000).unwrap()
    }

    #[test]
    fn the_day_has_its_average_and_the_night_still_moves() {
        let day: Vec<_> = (0..24).map(|hour| factor(at(hour), 0)).collect();
        let average: f64 = day.iter().sum::<f64>() / 24.0;
        assert!((average - 1.0).abs() < 1e-9, "{average}");
        assert!(day.iter().all(|factor| *factor > 0.5));
        assert!(day[17] > 1.3 && day[5] < 0.7);
    }

    #[test]
    fn the_hour_is_that_of_the_place() {
        assert!((factor(at(15), 7_200) - factor(at(17), 0)).abs() < 1e-9);
    }
}
