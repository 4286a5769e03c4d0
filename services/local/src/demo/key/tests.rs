use std::time::Duration;

use schemas::Reason;

use super::*;
use crate::demo::event::Action;

fn time(text: &str) -> EventTime {
    EventTime::parse(format!("2024-01-01T{text}Z").as_bytes()).unwrap()
}

fn look(visitor: u32, product: u16, text: &str) -> Event {
    Event { visitor, product, action: Action::View, time: time(text), partition: 0, session: 0 }
}

fn batch(events: &[Event]) -> Batch {
    let mut batch = Batch::default();
    events.iter().for_each(|event| batch.push(*event, "1"));
    batch
}

fn key(event_types: &[&str]) -> Key {
    let event_types = event_types.iter().map(|text| (*text).to_owned()).collect();
    let (out_of_orderness, allowed_lateness) = (Duration::from_secs(10), Duration::ZERO);
    let rules = Rules { out_of_orderness, allowed_lateness, max_future_skew: None, event_types };
    Key::new(&rules, 1, time("12:00:30"))
}

fn exact(least: u32) -> Count {
    Count { least, most: least }
}

fn minute(key: &Key, text: &str) -> Minute {
    let window = Window::of(time(text));
    let minutes = key.minutes(60, time("12:30:00"));
    minutes.into_iter().find_map(|(found, minute)| (found == window).then_some(minute)).unwrap()
}

#[test]
fn a_visitor_counts_once_in_a_minute_for_each_product() {
    let mut key = key(&[]);
    let events = [look(1, 5, "12:01:01"), look(2, 5, "12:01:02"), look(1, 5, "12:01:03"), look(1, 9, "12:01:04")];
    key.acknowledge(&batch(&events), &[], time("12:01:05"));
    assert_eq!(minute(&key, "12:01:00"), Minute::Known(vec![(5, exact(2)), (9, exact(1))]));
    assert_eq!(minute(&key, "12:02:00"), Minute::Known(Vec::new()));
}

#[test]
fn minutes_that_had_begun_before_are_not_known() {
    let mut key = key(&[]);
    key.acknowledge(&batch(&[look(1, 5, "12:00:59")]), &[], time("12:01:00"));
    assert_eq!(minute(&key, "12:00:00"), Minute::Unknown);
    assert_eq!(minute(&key, "11:58:00"), Minute::Unknown);
}

#[test]
fn what_is_refused_or_late_or_of_another_type_does_not_count() {
    let mut key = key(&["VIEW_PRODUCT"]);
    let bought = Event { action: Action::Purchase, ..look(3, 5, "12:01:03") };
    let mut first = batch(&[look(1, 5, "12:01:01"), look(2, 5, "12:01:02"), bought]);
    first.push_broken(look(4, 5, "12:01:02"), "1", Reason::MissingUserId);
    key.acknowledge(&first, &[1], time("12:01:05"));
    key.acknowledge(&batch(&[look(9, 5, "12:05:00")]), &[], time("12:05:01"));
    key.acknowledge(&batch(&[look(8, 5, "12:01:59")]), &[], time("12:05:02"));
    assert_eq!(minute(&key, "12:01:00"), Minute::Known(vec![(5, exact(1))]));
}

#[test]
fn a_late_acknowledgement_makes_a_range_unless_the_visitor_is_known_anyhow() {
    let mut key = key(&[]);
    key.acknowledge(&batch(&[look(1, 5, "12:01:50")]), &[], time("12:01:51"));
    let slow = batch(&[look(1, 5, "12:01:58"), look(2, 5, "12:01:59"), look(3, 6, "12:02:01")]);
    key.acknowledge(&slow, &[], time("12:02:30"));
    assert_eq!(minute(&key, "12:01:00"), Minute::Known(vec![(5, Count { least: 1, most: 2 })]));
    // Its minute was open all the time.
    assert_eq!(minute(&key, "12:02:00"), Minute::Known(vec![(6, exact(1))]));
}

#[test]
fn what_was_given_up_may_have_arrived() {
    let mut key = key(&[]);
    key.give_up(&batch(&[look(1, 5, "12:01:50")]), time("12:01:51"));
    assert_eq!(minute(&key, "12:01:00"), Minute::Known(vec![(5, Count { least: 0, most: 1 })]));
}

#[test]
fn a_minute_is_told_once_it_is_over_and_nothing_of_it_is_on_its_way() {
    let mut key = key(&[]);
    let last = |key: &Key, now: &str| key.minutes(1, time(now))[0].0.start_text();
    assert_eq!(last(&key, "12:02:09.999"), "2024-01-01T12:00:00Z");
    assert_eq!(last(&key, "12:02:10"), "2024-01-01T12:01:00Z");
    let slow = batch(&[look(1, 5, "12:01:59")]);
    key.send(&slow);
    assert_eq!(last(&key, "12:05:00"), "2024-01-01T12:00:00Z");
    key.acknowledge(&slow, &[], time("12:05:00"));
    assert_eq!(last(&key, "12:05:10"), "2024-01-01T12:04:00Z");
}

#[test]
fn counts_outlive_the_visitors_and_a_late_word_of_them_widens_the_range() {
    let mut key = key(&[]);
    key.acknowledge(&batch(&[look(1, 5, "12:01:01")]), &[], time("12:01:02"));
    key.acknowledge(&batch(&[look(1, 5, "12:20:00")]), &[], time("12:20:01"));
    assert_eq!(minute(&key, "12:01:00"), Minute::Known(vec![(5, exact(1))]));
    let mut slow = look(2, 5, "12:01:30");
    // Of a partition of which nothing is known.
    slow.partition = 7;
    key.acknowledge(&batch(&[slow]), &[], time("12:20:02"));
    assert_eq!(minute(&key, "12:01:00"), Minute::Known(vec![(5, Count { least: 1, most: 2 })]));
}
