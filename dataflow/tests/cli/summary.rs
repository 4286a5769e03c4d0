//! The closing summary: it balances, and says where records are that were not counted.

use crate::fixtures::{event, generated, three_events};
use crate::harness::Place;

fn place_with_events() -> Place {
    let place = Place::new();
    place.write("events", three_events() + "{}\n" + &event("u9", "9", "12:00:59"));
    place
}

fn line<'a>(text: &'a str, label: &str) -> &'a str {
    text.lines().find(|line| line.trim_start().starts_with(label)).unwrap_or_else(|| panic!("no {label}:\n{text}"))
}

#[test]
fn the_summary_says_what_the_answer_key_says() {
    let place = Place::new();
    generated(&place, &["--answers-summary", "totals"]);
    let totals: serde_json::Value = serde_json::from_slice(&place.read("totals")).expect("JSON");
    let total = |name: &str| totals[name].as_u64().expect("a number");
    let rejected: u64 =
        totals["rejected"].as_object().expect("an object").values().filter_map(serde_json::Value::as_u64).sum();
    for workers in ["1", "3"] {
        let ended = place.replay("file:events", &["-w", workers]).succeeds();
        let ended = ended.balances(total("counted"), total("late"), rejected, total("filtered"));
        assert_eq!(ended.total("windows closed"), total("windows"));
        for (reason, records) in totals["rejected"].as_object().expect("an object") {
            assert_eq!(Some(ended.total(reason)), records.as_u64(), "{reason}");
        }
    }
}

#[test]
fn records_that_are_not_kept_are_named_with_the_flag_that_keeps_them() {
    let ended = place_with_events().replay("file:events", &[]).succeeds();
    assert!(line(&ended.stderr, "late").ends_with("not kept; --late PATH keeps them"), "{}", ended.stderr);
    assert!(line(&ended.stderr, "rejected").ends_with("not kept; --rejects PATH keeps them"), "{}", ended.stderr);
}

#[test]
fn records_that_are_kept_are_named_with_their_place() {
    let ended = place_with_events().replay("file:events", &["--late", "l", "--rejects", "r"]).succeeds();
    assert!(line(&ended.stderr, "late").ends_with("kept in l"), "{}", ended.stderr);
    assert!(line(&ended.stderr, "rejected").ends_with("kept in r"), "{}", ended.stderr);
}

#[test]
fn where_nothing_was_late_or_rejected_nothing_is_said_about_it() {
    let place = Place::new();
    place.write("events", three_events());
    let ended = place.replay("file:events", &[]).succeeds();
    assert!(!ended.stderr.contains("kept"), "{}", ended.stderr);
}

#[test]
fn no_line_ends_with_blanks() {
    let ended = place_with_events().replay("file:events", &[]).succeeds();
    assert!(ended.stderr.lines().all(|line| line == line.trim_end()), "{}", ended.stderr);
}

#[test]
fn the_span_of_event_time_is_told() {
    let ended = place_with_events().replay("file:events", &[]).succeeds();
    let span = line(&ended.stderr, "event time");
    assert!(span.ends_with("2024-01-01T12:00:00.000Z to 2024-01-01T12:01:40.000Z"), "{span}");
}

#[test]
fn a_job_that_fails_says_how_far_it_came_and_no_totals() {
    let place = place_with_events();
    let ended = place.replay("file:events", &["--sink", "ndjson:/dev/full"]).fails(74, "/dev/full");
    assert!(ended.stderr.starts_with("stopped after 5 records in 1 partition ("), "{}", ended.stderr);
    assert_eq!(ended.stderr.lines().count(), 2, "{}", ended.stderr);
}
