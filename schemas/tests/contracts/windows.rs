//! `Window`: tumbling minutes of event time, aligned to the Unix epoch.

use chrono::DateTime;
use proptest::prelude::*;
use schemas::{EventTime, Window};

use crate::fixtures::cases;
use crate::generators::{event_time, window};

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn every_time_lies_in_its_window_and_in_no_other(time in event_time()) {
        let window = Window::of(time);
        prop_assert!((window.start_millis()..window.end_millis()).contains(&time.millis()));
        prop_assert_eq!(window.end_millis() - window.start_millis(), Window::MILLIS);
        prop_assert_eq!(window.start_millis() % Window::MILLIS, 0);
        prop_assert_eq!(Window::from_ordinal(window.ordinal()), window);
        prop_assert_eq!(window.end_millis(), Window::from_ordinal(window.ordinal() + 1).start_millis());
    }

    #[test]
    fn windows_are_ordered_as_their_times_and_as_their_texts(a in event_time(), b in event_time()) {
        let (first, second) = (Window::of(a.min(b)), Window::of(a.max(b)));
        prop_assert!(first <= second);
        prop_assert!(first.start_text() <= second.start_text());
    }

    #[test]
    fn texts_are_whole_seconds_in_utc(window in window()) {
        let by_chrono = |millis| DateTime::from_timestamp_millis(millis).unwrap().format("%Y-%m-%dT%H:%M:%SZ").to_string();
        prop_assert_eq!(window.start_text(), by_chrono(window.start_millis()));
        prop_assert_eq!(window.end_text(), by_chrono(window.end_millis()));
        prop_assert_eq!(window.to_string(), window.start_text());
    }

    #[test]
    fn a_window_is_found_by_its_start_text(window in window()) {
        prop_assert_eq!(Window::from_start_text(&window.start_text()), Ok(window));
    }

    #[test]
    fn only_the_start_text_finds_a_window(time in event_time()) {
        prop_assert!(Window::from_start_text(&time.to_string()).is_err());
        let whole_seconds = format!("{}Z", &time.to_string()[..19]);
        let is_start = time.millis() / 1000 % 60 == 0;
        prop_assert_eq!(Window::from_start_text(&whole_seconds).is_ok(), is_start);
    }
}

#[test]
fn other_spellings_of_a_whole_minute_are_refused() {
    assert!(Window::from_start_text("2024-01-01T12:00:00Z").is_ok());
    for text in [
        "2024-01-01T12:00:00.000Z",
        "2024-01-01T12:00:00+00:00",
        "2024-01-01t12:00:00Z",
        "2024-01-01T12:00:00z",
        "2024-01-01T13:00:00+01:00",
        " 2024-01-01T12:00:00Z",
        "2024-01-01T12:00Z",
        "2024-01-01T12:00:01Z",
        "1969-12-31T23:59:00Z",
        "10000-01-01T00:00:00Z",
        "",
    ] {
        assert!(Window::from_start_text(text).is_err(), "{text:?}");
    }
}

#[test]
fn the_first_and_the_last_window() {
    let (first, last) = (Window::of(EventTime::MIN), Window::of(EventTime::MAX));
    assert_eq!((first.ordinal(), first.start_text().as_str()), (0, "1970-01-01T00:00:00Z"));
    assert_eq!(last.start_text(), "9999-12-31T23:59:00Z");
    // The one text with five digits of year.
    assert_eq!(last.end_text(), "10000-01-01T00:00:00Z");
}
