//! How bytes become records: line ends, blank lines, byte order marks, sizes.

use crate::fixtures::{event, event_of_length, row, three_events, three_events_rows};
use crate::harness::{Ended, Place};

/// Counts `content` as a file and as standard input, which must agree.
fn count(content: impl AsRef<[u8]>) -> Ended {
    let place = Place::new();
    place.write("events", &content);
    let from_file = place.replay("file:events", &[]).succeeds();
    let from_pipe = place.dataflow(["replay", "--source", "-"]).run_with_input(content.as_ref()).succeeds();
    assert_eq!(from_file.stdout(), from_pipe.stdout());
    for label in ["received", "counted", "late", "rejected"] {
        assert_eq!(from_file.total(label), from_pipe.total(label), "{label}");
    }
    from_file
}

#[test]
fn blank_lines_are_no_records() {
    let ended = count("\n \n\t\r\n\r\n   ").balances(0, 0, 0, 0);
    assert_eq!(ended.stdout(), "");
}

#[test]
fn blank_lines_are_no_records_however_long_they_are() {
    // Longer than a record may be, and longer than what is read at a time.
    let content = [70_000, 300_000, 600_000].map(|len| " ".repeat(len) + "\n").concat() + &three_events();
    count(content).balances(3, 0, 0, 0);
}

#[test]
fn a_byte_order_mark_is_ignored_at_the_start_of_a_file_only() {
    let ended = count(format!("\u{feff}{}", three_events())).balances(3, 0, 0, 0);
    assert_eq!(ended.stdout(), three_events_rows());
    count(format!("{}\u{feff}{}", three_events(), three_events())).balances(4, 1, 1, 0);
    count("\u{feff}").balances(0, 0, 0, 0);
}

#[test]
fn lines_may_end_with_cr_and_lf() {
    let ended = count(three_events().replace('\n', "\r\n")).balances(3, 0, 0, 0);
    assert_eq!(ended.stdout(), three_events_rows());
}

#[test]
fn the_last_line_needs_no_end() {
    for end in ["", "\r", "\r\n"] {
        let ended = count(three_events().trim_end().to_owned() + end).balances(3, 0, 0, 0);
        assert_eq!(ended.stdout(), three_events_rows());
    }
}

#[test]
fn a_last_line_that_is_cut_off_is_rejected() {
    let content = three_events();
    let ended = count(&content[..content.len() - 3]).balances(2, 0, 1, 0);
    assert_eq!(ended.total("not_json"), 1);
    assert_eq!(ended.stdout(), row("42", 0, 2));
}

#[test]
fn two_documents_on_a_line_are_no_event() {
    let ended = count(event("u1", "42", "12:00:00") + &event("u2", "42", "12:00:01")).balances(0, 0, 1, 0);
    assert_eq!(ended.total("not_json"), 1);
}

#[test]
fn a_record_has_at_most_65536_bytes_without_its_line_end() {
    for end in ["", "\n", "\r\n"] {
        let ended = count(event_of_length(65_536) + end).balances(1, 0, 0, 0);
        assert_eq!(ended.stdout(), row("42", 0, 1));
        let ended = count(event_of_length(65_537) + end).balances(0, 0, 1, 0);
        assert_eq!(ended.total("too_large"), 1, "with {end:?}");
    }
}

#[test]
fn a_record_that_is_too_large_does_not_touch_its_neighbours() {
    let large = event_of_length(700_000);
    let ended = count(format!("{}{large}\r\n{}", three_events(), three_events())).balances(4, 2, 1, 0);
    assert_eq!(ended.stdout(), three_events_rows());
}
