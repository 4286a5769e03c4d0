//! Records that were not counted are kept, whole, a line of JSON each.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};

use crate::fixtures::{event, three_events};
use crate::harness::Place;

fn lines(place: &Place, name: &str) -> Vec<Value> {
    place.text(name).lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

/// Bytes without order, the same at each run.
fn garbage(len: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let next = move || {
        // Xorshift (Marsaglia).
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    std::iter::repeat_with(next).take(len).collect()
}

fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|byte| b" \t\r".contains(byte))
}

#[test]
fn garbage_is_rejected_record_by_record_and_kept_as_it_was() {
    let place = Place::new();
    let content = garbage(400_000);
    place.write("garbage", &content);
    let records: Vec<_> = content.split(|byte| *byte == b'\n').filter(|line| !is_blank(line)).collect();
    let count = records.len() as u64;
    place.replay("file:garbage", &["-w", "2", "--rejects", "rejects"]).succeeds().balances(0, 0, count, 0);

    let kept = lines(&place, "rejects");
    assert_eq!(kept.len(), records.len());
    for (line, record) in kept.iter().zip(records) {
        let record = record.strip_suffix(b"\r").unwrap_or(record);
        match std::str::from_utf8(record) {
            Ok(text) => assert_eq!(line["text"], text),
            Err(_) => {
                assert_eq!(line["reason"], "not_utf8");
                assert_eq!(line["base64"], BASE64_STANDARD.encode(record));
            }
        }
    }
}

#[test]
fn a_rejected_record_says_why_and_where_it_was() {
    let place = Place::new();
    place.write("events", "\n{\"a\":\n\u{feff}\n");
    place.replay("file:events", &["--rejects", "rejects"]).succeeds();
    let kept = lines(&place, "rejects");
    let expected = json!({"reason": "not_json", "source": "events", "partition": 0, "offset": 2, "text": "{\"a\":"});
    assert_eq!(kept[0], expected);
    assert_eq!(kept[1]["offset"], 3);
}

#[test]
fn a_late_record_says_how_late_it_was() {
    let place = Place::new();
    let late = event("u9", "9", "12:00:59");
    place.write("events", three_events() + &late);
    place.replay("file:events", &["--late", "late"]).succeeds().balances(3, 1, 0, 0);
    let expected = json!({
        "reason": "late", "source": "events", "partition": 0, "offset": 4,
        "timestamp": "2024-01-01T12:00:59.000Z", "window_start": "2024-01-01T12:00:00Z",
        // The latest event was at 12:01:40, less 10 s; the window had ended at 12:01:00.
        "lateness_ms": 30_000, "text": late,
    });
    assert_eq!(lines(&place, "late"), [expected]);
}

#[test]
fn late_and_rejected_records_go_each_to_their_own_file() {
    let place = Place::new();
    place.write("events", three_events() + "{}\n" + &event("u9", "9", "12:00:59"));
    place.replay("file:events", &["--rejects", "rejects"]).succeeds().balances(3, 1, 1, 0);
    assert_eq!(lines(&place, "rejects").len(), 1);
    place.replay("file:events", &["--late", "late"]).succeeds();
    assert_eq!(lines(&place, "late").len(), 1);
}

#[test]
fn events_ahead_of_the_clock_are_rejected_only_when_asked() {
    let place = Place::new();
    place.write("events", event("u1", "1", "12:00:00").replace("2024", "9000"));
    place.replay("file:events", &[]).succeeds().balances(1, 0, 0, 0);
    let ended = place.replay("file:events", &["--max-future-skew", "5m"]).succeeds().balances(0, 0, 1, 0);
    assert_eq!(ended.total("future"), 1);
}
