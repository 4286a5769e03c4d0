//! `EventTime`: RFC 3339 as Footfall reads it, held against chrono where both have the same rules.

use chrono::DateTime;
use proptest::prelude::*;
use schemas::EventTime;

use crate::fixtures::cases;
use crate::generators::{event_time, matching};

fn millis(text: &str) -> Option<i64> {
    EventTime::parse(text.as_bytes()).ok().map(EventTime::millis)
}

/// Milliseconds by chrono, within the years that Footfall reads.
fn millis_by_chrono(text: &str) -> Option<i64> {
    let millis = DateTime::parse_from_rfc3339(text).ok()?.timestamp_millis();
    (EventTime::MIN.millis()..=EventTime::MAX.millis()).contains(&millis).then_some(millis)
}

prop_compose! {
    /// Texts in the form of RFC 3339 whose numbers may each be one too high or low. Left out, as the rules differ:
    /// second 60, a space for the `T`, and years outside of 0000..=9999.
    fn text()(
        year in prop_oneof![0..=9999, 1968..=1971, 2023..=2024, 9998..=9999],
        (month, day) in prop_oneof![4 => (1..=12, 1..=31), 1 => (0..=13, 0..=32)],
        (hour, minute, second) in prop_oneof![4 => (0..=23, 0..=59, 0..=59), 1 => (0..=25, 0..=61, 0..=59)],
        fraction in matching("(\\.[0-9]{0,12})?"),
        offset in matching("[Zz]|[+-][01][0-9]:[0-5][0-9]|[+-]2[0-5]:[0-6][0-9]"),
        t in matching("[Tt]"),
    ) -> String {
        format!("{year:04}-{month:02}-{day:02}{t}{hour:02}:{minute:02}:{second:02}{fraction}{offset}")
    }
}

proptest! {
    #![proptest_config(cases(4000))]

    #[test]
    fn times_are_read_as_chrono_reads_them(text in text()) {
        prop_assert_eq!(millis(&text), millis_by_chrono(&text), "{}", text);
    }

    #[test]
    fn times_are_written_as_they_are_read(time in event_time()) {
        let written = time.to_string();
        prop_assert_eq!(EventTime::parse(written.as_bytes()), Ok(time));
        prop_assert_eq!(millis_by_chrono(&written), Some(time.millis()));
        prop_assert_eq!(written.len(), "2024-01-01T12:00:00.000Z".len());
        prop_assert_eq!(serde_json::to_value(time).unwrap(), written.as_str());
        prop_assert_eq!(serde_json::from_value::<EventTime>(written.into()).unwrap(), time);
    }

    #[test]
    fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        let _ = EventTime::parse(&bytes);
    }

    #[test]
    fn a_changed_byte_gives_what_chrono_gives(text in text(), at in any::<prop::sample::Index>(), byte in matching("[0-9:.TZ+-]")) {
        let mut text = text;
        let at = at.index(text.len());
        text.replace_range(at..=at, &byte);
        // chrono reads second 60 as a leap second.
        prop_assume!(text.get(17..19) != Some("60"));
        prop_assert_eq!(millis(&text), millis_by_chrono(&text), "{}", text);
    }
}

#[test]
fn t_and_z_may_be_in_lower_case() {
    for text in ["2024-01-01T12:00:00Z", "2024-01-01t12:00:00Z", "2024-01-01T12:00:00z", "2024-01-01t12:00:00z"] {
        assert_eq!(millis(text), Some(1_704_110_400_000), "{text}");
    }
}

#[test]
fn a_space_or_anything_else_for_the_t_is_refused() {
    for text in ["2024-01-01 12:00:00Z", "2024-01-01_12:00:00Z", "2024-01-0112:00:00Z", "2024-01-01TT12:00:00Z"] {
        assert_eq!(millis(text), None, "{text}");
    }
}

#[test]
fn second_60_is_refused() {
    for text in ["2016-12-31T23:59:60Z", "2016-12-31T23:59:60.5Z", "2017-01-01T00:59:60+01:00"] {
        assert_eq!(millis(text), None, "{text}");
    }
    assert!(millis("2016-12-31T23:59:59.999Z").is_some());
}

#[test]
fn seconds_and_an_offset_are_required() {
    for text in
        ["2024-01-01T12:00Z", "2024-01-01T12Z", "2024-01-01", "2024-01-01T12:00:00", "2024-01-01T12:00:00.5", ""]
    {
        assert_eq!(millis(text), None, "{text}");
    }
}

#[test]
fn fractions_of_any_length_are_truncated_to_milliseconds() {
    for len in 1..=20 {
        let nines = "9".repeat(len);
        let expected = [900, 990, 999][(len - 1).min(2)];
        assert_eq!(
            millis(&format!("2024-01-01T12:00:00.{nines}Z")),
            Some(1_704_110_400_000 + expected),
            "{len} digits"
        );
        let late = format!("2024-01-01T12:00:00.{}1Z", "0".repeat(len - 1));
        assert_eq!(millis(&late), Some(1_704_110_400_000 + [100, 10, 1, 0][(len - 1).min(3)]), "{len} digits");
    }
    assert_eq!(millis(&format!("2024-01-01T12:00:00.{}Z", "5".repeat(60_000))), Some(1_704_110_400_555));
}

#[test]
fn fractions_are_truncated_towards_the_past_whatever_the_offset() {
    assert_eq!(millis("1970-01-01T00:00:00.0009Z"), Some(0));
    assert_eq!(millis("1969-12-31T23:59:59.9999-00:01"), Some(59_999));
    assert_eq!(millis("1970-01-01T00:00:59.9999+00:00"), Some(59_999));
}

#[test]
fn a_bare_point_and_a_comma_are_no_fraction() {
    for text in
        ["2024-01-01T12:00:00.Z", "2024-01-01T12:00:00,5Z", "2024-01-01T12:00:00.5.5Z", "2024-01-01T12:00:00.+01:00"]
    {
        assert_eq!(millis(text), None, "{text}");
    }
}

#[test]
fn offsets_reach_from_minus_to_plus_23_59() {
    let noon = 1_704_110_400_000;
    assert_eq!(millis("2024-01-02T11:59:00+23:59"), Some(noon));
    assert_eq!(millis("2023-12-31T12:01:00-23:59"), Some(noon));
    for text in ["2024-01-01T12:00:00+00:00", "2024-01-01T12:00:00-00:00", "2024-01-01T17:45:00+05:45"] {
        assert_eq!(millis(text), Some(noon), "{text}");
    }
    for offset in
        ["+24:00", "-24:00", "+00:60", "+0100", "+01", "+1:00", "+01:0", "+01:000", "\u{2212}01:00", "ZZ", "Z ", "UTC"]
    {
        assert_eq!(millis(&format!("2024-01-01T12:00:00{offset}")), None, "{offset}");
    }
}

#[test]
fn the_years_1970_to_9999_are_meant_in_utc() {
    assert_eq!(millis("1970-01-01T00:00:00Z"), Some(0));
    assert_eq!(millis("1969-12-31T23:59:59.999Z"), None);
    assert_eq!(millis("1969-12-31T23:00:00-01:00"), Some(0));
    assert_eq!(millis("1970-01-01T00:59:59.999+01:00"), None);
    assert_eq!(millis("9999-12-31T23:59:59.999Z"), Some(EventTime::MAX.millis()));
    assert_eq!(millis("9999-12-31T23:59:59.999999Z"), Some(EventTime::MAX.millis()));
    assert_eq!(millis("9999-12-31T23:00:00-01:00"), None);
    assert_eq!(millis("9999-12-31T23:59:59+00:01"), Some(EventTime::MAX.millis() - 60_999));
    for text in [
        "10000-01-01T00:00:00Z",
        "+2024-01-01T12:00:00Z",
        "-2024-01-01T12:00:00Z",
        "024-01-01T12:00:00Z",
        "0000-01-01T00:00:00Z",
    ] {
        assert_eq!(millis(text), None, "{text}");
    }
}

#[test]
fn days_are_those_of_the_gregorian_calendar() {
    for text in ["2024-02-29T00:00:00Z", "2000-02-29T00:00:00Z", "2024-12-31T00:00:00Z", "2024-04-30T00:00:00Z"] {
        assert!(millis(text).is_some(), "{text}");
    }
    for day in
        ["2023-02-29", "2100-02-29", "2024-02-30", "2024-04-31", "2024-00-10", "2024-13-10", "2024-01-00", "2024-01-32"]
    {
        assert_eq!(millis(&format!("{day}T00:00:00Z")), None, "{day}");
    }
}

#[test]
fn every_day_of_the_years_1970_to_9999_is_chronos_day() {
    let mut day = DateTime::UNIX_EPOCH;
    while day.timestamp_millis() <= EventTime::MAX.millis() {
        // A prime number of days hits every date of the calendar's 400 years in time.
        let time = EventTime::from_millis(day.timestamp_millis()).unwrap();
        let text = day.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        assert_eq!(time.to_string(), text);
        assert_eq!(EventTime::parse(text.as_bytes()), Ok(time));
        day += chrono::TimeDelta::days(17);
    }
}

#[test]
fn nothing_is_trimmed() {
    for text in [
        " 2024-01-01T12:00:00Z",
        "2024-01-01T12:00:00Z ",
        "2024-01-01T12:00:00 Z",
        "2024-01-01T12:00:00Z\n",
        "\u{feff}2024-01-01T12:00:00Z",
    ] {
        assert_eq!(millis(text), None, "{text:?}");
    }
}

#[test]
fn digits_are_ascii_digits() {
    for text in [
        "２024-01-01T12:00:00Z",
        "2024-0١-01T12:00:00Z",
        "2024-01-01T12:00:00.٣Z",
        "2024-01-01T1/:00:00Z",
        "2024-01-01T1::00:00Z",
    ] {
        assert_eq!(millis(text), None, "{text}");
    }
}

#[test]
fn milliseconds_outside_of_1970_to_9999_are_no_event_time() {
    for millis in [-1, i64::MIN, EventTime::MAX.millis() + 1, i64::MAX] {
        assert!(EventTime::from_millis(millis).is_err(), "{millis}");
    }
    assert_eq!(EventTime::MIN.to_string(), "1970-01-01T00:00:00.000Z");
    assert_eq!(EventTime::MAX.to_string(), "9999-12-31T23:59:59.999Z");
}

#[test]
fn the_serde_form_is_utc_with_milliseconds_alone() {
    for text in [
        "2024-01-01T12:00:00Z",
        "2024-01-01T12:00:00.000000Z",
        "2024-01-01T12:00:00.000+00:00",
        "2024-01-01t12:00:00.000z",
        "",
    ] {
        assert!(serde_json::from_value::<EventTime>(text.into()).is_err(), "{text}");
    }
    assert!(serde_json::from_str::<EventTime>("1704110400000").is_err());
}
